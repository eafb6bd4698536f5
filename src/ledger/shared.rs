//! The ledger that all tasks share: a table, with this process's memory in front of it.
//!
//! A mail is claimed right before each send, under an id that the claim alone has, and recorded as sent
//! before its message is deleted. A claim ends by itself. It lasts as long as the send that it is for
//! and the wait for that send's event may take, and longer by what clocks may differ: whoever takes a
//! mail over then knows no less than the process that claimed it. While the table fails, mails go on
//! what the memory knows.

mod claims;
mod guard;
mod reach;
mod records;
mod writer;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use self::{
    guard::SharedGuard,
    reach::Reach,
    writer::{Writer, within},
};
use super::{Heard, Hits, KnownTo, Ledger, MemoryLedger, SendGuard};
use crate::{
    ports::table::{Known, LedgerTable},
    telemetry::Instruments,
    timing::TABLE_CALL_TIMEOUT,
};

/// A send begins within this time after its claim was asked for, or needs another claim.
const CLAIM_COUNTS_FOR: Duration = Duration::from_secs(3);
/// How far two tasks' notions of the table's time may differ.
const CLOCKS_DIFFER_BY: Duration = Duration::from_secs(5);
/// How long an event waits for what it says to stand in the table. It comes again if that takes longer.
const EVENT_WAITS: Duration = Duration::from_secs(4);
/// What a stop leaves to what is still to be written.
const LAST_WRITES: Duration = Duration::from_millis(500);

/// What a shared ledger needs.
pub struct Parts {
    /// The table.
    pub table: Arc<dyn LedgerTable>,
    /// The name of the queue that we work for. Siblings that work for another may share the table, and do
    /// not meet in it.
    pub queue: String,
    /// How long a send may take until its outcome is known or unknown.
    pub longest_send: Duration,
    /// How long the event of a mail may take; zero where no events are read.
    pub event_patience: Duration,
    /// How long a mail waits for a table that fails; `None` waits as long as it takes.
    pub patience: Option<Duration>,
    /// What it is watched with.
    pub instruments: Arc<Instruments>,
}

/// Remembers what was sent for all tasks. Clones are the same ledger.
#[derive(Clone)]
pub struct SharedLedger(Arc<Shared>);

struct Shared {
    memory: MemoryLedger,
    table: Arc<dyn LedgerTable>,
    queue: String,
    reach: Arc<Reach>,
    writer: Writer,
    claim_lasts: Duration,
    instruments: Arc<Instruments>,
    hits: AtomicU64,
}

impl SharedLedger {
    /// A ledger over this table, whose memory is empty. It needs [`SharedLedger::run`].
    pub fn new(parts: Parts) -> Self {
        let reach = Arc::new(Reach::new(parts.table.name(), parts.patience));
        Self(Arc::new(Shared {
            memory: MemoryLedger::default(),
            writer: Writer::new(Arc::clone(&parts.table), Arc::clone(&reach)),
            table: parts.table,
            queue: parts.queue,
            reach,
            claim_lasts: CLAIM_COUNTS_FOR
                + parts.longest_send
                + parts.event_patience
                + CLOCKS_DIFFER_BY,
            instruments: parts.instruments,
            hits: AtomicU64::new(0),
        }))
    }

    /// Goes without the table until it answers, for the reason that stands in this text.
    pub fn set_aside(&self, said: String) {
        self.0.reach.set_aside(said);
        // It may have been a moment's trouble.
        self.0.writer.probe_now();
    }

    /// Writes what was sent to the table, until `stop` and a moment longer.
    pub async fn run(&self, stop: CancellationToken) {
        let late = async {
            stop.cancelled().await;
            sleep(LAST_WRITES).await;
        };
        tokio::select! {
            () = self.0.writer.run(&stop) => {}
            () = late => {}
        }
        let waiting = self.0.writer.waiting();
        if waiting > 0 {
            warn!(
                "{waiting} sent mails were not written to the ledger's table {}: if their messages come \
                 again, another task can mail them again",
                self.0.table.name()
            );
        }
    }
}

impl Shared {
    /// Tells the table that a mail was sent, where it does not say so, and returns the id that stood there.
    async fn tell(&self, key: &str, email_id: &str) -> (Heard, Option<String>) {
        let Self { reach, writer, .. } = self;
        let heard = |known| Heard {
            sent_twice: false,
            known,
        };
        if reach.is_aside() {
            // Written with the rest once the table answers, and the event comes again until then.
            drop(writer.record(key, email_id));
            return (heard(KnownTo::ThisTask), None);
        }
        let look = timeout(EVENT_WAITS, writer.look(key));
        if let Ok(Some(Known::Sent { email_id })) = look.await {
            return (heard(KnownTo::All), email_id);
        }
        if within(EVENT_WAITS, writer.record(key, email_id)).await {
            (heard(KnownTo::All), None)
        } else {
            (heard(KnownTo::ThisTask), None)
        }
    }
}

/// What the table knows a mail of this queue by.
pub fn table_key(queue: &str, key: &str) -> String {
    format!("{queue}#{key}")
}

#[async_trait]
impl Ledger for SharedLedger {
    async fn begin(&self, key: &str) -> Option<Box<dyn SendGuard>> {
        let memory = self.0.memory.begin(key).await?;
        Some(Box::new(SharedGuard::new(Arc::clone(&self.0), memory, key)))
    }

    async fn hear(&self, key: &str, email_id: &str) -> Heard {
        let Shared { memory, queue, .. } = &*self.0;
        let Heard { sent_twice, .. } = memory.hear(key, email_id).await;
        let mut heard = self.0.tell(&table_key(queue, key), email_id).await;
        // Another task may have recorded another id.
        if let Some(other) = heard.1 {
            heard.0.sent_twice |= memory.hear(key, &other).await.sent_twice;
        }
        heard.0.sent_twice |= sent_twice;
        heard.0
    }

    async fn hear_sibling(&self, queue: &str, key: &str, email_id: &str) -> Option<Heard> {
        let (mut heard, other) = self.0.tell(&table_key(queue, key), email_id).await;
        let is_other = other.is_some_and(|other| other != email_id);
        heard.sent_twice = is_other
            && self
                .0
                .memory
                .is_new_second(&table_key(queue, key), email_id);
        Some(heard)
    }

    fn claim_takes(&self) -> Duration {
        TABLE_CALL_TIMEOUT
    }

    async fn is_sent(&self, key: &str) -> bool {
        self.0.memory.is_sent(key).await
    }

    fn size(&self) -> usize {
        self.0.memory.size()
    }

    fn hits(&self) -> Hits {
        Hits {
            table: self.0.hits.load(Ordering::Relaxed),
            ..self.0.memory.hits()
        }
    }

    fn without_table(&self) -> Option<Duration> {
        self.0.reach.aside_for()
    }
}

#[cfg(test)]
mod tests;
