//! Rules about mails: each is sent, once, by who holds its message.

use std::time::Duration;

use super::{
    super::{
        history::{AT_ONCE, Send, Told},
        plan::{Body, Trouble},
        stage::NO_MESSAGE,
    },
    Case, Found, secs,
};

/// What is learnt from an event needs this long to be acted on.
const LEARNING: Duration = Duration::from_secs(2);
/// A feedback queue that works again is received from within this time.
const RECEIVED_AGAIN: Duration = Duration::from_secs(62);
/// A table that failed is put aside for a while after.
const TABLE_ASIDE: Duration = Duration::from_secs(20);

/// What was deleted was mailed, unless it is a control message. What cannot be mailed is never
/// deleted.
pub(super) fn lost(case: &Case<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for message in case.messages() {
        let mailed = case
            .history()
            .sends_of(message)
            .any(|send| send.mailed.is_some());
        let mut receives = case.history().receives_of(message);
        let is_deleted = receives.any(|(_, receive)| receive.deleted.is_some());
        match case.body(message) {
            Body::Control if mailed => {
                found.push(Found::of(
                    message,
                    format!("{message} is no event, and was mailed"),
                ));
            }
            Body::Control => {}
            _ if is_deleted && !mailed => {
                found.push(Found::of(
                    message,
                    format!("{message} was deleted and never mailed"),
                ));
            }
            _ => {}
        }
    }
    found
}

/// Nobody asks for a delete before the mail went.
pub(super) fn early(case: &Case<'_>) -> Vec<Found> {
    let history = case.history();
    let mut found = Vec::new();
    for settle in history
        .settles
        .iter()
        .filter(|settle| settle.seconds.is_none())
    {
        let message = history.receives[settle.receive].message;
        let mut mails = history.sends_of(message).filter_map(|send| send.mailed);
        if case.body(message) != Body::Control && !mails.any(|mailed| mailed <= settle.asked) {
            let at = settle.asked;
            let text = format!("{message}'s delete was asked for at {at:?}, before its mail went");
            found.push(Found::of(message, text));
        }
    }
    found
}

/// Who sends a second mail knew nothing of the first.
pub(super) fn doubled(case: &Case<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for message in case.messages() {
        let sends: Vec<_> = mails(case, message);
        for (place, (_, second)) in sends.iter().enumerate() {
            for (number, first) in &sends[..place] {
                if let Some(reproach) = reproach(case, message, (*number, first), second) {
                    let text = format!("{message} was mailed again: {reproach}");
                    found.push(Found::of(message, text));
                    break;
                }
            }
        }
    }
    found
}

/// The sends of a message that were mailed, in the order of their begin.
fn mails<'a>(case: &'a Case<'_>, message: usize) -> Vec<(usize, &'a Send)> {
    let sends = case.history().sends.iter().enumerate();
    sends
        .filter(|(_, send)| send.message == Some(message) && send.mailed.is_some())
        .collect()
}

/// What the sender of the second mail should have known; nothing where it is excused.
fn reproach(
    case: &Case<'_>,
    message: usize,
    (number, first): (usize, &Send),
    second: &Send,
) -> Option<String> {
    let (history, schedule) = (case.history(), &case.played.schedule);
    let (one, other) = (first.daemon, second.daemon);
    let heard_first = matches!(first.told, Some((at, Told::Accepted)) if at <= second.began);
    let event = |daemon: usize, before: Duration| {
        let mut heard = history.heard.iter();
        heard.any(|heard| {
            let is_of_first = heard.send == number && heard.daemon == daemon;
            is_of_first && heard.at + before <= second.began
        })
    };
    if one == other && heard_first {
        return Some(format!("{other} had its first answer"));
    }
    if event(other, LEARNING) {
        return Some(format!("{other} had read an event of the first"));
    }
    if schedule.has_table() {
        return recorded(case, message, first, second);
    }
    if one == other {
        return None;
    }
    let copies = schedule.messages[message].copy.is_some();
    if copies || case.run(one).is_stopping(second.began) || !heard_first {
        return None;
    }
    let mut mine = history
        .receives_of(message)
        .filter(|(_, of)| of.daemon == one && of.at <= second.began);
    if mine.any(|(place, _)| case.was_troubled(place)) {
        return None;
    }
    Some(format!(
        "{one} had its answer, lived on, and neither deleted it nor kept its lease"
    ))
}

