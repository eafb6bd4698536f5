//! Addresses as they are shown, and odd ones for other tests.

use proptest::prelude::*;

use super::*;

#[test]
fn masking_leaves_a_letter_and_the_domain() {
    for (address, masked) in [
        ("dana@example.com", "d***@example.com"),
        ("é@bücher.example", "é***@bücher.example"),
        ("dana", "***"),
        ("", "***"),
        ("@", "***@"),
        ("\"dana\"@example.com", "***@example.com"),
        ("a@x.com,eve@example.net", "a***@example.net"),
        ("Dana <dana@example.com>\r\nSecret: x", "D***@example.com"),
        ("dana@example.com is a secret", "d***@example.com"),
    ] {
        assert_eq!(mask(address), masked, "{address:?}");
    }
    let address = Address::parse("dana@example.com").unwrap();
    assert_eq!(
        format!("{address} {address:?}"),
        "d***@example.com d***@example.com"
    );
}

/// Pieces that addresses go wrong with, so that the generator finds more than rubbish.
pub(in crate::notification) fn odd_addresses() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("@".to_owned()),
        Just("dana".to_owned()),
        Just("example.com".to_owned()),
        Just("bücher＜．example".to_owned()),
        "[<>\"(),; \r\n\t\\\\]",
        any::<char>().prop_map(String::from),
    ];
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn a_mask_is_short_and_on_one_line(value in odd_addresses()) {
        let masked = mask(&value);
        prop_assert!(masked.contains("***"));
        prop_assert!(!masked.chars().any(|c| c.is_control() || c.is_whitespace()));
        prop_assert!(masked.chars().count() <= 258);
    }
}
