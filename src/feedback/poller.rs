//! Receives from the feedback queue: as many receives at a time as come back full.

use std::{sync::Arc, time::Duration};

use futures_util::{StreamExt, future::join_all, stream::FuturesUnordered};
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::{
    apply::{Applier, Verdict},
    hearing::Hearing,
};
use crate::{
    backoff::Backoff,
    ports::{BATCH_MAX, ReceiveRequest, events::Feedback},
};

/// How long a receive waits for an event. SQS allows no more.
pub const WAIT: Duration = Duration::from_secs(20);
/// How long it waits while the queue is read empty: as short as a receive can wait that looks
/// everywhere, since one that does not wait asks only some of SQS's servers.
const CATCH_UP_WAIT: Duration = Duration::from_secs(1);
/// How long what was received is hidden: long enough to be applied and deleted.
const VISIBILITY: Duration = Duration::from_secs(9);
/// How long a delete may take. What is not deleted comes again, and changes nothing then.
pub const DELETE_TIMEOUT: Duration = Duration::from_secs(5);
/// At most so many receives at a time.
const RECEIVES_MAX: usize = 12;
/// After a receive that came back neither empty nor full the next waits this long, so that events, of
/// which each mail has two or three, fill batches. Nobody waits for an event by the millisecond.
const RECEIVE_LINGER: Duration = Duration::from_millis(100);
/// An empty answer that came sooner than this is followed by a pause that makes up for it.
const EMPTY_RECEIVE_MIN: Duration = Duration::from_secs(1);

pub(super) struct Poller {
    source: Feedback,
    applier: Applier,
    hearing: Arc<Hearing>,
}

/// What a receive brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Received {
    Full,
    Some,
    /// Only what stays in the queue, and not more than one receive can bring.
    Known,
    Nothing,
    Failed,
}

impl Poller {
    pub(super) fn new(source: Feedback, applier: Applier, hearing: Arc<Hearing>) -> Self {
        Self {
            source,
            applier,
            hearing,
        }
    }

    /// Reads until `stop`, and says when the queue was empty for the first time.
    pub(super) async fn run(&self, caught_up: &watch::Sender<bool>, stop: &CancellationToken) {
        let mut backoff = Backoff::retries();
        let mut wanted = 1;
        let mut delay = Duration::ZERO;
        let mut under_way = FuturesUnordered::new();
        while !stop.is_cancelled() {
            while under_way.len() < wanted {
                let wait = if *caught_up.borrow() {
                    WAIT
                } else {
                    CATCH_UP_WAIT
                };
                under_way.push(self.receive(delay, wait, stop));
            }
            let brought = under_way.next().await;
            if brought != Some(Received::Failed) {
                backoff.reset();
                delay = Duration::ZERO;
            }
            match brought {
                Some(Received::Full) => wanted = (wanted + 1).min(RECEIVES_MAX),
                Some(Received::Some) => {
                    wanted = (wanted - 1).max(1);
                    delay = RECEIVE_LINGER;
                }
                Some(brought @ (Received::Known | Received::Nothing)) => {
                    wanted = 1;
                    if brought == Received::Known {
                        delay = RECEIVE_LINGER;
                    }
                    // Another receive may be about to bring something.
                    if under_way.is_empty() {
                        caught_up.send_if_modified(|done| !std::mem::replace(done, true));
                    }
                }
                Some(Received::Failed) => {
                    wanted = 1;
                    delay = backoff.next_delay();
                    // What waiting does not help is not waited for at the start either.
                    if self.hearing.deafness().is_some() {
                        caught_up.send_if_modified(|done| !std::mem::replace(done, true));
                    }
                }
                None => {}
            }
        }
        // What was received is applied; what only waits ends at once.
        while under_way.next().await.is_some() {}
    }

    /// One receive after this delay, and all that its messages need. A stop ends its waits alone.
    async fn receive(&self, delay: Duration, wait: Duration, stop: &CancellationToken) -> Received {
        if !delay.is_zero() {
            tokio::select! {
                () = sleep(delay) => {}
                () = stop.cancelled() => return Received::Nothing,
            }
        }
        let began = Instant::now();
        let queue = &self.source.queue;
        let request = ReceiveRequest {
            max_messages: BATCH_MAX,
            wait,
            visibility: VISIBILITY,
        };
        // What comes after the stop is for the next process: nobody here waits for it any more.
        let received = tokio::select! {
            biased;
            () = stop.cancelled() => return Received::Nothing,
            received = queue.receive(request) => received,
        };
        let messages = match received {
            Ok(messages) => messages,
            Err(failure) => {
                self.hearing.not_received(failure);
                return Received::Failed;
            }
        };
        self.hearing.received();
        if messages.is_empty() {
            let spare = EMPTY_RECEIVE_MIN.saturating_sub(began.elapsed());
            tokio::select! {
                () = sleep(spare.min(wait)) => {}
                () = stop.cancelled() => {}
            }
            return Received::Nothing;
        }
        let (mut read, mut left) = (Vec::new(), Vec::new());
        // All at once, so that they share the calls on the ledger's table.
        let applying = messages.iter().map(|message| {
            let letter = (self.source.read)(&message.body);
            self.applier.apply(message, letter)
        });
        for (message, verdict) in messages.iter().zip(join_all(applying).await) {
            match verdict {
                Verdict::Delete => read.push(message.receipt.clone()),
                Verdict::Leave(hidden_for) => left.push((message.receipt.clone(), hidden_for)),
            }
        }
        // Where this fails the event comes again by itself.
        drop(queue.change_visibility(&left).await);
        // What is not deleted comes again and changes nothing then.
        match queue.delete(&read).await {
            Ok(answers) => {
                let failed = answers.iter().filter(|answer| answer.is_err()).count();
                if failed > 0 {
                    debug!("{failed} events were not deleted and will come again");
                }
            }
            Err(failure) => self.applier.delete_failed(&failure),
        }
        if messages.len() == BATCH_MAX {
            Received::Full
        } else if read.is_empty() {
            Received::Known
        } else {
            Received::Some
        }
    }
}
