//! What becomes of a mail after SES has accepted it, and the events that tell it.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::destination::EventType;
use super::suppression::Reason;

/// The type of bounces after which SES does not try again.
pub(super) const PERMANENT: &str = "Permanent";
/// The subtype of bounces that the account's suppression list made.
pub(super) const SUPPRESSED: &str = "OnAccountSuppressionList";

/// What becomes of a mail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Fate {
    /// It is delivered.
    Delivered,
    /// It bounces, as this type and subtype say.
    Bounced {
        /// `Permanent`, `Transient` or `Undetermined`.
        bounce_type: String,
        /// Such as `General`.
        bounce_sub_type: String,
    },
    /// It is delivered, and its recipient complains.
    Complained,
    /// SES finds something in it and does not deliver it.
    Rejected,
    /// It is delayed, and then delivered.
    Delayed,
    /// SES cannot fill its own template. No mail of a local sender has one, so tests alone want it.
    NotRendered,
    /// It is delivered and opened.
    Opened,
    /// It is delivered and opened, and a link is followed.
    Clicked,
}

/// What becomes of mails to some recipients.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FateRule {
    /// Mails of which a recipient's address holds this text.
    pub recipient_contains: String,
    /// What becomes of them.
    pub fate: Fate,
}

/// A mail, as its events repeat it.
#[derive(Clone)]
pub(super) struct Sent {
    pub(super) id: String,
    pub(super) time: String,
    pub(super) from: String,
    pub(super) to: Vec<String>,
    pub(super) subject: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) tags: Vec<(String, String)>,
    pub(super) set: String,
}

impl Fate {
    /// A bounce of this type and subtype.
    pub fn bounced(bounce_type: &str, bounce_sub_type: &str) -> Self {
        Self::Bounced {
            bounce_type: bounce_type.to_owned(),
            bounce_sub_type: bounce_sub_type.to_owned(),
        }
    }

    /// What becomes of a mail to the simulator, by the part of the address before the `@` or its label.
    pub(super) fn of_simulated(address: &str) -> Option<Self> {
        let (local, _) = address.rsplit_once('@')?;
        let name = local.split('+').next().unwrap_or(local);
        match name.trim_start_matches('<').to_ascii_lowercase().as_str() {
            // An automatic answer goes to the sender, and no event tells of it.
            "success" | "ooto" => Some(Self::Delivered),
            "bounce" => Some(Self::bounced("Permanent", "General")),
            "complaint" => Some(Self::Complained),
            "suppressionlist" => Some(Self::bounced("Permanent", "Suppressed")),
            _ => None,
        }
    }

    /// What it gives SES for its suppression list. A bounce that the list itself made is none: the address is
    /// on it.
    pub(super) fn suppresses(&self) -> Option<Reason> {
        match self {
            Self::Bounced {
                bounce_type,
                bounce_sub_type,
            } => (bounce_type == PERMANENT && bounce_sub_type != SUPPRESSED)
                .then_some(Reason::Bounce),
            Self::Complained => Some(Reason::Complaint),
            _ => None,
        }
    }

    /// Whether the recipient does not get the mail, or does not want it.
    pub(crate) fn is_bad(&self) -> bool {
        matches!(
            self,
            Self::Bounced { .. } | Self::Complained | Self::Rejected | Self::NotRendered
        )
    }

    /// The id that its bounce or complaint has in events and on the suppression list.
    pub(super) fn feedback_id(&self, mail: &str) -> String {
        match self {
            Self::Complained => format!("{mail}-complaint"),
            _ => format!("{mail}-bounce"),
        }
    }

    /// The events that follow the acceptance, in their order.
    pub(super) fn events(&self) -> &'static [EventType] {
        use EventType::{
            Bounce, Click, Complaint, Delivery, DeliveryDelay, Open, Reject, RenderingFailure, Send,
        };
        match self {
            Self::Delivered => &[Send, Delivery],
            Self::Bounced { .. } => &[Send, Bounce],
            Self::Complained => &[Send, Delivery, Complaint],
            Self::Rejected => &[Send, Reject],
            Self::Delayed => &[Send, DeliveryDelay, Delivery],
            Self::NotRendered => &[RenderingFailure],
            Self::Opened => &[Send, Delivery, Open],
            Self::Clicked => &[Send, Delivery, Open, Click],
        }
    }

    /// In words, for the outbox page.
    pub(super) fn words(&self) -> String {
        match self {
            Self::Delivered => "delivered".to_owned(),
            Self::Bounced {
                bounce_type,
                bounce_sub_type,
            } => format!("bounced ({bounce_type}, {bounce_sub_type})"),
            Self::Complained => "delivered, complaint".to_owned(),
            Self::Rejected => "rejected".to_owned(),
            Self::Delayed => "delayed, then delivered".to_owned(),
            Self::NotRendered => "not rendered".to_owned(),
            Self::Opened => "delivered, opened".to_owned(),
            Self::Clicked => "delivered, opened, clicked".to_owned(),
        }
    }
}

