//! What tells one mail from another: whose it is, and what it says.

use std::fmt;

use sha2::{Digest, Sha256};

/// The longest value of a tag that SES takes.
const TAG_LEN_MAX: usize = 256;
/// An id that no tag holds is replaced by so many bytes of its hash, in hexadecimal digits.
const HASHED_ID_BYTES: usize = 16;
/// So many bytes of the hash of an event stand for it.
const EVENT_BYTES: usize = 8;

/// The first bytes of the SHA-256 of what was published, byte for byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EventHash([u8; EVENT_BYTES]);

/// Names one mail: the notification and the event that it holds. Copies of a message have the same
/// key. A body that was corrected and sent again under its old id is another mail.
///
/// Both halves are fit for a tag of SES, which takes ASCII letters, digits, `_` and `-`. So SES's
/// events name the mail by the same key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MailKey {
    /// Both halves, with a full stop between them, which no tag holds.
    text: String,
    id_len: usize,
}

impl EventHash {
    /// The hash of this text, as it was published.
    pub fn of(event: &str) -> Self {
        let hash = Sha256::digest(event);
        let mut first = [0; EVENT_BYTES];
        first.copy_from_slice(&hash[..EVENT_BYTES]);
        Self(first)
    }
}

/// In 16 hexadecimal digits.
impl fmt::Display for EventHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl MailKey {
    /// The key of the event with this hash in the notification with this id. An id that no tag holds is
    /// replaced by 32 hexadecimal digits of its SHA-256.
    pub fn new(notification_id: &str, event: EventHash) -> Self {
        if fits_a_tag(notification_id) {
            return Self::of_halves(notification_id, &event.to_string());
        }
        let hash = Sha256::digest(notification_id);
        Self::of_halves(&hex(&hash[..HASHED_ID_BYTES]), &event.to_string())
    }

    /// The key of a message's event: by the notification's id where there is one, else by the message's
    /// own id.
    pub fn of_message(notification_id: Option<&str>, message_id: &str, event: EventHash) -> Self {
        let id = notification_id.filter(|id| !id.trim().is_empty());
        Self::new(id.unwrap_or(message_id), event)
    }

    /// The key whose halves stand in a mail's tags. `None` where no key of ours has such halves.
    pub fn of_tags(notification_id: &str, event: &str) -> Option<Self> {
        let is_hash =
            event.len() == 2 * EVENT_BYTES && event.bytes().all(|byte| byte.is_ascii_hexdigit());
        (is_hash && fits_a_tag(notification_id)).then(|| Self::of_halves(notification_id, event))
    }

    fn of_halves(id: &str, event: &str) -> Self {
        Self {
            text: format!("{id}.{event}"),
            id_len: id.len(),
        }
    }

    /// Both halves in one text, as the ledger has it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The notification's id, as a tag holds it.
    pub fn notification_id(&self) -> &str {
        &self.text[..self.id_len]
    }

    /// The event's hash in 16 hexadecimal digits.
    pub fn event(&self) -> &str {
        &self.text[self.id_len + 1..]
    }
}

fn fits_a_tag(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    (1..=TAG_LEN_MAX).contains(&text.len()) && text.bytes().all(allowed)
}

/// Bytes in hexadecimal digits, two to each.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |half: u8| char::from(DIGITS[usize::from(half)]);
    let digits = bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 0xf)]);
    digits.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "95df01b4-ee98-5cb9-9903-4c221d41eb5e";

    #[test]
    fn a_key_is_the_notifications_id_and_the_hash_of_the_event() {
        let key = MailKey::new(ID, EventHash::of("abc"));
        assert_eq!(key.notification_id(), ID);
        // The first digits of the example of FIPS 180-4.
        assert_eq!(key.event(), "ba7816bf8f01cfea");
        assert_eq!(key.as_str(), format!("{ID}.ba7816bf8f01cfea"));
        assert_eq!(MailKey::of_tags(ID, "ba7816bf8f01cfea"), Some(key));
    }

    #[test]
    fn a_message_without_a_notifications_id_goes_by_its_own() {
        let hash = EventHash::of("abc");
        let of = |id| MailKey::of_message(id, "own", hash);
        assert_eq!(of(Some(ID)), MailKey::new(ID, hash));
        for none in [None, Some(""), Some(" ")] {
            assert_eq!(of(none), MailKey::new("own", hash));
        }
    }

    #[test]
    fn another_event_under_the_same_id_is_another_mail() {
        let one = MailKey::new(ID, EventHash::of(r#"{"mailto": "dana@exmaple.com"}"#));
        let corrected = MailKey::new(ID, EventHash::of(r#"{"mailto": "dana@example.com"}"#));
        assert_ne!(one, corrected);
    }

    #[test]
    fn an_id_that_no_tag_holds_is_replaced_by_its_hash() {
        let long = "x".repeat(257);
        for id in ["a b", "dana@example.com", "ü", "a.b", "", &long] {
            let key = MailKey::new(id, EventHash::of("{}"));
            let tag = key.notification_id();
            assert_eq!(tag.len(), 32, "{id}");
            assert!(tag.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
            assert_eq!(MailKey::of_tags(tag, key.event()), Some(key));
        }
        let longest = "x".repeat(256);
        let key = MailKey::new(&longest, EventHash::of("{}"));
        assert_eq!(key.notification_id(), longest);
    }

    #[test]
    fn tags_that_are_not_ours_make_no_key() {
        for (id, event) in [
            ("", "ba7816bf8f01cfea"),
            (ID, ""),
            (ID, "ba7816bf8f01cfeaa"),
            (ID, "ba7816bf8f01cfeg"),
            ("a.b", "ba7816bf8f01cfea"),
        ] {
            assert_eq!(MailKey::of_tags(id, event), None, "{id} {event}");
        }
    }
}
