//! The account's suppression list: addresses that SES accepts mail for and does not deliver to.

use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Value, json};

use super::super::http::ServiceError;
use super::{Ses, address, bad_request, error, text};

/// An address on the list.
#[derive(Clone)]
pub(super) struct Suppressed {
    reason: String,
    /// In milliseconds since the Unix epoch.
    since_millis: u64,
}

impl Ses {
    pub(super) fn put_suppressed(&self, request: &Value) -> Result<Value, ServiceError> {
        let address = address::mailbox(text(request, "EmailAddress")?)?.to_ascii_lowercase();
        let reason = text(request, "Reason")?;
        if !["BOUNCE", "COMPLAINT"].contains(&reason) {
            return Err(bad_request("Reason must be BOUNCE or COMPLAINT."));
        }
        let suppressed = Suppressed {
            reason: reason.to_owned(),
            since_millis: self.clock.now_millis(),
        };
        self.state().suppressed.insert(address, suppressed);
        Ok(json!({}))
    }

    pub(super) fn get_suppressed(&self, request: &Value) -> Result<Value, ServiceError> {
        let address = text(request, "EmailAddress")?.to_ascii_lowercase();
        let state = self.state();
        let known = state.suppressed.get(&address);
        let known = known.ok_or_else(|| unknown(&address))?;
        Ok(json!({ "SuppressedDestination": known.json(&address) }))
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
