//! What is written to the table and read from it in batches, on nobody's way.

use std::{
    collections::{HashSet, VecDeque},
    sync::Arc,
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::{
    sync::{Notify, oneshot},
    time::{Duration, Instant, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::reach::Reach;
use crate::{
    backoff::{Backoff, Jitter},
    mutex::Mutex,
    ports::table::{Known, LOOKS_MAX, LedgerTable, RECORDS_MAX, SentMail},
    random::random_id,
    telemetry::throttle::Throttle,
};

/// At most so many calls at a time.
const CALLS_MAX: usize = 8;
/// So many sent mails are remembered while the table cannot be written to, about 16 MB of them.
const WAITING_MAX: usize = 100_000;
/// How often the line on a table that was put aside may be due.
const TELL_EVERY: Duration = Duration::from_secs(5);

/// Writes and reads in batches. Clones of one ledger share it.
pub(super) struct Writer {
    table: Arc<dyn LedgerTable>,
    reach: Arc<Reach>,
    queue: Mutex<Queue>,
    changed: Notify,
    dropped: Throttle,
}

#[derive(Default)]
struct Queue {
    records: VecDeque<Record>,
    drops: VecDeque<(String, Vec<String>)>,
    looks: VecDeque<Look>,
    /// No records are written before this: the last batch failed.
    rest_until: Option<Instant>,
    backoff: Option<Backoff>,
    probing: bool,
}

/// A mail that was sent and is to be recorded, and who waits for that.
struct Record {
    mail: SentMail,
    done: Option<oneshot::Sender<()>>,
}

/// A mail that is looked for.
struct Look {
    key: String,
    found: oneshot::Sender<Option<Known>>,
}

/// One call.
enum Work {
    Record(Vec<Record>),
    Drop(String, Vec<String>),
    Look(Vec<Look>),
    Probe,
}

impl Writer {
    pub(super) fn new(table: Arc<dyn LedgerTable>, reach: Arc<Reach>) -> Self {
        Self {
            table,
            reach,
            queue: Mutex::default(),
            changed: Notify::new(),
            dropped: Throttle::default(),
        }
    }

    /// Records a mail as sent, sooner or later. The other end learns when it stands.
    pub(super) fn record(&self, key: &str, email_id: &str) -> oneshot::Receiver<()> {
        let (done, recorded) = oneshot::channel();
        let mail = SentMail {
            key: key.to_owned(),
            email_id: email_id.to_owned(),
        };
        let mut queue = self.queue.lock();
        queue.records.push_back(Record {
            mail,
            done: Some(done),
        });
        let too_many = queue.records.len() > WAITING_MAX;
        if too_many {
            queue.records.pop_front();
        }
        drop(queue);
        if too_many && let Some(suppressed) = self.dropped.due() {
            warn!(
                "more than {WAITING_MAX} sent mails wait to be written to the ledger's table {}: the \
                 oldest are dropped ({suppressed} more since the last line), and another task can mail \
                 them again",
                self.table.name()
            );
        }
        self.changed.notify_one();
        recorded
    }

    /// Takes claims back, sooner or later. Nobody waits for it.
    pub(super) fn drop_claims(&self, key: &str, owners: Vec<String>) {
        // Claims of before end by themselves while the table cannot be used.
        if owners.is_empty() || self.reach.is_aside() {
            return;
        }
        self.queue.lock().drops.push_back((key.to_owned(), owners));
        self.changed.notify_one();
    }

    /// What the table knows of a mail, together with others that are looked for now. `None` too where it
    /// does not answer.
    pub(super) async fn look(&self, key: &str) -> Option<Known> {
        let (found, answer) = oneshot::channel();
        let key = key.to_owned();
        self.queue.lock().looks.push_back(Look { key, found });
        self.changed.notify_one();
        answer.await.ok().flatten()
    }

    /// How many sent mails wait to be recorded.
    pub(super) fn waiting(&self) -> usize {
        self.queue.lock().records.len()
    }

    /// Makes the calls until `stop`, and after it those that are asked for by then.
    pub(super) async fn run(&self, stop: &CancellationToken) {
        let mut calls = FuturesUnordered::new();
        loop {
            while calls.len() < CALLS_MAX
                && let Some(work) = self.next()
            {
                calls.push(self.call(work));
            }
            if stop.is_cancelled() && calls.is_empty() {
                return;
            }
            let wake_at = self.wake_at();
            tokio::select! {
                Some(()) = calls.next(), if !calls.is_empty() => {}
                () = self.changed.notified() => {}
                () = sleep_until(wake_at) => self.reach.tell(),
                () = stop.cancelled(), if !stop.is_cancelled() => {}
            }
        }
    }

    /// When there may be something to do that nobody asks for.
    fn wake_at(&self) -> Instant {
        let queue = self.queue.lock();
        let rest = queue.rest_until.filter(|_| !queue.records.is_empty());
        let probe = self.reach.probe_at().filter(|_| !queue.probing);
        let now = Instant::now();
        let times = [rest, probe, Some(now + TELL_EVERY)];
        let next = times.into_iter().flatten().min().unwrap_or(now);
        // Where the calls are at their most, what is due waits for one to end.
        next.max(now + Duration::from_millis(1))
    }

    /// The next call to make.
    fn next(&self) -> Option<Work> {
        let mut queue = self.queue.lock();
        let now = Instant::now();
        if let Some(probe_at) = self.reach.probe_at() {
            // Whoever looks learns that nobody answers.
            queue.looks.clear();
            queue.drops.clear();
            let is_due = probe_at <= now && !queue.probing;
            queue.probing |= is_due;
            return is_due.then_some(Work::Probe);
        }
        if !queue.looks.is_empty() {
            return Some(Work::Look(take_looks(&mut queue.looks)));
        }
        if queue.rest_until.is_none_or(|until| until <= now) && !queue.records.is_empty() {
            return Some(Work::Record(take_records(&mut queue.records)));
        }
        let (key, owners) = queue.drops.pop_front()?;
        Some(Work::Drop(key, owners))
    }

    async fn call(&self, work: Work) {
        match work {
            Work::Record(records) => self.write(records).await,
            Work::Drop(key, owners) => {
                // Where this fails the claim ends by itself.
                if let Err(failure) = self.table.drop_claim(&key, &owners).await {
                    debug!("a claim was not taken back and ends by itself: {failure}");
                }
            }
            Work::Look(looks) => self.look_at_all(looks).await,
            Work::Probe => {
                // Nobody has this claim: nothing is taken back, and the table has answered.
                let owner = [random_id()];
                let answer = self.table.drop_claim("probe", &owner).await;
                self.queue.lock().probing = false;
                self.reach.probed(answer.as_ref());
            }
        }
    }

    async fn write(&self, records: Vec<Record>) {
        let mails: Vec<_> = records.iter().map(|record| record.mail.clone()).collect();
        let written = self.table.record(&mails).await;
        let mut queue = self.queue.lock();
        let left = match written {
            Ok(left) => left,
            Err(failure) => {
                debug!("sent mails were not recorded and are written again: {failure}");
                (0..records.len()).collect()
            }
        };
        if left.is_empty() {
            (queue.rest_until, queue.backoff) = (None, None);
        } else {
            let backoff = queue.backoff.get_or_insert_with(|| {
                Backoff::new(
                    Duration::from_millis(50),
                    Duration::from_secs(1),
                    Jitter::Full,
                )
            });
            let delay = backoff.next_delay();
            queue.rest_until = Some(Instant::now() + delay);
        }
        for (place, mut record) in records.into_iter().enumerate() {
            if left.contains(&place) {
                queue.records.push_front(record);
            } else if let Some(done) = record.done.take() {
                // Whoever waited may have gone on.
                done.send(()).ok();
            }
        }
    }

    async fn look_at_all(&self, looks: Vec<Look>) {
        let keys: Vec<_> = looks.iter().map(|look| look.key.clone()).collect();
        let found = self.table.look_at_all(&keys).await.unwrap_or_default();
        let found = found.into_iter().chain(std::iter::repeat(None));
        for (look, found) in looks.into_iter().zip(found) {
            drop(look.found.send(found));
        }
    }
}

/// Waits for a record, but not for long. Whether it stands.
pub(super) async fn within(time: Duration, recorded: oneshot::Receiver<()>) -> bool {
    matches!(timeout(time, recorded).await, Ok(Ok(())))
}

/// The next records of one call, each mail once.
fn take_records(records: &mut VecDeque<Record>) -> Vec<Record> {
    take(records, RECORDS_MAX, |record| &record.mail.key)
}

/// The next looks of one call, each mail once.
fn take_looks(looks: &mut VecDeque<Look>) -> Vec<Look> {
    take(looks, LOOKS_MAX, |look| &look.key)
}

/// Takes the first that have different keys. Those with a key that is taken stay in their order.
fn take<T>(queue: &mut VecDeque<T>, most: usize, key: impl Fn(&T) -> &String) -> Vec<T> {
    let mut keys = HashSet::new();
    let (mut taken, mut left) = (Vec::new(), VecDeque::new());
    while taken.len() < most
        && let Some(item) = queue.pop_front()
    {
        if keys.insert(key(&item).clone()) {
            taken.push(item);
        } else {
            left.push_back(item);
        }
    }
    while let Some(item) = left.pop_back() {
        queue.push_front(item);
    }
    taken
}
