//! How a scan, and what was done after it, is shown to a person.

use std::{collections::BTreeMap, iter, time::Duration};

use super::{
    act::Done,
    plan::LeftOut,
    scan::{End, Judged, Scan, messages},
};
use crate::{
    cli::{
        output::{BAD, FAINT, GOOD, Paint, one_line},
        verdict::Kind,
    },
    ports::dead_letters::{AttributeValue, DeadLetter},
};

/// So many ids of a group are shown: enough to look one up.
const IDS_SHOWN: usize = 3;
/// Where the place in a text begins that differs from message to message.
const PLACE: &str = " (line ";

/// Messages with one verdict.
pub(super) struct Group<'a> {
    pub(super) verdict: String,
    pub(super) ids: Vec<&'a str>,
}

/// The messages by verdict, the largest group first.
pub(super) fn groups(messages: &[Judged]) -> Vec<Group<'_>> {
    let mut of: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for message in messages {
        let verdict = match message.kind {
            Kind::Mail => "would be sent",
            _ => &message.verdict,
        };
        let verdict = verdict.split(PLACE).next().unwrap_or_default();
        let verdict = format!("{}{}", one_line(verdict), message.mailed.addition());
        of.entry(verdict).or_default().push(&message.id);
    }
    let mut groups: Vec<_> = of
        .into_iter()
        .map(|(verdict, ids)| Group { verdict, ids })
        .collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.ids.len()));
    groups
}

/// One message: what would become of it, and a line of facts.
pub(super) fn line(message: &Judged) -> String {
    let tone = match message.kind {
        Kind::Mail => GOOD,
        Kind::Ignored => FAINT,
        Kind::Rejected => BAD,
    };
    let verdict = format!("{}{}", message.verdict, message.mailed.addition());
    let paint = Paint::for_stdout();
    format!(
        "{}\n    {} {}",
        paint.paint(tone, &one_line(&verdict)),
        facts(message),
        paint.paint(FAINT, &format!("({})", one_line(&message.id))),
    )
}

fn facts(message: &Judged) -> String {
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
    format!("sent {sent}, received {received}, expires {forgotten}")
}

/// How many of how many, why there may be more, and which verdicts.
pub(super) fn summary(scan: &Scan, about: u64, in_others_hands: u64) -> String {
    let count = scan.messages.len();
    let of = if about > count as u64 {
        format!("{count} of about {about} messages")
    } else {
        messages(count)
    };
    let end = match scan.end {
        End::Emptied if in_others_hands > 0 => format!(
            ", which is all that can be seen now: about {in_others_hands} more are hidden, since others \
             have received them"
        ),
        End::Emptied => ", which is all that can be seen now".to_owned(),
        End::Found => "; the scan ended when all that was asked for was found".to_owned(),
        End::Limit => "; there may be more: raise --limit".to_owned(),
        End::OutOfTime => "; there may be more: the scan reached its time limit".to_owned(),
        End::Interrupted => "; interrupted, there may be more".to_owned(),
        End::Failed(_) => "; there may be more".to_owned(),
    };
    let groups = groups(&scan.messages).into_iter().map(|group| {
        let (count, verdict) = (group.ids.len(), group.verdict);
        let more = if count > IDS_SHOWN { " …" } else { "" };
        let shown = group.ids.iter().take(IDS_SHOWN).map(|id| one_line(id));
        let ids = shown.collect::<Vec<_>>().join(" ");
        let ids = Paint::for_stdout().paint(FAINT, &format!("{ids}{more}"));
        format!("\n{count:>6}  {verdict}\n        {ids}")
    });
    format!("{of}{end}{}", groups.collect::<String>())
}

/// One message whole.
pub(super) fn whole(message: &Judged, letter: &DeadLetter) -> String {
    let came_from = message.came_from.iter();
    let came_from = came_from.map(|arn| format!("    came from {}", one_line(arn)));
    let attributes = letter.attributes.iter().map(|attribute| {
        let value = match &attribute.value {
            AttributeValue::Text(text) => one_line(text),
            AttributeValue::Bytes(bytes) => format!("{} bytes", bytes.len()),
        };
        let (name, data_type) = (one_line(&attribute.name), one_line(&attribute.data_type));
        format!("    attribute {name} ({data_type}): {value}")
    });
    let body = letter.message.body.lines().map(one_line);
    let lines = iter::once(line(message)).chain(came_from).chain(attributes);
    let lines = lines.chain(iter::once(String::new())).chain(body);
    lines.collect::<Vec<_>>().join("\n")
}

