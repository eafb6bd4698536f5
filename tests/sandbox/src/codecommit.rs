//! `CodeCommit` with real Git ids: repositories, branches, commits and files, all in memory.

mod commit;
mod edits;
mod errors;
mod files;
mod git;
mod repository;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use self::commit::Change;
use self::errors::refuse;
use self::repository::Repository;
use super::clock::Clock;
use super::http::ServiceError;

/// A local `CodeCommit` account.
pub struct CodeCommit {
    clock: Arc<Clock>,
    repositories: Mutex<BTreeMap<String, Repository>>,
}

impl CodeCommit {
    /// No repositories yet.
    pub fn new(clock: Arc<Clock>) -> Self {
        Self {
            clock,
            repositories: Mutex::default(),
        }
    }

    /// Answers one operation of the JSON protocol.
    #[expect(
        clippy::unused_async,
        reason = "the frame awaits every service alike, and SQS does wait"
    )]
    pub async fn call(&self, operation: &str, request: Value) -> Result<Value, ServiceError> {
        match operation {
            "CreateRepository" => self.create_repository(&request),
            "GetRepository" => self.get_repository(&request),
            "ListRepositories" => Ok(self.list_repositories()),
            "DeleteRepository" => self.delete_repository(&request),
            "CreateBranch" => self.create_branch(&request),
            "GetBranch" => self.get_branch(&request),
            "ListBranches" => self.list_branches(&request),
            "UpdateDefaultBranch" => self.update_default_branch(&request),
            "PutFile" => self.put_file(&parse(request)?),
            "DeleteFile" => self.delete_file(&parse(request)?),
            "CreateCommit" => self.create_commit(parse(request)?),
            "GetCommit" => self.get_commit(&request),
            "GetFile" => self.get_file(&request),
            "GetBlob" => self.get_blob(&request),
            "GetFolder" => self.get_folder(&request),
            unknown => Err(refuse(
                "UnknownOperationException",
                format!("The local CodeCommit does not know {unknown}"),
            )),
        }
    }

    /// Puts a file on a branch on top of whatever is there; repository and branch come to be
    /// where they are missing. Gives the commit id.
    pub fn put(
        &self,
        repository: &str,
        branch: &str,
        path: &str,
        content: &[u8],
    ) -> Result<String, ServiceError> {
        let change = Change::put(path, content.to_vec());
        let now = self.clock.now_millis();
        let mut repositories = self.lock();
        repositories
            .entry(repository.to_owned())
            .or_insert_with(|| Repository::new(repository, "", now))
            .commit_on_tip(branch, &[change], now)
    }

    /// Takes a file off a branch. Gives the commit id.
    pub fn delete(
        &self,
        repository: &str,
        branch: &str,
        path: &str,
    ) -> Result<String, ServiceError> {
        let now = self.clock.now_millis();
        let mut repositories = self.lock();
        find(&mut repositories, repository)?.commit_on_tip(branch, &[Change::delete(path)], now)
    }

    /// Forgets every repository.
    pub fn reset(&self) {
        self.lock().clear();
    }

    /// Names a commit, as `git push --tags` would; `CodeCommit` has no operation for it.
    pub fn tag(&self, repository: &str, name: &str, specifier: &str) -> Result<(), ServiceError> {
        let mut repositories = self.lock();
        let repository = find(&mut repositories, repository)?;
        let commit = repository.resolve(Some(specifier))?.to_owned();
        repository.tags.insert(name.to_owned(), commit);
        Ok(())
    }

    fn create_repository(&self, request: &Value) -> Result<Value, ServiceError> {
        let name = repository_name(request)?;
        let description = request
            .get("repositoryDescription")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let mut repositories = self.lock();
        if repositories.contains_key(name) {
            return Err(refuse(
                "RepositoryNameExistsException",
                format!("Repository named {name} already exists"),
            ));
        }
        let repository = Repository::new(name, description, self.clock.now_millis());
        let metadata = repository.metadata();
        repositories.insert(name.to_owned(), repository);
        Ok(json!({ "repositoryMetadata": metadata }))
    }

    fn get_repository(&self, request: &Value) -> Result<Value, ServiceError> {
        self.with_repository(request, |repository| {
            Ok(json!({ "repositoryMetadata": repository.metadata() }))
        })
    }

    fn list_repositories(&self) -> Value {
        let repositories = self.lock();
        let list: Vec<Value> = repositories
            .values()
            .map(|repository| {
                json!({ "repositoryName": repository.name, "repositoryId": repository.id })
            })
            .collect();
        json!({ "repositories": list })
    }

    /// An unknown name is no error here: the answer then holds no id.
    fn delete_repository(&self, request: &Value) -> Result<Value, ServiceError> {
        let name = repository_name(request)?;
        Ok(match self.lock().remove(name) {
            Some(repository) => json!({ "repositoryId": repository.id }),
            None => json!({}),
        })
    }

    /// Works on the repository that the request names.
    fn with_repository(
        &self,
        request: &Value,
        work: impl FnOnce(&mut Repository) -> Result<Value, ServiceError>,
    ) -> Result<Value, ServiceError> {
        let name = repository_name(request)?;
        work(find(&mut self.lock(), name)?)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Repository>> {
        self.repositories
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

fn find<'a>(
    repositories: &'a mut BTreeMap<String, Repository>,
    name: &str,
) -> Result<&'a mut Repository, ServiceError> {
    repositories.get_mut(name).ok_or_else(|| {
        refuse(
            "RepositoryDoesNotExistException",
            format!("{name} does not exist"),
        )
    })
}

fn repository_name(request: &Value) -> Result<&str, ServiceError> {
    let name = text(request, "repositoryName").ok_or_else(|| {
        refuse(
            "RepositoryNameRequiredException",
            "Repository name is required",
        )
    })?;
    errors::check_repository_name(name)?;
    Ok(name)
}

fn text<'a>(request: &'a Value, field: &str) -> Option<&'a str> {
    request
        .get(field)
        .and_then(Value::as_str)
        .filter(|text| !text.is_empty())
}

fn parse<T: DeserializeOwned>(request: Value) -> Result<T, ServiceError> {
    serde_json::from_value(request)
        .map_err(|source| refuse("SerializationException", source.to_string()))
}
