//! SES v2 as far as sending goes: `SendEmail` with the checks that the real one makes, the
//! account, identities and configuration sets.

mod account;
mod address;
mod content;
pub mod destination;
pub mod fate;
mod identity;
pub(crate) mod mime;
pub mod publisher;
mod quota;
mod route;
mod send;
mod suppression;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

pub use self::account::AccountSettings;
pub use self::identity::Identity;
pub use self::route::route;
pub(crate) use self::send::NO_RECIPIENT;
pub use self::send::SendEmail;
pub use self::suppression::Reason;

use self::destination::EventDestination;
use self::fate::FateRule;
use self::identity::Identities;
use self::publisher::{EventRule, Publisher, Told};
use self::quota::Quota;
use self::suppression::Suppressed;
use super::clock::Clock;
use super::history::History;
use super::http::ServiceError;
use super::outbox::Outbox;
use super::sns::Sns;
use super::sqs::Sqs;

/// The region named in SES's own texts.
const REGION_IN_TEXTS: &str = "US-EAST-1";

/// A local SES account; what it accepts goes to the outbox.
pub struct Ses {
    clock: Arc<Clock>,
    outbox: Arc<Outbox>,
    publisher: Arc<Publisher>,
    state: Mutex<State>,
    history: OnceLock<Arc<History>>,
}

#[derive(Default)]
struct State {
    account: AccountSettings,
    identities: Identities,
    configuration_sets: BTreeMap<String, ConfigurationSet>,
    suppressed: BTreeMap<String, Suppressed>,
    quota: Quota,
}

struct ConfigurationSet {
    sending_enabled: bool,
    destinations: Vec<EventDestination>,
}

impl Ses {
    /// A new account, whose mails go to the outbox, and their events to these topics and queues.
    pub fn new(clock: Arc<Clock>, outbox: Arc<Outbox>, sns: Arc<Sns>, sqs: Arc<Sqs>) -> Self {
        Self {
            publisher: Publisher::new(sns, sqs, clock.clone()),
            clock,
            outbox,
            state: Mutex::default(),
            history: OnceLock::new(),
        }
    }

    /// From now on, writes accepted mails and their events to this history.
    pub fn record(&self, history: Arc<History>) {
        self.publisher.record(history.clone());
        self.history.get_or_init(|| history);
    }

    /// A new account: default settings, no identities, nothing sent.
    pub fn reset(&self) {
        *self.state() = State::default();
        self.publisher.reset();
    }

    /// From now on events meet with this, and with nothing else.
    pub fn set_event_rules(&self, rules: Vec<EventRule>) {
        self.publisher.set_events(rules);
    }

    /// From now on this becomes of mails to some recipients. Of several rules that match the first
    /// counts; without one a mail is delivered, and the simulator's addresses behave as AWS's.
    pub fn set_fates(&self, rules: Vec<FateRule>) {
        self.publisher.set_fates(rules);
    }

    /// A rule of the default event bus sends SES's events to this queue.
    pub fn connect_bus(&self, queue_arn: &str) {
        self.publisher.connect_bus(queue_arn);
    }

    /// What was done with the events of each mail that has any, by the mail's id.
    pub fn told(&self) -> BTreeMap<String, Told> {
        self.publisher.told()
    }

    /// Sets the rules that a JSON object names: `events`, `fates`, `bus`.
    ///
    /// # Errors
    ///
    /// Where it holds anything else.
    pub fn set_rules_json(&self, body: &[u8]) -> Result<(), serde_json::Error> {
        self.publisher.set_rules_json(body)
    }

    /// How many events were published.
    pub fn published(&self) -> u64 {
        self.publisher.published()
    }

    /// The rules in force.
    pub fn event_rules_json(&self) -> Value {
        self.publisher.rules_json()
    }

