//! What the sources give, merged, and what is wrong with them.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
};

use figment::{
    Figment,
    value::{Tag, Value},
};

use super::{
    keys,
    problem::{Origin, Problem, SET},
    suggest,
};

/// The values of the sources read so far. figment merges them: the value that came last wins. It
/// also tags each value that it is given, and by the tag of a merged value its origin is found.
#[derive(Default)]
pub(super) struct Sources {
    figment: Figment,
    origins: BTreeMap<Tag, Origin>,
    left_out: BTreeSet<String>,
    /// What is wrong.
    pub(super) problems: Vec<Problem>,
    /// What may be wrong, to be told.
    pub(super) doubts: Vec<String>,
}

impl Sources {
    /// Takes a key's value, which wins over those before it.
    pub(super) fn set(&mut self, key: &str, value: &Value, origin: Origin) {
        self.figment = mem::take(&mut self.figment).merge((key, value));
        if let Ok(value) = self.figment.find_value(key) {
            self.origins.insert(value.tag(), origin);
        }
    }

    /// A key's value, where a source gives one.
    pub(super) fn value(&self, key: &str) -> Option<Value> {
        let value = || self.figment.find_value(key).ok();
        (!self.left_out.contains(key)).then(value).flatten()
    }

    /// Takes a key for one that no source gives.
    pub(super) fn leave_out(&mut self, key: &str) {
        self.left_out.insert(key.to_owned());
    }

    /// Where a key's value comes from.
    pub(super) fn origin(&self, key: &str) -> Origin {
        let value = self.value(key);
        let origin = value.and_then(|value| self.origins.get(&value.tag()));
        origin.cloned().unwrap_or(Origin::Unset)
    }

    /// Whether a source gives the key.
    pub(super) fn is_set(&self, key: &str) -> bool {
        self.origin(key) != Origin::Unset
    }

    /// How late the source of a key's value comes; later sources win.
    pub(super) fn rank(&self, key: &str) -> u8 {
        match self.origin(key) {
            Origin::Unset => 0,
            Origin::Default => 1,
            Origin::Variable(name) if !name.starts_with(keys::PREFIX) => 2,
            Origin::File { .. } => 3,
            Origin::Variable(_) => 4,
            Origin::Flag(_) => 5,
        }
    }

    /// What somebody wrote to give a key its value, for a note.
    pub(super) fn written(&self, key: &str) -> String {
        match self.origin(key) {
            Origin::Variable(name) => name,
            Origin::Flag(SET) => format!("{SET} {key}"),
            Origin::Flag(flag) => flag.to_owned(),
            origin => format!("{key} in {origin}"),
        }
    }

    /// The names in a section.
    pub(super) fn names_in(&self, section: &str) -> Vec<String> {
        let section = self.value(section).and_then(Value::into_dict);
        section.unwrap_or_default().into_keys().collect()
    }

    /// Notes a problem.
    pub(super) fn refuse(&mut self, key: &str, origin: Origin, message: impl Into<String>) {
        self.problems.push(Problem::new(key, origin, message));
    }

    /// Notes a problem with the value in force.
    pub(super) fn refuse_value(&mut self, key: &str, message: String) {
        self.refuse(key, self.origin(key), message);
    }

    /// Whether something is wrong with the key.
    pub(super) fn is_wrong(&self, key: &str) -> bool {
        self.problems.iter().any(|problem| problem.key == key)
    }

    /// Notes that a path names no key, or no section, and which was probably meant.
    pub(super) fn refuse_unknown(&mut self, path: &[&str], origin: Origin, section: bool) {
        let what = if section { "section" } else { "key" };
        let message = match (path, suggest::suggest(path, section)) {
            (["message", "placeholders", ..], _) if path.len() < 4 => {
                "is not a placeholder; allowed: \
                `[message.placeholders.NAME]` with a name of letters, digits and `_` that does \
                not begin with a digit"
                    .to_owned()
            }
            (_, Some(meant)) => format!("is an unknown {what}; did you mean `{meant}`?"),
            (_, None) => {
                format!("is an unknown {what}; all keys: organizer-notifier config --default")
            }
        };
        // A quoted key can hold anything.
        let name: String = path.join(".").chars().take(100).collect();
        self.refuse(&name.escape_debug().to_string(), origin, message);
    }
}
