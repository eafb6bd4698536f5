//! `config`: the configuration in force and where each value comes from.

use serde_json::{Map, Value, json};

use super::{
    OK,
    output::{eprint, print},
    session,
};
use crate::config::{Flags, KeyOrigin, Origin};

/// Prints it and returns the exit code.
pub(super) fn config(flags: &Flags, as_json: bool) -> anyhow::Result<u8> {
    let loaded = session::load(flags)?;
    for note in &loaded.notes {
        eprint(note);
    }
    if as_json {
        print(format_args!("{:#}", json_of(&loaded.origins)))?;
    } else {
        print(toml_of(&loaded.origins))?;
    }
    Ok(OK)
}

/// A TOML file that sets the same values. Keys without a section stand first, as TOML requires.
fn toml_of(keys: &[KeyOrigin]) -> String {
    let mut sections: Vec<(&str, Vec<(&str, &KeyOrigin)>)> = vec![("", Vec::new())];
    for key in keys {
        let (section, name) = key.key.rsplit_once('.').unwrap_or(("", &key.key));
        match sections.iter_mut().find(|(known, _)| *known == section) {
            Some((_, entries)) => entries.push((name, key)),
            None => sections.push((section, vec![(name, key)])),
        }
    }
    let mut text = Vec::new();
    for (section, entries) in sections.iter().filter(|(_, entries)| !entries.is_empty()) {
        if !text.is_empty() {
            text.push(String::new());
        }
        if !section.is_empty() {
            text.push(format!("[{section}]"));
        }
        let lines: Vec<_> = entries
            .iter()
            .map(|(name, key)| match &key.value {
                Some(value) => (format!("{name} = {value}"), comment(&key.origin)),
                None => (format!("#{name} ="), comment(&key.origin)),
            })
            .collect();
        // Long values would push every comment of their section out of sight.
        let width = lines.iter().map(|(line, _)| line.chars().count());
        let width = width.filter(|width| *width <= 50).max().unwrap_or(0);
        let lines = lines
            .iter()
            .map(|(line, comment)| format!("{line:width$}  # {comment}"));
        text.extend(lines);
    }
    text.join("\n")
}

/// The origin on one line: the name of a file can hold any character.
fn comment(origin: &Origin) -> String {
    origin.to_string().escape_debug().to_string()
}

fn json_of(keys: &[KeyOrigin]) -> Value {
    let entries = keys.iter().map(|key| {
        let value = key.value.as_ref().map(|toml| {
            // Texts, numbers and lists are written alike in TOML and JSON.
            serde_json::from_str(toml).unwrap_or_else(|_| Value::from(toml.as_str()))
        });
        let entry = json!({ "value": value, "origin": key.origin.to_string() });
        (key.key.clone(), entry)
    });
    Value::Object(entries.collect::<Map<_, _>>())
}
