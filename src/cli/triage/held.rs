//! The messages that a scan hides from others, and how long.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use futures_util::{StreamExt, stream};
use tokio::time::{Instant, sleep};

use super::stop::Stop;
use crate::{
    backoff::{Backoff, Jitter},
    cli::progress::Progress,
    ports::{BATCH_MAX, EntryFailureKind, Queue, QueueFailure, ReceiptHandle},
};

/// How long a message stays hidden at most if this process dies.
pub(super) const HIDDEN_MAX: Duration = Duration::from_mins(10);
/// How often putting back is tried. With the pauses between, it outlasts a throttling of two seconds.
const PUT_BACK_ATTEMPTS: u32 = 4;
/// The first pause between them, about; each next one is twice as long.
const PAUSE: Duration = Duration::from_millis(500);
/// So many calls are under way at once: a queue of many messages would take too long one by one.
const CALLS_MAX: usize = 8;

/// When a lease ends. A machine that sleeps stops the clock that measures spans, and may set the other:
/// a lease lasts only where both say so.
#[derive(Clone, Copy)]
struct Deadline {
    measured: Instant,
    of_the_day: SystemTime,
}

impl Deadline {
    fn after(time: Duration) -> Self {
        Self {
            measured: Instant::now() + time,
            of_the_day: SystemTime::now() + time,
        }
    }

    fn is_after(self, other: Self) -> bool {
        self.measured > other.measured && self.of_the_day > other.of_the_day
    }

    fn is_further_than(self, time: Duration) -> bool {
        self.is_after(Self::after(time))
    }
}

/// One message under its lease.
struct Lease {
    receipt: ReceiptHandle,
    until: Deadline,
}

/// A batch of messages that one call is made for.
type Batch = Vec<(String, ReceiptHandle)>;

/// What became of one message's change of visibility.
enum Changed {
    Done,
    /// The lease has ended, so that others may see the message.
    Lost,
    /// It may work when it is tried again.
    Failed,
    /// Trying again does not help.
    Refused,
}

/// The messages that are hidden from others on our account.
pub(super) struct Held<'a> {
    queue: &'a dyn Queue,
    leases: BTreeMap<String, Lease>,
    /// How many could not be put back.
    pub(super) left_hidden: usize,
    /// Whether a second signal ended the putting back.
    pub(super) is_cut_short: bool,
}

impl<'a> Held<'a> {
    pub(super) fn new(queue: &'a dyn Queue) -> Self {
        Self {
            queue,
            leases: BTreeMap::new(),
            left_hidden: 0,
            is_cut_short: false,
        }
    }

    pub(super) fn queue(&self) -> &'a dyn Queue {
        self.queue
    }

    /// Runs a receive that hides messages, and returns the moment at which they were hidden at the
    /// earliest, as the mark for [`Held::take`].
    pub(super) fn mark() -> Mark {
        Mark(Deadline::after(HIDDEN_MAX))
    }

    /// Takes a message that was received after the mark. Another delivery of it replaces the first.
    pub(super) fn take(&mut self, id: &str, receipt: ReceiptHandle, Mark(until): Mark) {
        self.leases.insert(id.to_owned(), Lease { receipt, until });
    }

    /// The handle of a message, if its lease lasts so long.
    pub(super) fn receipt(&self, id: &str, lasts: Duration) -> Option<&ReceiptHandle> {
        let lease = self.leases.get(id)?;
        lease.until.is_further_than(lasts).then_some(&lease.receipt)
    }

    /// The message is no longer in the queue.
    pub(super) fn forget(&mut self, id: &str) {
        self.leases.remove(id);
    }

    /// Renews those of these leases that end sooner than this.
    pub(super) async fn renew(&mut self, wanted: impl Fn(&str) -> bool, sooner_than: Duration) {
        let (now, soon) = (
            Deadline::after(Duration::ZERO),
            Deadline::after(sooner_than),
        );
        let due = self.leases.iter().filter(|(id, lease)| {
            // One that has ended may be somebody else's by now.
            lease.until.is_after(now) && !lease.until.is_after(soon) && wanted(id)
        });
        let due: Batch = due
            .map(|(id, lease)| (id.clone(), lease.receipt.clone()))
            .collect();
        let queue = self.queue;
        let calls = batches(&due).map(|batch| async move {
            let Mark(until) = Self::mark();
            (until, change(queue, batch, HIDDEN_MAX).await)
        });
        let mut answers = stream::iter(calls).buffer_unordered(CALLS_MAX);
        while let Some((until, answers)) = answers.next().await {
            for (id, changed) in answers {
                match changed {
                    Changed::Done => {
                        if let Some(lease) = self.leases.get_mut(&id) {
                            lease.until = until;
                        }
                    }
                    Changed::Lost => {
                        self.leases.remove(&id);
                    }
                    // It lasts as long as it lasts.
                    Changed::Failed | Changed::Refused => {}
                }
            }
        }
    }

    /// Makes all messages visible again but those to keep. A second signal ends that: what is still
    /// hidden then comes back by itself.
    pub(super) async fn put_back(
        &mut self,
        keep: impl Fn(&str) -> bool,
        stop: &mut Stop,
        progress: &mut Progress,
    ) {
        let leases = std::mem::take(&mut self.leases);
        let (kept, back) = leases.into_iter().partition(|(id, _)| keep(id));
        self.leases = kept;
        let mut hidden: BTreeMap<String, Lease> = back;
        if hidden.is_empty() {
            return;
        }
        let was_cut = tokio::select! {
            biased;
            () = make_visible(self.queue, &mut hidden, progress) => false,
            () = stop.told_again() => true,
        };
        drop_ended(&mut hidden);
        self.is_cut_short |= was_cut && !hidden.is_empty();
        self.left_hidden += hidden.len();
    }
}

