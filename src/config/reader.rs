//! Reads all sources and then every key of the table, collecting problems.

use std::ffi::OsString;

use figment::value::Value;

use super::{
    contradictions,
    draft::Draft,
    environment::{self, CONFIG},
    file,
    flags::{self, Flags},
    keys::{self, Part, Required, Row},
    problem::{Origin, Problems, number, shown},
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

/// A configuration in which every given value is good, and every key given that is needed.
#[derive(Default)]
pub(super) struct Configuration {
    /// The settings as far as they go.
    pub(super) draft: Draft,
    /// Every key with its origin, in the order of the reference.
    pub(super) origins: Vec<KeyOrigin>,
    /// What boot should log once: the variables that another source beats.
    pub(super) notes: Vec<String>,
}

/// Reads the sources, of which later ones win. Fails with all problems; a missing key is one where
/// it is `needed`.
pub(super) fn read(
    needed: impl Fn(Required) -> bool,
    flags: &Flags,
    environment: impl IntoIterator<Item = (impl Into<OsString>, impl Into<OsString>)>,
) -> Result<Configuration, Problems> {
    let mut sources = Sources::default();
    let variables = environment::variables(environment, &mut sources);
    file::read_defaults(&mut sources);
    let cis = environment::read_cis(&variables, &mut sources);
    let complete = file::read(flags, &variables, &mut sources);
    environment::read_own(&variables, &mut sources);
    flags::read(flags, &mut sources);

    let spared = sources
        .is_set("template.file")
        .then_some(Required::Part(Part::Template));
    let mut read = Configuration::default();
    // An unreadable file may give any key, so nobody knows which are missing.
    read.read_keys(&mut sources, |required| {
        complete && Some(required) != spared && needed(required)
    });
    contradictions::refuse_two_templates(&mut sources);
    contradictions::refuse_reference_of_bucket(&read.draft, &mut sources);
    if complete {
        contradictions::refuse_times(&read.draft, &mut sources);
        contradictions::refuse_one_queue_for_both(&read.draft, &mut sources);
    }
    if flags.config.is_some() && variables.contains_key(CONFIG) {
        read.notes.push(format!("{CONFIG} is replaced by --config"));
    }
    for (key, variable) in cis {
        read.notes.extend(shadowed(key, variable, &sources));
    }
    let mut problems = sources.problems;
    problems.sort_by_key(|problem| keys::place(&problem.key));
    if problems.is_empty() {
        Ok(read)
    } else {
        Err(Problems(problems))
    }
}

impl Configuration {
    /// Reads every key of the table into the draft.
    fn read_keys(&mut self, sources: &mut Sources, needed: impl Fn(Required) -> bool) {
        for row in keys::rows() {
            for placeholder in placeholders(row, sources) {
                let key = row.name.replace('*', &placeholder);
                let value = sources.value(&key);
                if let Some(value) = &value {
                    if let Err(message) = row.fill(&mut self.draft, &placeholder, value) {
                        sources.refuse_value(&key, message);
                    }
                } else if let Some(required) = row.required
                    && needed(required)
                    && !sources.is_wrong(&key)
                {
                    sources.refuse(&key, Origin::Unset, not_set(row, required, &key));
                }
                self.origins.push(KeyOrigin {
                    value: value.as_ref().map(toml),
                    origin: sources.origin(&key),
                    key,
                });
            }
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
        Origin::Variable(name) => Some(format!("{variable} is replaced by {name}")),
        Origin::Flag => Some(format!(
            "{variable} is replaced by {key} on the command line"
        )),
        origin => Some(format!("{variable} is replaced by {key} in {origin}")),
    }
}

/// Says how to set a required key, for somebody who has never set one.
fn not_set(row: &Row, required: Required, key: &str) -> String {
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
    format!(
        "is needed: give `{key}` in the configuration file, or set {variables}{or}; allowed: {}",
        row.allowed
    )
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
