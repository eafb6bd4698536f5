//! How a look is told.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};

use super::look::{End, Looked, Seen};
use crate::{
    cli::{
        output::{Paint, Tone, one_line},
        verdict::Verdict,
    },
    notification::Mail,
};

/// One message on one line.
pub(super) fn line(seen: &Seen) -> String {
    let tone = match &seen.verdict {
        Verdict::Mail(_) => Tone::Good,
        Verdict::Ignored(_) => Tone::Faint,
        Verdict::Rejected(_) => Tone::Bad,
    };
    let verdict = one_line(&verdict(&seen.verdict));
    let age = seen.age.map_or_else(
        || "at an unknown time".to_owned(),
        |age| format!("{} ago", coarse(age)),
    );
    let left = seen.left.map_or_else(
        || "forgotten at an unknown time".to_owned(),
        |left| format!("forgotten in {}", coarse(left)),
    );
    let times = if seen.receive_count == 1 {
        "once".to_owned()
    } else {
        format!("{} times", seen.receive_count)
    };
    format!(
        "{}\n    sent {age}, received {times}, {left} {}\n",
        Paint::for_stdout().paint(tone, &verdict),
        Paint::for_stdout().paint(Tone::Faint, &format!("({})", one_line(&seen.id))),
    )
}

/// How many of which kind, and whether there may be more.
pub(super) fn summary(looked: &Looked) -> String {
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for seen in &looked.messages {
        let kind = match &seen.verdict {
            Verdict::Mail(_) => "would be sent".to_owned(),
            other => one_line(&verdict(other)),
        };
        *kinds.entry(kind).or_default() += 1;
    }
    let mut text = match looked.messages.len() {
        0 => "no messages".to_owned(),
        1 => "1 message".to_owned(),
        count => format!("{count} messages"),
    };
    text.push_str(match looked.end {
        End::Emptied => ", which is all that can be seen now",
        End::Limit => "; there may be more: --limit looks further",
        End::OutOfTime => "; there may be more: it took too long to go on",
        End::Interrupted => "; interrupted, there may be more",
        End::Failed => "; there may be more",
    });
    let mut lines = vec![text];
    lines.extend(
        kinds
            .iter()
            .map(|(kind, count)| format!("{count:>6}  {kind}")),
    );
    lines.join("\n") + "\n"
}

/// The whole look for machines. Times are in seconds.
pub(super) fn json(looked: &Looked) -> String {
    let messages: Vec<_> = looked.messages.iter().map(message).collect();
    let end = match looked.end {
        End::Emptied => "emptied",
        End::Limit => "limit",
        End::OutOfTime => "out_of_time",
        End::Interrupted => "interrupted",
        End::Failed => "failed",
    };
    let whole = json!({
        "messages": messages,
        "end": end,
        "not_put_back": looked.not_put_back,
    });
    format!("{whole}\n")
}

fn message(seen: &Seen) -> Value {
    let (kind, to, reason) = match &seen.verdict {
        Verdict::Mail(mail) => ("mail", Some(masked(mail)), None),
        Verdict::Ignored(kind) => ("ignored", None, Some(kind)),
        Verdict::Rejected(reason) => ("rejected", None, Some(reason)),
    };
    json!({
        "message_id": seen.id,
        "receive_count": seen.receive_count,
        "age_s": seen.age.map(|age| age.as_secs()),
        "forgotten_in_s": seen.left.map(|left| left.as_secs()),
        "verdict": kind,
        "to": to,
        "reason": reason,
    })
}

fn verdict(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Mail(mail) => format!("would be sent to {}", masked(mail).join(", ")),
        Verdict::Ignored(kind) => format!("ignored: {kind} of the topic, no event"),
        Verdict::Rejected(reason) => format!("rejected: {reason}"),
    }
}

fn masked(mail: &Mail) -> Vec<String> {
    mail.to.iter().map(ToString::to_string).collect()
}

/// The two largest units at most: nobody plans a redrive by the second.
pub(super) fn coarse(time: Duration) -> String {
    let seconds = time.as_secs();
    let units = [("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)];
    let first = units.iter().position(|(_, unit)| seconds >= *unit);
    let Some(first) = first else {
        return "0s".to_owned();
    };
    let mut rest = seconds;
    let mut parts = Vec::new();
    for (name, unit) in units.iter().skip(first).take(2) {
        if rest / unit > 0 {
            parts.push(format!("{}{name}", rest / unit));
        }
        rest %= unit;
    }
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_told_in_its_two_largest_units() {
        for (seconds, told) in [
            (0, "0s"),
            (59, "59s"),
            (60, "1m"),
            (3_661, "1h 1m"),
            (86_460, "1d"),
            (11 * 86_400 + 7_200, "11d 2h"),
        ] {
            assert_eq!(coarse(Duration::from_secs(seconds)), told);
        }
    }
}
