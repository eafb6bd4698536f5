//! A template in a local file, for work without CodeCommit.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    io,
    path::PathBuf,
};

use async_trait::async_trait;

use crate::ports::{
    CallError, TemplateFailure, TemplateFailureKind, TemplateFile, TemplateSource, TemplateVersion,
};

/// One file on this machine. Its version is a hash of its content.
pub struct TemplateOnDisk {
    path: PathBuf,
    location: String,
}

impl TemplateOnDisk {
    /// The file at `path`, which each fetch reads again.
    pub fn new(path: PathBuf) -> Self {
        let location = format!("file {}", path.display());
        Self { path, location }
    }
}

#[async_trait]
impl TemplateSource for TemplateOnDisk {
    async fn fetch(&self) -> Result<TemplateFile, TemplateFailure> {
        let path = self.path.clone();
        let read = tokio::task::spawn_blocking(move || std::fs::read(path)).await;
        let bytes = read.map_err(io::Error::other).flatten().map_err(failure)?;
        let mut hasher = DefaultHasher::new();
        bytes.hash(&mut hasher);
        let blob_id = format!("{:016x}", hasher.finish());
        Ok(TemplateFile {
            bytes,
            version: TemplateVersion {
                commit_id: String::new(),
                blob_id,
            },
            modified: None,
        })
    }

    fn location(&self) -> &str {
        &self.location
    }
}

fn failure(error: io::Error) -> TemplateFailure {
    let code = match error.kind() {
        io::ErrorKind::NotFound => "not_found",
        io::ErrorKind::PermissionDenied => "permission_denied",
        _ => "io",
    };
    let error = CallError::local("read", code, error);
    TemplateFailure::new(TemplateFailureKind::LocalFile, error)
}
