//! Signals to the process: stop, stop at once, fetch the template.

use std::io;

use futures_util::StreamExt;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
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
}

/// Turns the process's `SIGTERM`, `SIGINT` and `SIGHUP` into values, from now on. Must be called
/// inside a tokio runtime.
///
/// # Errors
///
/// If the system does not let us handle signals.
pub fn signals() -> io::Result<mpsc::UnboundedReceiver<Signal>> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP])?;
    let (sender, receiver) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Some(signal) = signals.next().await {
            let signal = match signal {
                SIGTERM => Signal::Stop("SIGTERM"),
                SIGINT => Signal::Stop(INTERRUPT),
                _ => Signal::Reload,
            };
            if sender.send(signal).is_err() {
                return;
            }
        }
    });
    Ok(receiver)
}
