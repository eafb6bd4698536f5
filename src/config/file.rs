//! The files as sources: the defaults and the configuration file, and the line of each key in them.

use std::path::{Path, PathBuf};

use figment::value::Value;
use toml_edit::{ImDocument, Item, TableLike};

use super::{
    environment::{CONFIG, Variables},
    flags::Flags,
    keys::{self, Found},
    problem::Origin,
    sources::Sources,
};

const DEFAULTS: &str = include_str!("../../config/default.toml");

/// Adds the defaults, which are embedded.
pub(super) fn read_defaults(sources: &mut Sources) {
    read_toml(DEFAULTS, &|_| Origin::Default, sources);
}

/// Adds the file of `--config`, or of `NOTIFIER_CONFIG` without that flag. Returns false where the
/// file could not be read or parsed: then nobody knows which keys it gives.
pub(super) fn read(flags: &Flags, variables: &Variables, sources: &mut Sources) -> bool {
    let (path, given) = match (&flags.config, variables.get(CONFIG)) {
        (Some(path), _) => (path.clone(), "--config"),
        (None, Some(path)) => (PathBuf::from(path), CONFIG),
        (None, None) => return true,
    };
    match std::fs::read(&path) {
        Ok(bytes) => read_bytes(&path, &bytes, sources),
        Err(error) => {
            let message = format!("cannot be read: {error}; allowed: a readable TOML file");
            sources.refuse(given, Origin::File { path, line: None }, message);
            false
        }
    }
}

fn read_bytes(path: &Path, bytes: &[u8], sources: &mut Sources) -> bool {
    let origin = |line| Origin::File {
        path: path.to_owned(),
        line,
    };
    match std::str::from_utf8(bytes) {
        Ok(text) => read_toml(text, &origin, sources),
        Err(error) => {
            let valid = bytes.get(..error.valid_up_to()).unwrap_or_default();
            let line = 1 + valid.split(|byte| *byte == b'\n').skip(1).count();
            let message = "is not UTF-8; allowed: a TOML file";
            sources.refuse("file", origin(Some(line)), message);
            false
        }
    }
}

/// Adds a TOML text's keys. Returns false where the text is no TOML.
fn read_toml(text: &str, origin: &dyn Fn(Option<usize>) -> Origin, sources: &mut Sources) -> bool {
    match ImDocument::parse(text) {
        Ok(document) => {
            let mut walk = Walk {
                text,
                origin,
                sources,
            };
            walk.table(&mut Vec::new(), document.as_table());
            true
        }
        Err(error) => {
            let at = error.span().map(|span| span.start);
            // The error's `Display` shows the line itself, which may hold an address.
            let what = error.message().trim().replace('\n', ", ");
            let column = at.map(|at| format!(", at column {}", column(text, at)));
            let message = format!("is not TOML{}: {what}", column.unwrap_or_default());
            sources.refuse("file", origin(at.map(|at| line(text, at))), message);
            false
        }
    }
}

/// A walk through a TOML text.
struct Walk<'a> {
    text: &'a str,
    origin: &'a dyn Fn(Option<usize>) -> Origin,
    sources: &'a mut Sources,
}

impl Walk<'_> {
    fn table<'t>(&mut self, path: &mut Vec<&'t str>, table: &'t dyn TableLike) {
        for (name, item) in table.iter() {
            let span = table.key(name).and_then(toml_edit::Key::span);
            let at = span.or_else(|| item.span());
            let origin = (self.origin)(at.map(|span| line(self.text, span.start)));
            path.push(name);
            self.item(path, item, origin);
            path.pop();
        }
    }

    fn item<'t>(&mut self, path: &mut Vec<&'t str>, item: &'t Item, origin: Origin) {
        let key = path.join(".");
        let sources = &mut *self.sources;
        match (keys::find(path), item.as_table_like()) {
            (Found::Section, Some(table)) => self.table(path, table),
            (Found::Section, None) => {
                sources.refuse(&key, origin, "is a section; allowed: keys in it");
            }
            (Found::Key(row), table) => {
                let value = item.as_value().filter(|_| table.is_none());
                if let Some(value) = value.and_then(value_of) {
                    sources.set(&key, &value, origin);
                } else {
                    let date = if table.is_none() { "date or a " } else { "" };
                    let message = format!("is a {date}section; allowed: {}", row.allowed);
                    sources.refuse(&key, origin, message);
                }
            }
            (Found::Nothing, table) => sources.refuse_unknown(path, origin, table.is_some()),
        }
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

/// The line of a byte offset, from 1.
fn line(text: &str, at: usize) -> usize {
    1 + text.get(..at).unwrap_or(text).matches('\n').count()
}

/// The column of a byte offset, in characters from 1.
fn column(text: &str, at: usize) -> usize {
    let before = text.get(..at).unwrap_or(text);
    let line = before.rsplit('\n').next().unwrap_or_default();
    1 + line.chars().count()
}
