//! What goes wrong on purpose, in words.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::super::super::faults::{Fault, Rule};
use super::counted;

/// The rules that can still strike, each with how often it has.
pub(super) fn faults(rules: &[(Rule, u64)]) -> Markup {
    html! {
        section.banner aria-labelledby="faults" {
            h2 #faults { "Faults in force" }
            ul {
                @for (rule, struck) in rules {
                    li {
                        code { (rule.operation) } " " (effect(&rule.fault))
                        @for limit in limits(rule) { ", " (limit) }
                        " " span.struck { (strikes(*struck)) }
                    }
                }
            }
            p { "They end with " code { "DELETE /faults" } "; " a href="/faults" { "as JSON" } }
        }
    }
}

/// The queues that hold dead letters.
pub(super) fn dead_letters(queues: &BTreeMap<String, usize>) -> Markup {
    html! {
        p.dead {
            @for (name, count) in queues {
                span { "Dead-letter queue " code { (name) } ": " b { (counted(*count, "message")) } }
            }
        }
    }
}

fn strikes(struck: u64) -> String {
    match struck {
        0 => "not struck yet".to_owned(),
        1 => "struck once".to_owned(),
        more => format!("struck {more} times"),
    }
}

fn effect(fault: &Fault) -> String {
    match fault {
        Fault::Error { code, status, .. } => format!("is refused with {code} ({status})"),
        Fault::Latency { min_ms, max_ms } => format!("waits {min_ms} to {max_ms} ms"),
        Fault::Hang => "is never answered".to_owned(),
        Fault::ResetBefore => "is cut off before it takes effect".to_owned(),
        Fault::ResetAfter => "takes effect and is cut off".to_owned(),
        Fault::AnswerLate { after_ms } => format!("is answered {after_ms} ms late"),
        Fault::EntryError { code, .. } => format!("fails entries of batches with {code}"),
        Fault::Unprocessed => "leaves entries of batches unprocessed".to_owned(),
        Fault::Duplicate { after_ms, new_id } => {
            let id = if *new_id { "a new id" } else { "the same id" };
            format!("delivers a message again after {after_ms} ms under {id}")
        }
    }
}

/// What narrows a rule.
fn limits(rule: &Rule) -> Vec<String> {
    let mut limits = Vec::new();
    if rule.share < 1.0 {
        let percent = (rule.share * 1000.0).round() / 10.0;
        limits.push(format!("{percent} % of calls"));
    }
    if let Some(count) = rule.count {
        limits.push(format!(
            "at most {}",
            counted(usize::try_from(count).unwrap_or(usize::MAX), "time")
        ));
    }
    if let Some(window) = rule.window {
        limits.push(format!(
            "from {} to {} ms after it was set",
            window.from_ms, window.until_ms
        ));
    }
    if let Some(text) = &rule.body_contains {
        limits.push(format!("where the body holds “{text}”"));
    }
    limits
}
