//! Commits: what changes, on top of which parent, with Git's ids.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::http::ServiceError;
use super::errors::{branch_does_not_exist, check_path, refuse};
use super::git::{self, Entry, FileMode};
use super::repository::{Commit, Repository};

/// The most of one file that the API takes.
const MOST_FILE_BYTES: usize = 6 * 1024 * 1024;

/// One file put or taken away.
pub(super) struct Change {
    path: String,
    content: Option<(Vec<u8>, FileMode)>,
}

/// Who made a commit, and why.
#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Signature {
    name: Option<String>,
    email: Option<String>,
    commit_message: Option<String>,
}

impl Change {
    pub(super) fn put(path: &str, content: Vec<u8>) -> Self {
        Self {
            path: path.to_owned(),
            content: Some((content, FileMode::Normal)),
        }
    }

    pub(super) fn delete(path: &str) -> Self {
        Self {
            path: path.to_owned(),
            content: None,
        }
    }

    pub(super) fn decode(
        path: &str,
        content: Option<&String>,
        mode: Option<&str>,
    ) -> Result<Self, ServiceError> {
        let content = content
            .ok_or_else(|| refuse("FileContentRequiredException", "File content is required"))?;
        let content = STANDARD
            .decode(content)
            .map_err(|_source| refuse("SerializationException", "File content is not base64"))?;
        if content.len() > MOST_FILE_BYTES {
            return Err(refuse(
                "FileContentSizeLimitExceededException",
                "The file content exceeds the limit of 6 MB",
            ));
        }
        let mode = FileMode::parse(mode.unwrap_or("NORMAL"))
            .ok_or_else(|| refuse("InvalidFileModeException", "The file mode is not valid"))?;
        Ok(Self {
            path: relative(path)?,
            content: Some((content, mode)),
        })
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// The id of the content put, `None` for a file taken away.
    pub(super) fn blob(&self) -> Option<String> {
        let (content, _) = self.content.as_ref()?;
        Some(git::blob_id(content))
    }

    pub(super) fn summary(&self) -> Value {
        match &self.content {
            Some((content, mode)) => json!({
                "absolutePath": self.path,
                "blobId": git::blob_id(content),
                "fileMode": mode.name(),
            }),
            None => json!({ "absolutePath": self.path }),
        }
    }
}

impl Signature {
    pub(super) fn set_name(&mut self, name: Option<String>) {
        self.name = name;
    }
}

impl Repository {
    /// The parent must be the branch's tip, so that nobody overwrites what they have not seen;
    /// the first commit of an empty repository has none.
    pub(super) fn check_parent(
        &self,
        branch: &str,
        parent: Option<&str>,
    ) -> Result<(), ServiceError> {
        if self.commits.is_empty() {
            return match parent {
                None => Ok(()),
                Some(parent) => Err(parent_does_not_exist(parent)),
            };
        }
        let tip = self
            .branches
            .get(branch)
            .ok_or_else(|| branch_does_not_exist(branch))?;
        match parent {
            None => Err(refuse(
                "ParentCommitIdRequiredException",
                "A parent commit ID is required",
            )),
            Some(parent) if parent == tip => Ok(()),
            Some(parent) if self.commits.contains_key(parent) => Err(refuse(
                "ParentCommitIdOutdatedException",
                format!("The parent commit ID {parent} is not the tip of branch {branch}"),
            )),
            Some(parent) => Err(parent_does_not_exist(parent)),
        }
    }

    pub(super) fn files_at_tip(&self, branch: &str) -> BTreeMap<String, Entry> {
        self.branches
            .get(branch)
            .and_then(|tip| self.commits.get(tip))
            .map(|commit| commit.files.clone())
            .unwrap_or_default()
    }

