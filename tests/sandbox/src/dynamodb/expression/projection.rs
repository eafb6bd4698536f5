//! Projections: which parts of an item a read gives.

use std::collections::BTreeMap;

use super::super::value::{Attribute, Item};
use super::grammar;
use super::path::{Path, Step};
use super::placeholders::{Placeholders, check_parts};

/// The parts of an item that are wanted.
#[derive(Debug)]
pub(in super::super) struct Projection {
    attributes: BTreeMap<String, Wanted>,
}

/// What is wanted of a value.
#[derive(Debug)]
enum Wanted {
    Whole,
    Entries(BTreeMap<String, Wanted>),
    Elements(BTreeMap<usize, Wanted>),
}

impl Projection {
    /// Reads an expression; the error is AWS's text.
    pub(super) fn read(source: &str, placeholders: &mut Placeholders) -> Result<Self, String> {
        let written = grammar::projection(source)?;
        for parts in &written {
            check_parts(parts)?;
        }
        let mut paths = Vec::with_capacity(written.len());
        for parts in &written {
            paths.push(placeholders.path(parts)?);
        }
        check_apart(&paths)?;
        let mut attributes = BTreeMap::new();
        for path in &paths {
            match path.steps.as_slice() {
                [] => drop(attributes.insert(path.attribute.clone(), Wanted::Whole)),
                steps => {
                    let name = path.attribute.clone();
                    attributes
                        .entry(name)
                        .or_insert_with(|| starting(steps))
                        .add(steps);
                }
            }
        }
        Ok(Self { attributes })
    }

    /// The wanted parts that the item has.
    pub(in super::super) fn of(&self, item: &Item) -> Item {
        entries_of(&self.attributes, item)
    }
}

impl Wanted {
    fn add(&mut self, steps: &[Step]) {
        let Some((first, rest)) = steps.split_first() else {
            return;
        };
        let below = match (self, first) {
            (Self::Entries(entries), Step::Name(name)) => entries
                .entry(name.clone())
                .or_insert_with(|| starting(rest)),
            (Self::Elements(elements), Step::Index(index)) => {
                elements.entry(*index).or_insert_with(|| starting(rest))
            }
            // Paths that clash have been refused.
            _ => return,
        };
        below.add(rest);
    }

    /// The wanted part of a value; nothing where it has none.
    fn of(&self, value: &Attribute) -> Option<Attribute> {
        match (self, value) {
            (Self::Whole, value) => Some(value.clone()),
            (Self::Entries(wanted), Attribute::M(map)) => {
                let entries = entries_of(wanted, map);
                (!entries.is_empty()).then_some(Attribute::M(entries))
            }
            (Self::Elements(wanted), Attribute::L(list)) => {
                let elements: Vec<_> = wanted
                    .iter()
                    .filter_map(|(index, wanted)| wanted.of(list.get(*index)?))
                    .collect();
                (!elements.is_empty()).then_some(Attribute::L(elements))
            }
            _ => None,
        }
    }
}

fn starting(steps: &[Step]) -> Wanted {
    match steps.first() {
        None => Wanted::Whole,
        Some(Step::Name(_)) => Wanted::Entries(BTreeMap::new()),
        Some(Step::Index(_)) => Wanted::Elements(BTreeMap::new()),
    }
}

fn entries_of(wanted: &BTreeMap<String, Wanted>, map: &Item) -> Item {
    wanted
        .iter()
        .filter_map(|(name, wanted)| Some((name.clone(), wanted.of(map.get(name)?)?)))
        .collect()
}

/// Refuses paths of which one holds the other, and those that see one value as a list and as a map.
fn check_apart(paths: &[Path]) -> Result<(), String> {
    for (index, one) in paths.iter().enumerate() {
        for other in &paths[index + 1..] {
            if one.attribute != other.attribute {
                continue;
            }
            let mut steps = one.steps.iter().zip(&other.steps);
            let clash = match steps.find(|(one, other)| one != other) {
                None => "overlap",
                Some((Step::Name(_), Step::Index(_)) | (Step::Index(_), Step::Name(_))) => {
                    "conflict"
                }
                Some(_) => continue,
            };
            return Err(format!(
                "Two document paths {clash} with each other; must remove or rewrite one of these paths; path one: {one}, path two: {other}"
            ));
        }
    }
    Ok(())
}
