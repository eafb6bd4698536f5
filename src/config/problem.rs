//! What is wrong with a configuration, where it stands, and what is allowed.

use std::{fmt, path::PathBuf};

use figment::value::{Num, Value};

/// The most characters of an offending value that are shown.
const SHOWN_CHARS_MAX: usize = 60;

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nowhere: no source gives the key.
    Unset,
    /// The defaults built into the program.
    Default,
    /// A configuration file, with the line (from 1) where the key stands.
    File {
        /// The path as it was given.
        path: PathBuf,
        /// `None` where the file as a whole is meant.
        line: Option<usize>,
    },
    /// An environment variable, by name.
    Variable(String),
    /// A flag on the command line, as it was typed.
    Flag(&'static str),
}

/// The flag that gives any key.
pub const SET: &str = "--set";

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unset => f.write_str("not set"),
            Self::Default => f.write_str("default"),
            Self::File {
                path,
                line: Some(line),
            } => write!(f, "{}:{line}", path.display()),
            Self::File { path, line: None } => write!(f, "{}", path.display()),
            Self::Variable(name) => f.write_str(name),
            Self::Flag(flag) => f.write_str(flag),
        }
    }
}

/// One mistake in the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The key as the file writes it (`queue.url`); the variable or flag where no key can be named.
    pub key: String,
    /// The source to correct.
    pub origin: Origin,
    /// What is wrong and what is allowed, without the key; what it takes, where it is missing.
    pub message: String,
    /// The Calendar Invite Server's variable to set, where the key is missing and has one.
    pub variable: Option<&'static str>,
}

impl Problem {
    pub(super) fn new(key: impl Into<String>, origin: Origin, message: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            origin,
            message: message.into(),
            variable: None,
        }
    }

    /// A required key that no source gives.
    pub(super) fn missing(
        key: &str,
        variable: Option<&'static str>,
        takes: impl Into<String>,
    ) -> Self {
        Self {
            variable,
            ..Self::new(key, Origin::Unset, takes)
        }
    }

    /// The group in which it is told, and its line there.
    fn group(&self) -> (u8, usize) {
        match &self.origin {
            Origin::File { line, .. } => (0, line.unwrap_or_default()),
            Origin::Variable(_) => (1, 0),
            Origin::Flag(_) => (2, 0),
            Origin::Default => (3, 0),
            Origin::Unset => (4, 0),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, message, .. } = self;
        match (&self.origin, self.variable) {
            (Origin::Unset, Some(variable)) => {
                write!(f, "{variable} is not set ({key}): {message}")
            }
            (Origin::Unset, None) => write!(f, "{key} is not set: {message}"),
            // Whoever typed it need not know the key.
            (Origin::Flag(flag), _) if *flag != SET => write!(f, "{flag}: {message}"),
            (Origin::Variable(name), _) if name == key => write!(f, "{name}: {message}"),
            (origin, _) => write!(f, "{key} ({origin}): {message}"),
        }
    }
}

/// Everything that is wrong with a configuration. Its `Display` writes the count, then one line
/// for each problem, and below what to do where variables are missing.
#[derive(Debug, Clone, Default, PartialEq, Eq, thiserror::Error)]
pub struct Problems(pub(super) Vec<Problem>);

impl Problems {
    /// The problems in the order in which somebody works on them: those of the file by its lines,
    /// those of variables, of flags, defaults that do not go with what is given, and at last what
    /// is missing, since a key that is misspelt above is missing below. In a group they stand as
    /// they were found.
    pub(super) fn in_order(mut problems: Vec<Problem>) -> Self {
        problems.sort_by_key(Problem::group);
        Self(problems)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The problems in the order in which they are shown.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => f.write_str("1 problem in the configuration:")?,
            count => write!(f, "{count} problems in the configuration:")?,
        }
        for problem in &self.0 {
            write!(f, "\n  {problem}")?;
        }
        if self.0.iter().any(|problem| problem.variable.is_some()) {
            f.write_str(
                "\nset the variables, or the keys in a file that --config FILE names; all keys: \
                 organizer-notifier config --default",
            )?;
        }
        Ok(())
    }
}

