//! What a file may look like, and where it may stand.

use crate::tokens::tokens;
use crate::tree::File;

/// The lines that `src/main.rs` may have.
const MAIN_LINES: usize = 100;
/// The lines that any other file of code may have.
const LINES: usize = 500;

/// The lines that `README.md` may have: it is for a reader in a hurry.
const README_LINES: usize = 200;

/// What stands at the top level besides dot-files.
const TOP_LEVEL: &[&str] = &[
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "Dockerfile",
    "LICENSE",
    "README.md",
    "config",
    "deploy",
    "src",
    "tests",
];

/// Code fits its bound.
pub(crate) fn length(file: &File) -> Vec<String> {
    let code = ["rs", "py", "js", "css"];
    let ours = file.path.starts_with("src/") || file.path.starts_with("tests/");
    let most = match file.path.as_str() {
        "README.md" => README_LINES,
        "src/main.rs" => MAIN_LINES,
        _ if ours && code.iter().any(|extension| file.has_extension(extension)) => LINES,
        _ => return Vec::new(),
    };
    let lines = file.text.lines().count();
    let breach = format!("{}: {lines} lines, at most {most}", file.path);
    (lines > most).then_some(breach).into_iter().collect()
}

/// A file of code says first what it is for.
pub(crate) fn headed(file: &File) -> Vec<String> {
    let ours = file.path.starts_with("src/") && file.has_extension("rs");
    let breach = format!("{}: no `//!` on the first line", file.path);
    (ours && !file.text.starts_with("//! "))
        .then_some(breach)
        .into_iter()
        .collect()
}

/// No lint is switched off without a reason, no test is ignored, nothing is left for later.
pub(crate) fn muted(file: &File) -> Vec<String> {
    let tokens = tokens(&file.text);
    let mut breaches = Vec::new();
    // The depth of brackets inside of `#[` or `#![`.
    let mut attribute = 0_usize;
    for (at, token) in tokens.iter().enumerate() {
        let text = |ahead: usize| tokens.get(at + ahead).map_or("", |token| token.text);
        match text(0) {
            "#" if text(1) == "[" || (text(1) == "!" && text(2) == "[") => attribute = 1,
            "[" if attribute > 0 => attribute += 1,
            "]" if attribute == 2 => attribute = 0,
            "]" => attribute = attribute.saturating_sub(1),
            "allow" | "ignore" if attribute > 0 => {}
            "todo" | "unimplemented" if text(1) == "!" => {}
            _ => continue,
        }
        if token.is_word() {
            breaches.push(format!("{}:{}: `{}`", file.path, token.line, token.text));
        }
    }
    breaches
}

/// No path of somebody's machine.
pub(crate) fn home_directories(file: &File) -> Vec<String> {
    let mut breaches = Vec::new();
    for (number, line) in (1..).zip(file.text.lines()) {
        for home in ["home", "Users", "root"] {
            if line.contains(&format!("/{home}/")) || line.contains(&format!(":\\{home}\\")) {
                breaches.push(format!("{}:{number}: a path under /{home}", file.path));
            }
        }
    }
    breaches
}

/// Nothing but what was agreed.
pub(crate) fn top_level(files: &[File]) -> Vec<String> {
    let tops = files.iter().map(|file| match file.path.split_once('/') {
        Some((top, _)) => top,
        None => &file.path,
    });
    let mut strange: Vec<_> = tops
        .filter(|top| !top.starts_with('.') && !TOP_LEVEL.contains(top))
        .map(|top| format!("{top}: not among {}", TOP_LEVEL.join(", ")))
        .collect();
    strange.dedup();
    strange
}