    /// Answers one operation; `request` holds the body's fields and those of path and query.
    #[expect(
        clippy::unused_async,
        reason = "the frame awaits every service alike, and SQS does wait"
    )]
    pub async fn call(&self, operation: &str, request: Value) -> Result<Value, ServiceError> {
        match operation {
            "SendEmail" => self.send_email(parse(request)?),
            "GetAccount" => Ok(self.get_account()),
            "PutAccountSendingAttributes" => self.put_account_sending(&request),
            "PutAccountSuppressionAttributes" => self.put_account_suppression(&request),
            "PutSandboxAccount" => self.put_sandbox_account(request),
            "CreateEmailIdentity" => self.create_identity(&request),
            "GetEmailIdentity" => self.get_identity(&request),
            "DeleteEmailIdentity" => self.delete_identity(&request),
            "ListEmailIdentities" => Ok(self.list_identities()),
            "CreateConfigurationSet" => self.create_configuration_set(&request),
            "GetConfigurationSet" => self.get_configuration_set(&request),
            "DeleteConfigurationSet" => self.delete_configuration_set(&request),
            "ListConfigurationSets" => Ok(self.list_configuration_sets()),
            "PutConfigurationSetSendingOptions" => self.put_configuration_set_sending(&request),
            "CreateConfigurationSetEventDestination" => self.create_destination(&request),
            "UpdateConfigurationSetEventDestination" => self.update_destination(&request),
            "DeleteConfigurationSetEventDestination" => self.delete_destination(&request),
            "GetConfigurationSetEventDestinations" => self.get_destinations(&request),
            "PutEmailIdentityConfigurationSetAttributes" => self.put_identity_set(&request),
            "PutEmailIdentityFeedbackAttributes" => self.put_identity_feedback(&request),
            "PutEmailIdentityMailFromAttributes" => self.put_identity_mail_from(&request),
            "PutEmailIdentityDkimAttributes" => self.put_identity_dkim(&request),
            "PutSuppressedDestination" => self.put_suppressed(&request),
            "GetSuppressedDestination" => self.get_suppressed(&request),
            "DeleteSuppressedDestination" => self.delete_suppressed(&request),
            "ListSuppressedDestinations" => Ok(self.list_suppressed()),
            unknown => Err(error(
                404,
                "UnknownOperationException",
                format!("The local SES does not know {unknown}."),
            )),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn create_configuration_set(&self, request: &Value) -> Result<Value, ServiceError> {
        let name = text(request, "ConfigurationSetName")?;
        if name.len() > 64 || !is_plain(name) {
            return Err(bad_request(format!(
                "Invalid configuration set name <{name}>."
            )));
        }
        let sending_enabled = request
            .pointer("/SendingOptions/SendingEnabled")
            .and_then(Value::as_bool)
            .unwrap_or(true);
        let mut state = self.state();
        if state.configuration_sets.contains_key(name) {
            return Err(error(
                400,
                "AlreadyExistsException",
                format!("Configuration set <{name}> already exists."),
            ));
        }
        let set = ConfigurationSet {
            sending_enabled,
            destinations: Vec::new(),
        };
        state.configuration_sets.insert(name.to_owned(), set);
        Ok(json!({}))
    }

    fn get_configuration_set(&self, request: &Value) -> Result<Value, ServiceError> {
        let name = text(request, "ConfigurationSetName")?;
        let mut state = self.state();
        let set = state.configuration_set(name)?;
        Ok(json!({
            "ConfigurationSetName": name,
            "SendingOptions": { "SendingEnabled": set.sending_enabled },
            "ReputationOptions": { "ReputationMetricsEnabled": false },
            "DeliveryOptions": { "TlsPolicy": "OPTIONAL" },
            "Tags": [],
        }))
    }

    fn delete_configuration_set(&self, request: &Value) -> Result<Value, ServiceError> {
        let name = text(request, "ConfigurationSetName")?;
        let mut state = self.state();
        state.configuration_set(name)?;
        state.configuration_sets.remove(name);
        Ok(json!({}))
    }

    fn list_configuration_sets(&self) -> Value {
        let state = self.state();
        let names: Vec<&String> = state.configuration_sets.keys().collect();
        json!({ "ConfigurationSets": names })
    }

    fn put_configuration_set_sending(&self, request: &Value) -> Result<Value, ServiceError> {
        let name = text(request, "ConfigurationSetName")?;
        let mut state = self.state();
        state.configuration_set(name)?.sending_enabled = request
            .get("SendingEnabled")
            .and_then(Value::as_bool)
            .unwrap_or(false);
        Ok(json!({}))
    }
}

impl State {
    fn configuration_set(&mut self, name: &str) -> Result<&mut ConfigurationSet, ServiceError> {
        self.configuration_sets.get_mut(name).ok_or_else(|| {
            error(
                404,
                "NotFoundException",
                format!("Configuration set <{name}> does not exist."),
            )
        })
    }
}

fn parse<T: DeserializeOwned>(request: Value) -> Result<T, ServiceError> {
    serde_json::from_value(request)
        .map_err(|source| error(400, "SerializationException", source.to_string()))
}

/// Whether a text is made of ASCII letters, digits, `_` and `-`.
fn is_plain(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

fn text<'a>(request: &'a Value, field: &str) -> Result<&'a str, ServiceError> {
    request
        .get(field)
        .and_then(Value::as_str)
        .filter(|text| !text.is_empty())
        .ok_or_else(|| bad_request(format!("{field} must not be empty.")))
}

fn bad_request(message: impl Into<String>) -> ServiceError {
    error(400, "BadRequestException", message)
}

fn error(status: u16, code: &str, message: impl Into<String>) -> ServiceError {
    ServiceError {
        status,
        code: code.to_owned(),
        query_code: None,
        message: message.into(),
    }
}
