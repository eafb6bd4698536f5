//! Rules about messages under their leases: kept, and settled.

use std::time::Duration;

use super::{
    super::{
        history::{Answer, Receive, Send, Told},
        plan::Copy,
    },
    Case, Found, secs,
};

/// Who learns something needs this long to act on it: the longest pause between two attempts to
/// delete, and what calls may take.
const ACT: Duration = Duration::from_secs(12);
/// A call that nothing is wrong with is begun within this.
const ASK: Duration = Duration::from_secs(3);

/// Once all faults have ended every message comes to an end.
pub(super) fn unsettled(case: &Case<'_>) -> Vec<Found> {
    let left = case.history().left.iter();
    left.map(|message| Found::of(*message, format!("{message} is still in the queue")))
        .collect()
}

/// A lease is not renewed once it is known to be settled, nor after the message was given up.
pub(super) fn renewed(case: &Case<'_>) -> Vec<Found> {
    let history = case.history();
    let length = case.played.settings.queue.visibility_timeout.as_secs();
    let mut found = Vec::new();
    for later in history
        .settles
        .iter()
        .filter(|settle| settle.seconds > Some(0))
    {
        let receive = &history.receives[later.receive];
        let mut settles = history.settles_of(later.receive);
        let over = settles.any(|earlier| {
            let is_over = earlier.seconds.is_none() && earlier.answer == Some(Answer::Done);
            is_over && earlier.ended.is_some_and(|ended| ended < later.asked)
        });
        // What is put off is hidden for a minute or longer, as a lease may be.
        let given_up = case.line_of(receive).is_some_and(|line| {
            let is_back = matches!(line.outcome.as_str(), "rejected" | "released" | "lost");
            // Copies under one id can be with two daemons, and a line does not say whose it is.
            let copy = case.played.schedule.messages[receive.message].copy;
            is_back
                && !matches!(copy, Some(Copy::Again(_)))
                && line.at < later.asked
                && later.seconds >= Some(length)
        });
        if over || given_up {
            let (message, at) = (receive.message, later.asked);
            let after = if over { "delete" } else { "end" };
            let text = format!("{message}'s lease was renewed at {at:?}, after its {after}");
            found.push(Found::of(message, text));
        }
    }
    found
}

/// A delete that failed is tried again while the lease lasts.
pub(super) fn unretried(case: &Case<'_>) -> Vec<Found> {
    let history = case.history();
    let mut found = Vec::new();
    for (place, receive) in history.receives.iter().enumerate() {
        let deletes = history
            .settles_of(place)
            .filter(|settle| settle.seconds.is_none());
        let Some(last) = deletes.last() else { continue };
        let Some(ended) = last.ended else { continue };
        if last.effect.is_some_and(|effect| effect <= ended) || last.answer == Some(Answer::Stale) {
            continue;
        }
        // A newer handle takes the place of this one.
        if lasts(case, receive, ended, ACT) && !received_again(case, receive, ended + ACT) {
            let message = receive.message;
            let text = format!("{message}'s delete failed at {ended:?} and was not tried again");
            found.push(Found::of(message, text));
        }
    }
    found
}

/// Who mailed a message and knows it asks for its deletion.
pub(super) fn undeleted(case: &Case<'_>) -> Vec<Found> {
    let history = case.history();
    let mut found = Vec::new();
    for send in &history.sends {
        let (Some(message), Some((told, Told::Accepted))) = (send.message, send.told) else {
            continue;
        };
        if asks_for_delete(case, message, send) {
            continue;
        }
        let mut mine = history
            .receives_of(message)
            .filter(|(_, receive)| receive.daemon == send.daemon && receive.holds(send.began));
        // A record in the table, which is waited for, and the lease's call under way may take time.
        let held = mine.any(|(_, receive)| {
            lasts(case, receive, told, ASK + secs(3)) && !received_again(case, receive, told + ASK)
        });
        if held {
            let text = format!("{message} was mailed, and its deletion never asked for");
            found.push(Found::of(message, text));
        }
    }
    found
}

fn asks_for_delete(case: &Case<'_>, message: usize, send: &Send) -> bool {
    let history = case.history();
    let mut mine = history
        .receives_of(message)
        .filter(|(_, receive)| receive.daemon == send.daemon);
    mine.any(|(place, _)| {
        let mut settles = history.settles_of(place);
        settles.any(|settle| settle.seconds.is_none() && settle.asked >= send.began)
    })
}

/// Whether its receiver had so long to act on the lease, undisturbed.
fn lasts(case: &Case<'_>, receive: &Receive, since: Duration, time: Duration) -> bool {
    let by = since + time;
    let disturbed = case.run(receive.daemon).is_stopping(by)
        || case.history().frozen(since.saturating_sub(ACT), by) > Duration::ZERO;
    receive.hidden_until(since) >= by && !disturbed && receive.deleted.is_none()
}

fn received_again(case: &Case<'_>, receive: &Receive, by: Duration) -> bool {
    let mut receives = case.history().receives_of(receive.message);
    receives.any(|(_, other)| other.id == receive.id && other.at > receive.at && other.at <= by)
}

/// There is one call at a time about one lease.
pub(super) fn overlapping(case: &Case<'_>) -> Vec<Found> {
    let history = case.history();
    let mut found = Vec::new();
    for place in 0..history.receives.len() {
        let settles: Vec<_> = history.settles_of(place).collect();
        let overlap = settles.windows(2).find(|pair| {
            pair[0].ended.is_none_or(|ended| ended > pair[1].asked)
                && pair[0].daemon == pair[1].daemon
        });
        if let Some(pair) = overlap {
            let message = history.receives[place].message;
            let text = format!(
                "two calls at once about {message}'s lease at {:?}",
                pair[1].asked
            );
            found.push(Found::of(message, text));
        }
    }
    found
}
