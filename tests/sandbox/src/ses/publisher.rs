//! Publishes events: late, lost, doubled or out of order where a rule says so.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, UNIX_EPOCH};

use futures_util::future::OptionFuture;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use super::super::clock::Clock;
use super::super::history::History;
use super::super::lock;
use super::super::sns::Sns;
use super::super::sqs::Sqs;
use super::destination::{EventDestination, EventType, GREETING, Target};
use super::fate::{Fate, FateRule, PERMANENT, SUPPRESSED, Sent};

const SUBJECT: &str = "Amazon SES Email Event Notification";

/// What goes wrong with events.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventRule {
    /// The types of event that it is about; empty means all.
    #[serde(default)]
    pub types: Vec<EventType>,
    /// What goes wrong.
    pub fault: EventFault,
    /// The share of events that it hits, 0 to 1.
    #[serde(default = "whole")]
    pub share: f64,
}

/// What goes wrong with an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum EventFault {
    /// It is published this much later, drawn evenly for each, so that one may overtake another.
    Delay {
        /// The least, in milliseconds.
        min_ms: u64,
        /// The most, in milliseconds.
        max_ms: u64,
    },
    /// It is not published.
    Loss,
    /// It is published twice.
    Double {
        /// Milliseconds between the two.
        after_ms: u64,
    },
}

/// What was done with the events of one mail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Told {
    /// What became of the mail.
    #[serde(skip)]
    pub fate: Option<Fate>,
    /// The events that were published or will be, doubled ones twice.
    pub published: Vec<EventType>,
    /// The events that a rule lost.
    pub lost: Vec<EventType>,
}

pub(super) struct Publisher {
    sns: Arc<Sns>,
    sqs: Arc<Sqs>,
    clock: Arc<Clock>,
    rules: Mutex<Rules>,
    told: Mutex<BTreeMap<String, Told>>,
    due: Mutex<Option<mpsc::UnboundedSender<Due>>>,
    published: AtomicU64,
    history: OnceLock<Arc<History>>,
}

struct Rules {
    events: Vec<EventRule>,
    fates: Vec<FateRule>,
    /// Queues' ARNs that a rule of the event bus sends SES's events to.
    bus: Vec<String>,
    random: StdRng,
}

/// Rules as they are set over HTTP.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
#[derive(Default)]
struct GivenRules {
    events: Vec<EventRule>,
    fates: Vec<FateRule>,
    bus: Vec<String>,
}

/// An event that is published at its time.
struct Due {
    at: Instant,
    number: u64,
    kind: EventType,
    event: Arc<(Sent, Fate)>,
    target: Target,
}

fn whole() -> f64 {
    1.0
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            events: Vec::new(),
            fates: Vec::new(),
            bus: Vec::new(),
            random: StdRng::seed_from_u64(7),
        }
    }
}

impl Told {
    /// Whether the recipient did not get the mail, or did not want it.
    pub fn is_bad(&self) -> bool {
        self.fate.as_ref().is_some_and(Fate::is_bad)
    }

    /// What became of the mail and what was told of it, in words.
    pub fn words(&self) -> String {
        let mut words = self.fate.as_ref().map(Fate::words).unwrap_or_default();
        if !self.lost.is_empty() {
            let lost: Vec<_> = self.lost.iter().map(|kind| kind.in_events().0).collect();
            words.push_str("; lost: ");
            words.push_str(&lost.join(", "));
        }
        words
    }
}

impl Publisher {
    pub(super) fn new(sns: Arc<Sns>, sqs: Arc<Sqs>, clock: Arc<Clock>) -> Arc<Self> {
        Arc::new(Self {
            sns,
            sqs,
            clock,
            rules: Mutex::default(),
            told: Mutex::default(),
            due: Mutex::default(),
            published: AtomicU64::new(0),
            history: OnceLock::new(),
        })
    }

    pub(super) fn record(&self, history: Arc<History>) {
        self.history.get_or_init(|| history);
    }

