//! What was broken while a schedule was played. It judges by what the services saw, and holds the
//! daemons' own lines and counts against that.
//!
//! The rules are those of the checker of the fault campaign, as far as they have a meaning here.

mod mails;
mod messages;
mod processes;
mod verdicts;

use std::{fmt, time::Duration};

use super::{
    history::{AT_ONCE, History, Line, Receive, Run},
    plan::{Body, Trouble},
    play::Played,
};

/// A receive takes no longer.
const POLL_MAX: Duration = Duration::from_secs(31);

/// A rule that was broken, and what shows it.
#[derive(Debug)]
pub(super) struct Breach {
    pub(super) rule: &'static str,
    text: String,
    moments: Vec<String>,
}

/// All rules, by their names.
type Rule = (&'static str, fn(&Case<'_>) -> Vec<Found>);

const RULES: &[Rule] = &[
    ("lost", mails::lost),
    ("early", mails::early),
    ("doubled", mails::doubled),
    ("often", mails::often),
    ("hasty", mails::hasty),
    ("unheld", mails::unheld),
    ("stray", mails::stray),
    ("unclaimed", mails::unclaimed),
    ("unsettled", messages::unsettled),
    ("dead", verdicts::dead),
    ("unwitnessed", verdicts::unwitnessed),
    ("renewed", messages::renewed),
    ("unretried", messages::unretried),
    ("undeleted", messages::undeleted),
    ("overlapping", messages::overlapping),
    ("crowded", processes::crowded),
    ("late", processes::late),
    ("after", processes::after),
    ("rate", processes::rate),
    ("sums", processes::sums),
    ("contradicted", processes::contradicted),
];

/// What a rule found: in words, and of which message it is.
pub(super) struct Found {
    text: String,
    message: Option<usize>,
}

impl Found {
    fn of(message: usize, text: String) -> Self {
        Self {
            text,
            message: Some(message),
        }
    }

    fn general(text: String) -> Self {
        Self {
            text,
            message: None,
        }
    }
}

/// Every breach of every rule.
pub(super) fn judge(played: &Played) -> Vec<Breach> {
    let case = Case { played };
    let breaches = RULES.iter().flat_map(|(rule, broken)| {
        broken(&case).into_iter().map(|found| Breach {
            rule,
            moments: found
                .message
                .map_or_else(|| case.all_runs(), |message| case.moments(message)),
            text: found.text,
        })
    });
    breaches.collect()
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rule, self.text)?;
        for moment in &self.moments {
            write!(f, "\n    {moment}")?;
        }
        Ok(())
    }
}

struct Case<'a> {
    played: &'a Played,
}

