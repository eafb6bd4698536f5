//! The queue: the local AWS's model, with faults on the way to it.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use organizer_notifier::ports::{
    EntryFailure, Queue, QueueFacts, QueueFailure, QueueFailureKind, ReceiptHandle, ReceiveRequest,
    ReceivedMessage, Redrive,
};
use sandbox::sqs::Sqs;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::{
    Standing,
    calls::{Call, Delivered, Operation, Reaction, entry_failure, failure, of_the_model},
    lock,
};

type React = Box<dyn FnMut(&Call) -> Reaction + Send>;

pub(crate) struct TestQueue {
    sqs: Arc<Sqs>,
    start: Instant,
    react: Mutex<React>,
    calls: Mutex<Vec<Call>>,
    deliveries: Mutex<Vec<Delivered>>,
    /// Which messages the handles are for, and each message's handles in order.
    names: Mutex<HashMap<String, String>>,
    handles: Mutex<HashMap<String, Vec<String>>>,
    bodies: Mutex<HashMap<String, String>>,
    ids: Mutex<HashMap<String, String>>,
    receives: Arc<()>,
    max_receive_count: AtomicU32,
    /// How many messages more than asked for a receive gives.
    surplus: AtomicUsize,
}

impl TestQueue {
    pub(super) fn new(sqs: Arc<Sqs>, start: Instant) -> Self {
        Self {
            sqs,
            start,
            react: Mutex::new(Box::new(|_| Reaction::Pass)),
            calls: Mutex::default(),
            deliveries: Mutex::default(),
            names: Mutex::default(),
            handles: Mutex::default(),
            bodies: Mutex::default(),
            ids: Mutex::default(),
            receives: Arc::default(),
            max_receive_count: AtomicU32::new(2),
            surplus: AtomicUsize::default(),
        }
    }

    /// From now on calls meet with this.
    pub(crate) fn react(&self, react: impl FnMut(&Call) -> Reaction + Send + 'static) {
        *lock(&self.react) = Box::new(react);
    }

    pub(crate) async fn create(&self, name: &str, attributes: Value) {
        let request = json!({ "QueueName": name, "Attributes": attributes });
        self.sqs.call("CreateQueue", request).await.unwrap();
    }

    /// Somebody sets the queue's `maxReceiveCount`.
    pub(crate) async fn set_max_receive_count(&self, receives: u32) {
        let policy = json!({
            "deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:dead",
            "maxReceiveCount": receives,
        });
        let attributes = json!({ "RedrivePolicy": policy.to_string() });
        let request = json!({ "QueueUrl": "q", "Attributes": attributes });
        self.sqs.call("SetQueueAttributes", request).await.unwrap();
        self.max_receive_count.store(receives, Ordering::Relaxed);
    }

    /// From now on a receive gives so many more messages than it was asked for, as SQS never does.
    pub(crate) fn give_more(&self, messages: usize) {
        self.surplus.store(messages, Ordering::Relaxed);
    }

    /// Sends a message that goes by this name in the test.
    pub(crate) async fn send(&self, name: &str, body: &str) {
        lock(&self.bodies).insert(body.to_owned(), name.to_owned());
        let request = json!({ "QueueUrl": "q", "MessageBody": body });
        self.sqs.call("SendMessage", request).await.unwrap();
    }

    /// Another copy of a message that is in the queue, under its own id or a new one.
    pub(crate) fn duplicate(&self, name: &str, after: Duration, new_id: bool) {
        let messages = self.sqs.snapshot("q");
        let message = messages
            .iter()
            .find(|message| self.name_of_body(&message.body) == name)
            .unwrap();
        assert!(self.sqs.redeliver("q", &message.message_id, after, new_id));
    }

    /// Makes a message visible that somebody holds, as a standard queue may.
    pub(crate) async fn make_visible(&self, name: &str) {
        let handle = lock(&self.handles)[name].last().cloned();
        self.show(handle).await;
    }

    /// The same of the delivery that came first, where there are copies.
    pub(crate) async fn make_first_visible(&self, name: &str) {
        let handle = lock(&self.handles)[name].first().cloned();
        self.show(handle).await;
    }

    async fn show(&self, handle: Option<String>) {
        let request = json!({ "QueueUrl": "q", "ReceiptHandle": handle, "VisibilityTimeout": 0 });
        self.sqs
            .call("ChangeMessageVisibility", request)
            .await
            .unwrap();
    }

    /// Somebody else receives everything visible and keeps it.
    pub(crate) async fn steal(&self) {
        let request =
            json!({ "QueueUrl": "q", "MaxNumberOfMessages": 10, "VisibilityTimeout": 43_200 });
        self.sqs.call("ReceiveMessage", request).await.unwrap();
    }

