//! Attribute values: reading them with AWS's rules, their size, and when two are equal.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::super::http::ServiceError;
use super::errors::{invalid, serialization};
use super::number::Number;

/// An item: its attributes by name.
pub(super) type Item = BTreeMap<String, Attribute>;

/// How deep maps and lists may lie in each other.
const MOST_LEVELS: usize = 32;

/// One value of one of the ten types.
#[derive(Debug, Clone)]
pub(super) enum Attribute {
    S(String),
    N(Number),
    B(Vec<u8>),
    Bool(bool),
    Null,
    Ss(Vec<String>),
    Ns(Vec<Number>),
    Bs(Vec<Vec<u8>>),
    L(Vec<Attribute>),
    M(Item),
}

/// Reads an item or a key.
pub(super) fn read_item(attributes: Map<String, Value>) -> Result<Item, ServiceError> {
    read_map(attributes, 0)
}

/// The item as on the wire.
pub(super) fn item_json(item: &Item) -> Value {
    item.iter()
        .map(|(name, value)| (name.clone(), value.json()))
        .collect::<Map<_, _>>()
        .into()
}

/// What counts for limits and capacity.
pub(super) fn item_size(item: &Item) -> usize {
    item.iter()
        .map(|(name, value)| name.len() + value.size())
        .sum()
}

impl Attribute {
    /// Reads a value as on the wire.
    pub(super) fn read(json: Value) -> Result<Self, ServiceError> {
        read(json, 0)
    }

    /// The name of its type, such as `SS`.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::S(_) => "S",
            Self::N(_) => "N",
            Self::B(_) => "B",
            Self::Bool(_) => "BOOL",
            Self::Null => "NULL",
            Self::Ss(_) => "SS",
            Self::Ns(_) => "NS",
            Self::Bs(_) => "BS",
            Self::L(_) => "L",
            Self::M(_) => "M",
        }
    }

    /// As on the wire.
    pub(super) fn json(&self) -> Value {
        let value = match self {
            Self::S(text) => json!(text),
            Self::N(number) => json!(number.to_string()),
            Self::B(bytes) => json!(STANDARD.encode(bytes)),
            Self::Bool(value) => json!(value),
            Self::Null => json!(true),
            Self::Ss(texts) => json!(texts),
            Self::Ns(numbers) => numbers.iter().map(Number::to_string).collect(),
            Self::Bs(all) => all.iter().map(|bytes| STANDARD.encode(bytes)).collect(),
            Self::L(list) => list.iter().map(Self::json).collect(),
            Self::M(map) => item_json(map),
        };
        json!({ self.kind(): value })
    }

    /// Bytes, by AWS's documentation.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::S(text) => text.len(),
            Self::N(number) => number.size(),
            Self::B(bytes) => bytes.len(),
            Self::Bool(_) | Self::Null => 1,
            Self::Ss(texts) => texts.iter().map(String::len).sum(),
            Self::Ns(numbers) => numbers.iter().map(Number::size).sum(),
            Self::Bs(all) => all.iter().map(Vec::len).sum(),
            Self::L(list) => 3 + list.iter().map(|value| 1 + value.size()).sum::<usize>(),
            Self::M(map) => 3 + map.len() + item_size(map),
        }
    }

    /// How many characters, bytes or elements it has, where the function `size` is defined for it.
    pub(super) fn length(&self) -> Option<usize> {
        match self {
            Self::S(text) => Some(text.chars().count()),
            Self::B(bytes) => Some(bytes.len()),
            Self::Ss(texts) => Some(texts.len()),
            Self::Ns(numbers) => Some(numbers.len()),
            Self::Bs(all) => Some(all.len()),
            Self::L(list) => Some(list.len()),
            Self::M(map) => Some(map.len()),
            Self::N(_) | Self::Bool(_) | Self::Null => None,
        }
    }

    /// The order of two texts, numbers or binaries; nothing where they are of different types or of others.
    pub(super) fn order(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::S(one), Self::S(other)) => Some(one.cmp(other)),
            (Self::N(one), Self::N(other)) => Some(one.cmp(other)),
            (Self::B(one), Self::B(other)) => Some(one.cmp(other)),
            _ => None,
        }
    }

    /// Whether a text or a binary begins with another.
    pub(super) fn begins_with(&self, start: &Self) -> bool {
        match (self, start) {
            (Self::S(text), Self::S(start)) => text.starts_with(start.as_str()),
            (Self::B(bytes), Self::B(start)) => bytes.starts_with(start),
            _ => false,
        }
    }

    /// Whether a text or a binary holds another, a set or a list an element.
    pub(super) fn contains(&self, part: &Self) -> bool {
        match (self, part) {
            (Self::S(text), Self::S(part)) => text.contains(part.as_str()),
            (Self::B(bytes), Self::B(part)) => {
                part.is_empty() || bytes.windows(part.len()).any(|window| window == part)
            }
            (Self::Ss(set), Self::S(element)) => set.contains(element),
            (Self::Ns(set), Self::N(element)) => set.contains(element),
            (Self::Bs(set), Self::B(element)) => set.contains(element),
            (Self::L(list), element) => list.contains(element),
            _ => false,
        }
    }
}

