//! The table beside the reference.

mod values;

use std::collections::BTreeSet;

use toml_edit::{ImDocument, Item};

use super::{Draft, Found, find, rows, variable};

const REFERENCE: &str = include_str!("../../../config/default.toml");

/// The reference with its optional keys switched on.
fn complete_reference() -> String {
    let switched_on = |line: &str| match line.strip_prefix('#') {
        Some(rest) if rest.starts_with(|char: char| char.is_ascii_lowercase()) => rest.to_owned(),
        _ => line.to_owned(),
    };
    REFERENCE
        .lines()
        .map(switched_on)
        .collect::<Vec<_>>()
        .join("\n")
}

fn leaves(prefix: &str, item: &Item, keys: &mut Vec<String>) {
    match item.as_table_like() {
        Some(table) => table.iter().for_each(|(name, item)| {
            let path = if prefix.is_empty() {
                name.to_owned()
            } else {
                format!("{prefix}.{name}")
            };
            leaves(&path, item, keys);
        }),
        None => keys.push(prefix.to_owned()),
    }
}

fn reference_keys() -> Vec<String> {
    let text = complete_reference();
    let document = ImDocument::parse(text.as_str()).unwrap();
    let mut keys = Vec::new();
    leaves("", document.as_item(), &mut keys);
    keys
}

#[test]
fn the_reference_holds_every_key_of_the_table_and_no_other() {
    let mut held = BTreeSet::new();
    for path in reference_keys() {
        let parts: Vec<&str> = path.split('.').collect();
        let Found::Key(key) = find(&parts) else {
            panic!("{path} is not in the table")
        };
        held.insert(key.name.as_str());
    }
    let table: BTreeSet<&str> = rows().map(|key| key.name.as_str()).collect();
    assert_eq!(held, table);
}

#[test]
fn every_value_of_the_reference_is_allowed() {
    let text = complete_reference();
    let document = ImDocument::parse(text.as_str()).unwrap();
    for key in rows().filter(|key| !key.name.contains('*')) {
        let item = key
            .name
            .split('.')
            .fold(document.as_item(), |item, part| &item[part]);
        let value = crate::config::file::value_of(item.as_value().unwrap()).unwrap();
        key.fill(&mut Draft::default(), "", &value)
            .unwrap_or_else(|wrong| panic!("{}: {wrong}", key.name));
    }
}

#[test]
fn the_reference_has_a_comment_over_every_key_with_its_variables() {
    let lines: Vec<&str> = REFERENCE.lines().collect();
    for key in rows().filter(|key| !key.name.contains('*')) {
        let (section, name) = key.name.split_once('.').unwrap_or(("", &key.name));
        let start = lines
            .iter()
            .position(|line| *line == format!("[{section}]"))
            .unwrap_or(0);
        let given = |line: &&str| {
            line.trim_start_matches('#')
                .starts_with(&format!("{name} = "))
        };
        let at = start + lines[start..].iter().position(given).unwrap();
        let comment: Vec<&str> = lines[..at]
            .iter()
            .rev()
            .take_while(|line| line.starts_with("# "))
            .copied()
            .collect();
        assert!(!comment.is_empty(), "{} has no comment", key.name);
        let comment = comment.join(" ");
        for variable in key.cis {
            assert!(
                comment.contains(variable),
                "{variable} is not beside {}",
                key.name
            );
        }
        if key.required.is_some() {
            assert!(comment.contains("Required"), "{} is required", key.name);
        }
    }
}

#[test]
fn a_keys_variable_is_its_path_in_capitals() {
    assert_eq!(variable("queue.wait_time"), "NOTIFIER_QUEUE__WAIT_TIME");
    assert_eq!(variable("concurrency"), "NOTIFIER_CONCURRENCY");
}
