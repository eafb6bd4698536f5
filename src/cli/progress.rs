//! What is being done, while it is done: on standard error, which a person may look at.

use std::{
    io::{self, Write},
    pin::pin,
    time::Duration,
};

use tokio::time::{Instant, interval_at};

use super::output::{self, eprint};

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
    told: Instant,
}

impl Progress {
    pub(super) fn begin() -> Self {
        let now = Instant::now();
        Self {
            is_live: output::is_stderr_steered(),
            is_drawn: false,
            began: now,
            told: now,
        }
    }

    /// Shows on a terminal what is being done; nothing where that is empty.
    pub(super) fn draw(&mut self, doing: &str) {
        if !self.is_live || doing.is_empty() {
            return;
        }
        let end = doing.floor_char_boundary(WIDTH);
        write_out(&format!("{ERASED}{} …", &doing[..end]));
        self.is_drawn = true;
    }

    /// Takes the line away, so that something else can be written.
    pub(super) fn erase(&mut self) {
        if std::mem::take(&mut self.is_drawn) {
            write_out(ERASED);
        }
    }

    /// Says what is being done, where it is not on the terminal anyway.
    pub(super) fn tell(&mut self, doing: &str) {
        self.told = Instant::now();
        if !self.is_live && !doing.is_empty() {
            let seconds = self.began.elapsed().as_secs();
            eprint(&format_args!("{doing} ({seconds} s)"));
        }
    }

    /// Waits for the next step of a work that has many, and shows meanwhile how far the work is.
    pub(super) async fn during<T>(&mut self, doing: &str, step: impl Future<Output = T>) -> T {
        self.draw(doing);
        let mut step = pin!(step);
        let mut ticks = interval_at(self.told + EVERY, EVERY);
        loop {
            tokio::select! {
                biased;
                done = &mut step => return done,
                _ = ticks.tick() => self.tell(doing),
            }
        }
    }
}

/// What was drawn does not stand before what comes next, whichever way the work ends.
impl Drop for Progress {
    fn drop(&mut self) {
        self.erase();
    }
}

/// A line that cannot be drawn is not missed.
fn write_out(text: &str) {
    let mut stderr = io::stderr().lock();
    drop(stderr.write_all(text.as_bytes()));
    drop(stderr.flush());
}