/// Values of different types are different; the order of a set does not count.
impl PartialEq for Attribute {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::S(one), Self::S(other)) => one == other,
            (Self::N(one), Self::N(other)) => one == other,
            (Self::B(one), Self::B(other)) => one == other,
            (Self::Bool(one), Self::Bool(other)) => one == other,
            (Self::Null, Self::Null) => true,
            (Self::Ss(one), Self::Ss(other)) => same_elements(one, other),
            (Self::Ns(one), Self::Ns(other)) => same_elements(one, other),
            (Self::Bs(one), Self::Bs(other)) => same_elements(one, other),
            (Self::L(one), Self::L(other)) => one == other,
            (Self::M(one), Self::M(other)) => one == other,
            _ => false,
        }
    }
}

/// Sets hold nothing twice.
fn same_elements<T: PartialEq>(one: &[T], other: &[T]) -> bool {
    one.len() == other.len() && one.iter().all(|element| other.contains(element))
}

fn read_map(attributes: Map<String, Value>, level: usize) -> Result<Item, ServiceError> {
    attributes
        .into_iter()
        .map(|(name, value)| Ok((name, read(value, level)?)))
        .collect()
}

fn read(json: Value, level: usize) -> Result<Attribute, ServiceError> {
    if level > MOST_LEVELS {
        return Err(invalid(
            "Nesting Levels have exceeded supported limits: Attributes can be nested up to 32 levels deep",
        ));
    }
    let Value::Object(typed) = json else {
        return Err(serialization("An attribute value must be a structure."));
    };
    let mut typed = typed.into_iter().filter(|(_, value)| !value.is_null());
    let Some((kind, value)) = typed.next() else {
        return Err(invalid(
            "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes",
        ));
    };
    if typed.next().is_some() {
        return Err(invalid(
            "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes",
        ));
    }
    match (kind.as_str(), value) {
        ("S", Value::String(text)) => Ok(Attribute::S(text)),
        ("N", Value::String(text)) => Number::read(&text).map(Attribute::N).map_err(invalid),
        ("B", value) => binary(&value).map(Attribute::B),
        ("BOOL", Value::Bool(value)) => Ok(Attribute::Bool(value)),
        ("NULL", Value::Bool(true)) => Ok(Attribute::Null),
        ("NULL", Value::Bool(false)) => Err(invalid(
            "One or more parameter values were invalid: Null attribute value types must have the value of true",
        )),
        ("SS", Value::Array(list)) => {
            let set = set(list, "An string set  may not be empty", |text| {
                text.as_str().map(str::to_owned).ok_or_else(not_as_typed)
            })?;
            Ok(Attribute::Ss(set))
        }
        ("NS", Value::Array(list)) => {
            let set = set(list, "An number set  may not be empty", |number| {
                Number::read(number.as_str().ok_or_else(not_as_typed)?).map_err(invalid)
            })?;
            Ok(Attribute::Ns(set))
        }
        ("BS", Value::Array(list)) => {
            set(list, "Binary sets should not be empty", binary).map(Attribute::Bs)
        }
        ("L", Value::Array(list)) => {
            let list = list.into_iter().map(|value| read(value, level + 1));
            list.collect::<Result<_, _>>().map(Attribute::L)
        }
        ("M", Value::Object(map)) => read_map(map, level + 1).map(Attribute::M),
        ("S" | "N" | "BOOL" | "NULL" | "SS" | "NS" | "BS" | "L" | "M", _) => Err(not_as_typed()),
        _ => Err(serialization(format!(
            "There is no type {kind} of attribute values."
        ))),
    }
}

fn not_as_typed() -> ServiceError {
    serialization("An attribute value is not what its type says.")
}

fn binary(value: &Value) -> Result<Vec<u8>, ServiceError> {
    let text = value.as_str().ok_or_else(not_as_typed)?;
    STANDARD.decode(text).map_err(|source| {
        serialization(format!("A value can not be converted to a Blob: {source}"))
    })
}

fn set<T: PartialEq>(
    list: Vec<Value>,
    empty: &str,
    read: impl Fn(&Value) -> Result<T, ServiceError>,
) -> Result<Vec<T>, ServiceError> {
    let wrong = |what: &str| invalid(format!("One or more parameter values were invalid: {what}"));
    if list.is_empty() {
        return Err(wrong(empty));
    }
    let mut set = Vec::with_capacity(list.len());
    for element in list {
        let element = read(&element)?;
        if set.contains(&element) {
            return Err(wrong("Input collection contains duplicates."));
        }
        set.push(element);
    }
    Ok(set)
}
