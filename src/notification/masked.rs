//! Masks addresses in texts that others wrote.

use super::address::mask;

/// A text with every address in it masked.
///
/// A word that contains an `@` is masked from its start, whatever else is in it: in
/// `user:o'brien@example.com` nobody knows where the address begins.
pub fn masked_text(text: &str) -> String {
    // None of these can be part of an [`Address`](super::Address).
    let ends_word = |c: char| c.is_whitespace() || c.is_control() || "<>\"(),;".contains(c);
    let mut masked = String::with_capacity(text.len());
    for piece in text.split_inclusive(ends_word) {
        let word = piece.trim_end_matches(ends_word);
        if word.contains('@') {
            // After the last `@` these end a sentence or a quotation.
            let address = word.trim_end_matches(['.', ':', '\'']);
            masked.push_str(&mask(address));
            masked.push_str(&word[address.len()..]);
        } else {
            masked.push_str(word);
        }
        masked.push_str(&piece[word.len()..]);
    }
    masked
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::notification::Address;

    #[test]
    fn addresses_in_a_text_are_masked_wherever_they_stand() {
        let cases = [
            ("no address here: it's fine", "no address here: it's fine"),
            (
                "identity dana@example.com failed",
                "identity d***@example.com failed",
            ),
            (
                "<dana@example.com>, \"lee@x.org\".",
                "<d***@example.com>, \"l***@x.org\".",
            ),
            (
                "US-EAST-1: a@x.com,b@y.com",
                "US-EAST-1: a***@x.com,b***@y.com",
            ),
            (
                "for miles.o'brien@example.com: denied",
                "for m***@example.com: denied",
            ),
            (
                "User: arn:aws:sts::123456789012:assumed-role/Mail/miles.o'brien@example.com is not",
                "User: a***@example.com is not",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(masked_text(text), expected);
        }
    }

    proptest! {
        #[test]
        fn no_local_part_survives(
            first in "[!#-'*+./0-9=?A-Z\\[\\\\\\]^_`a-z{|}~@-]",
            rest in "[!#-'*+./0-9=?A-Z\\[\\\\\\]^_`a-z{|}~@-]{2,20}",
            before in "[ :'a-z(]{0,8}",
            after in "[ :'.)]{0,3}",
        ) {
            let address = format!("{first}{rest}@example.com");
            prop_assert!(Address::parse(&address).is_ok());
            let masked = masked_text(&format!("{before}{address}{after}"));
            // `***@example.com` is what every masked address ends with.
            let shown = masked.replace("***@example.com", "\0");
            let local = format!("{first}{rest}");
            prop_assert!(!shown.contains(&local), "{masked}");
            prop_assert!(!shown.contains(&rest) || before.contains(&rest) || after.contains(&rest), "{masked}");
        }
    }
}
