//! A bucket and the versions of its objects.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use md5::{Digest as _, Md5};
use uuid::Uuid;

use super::super::sqs::ACCOUNT;

/// The version id of what was written while the bucket kept no versions.
pub(super) const NO_VERSION: &str = "null";

/// Whether a bucket keeps versions, once that was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Versioning {
    Enabled,
    Suspended,
}

impl Versioning {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Enabled => "Enabled",
            Self::Suspended => "Suspended",
        }
    }
}

pub(super) struct Bucket {
    pub(super) name: String,
    pub(super) region: String,
    pub(super) owner: String,
    /// Whether it is ours, or its policy admits us.
    pub(super) admits_us: bool,
    /// Whether callers may know what is not there.
    pub(super) may_list: bool,
    pub(super) versioning: Option<Versioning>,
    /// The oldest first.
    objects: BTreeMap<String, Vec<Version>>,
}

pub(super) struct Version {
    pub(super) id: String,
    pub(super) at_millis: u64,
    /// Nothing: a mark that the object was deleted.
    pub(super) object: Option<Object>,
}

/// The content of an object, and what was said with it.
#[derive(Clone)]
pub(super) struct Object {
    pub(super) content: Vec<u8>,
    /// Without quotes.
    pub(super) etag: String,
    pub(super) at_millis: u64,
    /// Content type, metadata and the like, as they come back.
    pub(super) headers: Vec<(String, String)>,
    /// Checksums, which come back on demand.
    pub(super) checksums: Vec<(String, String)>,
}

/// What a deletion did.
pub(super) struct Deleted {
    /// The version that was removed or made, where the bucket has versions.
    pub(super) version: Option<String>,
    /// Whether that is a delete marker.
    pub(super) marker: bool,
}

impl Object {
    pub(super) fn new(content: Vec<u8>, at_millis: u64) -> Self {
        let etag = hex(&Md5::digest(&content));
        Self {
            content,
            etag,
            at_millis,
            headers: Vec::new(),
            checksums: Vec::new(),
        }
    }
}

impl Bucket {
    pub(super) fn new(name: &str, region: &str) -> Self {
        Self {
            name: name.to_owned(),
            region: region.to_owned(),
            owner: ACCOUNT.to_owned(),
            admits_us: true,
            may_list: true,
            versioning: None,
            objects: BTreeMap::new(),
        }
    }

    /// The version in force, which may be a delete marker.
    pub(super) fn latest(&self, key: &str) -> Option<&Version> {
        self.objects.get(key)?.last()
    }

    pub(super) fn version(&self, key: &str, id: &str) -> Option<&Version> {
        let mut versions = self.objects.get(key)?.iter();
        versions.find(|version| version.id == id)
    }

    /// Gives the version's id.
    pub(super) fn put(&mut self, key: &str, object: Object) -> String {
        let at_millis = object.at_millis;
        self.add(key, at_millis, Some(object))
    }

    /// Deletes as a request without a version does: where there are versions they stay, under a marker.
    pub(super) fn delete(&mut self, key: &str, now: u64) -> Deleted {
        if self.versioning.is_none() {
            self.objects.remove(key);
            return Deleted {
                version: None,
                marker: false,
            };
        }
        Deleted {
            version: Some(self.add(key, now, None)),
            marker: true,
        }
    }

    /// Deletes one version for good.
    pub(super) fn delete_version(&mut self, key: &str, id: &str) -> Deleted {
        let mut marker = false;
        if let Some(versions) = self.objects.get_mut(key) {
            versions.retain(|version| {
                let is_meant = version.id == id;
                marker |= is_meant && version.object.is_none();
                !is_meant
            });
            if versions.is_empty() {
                self.objects.remove(key);
            }
        }
        Deleted {
            version: Some(id.to_owned()),
            marker,
        }
    }

    /// Without versions in force there is one version `null` at most, and a new one replaces it.
    fn add(&mut self, key: &str, at_millis: u64, object: Option<Object>) -> String {
        let id = match self.versioning {
            Some(Versioning::Enabled) => new_version(),
            Some(Versioning::Suspended) | None => NO_VERSION.to_owned(),
        };
        let versions = self.objects.entry(key.to_owned()).or_default();
        versions.retain(|version| version.id != id);
        versions.push(Version {
            id: id.clone(),
            at_millis,
            object,
        });
        id
    }
}

/// 32 characters, as AWS's have.
fn new_version() -> String {
    let (one, two) = (Uuid::new_v4(), Uuid::new_v4());
    let bytes = [&one.as_bytes()[..], &two.as_bytes()[..8]].concat();
    URL_SAFE_NO_PAD.encode(bytes).replace('-', ".")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| {
        let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
        let [high, low] = [byte >> 4, byte & 15].map(digit);
        text + &String::from_iter([high, low])
    })
}
