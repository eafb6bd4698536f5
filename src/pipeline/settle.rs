//! Settling: deleting messages and giving them back, in batches, under their leases.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::{
    future::join_all,
    stream::{self, StreamExt},
};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep, timeout, timeout_at},
};
use tracing::{error, info, warn};

use super::{
    batch::{Unanswered, batch_answers},
    drain::Drain,
    health_state::HealthState,
    lease::{Call, Lease},
};
use crate::{
    backoff::{Backoff, Jitter},
    ports::{BATCH_MAX, EntryFailure, EntryFailureKind, Queue, QueueFailure, ReceiptHandle},
    telemetry::throttle::Throttle,
    text::format_duration,
};

#[cfg(test)]
mod tests;

/// How long a batch waits for more entries after its first.
const BATCH_LINGER: Duration = Duration::from_millis(25);
/// The most calls of one kind under way at once.
const CALLS_MAX: usize = 4;
/// The first pause after a failure, doubling to the longest, and to no more than this part of a lease: a held
/// message holds a place, and a delete that waits while the lease ends comes too late.
const RETRY_PAUSE_FIRST: Duration = Duration::from_millis(500);
const RETRY_PAUSE_MAX: Duration = Duration::from_secs(5);
const PAUSES_IN_A_LEASE: u32 = 4;
/// Once a delete has failed for this long a line says so, one a minute for all deletes together.
const DELETE_FAILS_QUIETLY_FOR: Duration = Duration::from_mins(1);

/// How long to wait between the attempts for one message.
fn pauses(lease: &Lease) -> Backoff {
    let longest = RETRY_PAUSE_MAX.min(lease.length() / PAUSES_IN_A_LEASE);
    Backoff::new(RETRY_PAUSE_FIRST, longest, Jitter::Full)
}

/// How settling one message ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SettleResult {
    /// The queue has confirmed it.
    Done,
    /// The lease was lost: the receiver that has the message now settles it.
    LeaseLost,
    /// Time ran out first: the drain's, the lease's, or the queue's 12 hours.
    GivenUp,
}

/// The two things that settling asks of the queue.
#[derive(Clone, Copy)]
enum Action {
    Delete,
    GiveBack,
}

/// Deletes and gives back, as long as its task runs.
pub struct Settler {
    deletes: Requests,
    give_backs: Requests,
    drain: Arc<Drain>,
    health: Arc<HealthState>,
    /// The longest that an attempt waits for a free call.
    wait_max: Duration,
    /// Lines for a person, while deletes keep failing.
    deletes_failing: Throttle,
    /// How many deletes keep failing now.
    keep_failing: AtomicUsize,
}

/// A delete that keeps failing, counted until dropped.
struct KeepsFailing<'a>(&'a AtomicUsize);

impl<'a> KeepsFailing<'a> {
    fn count(all: &'a AtomicUsize) -> Self {
        all.fetch_add(1, Ordering::Relaxed);
        Self(all)
    }
}

impl Drop for KeepsFailing<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The settler's end of one action's batches.
struct Requests {
    action: Action,
    jobs: mpsc::UnboundedSender<Job>,
    /// Lines of entries that fail.
    failing: Throttle,
}

/// One entry of a batch, and whom to tell that its call begins, and of the queue's answer.
struct Job {
    entry: Entry,
    begun: oneshot::Sender<()>,
    done: oneshot::Sender<Answer>,
}

/// An entry whose call begins, and whom to tell of the queue's answer.
type Waiting = (Entry, oneshot::Sender<Answer>);

/// What the queue said of one entry, or what its whole call failed with.
type Answer = Result<Result<(), EntryFailure>, Unanswered>;

/// A message's handle, and the time after which it is visible again. A delete ignores the time.
type Entry = (ReceiptHandle, Duration);

/// A settler for `queue` whose calls may take `call_timeout`, and the task that makes the calls
/// until the settler is dropped.
pub fn settler(
    queue: Arc<dyn Queue>,
    call_timeout: Duration,
    drain: Arc<Drain>,
    health: Arc<HealthState>,
) -> (Settler, impl Future<Output = ()> + Send) {
    let requests = |action, queue| {
        let (jobs, receiver) = mpsc::unbounded_channel();
        let failing = Throttle::default();
        let task = batches(action, queue, call_timeout, receiver);
        let requests = Requests {
            action,
            jobs,
            failing,
        };
        (requests, task)
    };
    let (deletes, deleting) = requests(Action::Delete, Arc::clone(&queue));
    let (give_backs, giving_back) = requests(Action::GiveBack, queue);
    let settler = Settler {
        deletes,
        give_backs,
        drain,
        health,
        // With the call itself that is less than half a lease, which is left when renewals are due.
        wait_max: call_timeout * 3 / 2,
        deletes_failing: Throttle::default(),
        keep_failing: AtomicUsize::new(0),
    };
    (settler, async {
        tokio::join!(deleting, giving_back);
    })
}