    /// Commits onto whatever the branch's tip is; an unknown branch begins empty. Gives the
    /// commit id, the tip's own where nothing would change.
    pub(super) fn commit_on_tip(
        &mut self,
        branch: &str,
        changes: &[Change],
        now_millis: u64,
    ) -> Result<String, ServiceError> {
        match self.commit(branch, changes, &Signature::default(), now_millis) {
            Ok((commit, _tree)) => Ok(commit),
            Err(refused) if refused.code == "SameFileContentException" => {
                Ok(self.branches.get(branch).cloned().unwrap_or_default())
            }
            Err(refused) => Err(refused),
        }
    }

    /// Makes a commit and moves the branch there. Gives the ids of commit and tree.
    pub(super) fn commit(
        &mut self,
        branch: &str,
        changes: &[Change],
        signature: &Signature,
        now_millis: u64,
    ) -> Result<(String, String), ServiceError> {
        let before = self.files_at_tip(branch);
        let mut files = before.clone();
        for change in changes {
            apply(&mut files, change)?;
        }
        if files == before {
            return Err(refuse(
                "SameFileContentException",
                "The file content is the same as in the parent commit",
            ));
        }
        for (content, _) in changes.iter().filter_map(|change| change.content.as_ref()) {
            let id = git::blob_id(content);
            self.blobs.insert(id, Arc::from(content.as_slice()));
        }
        let commit = Commit {
            tree: git::tree_id(&files),
            files,
            parent: self.branches.get(branch).cloned(),
            author: signature.name.clone().unwrap_or_default(),
            email: signature.email.clone().unwrap_or_default(),
            message: signature.commit_message.clone().unwrap_or_default(),
            seconds: now_millis / 1000,
        };
        let tree = commit.tree.clone();
        let id = git::commit_id(&commit.text());
        self.commits.insert(id.clone(), commit);
        self.branches.insert(branch.to_owned(), id.clone());
        self.default_branch.get_or_insert_with(|| branch.to_owned());
        self.changed_millis = now_millis;
        Ok((id, tree))
    }
}

impl Commit {
    /// The commit object as Git writes it, in UTC.
    fn text(&self) -> String {
        let parent = self
            .parent
            .as_ref()
            .map(|parent| format!("parent {parent}\n"))
            .unwrap_or_default();
        let who = format!("{} <{}> {} +0000", self.author, self.email, self.seconds);
        format!(
            "tree {}\n{parent}author {who}\ncommitter {who}\n\n{}",
            self.tree, self.message
        )
    }
}

/// The path without a leading slash, where it is a good one.
pub(super) fn relative(path: &str) -> Result<String, ServiceError> {
    if path.is_empty() {
        return Err(refuse("PathRequiredException", "A path is required"));
    }
    check_path(path).map(str::to_owned)
}

fn apply(files: &mut BTreeMap<String, Entry>, change: &Change) -> Result<(), ServiceError> {
    let path = &change.path;
    let Some((content, mode)) = &change.content else {
        return match files.remove(path) {
            Some(_) => Ok(()),
            None => Err(refuse(
                "FileDoesNotExistException",
                format!("Could not find path {path}"),
            )),
        };
    };
    let inside = format!("{path}/");
    if files.keys().any(|other| other.starts_with(&inside)) {
        return Err(refuse(
            "FileNameConflictsWithDirectoryNameException",
            format!("{path} is a directory"),
        ));
    }
    let through_file = path
        .match_indices('/')
        .any(|(slash, _)| files.contains_key(&path[..slash]));
    if through_file {
        return Err(refuse(
            "DirectoryNameConflictsWithFileNameException",
            format!("A directory on the way to {path} is a file"),
        ));
    }
    let entry = Entry {
        blob: git::blob_id(content),
        mode: *mode,
    };
    files.insert(path.clone(), entry);
    Ok(())
}

fn parent_does_not_exist(parent: &str) -> ServiceError {
    refuse(
        "ParentCommitDoesNotExistException",
        format!("The parent commit {parent} does not exist"),
    )
}
