//! Settling: deleting messages and giving them back, in batches, under their leases.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use tokio::{
    sync::{Semaphore, mpsc, oneshot},
    task::JoinSet,
    time::{Instant, sleep, timeout, timeout_at},
};
use tracing::{error, warn};

use super::{drain::Drain, lease::Lease};
use crate::{
    backoff::{Backoff, Jitter},
    ports::{BATCH_MAX, EntryFailure, EntryFailureKind, Queue, QueueFailure, ReceiptHandle},
    telemetry::throttle::Throttle,
};

#[cfg(test)]
mod tests;

/// How long a batch waits for company after its first entry.
const BATCH_LINGER: Duration = Duration::from_millis(25);
/// The most calls of one kind under way at once.
const CALLS_MAX: usize = 4;
/// The first pause after a failure, doubling to the longest: short beside a lease, since a held
/// message holds a permit.
const RETRY_PAUSE_FIRST: Duration = Duration::from_millis(500);
const RETRY_PAUSE_MAX: Duration = Duration::from_secs(5);
/// A delete that fails for longer than this gets a line of its own.
const DELETE_FAILS_QUIETLY_FOR: Duration = Duration::from_mins(1);

/// How settling one message ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SettleResult {
    /// The queue has confirmed it.
    Done,
    /// The lease was lost: whoever has the message now settles it.
    LeaseLost,
    /// Time ran out first: the drain's, the lease's, or the queue's 12 hours.
    GivenUp,
}

/// Why one entry was not settled.
#[derive(Clone, Debug)]
enum NotSettled {
    Entry(EntryFailure),
    Call,
}

/// Deletes and gives back. Cheap to clone; its two batching tasks run as long as [`SettlerTask::run`] does.
#[derive(Clone)]
pub struct Settler {
    deletes: mpsc::UnboundedSender<Job<ReceiptHandle>>,
    changes: mpsc::UnboundedSender<Job<(ReceiptHandle, Duration)>>,
    drain: Arc<Drain>,
    /// How long a call may take, its wait for a slot included.
    patience: Duration,
    /// Lines of deletes that keep failing.
    deletes_failing: Arc<Throttle>,
    /// Lines of entries that fail, for each of the two calls.
    not_deleted: Arc<Throttle>,
    not_given_back: Arc<Throttle>,
}

/// The receiving end of a [`Settler`]: to be run as a task.
pub struct SettlerTask {
    queue: Arc<dyn Queue>,
    call_timeout: Duration,
    deletes: mpsc::UnboundedReceiver<Job<ReceiptHandle>>,
    changes: mpsc::UnboundedReceiver<Job<(ReceiptHandle, Duration)>>,
}

struct Job<T> {
    item: T,
    done: oneshot::Sender<Result<(), NotSettled>>,
}

/// A settler for `queue` whose calls may take `call_timeout`, and the task that makes them.
pub fn settler(
    queue: Arc<dyn Queue>,
    call_timeout: Duration,
    drain: Arc<Drain>,
) -> (Settler, SettlerTask) {
    let (deletes, delete_jobs) = mpsc::unbounded_channel();
    let (changes, change_jobs) = mpsc::unbounded_channel();
    let task = SettlerTask {
        queue,
        call_timeout,
        deletes: delete_jobs,
        changes: change_jobs,
    };
    (
        Settler {
            deletes,
            changes,
            drain,
            patience: call_timeout * 2,
            deletes_failing: Arc::default(),
            not_deleted: Arc::default(),
            not_given_back: Arc::default(),
        },
        task,
    )
}

impl SettlerTask {
    /// Makes the calls until every [`Settler`] is dropped.
    pub async fn run(self) {
        let Self {
            queue,
            call_timeout,
            deletes,
            changes,
        } = self;
        let deleting = batches(Deletes(Arc::clone(&queue)), call_timeout, deletes);
        let changing = batches(Changes(queue), call_timeout, changes);
        tokio::join!(deleting, changing);
    }
}

