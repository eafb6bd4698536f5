//! The runbook has an answer to every error line, and tells every parameter.

use crate::stack::Stack;
use crate::{sources, text};

/// Macros whose lines say that a person should look.
const LOUD: &str = "error!(";

/// The longest piece of each error line that is always the same.
fn error_lines() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (path, code) in sources("src") {
        for (at, _) in code.match_indices(LOUD) {
            let call = &code[at + LOUD.len()..];
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
    let runbook = text("deploy/README.md");
    let lines = error_lines();
    assert!(lines.len() >= 12, "this test sees too little: {lines:?}");
    let missing: Vec<_> = lines
        .iter()
        .filter(|(_, piece)| !runbook.contains(piece.as_str()))
        .collect();
    assert!(
        missing.is_empty(),
        "deploy/README.md does not tell what to do about\n{missing:#?}"
    );
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
