//! Rules about processes: how each ends, how fast it sends, and whether its words agree with what was
//! seen.

use std::{collections::HashSet, time::Duration};

use organizer_notifier::{pipeline::outcome::Outcome, timing::TELEMETRY_FLUSH_TIME};

use super::{
    super::{
        history::{Line, Receive, Told},
        plan::{Body, Rate, Trouble},
    },
    Case, Found,
};

/// Calls on the table that fail or take their time put off those that are begun within this time.
const TABLE_WAITED: Duration = Duration::from_secs(3);
/// What the end of a process may take beyond its timetable: nothing is begun in it.
const SLACK: Duration = Duration::from_millis(10);

/// Who is asked to stop has ended within its grace, the time that telemetry may need left over. None ends
/// by itself, and none panics.
pub(super) fn late(case: &Case<'_>) -> Vec<Found> {
    let history = case.history();
    let grace = case.played.settings.grace - TELEMETRY_FLUSH_TIME + SLACK;
    let mut found = Vec::new();
    for (number, run) in history.daemons.iter().enumerate() {
        if run.panicked {
            found.push(Found::general(format!("daemon {number} panicked")));
        }
        let ended = run.ended.or(run.killed);
        if let (Some(asked), Some(ended)) = (run.asked, ended) {
            let took = ended
                .saturating_sub(asked)
                .saturating_sub(history.frozen(asked, ended));
            if took > grace {
                let text = format!("daemon {number} took {took:?} of its {grace:?} to stop");
                found.push(Found::general(text));
            }
        } else if run.tally.is_some() {
            found.push(Found::general(format!("daemon {number} ended by itself")));
        }
    }
    found
}

/// Who has ended calls nobody.
pub(super) fn after(case: &Case<'_>) -> Vec<Found> {
    let runs = case.history().daemons.iter().enumerate();
    let called = runs.filter_map(|(number, run)| {
        let (at, call) = run.called_after?;
        let text = format!("daemon {number} made a call after its end, at {at:?}: {call}");
        Some(Found::general(text))
    });
    called.collect()
}

/// Nobody asks for more recipients a second than it may. A bucket saves up a second's worth, and a mail
/// goes while the bucket is not in debt.
pub(super) fn rate(case: &Case<'_>) -> Vec<Found> {
    let history = case.history();
    let is_of_the_account =
        |trouble| matches!(trouble, Trouble::AccountDenied | Trouble::AccountFails);
    let rate = match case.played.schedule.rate {
        Rate::PerSecond(rate) => f64::from(rate),
        Rate::Account(rate) if !case.had(Duration::MAX, is_of_the_account) => f64::from(rate),
        Rate::Account(_) | Rate::Unlimited => return Vec::new(),
    };
    let mut found = Vec::new();
    for daemon in 0..history.daemons.len() {
        let (mut tokens, mut since) = (rate.max(1.0), Duration::ZERO);
        let sends = || history.sends.iter().filter(|send| send.daemon == daemon);
        // A late mail goes after those whose turn came later, and these can have many recipients, which are
        // paid for meanwhile.
        let late_after = |trouble: Duration, began: Duration| {
            let between = sends().filter(|send| trouble <= send.began && send.began <= began);
            let most = between.map(|send| send.recipients).max();
            let most = f64::from(u32::try_from(most.unwrap_or_default()).unwrap_or(u32::MAX));
            let late_for = TABLE_WAITED + Duration::from_secs_f64(most / rate.max(1.0));
            (trouble <= began && began <= trouble + late_for).then_some(most)
        };
        for send in sends() {
            let passed = (send.began - since).as_secs_f64();
            tokens = rate.max(1.0).min(passed.mul_add(rate, tokens));
            since = send.began;
            // Waits end at whole milliseconds, and the claim stands between the turn and the send. It may take
            // a second before the mail needs another turn.
            let slow = history.table_slow.iter();
            let troubles = history.table_troubles.iter().chain(slow);
            let late = troubles.filter_map(|(at, _)| late_after(*at, since));
            let least = late.map(|most| -2.0 - rate - most).fold(-2.0, f64::min);
            if tokens < least {
                let text =
                    format!("{daemon} sent faster than {rate} recipients a second at {since:?}");
                found.push(Found::general(text));
                break;
            }
            tokens -= f64::from(u32::try_from(send.recipients).unwrap_or(u32::MAX));
        }
    }
    found
}

