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

use super::{
    reach::Reach,
    records::{Record, Records},
};
use crate::{
    backoff::{Backoff, Jitter},
    mutex::Mutex,
    ports::{
        CallError,
        table::{
            Claim, Known, LOOKS_MAX, LedgerTable, RECORDS_MAX, SentMail, TableFailure,
            TableFailureKind,
        },
    },
    random::random_id,
    telemetry::throttle::Throttle,
};

/// At most so many calls at a time.
const CALLS_MAX: usize = 8;
/// So many sent mails are remembered while the table cannot be written to, about 30 MB of them.
const WAITING_MAX: usize = 100_000;
/// Batches that are not full go one after the other, so that fewer and fuller ones do; but no record waits
/// longer than this for the batch before it.
pub(super) const FILLS_FOR: Duration = Duration::from_millis(10);
/// The longest rest after a batch that failed.
const REST_MAX: Duration = Duration::from_secs(1);
/// The same at a stop, whose time is short.
const LAST_REST_MAX: Duration = Duration::from_millis(100);
/// How often the line on a table that was put aside may be due.
const TELL_EVERY: Duration = Duration::from_secs(5);

/// Writes and reads in batches.
pub(super) struct Writer {
    table: Arc<dyn LedgerTable>,
    reach: Arc<Reach>,
    queue: Mutex<Queue>,
    changed: Notify,
    dropped: Throttle,
}

#[derive(Default)]
struct Queue {
    records: Records,
    drops: VecDeque<(String, Vec<String>)>,
    looks: VecDeque<Look>,
    /// No records are written before this: the last batch failed.
    rest_until: Option<Instant>,
    backoff: Option<Backoff>,
    /// How many batches of records are under way.
    writing: usize,
    /// How many records are in them.
    under_way: usize,
    is_stopping: bool,
    /// Since when no record was taken.
    failing_since: Option<Instant>,
    probing: bool,
}

impl Queue {
    /// Until when the next batch of records may fill, where there are any.
    fn fills_until(&self) -> Option<Instant> {
        let since = self.records.waiting_since()?;
        let may_fill = self.writing > 0 && self.records.len() < RECORDS_MAX && !self.is_stopping;
        Some(if may_fill { since + FILLS_FOR } else { since })
    }

    /// The next records, unless some were not taken a moment ago.
    fn next_after_probe(&mut self) -> Vec<Record> {
        if self.rest_until.is_some() {
            return Vec::new();
        }
        self.records.take()
    }

    /// Lets what failed be tried at once, and without long rests from now on. False if it does already.
    fn hurry(&mut self) -> bool {
        if self.is_stopping {
            return false;
        }
        self.is_stopping = true;
        (self.rest_until, self.backoff) = (None, None);
        true
    }
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
    /// Whether the table can be used, and these are written where there are any.
    Probe(Vec<Record>),
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
        let too_many = {
            let mut queue = self.queue.lock();
            queue.records.push(mail, done);
            let too_many = queue.records.len() > WAITING_MAX;
            if too_many {
                queue.records.drop_oldest();
            }
            too_many
        };
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

    /// How many sent mails are not recorded yet, those under way included.
    pub(super) fn waiting(&self) -> usize {
        let queue = self.queue.lock();
        queue.records.len() + queue.under_way
    }

    /// Asks at once whether a table that was put aside answers.
    pub(super) fn probe_now(&self) {
        self.reach.probe_now();
        self.changed.notify_one();
    }

