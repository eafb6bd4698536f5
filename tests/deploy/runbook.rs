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

/// Lines whose text comes from elsewhere, by the name of the value that holds it, and the functions that write it.
const WRITTEN_ELSEWHERE: &[(&str, &[&str])] = &[
    ("text", &["sentence", "unsent"]),
    ("note", &["doubt", "doubt_of_proxy", "shadowed"]),
];

/// What those functions write of good news, which is logged at info.
const GOOD_NEWS: &[&str] = &[
    "sent",
    "sent, as an event of SES's shows",
    "sent, as the ledger's table shows",
    "duplicate: it was sent before, and is deleted now",
    "ignored: a control message of the topic",
    "released: returned to the queue",
];

/// The texts that a function of this name writes.
fn written_by(function: &str) -> Vec<String> {
    let opening = format!("fn {function}(");
    let mut found = Vec::new();
    for (_, code) in sources("src") {
        let Some((_, body)) = code.split_once(&opening) else {
            continue;
        };
        let mut body = body.split("\n}\n").next().unwrap();
        while let Some(at) = body.find('"') {
            let text = literal(&body[at..]).unwrap();
            body = after_literal(&body[at + 1..]);
            found.push(text);
        }
    }
    assert!(!found.is_empty(), "there is no function {function}");
    found
}

/// What comes after the end of a string that has begun.
fn after_literal(begun: &str) -> &str {
    let mut escaped = false;
    for (at, char) in begun.char_indices() {
        match char {
            '"' if !escaped => return &begun[at + 1..],
            _ => escaped = char == '\\' && !escaped,
        }
    }
    ""
}

#[test]
fn every_error_line_has_an_answer() {
    has_answers("error!(", "## Every line at error", 12);
    has_answers("line!(error, ", "## Every line at error", 0);
}

#[test]
fn every_warning_has_an_answer() {
    has_answers("warn!(", "## Every line at warn", 10);
    has_answers("line!(warn, ", "## Every line at warn", 4);
}

#[test]
fn every_line_whose_text_comes_from_elsewhere_is_known() {
    let mut found = 0;
    for (path, code) in sources("src") {
        for of_macro in ["error!(", "warn!(", "$level!("] {
            for (at, _) in code.match_indices(of_macro) {
                let text = literal(&code[at + of_macro.len()..]).unwrap_or_default();
                let value = text
                    .strip_prefix('{')
                    .and_then(|rest| rest.strip_suffix('}'));
                let Some(value) = value.filter(|value| !value.contains('{')) else {
                    continue;
                };
                let known = WRITTEN_ELSEWHERE.iter().any(|(name, _)| *name == value);
                assert!(known, "{path}: who writes {{{value}}}?");
                found += 1;
            }
        }
    }
    assert!(found >= 2, "this test sees too little");
}

#[test]
fn what_is_written_elsewhere_has_an_answer_too() {
    let runbook = text("deploy/runbook.md");
    let (errors, warnings) = (
        section(&runbook, "## Every line at error"),
        section(&runbook, "## Every line at warn"),
    );
    let functions = WRITTEN_ELSEWHERE
        .iter()
        .flat_map(|(_, functions)| *functions);
    let texts: Vec<_> = functions
        .flat_map(|function| written_by(function))
        .collect();
    assert!(texts.len() >= 15, "this test sees too little: {texts:#?}");
    let bad = texts
        .iter()
        .filter(|text| !GOOD_NEWS.contains(&text.as_str()));
    let missing: Vec<_> = bad
        .filter_map(|text| fixed(text))
        // Not the names and the schemes that a value is compared with.
        .filter(|piece| piece.contains(' '))
        .filter(|piece| !errors.contains(piece.as_str()) && !warnings.contains(piece.as_str()))
        .collect();
    assert!(
        missing.is_empty(),
        "deploy/runbook.md does not tell what to do about\n{missing:#?}"
    );
    for news in GOOD_NEWS {
        assert!(
            texts.iter().any(|text| text == news),
            "nobody writes {news:?}"
        );
    }
}

#[test]
fn the_filter_for_dead_letters_finds_every_line_about_one() {
    let runbook = text("deploy/runbook.md");
    let chapter = runbook
        .split_once("### The dead-letter queue is not empty")
        .unwrap()
        .1;
    let (_, filter) = chapter.split_once("--filter-pattern '?").unwrap();
    let filter = filter.split('\'').next().unwrap();
    let terms: Vec<_> = filter
        .split('?')
        .map(|term| term.trim().trim_matches('"'))
        .collect();
    let mut texts = written_by("sentence");
    texts.extend(written_by("unsent"));
    texts.extend(written_by("not_deleted"));
    let about = |text: &&String| {
        ["dead-letter", "redrive", "rejected", "exhausted"]
            .iter()
            .any(|word| text.contains(word))
    };
    let about: Vec<_> = texts.iter().filter(about).collect();
    assert!(about.len() >= 6, "this test sees too little: {about:#?}");
    for text in about {
        // One sentence of which the rest is appended, by a match on the same value.
        let rest = text.starts_with("{fate}") || text.ends_with("dead-letter it;");
        let matched = rest || terms.iter().any(|term| text.contains(term));
        assert!(matched, "{terms:?} does not find: {text}");
    }
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
