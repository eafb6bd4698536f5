//! The files as sources: the defaults and the configuration file, and the line of each key in them.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use figment::value::Value;
use serde::de::IgnoredAny;
use toml_edit::{ImDocument, TableLike};

use super::{
    environment::{CONFIG, Variables},
    flags::Flags,
    keys::{self, Found},
    problem::Origin,
    sources::Sources,
};

/// The defaults and the reference of all keys, as a configuration file with comments.
pub const DEFAULTS: &str = include_str!("../../config/default.toml");

/// The most bytes that a configuration file may have.
const BYTES_MAX: u64 = 1 << 20;

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
    match read_beginning(&path) {
        Ok(bytes) if u64::try_from(bytes.len()).is_ok_and(|length| length <= BYTES_MAX) => {
            read_bytes(&path, &bytes, sources)
        }
        Ok(_) => {
            let message = "has more than 1 MiB; allowed: a TOML file of at most 1 MiB";
            sources.refuse(given, Origin::File { path, line: None }, message);
            false
        }
        Err(error) => {
            let message = format!("cannot be read: {error}; allowed: a readable TOML file");
            sources.refuse(given, Origin::File { path, line: None }, message);
            false
        }
    }
}

/// The file's bytes, up to the first that is one too many. The length that the file system knows
/// says nothing of a pipe.
fn read_beginning(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut file = File::open(path)?.take(BYTES_MAX + 1);
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
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
            let lines = Lines::of(text);
            let origin_at = |at: Option<usize>| origin(at.map(|at| lines.line(at)));
            read_table(&[], document.as_table(), &origin_at, sources);
            true
        }
        Err(error) => {
            if let Some(format) = other_format(text) {
                let message = format!(
                    "looks like {format}; TOML is wanted, such as `organizer-notifier config --default` prints"
                );
                sources.refuse("file", origin(None), message);
                return false;
            }
            let at = error.span().map(|span| span.start);
            // The error's `Display` shows the line itself, which may hold an address.
            let what = error.message().trim().replace('\n', ", ");
            let column = at.map(|at| format!(", at column {}", column(text, at)));
            let message = format!("is not TOML{}: {what}", column.unwrap_or_default());
            let line = at.map(|at| Lines::of(text).line(at));
            sources.refuse("file", origin(line), message);
            false
        }
    }
}

/// Adds a table's keys and those of the tables in it. `origin_at` tells the origin of what stands
/// at a byte offset.
fn read_table(
    outer: &[&str],
    table: &dyn TableLike,
    origin_at: &dyn Fn(Option<usize>) -> Origin,
    sources: &mut Sources,
) {
    for (name, item) in table.iter() {
        let span = table.key(name).and_then(toml_edit::Key::span);
        let span = span.or_else(|| item.span());
        let origin = origin_at(span.map(|span| span.start));
        let path = [outer, &[name]].concat();
        let key = path.join(".");
        match (keys::find(&path), item.as_table_like()) {
            (Found::Section, Some(table)) => read_table(&path, table, origin_at, sources),
            (Found::Section, None) => {
                sources.refuse(&key, origin, "is a section; allowed: keys in it");
            }
            (Found::Key(row), table) => {
                if let Some(value) = item.as_value().and_then(value_of) {
                    sources.set(&key, &value, origin);
                } else {
                    let date = if table.is_none() { "date or a " } else { "" };
                    let message = format!("is a {date}section; allowed: {}", row.allowed);
                    sources.refuse(&key, origin, message);
                }
            }
            (Found::Nothing, table) => sources.refuse_unknown(&path, origin, table.is_some()),
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

/// The format that a text which is no TOML is probably written in.
fn other_format(text: &str) -> Option<&'static str> {
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let mut lines = text.lines().map(str::trim_end);
    let first = lines.find(|line| !line.is_empty() && !line.starts_with('#'))?;
    let (name, rest) = first.split_once(':').unwrap_or_default();
    let is_name = |char: char| char.is_alphanumeric() || "_-.".contains(char);
    let is_yaml_key =
        !name.is_empty() && name.chars().all(is_name) && (rest.is_empty() || rest.starts_with(' '));
    if text.starts_with('{') || serde_json::from_str::<IgnoredAny>(text).is_ok() {
        Some("JSON")
    } else if first == "---" || first.starts_with("- ") || is_yaml_key {
        Some("YAML")
    } else {
        None
    }
}

/// Where the lines of a text begin. A large file has many keys, each of which asks for its line.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Self {
        Self(text.match_indices('\n').map(|(at, _)| at + 1).collect())
    }

    /// The line of a byte offset, from 1.
    fn line(&self, at: usize) -> usize {
        1 + self.0.partition_point(|start| *start <= at)
    }
}

/// The column of a byte offset, in characters from 1.
fn column(text: &str, at: usize) -> usize {
    let before = text.get(..at).unwrap_or(text);
    let line = before.rsplit('\n').next().unwrap_or_default();
    1 + line.chars().count()
}
