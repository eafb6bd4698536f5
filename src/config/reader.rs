//! Reads all sources and then every key of the table, collecting problems.

use std::{ffi::OsString, fmt, mem};

use figment::value::Value;

use super::{
    contradictions,
    draft::Draft,
    environment::{self, CONFIG, Variables},
    file,
    flags::{self, Flags},
    keys::{self, Part, Required, Row},
    problem::{Origin, Problem, Problems, number, shown},
    sources::Sources,
};

/// One key of the effective configuration.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyOrigin {
    /// The key, such as `queue.url`.
    pub key: String,
    /// The value as TOML; `None` where an optional key is not set.
    pub value: Option<String>,
    /// The source that gave it.
    pub origin: Origin,
}

/// Without the value, which may be an address.
impl fmt::Debug for KeyOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyOrigin")
            .field("key", &self.key)
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}

/// A configuration that was read, good or not.
#[derive(Default)]
pub(super) struct Configuration {
    /// The settings as far as they go.
    pub(super) draft: Draft,
    /// Every key with its origin, in the order of the reference.
    pub(super) origins: Vec<KeyOrigin>,
    /// What boot should log once: the variables that another source beats.
    pub(super) notes: Vec<String>,
    problems: Vec<Problem>,
    /// The keys that somebody requires and no source gives.
    missing: Vec<(Required, Problem)>,
}

/// Reads the sources, of which later ones win.
pub(super) fn read(
    flags: &Flags,
    environment: impl IntoIterator<Item = (impl Into<OsString>, impl Into<OsString>)>,
) -> Configuration {
    let mut sources = Sources::default();
    let variables = Variables::new(environment, &mut sources);
    file::read_defaults(&mut sources);
    let cis = environment::read_cis(&variables, &mut sources);
    let complete = file::read(flags, &variables, &mut sources);
    environment::read_own(&variables, &mut sources);
    flags::read(flags, &mut sources);

    let mut read = Configuration::default();
    read.read_keys(&mut sources);
    contradictions::refuse_two_templates(&mut sources);
    if complete {
        contradictions::refuse_times(&read.draft, &mut sources);
    } else {
        // The unreadable file may give any key, so nobody knows which are missing.
        read.missing.clear();
    }
    if flags.config.is_some() && variables.get(CONFIG).is_some() {
        read.notes.push(format!("{CONFIG} is shadowed by --config"));
    }
    for (key, variable) in cis {
        read.notes.extend(shadowed(key, variable, &sources));
    }
    read.problems = sources.problems;
    read
}

impl Configuration {
    /// Fails with all problems, or where a key is missing that the command needs.
    pub(super) fn check(mut self, needed: impl Fn(Required) -> bool) -> Result<Self, Problems> {
        let missing = mem::take(&mut self.missing).into_iter();
        let missing = missing.filter(|(required, _)| needed(*required));
        self.problems.extend(missing.map(|(_, problem)| problem));
        if self.problems.is_empty() {
            Ok(self)
        } else {
            self.problems
                .sort_by_key(|problem| keys::place(&problem.key));
            Err(Problems::new(self.problems))
        }
    }

    /// Reads every key of the table into the draft.
    fn read_keys(&mut self, sources: &mut Sources) {
        for row in keys::rows() {
            for placeholder in placeholders(row, sources) {
                let key = row.name.replace('*', &placeholder);
                let value = sources.value(&key);
                if let Some(value) = &value {
                    if let Err(message) = row.fill(&mut self.draft, &placeholder, value) {
                        sources.refuse_value(&key, message);
                    }
                } else if let Some(required) = row.required
                    && !sources.is_wrong(&key)
                {
                    self.missing.push((required, not_set(row, required, &key)));
                }
                self.origins.push(KeyOrigin {
                    value: value.as_ref().map(toml),
                    origin: sources.origin(&key),
                    key,
                });
            }
        }
        if sources.is_set("template.file") {
            let by_template = Required::Part(Part::Template);
            self.missing
                .retain(|(required, _)| *required != by_template);
        }
    }
}

/// The names of all placeholders for a row with a `*`, otherwise one empty name.
fn placeholders(row: &Row, sources: &Sources) -> Vec<String> {
    match row.name.split_once(".*") {
        Some((section, _)) => sources.names_in(section),
        None => vec![String::new()],
    }
}

/// Says that another source beats one of CIS's variables.
fn shadowed(key: &str, variable: &str, sources: &Sources) -> Option<String> {
    match sources.origin(key) {
        Origin::Variable(name) if name == variable => None,
        Origin::Variable(name) => Some(format!("{variable} is shadowed by {name}")),
        Origin::Flag => Some(format!(
            "{variable} is shadowed by {key} on the command line"
        )),
        origin => Some(format!("{variable} is shadowed by {key} in {origin}")),
    }
}

/// Says how to set a required key, for somebody who has never set one.
fn not_set(row: &Row, required: Required, key: &str) -> Problem {
    let own = keys::variable(key);
    let variables = match row.cis {
        [] => own,
        [one] => format!("{one} or {own}"),
        several => format!("one of {}, {own}", several.join(", ")),
    };
    let or = match required {
        Required::Part(Part::Template) => ", or template.file for a local template",
        _ => "",
    };
    let message = format!(
        "is needed: give `{key}` in the configuration file, or set {variables}{or}; allowed: {}",
        row.allowed
    );
    Problem::new(key, Origin::Unset, message)
}

/// The value as TOML.
fn toml(value: &Value) -> String {
    match value {
        // JSON's strings are a part of TOML's.
        Value::String(_, text) => serde_json::Value::from(text.as_str()).to_string(),
        Value::Array(_, items) => {
            format!(
                "[{}]",
                items.iter().map(toml).collect::<Vec<_>>().join(", ")
            )
        }
        Value::Num(_, num) => number(*num),
        other => shown(other),
    }
}
