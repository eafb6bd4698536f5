//! The reader of the mail service's events as a task of the daemon's.

use std::{pin::pin, sync::Arc};

use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    config::Settings,
    feedback::{self, Hearing, Reader},
    ledger::Ledger,
    pipeline::drain::Drain,
    ports::{World, queue_name},
    telemetry::Instruments,
};

/// Events are read until this is stopped or dropped.
pub(super) struct Reading {
    reader: Arc<Reader>,
    hearing: Arc<Hearing>,
    stop: DropGuard,
    task: JoinHandle<()>,
}

impl Reading {
    /// Begins to read, where a feedback queue is configured. It ends by itself when the sends under way
    /// are given up: from then on an event is for the process that receives its message again.
    pub(super) fn start(
        world: &World,
        settings: &Settings,
        ledger: &Arc<dyn Ledger>,
        instruments: &Arc<Instruments>,
        drain: &Arc<Drain>,
    ) -> Option<Self> {
        let source = world.feedback.clone()?;
        let url = settings.feedback.queue_url.as_deref()?;
        let patience = settings.feedback.patience;
        let hearing = Arc::new(match settings.ledger.table {
            Some(_) => Hearing::among_others(patience),
            None => Hearing::new(patience),
        });
        let reader = Reader::new(feedback::Parts {
            source,
            name: queue_name(url).to_owned(),
            queue: queue_name(&settings.queue.url).to_owned(),
            ledger: Arc::clone(ledger),
            hearing: Arc::clone(&hearing),
            instruments: Arc::clone(instruments),
        });
        let stop = CancellationToken::new();
        let task = tokio::spawn({
            let (reader, stop, drain) = (Arc::clone(&reader), stop.clone(), Arc::clone(drain));
            async move {
                let mut reading = pin!(reader.run(stop.clone()));
                tokio::select! {
                    () = &mut reading => return,
                    () = drain.wait_abandon() => stop.cancel(),
                }
                reading.await;
            }
        });
        Some(Self {
            reader,
            hearing,
            stop: stop.drop_guard(),
            task,
        })
    }

    /// Waits until what had arrived before has been read, but not for long.
    pub(super) async fn caught_up(&self) {
        self.reader.caught_up().await;
    }

    /// What is known of whether events arrive.
    pub(super) fn hearing(&self) -> Arc<Hearing> {
        Arc::clone(&self.hearing)
    }

    /// Ends the reading. What was received by now is applied first.
    pub(super) async fn stop(self) {
        drop(self.stop);
        // It does not panic, and nobody aborts it.
        drop(self.task.await);
    }
}
