//! What a check found, and how that is shown.

use clap::builder::styling::Style;
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    aws::classify::refusal_kind,
    cli::output::{BAD, DOUBTFUL, FAINT, GOOD, Paint, one_line},
    ports::{CallError, inspect::RefusalKind},
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
    pub(super) fn refused(check: &'static str, action: &str, on: &str, error: &CallError) -> Self {
        let kind = refusal_kind(error);
        let found = match kind {
            RefusalKind::Denied => format!("{action} is not allowed: {error}"),
            RefusalKind::Credentials(_) | RefusalKind::Unreachable(Some(_)) => error.to_string(),
            RefusalKind::NotFound => format!("{on} does not exist: {error}"),
            RefusalKind::Encryption => format!("an encryption key of {on} cannot be used: {error}"),
            RefusalKind::Unreachable(None) => format!("no answer: {error}"),
            RefusalKind::Other => format!("it could not be asked: {error}"),
        };
        Self::failed(check, found).advising(kind.remedy(action, on))
    }

    /// A failed reading that the daemon does not need: a missing right to it is no fault.
    pub(super) fn unread(check: &'static str, action: &str, on: &str, error: &CallError) -> Self {
        let level = match refusal_kind(error) {
            RefusalKind::Denied => Level::Note,
            _ => Level::Warning,
        };
        Self {
            level,
            ..Self::refused(check, action, on, error)
        }
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

/// How many findings are of a level.
fn count(findings: &[Finding], level: Level) -> usize {
    let of_level = |finding: &&Finding| finding.level == level;
    findings.iter().filter(of_level).count()
}

/// Whether nothing failed. When `strict`, a warning fails, too.
pub(super) fn is_good(findings: &[Finding], strict: bool) -> bool {
    count(findings, Level::Failed) == 0 && !(strict && count(findings, Level::Warning) > 0)
}

/// The table for people.
pub(super) fn table(findings: &[Finding], strict: bool) -> String {
    let paint = Paint::for_stdout();
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
    let counted = |level, noun| match count(findings, level) {
        1 => format!("1 {noun}"),
        count => format!("{count} {noun}s"),
    };
    let failures = counted(Level::Failed, "failure");
    let warnings = counted(Level::Warning, "warning");
    let end = match (is_good(findings, false), is_good(findings, true)) {
        (true, true) => paint.paint(GOOD, "all right"),
        (true, false) if strict => {
            format!("{failures}, {warnings}, which --strict does not let pass")
        }
        _ => format!("{failures}, {warnings}"),
    };
    format!("{}\n\n{end}", lines.join("\n"))
}

/// The same for machines.
pub(super) fn json(findings: &[Finding], strict: bool) -> Value {
    json!({
        "ok": is_good(findings, strict),
        "failed": count(findings, Level::Failed),
        "warnings": count(findings, Level::Warning),
        "checks": findings,
    })
}
