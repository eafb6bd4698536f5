//! Document paths: where in an item a value stands.

use std::fmt;

use super::super::value::{Attribute, Item};

/// A step of a path, its placeholder resolved.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in super::super) enum Step {
    /// An attribute of the item, or an entry of a map.
    Name(String),
    /// An element of a list.
    Index(usize),
}

/// An attribute's name and the steps from there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Path {
    pub(super) attribute: String,
    pub(super) steps: Vec<Step>,
}

impl Path {
    /// The value there, if the item has one.
    pub(super) fn find<'a>(&self, item: &'a Item) -> Option<&'a Attribute> {
        self.steps
            .iter()
            .try_fold(item.get(&self.attribute)?, |value, step| {
                match (value, step) {
                    (Attribute::M(map), Step::Name(name)) => map.get(name),
                    (Attribute::L(list), Step::Index(index)) => list.get(*index),
                    _ => None,
                }
            })
    }
}

/// As AWS's errors show it: `[a, b, [0]]`.
impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}", self.attribute)?;
        for step in &self.steps {
            match step {
                Step::Name(name) => write!(f, ", {name}")?,
                Step::Index(index) => write!(f, ", [{index}]")?,
            }
        }
        f.write_str("]")
    }
}
