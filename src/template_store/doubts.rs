//! What about a new version of the template deserves a word, though it serves.

use super::TemplateInForce;
use crate::{notification::Placeholders, text::misspelt};

/// The doubts about a version with this text, beside the one that served before it, in words.
pub(super) fn doubts(
    text: &str,
    declared: &Placeholders,
    version: &TemplateInForce,
    before: Option<&TemplateInForce>,
) -> Vec<String> {
    let mut doubts = Vec::new();
    let misspelt = misspelt(text, declared);
    if !misspelt.is_empty() {
        let listed: Vec<_> = misspelt.iter().map(ToString::to_string).collect();
        let listed = listed.join(", ");
        doubts.push(format!(
            "these are no known placeholders and are mailed as written: {listed}"
        ));
    }
    if version.template.placeholders().next().is_none() {
        doubts.push("it names no placeholder: every mail says the same".to_owned());
    }
    let Some(before) = before else {
        return doubts;
    };
    let missed = missed(version, before);
    if !missed.is_empty() {
        let missed = in_braces(missed.into_iter());
        doubts.push(format!(
            "it no longer contains {missed}, which the version before it did"
        ));
    }
    let (now, then) = (version.bytes, before.bytes);
    if now >= then * 2 {
        doubts.push(format!(
            "it has {now} bytes, and the version before it had {then}"
        ));
    }
    doubts
}

/// The placeholders that the one before named and this one does not.
fn missed<'a>(version: &TemplateInForce, before: &'a TemplateInForce) -> Vec<&'a str> {
    let named: Vec<_> = version.template.placeholders().collect();
    let before = before.template.placeholders();
    before.filter(|name| !named.contains(name)).collect()
}

/// All placeholders of the one before, where this one names none of them.
pub(super) fn all_lost(version: &TemplateInForce, before: &TemplateInForce) -> Option<String> {
    let lost = missed(version, before);
    let are_all = lost.len() == before.template.placeholders().count();
    (are_all && !lost.is_empty()).then(|| in_braces(lost.into_iter()))
}

/// Names as a template writes them.
pub(super) fn in_braces<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let braced: Vec<_> = names.map(|name| format!("{{{name}}}")).collect();
    braced.join(", ")
}
