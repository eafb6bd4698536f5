//! One repository, and the operations on its branches.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde_json::{Value, json};
use uuid::Uuid;

use super::super::http::ServiceError;
use super::super::sqs::ACCOUNT;
use super::errors::{
    branch_does_not_exist, branch_name_required, check_branch_name, is_ref_name, refuse,
};
use super::git::Entry;
use super::{CodeCommit, text};

const REGION: &str = "us-east-1";

pub(super) struct Repository {
    pub(super) name: String,
    pub(super) id: String,
    description: String,
    created_millis: u64,
    pub(super) changed_millis: u64,
    pub(super) default_branch: Option<String>,
    /// The tip of each branch.
    pub(super) branches: BTreeMap<String, String>,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) commits: HashMap<String, Commit>,
    pub(super) blobs: HashMap<String, Arc<[u8]>>,
}

pub(super) struct Commit {
    pub(super) tree: String,
    pub(super) files: BTreeMap<String, Entry>,
    pub(super) parent: Option<String>,
    pub(super) author: String,
    pub(super) email: String,
    pub(super) message: String,
    pub(super) seconds: u64,
}

impl Repository {
    pub(super) fn new(name: &str, description: &str, now_millis: u64) -> Self {
        Self {
            name: name.to_owned(),
            id: Uuid::new_v4().to_string(),
            description: description.to_owned(),
            created_millis: now_millis,
            changed_millis: now_millis,
            default_branch: None,
            branches: BTreeMap::new(),
            tags: BTreeMap::new(),
            commits: HashMap::new(),
            blobs: HashMap::new(),
        }
    }

    pub(super) fn metadata(&self) -> Value {
        let host = format!("git-codecommit.{REGION}.amazonaws.com/v1/repos");
        let mut metadata = json!({
            "accountId": ACCOUNT,
            "repositoryId": self.id,
            "repositoryName": self.name,
            "repositoryDescription": self.description,
            "lastModifiedDate": seconds(self.changed_millis),
            "creationDate": seconds(self.created_millis),
            "cloneUrlHttp": format!("https://{host}/{}", self.name),
            "cloneUrlSsh": format!("ssh://{host}/{}", self.name),
            "Arn": format!("arn:aws:codecommit:{REGION}:{ACCOUNT}:{}", self.name),
        });
        if let Some(branch) = &self.default_branch {
            metadata["defaultBranch"] = json!(branch);
        }
        metadata
    }

    /// The commit that a specifier names: a full id, a branch, a tag, a full reference; without
    /// one the tip of the default branch.
    pub(super) fn resolve(&self, specifier: Option<&str>) -> Result<&str, ServiceError> {
        let specifier = match specifier {
            None | Some("HEAD") => self.default_branch.as_deref().unwrap_or("HEAD"),
            Some(specifier) => specifier,
        };
        if !is_ref_name(specifier) {
            return Err(refuse(
                "InvalidCommitException",
                format!("The commit specifier {specifier} is not valid"),
            ));
        }
        let commit = if let Some(branch) = specifier.strip_prefix("refs/heads/") {
            self.branches.get(branch)
        } else if let Some(tag) = specifier.strip_prefix("refs/tags/") {
            self.tags.get(tag)
        } else {
            self.commits
                .get_key_value(specifier)
                .map(|(id, _)| id)
                .or_else(|| self.branches.get(specifier))
                .or_else(|| self.tags.get(specifier))
        };
        commit.map(String::as_str).ok_or_else(|| {
            refuse(
                "CommitDoesNotExistException",
                format!("Commit {specifier} does not exist"),
            )
        })
    }
}

impl CodeCommit {
    pub(super) fn create_branch(&self, request: &Value) -> Result<Value, ServiceError> {
        self.with_repository(request, |repository| {
            let branch = branch_name(request)?;
            let commit = text(request, "commitId")
                .ok_or_else(|| refuse("CommitIdRequiredException", "Commit ID is required"))?;
            if repository.branches.contains_key(branch) {
                return Err(refuse(
                    "BranchNameExistsException",
                    format!("Branch {branch} already exists"),
                ));
            }
            if !repository.commits.contains_key(commit) {
                return Err(refuse(
                    "CommitDoesNotExistException",
                    format!("Commit {commit} does not exist"),
                ));
            }
            repository
                .branches
                .insert(branch.to_owned(), commit.to_owned());
            Ok(json!({}))
        })
    }

    pub(super) fn get_branch(&self, request: &Value) -> Result<Value, ServiceError> {
        self.with_repository(request, |repository| {
            let branch = branch_name(request)?;
            let commit = repository
                .branches
                .get(branch)
                .ok_or_else(|| branch_does_not_exist(branch))?;
            Ok(json!({ "branch": { "branchName": branch, "commitId": commit } }))
        })
    }

    pub(super) fn list_branches(&self, request: &Value) -> Result<Value, ServiceError> {
        self.with_repository(request, |repository| {
            let names: Vec<&String> = repository.branches.keys().collect();
            Ok(json!({ "branches": names }))
        })
    }

    pub(super) fn update_default_branch(&self, request: &Value) -> Result<Value, ServiceError> {
        self.with_repository(request, |repository| {
            let branch = text(request, "defaultBranchName").ok_or_else(branch_name_required)?;
            check_branch_name(branch)?;
            if !repository.branches.contains_key(branch) {
                return Err(branch_does_not_exist(branch));
            }
            repository.default_branch = Some(branch.to_owned());
            Ok(json!({}))
        })
    }
}

fn branch_name(request: &Value) -> Result<&str, ServiceError> {
    let name = text(request, "branchName").ok_or_else(branch_name_required)?;
    check_branch_name(name)?;
    Ok(name)
}

/// Times are seconds with a fraction in the JSON protocol.
#[expect(
    clippy::cast_precision_loss,
    reason = "milliseconds since 1970 are far below 2^52"
)]
pub(super) fn seconds(millis: u64) -> f64 {
    millis as f64 / 1000.0
}
