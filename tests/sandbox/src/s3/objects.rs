//! The operations on objects, and whether a bucket keeps their versions.

use std::time::{Duration, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest as _, Md5};

use super::super::http::crc32;
use super::bucket::{Bucket, Deleted, NO_VERSION, Object, Version, Versioning};
use super::errors::{self, Refused, refuse};
use super::reply::Reply;
use super::request::Request;

const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";
const MOST_KEY_BYTES: usize = 1024;

/// What comes back as it was put.
const KEPT: [&str; 5] = [
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-type",
];
/// What would change the answer, and is not known here.
const UNKNOWN: [&str; 6] = [
    "range",
    "if-modified-since",
    "if-unmodified-since",
    "x-amz-copy-source",
    "x-amz-server-side-encryption-customer-algorithm",
    "x-amz-write-offset-bytes",
];

pub(super) fn put(bucket: &mut Bucket, request: &Request, now: u64) -> Result<Reply, Refused> {
    refuse_unknown(request)?;
    let signed_in_parts = request
        .header("x-amz-content-sha256")
        .is_some_and(|hash| hash.starts_with("STREAMING-"));
    if signed_in_parts {
        return Err(errors::not_implemented());
    }
    if request.key.len() > MOST_KEY_BYTES {
        return Err(refuse(400, "KeyTooLongError", "Your key is too long"));
    }
    check_digests(request)?;
    let there = bucket.latest(&request.key);
    let there = there.and_then(|version| version.object.as_ref());
    match (request.header("if-none-match"), request.header("if-match")) {
        (Some("*"), _) if there.is_some() => {
            return Err(errors::precondition_failed("If-None-Match"));
        }
        (Some(other), _) if other != "*" => return Err(errors::not_implemented()),
        (_, Some(wanted)) => match there {
            None => return Err(errors::no_such_key(bucket, &request.key)),
            Some(object) if !names(wanted, &object.etag) => {
                return Err(errors::precondition_failed("If-Match"));
            }
            Some(_) => {}
        },
        _ => {}
    }
    let mut object = Object::new(request.body.to_vec(), now);
    for (name, value) in request.headers() {
        let pair = (name.to_owned(), value.to_owned());
        if KEPT.contains(&name) || name.starts_with("x-amz-meta-") {
            object.headers.push(pair);
        } else if name.starts_with("x-amz-checksum-") {
            object.checksums.push(pair);
        }
    }
    let reply = described(Reply::empty(200), &object, true);
    let version = bucket.put(&request.key, object);
    Ok(versioned(reply, bucket, &version))
}

/// `HeadObject` is the same: a server leaves the body of its answer away.
pub(super) fn get(bucket: &Bucket, request: &Request) -> Result<Reply, Refused> {
    refuse_unknown(request)?;
    let version = find(bucket, request)?;
    let Some(object) = &version.object else {
        return Err(deleted(bucket, request, version));
    };
    if let Some(wanted) = request.header("if-match")
        && !names(wanted, &object.etag)
    {
        return Err(errors::precondition_failed("If-Match"));
    }
    let known = request.header("if-none-match");
    if known.is_some_and(|known| names(known, &object.etag)) {
        let reply = described(Reply::empty(304), object, false);
        return Ok(versioned(dated(reply, version), bucket, &version.id));
    }
    let with_checksum = request
        .header("x-amz-checksum-mode")
        .is_some_and(|mode| mode.eq_ignore_ascii_case("enabled"));
    let mut reply = described(Reply::empty(200), object, with_checksum)
        .with("accept-ranges", "bytes")
        .with("content-type", "binary/octet-stream")
        .content(object.content.clone());
    for (name, value) in &object.headers {
        reply = reply.with(name, value);
    }
    Ok(versioned(dated(reply, version), bucket, &version.id))
}

pub(super) fn delete(bucket: &mut Bucket, request: &Request, now: u64) -> Result<Reply, Refused> {
    let Deleted { version, marker } = match &request.version {
        Some(id) if !is_version(id) => return Err(bad_version()),
        Some(id) => bucket.delete_version(&request.key, id),
        None => bucket.delete(&request.key, now),
    };
    let mut reply = Reply::empty(204);
    if let Some(version) = version {
        reply = reply.with("x-amz-version-id", &version);
    }
    if marker {
        reply = reply.with("x-amz-delete-marker", "true");
    }
    Ok(reply)
}

