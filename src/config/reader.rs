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
    problem::{Origin, Problem, Problems, is_private, number, shown},
    sources::Sources,
    verbatim,
};

/// One key of the effective configuration.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyOrigin {
    /// The key, such as `queue.url`.
    pub key: String,
    /// The value as TOML; `None` where the key is not set, or has a wrong value that may be private.
    pub value: Option<String>,
    /// The source that gave it.
    pub origin: Origin,
    /// What is wrong with it first of all.
    pub problem: Option<Problem>,
}

/// What the sources give.
#[derive(Default)]
pub(super) struct Configuration {
    /// The settings, as far as their values are good.
    pub(super) draft: Draft,
    /// Every key with its origin, in the order of the reference.
    pub(super) origins: Vec<KeyOrigin>,
    /// What boot should log once: what another source beats, and what may not be meant.
    pub(super) notes: Vec<String>,
    /// Everything that is wrong, in order.
    pub(super) problems: Problems,
}

/// Reads the sources, of which later ones win. A missing key is a problem where it is `needed`.
pub(super) fn read(
    needed: impl Fn(Required) -> bool,
    flags: &Flags,
    environment: impl IntoIterator<Item = (impl Into<OsString>, impl Into<OsString>)>,
) -> Configuration {
    let mut sources = Sources::default();
    let variables = environment::variables(environment, &mut sources);
    file::read_defaults(&mut sources);
    let (cis, several) = environment::read_cis(&variables, &mut sources);
    let complete = file::read(flags, &variables, &mut sources);
    environment::read_own(&variables, &mut sources);
    flags::read(flags, &mut sources);

    let mut read = Configuration::default();
    if flags.config.is_some() && variables.contains_key(CONFIG) {
        read.notes
            .push(format!("{CONFIG} is overridden by --config"));
    }
    read.notes.append(&mut sources.doubts);
    for (key, variable) in &cis {
        read.notes.extend(shadowed(key, variable, &sources));
    }
    read.notes.extend(contradictions::settle(&mut sources));
    sources.problems.extend(several.filter(|several| {
        cis.get(several.key.as_str())
            .is_some_and(|variable| sources.written(&several.key) == *variable)
            && sources.is_set(&several.key)
    }));
    let spared = sources
        .is_set("template.file")
        .then_some(Required::Part(Part::Template));
    // An unreadable file may give any key, so nobody knows which are missing.
    read.read_keys(&mut sources, |required| {
        complete && Some(required) != spared && needed(required)
    });
    if complete {
        contradictions::refuse_times(&read.draft, &mut sources);
        contradictions::refuse_one_queue_for_both(&read.draft, &mut sources);
    }
    read.list(&sources);
    read.problems = Problems::in_order(sources.problems);
    read
}

impl Configuration {
    /// Reads every key of the table into the draft.
    fn read_keys(&mut self, sources: &mut Sources, needed: impl Fn(Required) -> bool) {
        for (row, placeholder, key) in keys_of(sources) {
            let origin = sources.origin(&key);
            if let Some(value) = sources.value(&key) {
                if let Err(wrong) = row.fill(&mut self.draft, &placeholder, &value) {
                    let wrong = verbatim::wrapping(&value, &origin).unwrap_or(wrong);
                    sources.refuse_value(&key, wrong);
                } else if let Some(doubt) = verbatim::doubt(&key, &value, &origin) {
                    let written = sources.written(&key);
                    self.notes.push(format!("{written} {doubt}"));
                }
            } else if row.required.is_some_and(&needed) && !sources.is_wrong(&key) {
                let variable = row.cis.first().copied();
                let missing = Problem::missing(&key, variable, row.allowed.as_str());
                sources.problems.push(missing);
            }
        }
    }

    /// Lists every key.
    fn list(&mut self, sources: &Sources) {
        for (_, _, key) in keys_of(sources) {
            let origin = sources.origin(&key);
            let mut problems = sources.problems.iter();
            let problem = problems.find(|problem| problem.key == key).cloned();
            let is_wrong = problem.as_ref().is_some_and(|wrong| wrong.origin == origin);
            let value = sources.value(&key);
            let value = value.filter(|value| !(is_wrong && is_private(value)));
            self.origins.push(KeyOrigin {
                value: value.as_ref().map(toml),
                origin,
                problem,
                key,
            });
        }
    }
}

/// Every key there is, with its row and the name of its placeholder, in the order of the table.
fn keys_of(sources: &Sources) -> Vec<(&'static Row, String, String)> {
    let keys = keys::rows().flat_map(|row| {
        let placeholders = placeholders(row, sources).into_iter();
        placeholders.map(move |placeholder| {
            let key = row.name.replace('*', &placeholder);
            (row, placeholder, key)
        })
    });
    keys.collect()
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
    let by = sources.written(key);
    (by != variable).then(|| format!("{variable} is overridden by {by}"))
}

/// The value as TOML.
fn toml(value: &Value) -> String {
    match value {
        // JSON's strings are a part of TOML's, but for one character.
        Value::String(_, text) => {
            let json = serde_json::Value::from(text.as_str()).to_string();
            json.replace('\u{7f}', "\\u007f")
        }
        Value::Array(_, items) => {
            format!(
                "[{}]",
                items.iter().map(toml).collect::<Vec<_>>().join(", ")
            )
        }
        Value::Num(_, num) => number(*num).to_lowercase(),
        other => shown(other),
    }
}
