//! Holds the house's rules over the source text: who may use whom, which crate belongs where, how
//! large a file may grow, what stands at the top level. A test that fails says how to fix it.

#![expect(
    clippy::unwrap_used,
    reason = "the helpers of tests fail as the tests themselves do"
)]

mod breaches;
mod circles;
mod neatness;
mod reach;
mod tokens;
mod tree;
mod uses;

use crate::tree::{File, sources, tracked};

/// Fails with every breach and what to do about them.
fn hold(breaches: &[String], remedy: &str) {
    assert!(
        breaches.is_empty(),
        "\n{}\n\n{remedy}\n",
        breaches.join("\n")
    );
}

/// The breaches of a rule that looks at one file at a time.
fn each(files: &[File], rule: impl Fn(&File) -> Vec<String>) -> Vec<String> {
    files.iter().flat_map(rule).collect()
}

#[test]
fn modules_use_only_those_below_them() {
    hold(
        &each(&sources(), reach::layers),
        "Move the shared thing down to a module that both may use (`notification`, `ports`), or \
         pass it in from above. Where the architecture itself changes, change the crate docs in \
         src/lib.rs, and LAYERS and RESERVED in tests/house/reach.rs with them.",
    );
}

#[test]
fn no_two_files_use_each_other() {
    hold(
        &circles::circles(&sources()),
        "Move what one of them needs from the other to a file that both use, or to their parent.",
    );
}

#[test]
fn words_of_the_wire_stand_in_aws_alone() {
    hold(
        &reach::wire_words(&sources()),
        "Make it a type in `ports`, and let `aws` translate.",
    );
}

#[test]
fn every_file_says_what_it_is_for() {
    hold(
        &each(&sources(), neatness::headed),
        "Begin it with `//!` and a sentence.",
    );
}

#[test]
fn the_notification_is_pure() {
    hold(
        &each(&sources(), reach::notification),
        "src/notification/ decides, it does nothing: no clock, no I/O, no logging. Return a value \
         and let the pipeline act on it. A new parsing crate goes to PURE in tests/house/reach.rs.",
    );
}

#[test]
fn crates_with_a_home_are_named_nowhere_else() {
    hold(
        &each(&sources(), reach::homes),
        "Put our own type or function around it in its home, and use that here. A module of ours \
         that shares a crate's name is written `self::backoff`. The homes stand in HOMES in \
         tests/house/reach.rs.",
    );
}

#[test]
fn files_stay_short() {
    hold(
        &each(&tracked(), neatness::length),
        "Split by noun: a type with its functions to a file of its own, tests to `tests.rs` \
         beside it.",
    );
}

#[test]
fn nothing_is_muted_or_left_undone() {
    hold(
        &each(&sources(), neatness::muted),
        "Write `#[expect(lint, reason = \"...\")]` for `allow`, finish what `todo!` and \
         `unimplemented!` stand for, fix or delete an ignored test.",
    );
}

#[test]
fn no_file_knows_a_home_directory() {
    hold(
        &each(&tracked(), neatness::home_directories),
        "Use a path relative to the repository, `env!(\"CARGO_MANIFEST_DIR\")` or `tempfile`.",
    );
}

#[test]
fn the_top_level_is_as_agreed() {
    hold(
        &neatness::top_level(&tracked()),
        "Put it under src, config, deploy or tests, or make it a dot-file; a file of your own \
         goes to .git/info/exclude.",
    );
}

/// They break the daemon on purpose, and so need to know it by heart.
#[test]
fn each_mutation_finds_the_text_that_it_breaks_once() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/pipeline/mutations.py");
    let checked = std::process::Command::new("python3")
        .args(["-B", script, "--check"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&checked.stderr);
    assert!(checked.status.success(), "{said}");
}
