//! A request as S3 reads it: what stands in its path, query and headers.

use std::borrow::Cow;

use axum::body::Bytes;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};

/// How the scope of a signature ends that is for S3: its requests look like nothing else of AWS's.
const SCOPE: &str = "/s3/aws4_request";

/// The name of what has none here.
pub(super) const UNKNOWN: &str = "Unknown";

/// A request for S3.
pub(crate) struct Request {
    /// AWS's name for what is asked, or [`UNKNOWN`].
    pub(crate) operation: &'static str,
    pub(super) bucket: String,
    pub(super) key: String,
    pub(super) region: String,
    pub(super) version: Option<String>,
    headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Request {
    /// Whether a request is signed for S3.
    pub(crate) fn is_signed(headers: &HeaderMap) -> bool {
        credential(headers).is_some_and(|credential| credential.ends_with(SCOPE))
    }

    /// Reads a request that is signed for S3.
    pub(crate) fn read(parts: &Parts, body: &Bytes) -> Option<Self> {
        let credential = credential(&parts.headers).filter(|found| found.ends_with(SCOPE))?;
        let path = parts.uri.path().trim_start_matches('/');
        let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
        let query: Vec<_> =
            form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes())
                .filter(|(name, _)| name != "x-id")
                .collect();
        let version = query.iter().find(|(name, _)| name == "versionId");
        let version = version.map(|(_, id)| id.clone().into_owned());
        let names: Vec<&str> = query.iter().map(|(name, _)| name.as_ref()).collect();
        Some(Self {
            operation: operation(&parts.method, bucket, key, &names),
            bucket: decode(bucket).into_owned(),
            key: decode(key).into_owned(),
            region: credential.split('/').nth(2).unwrap_or_default().to_owned(),
            version,
            headers: parts.headers.clone(),
            body: body.clone(),
        })
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub(super) fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        let text = self.headers.iter();
        text.filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
    }

    /// The text of an element of the body; the bodies here are flat.
    pub(super) fn element(&self, name: &str) -> Option<String> {
        let body = std::str::from_utf8(&self.body).ok()?;
        let (_, rest) = body.split_once(&format!("<{name}>"))?;
        let (text, _) = rest.split_once(&format!("</{name}>"))?;
        Some(text.trim().to_owned())
    }
}

fn operation(method: &Method, bucket: &str, key: &str, query: &[&str]) -> &'static str {
    let on_object = !key.is_empty();
    match (method.as_str(), on_object, query) {
        _ if bucket.is_empty() => UNKNOWN,
        ("PUT", false, []) => "CreateBucket",
        ("HEAD", false, []) => "HeadBucket",
        ("PUT", false, ["versioning"]) => "PutBucketVersioning",
        ("GET", false, ["versioning"]) => "GetBucketVersioning",
        ("PUT", true, []) => "PutObject",
        ("GET", true, [] | ["versionId"]) => "GetObject",
        ("HEAD", true, [] | ["versionId"]) => "HeadObject",
        ("DELETE", true, [] | ["versionId"]) => "DeleteObject",
        _ => UNKNOWN,
    }
}

/// Key, date, region, service: what the request was signed with.
fn credential(headers: &HeaderMap) -> Option<&str> {
    let signed = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (_, rest) = signed.split_once("Credential=")?;
    rest.split(',').next()
}

/// In a path a plus sign is a plus sign.
fn decode(path: &str) -> Cow<'_, str> {
    let path = path
        .replace('+', "%2B")
        .replace('&', "%26")
        .replace('=', "%3D");
    let decoded = form_urlencoded::parse(path.as_bytes()).next();
    decoded.map_or(Cow::Borrowed(""), |(name, _)| Cow::Owned(name.into_owned()))
}
