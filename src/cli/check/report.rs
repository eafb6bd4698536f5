//! What a check has come to: the rows so far, and what is still to come.

use std::time::Duration;

use super::{
    cause::Cause,
    finding::{self, Finding, Level},
    part::{self, Part},
};
use crate::{
    aws::Endpoints,
    cli::{
        output::{Unwritten, print},
        progress::Progress,
    },
    text::format_duration,
};

/// Why a check ended before all was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// By the signal of this name.
    Signal(&'static str),
    /// Its time of this length was over.
    OutOfTime(Duration),
}

/// Prints each row when it is there, one cause once; as JSON all of them at the end.
pub(super) struct Report {
    as_json: bool,
    strict: bool,
    pending: Vec<Part>,
    endpoints: Endpoints,
    rows: Vec<Finding>,
    /// The causes that were told, in which row, and how bad it was there.
    told: Vec<(Cause, &'static str, Level)>,
    progress: Progress,
}

impl Report {
    /// Nothing is answered yet.
    pub(super) fn new(as_json: bool, strict: bool, pending: Vec<Part>) -> Self {
        Self {
            as_json,
            strict,
            pending,
            endpoints: Endpoints::default(),
            rows: Vec::new(),
            told: Vec::new(),
            progress: Progress::begin(),
        }
    }

    /// By these it is known which services share a way.
    pub(super) fn set_endpoints(&mut self, endpoints: Endpoints) {
        self.endpoints = endpoints;
    }

    /// Shows the rows of a part. It fails when nobody reads any more.
    pub(super) fn answered(&mut self, part: Part, rows: Vec<Finding>) -> Result<(), Unwritten> {
        self.pending.retain(|other| *other != part);
        self.progress.erase();
        for row in rows {
            self.show(row)?;
        }
        self.draw();
        Ok(())
    }

    /// Says what is still asked.
    pub(super) fn still_asking(&mut self) {
        let asked = part::words(&self.pending);
        if !asked.is_empty() {
            self.progress.tell(&format!("still asking: {asked}"));
        }
    }

    /// Shows on a terminal what is still asked.
    fn draw(&mut self) {
        let asked = part::words(&self.pending);
        if !asked.is_empty() {
            self.progress.draw(&format!("asking: {asked}"));
        }
    }

    /// Whether anything is asked but the events of `--feedback`, which have a time of their own.
    pub(super) fn is_asking(&self) -> bool {
        self.pending.iter().any(|part| *part != Part::Probe)
    }

    /// Shows what was not answered, and the sum. Returns whether all is good.
    pub(super) fn end(mut self, ended: Option<Ended>) -> Result<bool, Unwritten> {
        self.progress.erase();
        if let Some(ended) = ended {
            for part in std::mem::take(&mut self.pending) {
                self.show(unanswered(part, ended))?;
            }
        }
        let complete = ended.is_none();
        if self.as_json {
            let json = finding::json(&self.rows, self.strict, complete);
            print(format_args!("{json:#}"))?;
        } else {
            let sum = finding::sum(&self.rows, self.strict, complete);
            print(match ended {
                None => format!("\n{sum}"),
                Some(Ended::Signal(name)) => format!("\n{sum}; {name} ended the check"),
                Some(Ended::OutOfTime(time)) => {
                    let time = format_duration(time);
                    format!("\n{sum}; the check ended after {time} (--timeout)")
                }
            })?;
        }
        Ok(complete && finding::is_good(&self.rows, self.strict))
    }

    fn show(&mut self, row: Finding) -> Result<(), Unwritten> {
        let row = self.told_once(row);
        if !self.as_json {
            print(finding::row(&row))?;
        }
        self.rows.push(row);
        Ok(())
    }