/// What the table said when the second mail was begun.
fn recorded(case: &Case<'_>, message: usize, first: &Send, second: &Send) -> Option<String> {
    let history = case.history();
    let frozen = history.frozen(first.began.saturating_sub(TABLE_ASIDE), second.began);
    let since = first.began.saturating_sub(TABLE_ASIDE + frozen);
    let mut troubles = history.table_troubles.iter();
    let is_excused = troubles.any(|(at, daemon)| {
        let concerned = *daemon == first.daemon || *daemon == second.daemon;
        concerned && since <= *at && *at <= second.began
    });
    if is_excused {
        return None;
    }
    let mut records = history.records.iter();
    if records.any(|(at, of)| *of == message && *at < second.began) {
        return Some("the table had it as sent".to_owned());
    }
    let mut claims = history.claims.iter();
    let held = claims.any(|claim| {
        let of_first = claim.message == message && claim.daemon == first.daemon;
        let stands = claim.dropped.is_none_or(|dropped| dropped > second.began);
        of_first && stands && claim.at <= first.began && claim.until > second.began
    });
    (held && first.daemon != second.daemon)
        .then(|| "the claim of the first sender had not ended".to_owned())
}

/// At most two mails go for each receive.
pub(super) fn often(case: &Case<'_>) -> Vec<Found> {
    let too_many = case.messages().filter_map(|message| {
        let (sent, receives) = (
            mails(case, message).len(),
            case.history().receives_of(message).count(),
        );
        let text = || format!("{message} was mailed {sent} times in {receives} receives");
        (sent > 2 * receives).then(|| Found::of(message, text()))
    });
    too_many.collect()
}

/// Where events are read a send without an answer waits for its event as long as one may take, before it
/// is tried again, unless its daemon can know that it hears nothing.
pub(super) fn hasty(case: &Case<'_>) -> Vec<Found> {
    let history = case.history();
    let mut found = Vec::new();
    if !case.played.schedule.reads_events() {
        return found;
    }
    let patience = case.played.settings.feedback.patience;
    for (place, second) in history.sends.iter().enumerate() {
        let before = history.sends[..place].iter().rev();
        let mut before = before.filter(|first| {
            first.message.is_some()
                && first.message == second.message
                && first.daemon == second.daemon
        });
        let Some(first) = before.next() else { continue };
        let Some((told, Told::Unknown)) = first.told else {
            continue;
        };
        let is_early = second.began + AT_ONCE < told + patience;
        if is_early && !may_be_deaf(case, second.daemon, told, second.began) {
            let message = second.message.unwrap_or_default();
            let waited = second.began.saturating_sub(told);
            let text =
                format!("{message} was sent again {waited:?} after a send without an answer");
            found.push(Found::of(message, text));
        }
    }
    found
}

/// Whether a daemon may have known between these moments that events do not reach it. Those that share a
/// table hear for each other.
fn may_be_deaf(case: &Case<'_>, daemon: usize, from: Duration, to: Duration) -> bool {
    let (history, schedule) = (case.history(), &case.played.schedule);
    if schedule.has_table() {
        return false;
    }
    let mut faults = schedule.faults.iter();
    let not_received = faults.any(|fault| {
        let is_over = secs(fault.from + fault.lasts) + RECEIVED_AGAIN < from;
        fault.what == Trouble::FeedbackDown && secs(fault.from) <= to && !is_over
    });
    let patience = case.played.settings.feedback.patience;
    let mut sends = history.sends.iter().filter(|send| send.daemon == daemon);
    not_received
        || sends.any(|send| {
            let Some((accepted, Told::Accepted)) = send.told else {
                return false;
            };
            // Deaf until it hears again, if it has heard nothing in all that time.
            let by = accepted + patience;
            let mut heard = history.heard.iter();
            let heard = heard.any(|heard| {
                let in_time = heard.at + AT_ONCE < by.max(from);
                heard.daemon == daemon && accepted <= heard.at && in_time
            });
            by <= to + AT_ONCE && !heard
        })
}

