//! Runs put together: medians with their spread, ratios, tables.

use std::collections::BTreeMap;
use std::fmt;
use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::cases::{Case, TARGETS, spread};
use crate::run::{Measured, Subject, float};

/// The daemon's ledger knows this many messages; from there on it does not grow.
const LEDGER: usize = 200_000;

/// All runs of one case.
#[derive(Debug)]
pub(crate) struct Summary {
    pub(crate) case: Case,
    pub(crate) runs: BTreeMap<Subject, Vec<Measured>>,
}

/// A median between the smallest and the largest.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spread {
    pub(crate) least: f64,
    pub(crate) median: f64,
    pub(crate) most: f64,
}

impl Spread {
    pub(crate) fn of(mut figures: Vec<f64>) -> Option<Self> {
        figures.sort_by(f64::total_cmp);
        let middle = figures.len() / 2;
        let upper = *figures.get(middle)?;
        let median = if figures.len().is_multiple_of(2) {
            f64::midpoint(*figures.get(middle.checked_sub(1)?)?, upper)
        } else {
            upper
        };
        Some(Self {
            least: *figures.first()?,
            median,
            most: *figures.last()?,
        })
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = f.precision().unwrap_or(0);
        let Self {
            least,
            median,
            most,
        } = self;
        write!(f, "{median:.digits$} ({least:.digits$}–{most:.digits$})")
    }
}

impl Measured {
    pub(crate) fn calls_of(&self, operation: &str) -> f64 {
        let calls = self.calls.get(operation).copied().unwrap_or(0);
        float(usize::try_from(calls).unwrap_or(usize::MAX))
    }

    /// By how much memory grew from when the ledger was full to the end, by a line through what was
    /// seen on the way, since memory goes up and down a little all the time.
    pub(crate) fn growth_after_ledger_mib(&self) -> f64 {
        let seen: Vec<_> = self
            .resident_mib_by_mails
            .iter()
            .filter(|(mails, _)| **mails > LEDGER)
            .map(|(mails, mib)| (float(*mails), *mib))
            .collect();
        let count = float(seen.len());
        let mean = |pick: fn(&(f64, f64)) -> f64| seen.iter().map(pick).sum::<f64>() / count;
        let (x, y) = (mean(|at| at.0), mean(|at| at.1));
        let up: f64 = seen.iter().map(|at| (at.0 - x) * (at.1 - y)).sum();
        let across: f64 = seen.iter().map(|at| (at.0 - x).powi(2)).sum();
        let span =
            seen.last().map_or(0.0, |last| last.0) - seen.first().map_or(0.0, |first| first.0);
        up / across * span
    }
}

impl Summary {
    /// The daemon's median.
    pub(crate) fn median(&self, figure: impl Fn(&Measured) -> f64) -> Option<f64> {
        let runs = self.runs.get(&Subject::Daemon)?;
        Some(spread(runs, figure)?.median)
    }

    /// The median of a subject.
    pub(crate) fn median_of(
        &self,
        subject: Subject,
        figure: impl Fn(&Measured) -> f64,
    ) -> Option<f64> {
        Some(spread(self.runs.get(&subject)?, figure)?.median)
    }

    /// A subject's median in ratio to the daemon's.
    pub(crate) fn cost(&self, subject: Subject, figure: impl Fn(&Measured) -> f64) -> Option<f64> {
        let cost = self.median_of(subject, &figure)?;
        Some(cost / self.median(figure)?)
    }

    /// A subject's median in ratio to the bare loop's.
    pub(crate) fn ratio(&self, subject: Subject, figure: impl Fn(&Measured) -> f64) -> Option<f64> {
        let subject = spread(self.runs.get(&subject)?, &figure)?;
        let bare = spread(self.runs.get(&Subject::BareLoop)?, &figure)?;
        Some(subject.median / bare.median)
    }
}

