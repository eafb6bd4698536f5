//! The queue as one daemon sees it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use organizer_notifier::ports::{
    EntryFailure, EntryFailureKind, Queue, QueueFacts, QueueFailure, QueueFailureKind,
    ReceiptHandle, ReceiveRequest, ReceivedMessage, Redrive,
};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::{
    history::{Answer, Receive, Settle},
    plan::Trouble,
    ports::Ports,
    stage::{Class, Stage},
};
use crate::rig::calls::{entry_failure, failure, of_the_model};

/// So much longer than its wait a receive may take.
const RECEIVE_GIVEN_UP_AFTER: Duration = Duration::from_secs(10);

type Answers = Vec<Result<(), EntryFailure>>;

/// A call under way. Its caller has no answer of it before it is told, and gives up where it is
/// dropped before.
struct Asked<'a> {
    stage: &'a Stage,
    /// Where its entries stand among all settles.
    entries: Vec<Option<usize>>,
    is_told: bool,
}

impl Asked<'_> {
    fn tell(mut self, answers: &Result<Answers, QueueFailure>) {
        let now = self.stage.now();
        let mut history = self.stage.history();
        for (position, settle) in self.entries.iter().enumerate() {
            let answer = match answers {
                Err(_) => Answer::Failed,
                Ok(answers) => match &answers[position] {
                    Ok(()) => Answer::Done,
                    Err(failed) if failed.kind == EntryFailureKind::LeaseLost => Answer::Stale,
                    Err(_) => Answer::Failed,
                },
            };
            if let Some(settle) = *settle {
                history.settles[settle].ended = Some(now);
                history.settles[settle].answer = Some(answer);
            }
        }
        drop(history);
        self.is_told = true;
    }
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        if !self.is_told {
            let now = self.stage.now();
            let mut history = self.stage.history();
            for settle in self.entries.iter().flatten() {
                history.settles[*settle].ended = Some(now);
            }
        }
    }
}

impl Ports {
    fn ask(&self, entries: &[(ReceiptHandle, Option<Duration>)]) -> Asked<'_> {
        let now = self.stage.now();
        let mut history = self.stage.history();
        let places = entries.iter().map(|(receipt, after)| {
            let receive = history.handles.get(&receipt.0).copied()?;
            history.settles.push(Settle {
                daemon: self.daemon,
                receive,
                seconds: after.map(|after| after.as_secs()),
                asked: now,
                effect: None,
                ended: None,
                answer: None,
            });
            Some(history.settles.len() - 1)
        });
        Asked {
            entries: places.collect(),
            stage: &self.stage,
            is_told: false,
        }
    }

    /// A batch that deletes, or changes the visibility.
    async fn settle(
        &self,
        class: Class,
        entries: Vec<(ReceiptHandle, Option<Duration>)>,
    ) -> Result<Answers, QueueFailure> {
        self.alive("settle").await;
        let asked = self.ask(&entries);
        // The client of the queue gives up by itself.
        let there = self.settle_there(class, entries, &asked.entries);
        let answers = timeout(self.stage.longest_settle, there)
            .await
            .unwrap_or_else(|_elapsed| Err(failure(QueueFailureKind::Transient)));
        asked.tell(&answers);
        answers
    }

    async fn settle_there(
        &self,
        class: Class,
        entries: Vec<(ReceiptHandle, Option<Duration>)>,
        places: &[Option<usize>],
    ) -> Result<Answers, QueueFailure> {
        let failed = || Err(failure(QueueFailureKind::Transient));
        let (stage, places) = (Arc::clone(&self.stage), places.to_vec());
        match stage.trouble(class) {
            None => Ok(effect(&stage, entries, places).await),
            Some(Trouble::DeleteFails | Trouble::ChangeFails) => failed(),
            Some(Trouble::DeleteUnheard | Trouble::ChangeUnheard) => {
                effect(&stage, entries, places).await;
                failed()
            }
            Some(Trouble::DeleteHangs | Trouble::ChangeHangs) => std::future::pending().await,
            Some(Trouble::DeleteLate(seconds) | Trouble::ChangeLate(seconds)) => {
                // It is on its way, whether somebody waits for its answer or not.
                let late = tokio::spawn(async move {
                    sleep(Duration::from_secs(seconds)).await;
                    effect(&stage, entries, places).await
                });
                Ok(late.await.unwrap())
            }
            Some(_) => Ok(self.some_fail(entries, places).await),
        }
    }

    /// Half of the entries fail, and the others have their effect.
    async fn some_fail(
        &self,
        entries: Vec<(ReceiptHandle, Option<Duration>)>,
        places: Vec<Option<usize>>,
    ) -> Answers {
        let mut answers = Vec::new();
        for (position, entry) in entries.into_iter().enumerate() {
            let rolled = places[position].unwrap_or_default() as u64;
            if self.stage.roll(rolled, 1) < 50 {
                answers.push(Err(entry_failure(EntryFailureKind::Transient, "Scripted")));
            } else {
                answers.extend(effect(&self.stage, vec![entry], vec![places[position]]).await);
            }
        }
        answers
    }

    /// What the queue hands out, written down.
    fn handed_out(&self, message: &Value, visibility: Duration) -> (usize, ReceivedMessage) {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let receipt = text(&message["ReceiptHandle"]);
        let count = text(&message["Attributes"]["ApproximateReceiveCount"]);
        let received = ReceivedMessage {
            id: text(&message["MessageId"]),
            receipt: ReceiptHandle(receipt.clone()),
            body: text(&message["Body"]),
            receive_count: count.parse().unwrap(),
            sent_at: None,
            trace_carriers: BTreeMap::new(),
        };
        let key = self.stage.sqs.key_of("q", &receipt);
        let now = self.stage.now();
        let mut history = self.stage.history();
        let place = history.receives.len();
        history.handles.insert(receipt, place);
        history.receives.push(Receive {
            daemon: self.daemon,
            at: now,
            message: self.stage.message_of(&received.body),
            id: received.id.clone(),
            key,
            count: received.receive_count,
            hidden: vec![(now, now + visibility)],
            deleted: None,
            heard: None,
        });
        (place, received)
    }
}

