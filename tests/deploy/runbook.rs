//! The runbook has an answer to every line at error and at warn, and the guide beside it names every
//! parameter and every metric.

use crate::stack::Stack;
use crate::{sources, text};

/// The longest piece of each line that a macro writes and that is always the same.
fn lines(of_macro: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (path, code) in sources("src") {
        for (at, _) in code.match_indices(of_macro) {
            let call = &code[at + of_macro.len()..];
            if let Some(piece) = literal(call).and_then(|text| fixed(&text)) {
                found.push((path.clone(), piece));
            }
        }
    }
    found
}

/// The first string of a call.
fn literal(call: &str) -> Option<String> {
    let mut text = String::new();
    let mut rest = call[call.find('"')? + 1..].chars();
    while let Some(char) = rest.next() {
        match char {
            '"' => return Some(text),
            '\\' => match rest.next()? {
                '\n' => {
                    let after = rest.as_str().trim_start();
                    rest = after.chars();
                }
                escaped => text.push(escaped),
            },
            char => text.push(char),
        }
    }
    None
}

/// The longest piece of a format string without its values; none where it is nearly all values.
fn fixed(format: &str) -> Option<String> {
    let pieces = format.split(['{', '}']).step_by(2);
    let longest = pieces.map(str::trim).max_by_key(|piece| piece.len())?;
    (longest.len() >= 5).then(|| longest.to_owned())
}

#[test]
fn every_error_line_has_an_answer() {
    has_answers("error!(", "## Every line at error", 12);
}

#[test]
fn every_warning_has_an_answer() {
    has_answers("warn!(", "## Every line at warn", 10);
}

fn has_answers(of_macro: &str, heading: &str, at_least: usize) {
    let runbook = text("deploy/runbook.md");
    let section = section(&runbook, heading);
    let lines = lines(of_macro);
    assert!(
        lines.len() >= at_least,
        "this test sees too little: {lines:?}"
    );
    let missing: Vec<_> = lines
        .iter()
        .filter(|(_, piece)| !section.contains(piece.as_str()))
        .collect();
    assert!(
        missing.is_empty(),
        "deploy/runbook.md does not tell what to do about\n{missing:#?}"
    );
}

/// What stands under a heading of the second rank.
fn section<'a>(text: &'a str, heading: &str) -> &'a str {
    let (_, after) = text
        .split_once(&format!("\n{heading}\n"))
        .unwrap_or_else(|| panic!("no {heading}"));
    after.split("\n## ").next().unwrap()
}

#[test]
fn every_metric_is_told() {
    let telemetry = text("deploy/telemetry.md");
    let table = section(&telemetry, "## Every metric");
    let names = text("src/telemetry/names.rs");
    let (_, metrics) = names.split_once("pub mod metric {").unwrap();
    let names: Vec<_> = metrics.split('"').skip(1).step_by(2).collect();
    assert!(names.len() >= 17, "this test sees too little: {names:?}");
    for name in names {
        assert!(table.contains(&format!("\n| `{name}` |")), "{name}");
    }
}

#[test]
fn every_parameter_is_told() {
    let readme = text("deploy/README.md");
    for name in Stack::with(&[]).raw()["Parameters"]
        .as_object()
        .unwrap()
        .keys()
    {
        assert!(
            readme.contains(&format!("`{name}`")),
            "deploy/README.md: {name}"
        );
    }
}

#[test]
fn the_fixed_part_of_a_line_is_found() {
    let call = "\n  target: X,\n  { a = 1 },\n  \"{what} has stopped \\\n     now: {}\", cause)";
    assert_eq!(
        literal(call).and_then(|text| fixed(&text)).unwrap(),
        "has stopped now:"
    );
}
