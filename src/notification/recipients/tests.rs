//! Recipients as found in the wild.

use proptest::prelude::*;

use super::*;
use crate::notification::address::{AddressError, tests::odd_addresses};

fn sender() -> Sender {
    Sender::parse("Calendar <noreply@example.com>").unwrap()
}

fn parsed(value: &str) -> Result<Vec<String>, Rejection> {
    let recipients = recipients(value, &sender())?;
    Ok(recipients
        .iter()
        .map(|address| address.as_str().to_owned())
        .collect())
}

#[test]
fn odd_envelope_senders_are_understood() {
    let long = format!("{}@example.com", "x".repeat(65));
    for (value, expected) in [
        ("dana@example.com", vec!["dana@example.com"]),
        ("\"dana@example.com\"", vec!["dana@example.com"]),
        ("<dana@example.com>", vec!["dana@example.com"]),
        ("< dana@example.com >", vec!["dana@example.com"]),
        ("\r\n dana@example.com", vec!["dana@example.com"]),
        ("a@x.com,", vec!["a@x.com"]),
        (",, a@x.com ,\t,", vec!["a@x.com"]),
        ("'dana@example.com'", vec!["dana@example.com"]),
        (
            "\u{feff}dana@example.com\u{200b} ",
            vec!["dana@example.com"],
        ),
        (
            "< \u{2068}dana@example.com\u{2069} >",
            vec!["dana@example.com"],
        ),
        ("MAILTO:dana@example.com", vec!["dana@example.com"]),
        ("<mailto:dana@example.com>", vec!["dana@example.com"]),
        ("\"MailTo: dana@example.com\"", vec!["dana@example.com"]),
        ("Dana <dana@example.com>", vec!["dana@example.com"]),
        ("\"Doe, Dana\" <dana@example.com>", vec!["dana@example.com"]),
        (
            "\"Doe; D.\" <d@x.com>; 'j@y.com'",
            vec!["d@x.com", "j@y.com"],
        ),
        (
            "CN=Dana:mailto <dana@example.com>",
            vec!["dana@example.com"],
        ),
        (
            "dana@example.com;eve@example.net",
            vec!["dana@example.com", "eve@example.net"],
        ),
        ("'a@x.com; b@y.com'", vec!["a@x.com", "b@y.com"]),
        ("dana@[IPv6:2001:db8::1]", vec!["dana@[IPv6:2001:db8::1]"]),
        ("jane@x.com (jane doe)", vec!["jane@x.com"]),
        ("jane@x.com(jane)", vec!["jane@x.com"]),
        ("<jane@x.com> (jane doe)", vec!["jane@x.com"]),
        (
            "jane@x.com (Doe, Jane), b@y.com",
            vec!["jane@x.com", "b@y.com"],
        ),
        ("a@x.com,b@y.com", vec!["a@x.com", "b@y.com"]),
        ("\"a@x.com\", <b@y.com>", vec!["a@x.com", "b@y.com"]),
        ("\"a@x.com, b@y.com\"", vec!["a@x.com", "b@y.com"]),
        ("<a@x.com>,<b@y.com>", vec!["a@x.com", "b@y.com"]),
        ("A@x.com,a@X.com", vec!["A@x.com"]),
        (
            "dana+calendar=1/2'x@example.com",
            vec!["dana+calendar=1/2'x@example.com"],
        ),
        ("a@b@c.com", vec!["a@b@c.com"]),
        (
            "dana@xn--bcher-kva.example",
            vec!["dana@xn--bcher-kva.example"],
        ),
        ("dana@bücher.example", vec!["dana@xn--bcher-kva.example"]),
        (
            "dana@BÜCHER.example, dana@bücher.example",
            vec!["dana@xn--bcher-kva.example"],
        ),
        ("dana@例え.テスト", vec!["dana@xn--r8jz45g.xn--zckzah"]),
        (long.as_str(), vec![long.as_str()]),
        ("", vec![]),
        (" , ,\r\n", vec![]),
    ] {
        let expected: Vec<_> = expected.into_iter().map(str::to_owned).collect();
        assert_eq!(parsed(value), Ok(expected), "{value:?}");
    }
}

