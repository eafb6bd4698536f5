//! What a check found, and how that is shown.

use serde_json::json;

use crate::{
    aws::classify::refusal_kind,
    cli::output::{Paint, Tone, one_line},
    ports::{CallError, inspect::RefusalKind},
};

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    fn shown(self) -> (&'static str, Tone) {
        match self {
            Self::Ok => ("ok", Tone::Good),
            Self::Note => ("note", Tone::Faint),
            Self::Warning => ("warning", Tone::Doubtful),
            Self::Failed => ("failed", Tone::Bad),
            Self::Skipped => ("skipped", Tone::Faint),
        }
    }
}

/// One line of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    /// What was checked.
    pub(super) check: &'static str,
    pub(super) level: Level,
    /// Addresses in it are masked.
    pub(super) found: String,
    /// What to do about it.
    pub(super) remedy: Option<String>,
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

    /// A call that failed. If the right to it is missing, the IAM action is named.
    pub(super) fn refused(
        level: Level,
        check: &'static str,
        action: &str,
        on: &str,
        error: &CallError,
    ) -> Self {
        let kind = refusal_kind(error);
        let found = match kind {
            RefusalKind::Denied => format!("{action} is not allowed: {error}"),
            RefusalKind::Credentials => format!("the credentials are not accepted: {error}"),
            RefusalKind::NotFound => format!("{on} does not exist: {error}"),
            RefusalKind::Encryption => format!("an encryption key of {on} cannot be used: {error}"),
            RefusalKind::Unreachable => format!("no answer: {error}"),
            RefusalKind::Other => format!("it could not be asked: {error}"),
        };
        Self::new(check, level, found).advising(kind.remedy(action, on))
    }

    /// A failed reading that the daemon does not need: a missing right to it is no fault.
    pub(super) fn unread(check: &'static str, action: &str, on: &str, error: &CallError) -> Self {
        let level = match refusal_kind(error) {
            RefusalKind::Denied => Level::Note,
            _ => Level::Warning,
        };
        Self::refused(level, check, action, on, error)
    }

    /// Joins two findings of one check and one level.
    pub(super) fn merge(mut self, other: Self) -> Self {
        self.found = format!("{}; {}", self.found, other.found);
        if self.remedy != other.remedy {
            let remedies: Vec<_> = self.remedy.into_iter().chain(other.remedy).collect();
            self.remedy = Some(remedies.join("; "));
        }
        self
    }

    fn new(check: &'static str, level: Level, found: impl Into<String>) -> Self {
        Self {
            check,
            level,
            found: found.into(),
            remedy: None,
        }
    }
}

/// All findings counted.
pub(super) struct Sum {
    failed: usize,
    warnings: usize,
    strict: bool,
}

impl Sum {
    pub(super) fn of(findings: &[Finding], strict: bool) -> Self {
        let count = |level| {
            findings
                .iter()
                .filter(|finding| finding.level == level)
                .count()
        };
        Self {
            failed: count(Level::Failed),
            warnings: count(Level::Warning),
            strict,
        }
    }

    pub(super) fn is_good(&self) -> bool {
        self.failed == 0 && !(self.strict && self.warnings > 0)
    }
}

/// The table for people.
pub(super) fn table(findings: &[Finding], sum: &Sum, paint: Paint) -> String {
    let widest = |width: fn(&Finding) -> usize| findings.iter().map(width).max().unwrap_or(0);
    let check_width = widest(|finding| finding.check.len());
    let level_width = widest(|finding| finding.level.shown().0.len());
    let indent = check_width + level_width + 4;
    let mut lines = Vec::new();
    for finding in findings {
        let (level, tone) = finding.level.shown();
        let level = paint.paint(tone, &format!("{level:level_width$}"));
        let found = one_line(&finding.found);
        lines.push(format!("{:check_width$}  {level}  {found}", finding.check));
        if let Some(remedy) = &finding.remedy {
            lines.push(format!("{:indent$}→ {}", "", one_line(remedy)));
        }
    }
    let counted = |count: usize, noun: &str| match count {
        1 => format!("1 {noun}"),
        count => format!("{count} {noun}s"),
    };
    let end = match (sum.failed, sum.warnings) {
        (0, 0) => paint.paint(Tone::Good, "all right"),
        (failed, warnings) => format!(
            "{}, {}{}",
            counted(failed, "failure"),
            counted(warnings, "warning"),
            if sum.strict && failed == 0 {
                ", which --strict does not let pass"
            } else {
                ""
            }
        ),
    };
    format!("{}\n\n{end}\n", lines.join("\n"))
}

/// The same for machines.
pub(super) fn json(findings: &[Finding], sum: &Sum) -> String {
    let checks = findings.iter().map(|finding| {
        json!({
            "check": finding.check,
            "result": finding.level.shown().0,
            "found": finding.found,
            "remedy": finding.remedy,
        })
    });
    let whole = json!({
        "ok": sum.is_good(),
        "failed": sum.failed,
        "warnings": sum.warnings,
        "checks": checks.collect::<Vec<_>>(),
    });
    format!("{whole:#}\n")
}
