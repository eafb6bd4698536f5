//! Subjects of hostile summaries.

use proptest::prelude::*;
use serde_json::json;

use super::super::{JsonPointer, Placeholder, event::Fields};
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
        prop_assert!(!subject.chars().any(|c| c.is_control() || is_format(c) || (c.is_whitespace() && c != ' ')));
        prop_assert_eq!(subject.trim(), &subject);
        prop_assert!(!subject.contains("  "));
    }
}
