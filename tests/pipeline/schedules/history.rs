//! What the services saw, as far as a rule needs it. Times are those since the begin.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use organizer_notifier::pipeline::outcome::Tally;
use tokio::time::Instant;

use crate::rig::lock;

/// What happens within this time happens at once: moments differ by a nanosecond at least.
pub(super) const AT_ONCE: Duration = Duration::from_millis(1);

/// Tells moments, no two of which are the same, so that they have an order.
#[derive(Clone, Debug)]
pub(super) struct Moments {
    start: Instant,
    last: Arc<Mutex<Duration>>,
}

impl Moments {
    pub(super) fn begin() -> Self {
        Self {
            start: Instant::now(),
            last: Arc::default(),
        }
    }

    pub(super) fn now(&self) -> Duration {
        let mut last = lock(&self.last);
        *last = self.start.elapsed().max(*last + Duration::from_nanos(1));
        *last
    }
}

/// Everything that was seen, in the order of its begin.
#[derive(Debug, Default)]
pub(super) struct History {
    pub(super) daemons: Vec<Run>,
    pub(super) receives: Vec<Receive>,
    pub(super) settles: Vec<Settle>,
    pub(super) sends: Vec<Send>,
    pub(super) heard: Vec<Heard>,
    pub(super) claims: Vec<Claim>,
    /// When the table had taken in which message's mail as sent.
    pub(super) records: Vec<(Duration, usize)>,
    /// When a call of a daemon on the table failed, or its answer came too late.
    pub(super) table_troubles: Vec<(Duration, usize)>,
    /// When one took its time and was answered.
    pub(super) table_slow: Vec<(Duration, usize)>,
    /// What each message ended with, at last.
    pub(super) dead: Vec<(String, usize)>,
    pub(super) left: Vec<usize>,
    /// When the processes stood still, and how long.
    pub(super) freezes: Vec<(Duration, Duration)>,
    /// Which receive each handle is from.
    pub(super) handles: HashMap<String, usize>,
}

/// One daemon.
#[derive(Debug, Default)]
pub(super) struct Run {
    pub(super) started: Duration,
    /// The first signal that stops it.
    pub(super) asked: Option<Duration>,
    pub(super) killed: Option<Duration>,
    pub(super) ended: Option<Duration>,
    pub(super) tally: Option<Tally>,
    pub(super) panicked: bool,
    /// The first call after its end.
    pub(super) called_after: Option<(Duration, &'static str)>,
}

/// A message that the queue handed out.
#[derive(Clone, Debug)]
pub(super) struct Receive {
    pub(super) daemon: usize,
    pub(super) at: Duration,
    /// Which message of the schedule it is, and its id in the queue.
    pub(super) message: usize,
    pub(super) id: String,
    /// Which copy it is of those under this id.
    pub(super) key: Option<u64>,
    pub(super) count: u32,
    /// Until when it is hidden, by when that was set.
    pub(super) hidden: Vec<(Duration, Duration)>,
    pub(super) deleted: Option<Duration>,
    /// When the answer reached the daemon.
    pub(super) heard: Option<Duration>,
}

/// What the caller was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Done,
    /// The handle is of no use any more.
    Stale,
    Failed,
}

/// One entry of a call that deletes or changes the visibility.
#[derive(Clone, Debug)]
pub(super) struct Settle {
    pub(super) daemon: usize,
    pub(super) receive: usize,
    /// The visibility asked for; nothing for a delete.
    pub(super) seconds: Option<u64>,
    pub(super) asked: Duration,
    pub(super) effect: Option<Duration>,
    /// When the caller had its answer or gave up.
    pub(super) ended: Option<Duration>,
    pub(super) answer: Option<Answer>,
}

/// What the sender was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    Accepted,
    /// It may have been mailed.
    Unknown,
    /// It was not mailed.
    Not,
    /// Not mailed, and refused by a code that says nothing of whose fault it is.
    Refused,
}

/// One attempt to send.
#[derive(Clone, Debug)]
pub(super) struct Send {
    pub(super) daemon: usize,
    /// Nothing for a witness; a number that no message has for a mail of no message.
    pub(super) message: Option<usize>,
    pub(super) began: Duration,
    pub(super) recipients: usize,
    pub(super) mailed: Option<Duration>,
    pub(super) told: Option<(Duration, Told)>,
    /// When its sender had an answer or waited no longer.
    pub(super) ended: Option<Duration>,
}

/// A daemon received an event of this send.
#[derive(Clone, Debug)]
pub(super) struct Heard {
    pub(super) at: Duration,
    pub(super) daemon: usize,
    pub(super) send: usize,
}

/// A claim that stood.
#[derive(Clone, Debug)]
pub(super) struct Claim {
    pub(super) at: Duration,
    pub(super) daemon: usize,
    pub(super) message: usize,
    pub(super) until: Duration,
    pub(super) dropped: Option<Duration>,
}

/// A line that tells an outcome.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) at: Duration,
    pub(super) outcome: String,
    pub(super) id: String,
    /// How often it was received, of how many times.
    pub(super) receive: String,
    pub(super) email_id: Option<String>,
    pub(super) text: String,
}

impl History {
    /// The sends of a message, witnesses left out.
    pub(super) fn sends_of(&self, message: usize) -> impl Iterator<Item = &Send> {
        let mut of = self
            .sends
            .iter()
            .filter(move |send| send.message == Some(message));
        std::iter::from_fn(move || of.next())
    }

    pub(super) fn receives_of(&self, message: usize) -> impl Iterator<Item = (usize, &Receive)> {
        let all = self.receives.iter().enumerate();
        all.filter(move |(_, receive)| receive.message == message)
    }

    /// The calls about one receive.
    pub(super) fn settles_of(&self, receive: usize) -> impl Iterator<Item = &Settle> {
        self.settles
            .iter()
            .filter(move |settle| settle.receive == receive)
    }

    /// How long the processes stood still between these moments.
    pub(super) fn frozen(&self, from: Duration, to: Duration) -> Duration {
        let freezes = self.freezes.iter();
        let within =
            freezes.map(|(at, lasts)| (*at + *lasts).min(to).saturating_sub((*at).max(from)));
        within.sum()
    }
}

impl Run {
    /// When it was told to end or ended.
    pub(super) fn stopping(&self) -> Option<Duration> {
        [self.asked, self.killed, self.ended]
            .into_iter()
            .flatten()
            .min()
    }

    pub(super) fn is_stopping(&self, by: Duration) -> bool {
        self.stopping().is_some_and(|at| at <= by)
    }
}

impl Receive {
    /// Until when the message is hidden, as the queue has it at this moment.
    pub(super) fn hidden_until(&self, at: Duration) -> Duration {
        let set = self.hidden.iter().filter(|(since, _)| *since <= at);
        set.map(|(_, until)| *until).next_back().unwrap_or_default()
    }

    /// Whether its receiver holds the message at this moment.
    pub(super) fn holds(&self, at: Duration) -> bool {
        self.at <= at
            && self.deleted.is_none_or(|deleted| deleted > at)
            && self.hidden_until(at) > at
    }
}
