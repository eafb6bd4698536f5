//! A place in an event.

use std::fmt;

/// A place in an event (RFC 6901), such as `/organizer` or `/attendees/0/name`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct JsonPointer {
    text: String,
    /// The names and numbers on the way, without escapes.
    pub(super) tokens: Vec<String>,
}

/// Why a text is no pointer to a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PointerError {
    /// Empty (which would be the whole event), or without the leading slash.
    #[error("which does not begin with `/`")]
    NoSlash,
    /// A `~` that is neither `~0` (a tilde) nor `~1` (a slash).
    #[error("in which a `~` is not written `~0`")]
    Tilde,
}

impl JsonPointer {
    /// Takes a pointer to a field, not to the event as a whole.
    pub fn parse(text: &str) -> Result<Self, PointerError> {
        let tokens = text.strip_prefix('/').ok_or(PointerError::NoSlash)?;
        let mut escapes = text.split('~').skip(1);
        if !escapes.all(|rest| rest.starts_with(['0', '1'])) {
            return Err(PointerError::Tilde);
        }
        Ok(Self {
            text: text.to_owned(),
            tokens: tokens
                .split('/')
                .map(|token| token.replace("~1", "/").replace("~0", "~"))
                .collect(),
        })
    }

    /// The pointer as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for JsonPointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_begins_with_a_slash_and_escapes_its_tildes() {
        for (text, expected) in [
            ("", Err(PointerError::NoSlash)),
            ("uid", Err(PointerError::NoSlash)),
            ("/a~", Err(PointerError::Tilde)),
            ("/a~2", Err(PointerError::Tilde)),
            ("/~0~1/ä/", Ok("/~0~1/ä/")),
            ("/", Ok("/")),
        ] {
            assert_eq!(
                JsonPointer::parse(text).as_ref().map(JsonPointer::as_str),
                expected.as_ref().copied()
            );
        }
    }
}
