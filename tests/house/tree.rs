//! The repository's files.

use std::fs;
use std::path::Path;
use std::process::Command;

/// A file of the repository.
pub(crate) struct File {
    /// Relative to the repository, with `/`.
    pub(crate) path: String,
    /// Its text, replacement characters where it is none.
    pub(crate) text: String,
}

impl File {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }

    /// Whether the path ends so.
    pub(crate) fn has_extension(&self, extension: &str) -> bool {
        Path::new(&self.path)
            .extension()
            .is_some_and(|own| own == extension)
    }
}

/// Every file that git knows or would add.
pub(crate) fn tracked() -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let listing = Command::new("git")
        // In a container the checkout often belongs to another user.
        .args(["-c", "safe.directory=*", "ls-files", "-z"])
        .args(["--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output()
        .unwrap();
    assert!(
        listing.status.success(),
        "these tests read what `git ls-files` lists and need a git checkout: {}",
        String::from_utf8_lossy(&listing.stderr)
    );
    String::from_utf8(listing.stdout)
        .unwrap()
        .split_terminator('\0')
        .map(|path| (path, root.join(path)))
        // A file deleted since the last commit is listed still.
        .filter(|(_, full)| full.is_file())
        .map(|(path, full)| File::new(path, &String::from_utf8_lossy(&fs::read(full).unwrap())))
        .collect()
}

/// The Rust files among them.
pub(crate) fn sources() -> Vec<File> {
    let mut files = tracked();
    files.retain(|file| file.has_extension("rs"));
    assert!(
        files.iter().any(|file| file.path == "src/lib.rs"),
        "no sources found"
    );
    files
}
