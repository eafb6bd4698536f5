//! A text escaped for JSON.

use std::fmt;

use serde_json::Value;

/// A text as it stands between the quotes of a JSON string, escaped. Most of a mail's HTML is the
/// template's, which is escaped once this way and not for every mail.
/// `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct JsonText(String);

impl JsonText {
    /// Escapes a text.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let quoted = Value::from(text).to_string();
        Self(quoted[1..quoted.len() - 1].to_owned())
    }

    /// Takes what was put together of escaped texts.
    pub(super) fn escaped(text: String) -> Self {
        Self(text)
    }

    /// As it stands between the quotes.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text itself.
    #[must_use]
    pub fn plain(&self) -> String {
        let quoted = format!("\"{}\"", self.0);
        // What was escaped always is a string of JSON.
        serde_json::from_str(&quoted).unwrap_or(quoted)
    }
}

impl fmt::Debug for JsonText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("JsonText").finish_non_exhaustive()
    }
}

impl AsRef<str> for JsonText {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_escaped_and_put_together_is_what_was_given(first in any::<String>(), second in any::<String>()) {
            let [one, two] = [&first, &second].map(|text| JsonText::new(text));
            let whole = JsonText::escaped(one.0 + two.as_str());
            prop_assert_eq!(whole.plain(), first + &second);
        }
    }
}
