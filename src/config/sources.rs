//! The sources as layers: which keys each gives, and where.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use figment::value::{Dict, Map, Value};
use figment::{Metadata, Profile, Provider};
use toml_edit::{ImDocument, Item, TableLike};

use super::Flags;
use super::environment::Variables;
use super::keys::{self, Found};
use super::problem::{Origin, Problem};

const DEFAULTS: &str = include_str!("../../config/default.toml");

/// The name of the layer of CIS's variables.
pub(super) const CIS: &str = "cis";

/// What one source gives: values and their origins by key.
pub(super) struct Layer {
    /// Its name, by which a merged value finds back to its layer.
    pub(super) name: &'static str,
    /// The keys that it gives. Each is known, and none holds a section.
    pub(super) entries: BTreeMap<String, (Value, Origin)>,
}

impl Layer {
    pub(super) fn new(name: &'static str) -> Self {
        Self {
            name,
            entries: BTreeMap::new(),
        }
    }
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.name)
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let mut root = Dict::new();
        for (key, (value, _)) in &self.entries {
            insert(&mut root, key, value);
        }
        Ok(Profile::Default.collect(root))
    }
}

/// The configuration file and what is to be told about it.
pub(super) struct File {
    /// What it gives; nothing where there is none.
    pub(super) layer: Layer,
    /// Whether there is none, or it could be read and parsed.
    pub(super) readable: bool,
    /// What boot should tell.
    pub(super) notes: Vec<String>,
}

/// The defaults, which are embedded.
pub(super) fn defaults(problems: &mut Vec<Problem>) -> Layer {
    let mut layer = Layer::new("defaults");
    read_toml(DEFAULTS, &|_| Origin::Default, &mut layer, problems);
    layer
}

/// The file of `--config`, else of `NOTIFIER_CONFIG`.
pub(super) fn file(flags: &Flags, variables: &Variables, problems: &mut Vec<Problem>) -> File {
    let mut layer = Layer::new("file");
    let mut notes = Vec::new();
    let variable = variables.get("NOTIFIER_CONFIG");
    let (path, given) = match (&flags.config, variable) {
        (Some(path), shadowed) => {
            if shadowed.is_some() {
                notes.push("NOTIFIER_CONFIG is shadowed by --config".to_owned());
            }
            (path.clone(), "--config")
        }
        (None, Some(path)) => (PathBuf::from(path), "NOTIFIER_CONFIG"),
        (None, None) => {
            return File {
                layer,
                readable: true,
                notes,
            };
        }
    };
    let readable = match std::fs::read(&path) {
        Ok(bytes) => read_file(&path, &bytes, &mut layer, problems),
        Err(error) => {
            let origin = Origin::File { path, line: None };
            let message = format!("cannot be read: {error}; allowed: a readable TOML file");
            problems.push(Problem::new(given, origin, message));
            false
        }
    };
    File {
        layer,
        readable,
        notes,
    }
}

/// The keys that the command line gives.
pub(super) fn overrides(flags: &Flags, problems: &mut Vec<Problem>) -> Layer {
    let mut layer = Layer::new("flags");
    for (name, text) in &flags.overrides {
        let path: Vec<&str> = name.split('.').collect();
        match keys::find(&path) {
            Found::Key(key) => {
                let value = key.kind.value_of(text);
                layer.entries.insert(name.clone(), (value, Origin::Flag));
            }
            Found::Section => problems.push(Problem::new(
                name,
                Origin::Flag,
                "is a section; allowed: one of its keys",
            )),
            Found::Nothing => problems.push(unknown(&path, Origin::Flag, false)),
        }
    }
    layer
}

/// Says that a path is no key, and which was probably meant.
fn unknown(path: &[&str], origin: Origin, section: bool) -> Problem {
    let what = if section { "section" } else { "key" };
    let message = match (path, keys::suggest(path, section)) {
        (["message", "placeholders", ..], _) if path.len() < 4 => {
            "is no placeholder; allowed: `[message.placeholders.NAME]` with a name of letters, digits and `_`, not a digit first".to_owned()
        }
        (_, Some(meant)) => format!("is an unknown {what}; did you mean `{meant}`?"),
        (_, None) => format!("is an unknown {what}; allowed: those that `organizer-notifier config` shows"),
    };
    // A quoted key can hold anything.
    let name: String = path.join(".").chars().take(100).collect();
    Problem::new(name.escape_debug().to_string(), origin, message)
}

