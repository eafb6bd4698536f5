//! Who may use whom.

use std::collections::BTreeSet;

use crate::tokens::literals;
use crate::tree::File;
use crate::uses::{Named, module, named};

/// The modules of the crate from top to bottom: each may use those after it, so no ring can be
/// written down.
const LAYERS: &[&str] = &[
    "main",
    "lib",
    "cli",
    "daemon",
    "health",
    "shutdown",
    "pipeline",
    "feedback",
    "ledger",
    "aws",
    "template_store",
    "template_file",
    "telemetry",
    "config",
    "backoff",
    "mutex",
    "random",
    "ports",
    "timing",
    "text",
    "proxy",
    "trust",
    "notification",
];

/// Modules that not all above them may use, and those that may.
const RESERVED: &[(&str, &[&str])] = &[("aws", &["cli"]), ("config", &["cli", "daemon"])];

/// The furniture of tests, which any module's tests may use; elsewhere it does not compile.
const TESTING: &str = "testing";

/// Words of AWS's that only `aws` may know, besides the error codes that it tells apart.
const WIRE_WORDS: &[&str] = &["HEALTHY", "PROBATION", "SHUTDOWN"];

/// The crates that `notification` may name: parsing and derives, and in its tests one more.
const PURE: &[&str] = &[
    "alloc",
    "core",
    "std", //
    "base64",
    "html5gum",
    "idna",
    "serde",
    "serde_json",
    "sha2",
    "thiserror",
    "unicode_properties", //
    "proptest",
];

/// What the standard library offers that is not pure.
const IMPURE: &[&str] = &[
    "env",
    "fs",
    "io",
    "net",
    "process",
    "thread",
    "time::Instant",
    "time::SystemTime",
];

/// Crates, a `*` for the rest of the name, and the only places under `src` that may name them.
const HOMES: &[(&str, &[&str])] = &[
    ("aws_*", &["aws.rs", "aws/", "testing/"]),
    ("hyper", &["aws/", "cli/healthcheck.rs"]),
    ("hyper_util", &["aws/", "cli/healthcheck.rs"]),
    ("rustls*", &["aws/http.rs", "aws/http/", "trust.rs"]),
    ("reqwest", &["telemetry/"]),
    ("backoff", &["backoff.rs"]),
    ("figment", &["config/"]),
    ("toml_edit", &["config/"]),
    ("opentelemetry*", &["telemetry.rs", "telemetry/"]),
    ("tracing_opentelemetry", &["telemetry.rs", "telemetry/"]),
    ("tracing_opentelemetry", &["telemetry/"]),
    ("tracing_subscriber", &["telemetry.rs", "telemetry/"]),
    ("html5gum", &["notification/"]),
    ("idna", &["notification/"]),
    ("signal_hook*", &["shutdown.rs"]),
    ("clap*", &["cli.rs", "cli/", "main.rs"]),
    (
        "anyhow",
        &["cli.rs", "cli/", "daemon.rs", "daemon/", "main.rs"],
    ),
];

/// A module uses only those below it, and none that is reserved for others.
pub(crate) fn layers(file: &File) -> Vec<String> {
    let Some(owner) = owner(file).filter(|owner| owner != TESTING) else {
        return Vec::new();
    };
    let floor = |name: &str| LAYERS.iter().position(|layer| *layer == name);
    let Some(own) = floor(&owner) else {
        return vec![format!("{}: `{owner}` has no place in LAYERS", file.path)];
    };
    breaches(file, |named| {
        let mut segments = named.segments.iter();
        let inside = segments.next().is_some_and(|first| first == "crate");
        let used = segments.next()?.as_str();
        if !inside || used == owner || used == TESTING {
            return None;
        }
        let below = floor(used).is_some_and(|used| used > own);
        let reserved = RESERVED.iter().find(|(name, _)| *name == used);
        let admitted = reserved.is_none_or(|(_, users)| users.contains(&owner.as_str()));
        (!below || !admitted).then(|| format!("`{owner}` may not use"))
    })
}