/// Who begins to send holds the message, and for as long as a send should take.
pub(super) fn unheld(case: &Case<'_>) -> Vec<Found> {
    let history = case.history();
    let settings = &case.played.settings;
    let on_its_way = settings.queue.visibility_timeout / 2 + AT_ONCE;
    let mut found = Vec::new();
    for send in &history.sends {
        let Some(message) = send.message.filter(|message| *message != NO_MESSAGE) else {
            continue;
        };
        let mut mine = history
            .receives_of(message)
            .filter(|(_, of)| of.daemon == send.daemon);
        let held = mine.any(|(_, receive)| {
            // A lease counts from its receive's request, but no more than half of it is taken for gone. Where
            // the answer took longer it ends sooner than its holder can know, but not before its first renewal.
            let heard = receive.heard.unwrap_or_default();
            let late = heard > receive.at + on_its_way;
            if late && history.frozen(receive.at, send.began) > Duration::ZERO {
                return true;
            }
            let needed = if late {
                Duration::ZERO
            } else {
                settings.email.timeout
            };
            receive.holds(send.began)
                && receive.hidden_until(send.began) + AT_ONCE >= send.began + needed
        });
        if !held {
            let (daemon, at) = (send.daemon, send.began);
            let text =
                format!("{daemon} began to send {message} at {at:?} without a lease that lasts");
            found.push(Found::of(message, text));
        }
    }
    found
}

/// Each mail is of a message that there is, and of one that may be mailed.
pub(super) fn stray(case: &Case<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for send in &case.history().sends {
        match send.message {
            Some(NO_MESSAGE) => {
                found.push(Found::general(format!(
                    "{} mailed what nobody published",
                    send.daemon
                )));
            }
            Some(message) => {
                let body = case.body(message);
                if matches!(body, Body::Malformed | Body::NoRecipient | Body::Control) {
                    found.push(Found::of(
                        message,
                        format!("{message} is {body:?} and was sent"),
                    ));
                }
            }
            None => {}
        }
    }
    found
}

/// With a table a mail is begun only under a claim of its own that lasts as long as a send. Not judged
/// where the table was in trouble shortly before.
pub(super) fn unclaimed(case: &Case<'_>) -> Vec<Found> {
    let (history, schedule) = (case.history(), &case.played.schedule);
    let mut found = Vec::new();
    if !schedule.has_table() {
        return found;
    }
    for send in &history.sends {
        let Some(message) = send.message.filter(|message| *message != NO_MESSAGE) else {
            continue;
        };
        let mut claims = history.claims.iter();
        let claimed = claims.any(|claim| {
            let mine = claim.message == message && claim.daemon == send.daemon;
            let stands = claim.dropped.is_none_or(|dropped| dropped > send.began);
            mine && stands
                && claim.at <= send.began
                && claim.until + AT_ONCE >= send.began + secs(10)
        });
        let mut troubles = history.table_troubles.iter();
        let is_excused = troubles.any(|(at, daemon)| {
            let aside = TABLE_ASIDE + history.frozen(*at, send.began);
            *daemon == send.daemon && *at <= send.began && *at + aside >= send.began
        });
        if !claimed && !is_excused {
            let (daemon, at) = (send.daemon, send.began);
            let text = format!("{daemon} began to send {message} at {at:?} without a claim");
            found.push(Found::of(message, text));
        }
    }
    found
}
