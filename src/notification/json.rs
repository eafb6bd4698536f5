//! What is wanted of a JSON text, as it was written; the rest is passed over.
//!
//! What nobody asks for may hold what a strict parser refuses: half a surrogate pair, a number out of
//! range, any depth of nesting. Python's encoder writes more than JSON has, `NaN` and `Infinity`, and
//! its decoder reads them; so do we.

use std::fmt;

use serde::de::{
    DeserializeSeed, Deserializer as _, Error, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::{Deserializer, value::RawValue};

/// The constants of Python's encoder that JSON does not have, and what is read in the place of each: an
/// empty array of the same length, which is no text, and written as no encoder writes it.
const CONSTANTS: [(&str, &str); 3] = [
    ("NaN", "[\t]"),
    ("Infinity", "[\t\t\t\t\t\t]"),
    ("-Infinity", "[\t\t\t\t\t\t\t]"),
];

/// Why a text is not what was looked for. It tells one character of the text and no more.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It is no JSON.
    Syntax(String),
    /// It is JSON, but no object: what it is, with its article.
    NotAnObject(&'static str),
}

/// Reads an object with this function, which gets the text as JSON.
pub(super) fn read<T>(
    text: &str,
    object: impl Fn(&str) -> Result<T, serde_json::Error>,
) -> Result<T, Fault> {
    if let Ok(read) = object(text) {
        return Ok(read);
    }
    object(&without_constants(text)).map_err(|_| fault(text))
}

/// The values of these fields of an object, each as it was written; the last one where a name comes
/// twice. `names` must not hold a name twice.
pub(super) fn fields<'a>(
    object: &'a str,
    names: &[impl AsRef<str>],
) -> Result<Vec<Option<&'a str>>, serde_json::Error> {
    let mut deserializer = Deserializer::from_str(object);
    let found = deserializer.deserialize_map(Fields(names))?;
    deserializer.end()?;
    Ok(found)
}

/// The value that stands at this place below a value.
pub(super) fn at<'a>(value: &'a str, tokens: &[String]) -> Option<&'a str> {
    tokens.iter().try_fold(value, |value, token| {
        if value.starts_with('{') {
            fields(value, &[token]).ok()?.pop()?
        } else if value.starts_with('[') {
            let item = Item(index(token)?);
            Deserializer::from_str(value).deserialize_seq(item).ok()?
        } else {
            None
        }
    })
}

/// The text of a string, which begins with its quote. Half a surrogate pair, which is no character,
/// becomes U+FFFD.
pub(super) fn string(written: &str) -> Option<String> {
    if !written.starts_with('"') {
        return None;
    }
    let mut deserializer = Deserializer::from_str(written);
    deserializer.deserialize_bytes(Characters).ok()
}

/// What a value is, with its article.
pub(super) fn kind_of(value: &str) -> &'static str {
    let value = value.trim_start();
    let mut constants = CONSTANTS.iter();
    if let Some((constant, _)) = constants.find(|(_, instead)| value.starts_with(instead)) {
        return constant;
    }
    match value.as_bytes().first() {
        Some(b'n') => "null",
        Some(b't' | b'f') => "a boolean",
        Some(b'"') => "a string",
        Some(b'[') => "an array",
        Some(b'{') => "an object",
        _ => "a number",
    }
}

/// What is wrong with a text that is no object.
fn fault(original: &str) -> Fault {
    let text = without_constants(original);
    let Err(error) = serde_json::from_str::<IgnoredAny>(&text) else {
        return Fault::NotAnObject(kind_of(&text));
    };
    let (line, column) = (error.line(), error.column());
    let place = format!(" at line {line} column {column}");
    let reason = error.to_string();
    let reason = reason.strip_suffix(&place).unwrap_or(&reason);
    // Of a control character in a string serde_json tells the place before it, of all else its own.
    let column = column + usize::from(reason.starts_with("control character"));
    let line_text = original
        .split('\n')
        .nth(line.saturating_sub(1))
        .unwrap_or_default();
    let there = line_text.get(column.saturating_sub(1)..);
    let found = match there.and_then(|rest| rest.chars().next()) {
        Some(character) if !error.is_eof() => format!(", found {character:?}"),
        _ => String::new(),
    };
    Fault::Syntax(format!("{reason}{found} (line {line}, column {column})"))
}

