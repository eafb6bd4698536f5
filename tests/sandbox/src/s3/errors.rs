//! S3's refusals, with what it sends beside their texts.

use std::net::Ipv4Addr;

use super::super::http::ServiceError;
use super::super::sqs::ACCOUNT;
use super::bucket::Bucket;

/// A refusal, and what comes with it.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(super) error: ServiceError,
    pub(super) details: Vec<(Place, &'static str, String)>,
}

/// Where a detail of a refusal stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Header,
    /// In the XML.
    Element,
}

impl From<ServiceError> for Refused {
    fn from(error: ServiceError) -> Self {
        Self {
            error,
            details: Vec::new(),
        }
    }
}

impl Refused {
    pub(super) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.details.push((Place::Header, name, value.to_owned()));
        self
    }

    fn element(mut self, name: &'static str, value: &str) -> Self {
        self.details.push((Place::Element, name, value.to_owned()));
        self
    }
}

pub(super) fn refuse(status: u16, code: &str, message: &str) -> Refused {
    Refused::from(ServiceError {
        status,
        code: code.to_owned(),
        query_code: None,
        message: message.to_owned(),
    })
}

pub(super) fn check_bucket_name(name: &str) -> Result<(), ServiceError> {
    let inner =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(&byte);
    let outer = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = name.as_bytes();
    let fits = (3..=63).contains(&name.len())
        && name.bytes().all(inner)
        && outer(bytes.first())
        && outer(bytes.last())
        && !name.contains("..")
        && name.parse::<Ipv4Addr>().is_err();
    if fits {
        return Ok(());
    }
    let refused = refuse(
        400,
        "InvalidBucketName",
        "The specified bucket is not valid.",
    );
    Err(refused.error)
}

pub(super) fn no_such_bucket(name: &str) -> Refused {
    refuse(404, "NoSuchBucket", "The specified bucket does not exist").element("BucketName", name)
}

/// Without the right to list, nobody learns that an object is not there.
pub(super) fn no_such_key(bucket: &Bucket, key: &str) -> Refused {
    if !bucket.may_list {
        return access_denied();
    }
    refuse(404, "NoSuchKey", "The specified key does not exist.").element("Key", key)
}

pub(super) fn no_such_version(key: &str, id: &str) -> Refused {
    refuse(
        404,
        "NoSuchVersion",
        "The specified version does not exist.",
    )
    .element("Key", key)
    .element("VersionId", id)
}

pub(super) fn access_denied() -> Refused {
    refuse(403, "AccessDenied", "Access Denied")
}

pub(super) fn precondition_failed(condition: &str) -> Refused {
    let text = "At least one of the pre-conditions you specified did not hold";
    refuse(412, "PreconditionFailed", text).element("Condition", condition)
}

pub(super) fn not_implemented() -> Refused {
    let text = "A header or query you provided implies functionality that is not implemented";
    refuse(501, "NotImplemented", text)
}

pub(super) fn location(asked: &str) -> Refused {
    let text = format!(
        "The {asked} location constraint is incompatible for the region specific endpoint this request \
         was sent to."
    );
    refuse(400, "IllegalLocationConstraintException", &text)
}

pub(super) fn taken(bucket: &Bucket) -> Refused {
    let (code, text) = if bucket.owner == ACCOUNT {
        (
            "BucketAlreadyOwnedByYou",
            "Your previous request to create the named bucket succeeded and you already own it.",
        )
    } else {
        (
            "BucketAlreadyExists",
            "The requested bucket name is not available. The bucket namespace is shared by all users of \
             the system. Please select a different name and try again.",
        )
    };
    refuse(409, code, text).element("BucketName", &bucket.name)
}

/// The endpoint of us-east-1 knows all buckets and redirects; that of another region says that the
/// signature names the wrong one.
pub(super) fn elsewhere(bucket: &Bucket, asked: &str) -> Refused {
    let region = &bucket.region;
    let refused = if asked == "us-east-1" {
        let text = "The bucket you are attempting to access must be addressed using the specified \
                    endpoint. Please send all future requests to this endpoint.";
        let endpoint = format!("{}.s3.{region}.amazonaws.com", bucket.name);
        refuse(301, "PermanentRedirect", text)
            .element("Endpoint", &endpoint)
            .element("Bucket", &bucket.name)
    } else {
        let text = format!(
            "The authorization header is malformed; the region '{asked}' is wrong; expecting '{region}'"
        );
        refuse(400, "AuthorizationHeaderMalformed", &text).element("Region", region)
    };
    refused.header("x-amz-bucket-region", region)
}
