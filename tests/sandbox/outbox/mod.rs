//! The outbox: not here yet.

#![expect(clippy::unused_self, reason = "the interface of all services")]

use serde_json::{Value, json};

pub(crate) struct Outbox;

impl Outbox {
    pub(crate) fn new() -> Self {
        Self
    }

    pub(crate) fn json(&self) -> Value {
        json!([])
    }

    pub(crate) fn page(&self) -> String {
        String::new()
    }

    pub(crate) fn mail_page(&self, _id: &str) -> Option<String> {
        None
    }

    pub(crate) fn clear(&self) {}
}
