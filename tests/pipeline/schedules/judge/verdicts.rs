//! Rules about messages that are not mailed: each receive was spent for a reason, and nobody is blamed
//! for what ails all.

use std::time::Duration;

use super::{
    super::{
        history::{AT_ONCE, Receive, Send, Told},
        plan::{Body, Copy, Trouble},
    },
    Case, Found,
};

/// A second try comes no sooner after a refusal.
const SECOND_TRY_AFTER: Duration = Duration::from_secs(1);
/// So much of its time for attempts a message is held that was refused without a verdict.
const UNJUDGED_SHARE: f64 = 0.95;

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
            // One that was deleted was of another copy under this id.
            .filter(|(_, receive)| receive.id == *id && receive.deleted.is_none());
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

/// Whether something explains that this receive was not the last: what was seen, or what its line
/// says, where that was seen too.
fn had_reason(case: &Case<'_>, place: usize, receive: &Receive) -> bool {
    let ends = receive.hidden.iter().map(|(_, until)| *until).max();
    let end = ends.unwrap_or_default();
    if case.run(receive.daemon).is_stopping(end)
        || Case::was_late(receive)
        || case.was_troubled(place)
        || was_with_another(case, place, receive)
    {
        return true;
    }
    let Some(line) = case.line_of(receive) else {
        return false;
    };
    let sends = sends_of(case, receive, line.at);
    let count = |wanted: fn(&Send) -> bool| sends.iter().filter(|send| wanted(send)).count();
    match line.outcome.as_str() {
        "rejected" => count(is_refused) > 0,
        "deferred" | "exhausted" => {
            let unanswered = count(|send| matches!(send.told, Some((_, Told::Unknown))));
            let is_last = receive.count >= case.played.schedule.receives;
            let budget = case.played.settings.max_elapsed * if is_last { 4 } else { 1 };
            let held = line.at - receive.heard.unwrap_or(receive.at);
            unanswered > 1 || held + AT_ONCE >= budget
        }
        "panicked" => count(|send| send.told.is_none()) > 0,
        _ => false,
    }
}

/// Whether its daemon held another copy under the same id with it: of those only the newest is renewed.
fn was_with_another(case: &Case<'_>, place: usize, receive: &Receive) -> bool {
    let copy = case.played.schedule.messages[receive.message].copy;
    let ended = |receive: &Receive| case.line_of(receive).map_or(Duration::MAX, |line| line.at);
    let mut others = case.history().receives_of(receive.message);
    matches!(copy, Some(Copy::Again(_)))
        && others.any(|(number, other)| {
            let overlap = other.at <= ended(receive) && receive.at <= ended(other);
            number != place && other.id == receive.id && other.daemon == receive.daemon && overlap
        })
}

/// What is rejected for refusals was refused, another mail begun after that was accepted, and it was
/// refused again. Without a word for long enough it is rejected as well.
pub(super) fn unwitnessed(case: &Case<'_>) -> Vec<Found> {
    let history = case.history();
    let mut found = Vec::new();
    let unjudged = case.played.settings.max_elapsed.mul_f64(UNJUDGED_SHARE);
    let lines = case.played.lines.iter().enumerate();
    for (place, line) in lines.filter(|(_, line)| line.outcome == "rejected") {
        let mut receives = history.receives.iter().rev();
        let receive = receives.find(|receive| case.tells_of(line, receive));
        let Some(receive) = receive else { continue };
        let mut all = history.receives_of(receive.message);
        let elsewhere = all.any(|(_, other)| other.daemon != receive.daemon);
        if elsewhere
            && case.played.schedule.messages[receive.message]
                .copy
                .is_some()
        {
            // It does not show whose line it is.
            continue;
        }
        let ids = history.receives_of(receive.message).map(|(_, of)| &of.id);
        let ids: Vec<_> = ids.collect();
        let mut before = case.played.lines[..place].iter().rev();
        let since = before.find(|line| ids.contains(&&line.id));
        let since = since.map_or(Duration::ZERO, |line| line.at);
        let mut sends = history.sends_of(receive.message).collect::<Vec<_>>();
        sends.retain(|send| {
            send.daemon == receive.daemon && since < send.began && send.began < line.at
        });
        let may_be_bad = match case.body(receive.message) {
            Body::Malformed | Body::NoRecipient | Body::Control => true,
            Body::NoUid => case.had(line.at, |what| what == Trouble::FetchNeedsUid),
            Body::Plain | Body::Many(_) | Body::Unwanted => false,
        };
        let refused = sends.into_iter().filter(|send| is_refused(send));
        let refused: Vec<_> = refused.collect();
        let why = match &refused[..] {
            [] if may_be_bad => continue,
            [] => "no refusal",
            [_] => "one refusal",
            [first, .., last] if last.began + AT_ONCE >= told(first) + unjudged => continue,
            [.., first, last] if last.began + AT_ONCE < told(first) + SECOND_TRY_AFTER => {
                "two refusals at once"
            }
            [.., first, last] if !was_accepted(case, receive.daemon, first, last) => {
                "refusals with nothing accepted between them"
            }
            _ => continue,
        };
        let (message, at) = (receive.message, line.at);
        let text = format!("{message} was rejected at {at:?} for {why}");
        found.push(Found::of(message, text));
    }
    found
}

/// Whether a mail that this daemon began after the one was known to be accepted before the other.
fn was_accepted(case: &Case<'_>, daemon: usize, first: &Send, last: &Send) -> bool {
    let history = case.history();
    let mut sends = history.sends.iter().enumerate();
    sends.any(|(number, send)| {
        let answered = matches!(send.told, Some((at, Told::Accepted)) if at <= last.began);
        let mut heard = history.heard.iter();
        let mut heard =
            heard.any(|heard| heard.send == number && heard.at <= last.began && !answered);
        heard |= answered;
        heard && send.daemon == daemon && send.began + AT_ONCE >= told(first)
    })
}

/// The sends of this receive, up to this moment.
fn sends_of<'a>(case: &'a Case<'_>, receive: &Receive, by: Duration) -> Vec<&'a Send> {
    let sends = case.history().sends_of(receive.message);
    let of = sends.filter(|send| {
        send.daemon == receive.daemon && receive.at <= send.began && send.began <= by
    });
    of.collect()
}

fn is_refused(send: &Send) -> bool {
    matches!(send.told, Some((_, Told::Refused)))
}

fn told(send: &Send) -> Duration {
    send.told.map_or(Duration::MAX, |(at, _)| at)
}
