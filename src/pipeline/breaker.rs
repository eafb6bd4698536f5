//! Breakers stop the work while something that every message needs does not work.
//!
//! There are two: the mail breaker stops sending, the template breaker stops rendering. Each is a
//! machine that is told what happened and when, and a gate at which workers wait. While one is open
//! nothing is received but a single probe, and what was received is held. The changes are returned to
//! the caller that caused them, so that each is logged once.
//!
//! A third would stand here too. `gates.rs` acts on its changes, and `poller.rs` waits for it.
//! `health_state.rs` has a part for it. `readings.rs` shows it to `gauges.rs` and `report.rs`.

mod cause;
mod gate;
mod mail;
mod probe_receives;
mod template;

use tokio::time::{Duration, Instant};

pub use self::{
    cause::{Cause, MailCause, Said, TemplateCause},
    gate::{MailGate, Pass, Suspicion, UnansweredPass, WitnessPass},
    mail::{
        Answer, DISTINCT_FAILURES_LIMIT, MailBreaker, MailBreakerSettings, Permission, Standing,
        Ticket, Unanswered, Verdict, WitnessPermission,
    },
    template::{Blame, MISSING_FIELD_LIMIT, TemplateBreaker, TemplateGate},
};

/// What may be received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receiving {
    /// As many messages as the window has room for.
    All,
    /// One, alone, where all that are held wait at the breaker, if any: it becomes the probe.
    OneProbe,
}

/// A change of a breaker. The caller that gets it logs it and acts on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transition<C> {
    /// It opened.
    Opened {
        /// Why.
        cause: C,
    },
    /// It is still open, and more is known of why.
    Changed {
        /// Why it is open now.
        cause: C,
    },
    /// It closed.
    Closed {
        /// Why it was open.
        cause: C,
        /// For how long.
        open_for: Duration,
    },
}

/// What the account said of itself before a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountWord {
    /// It refuses every mail.
    Refuses,
    /// It sends to everybody, and its quota is not used up.
    Sends,
    /// The same, to verified addresses alone: it is in the sandbox.
    SendsToVerified,
    /// It could not be asked.
    Nothing,
}

/// What an open breaker has to say of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status<C> {
    /// Why it is open.
    pub cause: C,
    /// Since when it is open.
    pub since: Instant,
    /// Since when for this cause, which may have followed another.
    pub cause_since: Instant,
}
