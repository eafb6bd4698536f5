//! The operations that read: files, blobs, folders and commits.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::super::http::ServiceError;
use super::commit::relative;
use super::errors::{check_path, refuse};
use super::repository::Repository;
use super::{CodeCommit, text};

/// The most of one file that the API hands out.
const MOST_FILE_BYTES: usize = 6 * 1024 * 1024;

impl CodeCommit {
    pub(super) fn get_file(&self, request: &Value) -> Result<Value, ServiceError> {
        self.with_repository(request, |repository| {
            let path = relative(text(request, "filePath").unwrap_or_default())?;
            let commit_id = repository.resolve(text(request, "commitSpecifier"))?;
            let entry = repository
                .commits
                .get(commit_id)
                .and_then(|commit| commit.files.get(&path))
                .ok_or_else(|| {
                    refuse(
                        "FileDoesNotExistException",
                        format!("Could not find path {path}"),
                    )
                })?;
            let content = repository.content(&entry.blob)?;
            Ok(json!({
                "commitId": commit_id,
                "blobId": entry.blob,
                "filePath": path,
                "fileMode": entry.mode.name(),
                "fileSize": content.len(),
                "fileContent": STANDARD.encode(content),
            }))
        })
    }

    pub(super) fn get_blob(&self, request: &Value) -> Result<Value, ServiceError> {
        self.with_repository(request, |repository| {
            let id = text(request, "blobId")
                .ok_or_else(|| refuse("BlobIdRequiredException", "A blob ID is required"))?;
            if id.len() != 40 || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                return Err(refuse(
                    "InvalidBlobIdException",
                    format!("The blob ID {id} is not valid"),
                ));
            }
            Ok(json!({ "content": STANDARD.encode(repository.content(id)?) }))
        })
    }

    pub(super) fn get_folder(&self, request: &Value) -> Result<Value, ServiceError> {
        self.with_repository(request, |repository| {
            let folder = match text(request, "folderPath") {
                None => {
                    return Err(refuse("PathRequiredException", "A folder path is required"));
                }
                Some("/") => "",
                Some(path) => check_path(path.trim_end_matches('/'))?,
            };
            let commit_id = repository.resolve(text(request, "commitSpecifier"))?;
            let prefix = if folder.is_empty() {
                String::new()
            } else {
                format!("{folder}/")
            };
            let mut files = Vec::new();
            let mut folders = BTreeSet::new();
            let commit = repository.commits.get(commit_id);
            for (path, entry) in commit.into_iter().flat_map(|commit| &commit.files) {
                let Some(below) = path.strip_prefix(&prefix) else {
                    continue;
                };
                if let Some((name, _)) = below.split_once('/') {
                    folders.insert(name);
                } else {
                    files.push(json!({
                        "blobId": entry.blob,
                        "absolutePath": path,
                        "relativePath": below,
                        "fileMode": entry.mode.name(),
                    }));
                }
            }
            if files.is_empty() && folders.is_empty() {
                return Err(refuse(
                    "FolderDoesNotExistException",
                    format!("Could not find path {folder}"),
                ));
            }
            let folders: Vec<Value> = folders
                .into_iter()
                .map(|name| {
                    json!({ "absolutePath": format!("{prefix}{name}"), "relativePath": name })
                })
                .collect();
            Ok(json!({
                "commitId": commit_id,
                "folderPath": folder,
                "files": files,
                "subFolders": folders,
                "symbolicLinks": [],
                "subModules": [],
            }))
        })
    }

    pub(super) fn get_commit(&self, request: &Value) -> Result<Value, ServiceError> {
        self.with_repository(request, |repository| {
            let id = text(request, "commitId")
                .ok_or_else(|| refuse("CommitIdRequiredException", "A commit ID is required"))?;
            let commit = repository.commits.get(id).ok_or_else(|| {
                refuse(
                    "CommitIdDoesNotExistException",
                    format!("Commit {id} does not exist"),
                )
            })?;
            let who = json!({
                "name": commit.author,
                "email": commit.email,
                "date": format!("{} +0000", commit.seconds),
            });
            Ok(json!({ "commit": {
                "commitId": id,
                "treeId": commit.tree,
                "parents": commit.parent.iter().collect::<Vec<_>>(),
                "message": commit.message,
                "author": who,
                "committer": who,
                "additionalData": "",
            }}))
        })
    }
}

impl Repository {
    fn content(&self, blob: &str) -> Result<&[u8], ServiceError> {
        let content = self.blobs.get(blob).ok_or_else(|| {
            refuse(
                "BlobIdDoesNotExistException",
                format!("Blob {blob} does not exist"),
            )
        })?;
        if content.len() > MOST_FILE_BYTES {
            return Err(refuse(
                "FileTooLargeException",
                "The file exceeds the limit of 6 MB",
            ));
        }
        Ok(content)
    }
}
