//! Values of placeholders, and patterns.

use serde_json::json;

use super::{super::event::Fields, *};

fn pointer(text: &str) -> JsonPointer {
    JsonPointer::parse(text).unwrap()
}

fn placeholder(name: &str, fallback: Option<&str>, default: Option<&str>) -> Placeholder {
    Placeholder {
        name: name.to_owned(),
        field: pointer("/field"),
        fallback: fallback.map(pointer),
        default: default.map(str::to_owned),
    }
}

fn value(placeholder: &Placeholder, event: &serde_json::Value) -> Result<String, Rejection> {
    let source = event.to_string();
    let fields = iter::once(&placeholder.field).chain(&placeholder.fallback);
    let event = Event::read(&source, &Fields::new(fields)).unwrap();
    let value = placeholder.value(&event, Needs::Template);
    value.map(str::to_owned)
}

#[test]
fn a_value_is_the_field_else_the_fallback_else_the_default() {
    let placeholder = placeholder("x", Some("/other"), Some("none"));
    for (event, expected) in [
        (json!({"field": "a", "other": "b"}), "a"),
        (json!({"field": null, "other": "b"}), "b"),
        (json!({"field": "", "other": "b"}), "b"),
        (
            json!({"field": " \n\u{200b}\u{feff}\u{200e}\0", "other": "b"}),
            "b",
        ),
        (json!({"other": "b"}), "b"),
        (json!({"other": ""}), "none"),
        (json!({"field": 0}), "0"),
        (json!({"field": false}), "false"),
        (json!({}), "none"),
    ] {
        assert_eq!(
            value(&placeholder, &event).as_deref(),
            Ok(expected),
            "{event}"
        );
    }
}

#[test]
fn a_blank_value_counts_where_nothing_takes_its_place() {
    assert_eq!(
        value(&placeholder("x", None, None), &json!({"field": " "})).as_deref(),
        Ok(" ")
    );
    let with_fallback = placeholder("x", Some("/other"), None);
    assert_eq!(
        value(&with_fallback, &json!({"field": ""})).as_deref(),
        Ok("")
    );
}

#[test]
fn a_missing_field_is_named_with_who_needs_it() {
    let rejection = value(&placeholder("uid", None, None), &json!({"field": null})).unwrap_err();
    assert_eq!(
        rejection.to_string(),
        "no field /field, which the template's {uid} needs"
    );
    assert_eq!(rejection.kind(), "missing_field");
}

#[test]
fn objects_and_arrays_are_refused_even_where_there_is_a_default() {
    let placeholder = placeholder("x", Some("/other"), Some("none"));
    let rejection =
        value(&placeholder, &json!({"field": {"secret": 1}, "other": "b"})).unwrap_err();
    assert_eq!(
        rejection.to_string(),
        "the field /field is not text but an object"
    );
    let rejection = value(&placeholder, &json!({"other": ["secret"]})).unwrap_err();
    assert_eq!(
        rejection.to_string(),
        "the field /other is not text but an array"
    );
}

#[test]
fn names_are_ascii_words() {
    for name in ["a", "_", "event_2", "X9"] {
        assert!(Placeholder::is_name(name), "{name}");
    }
    for name in ["", "9a", "a-b", "a b", "ä", "a}"] {
        assert!(!Placeholder::is_name(name), "{name}");
    }
}

#[test]
fn only_declared_names_in_tight_braces_are_placeholders() {
    let declared = ["uid", "u"].map(|name| placeholder(name, None, None));
    let declared = Placeholders::new(declared.to_vec());
    for (source, expected) in [
        ("{uid}", "<uid>"),
        ("a{uid}{u}b", "a<uid><u>b"),
        ("{{uid}}", "{<uid>}"),
        ("{uid{uid}", "{uid<uid>"),
        ("{ uid }{UID}{uidx}{}{", "{ uid }{UID}{uidx}{}{"),
        ("p{color:red}{uid", "p{color:red}{uid"),
        ("ä{ü}{uid}é", "ä{ü}<uid>é"),
        ("", ""),
    ] {
        let pattern = Pattern::parse(source, &declared);
        let names: Vec<_> = pattern.names().map(|name| format!("<{name}>")).collect();
        assert_eq!(fill(&pattern.segments, &names), expected, "{source}");
    }
}
