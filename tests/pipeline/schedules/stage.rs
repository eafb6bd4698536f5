//! The world that the daemons of a schedule share: the services, what is wrong with them at the
//! moment, and what they saw.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use organizer_notifier::{
    config::Settings,
    timing::{lease_call_timeout, longest_send},
};
use sandbox::{clock::Clock, sqs::Sqs};
use serde_json::json;
use tokio::time::Instant;

use super::{
    history::{History, Moments},
    plan::{Body, Schedule, Trouble},
};
use crate::rig::{FeedbackQueue, TableInMemory, lock};

/// The number of a mail's message where there is no such message.
pub(super) const NO_MESSAGE: usize = usize::MAX;

pub(super) struct Stage {
    pub(super) schedule: Schedule,
    pub(super) start: Instant,
    pub(super) moments: Moments,
    pub(super) sqs: Arc<Sqs>,
    pub(super) feedback: Arc<FeedbackQueue>,
    pub(super) table: TableInMemory,
    /// The longest that a mailer waits for an answer.
    pub(super) longest_send: Duration,
    /// The same of the queue's client, for a delete or a change.
    pub(super) longest_settle: Duration,
    history: Mutex<History>,
    bodies: Mutex<HashMap<String, usize>>,
    calls: Mutex<HashMap<Class, u64>>,
    healed: AtomicBool,
}

/// The calls that one fault can hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Class {
    Receive,
    Delete,
    Change,
    Send,
    Fetch,
    Account,
    Event,
    Feedback,
    Table,
}

impl Trouble {
    pub(super) fn class(self) -> Class {
        match self {
            Self::ReceiveFails
            | Self::ReceiveThrottled
            | Self::ReceiveSlow(_)
            | Self::ReceiveHangs
            | Self::ReceiveUnheard => Class::Receive,
            Self::DeleteFails
            | Self::DeletePartial
            | Self::DeleteHangs
            | Self::DeleteLate(_)
            | Self::DeleteUnheard => Class::Delete,
            Self::ChangeFails
            | Self::ChangePartial
            | Self::ChangeHangs
            | Self::ChangeLate(_)
            | Self::ChangeUnheard => Class::Change,
            Self::SendSlow(_)
            | Self::SendLate(_)
            | Self::SendTransient
            | Self::SendThrottled
            | Self::SendRefused
            | Self::SendUnverified
            | Self::SendPaused
            | Self::SendQuota
            | Self::SendHangs
            | Self::SendHangsMailed
            | Self::SendUnheard
            | Self::SendPanics => Class::Send,
            Self::FetchFails
            | Self::FetchDenied
            | Self::FetchSlow(_)
            | Self::FetchGarbage
            | Self::FetchNeedsUid => Class::Fetch,
            Self::AccountDenied | Self::AccountFails | Self::AccountSandbox => Class::Account,
            Self::EventLate(_) | Self::EventDoubled | Self::EventLost | Self::EventOther => {
                Class::Event
            }
            Self::FeedbackDown => Class::Feedback,
            Self::TableThrottled
            | Self::TableFails
            | Self::TableSlow(_)
            | Self::TableDenied
            | Self::TableUnheard => Class::Table,
        }
    }
}

impl Stage {
    pub(super) async fn build(schedule: Schedule, settings: &Settings) -> Arc<Self> {
        let sqs = Arc::new(Sqs::new(Arc::new(Clock::new())));
        let feedback = FeedbackQueue::new(Arc::clone(&sqs)).await;
        let policy = json!({
            "deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:dead",
            "maxReceiveCount": schedule.receives,
        });
        for (name, attributes) in [
            ("dead", json!({})),
            ("q", json!({ "RedrivePolicy": policy.to_string() })),
        ] {
            let request = json!({ "QueueName": name, "Attributes": attributes });
            sqs.call("CreateQueue", request).await.unwrap();
        }
        Arc::new(Self {
            schedule,
            start: Instant::now(),
            moments: Moments::begin(),
            sqs,
            feedback,
            table: TableInMemory::default(),
            longest_send: longest_send(settings.email.timeout),
            longest_settle: lease_call_timeout(settings.queue.visibility_timeout),
            history: Mutex::default(),
            bodies: Mutex::default(),
            calls: Mutex::default(),
            healed: AtomicBool::new(false),
        })
    }

