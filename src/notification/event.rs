//! An event and the fields in it.

use std::{fmt, sync::Arc};

use super::{json, pointer::JsonPointer, rejection::Rejection};

/// The fields that can be asked for, of any event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fields(Arc<Wanted>);

#[derive(Debug, PartialEq, Eq)]
struct Wanted {
    pointers: Vec<JsonPointer>,
    /// The names with which the pointers begin, each once.
    names: Vec<String>,
}

/// What can be asked for of one event, the JSON object that was published. The rest of it is not kept,
/// however large it was: events are held for as long as an outage lasts. `Debug` hides it.
pub struct Event {
    fields: Fields,
    /// In the order of the fields.
    values: Vec<Option<Found>>,
    /// What this is instead of an event, if it looks like something that is often taken for one.
    instead: Option<&'static str>,
}

/// What is often taken for a message: a name in it, what its value begins with, and what it is.
const TAKEN_FOR_MESSAGES: [(&str, u8, &str); 3] = [
    (
        "Message",
        b'{',
        "an SNS envelope whose Message is an object, where SNS has a string",
    ),
    (
        "Messages",
        b'[',
        "what `aws sqs receive-message` prints: it holds messages, of which one Body is wanted",
    ),
    (
        "Records",
        b'[',
        "what Lambda is given: it holds records, of which one body is wanted",
    ),
];

/// A value that is not null.
enum Found {
    Text(String),
    /// An object or an array, in these words.
    Other(&'static str),
}

impl Fields {
    /// These fields.
    pub(super) fn new<'a>(pointers: impl IntoIterator<Item = &'a JsonPointer>) -> Self {
        let mut pointers: Vec<_> = pointers.into_iter().cloned().collect();
        pointers.sort_by(|one, other| one.as_str().cmp(other.as_str()));
        pointers.dedup();
        let first = |pointer: &JsonPointer| pointer.tokens.first().cloned();
        let hints = TAKEN_FOR_MESSAGES
            .iter()
            .map(|(name, ..)| (*name).to_owned());
        let mut names: Vec<_> = pointers.iter().filter_map(first).chain(hints).collect();
        names.sort();
        names.dedup();
        Self(Arc::new(Wanted { pointers, names }))
    }
}

impl Event {
    /// Reads the fields of an object.
    pub(super) fn read(object: &str, fields: &Fields) -> Result<Self, serde_json::Error> {
        let Wanted { pointers, names } = &*fields.0;
        let written = json::fields(object, names)?;
        let value = |pointer: &JsonPointer| {
            let (first, rest) = pointer.tokens.split_first()?;
            let name = names.iter().position(|name| name == first)?;
            Found::of(json::at(written[name]?, rest)?)
        };
        let looks_like = |(name, first, _): &&(&str, u8, &str)| {
            let at = names.iter().position(|known| known == name);
            let value = at.and_then(|at| written[at]);
            value.is_some_and(|value| value.as_bytes().first() == Some(first))
        };
        let instead = TAKEN_FOR_MESSAGES.iter().find(looks_like);
        Ok(Self {
            instead: instead.map(|(.., what)| *what),
            fields: fields.clone(),
            values: pointers.iter().map(value).collect(),
        })
    }

    /// What this is instead of an event, if it looks like something that is often taken for one.
    pub(super) fn instead(&self) -> Option<&'static str> {
        self.instead
    }

    /// A field as text: strings as they are, numbers as they were written, `true` and `false`.
    /// `Ok(None)` if it is absent or null. Objects and arrays are refused.
    pub(super) fn text(&self, field: &JsonPointer) -> Result<Option<&str>, Rejection> {
        let mut pointers = self.fields.0.pointers.iter();
        let known = pointers.position(|pointer| pointer == field);
        debug_assert!(known.is_some(), "{field} was not to be kept");
        match known.and_then(|known| self.values[known].as_ref()) {
            None => Ok(None),
            Some(Found::Text(text)) => Ok(Some(text)),
            Some(Found::Other(found)) => Err(Rejection::NotText {
                field: field.clone(),
                found,
            }),
        }
    }
}

impl Found {
    /// `None` for null.
    fn of(written: &str) -> Option<Self> {
        match written.as_bytes().first()? {
            b'n' => None,
            b'"' => json::string(written).map(Self::Text),
            b'{' | b'[' => Some(Self::Other(json::kind_of(written))),
            _ => Some(Self::Text(written.to_owned())),
        }
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
