//! SQS: standard queues with the service's semantics on tokio's time.

mod attributes;
mod batch;
mod errors;
mod handle;
mod md5;
mod message;
mod operations;
mod params;
mod queue;
mod received;
mod receiving;
mod sending;
mod settling;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use serde_json::Value;
use uuid::Uuid;

use self::errors::{error, internal, no_such_queue};
use self::message::{Content, Message};
use self::operations::name_in;
use self::params::required_text;
use self::queue::{Queue, State};
use super::clock::Clock;
use super::faults::Faults;
use super::history::History;
use super::http::ServiceError;
use super::lock;

pub use self::errors::query_code;
pub use self::message::MessageAttribute;

/// The account that everything belongs to.
pub const ACCOUNT: &str = "000000000000";

/// All queues, told apart by name alone.
#[derive(Debug)]
pub struct Sqs {
    clock: Arc<Clock>,
    queues: Mutex<Queues>,
    faults: OnceLock<Arc<Faults>>,
    history: OnceLock<Arc<History>>,
}

type Queues = BTreeMap<String, Queue>;

/// Whom queue URLs and ARNs are made for.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Host and port as the caller addressed them.
    pub host: String,
    /// The region that the caller signed for.
    pub region: String,
}

impl Default for Caller {
    fn default() -> Self {
        Self {
            host: "127.0.0.1:4566".to_owned(),
            region: "us-east-1".to_owned(),
        }
    }
}

/// A message as a test sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageState {
    /// The id that sending gave it.
    pub message_id: String,
    /// The body as sent.
    pub body: String,
    /// How often it was received.
    pub receive_count: u32,
    /// Whether a receive could take it.
    pub standing: Standing,
}

/// Whether a receive could take a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The next receive may take it.
    Visible,
    /// Somebody received it and its visibility has not ended.
    InFlight,
    /// It was sent with a delay that has not passed.
    Delayed,
}

impl Sqs {
    /// No queues yet.
    pub fn new(clock: Arc<Clock>) -> Self {
        Self {
            clock,
            queues: Mutex::default(),
            faults: OnceLock::new(),
            history: OnceLock::new(),
        }
    }

    /// Writes down from now on what happens in queues that are made later.
    pub fn record(&self, history: Arc<History>) {
        self.history.get_or_init(|| history);
    }

    /// Lets duplicates be injected; without it every message arrives once.
    pub fn inject(&self, faults: Arc<Faults>) {
        self.faults.get_or_init(|| faults);
    }

    /// Answers an operation as for a caller who is nobody in particular.
    pub async fn call(&self, operation: &str, request: Value) -> Result<Value, ServiceError> {
        self.call_from(&Caller::default(), operation, request).await
    }

    /// Answers an operation; queue URLs are told in the terms of the caller.
    pub async fn call_from(
        &self,
        caller: &Caller,
        operation: &str,
        request: Value,
    ) -> Result<Value, ServiceError> {
        let answer = self.answer(caller, operation, &request).await?;
        serde_json::from_slice(&answer).map_err(|source| internal(&source))
    }

    /// Answers one operation with the JSON that goes out.
    pub async fn answer(
        &self,
        caller: &Caller,
        operation: &str,
        request: &Value,
    ) -> Result<Vec<u8>, ServiceError> {
        let answer = match operation {
            // The calls that come often write their own.
            "ChangeMessageVisibilityBatch" => return self.change_message_visibility_batch(request),
            "DeleteMessageBatch" => return self.delete_message_batch(request),
            "ReceiveMessage" => return self.receive_message(request).await,
            "SendMessageBatch" => return self.send_message_batch(request),
            "ChangeMessageVisibility" => self.change_message_visibility(request),
            "CreateQueue" => self.create_queue(caller, request),
            "DeleteMessage" => self.delete_message(request),
            "DeleteQueue" => self.delete_queue(request),
            "GetQueueAttributes" => self.get_queue_attributes(request),
            "GetQueueUrl" => self.get_queue_url(caller, request),
            "ListDeadLetterSourceQueues" => self.list_dead_letter_source_queues(caller, request),
            "ListQueueTags" => self.list_queue_tags(request),
            "ListQueues" => self.list_queues(caller, request),
            "PurgeQueue" => self.purge_queue(request),
            "SendMessage" => self.send_message(request),
            "SetQueueAttributes" => self.set_queue_attributes(request),
            "TagQueue" => self.tag_queue(request),
            "UntagQueue" => self.untag_queue(request),
            "AddPermission"
            | "CancelMessageMoveTask"
            | "ListMessageMoveTasks"
            | "RemovePermission"
            | "StartMessageMoveTask" => Err(error(
                "UnsupportedOperation",
                format!("The sandbox does not support {operation}."),
            )),
            _ => Err(error(
                "UnknownOperationException",
                format!("SQS has no operation {operation}."),
            )),
        }?;
        Ok(answer.to_string().into_bytes())
    }

    /// Puts a message into the queue as SNS does; `false` where there is no such queue.
    pub fn deliver(
        &self,
        queue_arn: &str,
        body: String,
        message_attributes: Vec<(String, MessageAttribute)>,
        trace_header: Option<String>,
    ) -> bool {
        let name = queue_arn.rsplit(':').next().unwrap_or_default();
        let now = self.clock.now_millis();
        let mut queues = lock(&self.queues);
        let Some(queue) = queues.get_mut(name) else {
            return false;
        };
        let content = Arc::new(Content::new(body, message_attributes, trace_header));
        let delay = queue.attributes.delay_millis();
        self.enqueue(queue, Message::new(content, now), delay, now);
        true
    }