    pub(super) fn now(&self) -> Duration {
        self.moments.now()
    }

    pub(super) fn history(&self) -> MutexGuard<'_, History> {
        lock(&self.history)
    }

    /// Publishes a message of the schedule, and returns its id in the queue.
    pub(super) async fn publish(&self, message: usize) -> String {
        let body = body(message, self.schedule.messages[message].body);
        lock(&self.bodies).insert(body.clone(), message);
        let request = json!({ "QueueUrl": "q", "MessageBody": body });
        let answer = self.sqs.call("SendMessage", request).await.unwrap();
        answer["MessageId"].as_str().unwrap_or_default().to_owned()
    }

    /// Which message of the schedule has this body.
    pub(super) fn message_of(&self, body: &str) -> usize {
        lock(&self.bodies)[body]
    }

    /// The messages in a queue, by their ids there.
    pub(super) fn messages_in(&self, queue: &str) -> Vec<(String, usize)> {
        let messages = self.sqs.snapshot(queue).into_iter();
        messages
            .map(|message| (message.message_id, self.message_of(&message.body)))
            .collect()
    }

    /// What is wrong with this call. The same calls in the same order meet the same faults.
    pub(super) fn trouble(&self, class: Class) -> Option<Trouble> {
        let number = {
            let mut calls = lock(&self.calls);
            let number = calls.entry(class).or_default();
            *number += 1;
            *number
        };
        if self.healed.load(Ordering::Relaxed) {
            return None;
        }
        let now = self.now();
        let mut faults = self.schedule.faults.iter();
        let hit = faults.find(|fault| {
            let from = Duration::from_secs(fault.from);
            let within = from <= now && now < from + Duration::from_secs(fault.lasts);
            within && fault.what.class() == class && self.roll(number, fault.from) < fault.percent
        });
        hit.map(|fault| fault.what)
    }

    /// All faults end.
    pub(super) fn heal(&self) {
        self.healed.store(true, Ordering::Relaxed);
    }

    /// A number under 100 for each call and fault: `SplitMix64`.
    pub(super) fn roll(&self, number: u64, fault: u64) -> u64 {
        let seed = self.schedule.dice ^ fault.wrapping_mul(0x9e37_79b9);
        let mut mixed = seed.wrapping_add(number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % 100
    }
}

/// The id of a message's notification.
pub(super) fn notification(message: usize) -> String {
    format!("n{message}")
}

/// Which message a notification's id is of.
pub(super) fn message_of_notification(id: &str, messages: usize) -> usize {
    let number = id.strip_prefix('n').and_then(|number| number.parse().ok());
    number
        .filter(|number| *number < messages)
        .unwrap_or(NO_MESSAGE)
}

/// What the message's body is in the queue.
fn body(message: usize, body: Body) -> String {
    let id = notification(message);
    let mut event = json!({ "mailto": format!("{id}@example.com"), "uid": id, "summary": id });
    let mut kind = "Notification";
    match body {
        Body::Plain | Body::Unwanted => {}
        Body::Many(recipients) => {
            let to: Vec<_> = (0..recipients)
                .map(|number| format!("{id}-{number}@example.com"))
                .collect();
            event["mailto"] = json!(to.join(","));
        }
        Body::NoUid => event["uid"] = json!(null),
        Body::NoRecipient => event["mailto"] = json!(null),
        Body::Malformed => return format!("no JSON {message}"),
        Body::Control => kind = "SubscriptionConfirmation",
    }
    json!({
        "Type": kind,
        "MessageId": id,
        "TopicArn": "arn:aws:sns:us-east-1:000000000000:created",
        "Message": event.to_string(),
    })
    .to_string()
}