    /// How a message stands in the queue: its receive count and whether it can be seen.
    pub(crate) fn state(&self, name: &str) -> Option<(u32, Standing)> {
        self.sqs
            .snapshot("q")
            .into_iter()
            .find(|message| self.name_of_body(&message.body) == name)
            .map(|message| (message.receive_count, message.standing))
    }

    pub(crate) fn is_visible(&self, name: &str) -> bool {
        matches!(self.state(name), Some((_, Standing::Visible)))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.sqs.snapshot("q").is_empty()
    }

    /// The names of all messages in the queue.
    pub(crate) fn messages(&self) -> Vec<String> {
        self.names_in("q")
    }

    /// The names of all messages in the dead-letter queue.
    pub(crate) fn dead(&self) -> Vec<String> {
        self.names_in("dead")
    }

    /// The receive counts of all messages in the queue, by name.
    pub(crate) fn receive_counts(&self) -> BTreeMap<String, u32> {
        let messages = self.sqs.snapshot("q").into_iter();
        messages
            .map(|message| (self.name_of_body(&message.body), message.receive_count))
            .collect()
    }

    pub(crate) fn calls(&self, operation: Operation) -> Vec<Call> {
        let calls = lock(&self.calls);
        calls
            .iter()
            .filter(|call| call.operation == operation && call.names != ["?"])
            .cloned()
            .collect()
    }

    /// The calls that settle or renew this message.
    pub(crate) fn calls_for(&self, operation: Operation, name: &str) -> Vec<Call> {
        let mut calls = self.calls(operation);
        calls.retain(|call| call.names.iter().any(|named| named == name));
        calls
    }

    pub(crate) fn deliveries(&self) -> Vec<Delivered> {
        lock(&self.deliveries).clone()
    }

    pub(crate) fn deliveries_of(&self, name: &str) -> Vec<Delivered> {
        let mut deliveries = self.deliveries();
        deliveries.retain(|delivered| delivered.name == name);
        deliveries
    }

    /// The name of the message with this id in the queue.
    pub(crate) fn name_of(&self, id: &str) -> Option<String> {
        lock(&self.ids).get(id).cloned()
    }

    fn name_of_body(&self, body: &str) -> String {
        lock(&self.bodies).get(body).cloned().unwrap_or_default()
    }

    fn names_in(&self, queue: &str) -> Vec<String> {
        let messages = self.sqs.snapshot(queue);
        messages
            .iter()
            .map(|message| self.name_of_body(&message.body))
            .collect()
    }

    fn begin(
        &self,
        operation: Operation,
        receipts: &[&ReceiptHandle],
        request: Option<ReceiveRequest>,
    ) -> Call {
        let names = lock(&self.names);
        let name = |receipt: &&ReceiptHandle| names.get(&receipt.0).cloned();
        Call {
            at: self.start.elapsed(),
            operation,
            names: receipts
                .iter()
                .map(|receipt| name(receipt).unwrap_or_else(|| "?".to_owned()))
                .collect(),
            seconds: Vec::new(),
            asked: request.map_or(0, |request| request.max_messages),
            under_way: Arc::strong_count(&self.receives) - 1,
        }
    }

    /// What is in the way of a call, and then the call.
    async fn meet<T>(
        &self,
        call: Call,
        work: impl AsyncFnOnce(Reaction) -> Result<T, QueueFailure>,
    ) -> Result<T, QueueFailure> {
        lock(&self.calls).push(call.clone());
        let reaction = lock(&self.react)(&call);
        match reaction {
            Reaction::Fail(kind) => return Err(failure(kind)),
            Reaction::Bar(obstacle) => {
                let mut failure = failure(QueueFailureKind::Transient);
                failure.error.obstacle = Some(obstacle);
                return Err(failure);
            }
            Reaction::Hang => std::future::pending().await,
            Reaction::TimeOut(time) => {
                sleep(time).await;
                return Err(failure(QueueFailureKind::Transient));
            }
            Reaction::LateThere(time) => sleep(time).await,
            Reaction::Panic => panic!("the script says so"),
            _ => {}
        }
        let result = work(reaction.clone()).await;
        match reaction {
            Reaction::FailAfter(kind) => return Err(failure(kind)),
            Reaction::LateBack(time) => sleep(time).await,
            _ => {}
        }
        result
    }

