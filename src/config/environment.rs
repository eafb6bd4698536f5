//! The environment's variables: those of the Calendar Invite Server (CIS), and ours.

use std::collections::BTreeMap;
use std::ffi::OsString;

use super::keys::{self, Found, KEYS, PREFIX};
use super::problem::{Origin, Problem};
use super::sdk;
use super::sources::{self, Layer};

/// The variable that names the configuration file, and so is no key's.
const CONFIG: &str = "NOTIFIER_CONFIG";

/// The variables that are set and not empty, of those that may be ours.
pub(super) struct Variables(BTreeMap<String, String>);

impl Variables {
    /// Picks them out of the environment. What is not UTF-8 is a problem.
    pub(super) fn new<N, V>(
        environment: impl IntoIterator<Item = (N, V)>,
        problems: &mut Vec<Problem>,
    ) -> Self
    where
        N: Into<OsString>,
        V: Into<OsString>,
    {
        let mut variables = BTreeMap::new();
        for (name, value) in environment {
            let Ok(name) = name.into().into_string() else {
                continue;
            };
            let value = value.into();
            problems.extend(sdk::problem(&name, &value));
            if !(name.starts_with(PREFIX) || cis_variables().any(|(cis, _)| cis == name)) {
                continue;
            }
            match value.into_string() {
                Ok(value) if value.is_empty() => {}
                Ok(value) => {
                    variables.insert(name, value);
                }
                Err(_) => problems.push(Problem::new(
                    name.clone(),
                    Origin::Variable(name),
                    "is not UTF-8; allowed: text in UTF-8",
                )),
            }
        }
        Self(variables)
    }

    /// A variable's value; `None` where it is unset or empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

/// What CIS's variables give.
pub(super) fn cis(variables: &Variables, problems: &mut Vec<Problem>) -> Layer {
    let mut layer = Layer::new(sources::CIS);
    for key in KEYS {
        let given: Vec<(&str, &str)> = key
            .cis
            .iter()
            .filter_map(|name| Some((*name, variables.get(name)?)))
            .collect();
        if let [(first, _), (second, _), ..] = given[..] {
            let names: Vec<&str> = given.iter().map(|(name, _)| *name).collect();
            let message = format!(
                "{} are set at once, and each names a template; allowed: one of them",
                names.join(" and ")
            );
            problems.push(Problem::new(
                key.name,
                Origin::Variable(second.to_owned()),
                message,
            ));
            // Nothing more is said about a key that is in dispute.
            let origin = Origin::Variable(first.to_owned());
            layer
                .entries
                .insert(key.name.to_owned(), (key.kind.value_of(given[0].1), origin));
        } else if let [(name, text)] = given[..] {
            let value = if key.name == "log.level" {
                level(text)
            } else {
                text
            };
            let origin = Origin::Variable(name.to_owned());
            layer
                .entries
                .insert(key.name.to_owned(), (key.kind.value_of(value), origin));
        }
    }
    layer
}

/// What our variables give.
pub(super) fn own(variables: &Variables, problems: &mut Vec<Problem>) -> Layer {
    let mut layer = Layer::new("environment");
    for (name, text) in &variables.0 {
        let Some(rest) = name.strip_prefix(PREFIX).filter(|_| name != CONFIG) else {
            continue;
        };
        let path = rest.replace("__", ".").to_lowercase();
        let parts: Vec<&str> = path.split('.').collect();
        let origin = Origin::Variable(name.clone());
        match keys::find(&parts) {
            Found::Key(key) if keys::variable(&path) == *name => {
                layer
                    .entries
                    .insert(path, (key.kind.value_of(text), origin));
            }
            Found::Key(_) => problems.push(unknown(name, Some(keys::variable(&path)))),
            Found::Section | Found::Nothing => problems.push(unknown(name, meant(&parts))),
        }
    }
    layer
}

/// CIS's variables with their keys.
fn cis_variables() -> impl Iterator<Item = (&'static str, &'static str)> {
    KEYS.iter()
        .flat_map(|key| key.cis.iter().map(|name| (*name, key.name)))
}

/// Our name for one of Python's levels, in any case or by number. Anything
/// else is left for the key's own check.
fn level(text: &str) -> &str {
    match text.to_ascii_uppercase().as_str() {
        "NOTSET" | "0" => "trace",
        "DEBUG" | "10" => "debug",
        "INFO" | "20" => "info",
        "WARNING" | "WARN" | "30" => "warn",
        "ERROR" | "40" | "CRITICAL" | "FATAL" | "50" => "error",
        _ => text,
    }
}

fn meant(path: &[&str]) -> Option<String> {
    if path == ["config"] || strsim::damerau_levenshtein(&path.join("."), "config") == 1 {
        return Some(CONFIG.to_owned());
    }
    keys::suggest(path, false).map(|key| keys::variable(&key))
}

fn unknown(name: &str, meant: Option<String>) -> Problem {
    let message = match meant {
        Some(meant) => format!("is an unknown variable; did you mean {meant}?"),
        None => format!(
            "is an unknown variable; allowed: {PREFIX}SECTION__KEY in capitals, such as {}",
            keys::variable("queue.url")
        ),
    };
    // A name can hold anything but `=`.
    let name = name.escape_debug().to_string();
    Problem::new(name.clone(), Origin::Variable(name), message)
}
