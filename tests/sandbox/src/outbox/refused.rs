//! The latest requests to send that were refused: what the outbox would hold had they been accepted.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Value, json};

use super::super::http::ServiceError;
use super::super::ses::{NO_RECIPIENT, SendEmail};
use super::StoredMail;
use super::search::Search;

/// More than anybody looks at. A daemon that is throttled meets this many in a minute.
const MOST: usize = 100;

/// A request to send that was refused, by SES's rules or by a fault.
#[derive(Clone, Default)]
pub struct Refused {
    /// What the request tells of its mail, as far as it can be read, and the time of the refusal.
    pub mail: StoredMail,
    /// The error code, such as `MessageRejected`.
    pub code: String,
    /// The text beside the code.
    pub message: String,
}

impl Refused {
    /// The refusal of the request with this body.
    pub(crate) fn new(body: &[u8], error: &ServiceError, now_millis: u64) -> Self {
        let mut mail = SendEmail::read(body).map_or_else(StoredMail::default, SendEmail::sketch);
        let now = UNIX_EPOCH + Duration::from_millis(now_millis);
        mail.time_millis = now_millis;
        mail.time = humantime::format_rfc3339_millis(now).to_string();
        Self {
            mail,
            code: error.code.clone(),
            message: error.message.clone(),
        }
    }

    /// Whether it is a mail to nobody that was refused for just that. Programs send one to learn whether they
    /// may send at all, since SES refuses it after it has looked at their rights.
    pub fn is_trial(&self) -> bool {
        self.message == NO_RECIPIENT && self.mail.recipients().next().is_none()
    }

    fn json(&self) -> Value {
        let trial = self.is_trial();
        let StoredMail {
            time,
            from,
            to,
            subject,
            ..
        } = &self.mail;
        let Self { code, message, .. } = self;
        json!({
            "time": time, "from": from, "to": to, "subject": subject, "code": code, "message": message,
            "trial": trial,
        })
    }
}

/// The latest refusals, oldest first.
#[derive(Default)]
pub(super) struct Refusals {
    kept: VecDeque<Arc<Refused>>,
}

impl Refusals {
    pub(super) fn add(&mut self, refused: Refused) {
        self.kept.push_back(Arc::new(refused));
        while self.kept.len() > MOST {
            self.kept.pop_front();
        }
    }

    pub(super) fn delete(&mut self, unwanted: impl Fn(&Refused) -> bool) {
        self.kept.retain(|refused| !unwanted(refused));
    }

    /// Newest first.
    pub(super) fn found(&self, search: &Search) -> Vec<Arc<Refused>> {
        let newest_first = self.kept.iter().rev();
        let found = newest_first.filter(|refused| search.finds(&refused.mail));
        found.cloned().collect()
    }

    pub(super) fn json(&self) -> Value {
        self.kept.iter().map(|refused| refused.json()).collect()
    }
}