#[test]
fn what_could_break_a_header_is_refused() {
    use AddressError::{Blank, Domain, LocalPart, NoAt, Special};
    for (value, expected) in [
        ("dana", NoAt),
        ("<>", NoAt),
        ("\"\"", NoAt),
        ("(nobody)", NoAt),
        ("@", NoAt),
        ("dana@", NoAt),
        ("@example.com", NoAt),
        ("da na@example.com", Blank),
        ("dana@example.com\r\nBcc: eve@example.net", Blank),
        ("dana@exa\u{a0}mple.com", Blank),
        ("da\0na@example.com", Blank),
        ("dana@example.com\u{85}x", Blank),
        ("<\"dana@example.com\">", Special),
        ("<<dana@example.com>>", Special),
        ("\"dana\"@example.com", Special),
        ("x:dana@example.com", Special),
        ("dana:x@example.com", Special),
        ("\"dana@example.com", Special),
        ("Dana <eve@x.com> <dana@example.com>", Blank),
        ("dana@example.com>x<eve@x.com", Special),
        ("dana(x)@example.com", Special),
        ("dana@example.com (jane (jj))", Blank),
        ("jürgen@example.com", LocalPart),
        ("da\u{200b}na@example.com", LocalPart),
        ("dana@bü_cher.example", Domain),
        ("dana@\u{200b}", NoAt),
        // Full-width characters, which the mapping of domain names turns into ASCII.
        ("dana@x＜y＞.example", Domain),
        ("dana@x，y.example", Domain),
        ("dana@x＠y.example", Domain),
    ] {
        let expected = Rejection::BadRecipient {
            position: 1,
            error: expected,
        };
        assert_eq!(parsed(value), Err(expected), "{value:?}");
    }
}

#[test]
fn one_bad_recipient_refuses_all_and_is_named_by_position() {
    let error = parsed("a@x.com,,b").unwrap_err();
    assert_eq!(
        error.to_string(),
        "recipient 2 is not a valid address: it is not of the form name@domain"
    );
    assert_eq!(error.kind(), "bad_recipient");
}

#[test]
fn fifty_different_recipients_are_the_most() {
    let list = |count: usize| {
        let pairs: Vec<_> = (0..count)
            .map(|n| format!("u{n}@x.com,U{n}@x.com,"))
            .collect();
        pairs.concat()
    };
    assert_eq!(parsed(&list(50)).unwrap().len(), 50);
    assert_eq!(parsed(&list(51)), Err(Rejection::TooManyRecipients(51)));
}

#[test]
fn the_sender_is_not_written_to_however_it_is_spelt() {
    for value in [
        "noreply@example.com",
        "NoReply@EXAMPLE.com",
        "a@x.com,<noreply@example.com>",
        "noreply@example.com.",
    ] {
        assert!(
            matches!(parsed(value), Err(Rejection::OwnAddress(_))),
            "{value}"
        );
    }
    let sender = Sender::parse("x@BÜCHER.example").unwrap();
    for value in ["x@bücher.example", "X@xn--BCHER-kva.example"] {
        assert_eq!(
            recipients(value, &sender),
            Err(Rejection::OwnAddress(1)),
            "{value}"
        );
    }
    assert!(parsed("noreply+1@example.com").is_ok());
}

#[test]
fn a_megabyte_of_parentheses_and_commas_is_taken_apart_at_once() {
    for piece in ["(", "(,", ",", "(),", "\"<,"] {
        let value = piece.repeat((1 << 20) / piece.len());
        assert!(parsed(&value).is_err() || parsed(&value) == Ok(Vec::new()));
    }
}

proptest! {
    #[test]
    fn no_accepted_recipient_can_break_a_header(value in odd_addresses()) {
        if let Ok(recipients) = parsed(&value) {
            for address in recipients {
                prop_assert!(address.contains('@'));
                prop_assert!(address.chars().all(|c| c.is_ascii_graphic()), "{address:?}");
                prop_assert!(!address.contains(['<', '>', '"', '(', ')', ',', ';']), "{address:?}");
            }
        }
    }
}
