//! No circle of files that use each other. A module and what stands in its own folder are one thing in this:
//! it declares them and they are its parts. Two parts of one module are two files.

use std::collections::{BTreeMap, BTreeSet};

use crate::reach::is_test;
use crate::tree::File;
use crate::uses::{module, named};

/// Every use that is part of a circle.
pub(crate) fn circles(files: &[File]) -> Vec<String> {
    let ours = files
        .iter()
        .filter(|file| file.path.starts_with("src/") && !is_test(&file.path));
    let modules: BTreeMap<_, _> = ours.map(|file| (module(&file.path), file)).collect();
    let mut arrows = BTreeSet::new();
    for (from, file) in &modules {
        for named in named(file) {
            if let Some((first, path)) = named.segments.split_first()
                && first == "crate"
                && let Some(to) = nearest(&modules, path)
                && !from.starts_with(to)
                && !to.starts_with(from)
            {
                arrows.insert((from, to));
            }
        }
    }
    let back = arrows
        .iter()
        .filter(|(from, to)| reaches(&arrows, to, from));
    back.map(|(from, to)| format!("{} uses {}", modules[*from].path, modules[*to].path))
        .collect()
}

/// Whether a way along the arrows leads from one to the other.
fn reaches(
    arrows: &BTreeSet<(&Vec<String>, &Vec<String>)>,
    from: &Vec<String>,
    to: &Vec<String>,
) -> bool {
    let mut seen = BTreeSet::from([from]);
    let mut ahead = vec![from];
    while let Some(at) = ahead.pop() {
        let next = arrows.iter().filter(|(start, _)| *start == at);
        ahead.extend(next.map(|(_, end)| *end).filter(|end| seen.insert(end)));
    }
    seen.contains(to)
}

/// The deepest module on the path that is a file.
fn nearest<'a>(
    modules: &'a BTreeMap<Vec<String>, &File>,
    path: &[String],
) -> Option<&'a Vec<String>> {
    let mut prefixes = (1..=path.len()).rev().map(|length| &path[..length]);
    prefixes.find_map(|prefix| Some(modules.get_key_value(prefix)?.0))
}
