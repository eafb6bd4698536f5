//! Mailboxes as headers.

use proptest::prelude::*;

use super::*;

#[test]
fn a_mailbox_becomes_a_header_that_needs_no_more_care() {
    for (written, header) in [
        ("noreply@example.com", "noreply@example.com"),
        ("  <noreply@example.com> ", "noreply@example.com"),
        ("\"\" <a@b.c>", "a@b.c"),
        (
            "Calendar <noreply@example.com>",
            "Calendar <noreply@example.com>",
        ),
        (
            "Calendar<noreply@example.com>",
            "Calendar <noreply@example.com>",
        ),
        ("\"Calendar\" <a@b.c>", "Calendar <a@b.c>"),
        ("Dana & Co <a@b.c>", "Dana & Co <a@b.c>"),
        ("Dana  Doe <a@b.c>", "Dana  Doe <a@b.c>"),
        ("Example, Inc. <a@b.c>", "\"Example, Inc.\" <a@b.c>"),
        ("\"Example, Inc.\" <a@b.c>", "\"Example, Inc.\" <a@b.c>"),
        ("<x> <a@b.c>", "\"<x>\" <a@b.c>"),
        (
            r#""The \"best\" \\ mail" <a@b.c>"#,
            r#""The \"best\" \\ mail" <a@b.c>"#,
        ),
        ("a@b.c <a@b.c>", "\"a@b.c\" <a@b.c>"),
        ("Büro <a@b.c>", "=?UTF-8?B?QsO8cm8=?= <a@b.c>"),
        (
            "=?utf-8?Q?B=C3=BCro?= Berlin <a@b.c>",
            "=?utf-8?Q?B=C3=BCro?= Berlin <a@b.c>",
        ),
        ("=?not so <a@b.c>", "=?UTF-8?B?PT9ub3Qgc28=?= <a@b.c>"),
        ("a@bücher.example", "a@xn--bcher-kva.example"),
    ] {
        let sender = Sender::parse(written).unwrap_or_else(|error| panic!("{written}: {error}"));
        assert_eq!(sender.header(), header, "{written}");
    }
}

#[test]
fn what_is_no_mailbox_is_refused_with_what_is_allowed() {
    for (written, expected) in [
        ("", SenderError::Address(AddressError::NoAt)),
        ("<>", SenderError::Address(AddressError::NoAt)),
        ("A <a@b.c>, B <b@b.c>", SenderError::Several),
        ("a@b.c, B <b@b.c>", SenderError::Several),
        ("a@b.c;b@b.c", SenderError::Address(AddressError::Special)),
        ("Dana", SenderError::Address(AddressError::NoAt)),
        (
            "Dana dana@example.com",
            SenderError::Address(AddressError::Blank),
        ),
        ("a@b.c, d@e.f", SenderError::Address(AddressError::Blank)),
        (
            "jürgen@example.com",
            SenderError::Address(AddressError::LocalPart),
        ),
        ("Dana <a@b.c", SenderError::Brackets),
        ("Dana a@b.c>", SenderError::Brackets),
        ("<a@b.c> Dana", SenderError::Brackets),
        ("Dana\r\nBcc: e@f.g <a@b.c>", SenderError::Name),
        ("\"Dana <a@b.c>", SenderError::Name),
        ("Da\"na <a@b.c>", SenderError::Name),
        ("\"Da\" na\" <a@b.c>", SenderError::Name),
    ] {
        assert_eq!(Sender::parse(written), Err(expected), "{written:?}");
    }
    assert_eq!(
        SenderError::Address(AddressError::NoAt).to_string(),
        "is not one address: it is not of the form name@domain"
    );
}

#[test]
fn debug_shows_neither_name_nor_whole_address() {
    let sender = Sender::parse("Dana <dana@example.com>").unwrap();
    assert_eq!(
        format!("{sender:?}"),
        "Sender { address: d***@example.com, .. }"
    );
}

proptest! {
    #[test]
    fn encoded_words_are_short_and_say_the_name(name in "\\PC*[é-ÿ]\\PC*") {
        let words = encoded_words(&name);
        let mut decoded = String::new();
        for word in words.split(' ') {
            prop_assert!(word.len() <= 75 && word.is_ascii());
            let text = word.strip_prefix("=?UTF-8?B?").unwrap().strip_suffix("?=").unwrap();
            // Each word is whole characters, as the standard wants.
            decoded.push_str(&String::from_utf8(STANDARD.decode(text).unwrap()).unwrap());
        }
        prop_assert_eq!(decoded, name);
    }

    #[test]
    fn a_header_is_one_line_of_ascii(written in "(\\PC|[\"\\\\<>\r\n]){0,20} ?<a@b.c>") {
        if let Ok(sender) = Sender::parse(&written) {
            prop_assert!(sender.header().chars().all(|c| c.is_ascii_graphic() || c == ' '));
        }
    }
}
