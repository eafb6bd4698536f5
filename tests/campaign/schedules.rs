//! Random schedules: what goes wrong is drawn from a seed, played with real daemons, and judged by the checker.
//!
//! The same seed gives the same schedule, and its text says all of it before anything is played. What the machine
//! makes of it, such as who receives which message, is not drawn and differs from time to time.

mod draw;
mod faults;
pub(crate) mod play;
pub(crate) mod weigh;

use std::fmt;
use std::time::Duration;

use sandbox::faults::Rule;
use sandbox::ses::publisher::EventRule;
use serde_json::json;

use super::daemon::Limits;

pub(crate) use self::draw::draw;
pub(crate) use self::play::play;

/// What daemons remember mails by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Memory,
    Feedback,
    Table,
    Both,
}

/// All that is played, and when.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Schedule {
    pub(crate) seed: u64,
    pub(crate) mode: Mode,
    /// Daemons at the start.
    pub(crate) daemons: usize,
    /// The queue's `maxReceiveCount`.
    pub(crate) receives: u32,
    /// Recipients a second, as the account says.
    pub(crate) rate: f64,
    /// `key=value` of the daemons' configuration at the start.
    pub(crate) settings: Vec<(String, String)>,
    /// In the order of their times.
    pub(crate) acts: Vec<(Duration, Act)>,
    /// When every fault ends.
    pub(crate) faults_end: Duration,
}

/// Something that is done to the world.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Act {
    Publish {
        count: usize,
        kind: Kind,
        over: Duration,
    },
    Fault(Rule),
    /// SES's events fare so from now on.
    Events(Vec<EventRule>),
    Template(Template),
    /// The table's clock is so far ahead of everybody else's, in milliseconds.
    TableClock(i64),
    /// Another daemon, where fewer than four run.
    Start {
        settings: Vec<(String, String)>,
        limits: Limits,
    },
    /// Something done to one of the daemons that run.
    Daemon {
        which: usize,
        deed: Deed,
    },
    /// Every daemon that stands still goes on.
    Continue,
    /// Everybody's standard error is read again.
    Read,
}

/// What is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A good event, through SNS.
    Plain,
    /// The same notification twice, under two SQS message ids.
    Copies,
    /// A good event without an envelope.
    Raw,
    Malformed,
    NoRecipient,
    BadRecipient,
    /// A message of SNS's own.
    Control,
}

/// What the template becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Template {
    Good,
    Garbage,
    /// It names a field that no event has.
    MissingField,
    Deleted,
}

/// What is done to a daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    /// It is asked to stop, and once more after this time, if any.
    Stop {
        signal: &'static str,
        again: Option<Duration>,
    },
    Kill,
    /// It stands still.
    Pause,
    Signal(&'static str),
    /// Nobody reads its standard error.
    Unread,
}

impl Mode {
    pub(crate) fn events(self) -> bool {
        matches!(self, Self::Feedback | Self::Both)
    }

    pub(crate) fn table(self) -> bool {
        matches!(self, Self::Table | Self::Both)
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "seed {}: {:?}, {} daemons, dead-letters after {} receives, {} recipients/s, faults end at {:.3} s",
            self.seed,
            self.mode,
            self.daemons,
            self.receives,
            self.rate,
            self.faults_end.as_secs_f64()
        )?;
        writeln!(f, "settings {}", words(&self.settings))?;
        for (at, act) in &self.acts {
            writeln!(f, "{:>7.3} s  {act}", at.as_secs_f64())?;
        }
        Ok(())
    }
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Publish { count, kind, over } => {
                write!(f, "publish {count} {kind:?} over {over:?}")
            }
            Self::Fault(rule) => write!(f, "fault {}", json!(rule)),
            Self::Events(rules) => write!(f, "events {}", json!(rules)),
            Self::Template(template) => write!(f, "template {template:?}"),
            Self::TableClock(ahead) => write!(f, "table clock {ahead:+} ms"),
            Self::Start { settings, limits } => {
                write!(f, "start a daemon; {}; {limits:?}", words(settings))
            }
            Self::Daemon { which, deed } => write!(f, "daemon {which}: {deed:?}"),
            Self::Continue => f.write_str("all go on"),
            Self::Read => f.write_str("standard error is read again"),
        }
    }
}

fn words(settings: &[(String, String)]) -> String {
    let words = settings.iter().map(|(key, value)| format!("{key}={value}"));
    words.collect::<Vec<_>>().join(" ")
}
