//! Holds the files under `deploy` and the Dockerfile against the code, where linters are blind:
//! rights, times, names, variables.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "the helpers of tests fail as the tests themselves do"
)]

mod alarms;
mod bucket;
mod calls;
mod collector;
mod commands;
mod compose;
mod elsewhere;
mod expression;
mod feedback;
mod image;
mod links;
mod permissions;
mod runbook;
mod scaling;
mod stack;
mod states;
mod table;
mod task;
mod update;
mod yaml;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use organizer_notifier::config::{Flags, Settings, load};
use organizer_notifier::timing::needed_at_renewal;
use serde_json::Value;

/// A file of the repository.
pub(crate) fn text(path: &str) -> String {
    let full = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&full).unwrap_or_else(|error| panic!("{}: {error}", full.display()))
}

/// The program's sources with their paths, without those that are only tests.
pub(crate) fn sources(folder: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut folders = vec![root.join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && name != "tests" {
                folders.push(path);
            } else if path.is_file()
                && path.extension().is_some_and(|own| own == "rs")
                && name != "tests.rs"
            {
                let relative = path.strip_prefix(root).unwrap();
                let text = fs::read_to_string(&path).unwrap();
                let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
                found.push((relative.to_string_lossy().into_owned(), code.to_owned()));
            }
        }
    }
    found.sort();
    assert!(!found.is_empty(), "no sources under {folder}");
    found
}

/// What the daemon makes of these variables.
pub(crate) fn settings(variables: &BTreeMap<String, String>) -> Settings {
    match load(&[], &Flags::default(), variables.clone()) {
        Ok(loaded) => {
            assert_eq!(loaded.notes, [] as [String; 0]);
            loaded.settings
        }
        Err(problems) => panic!("{problems}"),
    }
}

/// What `check` asks of a lease, or warns: half of it, which is left at a renewal, holds a send.
pub(crate) fn a_lease_holds_a_send(settings: &Settings) {
    let lease = settings.queue.visibility_timeout;
    let needed = needed_at_renewal(lease, settings.email.timeout);
    assert!(lease / 2 >= needed, "{lease:?} is too short: {needed:?}");
}

/// The strings of a list.
pub(crate) fn strings(list: &Value) -> Vec<String> {
    let one = |value: &Value| value.as_str().unwrap().to_owned();
    match list {
        Value::Array(all) => all.iter().map(one).collect(),
        single => vec![one(single)],
    }
}
