//! The runbook has an answer to every line at error and at warn and to no other, and the guide beside it names
//! every parameter and every metric.

use std::collections::BTreeSet;

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
    ("trouble", TROUBLES),
];

/// What writes which call on a batch of messages has failed.
const TROUBLES: &[&str] = &["trouble", "renew_under"];

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
        let Some((before, body)) = code.split_once(&opening) else {
            continue;
        };
        let line = before.rsplit('\n').next().unwrap();
        let indent = &line[..line.len() - line.trim_start().len()];
        found.extend(strings_of(
            body.split(&format!("\n{indent}}}\n")).next().unwrap(),
        ));
    }
    assert!(!found.is_empty(), "there is no function {function}");
    found
}

/// Every string of code, without its comments.
fn strings_of(code: &str) -> Vec<String> {
    let lines = code
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    let code = lines.collect::<Vec<_>>().join("\n");
    let mut found = Vec::new();
    let mut rest = code.as_str();
    while let Some(at) = rest.find('"') {
        let (before, begun) = (&rest[..at], &rest[at + 1..]);
        let hashes = before.len() - before.trim_end_matches('#').len();
        rest = if before.ends_with('\'') || before.ends_with("'\\") {
            // A character.
            begun
        } else if before.trim_end_matches('#').ends_with('r') {
            let (raw, after) = begun
                .split_once(&format!("\"{}", "#".repeat(hashes)))
                .unwrap();
            found.push(raw.to_owned());
            after
        } else {
            found.push(literal(&rest[at..]).unwrap());
            after_literal(begun)
        };
    }
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
fn every_value_in_a_line_of_either_level_is_known() {
    let mut found = 0;
    for (path, code) in sources("src") {
        for (at, of_macro) in code.match_indices("$level!(") {
            let call = &code[at + of_macro.len()..];
            // Or its text is the macro's own argument.
            let text = literal(call).unwrap_or_default();
            let values = text.split('{').skip(1);
            for value in values.filter_map(|rest| rest.split('}').next()) {
                let known = WRITTEN_ELSEWHERE.iter().any(|(name, _)| *name == value);
                // What went wrong, after what it means.
                assert!(
                    known || value == "reason",
                    "{path}: who writes {{{value}}}?"
                );
                found += 1;
            }
        }
    }
    assert!(found >= 3, "this test sees too little");
}

#[test]
fn a_call_on_a_batch_that_fails_has_an_answer_at_either_level() {
    let runbook = text("deploy/runbook.md");
    let texts: Vec<_> = TROUBLES.iter().flat_map(|one| written_by(one)).collect();
    // Of a renewal there is another line, of one message.
    let of_a_call = texts.iter().filter(|text| !text.contains("{error}"));
    let mut seen = 0;
    for text in of_a_call {
        for heading in ["## Every line at error", "## Every line at warn"] {
            let line = format!("| `{text}, trying again: …");
            if text.contains("which is a bug") {
                continue;
            }
            assert!(
                section(&runbook, heading).contains(&line),
                "{heading}: {line}"
            );
            seen += 1;
        }
    }
    assert_eq!(seen, 6);
}

#[test]
fn whatever_is_said_of_a_message_that_did_not_end_well_has_an_answer() {
    let (path, code) = sources("src")
        .into_iter()
        .find(|(path, _)| path == "src/pipeline/report.rs")
        .unwrap();
    let runbook = text("deploy/runbook.md");
    let answers = ["## Every line at error", "## Every line at warn"]
        .map(|heading| section(&runbook, heading))
        .concat();
    let mut quiet = BTreeSet::new();
    for of_macro in ["info!(", "debug!("] {
        for (at, _) in code.match_indices(of_macro) {
            quiet.extend(literal(&code[at + of_macro.len()..]));
        }
    }
    let texts = strings_of(&code);
    assert!(texts.len() >= 40, "{path}: this test sees too little");
    let missing: Vec<_> = texts
        .iter()
        .filter(|text| !GOOD_NEWS.contains(&text.as_str()) && !quiet.contains(*text))
        .filter_map(|text| fixed(text))
        .filter(|piece| piece.contains(' ') && !answers.contains(piece.as_str()))
        .collect();
    assert!(
        missing.is_empty(),
        "deploy/runbook.md does not tell what to do about\n{missing:#?}"
    );
}

/// Whether a format string can come to a text that holds this piece; at most two fifths of it are values then.
fn could_say(format: &str, piece: &str) -> bool {
    if format.contains(piece) {
        return true;
    }
    let parts: Vec<_> = format.split(['{', '}']).step_by(2).collect();
    parts.windows(2).any(|pair| {
        let (before, after) = (pair[0], pair[1]);
        let ends = piece.char_indices().map(|(at, _)| at);
        // The value begins here at the latest, and what is before it is the end of a part.
        let begins = ends.filter(|at| before.ends_with(&piece[..*at])).max();
        let rest = &piece[begins.unwrap_or_default()..];
        // It ends where the next part begins, and that goes on to the end of the piece or beyond.
        let of_part = rest
            .char_indices()
            .find(|(at, _)| after.starts_with(&rest[*at..]));
        of_part.is_some_and(|(value, _)| value * 5 <= piece.len() * 2)
    })
}

#[test]
fn every_line_that_has_an_answer_is_written() {
    let mut written: Vec<_> = sources("src")
        .iter()
        .flat_map(|(_, code)| strings_of(code))
        .collect();
    let troubles = TROUBLES.iter().flat_map(|one| written_by(one));
    written.extend(troubles.map(|trouble| format!("{trouble}, trying again: ")));
    let runbook = text("deploy/runbook.md");
    let mut missing = Vec::new();
    let mut rows = 0;
    for heading in ["## Every line at error", "## Every line at warn"] {
        for row in section(&runbook, heading).lines() {
            let Some(row) = row.strip_prefix("| `") else {
                continue;
            };
            rows += 1;
            let lines = row.split(" | ").next().unwrap().split('`').step_by(2);
            for piece in lines.flat_map(|line| line.split(['…', '{', '}'])) {
                let piece = piece.trim_matches([',', ';', ':', '.', '(', ')', '=', ' ']);
                if !written.iter().any(|text| could_say(text, piece)) {
                    missing.push(piece.to_owned());
                }
            }
        }
    }
    assert!(missing.is_empty(), "nobody writes\n{missing:#?}");
    assert!(rows >= 70, "this test sees too little: {rows}");
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
fn a_piece_is_found_around_a_value() {
    for (format, piece, says) in [
        (
            "message not {}, trying again: {failure}",
            "message not deleted, trying again",
            true,
        ),
        ("{keys} {are} overridden by {}", "are overridden by", true),
        ("call failed{}", "call failed, trying again", false),
        ("{} trying again: {}", "call failed, trying again", false),
    ] {
        assert_eq!(could_say(format, piece), says, "{format}: {piece}");
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
