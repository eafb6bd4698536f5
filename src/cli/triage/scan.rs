//! Receives messages, says what would become of each, and puts them back.

use std::{
    collections::HashSet,
    time::{Duration, SystemTime},
};

use serde::Serialize;
use tokio::{sync::mpsc, time::Instant};

use crate::{
    cli::verdict::Verdict,
    notification::{Composer, Template},
    ports::{BATCH_MAX, Queue, ReceiptHandle, ReceiveRequest, ReceivedMessage},
    shutdown::Signal,
};

/// How long a message stays hidden at most if this process dies.
pub(super) const HIDDEN_MAX: Duration = Duration::from_mins(10);
/// The scan ends after this time. So the first message is put back before it comes back by itself
/// and is seen twice.
const SCAN_TIME_MAX: Duration = Duration::from_mins(9);
/// A wait, however short, makes SQS ask all of its servers; without one it asks a few.
const RECEIVE_WAIT: Duration = Duration::from_secs(1);
/// How often putting back is tried.
const PUT_BACK_ATTEMPTS: u32 = 3;

/// What a scan needs.
pub(super) struct Scanner<'a> {
    pub(super) queue: &'a dyn Queue,
    pub(super) composer: &'a Composer,
    pub(super) template: &'a Template,
    /// How long the queue keeps a message; zero where that is not known.
    pub(super) retention: Duration,
    /// The most receives of a message.
    pub(super) limit: usize,
}

/// One message as the queue gave it.
pub(super) struct ScannedMessage {
    pub(super) id: String,
    pub(super) receive_count: u32,
    /// The time since it was first sent; `None` where the queue does not say.
    pub(super) age: Option<Duration>,
    /// The time until the queue forgets it.
    pub(super) left: Option<Duration>,
    pub(super) verdict: Verdict,
}

/// Why a scan ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum End {
    /// The queue had nothing more.
    Emptied,
    /// The limit was reached; there may be more.
    Limit,
    /// It took too long; there may be more.
    OutOfTime,
    /// A signal came, or nobody reads the output any more.
    Interrupted,
    /// A receive failed, for this reason.
    Failed(#[serde(skip)] String),
}

/// What a scan found.
pub(super) struct Scan {
    pub(super) messages: Vec<ScannedMessage>,
    pub(super) end: End,
    /// How many messages could not be put back.
    pub(super) left_hidden: usize,
}

impl Scanner<'_> {
    /// Receives until there is nothing more, the limit or a signal, then makes every message
    /// visible again. `show` gets each message at once, and ends the scan by `false`.
    pub(super) async fn scan(
        &self,
        signals: &mut mpsc::UnboundedReceiver<Signal>,
        mut show: impl FnMut(&ScannedMessage) -> bool,
    ) -> Scan {
        let began = Instant::now();
        let mut held = Vec::new();
        let mut ids = HashSet::new();
        let mut messages = Vec::new();
        let mut has_reader = true;
        let end = loop {
            if is_told_to_stop(signals) || !has_reader {
                break End::Interrupted;
            }
            // Counted by receives, not by messages: one that comes twice is held twice.
            let left = self.limit.saturating_sub(held.len());
            if left == 0 {
                break End::Limit;
            }
            if began.elapsed() >= SCAN_TIME_MAX {
                break End::OutOfTime;
            }
            let request = ReceiveRequest {
                max_messages: left.min(BATCH_MAX),
                wait: RECEIVE_WAIT,
                visibility: HIDDEN_MAX,
            };
            // A signal does not end the receive: what it brings would stay hidden, and nobody would
            // put it back.
            let received = match self.queue.receive(request).await {
                Ok(received) if received.is_empty() => break End::Emptied,
                Ok(received) => received,
                Err(failure) => {
                    break End::Failed(format!(
                        "the scan ended early, since the queue \
                                                           cannot be received from: {failure}"
                    ));
                }
            };
            for message in received {
                held.push(message.receipt.clone());
                if ids.insert(message.id.clone()) {
                    let message = self.judge(message);
                    has_reader = has_reader && show(&message);
                    messages.push(message);
                }
            }
        };
        Scan {
            messages,
            end,
            left_hidden: self.put_back(held).await,
        }
    }

    fn judge(&self, message: ReceivedMessage) -> ScannedMessage {
        let age = message
            .sent_at
            .map(|sent| SystemTime::now().duration_since(sent).unwrap_or_default());
        let left = |age| self.retention.saturating_sub(age);
        ScannedMessage {
            age,
            left: age.map(left).filter(|_| !self.retention.is_zero()),
            verdict: Verdict::of(&message.body, self.composer, self.template),
            id: message.id,
            receive_count: message.receive_count,
        }
    }

    /// Makes messages visible again and returns how many are left hidden.
    async fn put_back(&self, mut hidden: Vec<ReceiptHandle>) -> usize {
        for _ in 0..PUT_BACK_ATTEMPTS {
            let mut failed = Vec::new();
            for batch in hidden.chunks(BATCH_MAX) {
                let changes: Vec<_> = batch
                    .iter()
                    .map(|receipt| (receipt.clone(), Duration::ZERO))
                    .collect();
                // A call that fails as a whole gives no answers.
                let answers = self.queue.change_visibility(&changes).await;
                let answers = answers.unwrap_or_default();
                for (at, receipt) in batch.iter().enumerate() {
                    if !matches!(answers.get(at), Some(Ok(()))) {
                        failed.push(receipt.clone());
                    }
                }
            }
            hidden = failed;
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
