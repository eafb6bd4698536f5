//! The claims that one receipt of a message makes on its mail, one after the other.

use tokio::time::{Duration, Instant};

/// At most so many claims are remembered as ones that may stand. Each time-out of a call adds one, and
/// an expression can list 100.
const OWNERS_MAX: usize = 64;

/// What a receipt knows of its own claims. It decides, and calls nobody.
#[derive(Debug, Default)]
#[cfg_attr(test, derive(Clone, PartialEq, Eq, Hash))]
pub(super) struct Claims {
    /// The ids of claims of which one may stand, the oldest first.
    owners: Vec<String>,
    /// Until when a send may begin, under the claim that stands or without one.
    begins_until: Option<Instant>,
    went_by: WentBy,
    /// Until when somebody else's claim may stand.
    other_until: Option<Instant>,
    /// A send has begun that may have gone.
    may_be_sent: bool,
    /// A send had no answer, and another one began after it.
    has_unanswered: bool,
    /// Others may know what this receipt does not: an earlier send of it may have gone, or theirs.
    is_in_doubt: bool,
}

/// What lets the mail go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
enum WentBy {
    #[default]
    Table,
    /// At least once what this process remembers has had to do, since the table was put aside.
    Memory,
}

impl Claims {
    /// A new claim with this id is asked for. Returns those that may stand from before.
    pub(super) fn ask(&mut self, owner: &str) -> Vec<String> {
        let earlier = self.owners.clone();
        if self.owners.len() == OWNERS_MAX {
            // The oldest is the one that stood last. If it stands still, it is in our way until it ends.
            self.owners.remove(0);
        }
        self.owners.push(owner.to_owned());
        self.begins_until = None;
        earlier
    }

    /// The claim with this id was not written.
    pub(super) fn not_written(&mut self, owner: &str) {
        self.owners.retain(|known| known != owner);
    }

    /// The claim with this id stands. A send may begin until then.
    pub(super) fn granted(&mut self, owner: &str, begins_until: Instant) {
        self.owners = vec![owner.to_owned()];
        self.begins_until = Some(begins_until);
        self.other_until = None;
    }

    /// Somebody else's claim stands, until then.
    pub(super) fn refused(&mut self, other_until: Instant) {
        self.other_until = Some(other_until);
        self.is_in_doubt = true;
    }

    /// Somebody else's claim is gone.
    pub(super) fn other_is_gone(&mut self) {
        self.other_until = None;
    }

    /// How long somebody else's claim may stand.
    pub(super) fn other_remains(&self, now: Instant) -> Option<Duration> {
        let until = self.other_until?;
        Some(until.duration_since(now)).filter(|remaining| !remaining.is_zero())
    }

    /// The mail goes without the table. A send may begin until then: later the table may answer again, and
    /// somebody else have claimed the mail. Whether it goes without for the first time.
    pub(super) fn go_without(&mut self, begins_until: Instant) -> bool {
        self.begins_until = Some(begins_until);
        std::mem::replace(&mut self.went_by, WentBy::Memory) == WentBy::Table
    }

    /// A send is about to begin. False if nothing allows it any more.
    pub(super) fn begin_send(&mut self, now: Instant) -> bool {
        let may_begin = self.begins_until.is_some_and(|until| now <= until);
        self.is_in_doubt |= self.may_be_sent;
        self.has_unanswered |= self.may_be_sent && may_begin;
        self.may_be_sent |= may_begin;
        may_begin
    }

    /// Whether a send has begun that may have gone, the last one or one before it.
    pub(super) fn may_have_gone(&self) -> bool {
        self.may_be_sent || self.has_unanswered
    }

    /// Whether others may know what became of the mail, and this receipt does not.
    pub(super) fn is_in_doubt(&self) -> bool {
        self.is_in_doubt || self.may_be_sent
    }

    /// The send that began was not sent.
    pub(super) fn not_sent(&mut self) {
        self.may_be_sent = false;
    }

    /// The mail was sent: its claim needs no end.
    pub(super) fn sent(&mut self) {
        self.owners.clear();
    }

    /// What to take back of what may stand, now that the receipt ends. Where the mail may have gone the
    /// claim stays: until it ends nobody sends. That goes for a send without an answer too where one after
    /// it was refused: this task may have been deaf to its event, and another may hear it yet.
    pub(super) fn left(&mut self) -> Vec<String> {
        if self.may_have_gone() {
            Vec::new()
        } else {
            std::mem::take(&mut self.owners)
        }
    }
}
