//! The account's standing: what the owner, AWS's reviewers and the quota decide.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::http::ServiceError;
use super::suppression::Reason;
use super::{Ses, bad_request};

/// What `PUT /ses/account` and [`Ses::update_account`] set.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of its own on the real account"
)]
pub struct AccountSettings {
    /// Without production access recipients must be verified as well.
    pub production_access: bool,
    /// The owner's own switch.
    pub sending_enabled: bool,
    /// `HEALTHY`, `PROBATION` or `SHUTDOWN`, as `GetAccount` tells it.
    pub enforcement_status: String,
    /// Recipients per second.
    pub max_send_rate: f64,
    /// Recipients in any 24 hours; -1 is without limit.
    pub max_24_hour_send: f64,
    /// The account may never send again.
    pub suspended: bool,
    /// A reviewer has paused the account.
    pub paused: bool,
    /// Whether senders, and without production access recipients, must be verified.
    pub require_verified_identities: bool,
    /// New identities wait for their owner's confirmation instead of being verified at once.
    pub identities_pending: bool,
    /// What puts an address on the account's suppression list, and keeps mail from addresses that it put there.
    pub suppressed_reasons: BTreeSet<Reason>,
}

impl Default for AccountSettings {
    fn default() -> Self {
        Self {
            production_access: true,
            sending_enabled: true,
            enforcement_status: "HEALTHY".to_owned(),
            max_send_rate: 100_000.0,
            max_24_hour_send: -1.0,
            suspended: false,
            paused: false,
            require_verified_identities: true,
            identities_pending: false,
            suppressed_reasons: BTreeSet::from([Reason::Bounce, Reason::Complaint]),
        }
    }
}

impl AccountSettings {
    fn may_send(&self) -> bool {
        self.sending_enabled && !self.paused && !self.suspended
    }

    fn enforcement(&self) -> &str {
        if self.suspended {
            "SHUTDOWN"
        } else {
            &self.enforcement_status
        }
    }
}

impl Ses {
    /// The settings in force.
    pub fn account(&self) -> AccountSettings {
        self.state().account.clone()
    }

    /// Changes the settings from now on.
    pub fn update_account(&self, change: impl FnOnce(&mut AccountSettings)) {
        let mut state = self.state();
        change(&mut state.account);
    }

    pub(super) fn get_account(&self) -> Value {
        let mut state = self.state();
        let sent = state.quota.sent_last_24_hours();
        let account = &state.account;
        json!({
            "DedicatedIpAutoWarmupEnabled": true,
            "EnforcementStatus": account.enforcement(),
            "ProductionAccessEnabled": account.production_access,
            "SendQuota": {
                "Max24HourSend": account.max_24_hour_send,
                "MaxSendRate": account.max_send_rate,
                "SentLast24Hours": sent,
            },
            "SendingEnabled": account.may_send(),
            "SuppressionAttributes": { "SuppressedReasons": account.suppressed_reasons },
        })
    }

    /// A missing field means off, as for the real one.
    pub(super) fn put_account_sending(&self, request: &Value) -> Result<Value, ServiceError> {
        let enabled = match request.get("SendingEnabled") {
            None | Some(Value::Null) => false,
            Some(Value::Bool(enabled)) => *enabled,
            Some(_) => return Err(bad_request("SendingEnabled must be true or false.")),
        };
        self.state().account.sending_enabled = enabled;
        Ok(json!({}))
    }

    /// Takes the place of all reasons; without any nothing is suppressed.
    pub(super) fn put_account_suppression(&self, request: &Value) -> Result<Value, ServiceError> {
        let reasons = match request.get("SuppressedReasons") {
            None | Some(Value::Null) => BTreeSet::new(),
            Some(reasons) => serde_json::from_value(reasons.clone()).map_err(|_| {
                bad_request("SuppressedReasons must be a list of BOUNCE and COMPLAINT.")
            })?,
        };
        self.state().account.suppressed_reasons = reasons;
        Ok(json!({}))
    }

    /// Sets the fields that the request names, and answers with all of them.
    pub(super) fn put_sandbox_account(&self, request: Value) -> Result<Value, ServiceError> {
        let Value::Object(changes) = request else {
            return Err(bad_request("The settings must be a JSON object."));
        };
        let mut state = self.state();
        let mut settings = json!(state.account);
        for (name, value) in changes {
            settings[name] = value;
        }
        state.account = serde_json::from_value(settings.clone())
            .map_err(|source| bad_request(source.to_string()))?;
        Ok(settings)
    }
}
