//! How a scan, and what was done after it, is told to machines: one object a line, whose `type` says what
//! it is. Times are in seconds.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{
    act::Done,
    plan::{Act, Plan},
    report::groups,
    scan::{Judged, Scan},
};
use crate::{
    cli::verdict::Kind,
    ports::dead_letters::{AttributeValue, DeadLetter},
};

/// One message as it was judged.
pub(super) fn message(message: &Judged) -> Value {
    let to = (message.kind == Kind::Mail).then_some(&message.to);
    json!({
        "type": "message",
        "message_id": message.id,
        "receive_count": message.receive_count,
        "age_s": message.age.map(|age| age.as_secs()),
        "forgotten_in_s": message.left.map(|left| left.as_secs()),
        "verdict": message.kind.name(),
        "to": to,
        "reason": message.reason,
        "mailed": message.mailed.name(),
        "came_from": message.came_from,
    })
}

/// The same with all that the publisher gave it. Bytes are lists of numbers.
pub(super) fn whole(judged: &Judged, letter: &DeadLetter) -> Value {
    let attributes = letter.attributes.iter().map(|attribute| {
        let value = match &attribute.value {
            AttributeValue::Text(text) => json!(text),
            AttributeValue::Bytes(bytes) => json!(bytes),
        };
        let data_type = &attribute.data_type;
        (
            attribute.name.clone(),
            json!({ "data_type": data_type, "value": value }),
        )
    });
    let mut object = message(judged);
    object["attributes"] = Value::Object(attributes.collect());
    object["body"] = json!(letter.message.body);
    object
}

/// What was done with one message.
pub(super) fn act(act: &Act, id: &str, done: &Done) -> Value {
    json!({
        "type": "act",
        "message_id": id,
        "act": act.name(),
        "result": done.name(),
        "reason": done.reason(),
    })
}

/// What became of the act as a whole.
pub(super) struct WholeAct<'a> {
    pub(super) act: &'a Act,
    pub(super) plan: &'a Plan,
    pub(super) done: &'a [(String, Done)],
    /// `done`, or why not: `nothing_chosen`, `declined`, `interrupted`, `failed`.
    pub(super) end: &'static str,
}

/// The last line.
pub(super) fn summary(
    scan: &Scan,
    about: u64,
    not_put_back: usize,
    acted: Option<&WholeAct<'_>>,
) -> Value {
    let count = |kind| {
        let of_kind = scan.messages.iter().filter(|message| message.kind == kind);
        of_kind.count()
    };
    let groups = groups(&scan.messages);
    let groups = groups
        .iter()
        .map(|group| json!({ "verdict": group.verdict, "count": group.ids.len() }));
    json!({
        "type": "summary",
        "end": scan.end,
        "messages": scan.messages.len(),
        "about": about,
        "mail": count(Kind::Mail),
        "ignored": count(Kind::Ignored),
        "rejected": count(Kind::Rejected),
        "groups": groups.collect::<Vec<_>>(),
        "not_put_back": not_put_back,
        "maybe_hidden": scan.maybe_hidden,
        "act": acted.map(whole_act),
    })
}

fn whole_act(acted: &WholeAct<'_>) -> Value {
    let to = match acted.act {
        Act::Redrive { to, .. } => Some(&to.url),
        Act::Delete => None,
    };
    let results = acted.done.iter().map(|(_, done)| done.name());
    let left_out = acted.plan.left_out.iter().map(|(_, why)| why.name());
    json!({
        "act": acted.act.name(),
        "to": to,
        "end": acted.end,
        "chosen": acted.plan.ids.len(),
        "results": counts(results),
        "left_out": counts(left_out),
    })
}

fn counts(names: impl Iterator<Item = &'static str>) -> Map<String, Value> {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for name in names {
        *counts.entry(name).or_default() += 1;
    }
    counts
        .into_iter()
        .map(|(name, count)| (name.to_owned(), json!(count)))
        .collect()
}
