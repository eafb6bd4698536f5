//! The account's suppression list: addresses that SES accepts mail for and does not deliver to.

use std::time::{Duration, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::http::ServiceError;
use super::super::outbox;
use super::fate::Fate;
use super::{Ses, State, address, bad_request, error, text};

/// Why an address is on the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Reason {
    /// A mail to it bounced for good.
    Bounce,
    /// Its reader complained of a mail.
    Complaint,
}

#[derive(Clone)]
struct Cause {
    mail: String,
    feedback: String,
}

/// An address on the list.
#[derive(Clone)]
pub(super) struct Suppressed {
    reason: Reason,
    /// In milliseconds since the Unix epoch.
    since_millis: u64,
    /// The mail and the feedback that brought it here, where no owner did.
    cause: Option<Cause>,
}

impl Ses {
    pub(super) fn put_suppressed(&self, request: &Value) -> Result<Value, ServiceError> {
        let address = address::mailbox(text(request, "EmailAddress")?)?.to_ascii_lowercase();
        let reason = match text(request, "Reason")? {
            "BOUNCE" => Reason::Bounce,
            "COMPLAINT" => Reason::Complaint,
            _ => return Err(bad_request("Reason must be BOUNCE or COMPLAINT.")),
        };
        let suppressed = Suppressed {
            reason,
            since_millis: self.clock.now_millis(),
            cause: None,
        };
        self.state().suppressed.insert(address, suppressed);
        Ok(json!({}))
    }

    pub(super) fn get_suppressed(&self, request: &Value) -> Result<Value, ServiceError> {
        let address = text(request, "EmailAddress")?.to_ascii_lowercase();
        let state = self.state();
        let known = state.suppressed.get(&address);
        let known = known.ok_or_else(|| unknown(&address))?;
        let mut shown = known.json(&address);
        if let Some(Cause { mail, feedback }) = &known.cause {
            shown["Attributes"] = json!({ "MessageId": mail, "FeedbackId": feedback });
        }
        Ok(json!({ "SuppressedDestination": shown }))
    }

    pub(super) fn delete_suppressed(&self, request: &Value) -> Result<Value, ServiceError> {
        let address = text(request, "EmailAddress")?.to_ascii_lowercase();
        let removed = self.state().suppressed.remove(&address);
        removed.map(|_| json!({})).ok_or_else(|| unknown(&address))
    }

    pub(super) fn list_suppressed(&self) -> Value {
        let state = self.state();
        let all = state.suppressed.iter();
        let all: Vec<Value> = all.map(|(address, one)| one.json(address)).collect();
        json!({ "SuppressedDestinationSummaries": all })
    }
}

impl State {
    /// Whether mail to an address is taken and not delivered: it is on the list, and the account suppresses
    /// for the reason that it is there.
    pub(super) fn is_suppressed(&self, address: &str) -> bool {
        let known = self.suppressed.get(&address.to_ascii_lowercase());
        known.is_some_and(|known| self.account.suppressed_reasons.contains(&known.reason))
    }

    /// Puts a mail's recipients on the list where its fate and the account's settings say so. The simulator's
    /// addresses never get there.
    pub(super) fn suppress(&mut self, fate: &Fate, mail: &str, to: &[&str], now_millis: u64) {
        let reason = fate.suppresses();
        let Some(reason) = reason.filter(|one| self.account.suppressed_reasons.contains(one))
        else {
            return;
        };
        let real = to.iter().filter(|address| !outbox::is_simulated(address));
        for address in real {
            let suppressed = Suppressed {
                reason,
                since_millis: now_millis,
                cause: Some(Cause {
                    mail: mail.to_owned(),
                    feedback: fate.feedback_id(mail),
                }),
            };
            self.suppressed
                .insert(address.to_ascii_lowercase(), suppressed);
        }
    }
}

impl Suppressed {
    fn json(&self, address: &str) -> Value {
        let since = UNIX_EPOCH + Duration::from_millis(self.since_millis);
        let seconds = since
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs_f64();
        json!({
            "EmailAddress": address,
            "Reason": self.reason,
            "LastUpdateTime": seconds,
        })
    }
}

fn unknown(address: &str) -> ServiceError {
    error(
        404,
        "NotFoundException",
        format!("Email address {address} does not exist on your suppression list."),
    )
}
