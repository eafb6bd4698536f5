//! Fields of events as text.

use super::*;

/// What an event has at a place.
fn text(event: &str, pointer: &str) -> Result<Option<String>, Rejection> {
    let pointer = JsonPointer::parse(pointer).unwrap();
    let event = Event::read(event, &Fields::new([&pointer])).unwrap();
    Ok(event.text(&pointer)?.map(str::to_owned))
}

#[test]
fn scalars_are_text_as_they_were_written() {
    let event = r#" {"s": "a\nb", "t": true, "f": false, "n": null, "i": 3, "neg": -7, "float": 1.0,
            "zero": -0, "exp": 1E2, "max": 18446744073709551615, "big": 123456789012345678901234567890,
            "deep": {"a/b": [0, {"~": 2.50 }]}} "#;
    for (pointer, expected) in [
        ("/s", Some("a\nb")),
        ("/t", Some("true")),
        ("/f", Some("false")),
        ("/n", None),
        ("/absent", None),
        ("/s/x", None),
        ("/i", Some("3")),
        ("/neg", Some("-7")),
        ("/float", Some("1.0")),
        ("/zero", Some("-0")),
        ("/exp", Some("1E2")),
        ("/max", Some("18446744073709551615")),
        ("/big", Some("123456789012345678901234567890")),
        ("/deep/a~1b/1/~0", Some("2.50")),
        ("/deep/a~1b/0", Some("0")),
        ("/deep/a~1b/01", None),
    ] {
        let text = text(event, pointer).unwrap();
        assert_eq!(text.as_deref(), expected, "{pointer}");
    }
    for (pointer, found) in [("/deep", "an object"), ("/deep/a~1b", "an array")] {
        let field = JsonPointer::parse(pointer).unwrap();
        assert_eq!(
            text(event, pointer),
            Err(Rejection::NotText { field, found })
        );
    }
}

#[test]
fn a_token_names_a_place_in_an_array_by_its_digits_alone() {
    let event = r#"{"attendees":["a","b"],"0":"c"}"#;
    let text = |pointer: &str| text(event, pointer).unwrap();
    assert_eq!(text("/attendees/0").as_deref(), Some("a"));
    assert_eq!(text("/attendees/1").as_deref(), Some("b"));
    for nothing in [
        "/attendees/01",
        "/attendees/+1",
        "/attendees/2",
        "/attendees/",
        "/attendees/-",
    ] {
        assert_eq!(text(nothing), None, "{nothing}");
    }
    assert_eq!(text("/0").as_deref(), Some("c"));
}

#[test]
fn the_digits_of_a_number_are_kept_wherever_it_stands() {
    for (source, pointer) in [
        (r#"{"n":2.50}"#, "/n"),
        (r#"{"a":{"n":2.50}}"#, "/a/n"),
        (r#"{"a":["x",2.50]}"#, "/a/1"),
    ] {
        let text = text(source, pointer).unwrap();
        assert_eq!(text.as_deref(), Some("2.50"), "{source}");
    }
}
