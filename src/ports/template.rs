//! The template's source.

use std::time::SystemTime;

use async_trait::async_trait;

use super::Failure;

/// A file of the template's source at one version.
#[derive(Clone)]
pub struct TemplateFile {
    /// The file's bytes, not yet looked at.
    pub bytes: Vec<u8>,
    /// Which version it is.
    pub version: TemplateVersion,
    /// When it was last written, where the source says so along with it.
    pub modified: Option<SystemTime>,
}

/// Names a version of the template: equal blob ids mean equal bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateVersion {
    /// The commit that the reference stood at, or the version of a bucket's object; empty for a local
    /// file and for a bucket that keeps no versions.
    pub commit_id: String,
    /// The hash of the content, or what the source gives in its stead.
    pub blob_id: String,
}

impl TemplateVersion {
    /// Enough of its id to know it again.
    pub fn short_id(&self) -> &str {
        let id = if self.commit_id.is_empty() {
            &self.blob_id
        } else {
            &self.commit_id
        };
        id.get(..8).unwrap_or(id)
    }
}

/// Where the template is kept.
#[async_trait]
pub trait TemplateSource: Send + Sync {
    /// Fetches the template as it is now.
    async fn fetch(&self) -> Result<TemplateFile, TemplateFailure>;

    /// Where that is, for people: repository, path and reference, bucket and key, or a file's path.
    fn location(&self) -> &str;

    /// Which version this is, for people, behind a comma; empty where it has no name.
    fn label(&self, version: &TemplateVersion) -> String {
        let id = &version.commit_id;
        match id.get(..8).unwrap_or(id) {
            "" => String::new(),
            short => format!(", commit {short}"),
        }
    }

    /// What a fetch asks of AWS, by service and operation.
    fn call(&self) -> &'static str {
        "CodeCommit/GetFile"
    }
}

/// How a fetch of the template failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TemplateFailureKind {
    /// Repository, reference or file is not there, or is too large to be read.
    Missing,
    /// We may not read it.
    AccessDenied,
    /// Our credentials are missing, expired or wrong.
    Credentials,
    /// No answer, a server's error, or one that we do not know: it may pass.
    Transient,
    /// The template is a file on this machine, and cannot be read.
    LocalFile,
    /// The template is an object in a bucket.
    Bucket(BucketFailureKind),
}

impl TemplateFailureKind {
    /// Whether waiting does not help: somebody has to change the file, its address or our rights.
    pub fn is_definite(self) -> bool {
        !matches!(
            self,
            Self::Transient | Self::Bucket(BucketFailureKind::Transient)
        )
    }
}

/// How a fetch of the template from a bucket failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BucketFailureKind {
    /// There is no such bucket.
    NoBucket,
    /// The bucket holds no such object.
    NoObject,
    /// The bucket is in another region than ours.
    OtherRegion,
    /// We may not read it, or it is not there and we may not know that.
    AccessDenied,
    /// The encryption key of the object cannot be used.
    Encryption,
    /// It is in an archive.
    Archived,
    /// It is larger than we take, and was not read.
    TooLarge,
    /// No answer, a server's error, or one that we do not know: it may pass.
    Transient,
}

/// A fetch of the template that failed.
pub type TemplateFailure = Failure<TemplateFailureKind>;
