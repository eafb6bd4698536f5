//! Receiving messages: short and long polls, redrive and the choice of attributes.

use std::collections::BTreeSet;
use std::pin::pin;
use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep_until};

use super::super::http::ServiceError;
use super::super::lock;
use super::errors::{error, no_such_queue};
use super::message::Message;
use super::operations::name_in;
use super::params::{number, texts};
use super::queue::MOST_IN_FLIGHT;
use super::{Sqs, queue_name, received};

const SYSTEM_ATTRIBUTES: [&str; 12] = [
    "AWSTraceHeader",
    "All",
    "ApproximateFirstReceiveTimestamp",
    "ApproximateReceiveCount",
    "DeadLetterQueueSourceArn",
    "MessageDeduplicationId",
    "MessageGroupId",
    "SenderId",
    "SentTimestamp",
    "SequenceNumber",
    // Queue attributes that the older parameter's type lets through; they select nothing.
    "Policy",
    "VisibilityTimeout",
];

/// A checked `ReceiveMessage`.
struct Ask<'a> {
    queue: &'a str,
    most: usize,
    wait_seconds: Option<u64>,
    visibility_seconds: Option<u64>,
    system_attributes: BTreeSet<&'a str>,
    message_attributes: Vec<&'a str>,
}

enum Attempt {
    Taken(Vec<(Message, String)>),
    /// Nothing yet, and when something may become visible by itself.
    Empty(Option<u64>),
}

impl Sqs {
    pub(super) async fn receive_message(&self, request: &Value) -> Result<Vec<u8>, ServiceError> {
        let ask = Ask::parse(request)?;
        let (changed, wait_seconds) = {
            let queues = lock(&self.queues);
            let queue = queues.get(ask.queue).ok_or_else(no_such_queue)?;
            let wait_seconds = ask.wait_seconds.unwrap_or(queue.attributes.wait_seconds());
            (queue.changed.clone(), wait_seconds)
        };
        let deadline = Instant::now() + Duration::from_secs(wait_seconds);
        loop {
            // Listening begins before looking, so that no arrival falls between the two.
            let mut change = pin!(changed.notified());
            change.as_mut().enable();
            let next = match self.attempt(&ask, wait_seconds)? {
                Attempt::Taken(messages) => return ask.answer(&messages),
                Attempt::Empty(_) if Instant::now() >= deadline => return Ok(b"{}".to_vec()),
                Attempt::Empty(next) => next,
            };
            let wake = next.map_or(deadline, |at| self.clock.instant(at).min(deadline));
            tokio::select! {
                () = change => {}
                () = sleep_until(wake) => {}
            }
        }
    }

    fn attempt(&self, ask: &Ask<'_>, wait_seconds: u64) -> Result<Attempt, ServiceError> {
        let now = self.clock.now_millis();
        let mut queues = lock(&self.queues);
        let redrive = queues
            .get(ask.queue)
            .ok_or_else(no_such_queue)?
            .attributes
            .redrive()
            .filter(|redrive| queues.contains_key(name_in(&redrive.target_arn)))
            .cloned();
        let queue = queues.get_mut(ask.queue).ok_or_else(no_such_queue)?;
        queue.advance(now);
        if queue.in_flight_count() >= MOST_IN_FLIGHT && wait_seconds == 0 {
            return Err(error(
                "OverLimit",
                format!("The maximum number of in flight messages ({MOST_IN_FLIGHT}) is reached."),
            ));
        }
        let visibility_millis = ask
            .visibility_seconds
            .map_or(queue.attributes.visibility_millis(), |seconds| {
                seconds * 1000
            });
        let most_receives = redrive.as_ref().map(|redrive| redrive.most_receives);
        let received = queue.receive(ask.most, visibility_millis, most_receives, now);
        let next = queue.next_change();
        let source = (!received.dead.is_empty()).then(|| queue.arn.clone());
        if let Some(redrive) = redrive
            && let Some(target) = queues.get_mut(name_in(&redrive.target_arn))
        {
            for message in received.dead {
                let message = Message {
                    receive_count: 0,
                    first_received_at: None,
                    dead_letter_source: source.clone(),
                    ..message
                };
                target.add(message, "dead_letter", 0, now);
            }
        }
        Ok(if received.messages.is_empty() {
            Attempt::Empty(next)
        } else {
            Attempt::Taken(received.messages)
        })
    }
}

impl<'a> Ask<'a> {
    fn parse(request: &'a Value) -> Result<Self, ServiceError> {
        let most = number(request, "MaxNumberOfMessages", 1..=10)?.unwrap_or(1);
        let mut system_attributes = BTreeSet::new();
        for parameter in ["AttributeNames", "MessageSystemAttributeNames"] {
            system_attributes.extend(texts(request, parameter)?);
        }
        let unknown = system_attributes
            .iter()
            .find(|name| !SYSTEM_ATTRIBUTES.contains(name));
        if let Some(unknown) = unknown {
            return Err(error(
                "InvalidAttributeName",
                format!("Unknown Attribute {unknown}."),
            ));
        }
        Ok(Self {
            queue: queue_name(request)?,
            most: usize::try_from(most).unwrap_or(1),
            wait_seconds: number(request, "WaitTimeSeconds", 0..=20)?,
            visibility_seconds: number(request, "VisibilityTimeout", 0..=43_200)?,
            system_attributes,
            message_attributes: texts(request, "MessageAttributeNames")?,
        })
    }

    fn answer(&self, messages: &[(Message, String)]) -> Result<Vec<u8>, ServiceError> {
        let all = self.system_attributes.contains("All");
        received::answer(
            messages,
            |name| all || self.system_attributes.contains(name),
            |name| self.wants(name),
        )
    }

    fn wants(&self, name: &str) -> bool {
        self.message_attributes
            .iter()
            .any(|wanted| match wanted.strip_suffix(".*") {
                Some(prefix) => name.starts_with(prefix),
                None => *wanted == "All" || *wanted == name,
            })
    }
}