/// An offending value for an error text: cut, on one line, and left out where it may be a secret or
/// an address.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::String(_, text) => shown_text(text),
        Value::Char(_, char) => shown_text(&char.to_string()),
        Value::Bool(_, bool) => bool.to_string(),
        Value::Num(_, num) => number(*num),
        Value::Array(..) => "a list".to_owned(),
        Value::Dict(..) => "a section".to_owned(),
        Value::Empty(..) => "nothing".to_owned(),
    }
}

/// A number as TOML has it.
pub(super) fn number(number: Num) -> String {
    let signed = number.to_i128().map(|whole| whole.to_string());
    let unsigned = number.to_u128().map(|whole| whole.to_string());
    let real = number.to_f64().map(|real| format!("{real:?}"));
    signed.or(unsigned).or(real).unwrap_or_default()
}

/// Whether an error text would not show the value.
pub(super) fn is_private(value: &Value) -> bool {
    match value {
        Value::String(_, text) => may_be_private(text),
        Value::Array(_, items) => items.iter().any(is_private),
        _ => false,
    }
}

/// [`shown`] for text, in quotes.
pub(super) fn shown_text(text: &str) -> String {
    if may_be_private(text) {
        return "a value that is not shown here".to_owned();
    }
    let mut cut: String = text.chars().take(SHOWN_CHARS_MAX).collect();
    if text.chars().nth(SHOWN_CHARS_MAX).is_some() {
        cut.push('…');
    }
    format!("`{}`", cut.escape_debug())
}

/// Addresses and URLs with a password hold an `@`. Keys and tokens name
/// themselves or are one long run of mixed characters.
fn may_be_private(text: &str) -> bool {
    let lower = text.to_lowercase();
    let named = [
        "secret",
        "password",
        "passwd",
        "token",
        "private key",
        "credential",
    ]
    .iter()
    .any(|word| lower.contains(word));
    let key_id = ["AKIA", "ASIA"].iter().any(|prefix| text.contains(prefix));
    let run = text
        .split(|char: char| !(char.is_ascii_alphanumeric() || "+/=_-".contains(char)))
        .any(|run| {
            run.len() >= 32
                && run.contains(|char: char| char.is_ascii_uppercase())
                && run.contains(|char: char| char.is_ascii_lowercase())
                && run.contains(|char: char| char.is_ascii_digit())
        });
    text.contains('@') || named || key_id || run
}

#[cfg(test)]
mod tests {
    use super::{Origin, Problem, Problems, shown_text};

    #[test]
    fn a_harmless_value_is_quoted_and_cut_at_sixty_characters() {
        assert_eq!(shown_text("soon"), "`soon`");
        let shown = shown_text(&"ä".repeat(100));
        assert_eq!(shown, format!("`{}…`", "ä".repeat(60)));
    }

    #[test]
    fn a_value_stays_on_one_line() {
        assert_eq!(shown_text("a\nb\u{1b}[31m"), "`a\\nb\\u{1b}[31m`");
    }

    #[test]
    fn secrets_and_addresses_are_not_shown() {
        for private in [
            "dana@example.com",
            "https://user:pw@sqs.example.com/q",
            "AKIAIOSFODNN7EXAMPLE",
            "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            "my-Password",
        ] {
            assert_eq!(
                shown_text(private),
                "a value that is not shown here",
                "{private}"
            );
        }
    }

    #[test]
    fn problems_are_counted_and_stand_one_on_a_line() {
        let file = Origin::File {
            path: "a.toml".into(),
            line: Some(3),
        };
        let one = Problem::new("queue.url", file, "is wrong");
        let two = Problem::new(
            "NOTIFIER_X",
            Origin::Variable("NOTIFIER_X".into()),
            "is unknown",
        );
        assert_eq!(
            Problems(vec![one.clone()]).to_string(),
            "1 problem in the configuration:\n  queue.url (a.toml:3): is wrong"
        );
        assert_eq!(
            Problems(vec![one, two]).to_string(),
            "2 problems in the configuration:\n  queue.url (a.toml:3): is wrong\n  NOTIFIER_X: is unknown"
        );
    }
}