    fn tell(&self, kind: &str, fields: impl FnOnce() -> Value) {
        if let Some(history) = self.history.get() {
            history.note(kind, fields);
        }
    }

    pub(super) fn reset(&self) {
        *lock(&self.rules) = Rules::default();
        lock(&self.told).clear();
        // What is still to be published is forgotten with its publisher.
        *lock(&self.due) = None;
    }

    pub(super) fn set_events(&self, events: Vec<EventRule>) {
        lock(&self.rules).events = events;
    }

    pub(super) fn set_fates(&self, fates: Vec<FateRule>) {
        lock(&self.rules).fates = fates;
    }

    pub(super) fn connect_bus(&self, queue_arn: &str) {
        lock(&self.rules).bus.push(queue_arn.to_owned());
    }

    pub(super) fn set_rules_json(&self, body: &[u8]) -> Result<(), serde_json::Error> {
        let given: GivenRules = serde_json::from_slice(body)?;
        let mut rules = lock(&self.rules);
        rules.events = given.events;
        rules.fates = given.fates;
        rules.bus = given.bus;
        Ok(())
    }

    pub(super) fn rules_json(&self) -> Value {
        let rules = lock(&self.rules);
        json!({ "events": rules.events, "fates": rules.fates, "bus": rules.bus })
    }

    pub(super) fn told(&self) -> BTreeMap<String, Told> {
        lock(&self.told).clone()
    }

    pub(super) fn published(&self) -> u64 {
        self.published.load(Ordering::Relaxed)
    }

    pub(super) fn knows_topic(&self, arn: &str) -> bool {
        self.sns.has_topic(arn)
    }

    /// The first words to a topic that has become a destination.
    pub(super) fn greet(&self, topic: &str) {
        self.sns.publish_text(topic, SUBJECT, GREETING.to_owned());
    }

    /// What becomes of a mail to these recipients; `suppressed` ones bounce.
    pub(super) fn fate(&self, to: &[&str], suppressed: bool) -> Fate {
        if suppressed {
            return Fate::bounced(PERMANENT, SUPPRESSED);
        }
        let rules = lock(&self.rules);
        let wanted = |rule: &&FateRule| {
            to.iter()
                .any(|address| address.contains(&rule.recipient_contains))
        };
        if let Some(rule) = rules.fates.iter().find(wanted) {
            return rule.fate.clone();
        }
        let simulated = to.iter().find_map(|address| {
            super::super::outbox::is_simulated(address)
                .then(|| Fate::of_simulated(address))
                .flatten()
        });
        simulated.unwrap_or(Fate::Delivered)
    }

    /// Publishes the events of a mail to these destinations, each at its time.
    pub(super) fn publish(self: &Arc<Self>, sent: Sent, fate: Fate, to: &[EventDestination]) {
        let now = Instant::now();
        let id = sent.id.clone();
        let event = Arc::new((sent, fate));
        let mut told = Told {
            fate: Some(event.1.clone()),
            published: Vec::new(),
            lost: Vec::new(),
        };
        let mut due = Vec::new();
        {
            let mut rules = lock(&self.rules);
            for (number, kind) in event.1.events().iter().enumerate() {
                for destination in to.iter().filter(|one| one.types.contains(kind)) {
                    let Some(delays) = rules.delays(*kind) else {
                        told.lost.push(*kind);
                        continue;
                    };
                    for delay in delays {
                        told.published.push(*kind);
                        due.push(Due {
                            at: now + delay,
                            number: number as u64,
                            kind: *kind,
                            event: Arc::clone(&event),
                            target: destination.target.clone(),
                        });
                    }
                }
            }
        }
        self.tell(
            "events",
            || json!({ "mail": id, "published": told.published, "lost": told.lost }),
        );
        lock(&self.told).insert(id, told);
        let mut sender = lock(&self.due);
        let sender = sender.get_or_insert_with(|| {
            let (sender, arriving) = mpsc::unbounded_channel();
            let publisher = Arc::downgrade(self);
            tokio::spawn(async move {
                keep_publishing(arriving, move |due| {
                    if let Some(publisher) = publisher.upgrade() {
                        publisher.publish_now(&due);
                    }
                })
                .await;
            });
            sender
        });
        for due in due {
            // Without a receiver the runtime is ending.
            drop(sender.send(due));
        }
    }

