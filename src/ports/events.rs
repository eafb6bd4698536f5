//! What the mail service says of the mails that it took, in our own types.

use std::{fmt, sync::Arc, time::Duration};

use super::{MailPurpose, Queue};
use crate::notification::MailKey;

/// Where the mail service's events arrive.
#[derive(Clone)]
pub struct Feedback {
    /// The queue that they reach.
    pub queue: Arc<dyn Queue>,
    /// Reads the body of a message of that queue.
    pub read: fn(&str) -> Letter,
}

/// What a message of the feedback queue holds.
#[derive(Debug, PartialEq, Eq)]
pub enum Letter {
    /// Something became of a mail.
    Event(Box<MailEvent>),
    /// The mail service greets a destination that is new.
    Greeting,
    /// The mail service says something that is about no mail.
    Other,
    /// It is no event of the mail service. In words, without its content.
    Foreign(String),
}

/// What became of a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Fate {
    /// The mail service has accepted it.
    Sent,
    /// The recipient's server has taken it.
    Delivered,
    /// It has not been delivered yet.
    Delayed,
    /// It will not be delivered.
    Bounced,
    /// The recipient called it unwanted.
    Complained,
    /// The mail service accepted it and then would not deliver it.
    Rejected,
    /// The mail service could not make it of its own template. We use none, so another sender's mail.
    NotRendered,
    /// Somebody opened it.
    Opened,
    /// Somebody followed a link in it.
    Clicked,
    /// Somebody changed a subscription.
    Subscribed,
}

impl Fate {
    /// Its name in logs and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sent => "send",
            Self::Delivered => "delivery",
            Self::Delayed => "delivery_delay",
            Self::Bounced => "bounce",
            Self::Complained => "complaint",
            Self::Rejected => "reject",
            Self::NotRendered => "rendering_failure",
            Self::Opened => "open",
            Self::Clicked => "click",
            Self::Subscribed => "subscription",
        }
    }

    /// Whether a mail of which this became something was accepted.
    pub fn shows_acceptance(self) -> bool {
        self != Self::NotRendered
    }
}

/// An event of the mail service's about one mail.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct MailEvent {
    /// What became of the mail.
    pub fate: Fate,
    /// The mail service's id of the mail.
    pub email_id: String,
    /// The queue that the mail's message came from, where the mail has our tags.
    pub queue: Option<String>,
    /// The mail, where it has our tags.
    pub key: Option<MailKey>,
    /// Whom the mail was for.
    pub purpose: MailPurpose,
    /// The span of the send as W3C writes it, where the mail has such a tag.
    pub traceparent: Option<String>,
    /// Of which kind a bounce, a complaint or a delay is, or why the mail was rejected, in the mail
    /// service's words.
    pub kind: Option<String>,
    /// The same in more detail.
    pub subkind: Option<String>,
    /// The recipients that it is about.
    pub recipients: Vec<EventRecipient>,
    /// How long the mail service took from accepting to delivering the mail.
    pub took: Option<Duration>,
}

/// A recipient that an event is about.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct EventRecipient {
    /// The address. Mask it before it is logged.
    pub address: String,
    /// The status as RFC 3463 numbers it, such as `5.1.1`.
    pub status: Option<String>,
    /// What the recipient's server said. It may quote an address: mask it before it is logged.
    pub diagnostic: Option<String>,
}

/// Without addresses.
impl fmt::Debug for MailEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MailEvent")
            .field("fate", &self.fate)
            .field("email_id", &self.email_id)
            .field("queue", &self.queue)
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}
