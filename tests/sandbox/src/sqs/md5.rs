//! The MD5 digests that SQS answers with and SDKs compare.

use md5::{Digest, Md5};
use serde::{Serialize, Serializer};

use super::message::MessageAttribute;

/// A digest in lower-case hexadecimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hex([u8; 32]);

/// The MD5 of a message body.
pub(super) fn of_body(body: &str) -> Hex {
    Hex::of(Md5::digest(body.as_bytes()).into())
}

/// The MD5 of message attributes as AWS defines it: sorted by name; name, data type and value
/// each behind a four-byte big-endian length; a byte that tells text (1) from binary (2) before
/// the value. `None` where there are none.
pub(super) fn of_attributes<'a>(
    attributes: impl IntoIterator<Item = &'a (String, MessageAttribute)>,
) -> Option<Hex> {
    let mut sorted: Vec<_> = attributes.into_iter().collect();
    if sorted.is_empty() {
        return None;
    }
    sorted.sort_by(|left, right| left.0.cmp(&right.0));
    let mut digest = Md5::new();
    for (name, attribute) in sorted {
        add(&mut digest, name.as_bytes());
        add(&mut digest, attribute.data_type.as_bytes());
        if let Some(bytes) = &attribute.binary_value {
            digest.update([2]);
            add(&mut digest, bytes);
        } else {
            let text = attribute.string_value.as_deref().unwrap_or_default();
            digest.update([1]);
            add(&mut digest, text.as_bytes());
        }
    }
    Some(Hex::of(digest.finalize().into()))
}

impl Hex {
    fn of(digest: [u8; 16]) -> Self {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut hex = [0; 32];
        let (pairs, _) = hex.as_chunks_mut::<2>();
        for (pair, byte) in pairs.iter_mut().zip(digest) {
            *pair = [byte >> 4, byte & 15].map(|digit| DIGITS[usize::from(digit)]);
        }
        Self(hex)
    }

    pub(super) fn as_str(&self) -> &str {
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl Serialize for Hex {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

fn add(digest: &mut Md5, bytes: &[u8]) {
    digest.update(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
    digest.update(bytes);
}