    fn publish_now(&self, due: &Due) {
        self.published.fetch_add(1, Ordering::Relaxed);
        let now = UNIX_EPOCH + Duration::from_millis(self.clock.now_millis());
        let now = humantime::format_rfc3339_millis(now).to_string();
        let (sent, fate) = &*due.event;
        self.tell("event", || {
            let target = match &due.target {
                Target::Topic(arn) | Target::Bus(arn) => arn,
            };
            json!({ "mail": sent.id, "type": due.kind, "target": target })
        });
        let event = sent.event(due.kind, fate, &now);
        match &due.target {
            Target::Topic(arn) => self.sns.publish_text(arn, SUBJECT, event.to_string()),
            Target::Bus(_) => {
                let bridged = json!({
                    "version": "0",
                    "id": Uuid::new_v4().to_string(),
                    "detail-type": due.kind.on_the_bus(),
                    "source": "aws.ses",
                    "account": "000000000000",
                    "time": now,
                    "region": "us-east-1",
                    "resources": [format!(
                        "arn:aws:ses:us-east-1:000000000000:configuration-set/{}",
                        sent.set
                    )],
                    "detail": event,
                });
                let queues = lock(&self.rules).bus.clone();
                for queue in queues {
                    // A queue that is gone loses the event.
                    let _arrived = self
                        .sqs
                        .deliver(&queue, bridged.to_string(), Vec::new(), None);
                }
            }
        }
    }
}

impl Rules {
    /// When an event of this type is published, each time; `None` where it is lost.
    fn delays(&mut self, kind: EventType) -> Option<Vec<Duration>> {
        let mut delay = Duration::ZERO;
        let mut again = Vec::new();
        for rule in &self.events {
            let about = rule.types.is_empty() || rule.types.contains(&kind);
            if !about || !(rule.share >= 1.0 || self.random.random_bool(rule.share.max(0.0))) {
                continue;
            }
            match rule.fault {
                EventFault::Loss => return None,
                EventFault::Delay { min_ms, max_ms } => {
                    let drawn = self.random.random_range(min_ms..=max_ms.max(min_ms));
                    delay += Duration::from_millis(drawn);
                }
                EventFault::Double { after_ms } => again.push(Duration::from_millis(after_ms)),
            }
        }
        let first = [delay];
        let second = again.into_iter().map(|after| delay + after);
        Some(first.into_iter().chain(second).collect())
    }
}

/// Publishes what arrives, each event at its time and those of one moment in their order.
async fn keep_publishing(mut arriving: mpsc::UnboundedReceiver<Due>, publish: impl Fn(Due)) {
    let mut waiting = BinaryHeap::new();
    let mut order = 0_u64;
    loop {
        let next = waiting.peek().map(|Reverse(one): &Reverse<Waiting>| one.at);
        tokio::select! {
            due = arriving.recv() => match due {
                Some(due) => {
                    order += 1;
                    waiting.push(Reverse(Waiting { at: due.at, order: (due.number, order), due }));
                }
                None => return,
            },
            Some(()) = OptionFuture::from(next.map(sleep_until)) => {
                while waiting.peek().is_some_and(|Reverse(one)| one.at <= Instant::now()) {
                    if let Some(Reverse(one)) = waiting.pop() {
                        publish(one.due);
                    }
                }
            }
        }
    }
}

struct Waiting {
    at: Instant,
    order: (u64, u64),
    due: Due,
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.order) == (other.at, other.order)
    }
}

impl Eq for Waiting {}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}