/// No daemon sends more mails at once than its window is large, a probe apart, and none holds more
/// messages that nothing is wrong with than are sent at once, with those held ready beside them. Until a
/// first mail was accepted that is one. Of those that wait for a word there are as many again, and one
/// more ever more rarely.
pub(super) fn crowded(case: &Case<'_>) -> Vec<Found> {
    let history = case.history();
    let concurrency = case.played.schedule.concurrency;
    let mut found = Vec::new();
    for daemon in 0..history.daemons.len() {
        let sends: Vec<_> = history
            .sends
            .iter()
            .filter(|send| send.daemon == daemon && send.message.is_some())
            .collect();
        let crowd = sends.iter().find_map(|send| {
            let under_way = sends.iter().filter(|other| {
                other.began <= send.began && other.ended.is_none_or(|ended| ended > send.began)
            });
            let under_way = under_way.count();
            (under_way > concurrency + 1).then_some(("sent", under_way, send.began))
        });
        let crowd = crowd.or_else(|| {
            let received = history.receives.iter().filter_map(|receive| receive.heard);
            let mut held = received.map(|at| (at, held(case, daemon, at)));
            held.find_map(|(at, (good, all))| {
                let good = (good > room(case, daemon, at)).then_some(("held", good, at));
                let most = room_with_waiting(case, at);
                good.or_else(|| (all > most).then_some(("held with what waits", all, at)))
            })
        });
        if let Some((what, count, at)) = crowd {
            let text = format!("{daemon} {what} {count} at once at {at:?}");
            found.push(Found::general(text));
        }
    }
    found
}

/// How many messages this daemon may hold that nothing is wrong with.
fn room(case: &Case<'_>, daemon: usize, at: Duration) -> usize {
    let history = case.history();
    let mut sends = history.sends.iter().enumerate();
    let has_mailed = sends.any(|(number, send)| {
        let answered = matches!(send.told, Some((told, Told::Accepted)) if told <= at);
        let mut heard = history.heard.iter();
        send.daemon == daemon
            && send.message.is_some()
            && (answered || heard.any(|heard| heard.send == number && heard.at <= at))
    });
    let concurrency = case.played.schedule.concurrency;
    // Who waits for another's claim or for its record in a table is not seen; so many do not count.
    let waiting = if case.played.schedule.has_table() {
        concurrency
    } else {
        0
    };
    waiting
        + if has_mailed {
            concurrency + concurrency / 5 + 1
        } else {
            // A probe may have been received beside it.
            2
        }
}

/// How many messages a daemon may hold, with those that wait for a word or for their delete. One more than
/// there is room for comes two seconds after the last of them, the next after four more, up to a minute.
fn room_with_waiting(case: &Case<'_>, at: Duration) -> usize {
    let schedule = &case.played.schedule;
    let concurrency = schedule.concurrency;
    let mut more = 0;
    let mut since = Duration::ZERO;
    let mut pause = Duration::from_secs(2);
    while since + pause <= at {
        since += pause;
        pause = (2 * pause).min(Duration::from_mins(1));
        more += 1;
    }
    let waiting = if schedule.has_table() {
        2 * concurrency
    } else {
        concurrency
    };
    // At least as many as open a breaker, and one whose receive is a probe.
    let room = concurrency + 2 * (concurrency / 5) + waiting;
    room.max(3) + 1 + more
}

/// How many messages it holds at this moment, those of which no send has failed and all.
fn held(case: &Case<'_>, daemon: usize, at: Duration) -> (usize, usize) {
    let history = case.history();
    let has_needed_uid = case.had(at, |what| what == Trouble::FetchNeedsUid);
    let is_held = |receive: &&Receive| {
        receive.daemon == daemon
            && receive.heard.is_some_and(|heard| heard <= at)
            // A copy that came while the one before it was being deleted is deleted with it, without a line.
            && receive.deleted.is_none_or(|deleted| deleted > at)
            && !history
                .receives_of(receive.message)
                .any(|(_, later)| later.id == receive.id && later.at > receive.at)
            && case.line_of(receive).is_none_or(|line| line.at > at)
    };
    let is_good = |receive: &&&Receive| {
        let mut sends = history.sends_of(receive.message);
        let has_failed = sends.any(|send| {
            send.daemon == daemon
                && send.began <= at
                && send.told.is_none_or(|(_, told)| told != Told::Accepted)
        });
        let lacks = has_needed_uid && case.body(receive.message) == Body::NoUid;
        !has_failed && !lacks
    };
    let all: Vec<_> = history.receives.iter().filter(is_held).collect();
    (all.iter().filter(is_good).count(), all.len())
}

