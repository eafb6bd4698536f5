//! The names and values that stand behind placeholders; each must be used.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::super::super::http::ServiceError;
use super::super::errors::invalid;
use super::super::value::Attribute;
use super::grammar::Part;
use super::path::{Path, Step};
use super::reserved::is_reserved;

/// Steps in one path.
const MOST_STEPS: usize = 32;

/// A request's placeholders and which of them an expression has used.
#[derive(Debug, Default)]
pub(in super::super) struct Placeholders {
    names: BTreeMap<String, String>,
    values: BTreeMap<String, Attribute>,
    used: BTreeSet<String>,
}

impl Placeholders {
    /// Reads a request's placeholders. `expressions` are those that the operation knows, by name.
    pub(in super::super) fn read(
        names: Option<BTreeMap<String, String>>,
        values: Option<Map<String, Value>>,
        expressions: &[(&str, Option<&str>)],
    ) -> Result<Self, ServiceError> {
        if expressions.iter().all(|(_, text)| text.is_none()) {
            if names.is_some() {
                return Err(invalid(
                    "ExpressionAttributeNames can only be specified when using expressions",
                ));
            }
            if values.is_some() {
                let expressions: Vec<_> = expressions.iter().map(|(name, _)| *name).collect();
                let verb = if expressions.len() > 1 { "are" } else { "is" };
                return Err(invalid(format!(
                    "ExpressionAttributeValues can only be specified when using expressions: {} {verb} null",
                    expressions.join(" and ")
                )));
            }
        }
        if names.as_ref().is_some_and(BTreeMap::is_empty) {
            return Err(invalid("ExpressionAttributeNames must not be empty"));
        }
        if values.as_ref().is_some_and(Map::is_empty) {
            return Err(invalid("ExpressionAttributeValues must not be empty"));
        }
        let names = names.unwrap_or_default();
        for (key, name) in &names {
            check_key("ExpressionAttributeNames", '#', key)?;
            if name.is_empty() {
                return Err(invalid(format!(
                    "ExpressionAttributeNames contains invalid value: Empty attribute name; key: {key}"
                )));
            }
        }
        let mut read = BTreeMap::new();
        for (key, value) in values.unwrap_or_default() {
            check_key("ExpressionAttributeValues", ':', &key)?;
            let value = Attribute::read(value).map_err(|error| ServiceError {
                message: format!(
                    "ExpressionAttributeValues contains invalid value: {} for key {key}",
                    error.message
                ),
                ..error
            })?;
            read.insert(key, value);
        }
        Ok(Self {
            names,
            values: read,
            used: BTreeSet::new(),
        })
    }

    /// The path with its placeholders resolved; the error is AWS's text.
    pub(super) fn path(&mut self, parts: &[Part]) -> Result<Path, String> {
        let mut names = Vec::with_capacity(parts.len());
        for part in parts {
            names.push(match part {
                Part::Name(name) => Step::Name(name.clone()),
                Part::Placeholder(key) => Step::Name(self.name(key)?),
                Part::Index(digits) => Step::Index(index(digits)?),
            });
        }
        if names.len() > MOST_STEPS {
            return Err(format!(
                "The document path has too many nesting levels; nesting levels: {}",
                names.len()
            ));
        }
        let mut steps = names.into_iter();
        let attribute = match steps.next() {
            Some(Step::Name(name)) => name,
            Some(Step::Index(index)) => index.to_string(),
            None => String::new(),
        };
        Ok(Path {
            attribute,
            steps: steps.collect(),
        })
    }

    /// The value behind a `:value` placeholder; the error is AWS's text.
    pub(super) fn value(&mut self, key: &str) -> Result<Attribute, String> {
        let value = self.values.get(key).cloned().ok_or_else(|| {
            format!(
                "An expression attribute value used in expression is not defined; attribute value: {key}"
            )
        })?;
        self.used.insert(key.to_owned());
        Ok(value)
    }

    fn name(&mut self, key: &str) -> Result<String, String> {
        let name = self.names.get(key).cloned().ok_or_else(|| {
            format!(
                "An expression attribute name used in the document path is not defined; attribute name: {key}"
            )
        })?;
        self.used.insert(key.to_owned());
        Ok(name)
    }

    /// Refuses what no expression has used.
    pub(in super::super) fn all_used(&self) -> Result<(), ServiceError> {
        let unused = |parameter: &str, keys: Vec<&String>| {
            let unused: Vec<_> = keys
                .into_iter()
                .filter(|key| !self.used.contains(*key))
                .map(String::as_str)
                .collect();
            if unused.is_empty() {
                return Ok(());
            }
            Err(invalid(format!(
                "Value provided in {parameter} unused in expressions: keys: {{{}}}",
                unused.join(", ")
            )))
        };
        unused("ExpressionAttributeNames", self.names.keys().collect())?;
        unused("ExpressionAttributeValues", self.values.keys().collect())
    }
}

/// Refuses bare reserved words and indexes that no list has; the error is AWS's text.
pub(super) fn check_parts(parts: &[Part]) -> Result<(), String> {
    for part in parts {
        match part {
            Part::Name(name) if is_reserved(name) => {
                return Err(format!(
                    "Attribute name is a reserved keyword; reserved keyword: {name}"
                ));
            }
            Part::Index(digits) => drop(index(digits)?),
            Part::Name(_) | Part::Placeholder(_) => {}
        }
    }
    Ok(())
}

fn index(digits: &str) -> Result<usize, String> {
    digits
        .parse::<i32>()
        .ok()
        .and_then(|index| usize::try_from(index).ok())
        .ok_or_else(|| format!("List index is not within the allowable range; index: [{digits}]"))
}

fn check_key(parameter: &str, sign: char, key: &str) -> Result<(), ServiceError> {
    let sound = key.strip_prefix(sign).is_some_and(|name| {
        !name.is_empty()
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    });
    if sound {
        return Ok(());
    }
    Err(invalid(format!(
        "{parameter} contains invalid key: Syntax error; key: \"{key}\""
    )))
}
