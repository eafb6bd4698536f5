//! Rules about messages under their leases: kept, settled, and not spent for nothing.

use std::time::Duration;

use super::{
    super::{
        history::{Answer, Receive, Send, Told},
        plan::{Body, Trouble},
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
    let left = &case.history().left;
    // Behind a breaker of which a witness says nothing, a message that the mail service never takes is
    // probed with until another one comes, and keeps it out where only one may be held.
    if left
        .iter()
        .any(|message| case.body(*message) == Body::Unwanted)
    {
        return Vec::new();
    }
    left.iter()
        .map(|message| Found::of(*message, format!("{message} is still in the queue")))
        .collect()
}

/// A good message is dead-lettered only where each of its receives was spent for a reason.
pub(super) fn dead(case: &Case<'_>) -> Vec<Found> {
    let history = case.history();
    let mut found = Vec::new();
    for (id, message) in &history.dead {
        match case.body(*message) {
            Body::Malformed | Body::NoRecipient | Body::Unwanted => continue,
            Body::NoUid if case.had(Duration::MAX, |what| what == Trouble::FetchNeedsUid) => {
                continue;
            }
            Body::Plain | Body::Many(_) | Body::NoUid | Body::Control => {}
        }
        let mut receives = history
            .receives_of(*message)
            .filter(|(_, receive)| receive.id == *id);
        if let Some((_, receive)) =
            receives.find(|(place, receive)| !had_reason(case, *place, receive))
        {
            let (count, daemon) = (receive.count, receive.daemon);
            let text = format!(
                "{message} is dead, and its receive {count} by {daemon} was spent for nothing"
            );
            found.push(Found::of(*message, text));
        }
    }
    found
}

/// Whether something explains that this receive was not the last.
fn had_reason(case: &Case<'_>, place: usize, receive: &Receive) -> bool {
    let history = case.history();
    let ends = receive.hidden.iter().map(|(_, until)| *until).max();
    let end = ends.unwrap_or_default();
    if case.run(receive.daemon).is_stopping(end)
        || Case::was_late(receive)
        || case.was_troubled(place)
    {
        return true;
    }
    let mut sends = history.sends_of(receive.message).filter(|send| {
        send.daemon == receive.daemon && receive.at <= send.began && send.began <= end
    });
    sends.any(|send| !matches!(send.told, Some((_, Told::Accepted))))
        // What waits for a breaker spends no receive, and a twin waits for the other's end.
        || case.played.schedule.messages[receive.message].copy.is_some()
}

/// A lease is not renewed once it is known to be settled.
pub(super) fn renewed(case: &Case<'_>) -> Vec<Found> {
    let history = case.history();
    let mut found = Vec::new();
    for later in history
        .settles
        .iter()
        .filter(|settle| settle.seconds > Some(0))
    {
        let mut settles = history.settles_of(later.receive);
        let over = settles.any(|earlier| {
            let is_over = earlier.seconds.is_none() && earlier.answer == Some(Answer::Done);
            is_over && earlier.ended.is_some_and(|ended| ended < later.asked)
        });
        if over {
            let message = history.receives[later.receive].message;
            let text = format!(
                "{message}'s lease was renewed at {:?}, after its delete",
                later.asked
            );
            found.push(Found::of(message, text));
        }
    }
    // What was given back is not renewed either: the last word on a lease that is not deleted, and not
    // left to its end, is what its holder wanted.
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

/// No daemon sends more mails at once than its window is large, suspects and probes apart.
pub(super) fn crowded(case: &Case<'_>) -> Vec<Found> {
    let history = case.history();
    let most = 2 * case.played.schedule.concurrency + 1;
    let mut found = Vec::new();
    for send in &history.sends {
        let under_way = history.sends.iter().filter(|other| {
            let is_mail = other.message.is_some() && other.daemon == send.daemon;
            let ended = other.told.map_or(Duration::MAX, |(at, _)| at);
            is_mail && other.began <= send.began && ended > send.began
        });
        let under_way = under_way.count();
        if under_way > most {
            let text = format!(
                "{} sent {under_way} mails at once at {:?}",
                send.daemon, send.began
            );
            found.push(Found::general(text));
            break;
        }
    }
    found
}
