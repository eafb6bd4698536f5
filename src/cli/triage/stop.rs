//! Ctrl-C and SIGTERM, which end the work but never leave messages hidden.

use std::future::pending;

use tokio::sync::mpsc;

use crate::shutdown::{INTERRUPT, Signal};

/// As a shell tells of a process that Ctrl-C ended.
const INTERRUPTED: u8 = 130;
/// The same of SIGTERM.
const TERMINATED: u8 = 143;

/// What the signals have asked for.
pub(super) struct Stop {
    signals: mpsc::UnboundedReceiver<Signal>,
    first: Option<&'static str>,
    count: u32,
}

impl Stop {
    pub(super) fn new(signals: mpsc::UnboundedReceiver<Signal>) -> Self {
        Self {
            signals,
            first: None,
            count: 0,
        }
    }

    /// Whether the work is to end.
    pub(super) fn is_told(&mut self) -> bool {
        while let Ok(signal) = self.signals.try_recv() {
            self.note(signal);
        }
        self.count > 0
    }

    /// Waits until the work is to end.
    pub(super) async fn told(&mut self) {
        self.told_times(1).await;
    }

    /// Waits until the work is to end at once, also where messages stay hidden for a while.
    pub(super) async fn told_again(&mut self) {
        self.told_times(2).await;
    }

    /// The signal that ended the work, and the exit code that tells of it.
    pub(super) fn by(&self) -> Option<(&'static str, u8)> {
        let name = self.first?;
        let code = if name == INTERRUPT {
            INTERRUPTED
        } else {
            TERMINATED
        };
        Some((name, code))
    }

    async fn told_times(&mut self, times: u32) {
        while self.count < times {
            match self.signals.recv().await {
                Some(signal) => self.note(signal),
                None => pending().await,
            }
        }
    }

    fn note(&mut self, signal: Signal) {
        if let Some(name) = signal.stops() {
            self.first.get_or_insert(name);
            self.count += 1;
        }
    }
}
