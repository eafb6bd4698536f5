//! Results go to standard output, everything else to standard error.

use std::{
    ffi::OsString,
    fmt::Display,
    io::{self, IsTerminal, Write},
};

use clap::builder::styling::{AnsiColor, Style};
use thiserror::Error;

pub(super) use crate::text::one_line;

/// Why a result could not be written. It is an error of its own, since a broken pipe elsewhere, as
/// in a connection, is no reader that has read enough.
#[derive(Debug, Error)]
pub(super) enum Unwritten {
    /// Nobody reads any more, as in `… | head`.
    #[error("nobody reads standard output")]
    NoReader,
    /// The rest, such as a full disk.
    #[error("standard output cannot be written: {0}")]
    Failed(io::Error),
}

impl From<io::Error> for Unwritten {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::NoReader,
            _ => Self::Failed(error),
        }
    }
}

/// Writes a result and a line's end.
pub(super) fn print(result: impl Display) -> Result<(), Unwritten> {
    let mut out = io::stdout().lock();
    writeln!(out, "{result}")?;
    Ok(out.flush()?)
}

/// Writes everything that is not a result: mistakes, notes, progress. What nobody reads is dropped.
pub(super) fn eprint(message: &dyn Display) {
    drop(writeln!(io::stderr(), "organizer-notifier: {message}"));
}

/// Writes a question on standard error, and leaves the cursor behind it.
pub(super) fn prompt(question: &str) {
    let mut stderr = io::stderr().lock();
    drop(stderr.write_all(question.as_bytes()));
    drop(stderr.flush());
}

/// As it should be.
pub(super) const GOOD: Style = AnsiColor::Green.on_default();
/// Worth a look.
pub(super) const DOUBTFUL: Style = AnsiColor::Yellow.on_default();
/// Wrong.
pub(super) const BAD: Style = AnsiColor::Red.on_default().bold();
/// Less important.
pub(super) const FAINT: Style = Style::new().dimmed();

/// Colours, if they are wanted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Paint {
    on: bool,
}

impl Paint {
    /// On if standard output is a terminal with colours and `NO_COLOR` is not set.
    pub(super) fn for_stdout() -> Self {
        Self::wanted(io::stdout().is_terminal(), |name| std::env::var_os(name))
    }

    fn for_stderr() -> Self {
        Self::wanted(io::stderr().is_terminal(), |name| std::env::var_os(name))
    }

    fn wanted(terminal: bool, variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let no_color = variable("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = variable("TERM").is_some_and(|value| value == "dumb");
        Self {
            on: terminal && !no_color && !dumb,
        }
    }

    /// The text in the colour of its tone.
    pub(super) fn paint(self, tone: Style, text: &str) -> String {
        let tone = if self.on { tone } else { Style::new() };
        format!("{tone}{text}{tone:#}")
    }
}

/// Whether standard error is a terminal on which a line can be written anew.
pub(super) fn is_stderr_steered() -> bool {
    Paint::for_stderr().on
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_for_terminals_whose_owner_wants_them() {
        let set = |name: &'static str, value: &'static str| {
            move |asked: &str| (asked == name).then(|| OsString::from(value))
        };
        assert!(Paint::wanted(true, set("TERM", "xterm")).on);
        assert!(Paint::wanted(true, set("NO_COLOR", "")).on);
        assert!(!Paint::wanted(true, set("NO_COLOR", "1")).on);
        assert!(!Paint::wanted(true, set("TERM", "dumb")).on);
        assert!(!Paint::wanted(false, set("TERM", "xterm")).on);
    }

    #[test]
    fn colours_are_written_only_where_they_are_on() {
        let on = Paint { on: true };
        assert_eq!(on.paint(GOOD, "ok"), "\u{1b}[32mok\u{1b}[0m");
        assert_eq!(Paint { on: false }.paint(GOOD, "ok"), "ok");
    }
}
