//! The operations that make commits: `PutFile`, `DeleteFile` and `CreateCommit`.

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::http::ServiceError;
use super::CodeCommit;
use super::commit::{Change, Signature, relative};
use super::errors::{branch_name_required, check_branch_name, refuse};
use super::repository::Repository;

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct PutFile {
    repository_name: String,
    branch_name: String,
    file_content: Option<String>,
    file_path: String,
    file_mode: Option<String>,
    parent_commit_id: Option<String>,
    #[serde(flatten)]
    signature: Signature,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct DeleteFile {
    repository_name: String,
    branch_name: String,
    file_path: String,
    parent_commit_id: Option<String>,
    #[serde(flatten)]
    signature: Signature,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct CreateCommit {
    repository_name: String,
    branch_name: String,
    parent_commit_id: Option<String>,
    put_files: Vec<PutFileEntry>,
    delete_files: Vec<DeleteFileEntry>,
    author_name: Option<String>,
    #[serde(flatten)]
    signature: Signature,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PutFileEntry {
    #[serde(rename = "filePath")]
    path: String,
    #[serde(rename = "fileMode")]
    mode: Option<String>,
    #[serde(rename = "fileContent")]
    content: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct DeleteFileEntry {
    file_path: String,
}

impl CodeCommit {
    pub(super) fn put_file(&self, request: &PutFile) -> Result<Value, ServiceError> {
        let change = Change::decode(
            &request.file_path,
            request.file_content.as_ref(),
            request.file_mode.as_deref(),
        );
        let now = self.clock.now_millis();
        self.on_branch(
            &request.repository_name,
            &request.branch_name,
            |repository| {
                let change = change?;
                let parent = request.parent_commit_id.as_deref();
                repository.check_parent(&request.branch_name, parent)?;
                let blob = change.blob();
                let (commit, tree) =
                    repository.commit(&request.branch_name, &[change], &request.signature, now)?;
                Ok(json!({ "commitId": commit, "blobId": blob, "treeId": tree }))
            },
        )
    }

    pub(super) fn delete_file(&self, request: &DeleteFile) -> Result<Value, ServiceError> {
        let now = self.clock.now_millis();
        self.on_branch(
            &request.repository_name,
            &request.branch_name,
            |repository| {
                let path = relative(&request.file_path)?;
                let parent = request.parent_commit_id.as_deref();
                repository.check_parent(&request.branch_name, parent)?;
                let blob = repository
                    .files_at_tip(&request.branch_name)
                    .get(&path)
                    .map(|entry| entry.blob.clone());
                let (commit, tree) = repository.commit(
                    &request.branch_name,
                    &[Change::delete(&path)],
                    &request.signature,
                    now,
                )?;
                Ok(json!({
                    "commitId": commit, "blobId": blob, "treeId": tree, "filePath": path,
                }))
            },
        )
    }

    pub(super) fn create_commit(&self, mut request: CreateCommit) -> Result<Value, ServiceError> {
        request.signature.set_name(request.author_name.take());
        let now = self.clock.now_millis();
        self.on_branch(
            &request.repository_name,
            &request.branch_name,
            |repository| {
                let mut changes = Vec::new();
                for file in &request.put_files {
                    let mode = file.mode.as_deref();
                    changes.push(Change::decode(&file.path, file.content.as_ref(), mode)?);
                }
                for file in &request.delete_files {
                    changes.push(Change::delete(&relative(&file.file_path)?));
                }
                if changes.is_empty() {
                    return Err(refuse(
                        "FileEntryRequiredException",
                        "A file entry is required",
                    ));
                }
                let parent = request.parent_commit_id.as_deref();
                repository.check_parent(&request.branch_name, parent)?;
                let tip = repository.files_at_tip(&request.branch_name);
                let known: Vec<bool> = changes
                    .iter()
                    .map(|change| tip.contains_key(change.path()))
                    .collect();
                let (commit, tree) =
                    repository.commit(&request.branch_name, &changes, &request.signature, now)?;
                let mut answer = json!({
                    "commitId": commit, "treeId": tree,
                    "filesAdded": [], "filesUpdated": [], "filesDeleted": [],
                });
                for (change, known) in changes.iter().zip(known) {
                    let kind = match (change.blob(), known) {
                        (None, _) => "filesDeleted",
                        (Some(_), true) => "filesUpdated",
                        (Some(_), false) => "filesAdded",
                    };
                    if let Some(list) = answer[kind].as_array_mut() {
                        list.push(change.summary());
                    }
                }
                Ok(answer)
            },
        )
    }

    fn on_branch(
        &self,
        repository: &str,
        branch: &str,
        work: impl FnOnce(&mut Repository) -> Result<Value, ServiceError>,
    ) -> Result<Value, ServiceError> {
        self.with_repository(&json!({ "repositoryName": repository }), |repository| {
            if branch.is_empty() {
                return Err(branch_name_required());
            }
            check_branch_name(branch)?;
            work(repository)
        })
    }
}
