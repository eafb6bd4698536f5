//! Who may use whom.

use crate::tree::File;
use crate::uses::{Named, module, named};

/// What each module of the crate may use besides itself. The command line, which puts the rest
/// together, may use everything and is not listed.
const MODULES: &[(&str, &[&str])] = &[
    ("notification", &[]),
    ("mutex", &[]),
    ("text", &[]),
    ("timing", &[]),
    ("ports", &["notification"]),
    ("aws", &["mutex", "notification", "ports"]),
    ("shutdown", &[]),
    ("backoff", &[]),
    ("template_file", &["ports"]),
    (
        "template_store",
        &["backoff", "notification", "ports", "telemetry"],
    ),
    (
        "pipeline",
        &[
            "backoff",
            "mutex",
            "notification",
            "ports",
            "telemetry",
            "template_store",
            "text",
            "timing",
        ],
    ),
    ("config", &["notification", "ports", "text", "timing"]),
    ("telemetry", &["mutex", "notification", "ports"]),
    (
        "health",
        &["pipeline", "ports", "telemetry", "template_store"],
    ),
    (
        "daemon",
        &[
            "backoff",
            "config",
            "health",
            "notification",
            "pipeline",
            "ports",
            "shutdown",
            "telemetry",
            "template_store",
            "text",
        ],
    ),
];

/// They may use everything.
const TOP: &[&str] = &["cli", "lib", "main", TESTING];

/// The furniture of tests, which any module's tests may use; elsewhere it does not compile.
const TESTING: &str = "testing";

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
    ("hyper_util", &["aws/"]),
    ("backoff", &["backoff.rs"]),
    ("figment", &["config/"]),
    ("toml_edit", &["config/"]),
    ("opentelemetry*", &["telemetry/"]),
    ("tracing_opentelemetry", &["telemetry/"]),
    ("tracing_subscriber", &["telemetry.rs", "telemetry/"]),
    ("html5gum", &["notification/"]),
    ("idna", &["notification/"]),
    ("signal_hook*", &["shutdown.rs"]),
    ("clap*", &["cli.rs", "cli/", "main.rs"]),
    ("anyhow", &["cli.rs", "cli/", "main.rs"]),
];

/// A module uses only those that it may use.
pub(crate) fn modules(file: &File) -> Vec<String> {
    let Some(owner) = owner(file) else {
        return Vec::new();
    };
    if TOP.contains(&owner.as_str()) {
        return Vec::new();
    }
    let Some((_, allowed)) = MODULES.iter().find(|(name, _)| *name == owner) else {
        return vec![format!(
            "{}: nobody has said what `{owner}` may use; it needs a line in MODULES",
            file.path
        )];
    };
    breaches(file, |named| {
        let mut segments = named.segments.iter();
        let inside = segments.next().is_some_and(|first| first == "crate");
        let used = segments.next()?;
        (inside && *used != owner && used != TESTING && !allowed.contains(&used.as_str()))
            .then(|| format!("`{owner}` may not use"))
    })
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
