//! Receives, judges and puts back.

use std::{
    collections::HashSet,
    time::{Duration, SystemTime},
};

use tokio::{sync::mpsc, time::Instant};

use crate::{
    cli::verdict::Verdict,
    notification::{Composer, Template},
    ports::{BATCH_MAX, Queue, ReceiptHandle, ReceiveRequest, ReceivedMessage},
    shutdown::Signal,
};

/// How long a message is hidden at most, should this process die.
pub(super) const HIDDEN: Duration = Duration::from_mins(10);
/// Looking ends after this, so that the first message is put back before it comes back by itself
/// and is seen twice.
const LOOK_FOR: Duration = Duration::from_mins(9);
/// A wait, however short, makes SQS ask all of its servers; without one it asks a few.
const WAIT: Duration = Duration::from_secs(1);
/// How often putting back is tried.
const ATTEMPTS: u32 = 3;

/// What a look needs.
pub(super) struct Looking<'a> {
    pub(super) queue: &'a dyn Queue,
    pub(super) composer: &'a Composer,
    pub(super) template: &'a Template,
    pub(super) retention: Duration,
    pub(super) limit: usize,
}

/// One message as it was seen.
pub(super) struct Seen {
    pub(super) id: String,
    pub(super) receive_count: u32,
    /// Since it was first sent; `None` where the queue does not say.
    pub(super) age: Option<Duration>,
    /// Until the queue forgets it.
    pub(super) left: Option<Duration>,
    pub(super) verdict: Verdict,
}

/// Why a look ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// There was nothing more.
    Emptied,
    /// There may be more.
    Limit,
    /// It took too long; there may be more.
    OutOfTime,
    /// By a signal, or for want of a reader.
    Interrupted,
    /// A receive failed.
    Failed,
}

/// What a look brought.
pub(super) struct Looked {
    pub(super) messages: Vec<Seen>,
    pub(super) end: End,
    /// Why receiving failed, where it did.
    pub(super) failure: Option<String>,
    pub(super) not_put_back: usize,
}

impl Looking<'_> {
    /// Looks until there is nothing more, the limit or a signal, then makes every message visible
    /// again. `told` gets each message as it is seen, and ends the look by `false`.
    pub(super) async fn look(
        &self,
        signals: &mut mpsc::UnboundedReceiver<Signal>,
        mut told: impl FnMut(&Seen) -> bool,
    ) -> Looked {
        let began = Instant::now();
        let mut held = Vec::new();
        let mut ids = HashSet::new();
        let mut messages = Vec::new();
        let mut failure = None;
        let mut heard = true;
        let end = loop {
            // Counted by receives, not by messages: one that comes twice is held twice.
            let left = self.limit.saturating_sub(held.len());
            if is_told_to_stop(signals) || !heard {
                break End::Interrupted;
            }
            if left == 0 {
                break End::Limit;
            }
            if began.elapsed() >= LOOK_FOR {
                break End::OutOfTime;
            }
            let request = ReceiveRequest {
                max_messages: left.min(BATCH_MAX),
                wait: WAIT,
                visibility: HIDDEN,
            };
            // Never dropped midway: what it brings would stay hidden with nobody to put it back.
            let received = match self.queue.receive(request).await {
                Ok(received) => received,
                Err(failed) => {
                    failure = Some(format!("receiving failed: {failed}"));
                    break End::Failed;
                }
            };
            if received.is_empty() {
                break End::Emptied;
            }
            for message in received {
                held.push(message.receipt.clone());
                if ids.insert(message.id.clone()) {
                    let seen = self.judge(message);
                    heard = heard && told(&seen);
                    messages.push(seen);
                }
            }
        };
        Looked {
            messages,
            end,
            failure,
            not_put_back: self.put_back(held).await,
        }
    }

    fn judge(&self, message: ReceivedMessage) -> Seen {
        let age = message
            .sent_at
            .map(|sent| SystemTime::now().duration_since(sent).unwrap_or_default());
        let retention = Some(self.retention).filter(|retention| !retention.is_zero());
        Seen {
            age,
            left: age
                .zip(retention)
                .map(|(age, retention)| retention.saturating_sub(age)),
            verdict: Verdict::of(&message.body, self.composer, self.template),
            id: message.id,
            receive_count: message.receive_count,
        }
    }

    /// Makes messages visible again and returns how many are left hidden.
    async fn put_back(&self, held: Vec<ReceiptHandle>) -> usize {
        let mut hidden = held;
        for _ in 0..ATTEMPTS {
            let mut failed = Vec::new();
            for batch in hidden.chunks(BATCH_MAX) {
                let changes: Vec<_> = batch
                    .iter()
                    .map(|receipt| (receipt.clone(), Duration::ZERO))
                    .collect();
                match self.queue.change_visibility(&changes).await {
                    Ok(answers) => failed.extend(
                        batch
                            .iter()
                            .zip(answers)
                            .filter(|(_, answer)| answer.is_err())
                            .map(|(receipt, _)| receipt.clone()),
                    ),
                    Err(_) => failed.extend_from_slice(batch),
                }
            }
            hidden = failed;
            if hidden.is_empty() {
                break;
            }
        }
        hidden.len()
    }
}

fn is_told_to_stop(signals: &mut mpsc::UnboundedReceiver<Signal>) -> bool {
    while let Ok(signal) = signals.try_recv() {
        if matches!(signal, Signal::Stop(_)) {
            return true;
        }
    }
    false
}