/// The sums of each daemon agree with its receives, and all sums with all lines.
pub(super) fn sums(case: &Case<'_>) -> Vec<Found> {
    let history = case.history();
    let mut found = Vec::new();
    for (number, run) in history.daemons.iter().enumerate() {
        let Some(tally) = &run.tally else { continue };
        let (mut seen, mut sure, mut all) = (HashSet::new(), 0, 0);
        let mine = history
            .receives
            .iter()
            .filter(|receive| receive.daemon == number);
        for receive in mine {
            all += u64::from(receive.heard.is_some());
            // What it holds already is no other delivery.
            let is_sure = receive.heard.is_some_and(|at| !run.is_stopping(at));
            sure += u64::from(seen.insert(&receive.id) && is_sure);
        }
        let received = tally.received();
        if !tally.balanced() || received < sure || received > all {
            let text = format!("daemon {number} counts {tally}, and received {sure} to {all}");
            found.push(Found::general(text));
        }
    }
    let is_killed = history.daemons.iter().any(|run| run.killed.is_some());
    for outcome in Outcome::ALL {
        let tallies = history.daemons.iter().filter_map(|run| run.tally.as_ref());
        let counted: u64 = tallies.map(|tally| tally.count(outcome)).sum();
        let lines = case
            .played
            .lines
            .iter()
            .filter(|line| line.outcome == outcome.name());
        let told = lines.count() as u64;
        if told < counted || (told > counted && !is_killed) {
            let text = format!("{counted} are counted as {outcome}, and {told} told");
            found.push(Found::general(text));
        }
    }
    found
}

/// What a line says of a message is what happened to it.
pub(super) fn contradicted(case: &Case<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for line in &case.played.lines {
        let of = case
            .history()
            .receives
            .iter()
            .filter(|receive| receive.id == line.id);
        let of: Vec<_> = of.filter(|receive| receive.at <= line.at).collect();
        let Some(message) = of.first().map(|receive| receive.message) else {
            let text = format!(
                "a line tells of a message that nobody received: {}",
                line.text
            );
            found.push(Found::general(text));
            continue;
        };
        let limit = case.played.schedule.receives;
        let told = |receive: &&&Receive| line.receive == format!("{} of {limit}", receive.count);
        let counted: Vec<_> = of.iter().filter(told).collect();
        let wrong = if counted.is_empty() {
            Some(format!("no receive is {}", line.receive))
        } else {
            contradiction(
                case,
                message,
                line,
                counted.first().map_or(0, |receive| receive.daemon),
            )
        };
        if let Some(wrong) = wrong {
            let (at, outcome) = (line.at, &line.outcome);
            let text = format!("{message} is told as {outcome} at {at:?}, and {wrong}");
            found.push(Found::of(message, text));
        }
    }
    found
}

/// How a line and what was seen differ, in words.
fn contradiction(case: &Case<'_>, message: usize, line: &Line, daemon: usize) -> Option<String> {
    let history = case.history();
    let sends = history.sends.iter().enumerate();
    let of = sends.filter(|(_, send)| send.message == Some(message) && send.began <= line.at);
    let of: Vec<_> = of.collect();
    let mailed = of
        .iter()
        .any(|(_, send)| send.mailed.is_some_and(|at| at <= line.at));
    let is_control = case.body(message) == Body::Control;
    match line.outcome.as_str() {
        "ignored" => (!is_control).then(|| "it is no control message".to_owned()),
        _ if is_control && line.outcome != "released" && line.outcome != "lost" => {
            Some("it is a control message".to_owned())
        }
        "sent" => {
            let id = line.email_id.as_deref().unwrap_or_default();
            let named = of.iter().any(|(number, _)| id == format!("mail-{number}-"));
            (!mailed || !named).then(|| format!("no mail of it was accepted as {id:?} by then"))
        }
        "duplicate" => (!mailed).then(|| "no mail of it was accepted by then".to_owned()),
        "rejected" => {
            let refused = of
                .iter()
                .any(|(_, send)| matches!(send.told, Some((_, Told::Refused))));
            let is_bad = matches!(
                case.body(message),
                Body::Malformed | Body::NoRecipient | Body::NoUid
            );
            (!refused && !is_bad).then(|| "nothing is wrong with it".to_owned())
        }
        "released" => {
            let mut runs = history.daemons.iter();
            let stopping = runs.any(|run| run.is_stopping(line.at));
            (!stopping).then(|| "nobody stops".to_owned())
        }
        _ => {
            let own = of.iter().filter(|(_, send)| send.daemon == daemon);
            let mut own = own.filter(
                |(_, send)| matches!(send.told, Some((at, Told::Accepted)) if at < line.at),
            );
            let one_receive = history.receives_of(message).count() == 1;
            (own.next().is_some() && one_receive && line.outcome != "panicked")
                .then(|| "its mail was accepted and answered".to_owned())
        }
    }
}
