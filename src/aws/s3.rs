//! The template over S3.

use std::{
    error::Error as StdError,
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use aws_sdk_s3::{
    Client,
    config::{ResponseChecksumValidation, http::HttpResponse},
    error::{ProvideErrorMetadata, SdkError},
    operation::get_object::GetObjectOutput,
    primitives::ByteStream,
};
use tokio::time::timeout;

use super::{
    AwsConfig,
    classify::{Failure, innermost},
    endpoints::is_of_aws,
    surroundings,
};
use crate::{
    mutex::Mutex,
    ports::{
        BucketFailureKind, CallError, TemplateFailure, TemplateFailureKind, TemplateFile,
        TemplateSource, TemplateVersion,
    },
};

const OPERATION: &str = "GetObject";
/// One attempt, and then the body: the SDK's time-outs end with the headers.
const FETCH_TIMEOUT: Duration = Duration::from_secs(10);
const NOT_MODIFIED: u16 = 304;
/// What S3 answers with from the wrong region.
const BUCKET_REGION: &str = "x-amz-bucket-region";
/// The version id of objects from before their bucket kept versions.
const NO_VERSION: &str = "null";

/// Where in S3 a template stands.
#[derive(Clone, Debug)]
pub struct ObjectAddress {
    /// The bucket's name.
    pub bucket: String,
    /// The object's key.
    pub key: String,
}

/// One object. The SDK's standard retries apply: a fetch changes nothing.
///
/// It keeps the object that it fetched last, and asks S3 for another one only: while the object
/// stays as it is, a fetch costs no body.
pub struct BucketTemplate {
    client: Client,
    address: ObjectAddress,
    max_bytes: u64,
    location: String,
    last: Mutex<Option<Object>>,
}

/// An object and what S3 tells its content by.
#[derive(Clone)]
struct Object {
    etag: String,
    file: TemplateFile,
}

impl BucketTemplate {
    /// The object at `address`, unless it has more than `max_bytes`.
    pub fn new(aws: &AwsConfig, address: ObjectAddress, max_bytes: u64) -> Self {
        let config = aws.retried(FETCH_TIMEOUT);
        let location = format!("bucket {}, key {}", address.bucket, address.key);
        // For an endpoint of another's DNS has no name for each bucket: the bucket goes into the path, as
        // boto3 has it.
        let endpoint = surroundings::endpoint(&config, "S3");
        let endpoint = endpoint.or_else(|| config.endpoint_url().map(str::to_owned));
        let config = aws_sdk_s3::config::Builder::from(&config)
            .force_path_style(endpoint.is_some_and(|endpoint| !is_of_aws(&endpoint)))
            // TLS guards the way, and whoever put the object had its bytes checked.
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
        Self {
            client: Client::from_conf(config.build()),
            address,
            max_bytes,
            location,
            last: Mutex::default(),
        }
    }

    async fn take(&self, answer: GetObjectOutput) -> Result<Object, TemplateFailure> {
        let size = answer
            .content_length
            .and_then(|size| u64::try_from(size).ok());
        if let Some(size) = size.filter(|size| *size > self.max_bytes) {
            return Err(self.too_large(&size.to_string()));
        }
        let Some(etag) = answer.e_tag else {
            let message = "the answer has no ETag, which tells one content from another";
            let kind = BucketFailureKind::Transient;
            return Err(failed(kind, "response", message.to_owned(), None));
        };
        let bytes = match timeout(FETCH_TIMEOUT, self.read(answer.body)).await {
            Ok(read) => read?,
            Err(elapsed) => {
                let message = format!("no whole object within {FETCH_TIMEOUT:?}");
                let kind = BucketFailureKind::Transient;
                return Err(failed(kind, "timeout", message, Some(Box::new(elapsed))));
            }
        };
        let commit_id = answer.version_id.filter(|id| id != NO_VERSION);
        let version = TemplateVersion {
            commit_id: commit_id.unwrap_or_default(),
            blob_id: etag.trim_matches('"').to_owned(),
        };
        let modified = answer
            .last_modified
            .and_then(|time| SystemTime::try_from(time).ok());
        Ok(Object {
            etag,
            file: TemplateFile {
                bytes,
                version,
                modified,
            },
        })
    }

    /// Reads no more than is allowed, however long the body is.
    async fn read(&self, mut body: ByteStream) -> Result<Vec<u8>, TemplateFailure> {
        let mut bytes = Vec::new();
        while let Some(part) = body.next().await {
            let part = part.map_err(|error| {
                let message = innermost(&error);
                let kind = BucketFailureKind::Transient;
                failed(kind, "connection", message, Some(Box::new(error)))
            })?;
            bytes.extend_from_slice(&part);
            if bytes.len() as u64 > self.max_bytes {
                return Err(self.too_large("more"));
            }
        }
        Ok(bytes)
    }

    fn too_large(&self, size: &str) -> TemplateFailure {
        let max_bytes = self.max_bytes;
        let message =
            format!("the object has {size} bytes, and template.max_bytes allows {max_bytes}");
        failed(BucketFailureKind::TooLarge, "too_large", message, None)
    }
}

#[async_trait]
impl TemplateSource for BucketTemplate {
    async fn fetch(&self) -> Result<TemplateFile, TemplateFailure> {
        let last = self.last.lock().clone();
        let answer = self
            .client
            .get_object()
            .bucket(&self.address.bucket)
            .key(&self.address.key)
            .set_if_none_match(last.as_ref().map(|last| last.etag.clone()))
            .send()
            .await;
        let answer = match (answer, last) {
            (Ok(answer), _) => answer,
            (Err(error), Some(last)) if status(&error) == Some(NOT_MODIFIED) => {
                // The same content may have been put again.
                let mut file = last.file;
                let version_id = header(&error, "x-amz-version-id");
                if let Some(id) = version_id.filter(|id| id != NO_VERSION) {
                    file.version.commit_id = id;
                }
                return Ok(file);
            }
            (Err(error), _) => return Err(failure(error)),
        };
        let object = self.take(answer).await?;
        *self.last.lock() = Some(object.clone());
        Ok(object.file)
    }

    fn location(&self) -> &str {
        &self.location
    }

    fn label(&self, version: &TemplateVersion) -> String {
        match version.commit_id.as_str() {
            "" => format!(", ETag {}", version.blob_id),
            id => format!(", version {id}"),
        }
    }

    fn call(&self) -> &'static str {
        "S3/GetObject"
    }
}