/// AWS's words stand in `aws` alone. What `classify` tells apart is read from its text.
pub(crate) fn wire_words(files: &[File]) -> Vec<String> {
    let aws = |file: &&File| file.path.starts_with("src/aws");
    let classify = files.iter().filter(aws).filter(|file| !is_test(&file.path));
    let classify = classify.filter(|file| file.path.starts_with("src/aws/classify"));
    let codes = classify.flat_map(|file| literals(&file.text));
    let codes = codes.map(|(word, _)| word).filter(|word| is_code(word));
    let words: BTreeSet<_> = codes.chain(WIRE_WORDS.iter().copied()).collect();
    let others = files
        .iter()
        .filter(|file| file.path.starts_with("src/") && !aws(file) && !is_test(&file.path));
    let found = others.flat_map(|file| {
        let literals = literals(&file.text).into_iter();
        let known = literals.filter(|(word, _)| words.contains(word));
        known.map(|(word, line)| format!("{}:{line}: \"{word}\"", file.path))
    });
    found.collect()
}

/// One word with a capital inside, as error codes are.
fn is_code(word: &str) -> bool {
    let inner = word.get(1..).unwrap_or_default();
    word.starts_with(|c: char| c.is_ascii_uppercase())
        && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '.')
        && inner.contains(|c: char| c.is_ascii_uppercase())
}

/// Files of tests, which may say anything, since they are the outside world.
pub(crate) fn is_test(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.contains("/tests/") || path.starts_with("src/testing")
}

/// `notification` names only crates without effects.
pub(crate) fn notification(file: &File) -> Vec<String> {
    if owner(file).is_none_or(|owner| owner != "notification") {
        return Vec::new();
    }
    breaches(file, |named| {
        let first = named.segments.first()?.as_str();
        let rest = named.segments[1..].join("::");
        let impure = first == "std"
            && IMPURE
                .iter()
                .any(|path| rest == *path || rest.starts_with(&format!("{path}::")));
        let foreign = !PURE.contains(&first) && is_dependency(first);
        (impure || foreign).then(|| "`notification` may not use".to_owned())
    })
}

/// Crates with a home are named only there.
pub(crate) fn homes(file: &File) -> Vec<String> {
    let Some(inner) = file.path.strip_prefix("src/") else {
        return Vec::new();
    };
    breaches(file, |named| {
        let first = named.segments.first()?;
        let fits = |pattern: &str| match pattern.strip_suffix('*') {
            Some(start) => first.starts_with(start),
            None => first == pattern,
        };
        let (_, places) = HOMES.iter().find(|(pattern, _)| fits(pattern))?;
        let at_home = places.iter().any(|place| inner.starts_with(place));
        (!at_home).then(|| format!("only src/{} may name", places.join(", src/")))
    })
}

/// The first module of a file under `src`.
fn owner(file: &File) -> Option<String> {
    file.path.strip_prefix("src/")?;
    let first = module(&file.path).into_iter().next();
    Some(first.unwrap_or_else(|| "lib".to_owned()))
}

fn breaches(file: &File, problem: impl Fn(&Named) -> Option<String>) -> Vec<String> {
    let found = named(file);
    let found = found.iter().filter_map(|named| {
        let problem = problem(named)?;
        let path = named.segments.join("::");
        Some(format!("{}:{}: {problem} `{path}`", file.path, named.line))
    });
    found.collect()
}

/// Whether Cargo.toml names the crate.
fn is_dependency(name: &str) -> bool {
    const MANIFEST: &str = include_str!("../../Cargo.toml");
    let manifest = toml_edit::ImDocument::parse(MANIFEST).unwrap();
    let declared = |table: &str| {
        let table = manifest.get(table).and_then(toml_edit::Item::as_table);
        table.is_some_and(|table| table.iter().any(|(key, _)| key.replace('-', "_") == name))
    };
    declared("dependencies") || declared("dev-dependencies")
}
