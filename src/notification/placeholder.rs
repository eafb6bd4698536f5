//! Placeholders, and texts with placeholders in them.

use std::{collections::BTreeMap, iter, sync::Arc};

use super::{
    characters::{is_format, is_zero_width},
    event::Event,
    pointer::JsonPointer,
    rejection::{Needs, Rejection},
};

/// A name that templates and subjects write in braces, and where its value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placeholder {
    /// `[A-Za-z_][A-Za-z0-9_]*`, without the braces.
    pub name: String,
    /// The field of the event that holds the value.
    pub field: JsonPointer,
    /// The field to take where the first is absent, null or blank.
    pub fallback: Option<JsonPointer>,
    /// The text to take where no field has a value. Without it the event is rejected.
    pub default: Option<String>,
}

/// The declared placeholders, one of a name. Every other brace in a template is literal text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Placeholders(BTreeMap<String, Arc<Placeholder>>);

/// A text with placeholders in it, found once.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    pub(super) segments: Arc<[Segment]>,
    /// What [`Segment::Value`] counts in: each placeholder once, in order of appearance.
    pub(super) placeholders: Vec<Arc<Placeholder>>,
}

/// A piece of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Segment {
    /// Text of the template itself.
    Literal(String),
    /// The value of the placeholder with this index.
    Value(usize),
}

/// What stands in the place of a value that no event gave.
pub(super) const NEUTRAL: &str = "-";

impl Placeholders {
    /// Declares placeholders.
    pub fn new(declared: Vec<Placeholder>) -> Self {
        let by_name = declared
            .into_iter()
            .map(|one| (one.name.clone(), Arc::new(one)));
        Self(by_name.collect())
    }

    /// The placeholders, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &Placeholder> {
        self.0.values().map(AsRef::as_ref)
    }
}

impl Placeholder {
    /// Whether a text can name a placeholder: letters, digits and underscores, not a digit first.
    pub fn is_name(text: &str) -> bool {
        !text.is_empty() && name_length(text) == text.len()
    }

    /// The value in this event. A blank string gives way to the fallback and the default, and is a
    /// value only where there is neither.
    fn value<'a>(&'a self, event: &'a Event, needs: Needs) -> Result<&'a str, Rejection> {
        let mut blank = None;
        for field in iter::once(&self.field).chain(&self.fallback) {
            match event.text(field)? {
                Some(text) if !is_blank(text) => return Ok(text),
                text => blank = blank.or(text),
            }
        }
        let default = self.default.as_deref();
        default.or(blank).ok_or_else(|| Rejection::MissingField {
            placeholder: self.name.clone(),
            field: self.field.clone(),
            needs,
        })
    }
}

impl Pattern {
    /// Finds the declared placeholders.
    pub(super) fn parse(source: &str, declared: &Placeholders) -> Self {
        let mut segments = Vec::new();
        let mut placeholders: Vec<Arc<Placeholder>> = Vec::new();
        let mut literal = 0;
        for (open, _) in source.match_indices('{') {
            let inner = &source[open + 1..];
            let (name, rest) = inner.split_at(name_length(inner));
            if rest.starts_with('}')
                && let Some(placeholder) = declared.0.get(name)
            {
                segments.push(Segment::Literal(source[literal..open].to_owned()));
                let known = placeholders
                    .iter()
                    .position(|other| other.name == placeholder.name);
                segments.push(Segment::Value(known.unwrap_or(placeholders.len())));
                if known.is_none() {
                    placeholders.push(Arc::clone(placeholder));
                }
                literal = source.len() - rest.len() + 1;
            }
        }
        segments.push(Segment::Literal(source[literal..].to_owned()));
        Self {
            segments: segments.into(),
            placeholders,
        }
    }

    /// The names of the placeholders, in order of appearance.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.placeholders
            .iter()
            .map(|placeholder| placeholder.name.as_str())
    }

    /// The values of the placeholders in this event, in their order.
    pub(super) fn values<'a>(
        &'a self,
        event: &'a Event,
        needs: Needs,
    ) -> Result<Vec<&'a str>, Rejection> {
        self.placeholders
            .iter()
            .map(|placeholder| placeholder.value(event, needs))
            .collect()
    }
}

/// Puts values in the place of the placeholders, in one pass: what a value holds is not looked at
/// again.
pub(super) fn fill(segments: &[Segment], values: &[impl AsRef<str>]) -> String {
    pieces(segments, values).collect::<Vec<_>>().concat()
}

/// What [`fill`] puts together.
pub(super) fn pieces<'a>(
    segments: &'a [Segment],
    values: &'a [impl AsRef<str>],
) -> impl Iterator<Item = &'a str> {
    segments.iter().map(|segment| match segment {
        Segment::Literal(text) => text,
        Segment::Value(index) => values.get(*index).map_or("", AsRef::as_ref),
    })
}

/// The length of the name that a text begins with, zero if it begins with none.
fn name_length(text: &str) -> usize {
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        return 0;
    }
    let other = |c: char| !c.is_ascii_alphanumeric() && c != '_';
    text.find(other).unwrap_or(text.len())
}

/// Whether nothing of a text can be seen.
fn is_blank(text: &str) -> bool {
    let unseen = |c: char| c.is_whitespace() || c.is_control() || is_format(c) || is_zero_width(c);
    text.chars().all(unseen)
}

#[cfg(test)]
mod tests;
