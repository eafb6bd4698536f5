//! The table in which all tasks remember what was sent, in our own types.
//!
//! It holds one item a mail: `sending`, with the claim that it is sent under and the moment at which
//! that claim ends, or `sent`. All times are the table's, since the clocks of two tasks may disagree.

use std::time::Duration;

use async_trait::async_trait;

use super::Failure;

pub use super::obstacle::ClockDifference;

/// The most mails of one call that records them as sent. The service takes no more.
pub const RECORDS_MAX: usize = 25;
/// The most mails that one call looks for. The service takes no more.
pub const LOOKS_MAX: usize = 100;

/// A claim on a mail: the right to send it, for one receipt of its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim<'a> {
    /// Which mail it is, of which queue: the keys of this port hold both.
    pub key: &'a str,
    /// The claim's own random id. Each claim has a new one, so that what is still on its way for an
    /// earlier claim of the same receipt cannot undo this one.
    pub owner: &'a str,
    /// The ids of claims that the same receipt made before and of which one may stand.
    pub earlier: &'a [String],
    /// How long it lasts.
    pub lasts: Duration,
}

/// What became of a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claimed {
    /// It stands.
    Ours {
        /// Whether it takes the place of another receipt's claim, which has ended.
        taken_over: bool,
    },
    /// The mail was sent, under this id of the mail service's where the table holds it.
    Sent {
        /// The mail service's id of the mail.
        email_id: Option<String>,
    },
    /// Another receipt's claim stands.
    Sending {
        /// When that claim ends, from now.
        remaining: Duration,
    },
    /// The item is none that a claim or a record writes.
    Unreadable,
}

/// What an item says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    /// The mail was sent.
    Sent {
        /// The mail service's id of the mail, where the table holds it.
        email_id: Option<String>,
    },
    /// Somebody has claimed the mail.
    Sending {
        /// When the claim ends, from now; zero where it has ended.
        remaining: Duration,
    },
}

/// A mail that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentMail {
    /// Which mail it is.
    pub key: String,
    /// The mail service's id of it.
    pub email_id: String,
}

/// What the table says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableFacts {
    /// What is wrong with its key, for people; it must be the text `id` alone.
    pub wrong_key: Option<String>,
    /// Why it cannot be used yet, in the service's word for its state.
    pub not_ready: Option<String>,
    /// Whether it drops items by itself, by which attribute.
    pub drops_by: Drops,
}

/// Whether a table drops old items by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Drops {
    /// By the attribute 'expires', as it should.
    Expired,
    /// By another attribute.
    By(String),
    /// Not at all: it grows for ever.
    Nothing,
}

/// The table in which all tasks remember what was sent.
#[async_trait]
pub trait LedgerTable: Send + Sync {
    /// Its name, for people.
    fn name(&self) -> &str;

    /// Reads what it says of itself.
    async fn describe(&self) -> Result<TableFacts, TableFailure>;

    /// Proves every right that the other calls need, and changes nothing. Returns each call that failed.
    async fn prove_rights(&self) -> Vec<TableFailure>;

    /// Claims a mail. The claim stands if nobody has one on it, or only one that has ended, or one of
    /// the same receipt.
    async fn claim(&self, claim: Claim<'_>) -> Result<Claimed, TableFailure>;

    /// Takes these claims back where one of them stands.
    async fn drop_claim(&self, key: &str, owners: &[String]) -> Result<(), TableFailure>;

    /// Records mails as sent, whatever the table knew of them; at most [`RECORDS_MAX`], each once.
    /// Returns the places of those that it did not take.
    async fn record(&self, sent: &[SentMail]) -> Result<Vec<usize>, TableFailure>;

    /// What it knows of one mail, all that was written before included.
    async fn look(&self, key: &str) -> Result<Option<Known>, TableFailure>;

    /// What it knows of these mails, in their order; at most [`LOOKS_MAX`], each once. What was written
    /// a moment ago may be missing.
    async fn look_at_all(&self, keys: &[String]) -> Result<Vec<Option<Known>>, TableFailure>;

    /// How far our clock and the table's are apart, as far as an answer has told.
    fn clock(&self) -> Option<ClockDifference>;
}

/// How a call on the table failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableFailureKind {
    /// Asked more often than it allows.
    Throttled,
    /// No answer, a server's error, or one that we do not know: it may pass.
    Transient,
    /// There is no such table.
    NotFound,
    /// We may not, or our credentials are not accepted.
    AccessDenied,
    /// Its encryption key cannot be used.
    Encryption,
    /// It refuses what we ask for: it is not made as our table is.
    Refused,
}

/// A call on the table that failed.
pub type TableFailure = Failure<TableFailureKind>;

impl TableFailure {
    /// Whether it is known that the call has changed nothing.
    pub fn is_of_nothing(&self) -> bool {
        self.is_definite() || self.kind == TableFailureKind::Throttled
    }

    /// Whether waiting does not help: somebody has to change the table or our rights.
    pub fn is_definite(&self) -> bool {
        match self.kind {
            TableFailureKind::NotFound
            | TableFailureKind::AccessDenied
            | TableFailureKind::Encryption
            | TableFailureKind::Refused => true,
            TableFailureKind::Throttled | TableFailureKind::Transient => false,
        }
    }
}
