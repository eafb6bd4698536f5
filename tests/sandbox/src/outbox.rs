//! Every mail that the local SES accepted, as JSON and as a web page.

mod page;

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use serde::Serialize;
use serde_json::{Value, json};

/// The mails that the local SES took, oldest first.
pub struct Outbox {
    mails: Mutex<Mails>,
    observer: OnceLock<Box<Observer>>,
}

type Observer = dyn Fn(&StoredMail) + Send + Sync;

/// A mail as it would go out, whole.
#[derive(Clone, Default, Serialize)]
pub struct StoredMail {
    /// The message id that SES answered with.
    pub id: String,
    /// When SES took it, in milliseconds since the Unix epoch.
    pub time_millis: u64,
    /// When SES took it, as RFC 3339 with milliseconds.
    pub time: String,
    /// The sender as given, display name included.
    pub from: String,
    /// Recipients, as given.
    pub to: Vec<String>,
    /// Recipients of copies.
    pub cc: Vec<String>,
    /// Recipients that the others do not see.
    pub bcc: Vec<String>,
    /// Where answers go.
    pub reply_to: Vec<String>,
    /// The subject, decoded.
    pub subject: String,
    /// The HTML part.
    pub html: Option<String>,
    /// The text part.
    pub text: Option<String>,
    /// Simple content: the custom headers. Raw content: all headers, unfolded.
    pub headers: Vec<(String, String)>,
    /// The email tags, which a configuration set's events would carry.
    pub tags: Vec<(String, String)>,
    /// The configuration set that was named.
    pub configuration_set: Option<String>,
    /// The names of attached files; their contents are not kept.
    pub attachments: Vec<String>,
}

struct Mails {
    kept: VecDeque<StoredMail>,
    most: usize,
    taken: u64,
}

impl Default for Outbox {
    fn default() -> Self {
        Self::new()
    }
}

impl Outbox {
    /// No mails yet.
    pub fn new() -> Self {
        Self {
            mails: Mutex::new(Mails {
                kept: VecDeque::new(),
                most: usize::MAX,
                taken: 0,
            }),
            observer: OnceLock::new(),
        }
    }

    /// Keeps only the newest `most` mails from now on, for runs that send more than memory holds.
    pub fn keep_at_most(&self, most: usize) {
        let mut mails = self.lock();
        mails.most = most;
        mails.shrink();
    }

    /// Shows every mail to `observer` from now on, as it is taken and before its sender is
    /// answered: a run too long to be kept can be looked at whole. The first observer stays.
    pub fn observe(&self, observer: impl Fn(&StoredMail) + Send + Sync + 'static) {
        self.observer.get_or_init(|| Box::new(observer));
    }

    /// How many mails were taken since the last clearing, those dropped since included.
    pub fn taken(&self) -> u64 {
        self.lock().taken
    }

    /// Keeps a mail, in place of the oldest where there are too many.
    pub fn add(&self, mail: StoredMail) {
        if let Some(observe) = self.observer.get() {
            observe(&mail);
        }
        let mut mails = self.lock();
        mails.kept.push_back(mail);
        mails.taken += 1;
        mails.shrink();
    }

    /// The mails kept, oldest first.
    pub fn mails(&self) -> Vec<StoredMail> {
        self.lock().kept.iter().cloned().collect()
    }

    /// Forgets every mail.
    pub fn clear(&self) {
        let mut mails = self.lock();
        mails.kept.clear();
        mails.taken = 0;
    }

    /// `{"mails": [...], "taken": n}`, oldest first.
    pub fn json(&self) -> Value {
        let mails = self.lock();
        json!({ "mails": mails.kept, "taken": mails.taken })
    }

    /// The list of mails as HTML, newest first.
    pub fn page(&self) -> String {
        let mails = self.lock();
        page::list(mails.kept.iter().rev(), mails.kept.len(), mails.taken)
    }

    /// One mail as its reader would see it, as HTML.
    pub fn mail_page(&self, id: &str) -> Option<String> {
        let mails = self.lock();
        mails.kept.iter().find(|mail| mail.id == id).map(page::mail)
    }

    fn lock(&self) -> MutexGuard<'_, Mails> {
        self.mails.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Mails {
    fn shrink(&mut self) {
        while self.kept.len() > self.most {
            self.kept.pop_front();
        }
    }
}