impl Settler {
    /// Deletes the message. What fails is tried again for as long as the queue lets us hold the
    /// message: it was dealt with, and giving it back would deal with it twice. `failed` is called for
    /// each attempt that failed.
    pub async fn delete(&self, lease: &Lease, failed: impl FnMut()) -> SettleResult {
        let mut keeps_failing = None;
        let result = self.delete_at_last(lease, failed, &mut keeps_failing).await;
        let was_told = keeps_failing.take().is_some();
        // While others still fail it is not over.
        if was_told
            && self.keep_failing.load(Ordering::Relaxed) == 0
            && let Some(lasted) = self.deletes_failing.pause()
            && result != SettleResult::GivenUp
        {
            info!("deletes work again after {}", format_duration(lasted));
        }
        // Another one that keeps failing says so again within seconds.
        self.health.deleting_fails(None);
        result
    }

    async fn delete_at_last<'a>(
        &'a self,
        lease: &Lease,
        mut count: impl FnMut(),
        keeps_failing: &mut Option<KeepsFailing<'a>>,
    ) -> SettleResult {
        let began = Instant::now();
        let mut backoff = pauses(lease);
        let mut took_before = Duration::ZERO;
        loop {
            let asked_at = Instant::now();
            let result = self.attempt(lease, &self.deletes, Duration::ZERO).await;
            let took = asked_at.elapsed();
            if matches!(result, Err(_) | Ok(SettleResult::LeaseLost)) {
                count();
            }
            let failed = match result {
                Ok(result) => return result,
                Err(failed) => failed,
            };
            if lease.is_at_cap() {
                return SettleResult::GivenUp;
            }
            if failed.is_definite || began.elapsed() >= DELETE_FAILS_QUIETLY_FOR {
                keeps_failing.get_or_insert_with(|| KeepsFailing::count(&self.keep_failing));
                self.report_failing_delete(began, &failed);
            }
            // A lease with a call is not renewed. Once two in a row have hung, renewals get as long as those.
            let pause = backoff
                .next_delay()
                .max(took.min(took_before).min(RETRY_PAUSE_MAX));
            took_before = took;
            // The lease is not watched: a delete is worth its tries even after the lease was lost.
            tokio::select! {
                () = sleep(pause) => {}
                () = self.drain.wait_closed() => return SettleResult::GivenUp,
            }
        }
    }

    /// Makes the message visible again in `after`, or as late as the queue allows. The lease is no
    /// longer renewed: if this keeps failing, the lease ends, and the message is visible then.
    pub async fn give_back(&self, lease: &Lease, after: Duration) -> SettleResult {
        lease.end();
        let mut backoff = pauses(lease);
        while !lease.is_lost() {
            if let Ok(result) = self.attempt(lease, &self.give_backs, after).await {
                return result;
            }
            // A message whose lease has run out is visible: nothing is left to do.
            tokio::select! {
                () = sleep(backoff.next_delay()) => {}
                () = lease.lost() => return SettleResult::GivenUp,
                () = self.drain.wait_closed() => return SettleResult::GivenUp,
            }
        }
        SettleResult::LeaseLost
    }

    /// One entry for the lease, by way of the batches; what it failed with where it did.
    ///
    /// A lease with a call is not renewed. So a call that does not even begin, since too many hang
    /// before it, is taken back after a while, and the lease is renewed before the next. One that has
    /// begun is waited for: taken back, it could delete the message while the lease is renewed.
    async fn attempt(
        &self,
        lease: &Lease,
        requests: &Requests,
        after: Duration,
    ) -> Result<SettleResult, Unanswered> {
        let asked = async {
            loop {
                let call = lease.call().await;
                // More than the cap leaves is refused, and the message would stay hidden to its end.
                let entry = (call.receipt().clone(), after.min(lease.longest()));
                let newest = requests.submit(entry, self.wait_max);
                let (answer, ()) = tokio::join!(newest, self.delete_older(&call, requests.action));
                // Where the message came again meanwhile, an answer for the old handle says nothing
                // of it.
                if !call.is_superseded() {
                    return answer;
                }
            }
        };
        // An answer that is there counts even where the drain has closed meanwhile.
        let answer = tokio::select! {
            biased;
            asked = asked => asked?,
            () = self.drain.wait_closed() => return Ok(SettleResult::GivenUp),
        };
        match answer {
            Ok(()) => Ok(SettleResult::Done),
            Err(failure) if failure.kind == EntryFailureKind::LeaseLost => {
                Ok(SettleResult::LeaseLost)
            }
            Err(failure) => {
                if let Some(suppressed) = requests.failing.due() {
                    warn!(
                        error.r#type = failure.code,
                        notifier.suppressed = suppressed,
                        "message not {}, trying again: {failure}",
                        requests.action.done()
                    );
                }
                Err(Unanswered::of(&failure.code))
            }
        }
    }

    /// Deletes what the queue gave under the same message id before: that can be another copy, which the
    /// newest handle does not delete. A copy that stays all the same comes again, and is known as sent.
    async fn delete_older(&self, call: &Call<'_>, action: Action) {
        let older = match action {
            Action::Delete => call.older_receipts(),
            Action::GiveBack => Vec::new(),
        };
        let asked = older.into_iter().map(|receipt| {
            let entry = (receipt, Duration::ZERO);
            self.deletes.submit(entry, self.wait_max)
        });
        // The newest one's answer may be there by then, and counts.
        tokio::select! {
            _answers = join_all(asked) => {}
            () = self.drain.wait_closed() => {}
        }
    }

    /// One line a minute for all deletes together, once one has failed for a minute, or was refused for
    /// what does not pass by itself.
    fn report_failing_delete(&self, began: Instant, failed: &Unanswered) {
        self.health.deleting_fails(Some(&failed.error_type));
        if self.deletes_failing.due_since(began).is_some() {
            let remedy = failed
                .remedy
                .unwrap_or("check the role's sqs:DeleteMessage and SQS itself");
            error!(
                error.r#type = failed.error_type,
                notifier.delete.failing_s = began.elapsed().as_secs(),
                "deletes keep failing: mails were sent, but their messages cannot be deleted and \
                 stay held, so receiving slows down and stops; {remedy}; a restart before that can mail \
                 them again, unless the tasks share a ledger"
            );
        }
    }
}

