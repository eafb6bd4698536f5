//! What is written to standard output, in a thread of its own: a reader who stands still, as in `… | less`,
//! must not keep signals from being seen.

use std::{fmt::Display, time::Duration};

use tokio::{
    task::{JoinHandle, spawn_blocking},
    time::sleep,
};

use super::stop::Stop;
use crate::cli::output::{Unwritten, print};

/// After a signal a reader has this time to show that it reads.
const GRACE: Duration = Duration::from_millis(500);

/// The results on their way to standard output, in their order.
pub(super) struct Results {
    /// Whether they could be written so far. After one that could not, none is.
    state: Result<(), Unwritten>,
    under_way: Option<JoinHandle<Result<(), Unwritten>>>,
    /// The lines behind it.
    waiting: Vec<String>,
}

impl Results {
    pub(super) fn new() -> Self {
        Self {
            state: Ok(()),
            under_way: None,
            waiting: Vec::new(),
        }
    }

    /// Whether what was written so far could be.
    pub(super) fn state(&self) -> &Result<(), Unwritten> {
        &self.state
    }

    /// Writes a result and a line's end, and waits for that. After a signal it does not wait for a reader
    /// who stands still: there are messages to be put back. [`Results::finish`] does.
    pub(super) async fn write(&mut self, result: impl Display, stop: &mut Stop) {
        self.waiting.push(result.to_string());
        let stands_still = self.under_way.is_some();
        tokio::select! {
            biased;
            () = self.written() => {}
            () = async {
                stop.told().await;
                if !stands_still {
                    sleep(GRACE).await;
                }
            } => {}
        }
    }

    /// Waits until all is written, or a second signal ends that. Returns whether all is, and whether it
    /// could be.
    pub(super) async fn finish(mut self, stop: &mut Stop) -> (bool, Result<(), Unwritten>) {
        let is_through = tokio::select! {
            biased;
            () = self.written() => true,
            () = async {
                stop.told_again().await;
                sleep(GRACE).await;
            } => false,
        };
        (is_through, self.state)
    }

    /// Waits until nothing is left to be written. What is under way goes on where nobody waits for it.
    async fn written(&mut self) {
        loop {
            if let Some(under_way) = &mut self.under_way {
                // One that panicked has written nothing, which its message tells.
                let written = under_way.await.unwrap_or_else(|panicked| {
                    Err(Unwritten::Failed(std::io::Error::other(panicked)))
                });
                self.under_way = None;
                self.state = written;
            }
            if self.state.is_err() {
                self.waiting.clear();
            }
            if self.waiting.is_empty() {
                return;
            }
            let lines = std::mem::take(&mut self.waiting).join("\n");
            self.under_way = Some(spawn_blocking(move || print(lines)));
        }
    }
}
