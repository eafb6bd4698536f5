//! What a check found, and how that is shown.

use clap::builder::styling::Style;
use serde::Serialize;
use serde_json::{Value, json};

use super::{cause::Cause, part::Part};
use crate::{
    aws::classify::refusal_kind,
    cli::output::{BAD, DOUBTFUL, FAINT, GOOD, Paint, one_line},
    ports::{CallError, Failure, Remedy, inspect::RefusalKind},
};

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Level {
    /// As it should be.
    Ok,
    /// Good to know; never a fault.
    Note,
    /// The daemon works, but not as well or as safely as it could.
    Warning,
    /// The daemon will not work.
    Failed,
    /// It was not checked, since something else failed.
    Skipped,
}

impl Level {
    /// How it is written, and in which tone.
    fn shown(self) -> (&'static str, Style) {
        match self {
            Self::Ok => ("ok", GOOD),
            Self::Note => ("note", FAINT),
            Self::Warning => ("warning", DOUBTFUL),
            Self::Failed => ("failed", BAD),
            Self::Skipped => ("skipped", FAINT),
        }
    }
}

/// One line of the table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// What was checked.
    pub(super) check: &'static str,
    #[serde(rename = "result")]
    pub(super) level: Level,
    /// Addresses in it are masked.
    pub(super) found: String,
    /// What to do about it.
    pub(super) remedy: Option<String>,
    /// What kept a call from being looked at, where all of it is that.
    #[serde(skip)]
    pub(super) cause: Option<Cause>,
}

impl Finding {
    pub(super) fn ok(check: &'static str, found: impl Into<String>) -> Self {
        Self::new(check, Level::Ok, found)
    }

    pub(super) fn note(check: &'static str, found: impl Into<String>) -> Self {
        Self::new(check, Level::Note, found)
    }

    pub(super) fn warning(check: &'static str, found: impl Into<String>) -> Self {
        Self::new(check, Level::Warning, found)
    }

    pub(super) fn failed(check: &'static str, found: impl Into<String>) -> Self {
        Self::new(check, Level::Failed, found)
    }

    pub(super) fn skipped(check: &'static str, found: impl Into<String>) -> Self {
        Self::new(check, Level::Skipped, found)
    }

