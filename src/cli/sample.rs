//! The sample event that comes with the program.

use serde_json::{Map, Value};

use crate::{config::Settings, notification::JsonPointer};

const SAMPLE: &str = include_str!("../../config/sample-event.json");

/// The sample as a message body that fits the settings: a field that they need and the sample lacks
/// gets the placeholder's name. `to` replaces its recipient.
pub(super) fn body(settings: &Settings, to: Option<&str>) -> String {
    let mut event: Value = serde_json::from_str(SAMPLE).unwrap_or_default();
    for placeholder in settings.message.placeholders.iter() {
        let known = |field: &str| event.pointer(field).is_some_and(|value| !value.is_null());
        let field = placeholder.field.as_str();
        let fallback = placeholder.fallback.as_ref().map(JsonPointer::as_str);
        if placeholder.default.is_none() && !known(field) && !fallback.is_some_and(known) {
            put(&mut event, field, &format!("({})", placeholder.name));
        }
    }
    let recipient = settings.message.recipient.as_str();
    let has_recipient = event.pointer(recipient).is_some_and(Value::is_string);
    let made_up = (!has_recipient).then_some("organizer@example.com");
    if let Some(to) = to.or(made_up) {
        put(&mut event, recipient, to);
    }
    event.to_string()
}

/// Writes a text at a JSON pointer, with the objects on the way to it.
pub(super) fn put(event: &mut Value, pointer: &str, text: &str) {
    let mut at = event;
    for token in pointer.split('/').skip(1) {
        let name = token.replace("~1", "/").replace("~0", "~");
        if !at.is_object() {
            *at = Value::Object(Map::new());
        }
        at = &mut at[name];
    }
    *at = Value::from(text);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::put;

    #[test]
    fn a_text_is_put_where_its_pointer_leads() {
        let mut event = json!({ "a": 1, "b": { "c": 2 } });
        put(&mut event, "/a", "x");
        put(&mut event, "/b/d~1e", "y");
        put(&mut event, "/f/g", "z");
        assert_eq!(
            event,
            json!({ "a": "x", "b": { "c": 2, "d/e": "y" }, "f": { "g": "z" } })
        );
    }
}
