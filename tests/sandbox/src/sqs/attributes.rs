//! Queue attributes: defaults, ranges and the redrive policy.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use serde_json::Value;

use super::super::http::ServiceError;
use super::errors::{error, invalid_value};

/// The attributes that can be set, as strings the way the API has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Attributes {
    values: BTreeMap<String, String>,
    redrive: Option<Redrive>,
}

/// A parsed `RedrivePolicy`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Redrive {
    pub target_arn: String,
    /// Receives after which the next one dead-letters, 1 to 1000.
    pub most_receives: u32,
}

/// Attributes that the queue computes, besides those that can be set.
pub(super) const COMPUTED: [&str; 6] = [
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesDelayed",
    "ApproximateNumberOfMessagesNotVisible",
    "CreatedTimestamp",
    "LastModifiedTimestamp",
    "QueueArn",
];

const TEXTS: [&str; 4] = [
    "KmsMasterKeyId",
    "Policy",
    "RedriveAllowPolicy",
    "RedrivePolicy",
];
const FIFO_ONLY: [&str; 4] = [
    "ContentBasedDeduplication",
    "DeduplicationScope",
    "FifoQueue",
    "FifoThroughputLimit",
];

impl Default for Attributes {
    fn default() -> Self {
        let defaults = [
            ("DelaySeconds", "0"),
            ("MaximumMessageSize", "1048576"),
            ("MessageRetentionPeriod", "345600"),
            ("ReceiveMessageWaitTimeSeconds", "0"),
            ("SqsManagedSseEnabled", "true"),
            ("VisibilityTimeout", "30"),
        ];
        Self {
            values: defaults
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            redrive: None,
        }
    }
}

impl Attributes {
    /// Sets one attribute; an empty value removes a policy or key.
    pub(super) fn set(&mut self, name: &str, value: &str) -> Result<(), ServiceError> {
        if let Some(range) = range(name) {
            let fits = value
                .parse()
                .is_ok_and(|number: u64| range.contains(&number));
            if !fits {
                return Err(invalid(name));
            }
        } else if name == "SqsManagedSseEnabled" {
            if !matches!(value, "true" | "false") {
                return Err(invalid(name));
            }
        } else if FIFO_ONLY.contains(&name) {
            if value == "true" {
                return Err(super::fifo_refused());
            }
            return Err(error(
                "InvalidAttributeName",
                format!("Unknown Attribute {name}."),
            ));
        } else if !TEXTS.contains(&name) {
            return Err(error(
                "InvalidAttributeName",
                format!("Unknown Attribute {name}."),
            ));
        }
        if value.is_empty() {
            self.values.remove(name);
            if name == "RedrivePolicy" {
                self.redrive = None;
            }
            return Ok(());
        }
        match name {
            "RedrivePolicy" => self.redrive = Some(Redrive::parse(value)?),
            "Policy" | "RedriveAllowPolicy" => {
                serde_json::from_str::<serde_json::Map<String, Value>>(value)
                    .map_err(|_| invalid(name))?;
            }
            _ => {}
        }
        self.values.insert(name.to_owned(), value.to_owned());
        Ok(())
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub(super) fn redrive(&self) -> Option<&Redrive> {
        self.redrive.as_ref()
    }

    pub(super) fn visibility_millis(&self) -> u64 {
        self.number("VisibilityTimeout") * 1000
    }

    pub(super) fn retention_millis(&self) -> u64 {
        self.number("MessageRetentionPeriod") * 1000
    }

    pub(super) fn delay_millis(&self) -> u64 {
        self.number("DelaySeconds") * 1000
    }

    pub(super) fn wait_seconds(&self) -> u64 {
        self.number("ReceiveMessageWaitTimeSeconds")
    }

    /// Bytes.
    pub(super) fn maximum_message_size(&self) -> usize {
        usize::try_from(self.number("MaximumMessageSize")).unwrap_or(usize::MAX)
    }

    /// Whether `name` is an attribute that `GetQueueAttributes` may be asked for.
    pub(super) fn is_known(name: &str) -> bool {
        name == "All"
            || name == "SqsManagedSseEnabled"
            || range(name).is_some()
            || TEXTS.contains(&name)
            || FIFO_ONLY.contains(&name)
            || COMPUTED.contains(&name)
    }

    fn number(&self, name: &str) -> u64 {
        self.get(name)
            .and_then(|value| value.parse().ok())
            .unwrap_or_default()
    }
}

impl Redrive {
    fn parse(policy: &str) -> Result<Self, ServiceError> {
        let json: Value = serde_json::from_str(policy).unwrap_or_default();
        let target = json
            .get("deadLetterTargetArn")
            .and_then(Value::as_str)
            .filter(|arn| arn.split(':').count() == 6)
            .ok_or_else(|| {
                refused(
                    policy,
                    "Redrive policy does not contain a valid deadLetterTargetArn.",
                )
            })?;
        let given = json.get("maxReceiveCount").unwrap_or(&Value::Null);
        let most_receives = given
            .as_u64()
            .or_else(|| given.as_str()?.parse().ok())
            .and_then(|count| u32::try_from(count).ok())
            .filter(|count| (1..=1000).contains(count))
            .ok_or_else(|| {
                refused(
                    policy,
                    &format!(
                        "Invalid value for maxReceiveCount: {given}, valid values are from 1 to 1000 both inclusive."
                    ),
                )
            })?;
        Ok(Self {
            target_arn: target.to_owned(),
            most_receives,
        })
    }

    /// The refusal of a policy whose target is not there.
    pub(super) fn no_target(policy: &str) -> ServiceError {
        refused(policy, "Dead letter target does not exist.")
    }
}

fn refused(policy: &str, reason: &str) -> ServiceError {
    invalid_value(policy, "RedrivePolicy", reason)
}

fn invalid(name: &str) -> ServiceError {
    error(
        "InvalidAttributeValue",
        format!("Invalid value for the parameter {name}."),
    )
}

fn range(name: &str) -> Option<RangeInclusive<u64>> {
    Some(match name {
        "DelaySeconds" => 0..=900,
        "KmsDataKeyReusePeriodSeconds" => 60..=86_400,
        "MaximumMessageSize" => 1024..=1_048_576,
        "MessageRetentionPeriod" => 60..=1_209_600,
        "ReceiveMessageWaitTimeSeconds" => 0..=20,
        "VisibilityTimeout" => 0..=43_200,
        _ => return None,
    })
}
