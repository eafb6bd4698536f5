//! YAML as JSON; `CloudFormation`'s short tags in their long form, `!Ref x` as `{"Ref": "x"}`.

use std::collections::HashMap;

use serde_json::{Map, Value, json};
use yaml_rust2::parser::{Event, EventReceiver, Parser, Tag};
use yaml_rust2::scanner::TScalarStyle;

/// Reads one document.
pub(crate) fn read(text: &str) -> Value {
    let mut builder = Builder::default();
    Parser::new_from_str(text)
        .load(&mut builder, false)
        .unwrap();
    builder.document.unwrap()
}

/// A collection that is being read.
struct Open {
    anchor: usize,
    tag: Option<String>,
    items: Vec<Value>,
    mapping: bool,
}

#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    anchors: HashMap<usize, Value>,
    document: Option<Value>,
}

impl EventReceiver for Builder {
    fn on_event(&mut self, event: Event) {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let value = match (style, own(tag.as_ref())) {
                    (TScalarStyle::Plain, None) => plain(&text),
                    (_, tag) => tagged(tag.as_deref(), Value::String(text)),
                };
                self.done(anchor, value);
            }
            Event::SequenceStart(anchor, tag) => self.begin(anchor, tag.as_ref(), false),
            Event::MappingStart(anchor, tag) => self.begin(anchor, tag.as_ref(), true),
            Event::SequenceEnd | Event::MappingEnd => {
                let open = self.open.pop().unwrap();
                let value = if open.mapping {
                    mapping(&open.items)
                } else {
                    Value::Array(open.items)
                };
                self.done(open.anchor, tagged(open.tag.as_deref(), value));
            }
            Event::Alias(anchor) => {
                let value = self.anchors[&anchor].clone();
                self.done(0, value);
            }
            _ => {}
        }
    }
}

impl Builder {
    fn begin(&mut self, anchor: usize, tag: Option<&Tag>, mapping: bool) {
        self.open.push(Open {
            anchor,
            tag: own(tag),
            items: Vec::new(),
            mapping,
        });
    }

    fn done(&mut self, anchor: usize, value: Value) {
        if anchor > 0 {
            self.anchors.insert(anchor, value.clone());
        }
        match self.open.last_mut() {
            Some(open) => open.items.push(value),
            None => self.document = Some(value),
        }
    }
}

/// Keys and values in turn; those of `<<` come first, so that others win.
fn mapping(items: &[Value]) -> Value {
    let mut map = Map::new();
    for pair in items.chunks(2) {
        let key = match &pair[0] {
            Value::String(key) => key.clone(),
            other => other.to_string(),
        };
        if key == "<<" {
            map.extend(pair[1].as_object().unwrap().clone());
        } else {
            let twice = map.insert(key.clone(), pair[1].clone());
            assert!(twice.is_none(), "{key} is there twice");
        }
    }
    Value::Object(map)
}

/// A tag that begins with one `!`, by its name.
fn own(tag: Option<&Tag>) -> Option<String> {
    tag.filter(|tag| tag.handle == "!")
        .map(|tag| tag.suffix.clone())
}

fn tagged(tag: Option<&str>, value: Value) -> Value {
    match tag {
        None => value,
        Some(name @ ("Ref" | "Condition")) => json!({ name: value }),
        Some(name) => json!({ format!("Fn::{name}"): value }),
    }
}

/// A scalar without quotes.
fn plain(text: &str) -> Value {
    match text {
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        "" | "~" | "null" => Value::Null,
        _ => serde_json::from_str::<serde_json::Number>(text)
            .map_or_else(|_| Value::String(text.to_owned()), Value::Number),
    }
}

#[test]
fn tags_anchors_and_merges_are_read() {
    let text =
        "a: &x {k: 1}\nb: {<<: *x, l: '2'}\nc: !Sub\n  - s\n  - v: !Ref r\nd: !GetAtt Q.Arn\n";
    let expected = json!({
        "a": {"k": 1},
        "b": {"k": 1, "l": "2"},
        "c": {"Fn::Sub": ["s", {"v": {"Ref": "r"}}]},
        "d": {"Fn::GetAtt": "Q.Arn"},
    });
    assert_eq!(read(text), expected);
}