impl Case<'_> {
    fn history(&self) -> &History {
        &self.played.history
    }

    fn body(&self, message: usize) -> Body {
        self.played.schedule.messages[message].body
    }

    fn messages(&self) -> std::ops::Range<usize> {
        0..self.played.schedule.messages.len()
    }

    fn run(&self, daemon: usize) -> &Run {
        &self.history().daemons[daemon]
    }

    /// Whether such a fault is planned to begin before this moment.
    fn had(&self, before: Duration, wanted: impl Fn(Trouble) -> bool) -> bool {
        self.played.schedule.has(before.as_secs(), wanted)
    }

    /// Whether a call about this receive failed, went unanswered or took time, or the process stood
    /// still while it lasted.
    fn was_troubled(&self, receive: usize) -> bool {
        let history = self.history();
        let of = &history.receives[receive];
        let ends = of.hidden.iter().map(|(_, until)| *until).max();
        let until = ends.unwrap_or_default();
        // A poll that was under way when the process stood still may have brought it long before.
        history.frozen(of.at.saturating_sub(POLL_MAX), until) > Duration::ZERO
            || history.settles_of(receive).any(|settle| {
                settle.answer != Some(super::history::Answer::Done)
                    || settle
                        .ended
                        .is_none_or(|ended| ended > settle.asked + AT_ONCE)
            })
    }

    /// Whether the answer of this receive was on its way for a while, or never arrived.
    fn was_late(receive: &Receive) -> bool {
        receive
            .heard
            .is_none_or(|heard| heard > receive.at + AT_ONCE)
    }

    /// The line that tells how this receive ended. Where the message came again meanwhile, the later
    /// receive has it.
    fn line_of(&self, receive: &Receive) -> Option<&Line> {
        let mut lines = self.played.lines.iter();
        lines.find(|line| self.tells_of(line, receive))
    }

    /// Whether a line is of this receive, or of a later one that counts the same: copies of a message under
    /// one id are counted for themselves.
    fn tells_of(&self, line: &Line, receive: &Receive) -> bool {
        line.id == receive.id
            && line.at >= receive.at
            && line.receive == format!("{} of {}", receive.count, self.played.schedule.receives)
    }

    /// Everything about one message, in order.
    fn moments(&self, message: usize) -> Vec<String> {
        let history = self.history();
        let mut moments: Vec<(Duration, String)> = Vec::new();
        let ids: Vec<_> = history
            .receives_of(message)
            .map(|(_, receive)| receive.id.clone())
            .collect();
        for (place, receive) in history.receives_of(message) {
            let (daemon, count) = (receive.daemon, receive.count);
            let heard = receive.heard;
            let short = &receive.id[..4];
            let text = format!("received by {daemon}, receive {count} of {short}, heard {heard:?}");
            moments.push((receive.at, text));
            for settle in history.settles_of(place) {
                let what = match settle.seconds {
                    None => "delete".to_owned(),
                    Some(seconds) => format!("{seconds} s more"),
                };
                let (daemon, effect, ended, answer) =
                    (settle.daemon, settle.effect, settle.ended, settle.answer);
                let text = format!(
                    "{daemon} asks for {what} (receive {count} of {short}): effect {effect:?}, ended \
                     {ended:?} {answer:?}"
                );
                moments.push((settle.asked, text));
            }
        }
        for (number, send) in history.sends.iter().enumerate() {
            if send.message == Some(message) {
                let (daemon, mailed, told) = (send.daemon, send.mailed, send.told);
                let text = format!("{daemon} sends {number}: mailed {mailed:?}, told {told:?}");
                moments.push((send.began, text));
                for heard in history.heard.iter().filter(|heard| heard.send == number) {
                    let text = format!("{} hears of {number}", heard.daemon);
                    moments.push((heard.at, text));
                }
            }
        }
        for claim in history
            .claims
            .iter()
            .filter(|claim| claim.message == message)
        {
            let (until, dropped) = (claim.until, claim.dropped);
            let text = format!(
                "{} claims until {until:?}, dropped {dropped:?}",
                claim.daemon
            );
            moments.push((claim.at, text));
        }
        for (at, _) in history.records.iter().filter(|(_, of)| *of == message) {
            moments.push((*at, "recorded as sent".to_owned()));
        }
        for line in self
            .played
            .lines
            .iter()
            .filter(|line| ids.contains(&line.id))
        {
            let (receive, text) = (&line.receive, &line.text);
            moments.push((line.at, format!("line: receive {receive} {text}")));
        }
        moments.sort();
        let shown = moments
            .into_iter()
            .map(|(at, text)| format!("{at:?}: {text}"));
        let mut shown: Vec<_> = shown.collect();
        shown.extend(self.all_runs());
        shown
    }

    fn all_runs(&self) -> Vec<String> {
        let runs = self.history().daemons.iter().enumerate();
        runs.map(|(number, run)| {
            format!(
                "daemon {number}: started {:?}, asked {:?}, killed {:?}, ended {:?}, {}",
                run.started,
                run.asked,
                run.killed,
                run.ended,
                run.tally
                    .as_ref()
                    .map_or("no tally".to_owned(), ToString::to_string)
            )
        })
        .collect()
    }
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
