//! Signals to the process: stop, stop at once, fetch the template, tell the state.

use std::io::{self, IsTerminal};

use futures_util::StreamExt;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook_tokio::Signals;
use tokio::sync::mpsc;

/// The name of the signal that a terminal sends: somebody waits for the end.
pub const INTERRUPT: &str = "SIGINT";

/// A request to the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Stop in good order; a second one stops sooner. Holds the signal's name.
    Stop(&'static str),
    /// The terminal has gone: stop in good order. It never hurries a stop, since a window that closes and
    /// a session that ends send several signals at once.
    HungUp,
    /// Fetch the template now.
    Reload,
    /// Say in a line what goes on.
    Tell,
}

impl Signal {
    /// What lines call it, where it ends the process.
    pub fn stops(self) -> Option<&'static str> {
        match self {
            Self::Stop(name) => Some(name),
            Self::HungUp => Some("SIGHUP of a closed terminal"),
            Self::Reload | Self::Tell => None,
        }
    }
}

/// Turns the process's signals into values, from now on: `SIGTERM`, `SIGQUIT` and `SIGINT` stop it,
/// `SIGHUP` reloads, `SIGUSR1` and `SIGUSR2` ask for the state. A `SIGHUP` because the terminal that
/// standard error went to has gone stops it too: nobody sees any more that it runs. Must be called inside
/// a tokio runtime.
///
/// # Errors
///
/// If the system does not let us handle signals.
pub fn signals() -> io::Result<mpsc::UnboundedReceiver<Signal>> {
    let mut signals = Signals::new([SIGTERM, SIGQUIT, SIGINT, SIGHUP, SIGUSR1, SIGUSR2])?;
    let (sender, receiver) = mpsc::unbounded_channel();
    // A terminal that was closed is no terminal any more.
    let had_terminal = io::stderr().is_terminal();
    tokio::spawn(async move {
        while let Some(signal) = signals.next().await {
            let signal = match signal {
                SIGTERM => Signal::Stop("SIGTERM"),
                SIGQUIT => Signal::Stop("SIGQUIT"),
                SIGINT => Signal::Stop(INTERRUPT),
                SIGUSR1 | SIGUSR2 => Signal::Tell,
                _ if had_terminal && !io::stderr().is_terminal() => Signal::HungUp,
                _ => Signal::Reload,
            };
            if sender.send(signal).is_err() {
                return;
            }
        }
    });
    Ok(receiver)
}