fn header<E>(error: &SdkError<E, HttpResponse>, name: &str) -> Option<String> {
    error.raw_response()?.headers().get(name).map(str::to_owned)
}

fn status<E>(error: &SdkError<E, HttpResponse>) -> Option<u16> {
    error.raw_response().map(|raw| raw.status().as_u16())
}

/// A failed call. Where the bucket is elsewhere, S3's text speaks of an endpoint, and a header names the
/// region.
fn failure<E>(error: SdkError<E, HttpResponse>) -> TemplateFailure
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
{
    let raw = error.raw_response();
    let region = raw.and_then(|raw| raw.headers().get(BUCKET_REGION).map(str::to_owned));
    let mut failure = Failure::new(OPERATION, error).of_bucket();
    if let (TemplateFailureKind::Bucket(BucketFailureKind::OtherRegion), Some(region)) =
        (failure.kind, region)
    {
        failure.error.message = format!("the bucket is in {region}");
    }
    failure
}

fn failed(
    kind: BucketFailureKind,
    code: &str,
    message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
) -> TemplateFailure {
    let error = CallError {
        operation: OPERATION,
        code: code.to_owned(),
        message,
        request_id: None,
        obstacle: None,
        source,
    };
    TemplateFailure::new(TemplateFailureKind::Bucket(kind), error)
}

#[cfg(test)]
mod tests;
