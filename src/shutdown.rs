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
    /// Fetch the template now.
    Reload,
    /// Say in a line what goes on.
    Tell,
}

/// Turns the process's signals into values, from now on: `SIGTERM`, `SIGQUIT` and `SIGINT` stop it,
/// `SIGHUP` reloads, `SIGUSR1` and `SIGUSR2` ask for the state. A `SIGHUP` because the terminal that the
/// process was started from has gone stops it too: nobody sees any more that it runs. Must be called
/// inside a tokio runtime.
///
/// # Errors
///
/// If the system does not let us handle signals.
pub fn signals() -> io::Result<mpsc::UnboundedReceiver<Signal>> {
    let mut signals = Signals::new([SIGTERM, SIGQUIT, SIGINT, SIGHUP, SIGUSR1, SIGUSR2])?;
    let (sender, receiver) = mpsc::unbounded_channel();
    let had_terminal = has_terminal();
    tokio::spawn(async move {
        let mut hung_up = false;
        while let Some(signal) = signals.next().await {
            let signal = match signal {
                SIGTERM => Signal::Stop("SIGTERM"),
                SIGQUIT => Signal::Stop("SIGQUIT"),
                SIGINT => Signal::Stop(INTERRUPT),
                SIGUSR1 | SIGUSR2 => Signal::Tell,
                // The kernel and the shell both send one when a terminal closes. The second asks for no
                // more haste than the first.
                _ if hung_up => continue,
                _ if had_terminal && !has_terminal() => {
                    hung_up = true;
                    Signal::Stop("SIGHUP of a closed terminal")
                }
                _ => Signal::Reload,
            };
            if sender.send(signal).is_err() {
                return;
            }
        }
    });
    Ok(receiver)
}

/// Whether a person sits before the process. A terminal that was closed is no terminal any more.
fn has_terminal() -> bool {
    io::stdin().is_terminal() || io::stdout().is_terminal() || io::stderr().is_terminal()
}
