//! Whether mails get out: what waits for its mail, when one was accepted last, and what failed last.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio::time::Instant;

use super::breaker::Said;
use crate::mutex::Mutex;

/// Messages that wait for this long without any mail being accepted are in a silence.
const SILENT_AFTER: Duration = Duration::from_mins(1);

/// What the workers say of their messages, to be read at any time.
#[derive(Debug, Default)]
pub(crate) struct Progress(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Since when each message without an outcome has been worked on, in the order they came.
    waiting: BTreeMap<u64, Instant>,
    next: u64,
    /// When a mail of a message was accepted last. A witness is none.
    accepted_at: Option<Instant>,
    /// What failed last since then, while something waits.
    failure: Option<Said>,
}

/// One message as waiting, until dropped.
pub(crate) struct Waiting {
    progress: Arc<Progress>,
    number: u64,
}

/// Messages are held and no mail is accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Silence {
    /// For how long both has been so.
    pub(crate) lasts: Duration,
    /// How many messages wait.
    pub(crate) held: usize,
    /// For how long the oldest of them has.
    pub(crate) oldest: Duration,
    /// What failed last, if anything did.
    pub(crate) failure: Option<Said>,
}

impl Progress {
    /// A message waits for its mail until what this returns is dropped.
    pub(crate) fn wait(self: &Arc<Self>) -> Waiting {
        let mut state = self.0.lock();
        let number = state.next;
        state.next += 1;
        state.waiting.insert(number, Instant::now());
        Waiting {
            progress: Arc::clone(self),
            number,
        }
    }

    /// A message's mail was accepted.
    pub(crate) fn accepted(&self) {
        let mut state = self.0.lock();
        state.accepted_at = Some(Instant::now());
        state.failure = None;
    }

    /// A send failed, or a mail could not be written yet.
    pub(crate) fn failed(&self, said: Said) {
        self.0.lock().failure = Some(said);
    }

    /// The silence, once it has lasted for a minute.
    pub(crate) fn silence(&self) -> Option<Silence> {
        let state = self.0.lock();
        let oldest = state.waiting.values().next()?.elapsed();
        let unaccepted = state.accepted_at.map(|at| at.elapsed());
        let lasts = unaccepted.map_or(oldest, |unaccepted| unaccepted.min(oldest));
        (lasts >= SILENT_AFTER).then(|| Silence {
            lasts,
            held: state.waiting.len(),
            oldest,
            failure: state.failure.clone(),
        })
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut state = self.progress.0.lock();
        state.waiting.remove(&self.number);
        if state.waiting.is_empty() {
            state.failure = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn said(code: &str) -> Said {
        Said {
            code: code.to_owned(),
            text: format!("{code}: later"),
            obstacle: None,
            remedy: None,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_that_waits_for_a_minute_without_an_acceptance_is_a_silence() {
        let progress = Arc::new(Progress::default());
        progress.accepted();
        advance(SILENT_AFTER * 60).await;
        assert_eq!(progress.silence(), None, "nothing waits");
        let first = progress.wait();
        progress.failed(said("first"));
        progress.failed(said("last"));
        advance(Duration::from_secs(59)).await;
        let _second = progress.wait();
        assert_eq!(progress.silence(), None);
        advance(SECOND).await;
        let silence = Silence {
            lasts: SILENT_AFTER,
            held: 2,
            oldest: SILENT_AFTER,
            failure: Some(said("last")),
        };
        assert_eq!(progress.silence(), Some(silence));
        drop(first);
        assert_eq!(progress.silence(), None, "the other came a second ago");
    }

    #[tokio::test(start_paused = true)]
    async fn an_acceptance_ends_a_silence_and_the_next_counts_from_it() {
        let progress = Arc::new(Progress::default());
        let _waiting = progress.wait();
        progress.failed(said("old"));
        advance(SILENT_AFTER * 2).await;
        progress.accepted();
        assert_eq!(progress.silence(), None);
        advance(SILENT_AFTER).await;
        let silence = progress.silence().unwrap();
        assert_eq!(silence.lasts, SILENT_AFTER);
        assert_eq!(silence.oldest, SILENT_AFTER * 3);
        assert_eq!(silence.failure, None, "the mail service has accepted since");
    }

    #[tokio::test(start_paused = true)]
    async fn what_failed_for_messages_that_are_gone_is_not_told_of_later_ones() {
        let progress = Arc::new(Progress::default());
        let gone = progress.wait();
        progress.failed(said("old"));
        drop(gone);
        let _waiting = progress.wait();
        advance(SILENT_AFTER).await;
        assert_eq!(progress.silence().unwrap().failure, None);
    }
}
