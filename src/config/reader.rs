//! Merges the layers and reads every key of the table, collecting problems.

use std::collections::BTreeMap;

use figment::Figment;
use figment::value::Value;

use super::keys::{self, KEYS, Key};
use super::problem::{Origin, Problem, number, shown};
use super::settings::Settings;
use super::sources::{self, Layer};
use super::{KeyOrigin, assemble, validate};

/// What a good configuration gives: the settings, every key's origin, and
/// notes on shadowed variables.
pub(super) type Read = (Settings, Vec<KeyOrigin>, Vec<String>);

/// The merged layers.
pub(super) struct Reader<'a> {
    layers: Vec<Layer>,
    figment: Figment,
    /// Whether a key that no layer gives is really missing: not where the file
    /// could not be read.
    complete: bool,
    /// Keys that are not missed though the daemon requires them.
    spared: &'a [&'a str],
}

impl<'a> Reader<'a> {
    /// Merges the layers, of which later ones win.
    pub(super) fn new(layers: Vec<Layer>, complete: bool, spared: &'a [&'a str]) -> Self {
        let figment = layers
            .iter()
            .fold(Figment::new(), |figment, layer| figment.merge(layer));
        Self {
            layers,
            figment,
            complete,
            spared,
        }
    }

    /// Reads every key; `None` where there are problems.
    pub(super) fn read(&self, problems: &mut Vec<Problem>) -> Option<Read> {
        let mut values = BTreeMap::new();
        let mut origins = Vec::new();
        let mut missing = Vec::new();
        for key in KEYS {
            for name in self.names(key) {
                let origin = self.origin(&name);
                let value = self.figment.find_value(&name).ok();
                match value.as_ref().map(|value| key.kind.parse(value)) {
                    Some(Ok(parsed)) => {
                        values.insert(name.clone(), parsed);
                    }
                    Some(Err(message)) => {
                        problems.push(Problem::new(&name, origin.clone(), message));
                    }
                    None if key.required => missing.push(not_set(key, &name, "")),
                    None => {}
                }
                let value = value.as_ref().map(toml);
                origins.push(KeyOrigin {
                    key: name,
                    value,
                    origin,
                });
            }
        }
        missing.extend(self.missing_template());
        problems.extend(self.two_templates());
        let settings = assemble::settings(values);
        // What an unreadable file gives is not known, so nothing is missing.
        if self.complete {
            let contradictions = self.contradictions(&settings, problems);
            missing.retain(|lack| !self.spared.contains(&lack.key.as_str()));
            missing.retain(|lack| problems.iter().all(|problem| problem.key != lack.key));
            problems.extend(missing);
            problems.extend(contradictions);
        }
        problems
            .is_empty()
            .then(|| (settings, origins, self.shadowed()))
    }

    /// The key's name, or one for each placeholder.
    fn names(&self, key: &Key) -> Vec<String> {
        let Some((section, _)) = key.name.split_once(".*") else {
            return vec![key.name.to_owned()];
        };
        let placeholders = self
            .figment
            .find_value(section)
            .ok()
            .and_then(Value::into_dict);
        placeholders
            .unwrap_or_default()
            .keys()
            .map(|name| key.name.replace('*', name))
            .collect()
    }

    fn origin(&self, key: &str) -> Origin {
        let winner = self
            .figment
            .find_metadata(key)
            .map(|metadata| metadata.name.as_ref());
        self.layers
            .iter()
            .find(|layer| Some(layer.name) == winner)
            .and_then(|layer| layer.entries.get(key))
            .map_or(Origin::Unset, |(_, origin)| origin.clone())
    }

    fn is_set(&self, key: &str) -> bool {
        self.origin(key) != Origin::Unset
    }

    /// What a template from `CodeCommit` lacks, unless it comes from a file.
    fn missing_template(&self) -> Vec<Problem> {
        if self.is_set("template.file") {
            return Vec::new();
        }
        KEYS.iter()
            .filter(|key| ["template.repository", "template.path"].contains(&key.name))
            .filter(|key| !self.is_set(key.name))
            .map(|key| not_set(key, key.name, ", or template.file for a local template"))
            .collect()
    }

    /// Refuses a template that comes from `CodeCommit` and from a file.
    fn two_templates(&self) -> Option<Problem> {
        let origin = self.origin("template.file");
        let others: Vec<String> = ["template.repository", "template.path", "template.reference"]
            .iter()
            .filter(|key| self.is_set(key))
            .map(|key| format!("{key} ({})", self.origin(key)))
            .collect();
        if origin == Origin::Unset || others.is_empty() {
            return None;
        }
        let message = format!(
            "is set together with {}; allowed: a template from a file or from CodeCommit, not both",
            others.join(" and ")
        );
        Some(Problem::new("template.file", origin, message))
    }

    /// Settings that do not go together, where both could be read.
    fn contradictions(&self, settings: &Settings, problems: &[Problem]) -> Vec<Problem> {
        let sound = |key: &str| problems.iter().all(|problem| problem.key != key);
        validate::contradictions(settings)
            .into_iter()
            .filter(|found| sound(found.key) && sound(found.other))
            .map(|found| Problem::new(found.key, self.origin(found.key), found.message))
            .collect()
    }

    /// CIS's variables that another source beats.
    fn shadowed(&self) -> Vec<String> {
        let cis = self
            .layers
            .iter()
            .filter(|layer| layer.name == sources::CIS);
        cis.flat_map(|layer| &layer.entries)
            .filter_map(|(key, (_, given))| match self.origin(key) {
                origin if origin == *given => None,
                Origin::Variable(name) => Some(format!("{given} is shadowed by {name}")),
                Origin::Flag => Some(format!("{given} is shadowed by {key} on the command line")),
                origin => Some(format!("{given} is shadowed by {key} in {origin}")),
            })
            .collect()
    }
}

/// Says how a key that there must be is set, for who meets this first.
fn not_set(key: &Key, name: &str, or: &str) -> Problem {
    let own = keys::variable(name);
    let variables = match key.cis {
        [] => own,
        [one] => format!("{one} or {own}"),
        several => format!("one of {}, {own}", several.join(", ")),
    };
    let message = format!(
        "is needed: give `{name}` in the configuration file, or set {variables}{or}; allowed: {}",
        key.kind.allowed()
    );
    Problem::new(name, Origin::Unset, message)
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
