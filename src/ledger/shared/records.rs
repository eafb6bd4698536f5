//! The mails that are to be recorded as sent, each once, in the order in which they were sent.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use tokio::{sync::oneshot, time::Instant};

use crate::ports::table::{RECORDS_MAX, SentMail};

/// A mail that was sent and is to be recorded, and who waits for that.
pub(super) struct Record {
    pub(super) mail: SentMail,
    waiting: Vec<oneshot::Sender<()>>,
}

impl Record {
    /// It stands in the table: whoever waits for that learns it.
    pub(super) fn stands(self) {
        for waiting in self.waiting {
            // Whoever waited may have gone on.
            waiting.send(()).ok();
        }
    }
}

/// Records that wait for their call.
#[derive(Default)]
pub(super) struct Records {
    order: VecDeque<Arc<str>>,
    /// Since when the first has waited at most.
    since: Option<Instant>,
    of: HashMap<Arc<str>, Record>,
}

impl Records {
    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    /// Since when the first has waited at most, where there are any.
    pub(super) fn waiting_since(&self) -> Option<Instant> {
        self.since.filter(|_| !self.order.is_empty())
    }

    /// Adds a mail. Where it waits already, one record does for both.
    pub(super) fn push(&mut self, mail: SentMail, waiting: oneshot::Sender<()>) {
        if let Some(record) = self.of.get_mut(&*mail.key) {
            record.waiting.push(waiting);
            return;
        }
        self.since.get_or_insert_with(Instant::now);
        let key = Arc::<str>::from(&*mail.key);
        self.order.push_back(Arc::clone(&key));
        let waiting = vec![waiting];
        self.of.insert(key, Record { mail, waiting });
    }

    /// Takes the next records of one call.
    pub(super) fn take(&mut self) -> Vec<Record> {
        let many = self.order.len().min(RECORDS_MAX);
        self.since = (self.order.len() > many).then(Instant::now);
        let keys = self.order.drain(..many);
        keys.filter_map(|key| self.of.remove(&key)).collect()
    }

    /// Puts back what was taken and not written: it is next again.
    pub(super) fn put_back(&mut self, record: Record) {
        if let Some(newer) = self.of.get_mut(&*record.mail.key) {
            newer.waiting.extend(record.waiting);
            return;
        }
        self.since.get_or_insert_with(Instant::now);
        let key = Arc::<str>::from(&*record.mail.key);
        self.order.push_front(Arc::clone(&key));
        self.of.insert(key, record);
    }

    /// Forgets the one that waits longest. Whoever waits for it learns that nobody will tell.
    pub(super) fn drop_oldest(&mut self) {
        if let Some(key) = self.order.pop_front() {
            self.of.remove(&key);
        }
    }
}