    /// A batch call whose entries stand in the order of `names`.
    async fn batch(
        &self,
        operation: &str,
        names: &[String],
        reaction: &Reaction,
        entries: Vec<Value>,
    ) -> Vec<Result<(), EntryFailure>> {
        let spared = |position: usize| matches!(reaction, Reaction::Entry(name, _) if *name == names[position]);
        let let_through: Vec<_> = (0..entries.len())
            .filter(|position| !spared(*position))
            .map(|position| {
                let mut entry = entries[position].clone();
                entry["Id"] = json!(position.to_string());
                entry
            })
            .collect();
        let answer = if let_through.is_empty() {
            json!({})
        } else {
            let request = json!({ "QueueUrl": "q", "Entries": let_through });
            self.sqs.call(operation, request).await.unwrap()
        };
        let failed = answer["Failed"].as_array().cloned().unwrap_or_default();
        let result = |position: usize| {
            if let Reaction::Entry(_, kind) = reaction
                && spared(position)
            {
                return Err(entry_failure(*kind, "Scripted"));
            }
            let id = json!(position.to_string());
            match failed.iter().find(|entry| entry["Id"] == id) {
                Some(entry) => Err(of_the_model(entry)),
                None => Ok(()),
            }
        };
        (0..entries.len()).map(result).collect()
    }

    fn delivered(&self, message: &Value) -> ReceivedMessage {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let receipt = text(&message["ReceiptHandle"]);
        let receive_count = text(&message["Attributes"]["ApproximateReceiveCount"]);
        let received = ReceivedMessage {
            id: text(&message["MessageId"]),
            receipt: ReceiptHandle(receipt.clone()),
            body: text(&message["Body"]),
            receive_count: receive_count.parse().unwrap(),
            sent_at: None,
            trace_carriers: BTreeMap::new(),
        };
        let name = self.name_of_body(&received.body);
        lock(&self.names).insert(receipt.clone(), name.clone());
        lock(&self.handles)
            .entry(name.clone())
            .or_default()
            .push(receipt);
        lock(&self.ids).insert(received.id.clone(), name.clone());
        lock(&self.deliveries).push(Delivered {
            at: self.start.elapsed(),
            name,
        });
        received
    }
}

#[async_trait]
impl Queue for TestQueue {
    async fn describe(&self) -> Result<QueueFacts, QueueFailure> {
        let call = self.begin(Operation::Describe, &[], None);
        self.meet(call, async |_| {
            Ok(QueueFacts {
                redrive: Some(Redrive {
                    max_receive_count: self.max_receive_count.load(Ordering::Relaxed),
                    dead_letter_queue: "arn:aws:sqs:us-east-1:000000000000:dead".to_owned(),
                }),
                retention: Duration::from_hours(96),
                default_visibility: Duration::from_secs(30),
            })
        })
        .await
    }

    async fn may_receive(&self) -> Result<(), QueueFailure> {
        let call = self.begin(Operation::ProveReceive, &[], None);
        self.meet(call, async |_| Ok(())).await
    }

    async fn receive(&self, request: ReceiveRequest) -> Result<Vec<ReceivedMessage>, QueueFailure> {
        let _under_way = Arc::clone(&self.receives);
        let call = self.begin(Operation::Receive, &[], Some(request));
        self.meet(call, async |_| {
            let request = json!({
                "QueueUrl": "q",
                "MaxNumberOfMessages": request.max_messages + self.surplus.load(Ordering::Relaxed),
                "WaitTimeSeconds": request.wait.as_secs(),
                "VisibilityTimeout": request.visibility.as_secs(),
                "MessageSystemAttributeNames": ["All"],
            });
            let answer = self.sqs.call("ReceiveMessage", request).await;
            let messages = answer.unwrap()["Messages"].take();
            let messages = messages.as_array().cloned().unwrap_or_default();
            Ok(messages
                .iter()
                .map(|message| self.delivered(message))
                .collect())
        })
        .await
    }

    async fn delete(
        &self,
        receipts: &[ReceiptHandle],
    ) -> Result<Vec<Result<(), EntryFailure>>, QueueFailure> {
        let call = self.begin(
            Operation::Delete,
            &receipts.iter().collect::<Vec<_>>(),
            None,
        );
        let names = call.names.clone();
        self.meet(call, async |reaction| {
            let entries = receipts
                .iter()
                .map(|receipt| json!({ "ReceiptHandle": receipt.0 }));
            Ok(self
                .batch("DeleteMessageBatch", &names, &reaction, entries.collect())
                .await)
        })
        .await
    }

    async fn change_visibility(
        &self,
        changes: &[(ReceiptHandle, Duration)],
    ) -> Result<Vec<Result<(), EntryFailure>>, QueueFailure> {
        let receipts: Vec<_> = changes.iter().map(|(receipt, _)| receipt).collect();
        let mut call = self.begin(Operation::Change, &receipts, None);
        call.seconds = changes.iter().map(|(_, time)| time.as_secs()).collect();
        let names = call.names.clone();
        self.meet(call, async |reaction| {
            let entries = changes.iter().map(|(receipt, time)| {
                json!({ "ReceiptHandle": receipt.0, "VisibilityTimeout": time.as_secs() })
            });
            let operation = "ChangeMessageVisibilityBatch";
            Ok(self
                .batch(operation, &names, &reaction, entries.collect())
                .await)
        })
        .await
    }
}
