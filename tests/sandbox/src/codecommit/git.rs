//! Git's object ids: the SHA-1 of a header and the object's bytes.

use std::collections::BTreeMap;

use sha1::{Digest as _, Sha1};

/// A file in a tree.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) blob: String,
    pub(super) mode: FileMode,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum FileMode {
    Normal,
    Executable,
    Symlink,
}

impl FileMode {
    pub(super) fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "NORMAL" => Self::Normal,
            "EXECUTABLE" => Self::Executable,
            "SYMLINK" => Self::Symlink,
            _ => return None,
        })
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Normal => "NORMAL",
            Self::Executable => "EXECUTABLE",
            Self::Symlink => "SYMLINK",
        }
    }

    fn git(self) -> &'static str {
        match self {
            Self::Normal => "100644",
            Self::Executable => "100755",
            Self::Symlink => "120000",
        }
    }
}

pub(super) fn blob_id(content: &[u8]) -> String {
    hex(&object_id("blob", content))
}

pub(super) fn commit_id(text: &str) -> String {
    hex(&object_id("commit", text.as_bytes()))
}

/// The id of the tree that holds these files, by full path.
pub(super) fn tree_id(files: &BTreeMap<String, Entry>) -> String {
    let files: Vec<(&str, &Entry)> = files
        .iter()
        .map(|(path, entry)| (path.as_str(), entry))
        .collect();
    hex(&tree(&files))
}

fn tree(files: &[(&str, &Entry)]) -> [u8; 20] {
    // Git sorts folders as if their names ended in a slash.
    let mut items: BTreeMap<String, (&str, &str, [u8; 20])> = BTreeMap::new();
    let mut folders: BTreeMap<&str, Vec<(&str, &Entry)>> = BTreeMap::new();
    for (path, entry) in files {
        if let Some((folder, rest)) = path.split_once('/') {
            folders.entry(folder).or_default().push((rest, entry));
        } else {
            let id = unhex(&entry.blob);
            items.insert((*path).to_owned(), (entry.mode.git(), path, id));
        }
    }
    for (folder, below) in folders {
        items.insert(format!("{folder}/"), ("40000", folder, tree(&below)));
    }
    let mut content = Vec::new();
    for (mode, name, id) in items.values() {
        content.extend_from_slice(format!("{mode} {name}\0").as_bytes());
        content.extend_from_slice(id);
    }
    object_id("tree", &content)
}

fn object_id(kind: &str, content: &[u8]) -> [u8; 20] {
    let mut hash = Sha1::new();
    hash.update(format!("{kind} {}\0", content.len()).as_bytes());
    hash.update(content);
    hash.finalize().into()
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|nibble| char::from(DIGITS[usize::from(nibble)]))
        .collect()
}

fn unhex(text: &str) -> [u8; 20] {
    let mut bytes = [0; 20];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = text
            .get(at * 2..at * 2 + 2)
            .and_then(|pair| u8::from_str_radix(pair, 16).ok())
            .unwrap_or_default();
    }
    bytes
}
