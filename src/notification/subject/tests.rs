//! Subjects of hostile summaries.

use proptest::prelude::*;
use serde_json::json;

use super::super::{JsonPointer, Placeholder, characters::is_joiner, event::Fields};
use super::*;

fn render(source: &str, summary: &str) -> String {
    let field = JsonPointer::parse("/summary").unwrap();
    let fields = Fields::new([&field]);
    let declared = Placeholders::new(vec![Placeholder {
        name: "summary".to_owned(),
        field,
        fallback: None,
        default: None,
    }]);
    let event = json!({"summary": summary}).to_string();
    let event = Event::read(&event, &fields).unwrap();
    Subject::compile(source, &declared).render(&event).unwrap()
}

#[test]
fn a_subject_is_one_clean_line() {
    for (summary, expected) in [
        ("Planning", "Re: Planning!"),
        ("a\r\nBcc: eve@example.net", "Re: a Bcc: eve@example.net!"),
        ("  a \t\u{a0}\u{2028} b  ", "Re: a b !"),
        ("a\0\u{7}\u{1b}[31mb", "Re: a[31mb!"),
        ("a\u{85}b\u{b}c", "Re: a b c!"),
        (
            "\u{202e}gpj\u{202c}\u{200b}\u{feff}\u{ad}\u{e0041}",
            "Re: gpj!",
        ),
        ("{summary}<b>&", "Re: {summary}<b>&!"),
        ("日本 👋", "Re: 日本 👋!"),
        ("", "Re: !"),
    ] {
        assert_eq!(
            render(" Re:\n{summary}! ", summary),
            expected,
            "{summary:?}"
        );
    }
}

#[test]
fn what_joins_characters_stays_and_what_steers_them_goes() {
    let scotland = "\u{1f3f4}\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f}";
    let family = "👨\u{200d}👩\u{200d}👧";
    for (summary, expected) in [
        (family, family),
        ("می\u{200c}خواهم", "می\u{200c}خواهم"),
        ("क्\u{200d}ष", "क्\u{200d}ष"),
        (scotland, scotland),
        ("\u{200d}a\u{200d}", "a"),
        ("a\u{200d} b", "a b"),
        ("a \u{200d}b", "a b"),
        ("a\u{200d}\u{200d}b", "ab"),
        ("a\u{200d}\u{202e}b", "ab"),
        ("a\u{200b}b\u{feff}c\u{ad}d", "abcd"),
        ("x\u{e0067}\u{e0062}\u{e0073}\u{e007f}", "x"),
        ("\u{1f3f4}\u{e0041}\u{e0042}\u{e0043}\u{e007f}", "\u{1f3f4}"),
        ("\u{1f3f4}\u{e0067}\u{e0062}", "\u{1f3f4}"),
        ("\u{2066}a\u{2069}\u{200e}", "a"),
    ] {
        assert_eq!(render("{summary}", summary), expected, "{summary:?}");
    }
}

#[test]
fn nothing_that_a_mail_program_would_decode_is_left() {
    for (summary, expected) in [
        ("=?utf-8?q?=E2=80=AE?=", "= ?utf-8?q?=E2=80=AE?="),
        ("=\u{202e}?x", "= ?x"),
        ("a == ? b=?", "a == ? b= ?"),
    ] {
        assert_eq!(render("{summary}", summary), expected, "{summary:?}");
    }
    assert_eq!(render("={summary}", "?utf-8?q?x?="), "= ?utf-8?q?x?=");
}

#[test]
fn two_hundred_characters_are_the_most_and_the_ellipsis_is_one_of_them() {
    assert_eq!(render("{summary}", &"é".repeat(200)), "é".repeat(200));
    assert_eq!(
        render("{summary}", &"é".repeat(201)),
        format!("{}…", "é".repeat(199))
    );
    assert_eq!(
        render("{summary} ", &format!("{}   ", "x".repeat(200))),
        "x".repeat(200)
    );
    assert_eq!(
        render("{summary}", &format!("{} yz", "x".repeat(198))),
        format!("{}…", "x".repeat(198))
    );
    assert_eq!(
        render("{summary}", &format!("{} y", "x".repeat(198))),
        format!("{} y", "x".repeat(198))
    );
}

#[test]
fn a_summary_of_200_kb_is_cut_at_once() {
    assert_eq!(
        render("{summary}", &"x ".repeat(100_000)).chars().count(),
        200
    );
    assert_eq!(render("a{summary}", &" \u{200b}".repeat(50_000)), "a");
}

#[test]
fn a_subject_names_its_placeholders_once() {
    let declared = Placeholders::default();
    assert_eq!(
        Subject::compile("{uid}", &declared).placeholders().count(),
        0
    );
}

proptest! {
    #[test]
    fn no_subject_breaks_its_header(summary in any::<String>(), source in "(\\PC|\\{summary\\}|[\r\n\u{200b}]){0,300}") {
        let subject = render(&source, &summary);
        prop_assert!(subject.chars().count() <= SUBJECT_MAX_CHARS);
        prop_assert!(!subject.chars().any(|c| c.is_control() || (c.is_whitespace() && c != ' ')));
        let flag_tags = '\u{e0020}'..='\u{e007f}';
        prop_assert!(!subject.chars().any(|c| is_format(c) && !is_joiner(c) && !flag_tags.contains(&c)));
        prop_assert!(!subject.contains("=?"));
        prop_assert_eq!(subject.trim(), &subject);
        prop_assert!(!subject.contains("  "));
    }
}