fn read_file(path: &Path, bytes: &[u8], layer: &mut Layer, problems: &mut Vec<Problem>) -> bool {
    let origin = |line| Origin::File {
        path: path.to_owned(),
        line,
    };
    match std::str::from_utf8(bytes) {
        Ok(text) => read_toml(text, &origin, layer, problems),
        Err(error) => {
            let valid = bytes.get(..error.valid_up_to()).unwrap_or_default();
            let line = 1 + valid.split(|byte| *byte == b'\n').skip(1).count();
            let message = "is not UTF-8; allowed: a TOML file";
            problems.push(Problem::new("file", origin(Some(line)), message));
            false
        }
    }
}

/// Adds a TOML text's keys to the layer; false where it is no TOML.
fn read_toml(
    text: &str,
    origin: &dyn Fn(Option<usize>) -> Origin,
    layer: &mut Layer,
    problems: &mut Vec<Problem>,
) -> bool {
    match ImDocument::parse(text) {
        Ok(document) => {
            let mut walk = Walk {
                text,
                origin,
                layer,
                problems,
            };
            walk.table(&mut Vec::new(), document.as_table());
            true
        }
        Err(error) => {
            let at = error.span().map(|span| span.start);
            // Its `Display` shows the line itself, which may hold an address.
            let what = error.message().trim().replace('\n', ", ");
            let message = match at {
                Some(at) => format!("is not TOML, at column {}: {what}", column(text, at)),
                None => format!("is not TOML: {what}"),
            };
            problems.push(Problem::new(
                "file",
                origin(at.map(|at| line(text, at))),
                message,
            ));
            false
        }
    }
}

struct Walk<'a> {
    text: &'a str,
    origin: &'a dyn Fn(Option<usize>) -> Origin,
    layer: &'a mut Layer,
    problems: &'a mut Vec<Problem>,
}

impl Walk<'_> {
    fn table<'t>(&mut self, path: &mut Vec<&'t str>, table: &'t dyn TableLike) {
        for (name, item) in table.iter() {
            let at = table
                .key(name)
                .and_then(toml_edit::Key::span)
                .or_else(|| item.span());
            let origin = (self.origin)(at.map(|span| line(self.text, span.start)));
            path.push(name);
            self.item(path, item, origin);
            path.pop();
        }
    }

    fn item<'t>(&mut self, path: &mut Vec<&'t str>, item: &'t Item, origin: Origin) {
        match (keys::find(path), item.as_table_like()) {
            (Found::Section, Some(table)) => self.table(path, table),
            (Found::Section, None) => {
                self.wrong(path, origin, "is a section; allowed: keys in it".to_owned());
            }
            (Found::Key(key), table) => {
                let value = item.as_value().filter(|_| table.is_none());
                if let Some(value) = value.and_then(value_of) {
                    self.layer.entries.insert(path.join("."), (value, origin));
                } else {
                    let kind = if table.is_some() {
                        "section"
                    } else {
                        "date or a section"
                    };
                    let allowed = key.kind.allowed();
                    self.wrong(path, origin, format!("is a {kind}; allowed: {allowed}"));
                }
            }
            (Found::Nothing, table) => {
                self.problems.push(unknown(path, origin, table.is_some()));
            }
        }
    }

    fn wrong(&mut self, path: &[&str], origin: Origin, message: String) {
        self.problems
            .push(Problem::new(path.join("."), origin, message));
    }
}

/// `None` for dates and tables, which no key takes.
pub(super) fn value_of(value: &toml_edit::Value) -> Option<Value> {
    Some(match value {
        toml_edit::Value::String(text) => Value::from(text.value().as_str()),
        toml_edit::Value::Integer(number) => Value::from(*number.value()),
        toml_edit::Value::Float(number) => Value::from(*number.value()),
        toml_edit::Value::Boolean(bool) => Value::from(*bool.value()),
        toml_edit::Value::Array(items) => {
            Value::from(items.iter().map(value_of).collect::<Option<Vec<_>>>()?)
        }
        toml_edit::Value::Datetime(_) | toml_edit::Value::InlineTable(_) => return None,
    })
}

fn insert(dict: &mut Dict, key: &str, value: &Value) {
    match key.split_once('.') {
        None => {
            dict.insert(key.to_owned(), value.clone());
        }
        Some((section, rest)) => {
            let inner = dict
                .entry(section.to_owned())
                .or_insert_with(|| Dict::new().into());
            if let Value::Dict(_, inner) = inner {
                insert(inner, rest, value);
            }
        }
    }
}

/// The line of a byte offset, from 1.
fn line(text: &str, at: usize) -> usize {
    1 + text.get(..at).unwrap_or(text).matches('\n').count()
}

/// The column of a byte offset, in characters from 1.
fn column(text: &str, at: usize) -> usize {
    let before = text.get(..at).unwrap_or(text);
    1 + before
        .chars()
        .rev()
        .take_while(|char| *char != '\n')
        .count()
}
