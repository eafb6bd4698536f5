//! Asks on a terminal before anything is done, and keeps the leases while a person thinks.

use std::{io, thread, time::Duration};

use tokio::{
    sync::oneshot,
    time::{MissedTickBehavior, interval, sleep},
};

use super::{held::Held, stop::Stop};

/// A question is open so long. Nobody may be there.
const OPEN_MAX: Duration = Duration::from_mins(30);
/// How often the leases are looked at meanwhile.
const LOOK_EVERY: Duration = Duration::from_secs(20);
/// A lease that ends sooner is renewed.
const RENEWED_BELOW: Duration = Duration::from_mins(7);

/// What a person said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Yes,
    /// Anything else, and nothing.
    No,
    /// Nobody answered in time.
    None,
    /// A signal came instead.
    Stopped,
}

/// Waits for the answer, and renews the leases of these messages until then.
pub(super) async fn wait_for_answer(
    answer: impl Future<Output = String>,
    is_meant: impl Fn(&str) -> bool,
    held: &mut Held<'_>,
    stop: &mut Stop,
) -> Answer {
    let keep = async {
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            held.renew(&is_meant, RENEWED_BELOW).await;
        }
    };
    tokio::select! {
        biased;
        () = stop.told() => Answer::Stopped,
        line = answer => match line.trim().to_ascii_lowercase().as_str() {
            "y" | "yes" => Answer::Yes,
            _ => Answer::No,
        },
        () = sleep(OPEN_MAX) => Answer::None,
        () = keep => Answer::None,
    }
}

/// A line of standard input; nothing where there is none. It is read in a thread of its own, which the
/// end of the process ends.
pub(super) async fn read_line() -> String {
    let (sender, receiver) = oneshot::channel();
    thread::spawn(move || {
        let mut line = String::new();
        if io::stdin().read_line(&mut line).is_ok() {
            // Whoever asked may have gone.
            drop(sender.send(line));
        }
    });
    receiver.await.unwrap_or_default()
}

#[cfg(test)]
mod tests;
