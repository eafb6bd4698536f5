//! Event destinations of configuration sets: where the events of their mails are published.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::http::ServiceError;
use super::{Ses, bad_request, error, is_plain, text};

/// What SES writes to a topic that becomes a destination. It is no JSON.
pub const GREETING: &str = "Successfully validated SNS topic for Amazon SES event publishing.";

const MOST_DESTINATIONS: usize = 10;

/// The type of an event, as the API names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum EventType {
    /// SES has accepted the mail.
    Send,
    /// SES will not deliver what it accepted.
    Reject,
    /// The mail is not delivered for good.
    Bounce,
    /// The recipient does not want it.
    Complaint,
    /// The recipient's server has it.
    Delivery,
    /// It was opened.
    Open,
    /// A link of it was followed.
    Click,
    /// SES's own template could not be filled.
    RenderingFailure,
    /// It is not delivered yet.
    DeliveryDelay,
    /// A subscription was changed.
    Subscription,
}

impl EventType {
    /// Its name in the events themselves, and the field that says more.
    pub fn in_events(self) -> (&'static str, &'static str) {
        match self {
            Self::Send => ("Send", "send"),
            Self::Reject => ("Reject", "reject"),
            Self::Bounce => ("Bounce", "bounce"),
            Self::Complaint => ("Complaint", "complaint"),
            Self::Delivery => ("Delivery", "delivery"),
            Self::Open => ("Open", "open"),
            Self::Click => ("Click", "click"),
            // With a blank, as on AWS.
            Self::RenderingFailure => ("Rendering Failure", "failure"),
            Self::DeliveryDelay => ("DeliveryDelay", "deliveryDelay"),
            Self::Subscription => ("Subscription", "subscription"),
        }
    }

    /// Its name on `EventBridge`.
    pub fn on_the_bus(self) -> &'static str {
        match self {
            Self::Send => "Email Sent",
            Self::Reject => "Email Rejected",
            Self::Bounce => "Email Bounced",
            Self::Complaint => "Email Complaint Received",
            Self::Delivery => "Email Delivered",
            Self::Open => "Email Opened",
            Self::Click => "Email Clicked",
            Self::RenderingFailure => "Email Rendering Failed",
            Self::DeliveryDelay => "Email Delivery Delayed",
            Self::Subscription => "Email Subscribed",
        }
    }
}

/// Where the events of a configuration set go.
#[derive(Clone)]
pub(super) struct EventDestination {
    pub(super) name: String,
    pub(super) enabled: bool,
    pub(super) types: BTreeSet<EventType>,
    pub(super) target: Target,
}

#[derive(Clone)]
pub(super) enum Target {
    /// A topic's ARN.
    Topic(String),
    /// An event bus's ARN.
    Bus(String),
}

impl EventDestination {
    fn json(&self) -> Value {
        let mut shown = json!({
            "Name": self.name,
            "Enabled": self.enabled,
            "MatchingEventTypes": self.types,
        });
        match &self.target {
            Target::Topic(arn) => shown["SnsDestination"] = json!({ "TopicArn": arn }),
            Target::Bus(arn) => shown["EventBridgeDestination"] = json!({ "EventBusArn": arn }),
        }
        shown
    }
}

impl Ses {
    pub(super) fn create_destination(&self, request: &Value) -> Result<Value, ServiceError> {
        let set = text(request, "ConfigurationSetName")?;
        let name = text(request, "EventDestinationName")?;
        let destination = self.read_destination(name, request)?;
        let topic = match &destination.target {
            Target::Topic(arn) => Some(arn.clone()),
            Target::Bus(_) => None,
        };
        {
            let mut state = self.state();
            let set = state.configuration_set(set)?;
            if set.destinations.iter().any(|known| known.name == name) {
                return Err(error(
                    400,
                    "AlreadyExistsException",
                    format!("Event destination <{name}> already exists."),
                ));
            }
            if set.destinations.len() >= MOST_DESTINATIONS {
                return Err(error(
                    400,
                    "LimitExceededException",
                    "A configuration set has at most 10 event destinations.",
                ));
            }
            set.destinations.push(destination);
        }
        if let Some(topic) = topic {
            self.publisher.greet(&topic);
        }
        Ok(json!({}))
    }

    pub(super) fn update_destination(&self, request: &Value) -> Result<Value, ServiceError> {
        let set = text(request, "ConfigurationSetName")?;
        let name = text(request, "EventDestinationName")?;
        let destination = self.read_destination(name, request)?;
        let mut state = self.state();
        let set = state.configuration_set(set)?;
        let known = set.destinations.iter_mut().find(|known| known.name == name);
        *known.ok_or_else(|| unknown(name))? = destination;
        Ok(json!({}))
    }

    pub(super) fn delete_destination(&self, request: &Value) -> Result<Value, ServiceError> {
        let set = text(request, "ConfigurationSetName")?;
        let name = text(request, "EventDestinationName")?;
        let mut state = self.state();
        let set = state.configuration_set(set)?;
        let before = set.destinations.len();
        set.destinations.retain(|known| known.name != name);
        if set.destinations.len() == before {
            return Err(unknown(name));
        }
        Ok(json!({}))
    }

    pub(super) fn get_destinations(&self, request: &Value) -> Result<Value, ServiceError> {
        let set = text(request, "ConfigurationSetName")?;
        let mut state = self.state();
        let set = state.configuration_set(set)?;
        let destinations: Vec<Value> = set
            .destinations
            .iter()
            .map(EventDestination::json)
            .collect();
        Ok(json!({ "EventDestinations": destinations }))
    }

    fn read_destination(
        &self,
        name: &str,
        request: &Value,
    ) -> Result<EventDestination, ServiceError> {
        if name.len() > 64 || !is_plain(name) {
            return Err(bad_request(format!(
                "Invalid event destination name <{name}>."
            )));
        }
        let described = &request["EventDestination"];
        let types = &described["MatchingEventTypes"];
        let types: BTreeSet<EventType> = serde_json::from_value(types.clone())
            .map_err(|_| bad_request("MatchingEventTypes holds a type that does not exist."))?;
        if types.is_empty() {
            return Err(bad_request("At least one event type must be specified."));
        }
        let arn = |pointer: &str| described.pointer(pointer).and_then(Value::as_str);
        let target = match (
            arn("/SnsDestination/TopicArn"),
            arn("/EventBridgeDestination/EventBusArn"),
        ) {
            (Some(topic), None) => {
                if topic.to_ascii_lowercase().ends_with(".fifo") {
                    return Err(bad_request("SES does not support FIFO type topics."));
                }
                if !self.publisher.knows_topic(topic) {
                    return Err(bad_request(format!(
                        "Could not publish to SNS topic <{topic}>: it does not exist."
                    )));
                }
                Target::Topic(topic.to_owned())
            }
            (None, Some(bus)) if bus.ends_with(":event-bus/default") => Target::Bus(bus.to_owned()),
            (None, Some(_)) => return Err(bad_request("Only the default event bus is supported.")),
            _ => {
                return Err(bad_request(
                    "The local SES publishes to one SNS topic or to the default event bus.",
                ));
            }
        };
        Ok(EventDestination {
            name: name.to_owned(),
            // As on AWS, a destination that does not say so is off.
            enabled: described["Enabled"].as_bool().unwrap_or(false),
            types,
            target,
        })
    }
}

fn unknown(name: &str) -> ServiceError {
    error(
        404,
        "NotFoundException",
        format!("Event destination <{name}> does not exist."),
    )
}