/// What was measured, and what it was held against.
pub(crate) fn table(summaries: &[Summary]) -> String {
    let mut table = String::new();
    for summary in summaries {
        let Case {
            name, about, held, ..
        } = summary.case;
        // Writing into a string cannot fail.
        let _infallible = writeln!(table, "{name}: {about}, {held} held");
        for (subject, runs) in &summary.runs {
            table.push_str(&subject_lines(summary, *subject, runs));
        }
    }
    let _infallible = writeln!(
        table,
        "\n{:<10} {:<55} {:>8} {:>10}",
        "case", "target", "", "measured"
    );
    for target in TARGETS {
        let figure = summaries
            .iter()
            .find(|summary| summary.case.name == target.case)
            .and_then(target.figure);
        if let Some(figure) = figure {
            let verdict = if target.bound.holds(figure) {
                ""
            } else {
                "  MISSED"
            };
            let _infallible = writeln!(
                table,
                "{:<10} {:<55} {:>8} {figure:>10.2}{verdict}",
                target.case, target.what, target.bound
            );
        }
    }
    table
}

fn subject_lines(summary: &Summary, subject: Subject, runs: &[Measured]) -> String {
    let spread = |figure: fn(&Measured) -> f64, digits: usize| {
        spread(runs, figure).map_or_else(String::new, |spread| format!("{spread:.digits$}"))
    };
    let times = |figure: fn(&Measured) -> f64| {
        let ratio = summary
            .ratio(subject, figure)
            .filter(|_| subject != Subject::BareLoop);
        ratio.map_or_else(String::new, |ratio| format!(" = {ratio:.2} ×"))
    };
    let mut lines = format!("  {:<16}", subject.name());
    if summary.case.load.messages > 0 {
        let _infallible = write!(
            lines,
            " {}/s{}, CPU {} s per 1,000{}, {} calls each, p50 {} ms, p99 {} ms, endpoint busy {} %\n            ",
            spread(|run| run.per_second, 0),
            times(|run| run.per_second),
            spread(|run| run.cpu_per_1000, 4),
            times(|run| run.cpu_per_1000),
            spread(|run| run.calls_per_message, 3),
            spread(|run| run.p50_ms, 1),
            spread(|run| run.p99_ms, 1),
            spread(|run| run.endpoint_busy * 100.0, 0),
        );
    }
    let _infallible = writeln!(
        lines,
        "peak {} MiB, at the end {} MiB, {} % of a core, first receive after {} ms, template fetches {}, exports {}",
        spread(|run| run.peak_mib, 1),
        spread(|run| run.resident_mib, 1),
        spread(|run| run.cpu_share * 100.0, 2),
        spread(|run| run.start_ms, 0),
        spread(|run| run.calls_of("codecommit:GetFile"), 0),
        spread(
            |run| float(usize::try_from(run.exports).unwrap_or(usize::MAX)),
            0
        ),
    );
    if subject == Subject::Heard {
        let behind = spread(|run| run.events_behind_ms, 0);
        let _infallible = writeln!(lines, "{:18}events behind at most {behind} ms", "");
    }
    lines
}

/// The same for programs, every run in it.
pub(crate) fn json(summaries: &[Summary]) -> Value {
    let cases = summaries.iter().map(|summary| {
        json!({
            "case": summary.case.name,
            "about": summary.case.about,
            "held": summary.case.held,
            "load": summary.case.load,
            "runs": summary.runs,
        })
    });
    let targets = TARGETS.iter().filter_map(|target| {
        let summary = summaries
            .iter()
            .find(|summary| summary.case.name == target.case)?;
        let figure = (target.figure)(summary)?;
        Some(json!({
            "case": target.case,
            "what": target.what,
            "bound": target.bound.to_string(),
            "measured": figure,
            "met": target.bound.holds(figure),
        }))
    });
    json!({ "cases": cases.collect::<Vec<_>>(), "targets": targets.collect::<Vec<_>>() })
}