impl Settler {
    /// Deletes the message. What fails is tried again for as long as the queue lets us hold the
    /// message: it was dealt with, and giving it back would deal with it twice. `failed` hears of
    /// each attempt that did.
    pub async fn delete(&self, lease: &Lease, mut failed: impl FnMut()) -> SettleResult {
        let began = Instant::now();
        let mut backoff = Backoff::new(RETRY_PAUSE_FIRST, RETRY_PAUSE_MAX, Jitter::Full);
        loop {
            let job = |receipt: &ReceiptHandle| receipt.clone();
            let Some((answer, superseded)) = self.ask(lease, &self.deletes, job).await else {
                return SettleResult::GivenUp;
            };
            match answer {
                Ok(()) if !superseded => return SettleResult::Done,
                // The message came again meanwhile, and the old handle may not have deleted it.
                _ if superseded => continue,
                Err(NotSettled::Entry(failure)) if failure.kind == EntryFailureKind::LeaseLost => {
                    failed();
                    return SettleResult::LeaseLost;
                }
                Err(NotSettled::Entry(failure)) => {
                    if let Some(untold) = self.not_deleted.due() {
                        warn!(
                            error.r#type = failure.code,
                            notifier.suppressed = untold,
                            "message not deleted, trying again: {failure}"
                        );
                    }
                }
                Err(NotSettled::Call) | Ok(()) => {}
            }
            failed();
            if lease.is_at_cap() {
                return SettleResult::GivenUp;
            }
            self.tell_of_delete(began);
            tokio::select! {
                () = sleep(backoff.next_delay()) => {}
                () = self.drain.wait_closed() => return SettleResult::GivenUp,
            }
        }
    }

    /// Makes the message visible again in `after`, or as late as the queue allows. The lease is not renewed any more: where this
    /// keeps failing, it runs out, and the message is visible then.
    pub async fn give_back(&self, lease: &Lease, after: Duration) -> SettleResult {
        lease.end();
        let mut backoff = Backoff::new(RETRY_PAUSE_FIRST, RETRY_PAUSE_MAX, Jitter::Full);
        loop {
            if lease.is_lost() {
                return SettleResult::LeaseLost;
            }
            // More than the cap leaves is refused, and the message would stay hidden to its end.
            let after = after.min(lease.longest());
            let job = |receipt: &ReceiptHandle| (receipt.clone(), after);
            let Some((answer, superseded)) = self.ask(lease, &self.changes, job).await else {
                return SettleResult::GivenUp;
            };
            match answer {
                Ok(()) if !superseded => return SettleResult::Done,
                _ if superseded => continue,
                Err(NotSettled::Entry(failure)) if failure.kind == EntryFailureKind::LeaseLost => {
                    return SettleResult::LeaseLost;
                }
                Err(NotSettled::Entry(failure)) => {
                    if let Some(untold) = self.not_given_back.due() {
                        warn!(
                            error.r#type = failure.code,
                            notifier.suppressed = untold,
                            "message not given back, trying again: {failure}"
                        );
                    }
                }
                Err(NotSettled::Call) | Ok(()) => {}
            }
            tokio::select! {
                () = sleep(backoff.next_delay()) => {}
                () = lease.lost() => return SettleResult::GivenUp,
                () = self.drain.wait_closed() => return SettleResult::GivenUp,
            }
        }
    }

    /// One call for the lease, by way of the batches: its answer, and whether a newer handle makes
    /// it void. `None` where nothing is settled any more.
    ///
    /// A lease with a call is not renewed. So a call that does not even begin, since too many hang
    /// before it, is taken back after a while, and the lease is renewed before the next.
    async fn ask<T>(
        &self,
        lease: &Lease,
        jobs: &mpsc::UnboundedSender<Job<T>>,
        job: impl FnOnce(&ReceiptHandle) -> T,
    ) -> Option<(Result<(), NotSettled>, bool)> {
        let asked = async {
            let call = lease.call().await;
            let answer = timeout(self.patience, submit(jobs, job(call.receipt()))).await;
            (
                answer.unwrap_or(Err(NotSettled::Call)),
                call.is_superseded(),
            )
        };
        tokio::select! {
            biased;
            asked = asked => Some(asked),
            () = self.drain.wait_closed() => None,
        }
    }

    /// One line a minute for all deletes together, once one has failed for a minute.
    fn tell_of_delete(&self, began: Instant) {
        if began.elapsed() >= DELETE_FAILS_QUIETLY_FOR && self.deletes_failing.due().is_some() {
            error!(
                notifier.delete.failing_s = began.elapsed().as_secs(),
                "deletes keep failing: the mails have gone out and their messages stay held, so \
                 receiving slows down and stops; check the role's sqs:DeleteMessage and SQS itself"
            );
        }
    }
}

