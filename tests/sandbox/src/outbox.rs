//! Every mail that the local SES accepted, as JSON and as a web page. Mails to SES's own simulator, which
//! nobody reads, stand apart.

mod page;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use serde::Serialize;
use serde_json::{Value, json};

use super::ses::publisher::Told;

/// The mails that the local SES took, oldest first.
pub struct Outbox {
    mails: Mutex<Mails>,
    /// The mails to the simulator alone.
    simulated: Mutex<Mails>,
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

/// What follows the `@` of the simulator's addresses.
const SIMULATOR: &str = "simulator.amazonses.com";
/// More mails to the simulator than anybody looks at.
const MOST_SIMULATED: usize = 1000;

struct Mails {
    kept: VecDeque<StoredMail>,
    most: usize,
    taken: u64,
}

/// Whether an address is the simulator's.
pub(crate) fn is_simulated(address: &str) -> bool {
    let domain = address.rsplit_once('@').map_or("", |(_, domain)| domain);
    // The address may stand in angle brackets, behind a name.
    let domain = domain.trim_end().trim_end_matches('>');
    domain.eq_ignore_ascii_case(SIMULATOR)
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
            mails: Mutex::new(Mails::keeping(usize::MAX)),
            simulated: Mutex::new(Mails::keeping(MOST_SIMULATED)),
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

    /// How many mails to the simulator were taken since the last clearing.
    pub fn taken_simulated(&self) -> u64 {
        lock(&self.simulated).taken
    }

    /// The newest mails to the simulator, oldest first. They are in none of the other lists.
    pub fn simulated(&self) -> Vec<StoredMail> {
        lock(&self.simulated).kept.iter().cloned().collect()
    }

    /// Keeps a mail, in place of the oldest where there are too many.
    pub fn add(&self, mail: StoredMail) {
        if mail.is_simulated() {
            lock(&self.simulated).add(mail);
            return;
        }
        if let Some(observe) = self.observer.get() {
            observe(&mail);
        }
        self.lock().add(mail);
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
        let mut simulated = lock(&self.simulated);
        simulated.kept.clear();
        simulated.taken = 0;
    }

    /// `{"mails": [...], "taken": n, "simulated": [...]}`, oldest first.
    pub fn json(&self) -> Value {
        let (mails, simulated) = (self.lock(), lock(&self.simulated));
        json!({ "mails": mails.kept, "taken": mails.taken, "simulated": simulated.kept })
    }

    /// The list of mails as HTML, newest first, with what became of each.
    pub fn page(&self, told: &BTreeMap<String, Told>) -> String {
        let mails = self.lock();
        let simulated = lock(&self.simulated);
        let newest_first = mails.kept.iter().rev();
        page::list(
            newest_first,
            mails.kept.len(),
            mails.taken,
            simulated.kept.iter().rev(),
            told,
        )
    }

    /// One mail as its reader would see it, as HTML.
    pub fn mail_page(&self, id: &str, told: &BTreeMap<String, Told>) -> Option<String> {
        let (mails, simulated) = (self.lock(), lock(&self.simulated));
        let mut all = mails.kept.iter().chain(&simulated.kept);
        let mail = all.find(|mail| mail.id == id)?;
        Some(page::mail(mail, told.get(id)))
    }

    fn lock(&self) -> MutexGuard<'_, Mails> {
        lock(&self.mails)
    }
}

fn lock(mails: &Mutex<Mails>) -> MutexGuard<'_, Mails> {
    mails.lock().unwrap_or_else(PoisonError::into_inner)
}

impl StoredMail {
    /// Whether it goes to the simulator and to nobody else.
    pub fn is_simulated(&self) -> bool {
        let mut all = self.to.iter().chain(&self.cc).chain(&self.bcc).peekable();
        all.peek().is_some() && all.all(|address| is_simulated(address))
    }
}

impl Mails {
    fn keeping(most: usize) -> Self {
        Self {
            kept: VecDeque::new(),
            most,
            taken: 0,
        }
    }

    fn add(&mut self, mail: StoredMail) {
        self.kept.push_back(mail);
        self.taken += 1;
        self.shrink();
    }

    fn shrink(&mut self) {
        while self.kept.len() > self.most {
            self.kept.pop_front();
        }
    }
}