/// What was done, and to which messages it was not.
pub(super) fn done(
    done: &[(String, Done)],
    left_out: &[(String, LeftOut)],
    act: &str,
    to: Option<&str>,
) -> String {
    let good = done.iter().filter(|(_, done)| done.is_good()).count();
    let mut lines = vec![match to {
        Some(to) => format!("redrove {} to {to}", messages(good)),
        None => format!("deleted {}", messages(good)),
    }];
    let mut left: BTreeMap<LeftOut, usize> = BTreeMap::new();
    for (_, why) in left_out {
        *left.entry(*why).or_default() += 1;
    }
    for (why, count) in left {
        lines.push(format!(
            "{count:>6}  left where they are; they {}",
            why.describe()
        ));
    }
    let waits = done.iter().filter(|(_, done)| *done == Done::NotReached);
    let waits = waits.count();
    if waits > 0 {
        lines.push(format!(
            "{waits:>6}  not touched: the {act} ended before their turn"
        ));
    }
    for (id, done) in done {
        let what = match done {
            Done::Redriven | Done::Deleted | Done::NotReached => continue,
            Done::NotSent(_) => "not sent, and still here",
            Done::MaybeSent(_) => {
                "may have been sent, and still here: another redrive could mail it twice"
            }
            Done::InBoth(_) => {
                "sent, and still here: delete it here, or another redrive mails it twice"
            }
            Done::NotDeleted(_) => "not deleted",
            Done::LeaseEnded => "not touched, since its lease had ended: others may have it",
        };
        let why = done.reason().map(|why| format!(" ({})", one_line(why)));
        lines.push(format!(
            "{}: {what}{}",
            one_line(id),
            why.unwrap_or_default()
        ));
    }
    lines.join("\n")
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
    use crate::cli::triage::{records::Mailed, scan::judged};

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

    #[test]
    fn one_verdict_is_one_group_wherever_in_the_text_the_fault_is() {
        let with = |id: &str, verdict: &str| Judged {
            verdict: verdict.to_owned(),
            ..judged(id, Kind::Rejected)
        };
        let mut mailed = judged("d", Kind::Mail);
        mailed.mailed = Mailed::Yes;
        let messages = [
            judged("c", Kind::Mail),
            with(
                "a",
                "rejected: the event is not JSON: EOF (line 1, column 289)",
            ),
            with(
                "b",
                "rejected: the event is not JSON: EOF (line 2, column 7)",
            ),
            mailed,
        ];
        let groups = groups(&messages);
        let told: Vec<_> = groups
            .iter()
            .map(|group| (group.verdict.as_str(), group.ids.len()))
            .collect();
        let expected = [
            ("rejected: the event is not JSON: EOF", 2),
            ("would be sent", 1),
            ("would be sent; was mailed", 1),
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn what_the_scan_left_is_told() {
        let scan = |end| Scan {
            messages: (0..4)
                .map(|id| judged(&id.to_string(), Kind::Mail))
                .collect(),
            letters: BTreeMap::new(),
            maybe_hidden: 0,
            end,
        };
        let groups = "\n     4  would be sent\n        0 1 2 …";
        for (end, about, hidden, told) in [
            (
                End::Limit,
                300,
                0,
                "4 of about 300 messages; there may be more: raise --limit",
            ),
            (
                End::Emptied,
                4,
                0,
                "4 messages, which is all that can be seen now",
            ),
            (
                End::Emptied,
                4,
                2,
                "4 messages, which is all that can be seen now: about 2 more are hidden, since others \
                 have received them",
            ),
        ] {
            assert_eq!(
                summary(&scan(end), about, hidden),
                format!("{told}{groups}")
            );
        }
    }

    #[test]
    fn what_was_not_done_is_told_with_its_id() {
        let acted = [
            ("a".to_owned(), Done::Redriven),
            ("b".to_owned(), Done::InBoth("no".to_owned())),
            ("c".to_owned(), Done::NotReached),
        ];
        let left = [("d".to_owned(), LeftOut::Foreign)];
        let told = done(&acted, &left, "redrive", Some("created"));
        assert_eq!(
            told,
            "redrove 1 message to created\n     1  left where they are; they came from another queue: \
             name the queue by --to-queue-url to redrive them to it\n     1  not touched: the redrive \
             ended before their turn\nb: sent, and still here: delete it here, or another redrive mails \
             it twice (no)"
        );
    }
}