    /// The policy of the queue with this ARN, where it has one.
    pub fn policy(&self, queue_arn: &str) -> Option<String> {
        let name = queue_arn.rsplit(':').next().unwrap_or_default();
        let queues = lock(&self.queues);
        let policy = queues.get(name)?.attributes.get("Policy")?;
        Some(policy.to_owned())
    }

    /// Which copy in a queue a handle is of, by the `key` of the history's records; nothing for what was not
    /// issued there.
    pub fn key_of(&self, queue_name: &str, handle: &str) -> Option<u64> {
        lock(&self.queues).get(queue_name)?.key_of(handle)
    }

    /// Every message of a queue in the order of arrival; nothing where there is no such queue.
    pub fn snapshot(&self, queue_name: &str) -> Vec<MessageState> {
        let now = self.clock.now_millis();
        let mut queues = lock(&self.queues);
        let Some(queue) = queues.get_mut(queue_name) else {
            return Vec::new();
        };
        queue.advance(now);
        queue
            .messages()
            .map(|(message, state)| MessageState {
                message_id: message.id.to_string(),
                body: message.content.body.clone(),
                receive_count: message.receive_count,
                standing: match state {
                    State::Visible { .. } => Standing::Visible,
                    State::InFlight { .. } => Standing::InFlight,
                    State::Delayed { .. } => Standing::Delayed,
                },
            })
            .collect()
    }

    /// The queues that others dead-letter to, with the messages in each.
    pub fn dead_letters(&self) -> BTreeMap<String, usize> {
        let now = self.clock.now_millis();
        let mut queues = lock(&self.queues);
        let redrives = queues
            .values()
            .filter_map(|queue| queue.attributes.redrive());
        let targets: BTreeSet<_> = redrives
            .map(|redrive| name_in(&redrive.target_arn).to_owned())
            .collect();
        let counted = targets.into_iter().filter_map(|name| {
            let queue = queues.get_mut(&name)?;
            queue.advance(now);
            Some((name, queue.messages().count()))
        });
        counted.collect()
    }

    /// How many messages the queue has handed out, each as often as it was received.
    pub fn handed_out(&self, queue_name: &str) -> u64 {
        lock(&self.queues)
            .get(queue_name)
            .map_or(0, Queue::handed_out)
    }

    /// Has a queue hand out its messages in random order from now on, as SQS may; `false` where there is
    /// no such queue.
    pub fn shuffle(&self, queue_name: &str, seed: u64) -> bool {
        let mut queues = lock(&self.queues);
        let queue = queues.get_mut(queue_name);
        queue.map(|queue| queue.shuffle(seed)).is_some()
    }

    /// Delivers another copy of a message that is in the queue, `after` this long, under its own
    /// or a new SQS message id; `false` where it is not there.
    pub fn redeliver(
        &self,
        queue_name: &str,
        message_id: &str,
        after: Duration,
        new_id: bool,
    ) -> bool {
        let now = self.clock.now_millis();
        let mut queues = lock(&self.queues);
        let Some(queue) = queues.get_mut(queue_name) else {
            return false;
        };
        queue.advance(now);
        let Some(message) = queue
            .messages()
            .map(|(message, _)| message)
            .find(|message| message.id.to_string() == message_id)
        else {
            return false;
        };
        let copy = copy_of(message, new_id);
        queue.add(copy, "copy", millis(after), now);
        true
    }

    /// Deletes every queue.
    pub fn reset(&self) {
        for queue in std::mem::take(&mut *lock(&self.queues)).into_values() {
            queue.changed.notify_waiters();
        }
    }

    fn enqueue(&self, queue: &mut Queue, message: Message, delay_millis: u64, now: u64) {
        let duplicate = self
            .faults
            .get()
            .and_then(|faults| faults.duplicate(&message.content.body));
        if let Some(duplicate) = duplicate {
            let copy = copy_of(&message, duplicate.new_id);
            queue.add(message, "sent", delay_millis, now);
            queue.add(copy, "copy", delay_millis + duplicate.after_ms, now);
        } else {
            queue.add(message, "sent", delay_millis, now);
        }
    }

    /// Runs `work` on the queue that the request addresses, brought up to now.
    fn with_queue<T>(
        &self,
        request: &Value,
        work: impl FnOnce(&mut Queue, u64) -> Result<T, ServiceError>,
    ) -> Result<T, ServiceError> {
        let name = queue_name(request)?;
        let now = self.clock.now_millis();
        let mut queues = lock(&self.queues);
        let queue = queues.get_mut(name).ok_or_else(no_such_queue)?;
        queue.advance(now);
        work(queue, now)
    }
}

/// The last part of the queue's URL: hosts and accounts do not tell queues apart here.
fn queue_name(request: &Value) -> Result<&str, ServiceError> {
    let url = required_text(request, "QueueUrl")?;
    match url.trim_end_matches('/').rsplit('/').next() {
        Some(name) if !name.is_empty() => Ok(name),
        _ => Err(error(
            "InvalidAddress",
            format!("The address {url} is not valid for this endpoint."),
        )),
    }
}

fn queue_url(caller: &Caller, name: &str) -> String {
    format!("http://{}/{ACCOUNT}/{name}", caller.host)
}

fn copy_of(message: &Message, new_id: bool) -> Message {
    Message {
        id: if new_id { Uuid::new_v4() } else { message.id },
        receive_count: 0,
        first_received_at: None,
        ..message.clone()
    }
}

fn fifo_refused() -> ServiceError {
    error(
        "UnsupportedOperation",
        "The sandbox has standard queues only, no FIFO queues.",
    )
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