/// Hands one entry to the batches and waits for its answer.
async fn submit<T>(jobs: &mpsc::UnboundedSender<Job<T>>, item: T) -> Result<(), NotSettled> {
    let (done, answer) = oneshot::channel();
    if jobs.send(Job { item, done }).is_err() {
        return Err(NotSettled::Call);
    }
    answer.await.unwrap_or(Err(NotSettled::Call))
}

/// The two batch calls of a queue.
#[async_trait]
trait BatchCall: Clone + Send + Sync + 'static {
    type Item: Send + 'static;
    const NAME: &str;
    async fn call(
        &self,
        items: &[Self::Item],
    ) -> Result<Vec<Result<(), EntryFailure>>, QueueFailure>;
}

#[derive(Clone)]
struct Deletes(Arc<dyn Queue>);

#[async_trait]
impl BatchCall for Deletes {
    type Item = ReceiptHandle;
    const NAME: &str = "delete";
    async fn call(
        &self,
        items: &[ReceiptHandle],
    ) -> Result<Vec<Result<(), EntryFailure>>, QueueFailure> {
        self.0.delete(items).await
    }
}

#[derive(Clone)]
struct Changes(Arc<dyn Queue>);

#[async_trait]
impl BatchCall for Changes {
    type Item = (ReceiptHandle, Duration);
    const NAME: &str = "give-back";
    async fn call(
        &self,
        items: &[(ReceiptHandle, Duration)],
    ) -> Result<Vec<Result<(), EntryFailure>>, QueueFailure> {
        self.0.change_visibility(items).await
    }
}

/// Gathers jobs into batches and keeps up to [`CALLS_MAX`] calls under way.
async fn batches<C: BatchCall>(
    call: C,
    call_timeout: Duration,
    mut jobs: mpsc::UnboundedReceiver<Job<C::Item>>,
) {
    let slots = Arc::new(Semaphore::new(CALLS_MAX));
    let failing = Arc::new(Throttle::default());
    let mut calls = JoinSet::new();
    while let Some(first) = jobs.recv().await {
        // Whoever has given up waiting has asked again, or will.
        if first.done.is_closed() {
            continue;
        }
        let mut batch = vec![first];
        let until = Instant::now() + BATCH_LINGER;
        while batch.len() < BATCH_MAX {
            match timeout_at(until, jobs.recv()).await {
                Ok(Some(job)) => batch.push(job),
                Ok(None) | Err(_) => break,
            }
        }
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else {
            return;
        };
        batch.retain(|job| !job.done.is_closed());
        if batch.is_empty() {
            continue;
        }
        let call = call.clone();
        let failing = Arc::clone(&failing);
        calls.spawn(async move {
            settle_batch(call, call_timeout, batch, &failing).await;
            drop(slot);
        });
        while let Some(done) = calls.try_join_next() {
            resume_panic(done);
        }
    }
    while let Some(done) = calls.join_next().await {
        resume_panic(done);
    }
}

async fn settle_batch<C: BatchCall>(
    call: C,
    call_timeout: Duration,
    batch: Vec<Job<C::Item>>,
    failing: &Throttle,
) {
    let (items, waiting): (Vec<_>, Vec<_>) =
        batch.into_iter().map(|job| (job.item, job.done)).unzip();
    let entries = items.len();
    let failed = |error_type: &str, reason: &dyn std::fmt::Display| {
        if let Some(suppressed) = failing.due() {
            warn!(
                error.r#type = error_type,
                messaging.batch.message_count = entries,
                notifier.suppressed = suppressed,
                "{} call failed, trying again: {reason}",
                C::NAME
            );
        }
        Vec::new()
    };
    let answers = match timeout(call_timeout, call.call(&items)).await {
        Ok(Ok(answers)) => answers,
        Ok(Err(failure)) => failed(&failure.error.code, &failure),
        Err(_elapsed) => failed("timeout", &"no answer in time"),
    };
    let mut answers = answers.into_iter();
    for done in waiting {
        let answer = match answers.next() {
            Some(answer) => answer.map_err(NotSettled::Entry),
            None => Err(NotSettled::Call),
        };
        // A worker that has given up waiting does not need the answer.
        drop(done.send(answer));
    }
}

/// A panic in a call is a panic of the settler: it must not pass unseen.
fn resume_panic(done: Result<(), tokio::task::JoinError>) {
    if let Err(failed) = done
        && failed.is_panic()
    {
        std::panic::resume_unwind(failed.into_panic());
    }
}