impl Requests {
    /// Hands one entry to the batches and waits for its answer, if its call begins in time.
    async fn submit(&self, entry: Entry, wait_max: Duration) -> Answer {
        let (begun, mut begins) = oneshot::channel();
        let (done, answer) = oneshot::channel();
        // Without its task, or where the queue answered for fewer entries, there is no answer.
        drop(self.jobs.send(Job { entry, begun, done }));
        if timeout(wait_max, &mut begins).await.is_err() {
            // From here on the call cannot begin, unless it has at this very moment.
            begins.close();
            if begins.try_recv().is_err() {
                return Err(Unanswered::of("timeout"));
            }
        }
        answer
            .await
            .unwrap_or_else(|_dropped| Err(Unanswered::of("response")))
    }
}

impl Action {
    fn trouble(self) -> &'static str {
        match self {
            Self::Delete => "messages that are done cannot be deleted and stay held",
            Self::GiveBack => "messages cannot be given back and return when their leases end",
        }
    }

    fn done(self) -> &'static str {
        match self {
            Self::Delete => "deleted",
            Self::GiveBack => "given back",
        }
    }

    async fn call(
        self,
        queue: &dyn Queue,
        entries: Vec<Entry>,
    ) -> Result<Vec<Result<(), EntryFailure>>, QueueFailure> {
        match self {
            Self::Delete => {
                let receipts: Vec<_> = entries.into_iter().map(|(receipt, _)| receipt).collect();
                queue.delete(&receipts).await
            }
            Self::GiveBack => queue.change_visibility(&entries).await,
        }
    }
}

/// Gathers jobs into batches and keeps up to [`CALLS_MAX`] calls under way.
async fn batches(
    action: Action,
    queue: Arc<dyn Queue>,
    call_timeout: Duration,
    jobs: mpsc::UnboundedReceiver<Job>,
) {
    let failing = Throttle::default();
    stream::unfold(jobs, next_batch)
        .for_each_concurrent(CALLS_MAX, async |batch: Vec<Waiting>| {
            let count = batch.len();
            let (entries, waiting): (Vec<_>, Vec<_>) = batch.into_iter().unzip();
            let call = action.call(&*queue, entries);
            let answers =
                batch_answers(call, call_timeout, count, action.trouble(), &failing).await;
            let answers: Vec<Answer> = match answers {
                Ok(answers) => answers.into_iter().map(Ok).collect(),
                Err(error) => vec![Err(error); count],
            };
            // A sender without an answer is dropped here.
            for (done, answer) in waiting.into_iter().zip(answers) {
                // A worker that has given up waiting does not need the answer.
                drop(done.send(answer));
            }
        })
        .await;
}

/// The next batch, once a call may begin for it; none when the settler is gone.
async fn next_batch(
    mut jobs: mpsc::UnboundedReceiver<Job>,
) -> Option<(Vec<Waiting>, mpsc::UnboundedReceiver<Job>)> {
    let mut begun = Vec::new();
    while begun.is_empty() {
        let mut batch = vec![jobs.recv().await?];
        let until = Instant::now() + BATCH_LINGER;
        while batch.len() < BATCH_MAX
            && let Ok(Some(job)) = timeout_at(until, jobs.recv()).await
        {
            batch.push(job);
        }
        // Whoever has given up waiting has asked again, or will.
        begun.extend(batch.into_iter().filter_map(|Job { entry, begun, done }| {
            let waits = begun.send(()).is_ok();
            waits.then_some((entry, done))
        }));
    }
    Some((begun, jobs))
}
