//! What may stand in the daemon's output, and what must.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use sandbox::lock;
use serde_json::Value;

/// Fields of an event that no output may repeat.
const PRIVATE: [&str; 6] = [
    "mailto",
    "organizer",
    "summary",
    "uid",
    "location",
    "description_html",
];
/// So much of a text is enough to call it leaked.
const TELLING: usize = 16;
/// What holds an `@` in the daemon's own words and is nobody's address.
const OWN_WORDS: [&str; 3] = ["events@example.com", "name@domain", " @ "];
/// Shorter texts occur by chance.
const SHORTEST: usize = 6;

/// What was in the messages, and so must never be in the output.
#[derive(Default)]
pub(crate) struct Secrets(Mutex<BTreeSet<String>>);

impl Secrets {
    /// Takes in a body or an event: of JSON its private fields, of anything else its beginning.
    pub(crate) fn learn(&self, body: &str) {
        let mut found = Vec::new();
        match serde_json::from_str::<Value>(body) {
            Ok(Value::Object(mut fields)) => {
                if let Some(Value::String(message)) = fields.remove("Message") {
                    self.learn(&message);
                }
                for value in PRIVATE.iter().filter_map(|name| fields.get(*name)) {
                    found.extend(value.as_str().map(str::to_owned));
                }
            }
            _ => found.push(body.to_owned()),
        }
        let telling = |text: String| text.trim().chars().take(TELLING).collect::<String>();
        let secrets = found.into_iter().map(telling);
        lock(&self.0).extend(secrets.filter(|text| text.len() >= SHORTEST));
    }

    /// No line holds one of them, nor any address that is not masked, nor a panic.
    pub(crate) fn assert_kept(&self, lines: &[String]) {
        let secrets = lock(&self.0);
        for line in lines {
            for secret in secrets.iter() {
                let escaped = serde_json::to_string(secret).unwrap();
                let leaked =
                    line.contains(secret.as_str()) || line.contains(escaped.trim_matches('"'));
                assert!(!leaked, "{secret:?} is in the output: {line}");
            }
            let line = OWN_WORDS
                .iter()
                .fold(line.clone(), |line, words| line.replace(words, ""));
            for (at, _) in line.match_indices('@') {
                assert!(line[..at].ends_with("***"), "an address is whole: {line}");
            }
            assert!(!line.contains("panic"), "{line}");
        }
    }
}

/// The fields of a line of the log.
#[derive(Clone, Debug)]
pub(crate) struct Line(pub(crate) Value);

impl Line {
    /// The lines that are JSON; what is not was told by the command line and not by the log.
    pub(crate) fn read_all(lines: &[String]) -> Vec<Self> {
        let parse = |line: &String| serde_json::from_str(line).ok().map(Self);
        lines.iter().filter_map(parse).collect()
    }

    pub(crate) fn text(&self, field: &str) -> &str {
        self.0[field].as_str().unwrap_or_default()
    }

    pub(crate) fn level(&self) -> &str {
        self.text("level")
    }

    pub(crate) fn message(&self) -> &str {
        self.text("message")
    }

    pub(crate) fn outcome(&self) -> &str {
        self.text("notifier.outcome")
    }
}

/// The outcome lines: one for each receive of a message.
pub(crate) fn outcomes(lines: &[Line]) -> Vec<Line> {
    let is_outcome = |line: &&Line| !line.outcome().is_empty();
    lines.iter().filter(is_outcome).cloned().collect()
}

/// Every received message has one line, and the last line's sums are those of the lines.
pub(crate) fn assert_accounted(lines: &[Line]) {
    let outcomes = outcomes(lines);
    let mut seen = BTreeSet::new();
    let mut counts = BTreeMap::new();
    for line in &outcomes {
        let receive = (
            line.text("messaging.message.id"),
            line.text("notifier.receive"),
        );
        assert!(seen.insert(receive), "two outcomes of {receive:?}");
        *counts.entry(line.outcome().to_owned()).or_insert(0) += 1;
    }
    let last = lines.last().map(Line::message).unwrap_or_default();
    let (_, tally) = last.split_once("received ").expect("no last line");
    if tally == "nothing" {
        assert!(outcomes.is_empty(), "{last}");
        return;
    }
    let (received, ended) = tally.split_once(" = ").expect("the sums differ");
    assert_eq!(received, outcomes.len().to_string(), "{last}");
    let told: BTreeMap<_, _> = ended
        .split(" + ")
        .filter_map(|part| part.split_once(' '))
        .map(|(count, outcome)| (outcome.to_owned(), count.parse::<usize>().unwrap()))
        .collect();
    assert_eq!(told, counts, "{last}");
}

#[test]
fn a_leaked_summary_or_address_is_found() {
    let secrets = Secrets::default();
    secrets.learn(r#"{"Message": "{\"summary\": \"Say \\\"hello\\\" to them\"}"}"#);
    let leaks =
        |line: &str| std::panic::catch_unwind(|| secrets.assert_kept(&[line.to_owned()])).is_err();
    assert!(leaks(r#"{"message": "Say \"hello\" to them"}"#));
    assert!(leaks("to dana@example.com"));
    assert!(!leaks("to d***@example.com: hello"));
}