    pub(super) fn advising(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    pub(super) fn caused(mut self, cause: Cause) -> Self {
        self.cause = Some(cause);
        self
    }

    /// A call that failed. If the right to it is missing, the IAM action is named.
    pub(super) fn refused(check: &'static str, action: &str, on: &str, error: &CallError) -> Self {
        let kind = refusal_kind(error);
        let found = match kind {
            RefusalKind::Denied => format!("{action} is not allowed: {error}"),
            RefusalKind::Credentials(_) | RefusalKind::Unreachable(Some(_)) => error.to_string(),
            RefusalKind::NotFound => format!("{on} does not exist: {error}"),
            RefusalKind::Encryption => format!("an encryption key of {on} cannot be used: {error}"),
            RefusalKind::Unreachable(None) => format!("no answer: {error}"),
            RefusalKind::Other => format!("the call failed: {error}"),
        };
        let mut finding = Self::failed(check, found).advising(kind.remedy(action, on));
        finding.cause = Cause::of(action, error);
        finding
    }

    /// A call that failed as the daemon's own would: with its remedy. A missing right is named.
    pub(super) fn failed_call<K: Remedy>(
        check: &'static str,
        action: &str,
        on: &str,
        failure: &Failure<K>,
    ) -> Self {
        let finding = Self::refused(check, action, on, &failure.error);
        match refusal_kind(&failure.error) {
            // Nothing is tried again here.
            RefusalKind::Denied | RefusalKind::Unreachable(None) => finding,
            _ => finding.advising(failure.remedy()),
        }
    }

    /// A failed reading that the daemon does not need: a missing right to it is no fault. What is known
    /// to stand in its way stands in the way of what is needed, too.
    pub(super) fn unread(check: &'static str, action: &str, on: &str, error: &CallError) -> Self {
        let refused = Self::refused(check, action, on, error);
        let is_in_the_way = refused.cause.as_ref().is_some_and(Cause::is_known);
        let level = match refusal_kind(error) {
            RefusalKind::Denied => Level::Note,
            _ if is_in_the_way => Level::Failed,
            _ => Level::Warning,
        };
        Self { level, ..refused }
    }

    /// Several rights that were tried: what is wrong with each, or that all is well. One cause stands
    /// there once.
    pub(super) fn tried(
        check: &'static str,
        refused: impl Iterator<Item = Self>,
        well: &str,
    ) -> Self {
        let mut causes = Vec::new();
        let told_once = refused.filter(|one| match &one.cause {
            Some(cause) if causes.contains(cause) => false,
            Some(cause) => {
                causes.push(cause.clone());
                true
            }
            None => true,
        });
        let merged = told_once.reduce(Self::merge);
        merged.unwrap_or_else(|| Self::ok(check, well))
    }

    /// Joins two findings of one check and one level.
    fn merge(mut self, other: Self) -> Self {
        self.found = format!("{}; {}", self.found, other.found);
        if self.remedy != other.remedy {
            let remedies: Vec<_> = self.remedy.into_iter().chain(other.remedy).collect();
            self.remedy = Some(remedies.join("; "));
        }
        // It is more than one cause.
        self.cause = None;
        self
    }

    fn new(check: &'static str, level: Level, found: impl Into<String>) -> Self {
        Self {
            check,
            level,
            found: found.into(),
            remedy: None,
            cause: None,
        }
    }
}

/// The longest word for a level.
const LEVEL_WIDTH: usize = 7;

/// How many findings are of a level.
fn count(findings: &[Finding], level: Level) -> usize {
    let of_level = |finding: &&Finding| finding.level == level;
    findings.iter().filter(of_level).count()
}

/// Whether nothing failed. When `strict`, a warning fails, too.
pub(super) fn is_good(findings: &[Finding], strict: bool) -> bool {
    count(findings, Level::Failed) == 0 && !(strict && count(findings, Level::Warning) > 0)
}

/// The lines of a row for people. The columns are as wide as their longest word, so that a row can be
/// written before the next one is known.
pub(super) fn row(finding: &Finding) -> String {
    let paint = Paint::for_stdout();
    let check_width = Part::check_width();
    let (level, tone) = finding.level.shown();
    let level = paint.paint(tone, &format!("{level:LEVEL_WIDTH$}"));
    let found = one_line(&finding.found);
    let row = format!("{:check_width$}  {level}  {found}", finding.check);
    match &finding.remedy {
        Some(remedy) => {
            let indent = check_width + LEVEL_WIDTH + 4;
            format!("{row}\n{:indent$}→ {}", "", one_line(remedy))
        }
        None => row,
    }
}

/// What all rows come to. `complete`: whether everything was answered.
pub(super) fn sum(findings: &[Finding], strict: bool, complete: bool) -> String {
    let counted = |level, noun| match count(findings, level) {
        1 => format!("1 {noun}"),
        count => format!("{count} {noun}s"),
    };
    let failures = counted(Level::Failed, "failure");
    let warnings = counted(Level::Warning, "warning");
    match (is_good(findings, false), is_good(findings, true)) {
        (true, true) if complete => Paint::for_stdout().paint(GOOD, "all right"),
        (true, false) if strict => {
            format!("{failures}, {warnings}, which --strict does not let pass")
        }
        _ => format!("{failures}, {warnings}"),
    }
}

/// The same for machines. `complete`: whether everything was answered.
pub(super) fn json(findings: &[Finding], strict: bool, complete: bool) -> Value {
    json!({
        "ok": complete && is_good(findings, strict),
        "complete": complete,
        "failed": count(findings, Level::Failed),
        "warnings": count(findings, Level::Warning),
        "checks": findings,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_columns_stand_under_each_other_whatever_the_row() {
        for part in Part::ALL {
            for check in part.checks() {
                for level in [
                    Level::Ok,
                    Level::Note,
                    Level::Warning,
                    Level::Failed,
                    Level::Skipped,
                ] {
                    let row = row(&Finding::new(check, level, "xyz").advising("zyx"));
                    let (first, second) = row.split_once('\n').unwrap();
                    assert_eq!(first.find("xyz"), second.find('→'), "{row}");
                }
            }
        }
    }
}
