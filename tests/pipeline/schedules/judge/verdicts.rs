//! Rules about messages that are not mailed: each receive was spent for a reason, and nobody is blamed
//! for what ails all.

use std::{collections::BTreeMap, time::Duration};

use super::{
    super::{
        history::{AT_ONCE, Line, Receive, Send, Told},
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
    let mut dead = history.dead.clone();
    dead.sort_unstable();
    // Copies under one id stand in it as often as they are dead.
    dead.dedup();
    for (id, message) in &dead {
        match case.body(*message) {
            Body::Malformed | Body::NoRecipient | Body::Unwanted => continue,
            Body::NoUid if case.had(Duration::MAX, |what| what == Trouble::FetchNeedsUid) => {
                continue;
            }
            Body::Plain | Body::Many(_) | Body::NoUid | Body::Control => {}
        }
        let mut copies: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (place, receive) in history.receives_of(*message) {
            if receive.id == *id {
                copies
                    .entry(receive.key)
                    .or_default()
                    .push((place, receive));
            }
        }
        for receives in copies.into_values() {
            // Another copy under this id was deleted, or is still to be received.
            let is_alive = receives.iter().any(|(_, of)| of.deleted.is_some())
                || receives.len() < case.played.schedule.receives as usize;
            let mut receives = receives.into_iter();
            let wasted =
                receives.find(|(place, receive)| !is_alive && !had_reason(case, *place, receive));
            if let Some((_, receive)) = wasted {
                let (count, daemon) = (receive.count, receive.daemon);
                let text = format!(
                    "{message} is dead, and its receive {count} by {daemon} was spent for nothing"
                );
                found.push(Found::of(*message, text));
            }
        }
    }
    found
}

/// Whether something explains that this receive was not the last: what was seen, or what its line
/// says, where that was seen too. Trouble explains a lease that ran out, not one that was given back.
fn had_reason(case: &Case<'_>, place: usize, receive: &Receive) -> bool {
    let copy = case.played.schedule.messages[receive.message].copy;
    let is_copied = matches!(copy, Some(Copy::Again(_)));
    let together = held_together(case, place, receive);
    let ends = together.iter().map(|(_, of)| hidden_to(of));
    let begins = together.iter().map(|(_, of)| of.at);
    let (since, until) = (begins.min(), ends.max());
    let (since, until) = (since.unwrap_or(receive.at), until.unwrap_or_default());
    // Copies under one id that are held at once end together, and a line does not say whose it is.
    let tells_of = |line: &&Line| {
        let of_copy = line.id == receive.id && (since..=until).contains(&line.at);
        case.tells_of(line, receive) || is_copied && of_copy
    };
    let lines: Vec<_> = case.played.lines.iter().filter(tells_of).collect();
    if lines
        .iter()
        .any(|line| explains(case, receive, since, line))
    {
        return true;
    }
    let lease = case.played.settings.queue.visibility_timeout.as_secs();
    let mut settles = case.history().settles_of(place);
    let is_given_back = settles
        .any(|settle| settle.effect.is_some() && settle.seconds.is_some_and(|asked| asked < lease))
        || !is_copied && !lines.is_empty() && lines.iter().all(|line| gives_back(line));
    // Of copies under one id only the newest is renewed. What is deleted takes all of them with it.
    let end = hidden_to(receive);
    let mut others = together.iter().map(|(_, of)| of);
    let is_older = others.any(|of| {
        let renewed_by_then = Duration::from_secs(lease) / 2;
        of.key != receive.key && of.at > receive.at && of.at + renewed_by_then <= end
    });
    let mut deletes = together
        .iter()
        .flat_map(|(place, _)| case.history().settles_of(*place))
        .filter(|settle| settle.seconds.is_none());
    let is_older = is_older && deletes.all(|delete| delete.asked >= end);
    let mut together = together.into_iter();
    !is_given_back
        && (is_older
            || case.run(receive.daemon).is_stopping(hidden_to(receive))
            || together.any(|(place, of)| Case::was_late(of) || case.was_troubled(place)))
}

/// This receive, and those of other copies under its id that its daemon held at the same time: they are
/// worked on as one.
fn held_together<'a>(
    case: &'a Case<'_>,
    place: usize,
    receive: &'a Receive,
) -> Vec<(usize, &'a Receive)> {
    let mut together = vec![(place, receive)];
    loop {
        let mut others = case.history().receives_of(receive.message);
        let next = others.find(|(place, other)| {
            let is_mine = other.daemon == receive.daemon && other.id == receive.id;
            let is_new = together.iter().all(|(known, _)| known != place);
            let mut known = together.iter();
            is_mine
                && is_new
                && known.any(|(_, of)| {
                    let is_both = of.at < hidden_to(other) && other.at < hidden_to(of);
                    of.key != other.key && is_both
                })
        });
        let Some(next) = next else { return together };
        together.push(next);
    }
}

/// Until when it was hidden at the most.
fn hidden_to(receive: &Receive) -> Duration {
    let ends = receive.hidden.iter().map(|(_, until)| *until);
    ends.max().unwrap_or_default()
}

/// Whether a message that ends so is put back by its daemon, now or later.
fn gives_back(line: &Line) -> bool {
    matches!(
        line.outcome.as_str(),
        "rejected" | "deferred" | "exhausted" | "released"
    )
}

/// Whether what a line tells was seen.
fn explains(case: &Case<'_>, receive: &Receive, since: Duration, line: &Line) -> bool {
    if gives_back(line) && case.run(receive.daemon).is_stopping(line.at) {
        return true;
    }
    let sends = sends_of(case, receive, since, line.at);
    let count = |wanted: fn(&Send) -> bool| sends.iter().filter(|send| wanted(send)).count();
    match line.outcome.as_str() {
        "rejected" => count(is_refused) > 0,
        "deferred" | "exhausted" => {
            let last = sends.last().and_then(|send| send.told);
            let has_failed = last.is_some_and(|(_, told)| told != Told::Accepted);
            let unanswered = count(|send| matches!(send.told, Some((_, Told::Unknown))));
            let is_last = receive.count >= case.played.schedule.receives;
            let budget = case.played.settings.max_elapsed * if is_last { 4 } else { 1 };
            let held = line.at - since;
            has_failed && (unanswered > 1 || held + AT_ONCE >= budget)
        }
        "panicked" => count(|send| send.told.is_none()) > 0,
        _ => false,
    }
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
        // Another daemon may tell of an earlier receive long after.
        let is_its_own = |line: &&Line| {
            let mut all = history.receives_of(receive.message);
            all.any(|(_, of)| of.daemon == receive.daemon && case.tells_of(line, of))
        };
        let since = case.played.lines[..place].iter().rfind(is_its_own);
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

/// The sends of this message by who received it, from one moment to the other.
fn sends_of<'a>(
    case: &'a Case<'_>,
    receive: &Receive,
    since: Duration,
    by: Duration,
) -> Vec<&'a Send> {
    let sends = case.history().sends_of(receive.message);
    let of = sends
        .filter(|send| send.daemon == receive.daemon && since <= send.began && send.began <= by);
    of.collect()
}

fn is_refused(send: &Send) -> bool {
    matches!(send.told, Some((_, Told::Refused)))
}

fn told(send: &Send) -> Duration {
    send.told.map_or(Duration::MAX, |(at, _)| at)
}