impl Sent {
    /// An event of it, in the shape that was recorded on AWS.
    pub(super) fn event(&self, kind: EventType, fate: &Fate, now: &str) -> Value {
        let (name, field) = kind.in_events();
        let mut event = json!({ "eventType": name, "mail": self.mail(kind) });
        event[field] = self.detail(kind, fate, now);
        event
    }

    fn mail(&self, kind: EventType) -> Value {
        let domain = self.from.rsplit_once('@').map_or("", |(_, domain)| domain);
        let domain = domain.trim_end_matches('>');
        let mut tags = json!({
            "ses:operation": ["SendEmail"],
            "ses:configuration-set": [self.set],
            "ses:source-ip": ["192.0.2.0"],
            "ses:from-domain": [domain],
            "ses:caller-identity": ["local"],
        });
        if kind != EventType::Send && kind != EventType::RenderingFailure {
            tags["ses:outgoing-ip"] = json!(["192.0.2.1"]);
        }
        for (name, value) in &self.tags {
            tags[name] = json!([value]);
        }
        let mut headers = vec![
            json!({ "name": "From", "value": self.from }),
            json!({ "name": "To", "value": self.to.join(", ") }),
            json!({ "name": "Subject", "value": self.subject }),
            json!({ "name": "MIME-Version", "value": "1.0" }),
        ];
        let own = self.headers.iter();
        headers.extend(own.map(|(name, value)| json!({ "name": name, "value": value })));
        json!({
            "timestamp": self.time,
            "source": self.from,
            "sourceArn": format!("arn:aws:ses:us-east-1:000000000000:identity/{domain}"),
            "sendingAccountId": "000000000000",
            "messageId": self.id,
            "destination": self.to,
            "headersTruncated": false,
            "headers": headers,
            "commonHeaders": {
                "from": [self.from],
                "to": self.to,
                "messageId": self.id,
                "subject": self.subject,
            },
            "tags": tags,
        })
    }

    fn detail(&self, kind: EventType, fate: &Fate, now: &str) -> Value {
        // What a recipient's server says often quotes the address.
        let recipients = |status: &str, said: &str| -> Value {
            let each = self.to.iter().map(|address| {
                json!({
                    "emailAddress": address,
                    "action": "failed",
                    "status": status,
                    "diagnosticCode": format!("smtp; {said} <{address}>"),
                })
            });
            each.collect()
        };
        match kind {
            EventType::Send => json!({}),
            EventType::Delivery => json!({
                "timestamp": now,
                "processingTimeMillis": 500,
                "recipients": self.to,
                "smtpResponse": "250 2.6.0 Message received",
                "reportingMTA": "a1-1.smtp-out.amazonses.com",
            }),
            EventType::Bounce => {
                let (kind, sub) = match fate {
                    Fate::Bounced {
                        bounce_type,
                        bounce_sub_type,
                    } => (bounce_type.as_str(), bounce_sub_type.as_str()),
                    _ => ("Undetermined", "Undetermined"),
                };
                json!({
                    "feedbackId": fate.feedback_id(&self.id),
                    "bounceType": kind,
                    "bounceSubType": sub,
                    "bouncedRecipients": recipients("5.1.1", "550 5.1.1 user unknown"),
                    "timestamp": now,
                    "reportingMTA": "dns; a1-1.smtp-out.amazonses.com",
                })
            }
            EventType::Complaint => json!({
                "feedbackId": fate.feedback_id(&self.id),
                "complaintSubType": null,
                "complainedRecipients": self
                    .to
                    .iter()
                    .map(|address| json!({ "emailAddress": address }))
                    .collect::<Value>(),
                "timestamp": now,
                "userAgent": "Amazon SES Mailbox Simulator",
                "complaintFeedbackType": "abuse",
                "arrivalDate": now,
            }),
            EventType::Reject => json!({ "reason": "Bad content" }),
            EventType::DeliveryDelay => json!({
                "timestamp": now,
                "delayType": "TransientCommunicationFailure",
                "expirationTime": now,
                "delayedRecipients": recipients("4.4.1", "421 4.4.1 unable to connect"),
            }),
            EventType::RenderingFailure => json!({
                "templateName": "none",
                "errorMessage": "Attribute 'none' is not present in the rendering data.",
            }),
            EventType::Open => json!({
                "timestamp": now,
                "ipAddress": "192.0.2.2",
                "userAgent": "Mozilla/5.0",
            }),
            EventType::Click => json!({
                "timestamp": now,
                "ipAddress": "192.0.2.2",
                "userAgent": "Mozilla/5.0",
                "link": "https://example.com/",
                "linkTags": null,
            }),
            EventType::Subscription => json!({ "timestamp": now, "contactList": "none" }),
        }
    }
}
