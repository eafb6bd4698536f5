//! Reading the query protocol: flat names with dots and numbers.

use super::super::http::ServiceError;
use super::{invalid, refuse};

/// The pairs of a request's form.
#[derive(Clone, Copy)]
pub(super) struct Form<'a> {
    pairs: &'a [(String, String)],
}

impl<'a> Form<'a> {
    pub(super) fn new(pairs: &'a [(String, String)]) -> Self {
        Self { pairs }
    }

    pub(super) fn get(&self, name: &str) -> Option<&'a str> {
        self.pairs
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    pub(super) fn required(&self, name: &str) -> Result<&'a str, ServiceError> {
        self.get(name)
            .filter(|value| !value.is_empty())
            .ok_or_else(|| invalid(&format!("{name} Reason: no value for required parameter")))
    }

    /// The prefixes of a numbered list, `Tags.member.1` and so on, as long as each is there.
    pub(super) fn entries(&self, list: &str) -> Vec<String> {
        (1..=self.pairs.len())
            .map(|number| format!("{list}.{number}"))
            .take_while(|entry| {
                self.pairs.iter().any(|(key, _)| {
                    key.strip_prefix(entry.as_str())
                        .is_some_and(|rest| rest.starts_with('.'))
                })
            })
            .collect()
    }

    /// A map sent as `Attributes.entry.1.key` and `Attributes.entry.1.value`.
    pub(super) fn map(&self, name: &str) -> Result<Vec<(&'a str, &'a str)>, ServiceError> {
        self.entries(&format!("{name}.entry"))
            .iter()
            .map(|entry| {
                let key = self.get(&format!("{entry}.key"));
                let value = self.get(&format!("{entry}.value"));
                key.zip(value).ok_or_else(|| {
                    refuse("ValidationError", format!("{entry} lacks its key or value"))
                })
            })
            .collect()
    }
}
