//! `config`: the configuration in force and where each value comes from; or every key there is.

use serde_json::{Map, Value, json};

use super::{
    OK, arguments,
    arguments::Config,
    output::{Unwritten, eprint, print},
};
use crate::config::{self, Flags, KeyOrigin, Origin};

/// Prints it and returns the exit code. What there is of a wrong configuration is printed, too.
pub(super) fn config(flags: &Flags, asked: &Config) -> anyhow::Result<u8> {
    if asked.default {
        arguments::refuse_for(flags, "config --default")?;
        print(config::DEFAULTS.trim_end())?;
        return Ok(OK);
    }
    let survey = config::survey(flags, std::env::vars_os());
    for note in &survey.notes {
        eprint(note);
    }
    let printed = if asked.json {
        print(format_args!("{:#}", json_of(&survey.origins)))
    } else {
        print(toml_of(&survey.origins))
    };
    match printed {
        // What is wrong is told also where nobody reads on.
        Ok(()) | Err(Unwritten::NoReader) if !survey.problems.is_empty() => {
            Err(survey.problems.into())
        }
        printed => Ok(printed.map(|()| OK)?),
    }
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
                Some(value) => (format!("{name} = {value}"), comment(key)),
                None => (format!("#{name} ="), comment(key)),
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

/// The origin, or what is wrong, on one line: the name of a file can hold any character.
fn comment(key: &KeyOrigin) -> String {
    let origin = &key.origin;
    let comment = match &key.problem {
        None => origin.to_string(),
        Some(problem) => match (&problem.origin, problem.variable) {
            (Origin::Unset, Some(variable)) => format!("missing: set {variable}"),
            (Origin::Unset, None) => "missing".to_owned(),
            (wrong, _) if wrong == origin => format!("wrong: {origin}"),
            (wrong, _) => format!("{origin}; wrong: {wrong}"),
        },
    };
    comment.escape_debug().to_string()
}

fn json_of(keys: &[KeyOrigin]) -> Value {
    let entries = keys.iter().map(|key| {
        let value = key.value.as_ref().map(|toml| {
            // Texts, numbers and lists are written alike in TOML and JSON.
            serde_json::from_str(toml).unwrap_or_else(|_| Value::from(toml.as_str()))
        });
        let mut entry = json!({ "value": value, "origin": key.origin.to_string() });
        if let Some(problem) = &key.problem {
            entry["problem"] = problem.to_string().into();
        }
        (key.key.clone(), entry)
    });
    Value::Object(entries.collect::<Map<_, _>>())
}
