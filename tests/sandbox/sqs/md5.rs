//! The MD5 digests that SQS answers with and SDKs compare.

use md5::{Digest, Md5};

use super::message::MessageAttribute;

/// The lower-case hexadecimal MD5 of a message body.
pub(crate) fn of_body(body: &str) -> String {
    hex(&Md5::digest(body.as_bytes()))
}

/// The MD5 of message attributes as AWS defines it: sorted by name; name, data type and value
/// each behind a four-byte big-endian length; a byte that tells text (1) from binary (2) before
/// the value. `None` where there are none.
pub(crate) fn of_attributes<'a>(
    attributes: impl IntoIterator<Item = &'a (String, MessageAttribute)>,
) -> Option<String> {
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
    Some(hex(&digest.finalize()))
}

fn add(digest: &mut Md5, bytes: &[u8]) {
    digest.update(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
    digest.update(bytes);
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f',
    ];
    bytes
        .iter()
        .flat_map(|byte| {
            [
                DIGITS[usize::from(byte >> 4)],
                DIGITS[usize::from(byte & 15)],
            ]
        })
        .collect()
}
