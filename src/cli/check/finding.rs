//! What a check found, and how that is shown.

use serde_json::json;

use crate::{
    aws::classify::refusal_kind,
    cli::output::{Paint, Tone, one_line},
    notification::masked_text,
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
    /// It could not be looked at, for something else that failed.
    Skipped,
}

impl Level {
    fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }

    fn tone(self) -> Tone {
        match self {
            Self::Ok => Tone::Good,
            Self::Note | Self::Skipped => Tone::Faint,
            Self::Warning => Tone::Doubtful,
            Self::Failed => Tone::Bad,
        }
    }
}

/// One line of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    /// What was looked at.
    pub(super) check: &'static str,
    pub(super) level: Level,
    /// What was found. Addresses in it are masked.
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

    /// A call that failed: a right that is missing names its IAM action.
    pub(super) fn refused(
        level: Level,
        check: &'static str,
        action: &str,
        on: &str,
        error: &CallError,
    ) -> Self {
        let said = masked_text(&error.to_string());
        let (found, remedy) = match refusal_kind(error) {
            RefusalKind::Denied => (
                format!("{action} is not allowed: {said}"),
                format!("allow {action} on {on} to the role"),
            ),
            RefusalKind::Credentials => (
                format!("the credentials are not accepted: {said}"),
                "renew them, and look whether the clock is right".to_owned(),
            ),
            RefusalKind::NotFound => (
                format!("{on} does not exist: {said}"),
                "check its name, the account and the region".to_owned(),
            ),
            RefusalKind::Encryption => (
                format!("an encryption key of {on} cannot be used: {said}"),
                "allow kms:Decrypt on the key to the role, and see that it is enabled".to_owned(),
            ),
            RefusalKind::Unreachable => (
                format!("no answer: {said}"),
                "check the network, its endpoints for AWS, AWS_ENDPOINT_URL and the region"
                    .to_owned(),
            ),
            RefusalKind::Other => (
                format!("it could not be asked: {said}"),
                "try again; AWS's answer tells more".to_owned(),
            ),
        };
        Self::new(check, level, found).advising(remedy)
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

/// What everything comes to.
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
    let level_width = widest(|finding| finding.level.name().len());
    let indent = check_width + level_width + 4;
    let mut text = String::new();
    for finding in findings {
        let level = finding.level.name();
        let padding = " ".repeat(level_width - level.len());
        let level = paint.paint(finding.level.tone(), level);
        let found = one_line(&finding.found);
        push(
            &mut text,
            &format!("{:check_width$}  {level}{padding}  {found}", finding.check),
        );
        if let Some(remedy) = &finding.remedy {
            push(&mut text, &format!("{:indent$}→ {}", "", one_line(remedy)));
        }
    }
    let counted = |count: usize, one: &str, many: &str| match count {
        1 => format!("1 {one}"),
        count => format!("{count} {many}"),
    };
    let end = match (sum.failed, sum.warnings) {
        (0, 0) => paint.paint(Tone::Good, "all right"),
        (failed, warnings) => format!(
            "{}, {}{}",
            counted(failed, "failure", "failures"),
            counted(warnings, "warning", "warnings"),
            if sum.strict && failed == 0 {
                ", which --strict does not let pass"
            } else {
                ""
            }
        ),
    };
    push(&mut text, &format!("\n{end}"));
    text
}

/// The same for machines.
pub(super) fn json(findings: &[Finding], sum: &Sum) -> String {
    let checks: Vec<_> = findings
        .iter()
        .map(|finding| {
            json!({
                "check": finding.check,
                "result": finding.level.name(),
                "found": finding.found,
                "remedy": finding.remedy,
            })
        })
        .collect();
    let whole = json!({
        "ok": sum.is_good(),
        "failed": sum.failed,
        "warnings": sum.warnings,
        "checks": checks,
    });
    format!("{whole:#}\n")
}

fn push(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}
