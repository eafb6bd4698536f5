//! What a person is shown.

use std::{
    env,
    io::{self, IsTerminal as _, Write as _, stdout},
    time::Duration,
};

use crate::{
    daemon::{Daemon, Stopped},
    fate::Fate,
    files::Files,
    stage::{Published, QUEUE, Stage, TOPIC},
};

const BOLD: &str = "1";
const DIM: &str = "2";
const RED: &str = "31";
const GREEN: &str = "32";

/// Nothing is said about waiting before this.
const SILENCE: Duration = Duration::from_secs(1);

pub(crate) struct Screen {
    /// Whether lines can be written over.
    terminal: bool,
    colours: bool,
}

impl Screen {
    pub(crate) fn new() -> Self {
        let dumb = env::var_os("TERM").is_some_and(|term| term == "dumb");
        let terminal = stdout().is_terminal() && !dumb;
        let wanted = env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self {
            terminal,
            colours: terminal && wanted,
        }
    }

    pub(crate) fn stage(&self, stage: &Stage) -> io::Result<()> {
        self.line(&self.paint(BOLD, "A local AWS"))?;
        self.pair("endpoint", stage.url())?;
        self.pair("topic", TOPIC)?;
        self.pair("queue", QUEUE)?;
        self.pair(
            "",
            &self.paint(DIM, "2 receives of a message, then its dead-letter queue"),
        )
    }

    pub(crate) fn published(&self, published: &[Published]) -> io::Result<()> {
        self.line("")?;
        self.line(&self.paint(BOLD, "Published, as CIS publishes"))?;
        for (number, published) in (1..).zip(published) {
            self.line(&format!("  {number}  {}", published.event.what))?;
        }
        Ok(())
    }

    pub(crate) fn daemon(&self, daemon: &Daemon) -> io::Result<()> {
        self.line("")?;
        let title = self.paint(BOLD, "What the daemon made of it");
        let how = format!(
            "process {}, configured by {}",
            daemon.pid(),
            daemon.configured_by()
        );
        self.line(&format!("{title}  {}", self.paint(DIM, &how)))
    }

    pub(crate) fn fate(&self, number: usize, fate: &Fate) -> io::Result<()> {
        self.clear()?;
        let (colour, what, how) = match fate {
            Fate::Mailed { to, subject, .. } => (GREEN, "mailed", format!("{to:<16}  {subject}")),
            Fate::DeadLettered { receive, why } => {
                (RED, "dead-lettered", format!("{why}, receive {receive}"))
            }
        };
        // Padded before it is painted: colours have no width.
        let what = self.paint(colour, &format!("{what:<13}"));
        self.line(&format!("  {number}  {what}  {how}"))?;
        if let Fate::Mailed { told, .. } = fate
            && !told.is_empty()
        {
            self.line(&format!("     {}", self.paint(DIM, told)))?;
        }
        Ok(())
    }

    /// A line that the next one replaces. Off a terminal each event's own line must do.
    pub(crate) fn waiting(&self, events: usize, waited: Duration) -> io::Result<()> {
        if !self.terminal || waited < SILENCE {
            return Ok(());
        }
        let noun = if events == 1 { "event" } else { "events" };
        let text = format!("     waiting for {events} {noun}, {} s", waited.as_secs());
        write!(stdout(), "\r{}", self.paint(DIM, &text))?;
        stdout().flush()
    }

    /// Takes the waiting line away.
    pub(crate) fn clear(&self) -> io::Result<()> {
        if self.terminal {
            write!(stdout(), "\r\x1b[K")?;
        }
        Ok(())
    }

    pub(crate) fn stopped(&self, stopped: &Stopped) -> io::Result<()> {
        self.line("")?;
        let title = self.paint(BOLD, "Its own count");
        let how = format!("exit 0, {:.1} s after SIGINT", stopped.took.as_secs_f64());
        self.line(&format!("{title}  {}", self.paint(DIM, &how)))?;
        self.line(&format!("  {}", stopped.account))
    }

    pub(crate) fn where_to_look(
        &self,
        files: &Files,
        stage: &Stage,
        serve: bool,
    ) -> io::Result<()> {
        self.line("")?;
        self.line(&self.paint(BOLD, "Where to look"))?;
        let directory = files.shown().display();
        self.pair("mails", &format!("{directory}/*.html and *.txt"))?;
        self.pair("log", &format!("{directory}/daemon.log"))?;
        if serve {
            self.pair("outbox", &format!("{}/outbox", stage.url()))?;
            self.pair("", &self.paint(DIM, "up until Ctrl-C"))
        } else {
            self.pair("outbox", "cargo run --example demo -- --serve")
        }
    }

    /// Ends the line that the terminal's `^C` stands on.
    pub(crate) fn interrupted(&self) -> io::Result<()> {
        if self.terminal { self.line("") } else { Ok(()) }
    }

    #[expect(clippy::unused_self, reason = "all that is shown goes by the screen")]
    #[expect(clippy::print_stderr, reason = "errors are told on standard error")]
    pub(crate) fn failed(&self, failed: &anyhow::Error) {
        eprintln!("demo: {failed:#}");
    }

    fn pair(&self, name: &str, value: &str) -> io::Result<()> {
        self.line(&format!("  {name:<9} {value}"))
    }

    #[expect(clippy::unused_self, reason = "all that is shown goes by the screen")]
    fn line(&self, text: &str) -> io::Result<()> {
        writeln!(stdout(), "{text}")
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.colours {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}
