//! The settings while the table of keys fills them.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use super::settings::{Email, Feedback, Ledger, Log, Message, Queue, Settings, TemplateSettings};
use crate::notification::{JsonPointer, Placeholder, Placeholders, Sender};

/// Settings of which some may be missing. What is missing and required has a problem of its own,
/// or the command at work does without.
#[derive(Default)]
pub(super) struct Draft {
    pub(super) region: Option<String>,
    pub(super) queue: Queue,
    pub(super) concurrency: usize,
    pub(super) template: TemplateSettings,
    pub(super) recipient: Option<JsonPointer>,
    pub(super) placeholders: BTreeMap<String, PlaceholderDraft>,
    pub(super) sender: Option<Sender>,
    pub(super) email: Email,
    pub(super) ledger: Ledger,
    pub(super) feedback: Feedback,
    pub(super) max_elapsed: Duration,
    pub(super) grace: Duration,
    pub(super) health_listen: Option<SocketAddr>,
    pub(super) log: Log,
}

/// A placeholder of which the field may be missing.
#[derive(Default)]
pub(super) struct PlaceholderDraft {
    pub(super) field: Option<JsonPointer>,
    pub(super) fallback: Option<JsonPointer>,
    pub(super) default: Option<String>,
}

impl Draft {
    /// The settings, where nothing is missing that has no empty value.
    pub(super) fn settings(self) -> Option<Settings> {
        let declared = self.placeholders.into_iter().map(|(name, draft)| {
            Some(Placeholder {
                name,
                field: draft.field?,
                fallback: draft.fallback,
                default: draft.default,
            })
        });
        Some(Settings {
            region: self.region,
            queue: self.queue,
            concurrency: self.concurrency,
            template: self.template,
            message: Message {
                recipient: self.recipient?,
                placeholders: Placeholders::new(declared.collect::<Option<_>>()?),
            },
            sender: self.sender?,
            email: self.email,
            ledger: self.ledger,
            feedback: self.feedback,
            max_elapsed: self.max_elapsed,
            grace: self.grace,
            health_listen: self.health_listen,
            log: self.log,
        })
    }
}
