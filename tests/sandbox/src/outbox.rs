//! Every mail that the local SES accepted, as JSON and as a web page. Mails to SES's own simulator, which
//! nobody reads, stand apart, and so do the latest requests that were refused.

mod page;
pub(crate) mod refused;
pub(crate) mod routes;
mod search;
mod source;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use axum::body::Bytes;
use serde::Serialize;
use serde_json::{Value, json};

pub use self::refused::Refused;

use self::refused::Refusals;
use self::search::Search;
use super::lock;

/// The mails that the local SES took, oldest first.
pub struct Outbox {
    mails: Mutex<Mails>,
    /// The mails to the simulator alone.
    simulated: Mutex<Mails>,
    refusals: Mutex<Refusals>,
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
    /// The names of attached files.
    pub attachments: Vec<String>,
    /// Raw content as it was given; not in the JSON.
    #[serde(skip)]
    pub raw: Option<Bytes>,
    /// The files attached to simple content; not in the JSON.
    #[serde(skip)]
    pub files: Vec<AttachedFile>,
}

/// A file attached to simple content.
#[derive(Clone, Default)]
pub struct AttachedFile {
    /// Its name for the reader.
    pub name: String,
    /// Its media type, if the request names one.
    pub content_type: Option<String>,
    /// What it holds.
    pub bytes: Bytes,
}

/// What follows the `@` of the simulator's addresses.
const SIMULATOR: &str = "simulator.amazonses.com";
/// More mails to the simulator than anybody looks at.
const MOST_SIMULATED: usize = 1000;

struct Mails {
    kept: VecDeque<Arc<StoredMail>>,
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
            refusals: Mutex::default(),
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

    /// How many mails were taken since the last clearing, those dropped or deleted since included.
    pub fn taken(&self) -> u64 {
        self.lock().taken
    }

    /// How many mails to the simulator were taken since the last clearing.
    pub fn taken_simulated(&self) -> u64 {
        lock(&self.simulated).taken
    }

    /// The newest mails to the simulator, oldest first. They are in none of the other lists.
    pub fn simulated(&self) -> Vec<StoredMail> {
        lock(&self.simulated).all()
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
        self.lock().all()
    }

    /// Remembers a request to send that was refused, in place of the oldest where there are too many.
    pub fn refuse(&self, refused: Refused) {
        lock(&self.refusals).add(refused);
    }

    /// Deletes one mail; `false` where there is none with this id.
    pub fn delete(&self, id: &str) -> bool {
        let delete = |mails: &Mutex<Mails>| lock(mails).delete(|mail| mail.id == id);
        delete(&self.mails) + delete(&self.simulated) > 0
    }

    /// Deletes the mails and refusals that a search finds.
    fn delete_found(&self, search: &Search) {
        self.lock().delete(|mail| search.finds(mail));
        lock(&self.simulated).delete(|mail| search.finds(mail));
        lock(&self.refusals).delete(|refused| search.finds(&refused.mail));
    }

    /// Forgets every mail and every refusal.
    pub fn clear(&self) {
        self.lock().clear();
        lock(&self.simulated).clear();
        *lock(&self.refusals) = Refusals::default();
    }

    /// `{"mails": [...], "taken": n, "simulated": [...], "refused": [...]}`, oldest first.
    pub fn json(&self) -> Value {
        let (mails, simulated) = (self.lock(), lock(&self.simulated));
        let whole = |mails: &Mails| mails.kept.iter().map(|mail| json!(**mail)).collect();
        let (kept, to_simulator): (Value, Value) = (whole(&mails), whole(&simulated));
        let refused = lock(&self.refusals).json();
        json!({ "mails": kept, "taken": mails.taken, "simulated": to_simulator, "refused": refused })
    }

    /// What a search finds, as it is now.
    fn found(&self, search: &Search) -> Found {
        let find = |mails: &Mails| {
            let newest_first = mails.kept.iter().rev();
            let found = newest_first.filter(|mail| search.finds(mail));
            found.cloned().collect()
        };
        let (mails, simulated) = (self.lock(), lock(&self.simulated));
        Found {
            mails: find(&mails),
            simulated: find(&simulated),
            refused: lock(&self.refusals).found(search),
            kept: mails.kept.len(),
            taken: mails.taken,
        }
    }

    /// One mail.
    fn mail(&self, id: &str) -> Option<Arc<StoredMail>> {
        let find = |mails: &Mails| mails.kept.iter().find(|mail| mail.id == id).cloned();
        let mail = find(&self.lock());
        mail.or_else(|| find(&lock(&self.simulated)))
    }

    fn lock(&self) -> MutexGuard<'_, Mails> {
        lock(&self.mails)
    }
}

/// What a search found, newest first.
struct Found {
    mails: Vec<Arc<StoredMail>>,
    simulated: Vec<Arc<StoredMail>>,
    refused: Vec<Arc<Refused>>,
    /// How many mails there are, found or not, those to the simulator left out.
    kept: usize,
    /// How many were ever taken.
    taken: u64,
}

impl Found {
    fn is_empty(&self) -> bool {
        self.mails.is_empty() && self.simulated.is_empty() && self.refused.is_empty()
    }

    /// The mails before and after one in the list that it is in.
    fn beside(&self, id: &str) -> (Option<&StoredMail>, Option<&StoredMail>) {
        for list in [&self.mails, &self.simulated] {
            if let Some(at) = list.iter().position(|mail| mail.id == id) {
                let newer = at.checked_sub(1).and_then(|at| list.get(at));
                return (newer.map(Arc::as_ref), list.get(at + 1).map(Arc::as_ref));
            }
        }
        (None, None)
    }
}

impl StoredMail {
    /// Whether it goes to the simulator and to nobody else.
    pub fn is_simulated(&self) -> bool {
        let mut all = self.recipients().peekable();
        all.peek().is_some() && all.all(|address| is_simulated(address))
    }

    /// Everybody that it goes to.
    fn recipients(&self) -> impl Iterator<Item = &String> {
        self.to.iter().chain(&self.cc).chain(&self.bcc)
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
        self.kept.push_back(Arc::new(mail));
        self.taken += 1;
        self.shrink();
    }

    fn all(&self) -> Vec<StoredMail> {
        self.kept.iter().map(|mail| (**mail).clone()).collect()
    }

    /// How many were deleted.
    fn delete(&mut self, unwanted: impl Fn(&StoredMail) -> bool) -> usize {
        let before = self.kept.len();
        self.kept.retain(|mail| !unwanted(mail));
        before - self.kept.len()
    }

    fn clear(&mut self) {
        self.kept.clear();
        self.taken = 0;
    }

    fn shrink(&mut self) {
        while self.kept.len() > self.most {
            self.kept.pop_front();
        }
    }
}