    /// A row whose cause stands in another one only names that. If it is worse here, it still counts.
    fn told_once(&mut self, mut row: Finding) -> Finding {
        let Some(cause) = row.cause.clone() else {
            return row;
        };
        let mut told = self.told.iter_mut();
        match told.find(|(other, ..)| other.is_same(&cause, &self.endpoints)) {
            Some((_, first, level)) => {
                row.found = format!("the same: see {first}");
                row.remedy = None;
                if row.level == Level::Failed && *level != Level::Failed {
                    *level = Level::Failed;
                } else {
                    row.level = Level::Skipped;
                }
            }
            None => self.told.push((cause, row.check, row.level)),
        }
        row
    }
}

fn unanswered(part: Part, ended: Ended) -> Finding {
    let check = part.checks()[0];
    match ended {
        Ended::Signal(name) => {
            Finding::skipped(check, format!("not answered when {name} ended the check"))
        }
        Ended::OutOfTime(_) if part == Part::Probe => Finding::skipped(
            check,
            "nothing was mailed, since other answers did not come",
        ),
        Ended::OutOfTime(time) => {
            let found = format!("no answer within {}", format_duration(time));
            let row = Finding::failed(check, found).advising(
                "check the AWS Health Dashboard, and the network from here to AWS, or allow more by \
                 --timeout",
            );
            match part.service() {
                Some(service) => row.caused(Cause::silence(service)),
                None => row,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::{CallError, obstacle::Obstacle};

    fn report() -> Report {
        Report::new(true, false, vec![Part::Queue, Part::Template, Part::Probe])
    }

    fn refused(check: &'static str, action: &str, obstacle: Option<Obstacle>) -> Finding {
        let error = CallError {
            operation: "Call",
            code: "connection".to_owned(),
            message: "no".to_owned(),
            request_id: None,
            obstacle,
            source: None,
        };
        Finding::refused(check, action, "it", &error)
    }

    #[test]
    fn one_cause_is_told_in_one_row() {
        let mut report = report();
        for (action, obstacle, level) in [
            ("sqs:A", Some(Obstacle::Expired), Level::Failed),
            ("ses:B", Some(Obstacle::Expired), Level::Skipped),
            ("sqs:A", Some(Obstacle::Refused), Level::Failed),
            ("dynamodb:A", Some(Obstacle::Refused), Level::Skipped),
            ("sqs:A", None, Level::Failed),
            ("ses:A", None, Level::Skipped),
            ("sqs:A", Some(Obstacle::Clock(None)), Level::Failed),
        ] {
            let row = report.told_once(refused("queue", action, obstacle));
            assert_eq!(row.level, level, "{row:?}");
            assert_eq!(row.remedy.is_none(), level == Level::Skipped, "{row:?}");
        }
        let row = report.told_once(refused("account", "ses:C", Some(Obstacle::Expired)));
        assert_eq!(row.found, "the same: see queue");
    }

    #[test]
    fn what_is_worse_in_a_later_row_still_fails() {
        let mut report = report();
        let mut warning = refused("account", "ses:A", None);
        warning.level = Level::Warning;
        assert_eq!(report.told_once(warning).level, Level::Warning);
        let failed = report.told_once(refused("right to send", "ses:B", None));
        assert_eq!(failed.level, Level::Failed);
        assert_eq!(failed.found, "the same: see account");
        let next = report.told_once(refused("sender", "ses:C", None));
        assert_eq!(next.level, Level::Skipped);
    }

    #[test]
    fn what_was_not_answered_fails_at_the_end_of_its_time_alone() {
        let out_of_time = Ended::OutOfTime(Duration::from_secs(30));
        let row = unanswered(Part::Template, out_of_time);
        assert_eq!(row.found, "no answer within 30s");
        assert_eq!(row.level, Level::Failed);
        assert_eq!(unanswered(Part::Probe, out_of_time).level, Level::Skipped);
        let row = unanswered(Part::Template, Ended::Signal("SIGINT"));
        assert_eq!(row.level, Level::Skipped);
        assert_eq!(row.found, "not answered when SIGINT ended the check");
    }
}
