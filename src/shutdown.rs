//! What the process is told from outside: to stop, to stop at once, to fetch the template.

use std::io;

use futures_util::StreamExt;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook_tokio::Signals;
use tokio::sync::mpsc;

/// Something that the process is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// End in good order; a second one ends sooner. Holds the signal's name.
    Stop(&'static str),
    /// Fetch the template now.
    Reload,
}

/// Turns the process's `SIGTERM`, `SIGINT` and `SIGHUP` into values, from now on. Must be called
/// inside a tokio runtime.
///
/// # Errors
///
/// Where the system lets us handle no signals.
pub fn signals() -> io::Result<mpsc::UnboundedReceiver<Signal>> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP])?;
    let (tell, told) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Some(signal) = signals.next().await {
            let signal = match signal {
                SIGTERM => Signal::Stop("SIGTERM"),
                SIGINT => Signal::Stop("SIGINT"),
                _ => Signal::Reload,
            };
            if tell.send(signal).is_err() {
                return;
            }
        }
    });
    Ok(told)
}
