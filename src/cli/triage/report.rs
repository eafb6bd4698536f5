//! How a scan is shown.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};

use super::scan::{End, Scan, ScannedMessage};
use crate::cli::{
    output::{BAD, FAINT, GOOD, Paint, one_line},
    verdict::{Verdict, masked},
};

/// One message: what would become of it, and a line of facts.
pub(super) fn line(message: &ScannedMessage) -> String {
    let tone = match &message.verdict {
        Verdict::Mail(_) => GOOD,
        Verdict::Ignored(_) => FAINT,
        Verdict::Rejected(_) => BAD,
    };
    let sent = match message.age {
        Some(age) => format!("{} ago", coarse(age)),
        None => "at an unknown time".to_owned(),
    };
    let forgotten = match message.left {
        Some(left) => format!("in {}", coarse(left)),
        None => "at an unknown time".to_owned(),
    };
    let received = match message.receive_count {
        1 => "once".to_owned(),
        count => format!("{count} times"),
    };
    let paint = Paint::for_stdout();
    format!(
        "{}\n    sent {sent}, received {received}, expires {forgotten} {}",
        paint.paint(tone, &one_line(&message.verdict.to_string())),
        paint.paint(FAINT, &format!("({})", one_line(&message.id))),
    )
}

/// How many of which kind, and whether there may be more.
pub(super) fn summary(scan: &Scan) -> String {
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for message in &scan.messages {
        let kind = match &message.verdict {
            Verdict::Mail(_) => "would be sent".to_owned(),
            other => one_line(&other.to_string()),
        };
        *kinds.entry(kind).or_default() += 1;
    }
    let count = match scan.messages.len() {
        0 => "no messages".to_owned(),
        1 => "1 message".to_owned(),
        count => format!("{count} messages"),
    };
    let end = match scan.end {
        End::Emptied => ", which is all that can be seen now",
        End::Limit => "; there may be more: raise --limit",
        End::OutOfTime => "; there may be more: the scan reached its time limit",
        End::Interrupted => "; interrupted, there may be more",
        End::Failed(_) => "; there may be more",
    };
    let kinds = kinds
        .iter()
        .map(|(kind, count)| format!("\n{count:>6}  {kind}"));
    format!("{count}{end}{}", kinds.collect::<String>())
}

/// The whole scan for machines. Times are in seconds.
pub(super) fn json(scan: &Scan) -> Value {
    json!({
        "messages": scan.messages.iter().map(message_json).collect::<Vec<_>>(),
        "end": scan.end,
        "not_put_back": scan.left_hidden,
    })
}

fn message_json(message: &ScannedMessage) -> Value {
    let to = match &message.verdict {
        Verdict::Mail(mail) => Some(masked(mail)),
        Verdict::Ignored(_) | Verdict::Rejected(_) => None,
    };
    json!({
        "message_id": message.id,
        "receive_count": message.receive_count,
        "age_s": message.age.map(|age| age.as_secs()),
        "forgotten_in_s": message.left.map(|left| left.as_secs()),
        "verdict": message.verdict.name(),
        "to": to,
        "reason": message.verdict.reason(),
    })
}

/// A time in its two largest units: nobody plans a redrive by the second.
fn coarse(time: Duration) -> String {
    let s = time.as_secs();
    let units = [
        (s / 86_400, "d"),
        (s / 3600 % 24, "h"),
        (s / 60 % 60, "m"),
        (s % 60, "s"),
    ];
    let from_largest = units.iter().skip_while(|(count, _)| *count == 0);
    let shown = from_largest.take(2).filter(|(count, _)| *count > 0);
    let shown: Vec<_> = shown
        .map(|(count, name)| format!("{count}{name}"))
        .collect();
    if shown.is_empty() {
        "0s".to_owned()
    } else {
        shown.join(" ")
    }
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