pub(super) fn put_versioning(bucket: &mut Bucket, request: &Request) -> Result<Reply, Refused> {
    bucket.versioning = Some(match request.element("Status").as_deref() {
        Some("Enabled") => Versioning::Enabled,
        Some("Suspended") => Versioning::Suspended,
        _ => {
            let text = "The XML you provided was not well-formed or did not validate against our \
                        published schema";
            return Err(refuse(400, "MalformedXML", text));
        }
    });
    Ok(Reply::empty(200))
}

pub(super) fn versioning(bucket: &Bucket) -> Reply {
    let status = bucket.versioning.map_or_else(String::new, |versioning| {
        format!("<Status>{}</Status>", versioning.name())
    });
    let body = format!(
        "<VersioningConfiguration xmlns=\"{NAMESPACE}\">{status}</VersioningConfiguration>"
    );
    Reply::empty(200).xml(&body)
}

fn find<'a>(bucket: &'a Bucket, request: &Request) -> Result<&'a Version, Refused> {
    match &request.version {
        None => bucket
            .latest(&request.key)
            .ok_or_else(|| errors::no_such_key(bucket, &request.key)),
        Some(id) if !is_version(id) => Err(bad_version()),
        Some(id) => bucket
            .version(&request.key, id)
            .ok_or_else(|| errors::no_such_version(&request.key, id)),
    }
}

/// A delete marker is no object: not there, or, where it was asked for by its id, nothing to get.
fn deleted(bucket: &Bucket, request: &Request, marker: &Version) -> Refused {
    let refused = if request.version.is_some() {
        let text = "The specified method is not allowed against this resource.";
        refuse(405, "MethodNotAllowed", text)
    } else {
        errors::no_such_key(bucket, &request.key)
    };
    refused
        .header("x-amz-delete-marker", "true")
        .header("x-amz-version-id", &marker.id)
}

fn refuse_unknown(request: &Request) -> Result<(), Refused> {
    if UNKNOWN.iter().any(|name| request.header(name).is_some()) {
        return Err(errors::not_implemented());
    }
    Ok(())
}

fn check_digests(request: &Request) -> Result<(), Refused> {
    let bad = "The Content-MD5 you specified did not match what we received.";
    if let Some(said) = request.header("content-md5")
        && said != STANDARD.encode(Md5::digest(&request.body))
    {
        return Err(refuse(400, "BadDigest", bad));
    }
    let bad = "The CRC32 you specified did not match the calculated checksum.";
    if let Some(said) = request.header("x-amz-checksum-crc32")
        && said != STANDARD.encode(crc32(&request.body).to_be_bytes())
    {
        return Err(refuse(400, "BadDigest", bad));
    }
    Ok(())
}

/// Whether a condition names this `ETag`; quotes may be missing, and there may be several.
fn names(condition: &str, etag: &str) -> bool {
    let mut named = condition.split(',').map(|one| one.trim().trim_matches('"'));
    named.any(|one| one == "*" || one == etag)
}

fn described(reply: Reply, object: &Object, with_checksums: bool) -> Reply {
    let reply = reply
        .with("etag", &format!("\"{}\"", object.etag))
        .with("x-amz-server-side-encryption", "AES256");
    let checksums = object.checksums.iter().filter(|_| with_checksums);
    checksums.fold(reply, |reply, (name, value)| reply.with(name, value))
}

fn dated(reply: Reply, version: &Version) -> Reply {
    let at = UNIX_EPOCH + Duration::from_millis(version.at_millis);
    reply.with("last-modified", &httpdate::fmt_http_date(at))
}

/// A bucket that never kept versions shows none.
fn versioned(reply: Reply, bucket: &Bucket, id: &str) -> Reply {
    match bucket.versioning {
        None => reply,
        Some(_) => reply.with("x-amz-version-id", id),
    }
}

fn is_version(id: &str) -> bool {
    id == NO_VERSION || id.len() == 32
}

fn bad_version() -> Refused {
    refuse(400, "InvalidArgument", "Invalid version id specified")
}