/// Makes these visible, and takes those away that are. What fails is tried again after a pause.
async fn make_visible(
    queue: &dyn Queue,
    hidden: &mut BTreeMap<String, Lease>,
    progress: &mut Progress,
) {
    let mut pauses = Backoff::new(PAUSE, HIDDEN_MAX, Jitter::Quarter);
    let whole = hidden.len();
    let doing = |left: usize| format!("put back {} of {whole} messages", whole - left);
    for attempt in 1..=PUT_BACK_ATTEMPTS {
        if attempt > 1 {
            let pause = sleep(pauses.next_delay());
            progress.during(&doing(hidden.len()), pause).await;
        }
        drop_ended(hidden);
        let all: Batch = hidden
            .iter()
            .map(|(id, lease)| (id.clone(), lease.receipt.clone()))
            .collect();
        let calls = batches(&all).map(|batch| change(queue, batch, Duration::ZERO));
        let mut answers = stream::iter(calls).buffer_unordered(CALLS_MAX);
        let mut may_pass = false;
        while let Some(answer) = progress.during(&doing(hidden.len()), answers.next()).await {
            for (id, changed) in answer {
                match changed {
                    Changed::Done | Changed::Lost => {
                        hidden.remove(&id);
                    }
                    Changed::Failed => may_pass = true,
                    Changed::Refused => {}
                }
            }
        }
        if !may_pass {
            return;
        }
    }
}

/// Forgets those whose time has ended: they are visible, and others may have them.
fn drop_ended(hidden: &mut BTreeMap<String, Lease>) {
    let now = Deadline::after(Duration::ZERO);
    hidden.retain(|_, lease| lease.until.is_after(now));
}

/// From when on messages are hidden.
#[derive(Clone, Copy)]
pub(super) struct Mark(Deadline);

fn batches(all: &Batch) -> impl Iterator<Item = Batch> {
    all.chunks(BATCH_MAX).map(<[_]>::to_vec)
}

/// Hides the messages for this long from now.
async fn change(queue: &dyn Queue, batch: Batch, hidden: Duration) -> Vec<(String, Changed)> {
    let changes: Vec<_> = batch
        .iter()
        .map(|(_, receipt)| (receipt.clone(), hidden))
        .collect();
    // A call that fails as a whole gives no answers.
    let answers = queue.change_visibility(&changes).await;
    let is_refused = answers.as_ref().is_err_and(QueueFailure::is_definite);
    let answers = answers.unwrap_or_default();
    let of_entry = |at: usize| match answers.get(at) {
        Some(Ok(())) => Changed::Done,
        Some(Err(failure)) if failure.kind == EntryFailureKind::LeaseLost => Changed::Lost,
        _ if is_refused => Changed::Refused,
        _ => Changed::Failed,
    };
    batch
        .into_iter()
        .enumerate()
        .map(|(at, (id, _))| (id, of_entry(at)))
        .collect()
}

#[cfg(test)]
mod tests;
