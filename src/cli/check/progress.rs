//! What is still asked, while it is asked: on standard error, which a person may look at.

use std::{
    io::{self, Write},
    time::Duration,
};

use tokio::time::Instant;

use super::part::Part;
use crate::cli::output::{self, eprint};

/// How often it is said where no line can be drawn anew.
pub(super) const EVERY: Duration = Duration::from_secs(10);
/// So much fits on the line of a usual terminal: a longer one would break, and its first half would stay.
const WIDTH: usize = 76;
const ERASED: &str = "\r\u{1b}[2K";

/// Draws one line again and again on a terminal, and writes one now and then elsewhere.
pub(super) struct Progress {
    is_live: bool,
    is_drawn: bool,
    began: Instant,
}

impl Progress {
    pub(super) fn begin() -> Self {
        Self {
            is_live: output::is_stderr_steered(),
            is_drawn: false,
            began: Instant::now(),
        }
    }

    /// Shows on a terminal what is still asked.
    pub(super) fn draw(&mut self, pending: &[Part]) {
        let asked = words(pending);
        if !self.is_live || asked.is_empty() {
            return;
        }
        let mut line = format!("asking: {asked}");
        if line.len() > WIDTH {
            line.truncate(line.floor_char_boundary(WIDTH));
        }
        write_out(&format!("{ERASED}{line} …"));
        self.is_drawn = true;
    }

    /// Takes the line away, so that something else can be written.
    pub(super) fn erase(&mut self) {
        if std::mem::take(&mut self.is_drawn) {
            write_out(ERASED);
        }
    }

    /// Says what is still asked, where it is not on the terminal anyway.
    pub(super) fn tell(&self, pending: &[Part]) {
        let asked = words(pending);
        if !self.is_live && !asked.is_empty() {
            let seconds = self.began.elapsed().as_secs();
            eprint(&format_args!("still asking: {asked} ({seconds} s)"));
        }
    }
}

/// A line that cannot be drawn is not missed.
fn write_out(text: &str) {
    let mut stderr = io::stderr().lock();
    drop(stderr.write_all(text.as_bytes()));
    drop(stderr.flush());
}

/// Each thing once. The wait for events says for itself how long it takes.
fn words(pending: &[Part]) -> String {
    let mut words: Vec<&str> = Vec::new();
    for part in pending.iter().filter(|part| **part != Part::Probe) {
        if !words.contains(&part.asks()) {
            words.push(part.asks());
        }
    }
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_in_parts_is_named_once() {
        let pending = [Part::Queue, Part::Sender, Part::Account, Part::Probe];
        assert_eq!(words(&pending), "queue, SES");
        assert_eq!(words(&[Part::Probe]), "");
    }
}