/// What the queue makes of a batch, now.
async fn effect(
    stage: &Stage,
    entries: Vec<(ReceiptHandle, Option<Duration>)>,
    places: Vec<Option<usize>>,
) -> Answers {
    let is_change = entries.iter().any(|(_, after)| after.is_some());
    let operation = if is_change {
        "ChangeMessageVisibilityBatch"
    } else {
        "DeleteMessageBatch"
    };
    let asked = entries
        .iter()
        .enumerate()
        .map(|(position, (receipt, after))| {
            let mut entry = json!({ "Id": position.to_string(), "ReceiptHandle": receipt.0 });
            if let Some(after) = after {
                entry["VisibilityTimeout"] = json!(after.as_secs());
            }
            entry
        });
    let request = json!({ "QueueUrl": "q", "Entries": asked.collect::<Vec<_>>() });
    let answer = stage.sqs.call(operation, request).await.unwrap();
    let failed = answer["Failed"].as_array().cloned().unwrap_or_default();
    let now = stage.now();
    let mut history = stage.history();
    let result = |(position, (_, after)): (usize, &(ReceiptHandle, Option<Duration>))| {
        let id = json!(position.to_string());
        if let Some(entry) = failed.iter().find(|entry| entry["Id"] == id) {
            return Err(of_the_model(entry));
        }
        if let Some(settle) = places[position] {
            history.settles[settle].effect = Some(now);
            let receive = history.settles[settle].receive;
            let receive = &mut history.receives[receive];
            match after {
                None => receive.deleted = receive.deleted.or(Some(now)),
                Some(after) => receive.hidden.push((now, now + *after)),
            }
        }
        Ok(())
    };
    entries.iter().enumerate().map(result).collect()
}

#[async_trait]
impl Queue for Ports {
    async fn describe(&self) -> Result<QueueFacts, QueueFailure> {
        self.alive("describe").await;
        Ok(QueueFacts {
            redrive: Some(Redrive {
                max_receive_count: self.stage.schedule.receives,
                dead_letter_queue: "arn:aws:sqs:us-east-1:000000000000:dead".to_owned(),
            }),
            retention: Duration::from_hours(96),
            default_visibility: Duration::from_secs(30),
        })
    }

    async fn may_receive(&self) -> Result<(), QueueFailure> {
        self.alive("may_receive").await;
        Ok(())
    }

    async fn receive(&self, request: ReceiveRequest) -> Result<Vec<ReceivedMessage>, QueueFailure> {
        self.alive("receive").await;
        let trouble = self.stage.trouble(Class::Receive);
        match trouble {
            Some(Trouble::ReceiveFails) => return Err(failure(QueueFailureKind::Transient)),
            Some(Trouble::ReceiveThrottled) => return Err(failure(QueueFailureKind::Throttled)),
            Some(Trouble::ReceiveHangs) => {
                // The client of the queue gives up by itself.
                sleep(request.wait + RECEIVE_GIVEN_UP_AFTER).await;
                return Err(failure(QueueFailureKind::Transient));
            }
            _ => {}
        }
        let asked = json!({
            "QueueUrl": "q",
            "MaxNumberOfMessages": request.max_messages,
            "WaitTimeSeconds": request.wait.as_secs(),
            "VisibilityTimeout": request.visibility.as_secs(),
            "MessageSystemAttributeNames": ["All"],
        });
        let answer = self.stage.sqs.call("ReceiveMessage", asked).await.unwrap();
        let messages = answer["Messages"].as_array().cloned().unwrap_or_default();
        let (places, messages): (Vec<_>, Vec<_>) = messages
            .iter()
            .map(|message| self.handed_out(message, request.visibility))
            .unzip();
        match trouble {
            Some(Trouble::ReceiveUnheard) => return Err(failure(QueueFailureKind::Transient)),
            Some(Trouble::ReceiveSlow(seconds)) => sleep(Duration::from_secs(seconds)).await,
            _ => {}
        }
        let now = self.stage.now();
        let mut history = self.stage.history();
        for place in places {
            history.receives[place].heard = Some(now);
        }
        Ok(messages)
    }

    async fn delete(&self, receipts: &[ReceiptHandle]) -> Result<Answers, QueueFailure> {
        let entries = receipts.iter().map(|receipt| (receipt.clone(), None));
        self.settle(Class::Delete, entries.collect()).await
    }

    async fn change_visibility(
        &self,
        changes: &[(ReceiptHandle, Duration)],
    ) -> Result<Answers, QueueFailure> {
        let entries = changes
            .iter()
            .map(|(receipt, after)| (receipt.clone(), Some(*after)));
        self.settle(Class::Change, entries.collect()).await
    }
}
