//! The ledger that all tasks share, with the task that writes it.

use std::{sync::Arc, time::Duration};

use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    config::Settings,
    ledger::{self, Ledger, MemoryLedger, SharedLedger},
    ports::{World, queue_name},
    telemetry::{Instruments, measured_ports::Measured},
    timing::longest_send,
};

/// Remembers what is sent, in this process and, where one is configured, in the table.
pub(super) struct Recording {
    pub(super) ledger: Arc<dyn Ledger>,
    shared: Option<Writing>,
}

/// Writes to the table until this is stopped or dropped.
struct Writing {
    ledger: SharedLedger,
    stop: DropGuard,
    task: JoinHandle<()>,
}

impl Recording {
    /// Begins with an empty memory.
    pub(super) fn start(
        world: &World,
        settings: &Settings,
        instruments: &Arc<Instruments>,
    ) -> Self {
        let Some(table) = world.table.clone() else {
            return Self {
                ledger: Arc::new(MemoryLedger::default()),
                shared: None,
            };
        };
        let ledger = SharedLedger::new(ledger::Parts {
            table: Arc::new(Measured::new(table, Arc::clone(instruments))),
            queue: queue_name(&settings.queue.url).to_owned(),
            longest_send: longest_send(settings.email.timeout),
            event_patience: match settings.feedback.queue_url {
                Some(_) => settings.feedback.patience,
                None => Duration::ZERO,
            },
            patience: settings.ledger.patience,
            instruments: Arc::clone(instruments),
        });
        let stop = CancellationToken::new();
        let task = tokio::spawn({
            let (ledger, stop) = (ledger.clone(), stop.clone());
            async move { ledger.run(stop).await }
        });
        Self {
            ledger: Arc::new(ledger.clone()),
            shared: Some(Writing {
                ledger,
                stop: stop.drop_guard(),
                task,
            }),
        }
    }

    /// The table cannot be used as yet, for this reason.
    pub(super) fn set_aside(&self, said: String) {
        if let Some(shared) = &self.shared {
            shared.ledger.set_aside(said);
        }
    }

    /// Ends the writing. What is to be written by now is written first.
    pub(super) async fn stop(self) {
        if let Some(Writing { stop, task, .. }) = self.shared {
            drop(stop);
            // It does not panic, and nobody aborts it.
            drop(task.await);
        }
    }
}