/// The text with what JSON has in the place of its [`CONSTANTS`]. All columns stay.
fn without_constants(text: &str) -> String {
    let mut json = String::with_capacity(text.len());
    let mut rest = text;
    let mut in_string = false;
    while let Some(place) = rest.find(['"', '\\', 'N', 'I', '-']) {
        let (before, here) = rest.split_at(place);
        json.push_str(before);
        let constant = CONSTANTS
            .iter()
            .find(|(constant, _)| here.starts_with(constant));
        let length = match (constant, in_string) {
            (Some((constant, instead)), false) => {
                json.push_str(instead);
                rest = &here[constant.len()..];
                continue;
            }
            // What is escaped is no end of the string; only its first byte matters, which is ASCII.
            (_, true) if here.starts_with('\\') => {
                1 + here[1..].chars().next().map_or(0, char::len_utf8)
            }
            _ => {
                in_string ^= here.starts_with('"');
                1
            }
        };
        json.push_str(&here[..length]);
        rest = &here[length..];
    }
    json.push_str(rest);
    json
}

/// The place in an array that a token names: digits, without leading zeros.
fn index(token: &str) -> Option<usize> {
    let plain = token == "0" || !token.starts_with(['0', '+']);
    token.parse().ok().filter(|_| plain)
}

/// Picks fields of an object by their names.
struct Fields<'n, S>(&'n [S]);

impl<'de, S: AsRef<str>> Visitor<'de> for Fields<'_, S> {
    type Value = Vec<Option<&'de str>>;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = vec![None; self.0.len()];
        while let Some(name) = map.next_key_seed(Name(self.0))? {
            match name.and_then(|name| found.get_mut(name)) {
                Some(place) => *place = Some(map.next_value::<&RawValue>()?.get()),
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(found)
    }
}

/// Finds the place of a name among these. It is read as bytes, which may be halves of surrogate pairs.
struct Name<'n, S>(&'n [S]);

impl<'de, S: AsRef<str>> DeserializeSeed<'de> for Name<'_, S> {
    type Value = Option<usize>;

    fn deserialize<D: serde::Deserializer<'de>>(self, name: D) -> Result<Self::Value, D::Error> {
        name.deserialize_bytes(self)
    }
}

impl<S: AsRef<str>> Visitor<'_> for Name<'_, S> {
    type Value = Option<usize>;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("a name")
    }

    fn visit_bytes<E: Error>(self, name: &[u8]) -> Result<Self::Value, E> {
        let mut names = self.0.iter();
        Ok(names.position(|known| known.as_ref().as_bytes() == name))
    }
}

/// Picks the item at this place of an array.
struct Item(usize);

impl<'de> Visitor<'de> for Item {
    type Value = Option<&'de str>;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        for _ in 0..self.0 {
            if items.next_element::<IgnoredAny>()?.is_none() {
                return Ok(None);
            }
        }
        let item = items.next_element::<&RawValue>()?.map(RawValue::get);
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(item)
    }
}

/// Reads a string.
struct Characters;

impl Visitor<'_> for Characters {
    type Value = String;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("a string")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<String, E> {
        if let Ok(text) = str::from_utf8(bytes) {
            return Ok(text.to_owned());
        }
        // Half a pair comes as the three bytes that UTF-8 would encode it with, as U+FFFD has three.
        let mut bytes = bytes.to_vec();
        for at in 0..bytes.len().saturating_sub(2) {
            if bytes[at] == 0xED && bytes[at + 1] >= 0xA0 {
                bytes[at..at + 3].copy_from_slice("\u{fffd}".as_bytes());
            }
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

#[cfg(test)]
mod tests;
