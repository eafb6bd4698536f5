//! JSON texts, and what other languages take for such.

use proptest::prelude::*;

use super::*;

#[test]
fn half_a_surrogate_pair_is_one_replacement_character() {
    for (written, expected) in [
        (r#""plain""#, Some("plain")),
        (r#""caf\udce9""#, Some("caf\u{fffd}")),
        (r#""\ud83d\udc4b""#, Some("👋")),
        (r#""\ud83d""#, Some("\u{fffd}")),
        (r#""\ud83dx""#, Some("\u{fffd}x")),
        (r#""\udc4b\ud83d""#, Some("\u{fffd}\u{fffd}")),
        (r#""\ud83d\ud83d\udc4b""#, Some("\u{fffd}👋")),
        (r#""\ud7ff\ue000\uffff""#, Some("\u{d7ff}\u{e000}\u{ffff}")),
        ("1", None),
        ("{\"a\":\"b\"}", None),
    ] {
        assert_eq!(string(written).as_deref(), expected, "{written}");
    }
}

#[test]
fn constants_are_replaced_outside_of_strings_alone() {
    for (text, expected) in [
        (r#"{"NaN":"Infinity"}"#, r#"{"NaN":"Infinity"}"#),
        (r#"{"a":-1}"#, r#"{"a":-1}"#),
        (r#"{"a\"":"NaN\\"}"#, r#"{"a\"":"NaN\\"}"#),
        (r#"{"a":NaN}"#, r#"{"a":[>]}"#),
        (
            r#"["\\",-Infinity,Infinity,"é\u0022NaN",NaN]"#,
            r#"["\\",[>>>>>>>],[>>>>>>],"é\u0022NaN",[>]]"#,
        ),
        ("[\"\\é\",NaN", "[\"\\é\",[>]"),
    ] {
        assert_eq!(without_constants(text).replace('\t', ">"), expected);
    }
}

#[test]
fn a_field_is_as_it_was_written() {
    let object = r#" {"a": [1, {"b": 2.50}], "n": null , "a\u0062": "x\ny"} "#;
    let names = ["a", "n", "ab", "other"];
    assert_eq!(
        fields(object, &names).unwrap(),
        [
            Some(r#"[1, {"b": 2.50}]"#),
            Some("null"),
            Some(r#""x\ny""#),
            None
        ]
    );
    for no_object in ["[]", "{} x", "{", "1"] {
        assert!(fields(no_object, &names).is_err(), "{no_object}");
    }
}

proptest! {
    #[test]
    fn whatever_a_strict_parser_reads_is_read_the_same(value in value(), name in ".{0,3}") {
        let object = serde_json::json!({ "before": value, &name: value, "after": [value] });
        let text = object.to_string();
        let found = read(&text, |object| {
            let found = fields(object, &[&name])?.pop().flatten();
            Ok(found.map(str::to_owned))
        });
        let found = found.unwrap().unwrap();
        prop_assert_eq!(&serde_json::from_str::<serde_json::Value>(&found).unwrap(), &object[&name]);
        if let Some(text) = object[&name].as_str() {
            let read = string(&found);
            prop_assert_eq!(read.as_deref(), Some(text));
        }
    }

    #[test]
    fn no_text_at_all_ends_the_process(text in "[{}\\[\\]\"\\\\,:NaInfity0-9eEudc \n\u{e9}-]{0,60}") {
        drop(read(&text, |object| fields(object, &["a", ""]).map(drop)));
    }
}

fn value() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        ".{0,8}".prop_map(serde_json::Value::String),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
            prop::collection::btree_map(".{0,4}", inner, 0..4)
                .prop_map(|fields| serde_json::Value::Object(fields.into_iter().collect())),
        ]
    })
}