    /// Makes the calls until `stop`, and after it those that are asked for by then. While records fail that
    /// may take for ever: the caller ends it.
    pub(super) async fn run(&self, stop: &CancellationToken) {
        let mut calls = FuturesUnordered::new();
        loop {
            if stop.is_cancelled() && self.queue.lock().hurry() {
                self.reach.probe_now();
            }
            while calls.len() < CALLS_MAX
                && let Some(work) = self.next()
            {
                calls.push(self.call(work));
            }
            // What a table that does not answer has not taken by then it does not take.
            let is_done = self.waiting() == 0 || self.reach.is_aside();
            if stop.is_cancelled() && calls.is_empty() && is_done {
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
        let now = Instant::now();
        let probe = self.reach.probe_at().filter(|_| !queue.probing);
        let rest = queue.rest_until.filter(|until| *until > now);
        let rest = rest.filter(|_| queue.records.len() > 0 && !self.reach.is_aside());
        let filled = queue.fills_until().filter(|until| *until > now);
        let times = [rest, filled, probe, Some(now + TELL_EVERY)];
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
            return is_due.then(|| Work::Probe(queue.records.take()));
        }
        if !queue.looks.is_empty() {
            return Some(Work::Look(take_looks(&mut queue.looks)));
        }
        let is_rested = queue.rest_until.is_none_or(|until| until <= now);
        if is_rested && queue.fills_until().is_some_and(|until| until <= now) {
            queue.writing += 1;
            return Some(Work::Record(queue.records.take()));
        }
        let (key, owners) = queue.drops.pop_front()?;
        Some(Work::Drop(key, owners))
    }

    async fn call(&self, work: Work) {
        match work {
            Work::Record(records) => {
                let written = self.write(records).await;
                let mut queue = self.queue.lock();
                queue.writing -= 1;
                match written {
                    Ok(()) => queue.failing_since = None,
                    Err(failure) => {
                        let since = queue.failing_since.get_or_insert_with(Instant::now);
                        self.reach.not_recorded(&failure, since.elapsed());
                    }
                }
            }
            Work::Drop(key, owners) => {
                // Where this fails the claim ends by itself.
                if let Err(failure) = self.table.drop_claim(&key, &owners).await {
                    debug!("a claim was not taken back and ends by itself: {failure}");
                    self.reach.failed_beside(&failure);
                }
            }
            Work::Look(looks) => self.look_at_all(looks).await,
            Work::Probe(records) => {
                let answer = self.probe(records).await;
                let mut queue = self.queue.lock();
                queue.probing = false;
                if answer.is_ok() {
                    queue.failing_since = None;
                }
                drop(queue);
                self.reach.probed(answer.as_ref());
            }
        }
    }

    /// Makes the calls that a mail needs: one answer alone shows nothing of a right that is missing.
    async fn probe(&self, records: Vec<Record>) -> Result<(), TableFailure> {
        if !records.is_empty() {
            self.write(records).await?;
        }
        let key = format!("probe-{}", random_id());
        let owner = random_id();
        let claim = Claim {
            key: &key,
            owner: &owner,
            earlier: &[],
            lasts: Duration::ZERO,
        };
        let claimed = self.table.claim(claim).await;
        if claimed.is_ok() {
            // It ends by itself, too.
            if let Err(failure) = self.table.drop_claim(&key, &[owner]).await {
                self.reach.failed_beside(&failure);
            }
            return Ok(());
        }
        // Records at least it takes, and what stands in it other tasks know.
        loop {
            let next = self.queue.lock().next_after_probe();
            if next.is_empty() || self.write(next).await.is_err() {
                return claimed.map(drop);
            }
        }
    }

    /// Writes these records. Fails where none of them was taken; those that were not are written again.
    async fn write(&self, mut records: Vec<Record>) -> Result<(), TableFailure> {
        let mails: Vec<_> = records.iter().map(|record| record.mail.clone()).collect();
        self.queue.lock().under_way += mails.len();
        let (left, failure) = match self.table.record(&mails).await {
            Ok(left) if left.len() == mails.len() => (left, Some(none_taken())),
            Ok(left) => (left, None),
            Err(failure) => ((0..mails.len()).collect(), Some(failure)),
        };
        let mut queue = self.queue.lock();
        queue.under_way -= mails.len();
        if left.is_empty() {
            (queue.rest_until, queue.backoff) = (None, None);
        } else {
            let longest = if queue.is_stopping {
                LAST_REST_MAX
            } else {
                REST_MAX
            };
            let backoff = queue.backoff.get_or_insert_with(|| {
                Backoff::new(Duration::from_millis(50), longest, Jitter::Full)
            });
            let delay = backoff.next_delay();
            queue.rest_until = Some(Instant::now() + delay);
        }
        // From behind, so that they stand in their order again.
        for place in (0..records.len()).rev() {
            let record = records.remove(place);
            if left.contains(&place) {
                queue.records.put_back(record);
            } else {
                record.stands();
            }
        }
        match failure {
            None => Ok(()),
            Some(failure) => Err(failure),
        }
    }

    async fn look_at_all(&self, looks: Vec<Look>) {
        let keys: Vec<_> = looks.iter().map(|look| look.key.clone()).collect();
        let found = self.table.look_at_all(&keys).await;
        let found = found.unwrap_or_else(|failure| {
            self.reach.failed_beside(&failure);
            Vec::new()
        });
        let found = found.into_iter().chain(std::iter::repeat(None));
        for (look, found) in looks.into_iter().zip(found) {
            drop(look.found.send(found));
        }
    }
}

/// A batch of which the table took nothing, for a reason that it does not give.
fn none_taken() -> TableFailure {
    let error = CallError {
        operation: "BatchWriteItem",
        code: "UnprocessedItems".to_owned(),
        message: "none of the items was taken".to_owned(),
        request_id: None,
        obstacle: None,
        source: None,
    };
    TableFailure::new(TableFailureKind::Throttled, error)
}

/// Waits for a record, but not for long. Whether it stands.
pub(super) async fn within(time: Duration, recorded: oneshot::Receiver<()>) -> bool {
    matches!(timeout(time, recorded).await, Ok(Ok(())))
}

/// The next looks of one call, each mail once. Those for a mail that is taken stay in their order.
fn take_looks(looks: &mut VecDeque<Look>) -> Vec<Look> {
    let mut keys = HashSet::new();
    let (mut taken, mut left) = (Vec::new(), VecDeque::new());
    while taken.len() < LOOKS_MAX
        && let Some(look) = looks.pop_front()
    {
        if keys.insert(look.key.clone()) {
            taken.push(look);
        } else {
            left.push_back(look);
        }
    }
    while let Some(look) = left.pop_back() {
        looks.push_front(look);
    }
    taken
}
