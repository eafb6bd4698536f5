//! The template over `CodeCommit`.

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_codecommit::Client;

use super::{AwsConfig, classify::Failure};
use crate::ports::{TemplateFailure, TemplateFile, TemplateSource, TemplateVersion};

const FETCH_TIMEOUT: Duration = Duration::from_secs(10);

/// Where in `CodeCommit` a template stands.
#[derive(Clone, Debug)]
pub struct TemplateAddress {
    /// The repository's name.
    pub repository: String,
    /// The file's path in it.
    pub path: String,
    /// A branch, tag, reference or commit id; the default branch where absent.
    pub reference: Option<String>,
}

/// One file of a repository. The SDK's standard retries apply: a fetch changes nothing.
pub struct CodeCommitTemplate {
    client: Client,
    address: TemplateAddress,
    location: String,
}

impl CodeCommitTemplate {
    /// The file at `address`.
    pub fn new(aws: &AwsConfig, address: TemplateAddress) -> Self {
        let reference = address.reference.as_deref().unwrap_or("its default branch");
        let location = format!(
            "repository {}, path {}, at {reference}",
            address.repository, address.path
        );
        Self {
            client: Client::new(&aws.retried(FETCH_TIMEOUT)),
            address,
            location,
        }
    }
}

#[async_trait]
impl TemplateSource for CodeCommitTemplate {
    async fn fetch(&self) -> Result<TemplateFile, TemplateFailure> {
        let answer = self
            .client
            .get_file()
            .repository_name(&self.address.repository)
            .file_path(&self.address.path)
            .set_commit_specifier(self.address.reference.clone())
            .send()
            .await
            .map_err(|error| Failure::new("GetFile", error).of_template())?;
        let version = TemplateVersion {
            commit_id: answer.commit_id,
            blob_id: answer.blob_id,
        };
        Ok(TemplateFile {
            bytes: answer.file_content.into_inner(),
            version,
            modified: None,
        })
    }

    fn location(&self) -> &str {
        &self.location
    }
}

#[cfg(test)]
mod tests;
