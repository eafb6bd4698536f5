//! The sample event that comes with the program.

use serde_json::{Map, Value};

use crate::config::Settings;

const SAMPLE: &str = include_str!("../../config/sample-event.json");

/// The sample as a message body that fits the settings: what they want and the sample lacks is
/// filled in by name. `to` takes the place of its recipient.
pub(super) fn body(settings: &Settings, to: Option<&str>) -> String {
    let mut event: Value = serde_json::from_str(SAMPLE).unwrap_or_default();
    for (name, placeholder) in &settings.message.placeholders {
        let known = |field: &str| event.pointer(field).is_some_and(|value| !value.is_null());
        let fallback = placeholder.fallback.as_deref();
        if placeholder.default.is_none()
            && !known(&placeholder.field)
            && !fallback.is_some_and(known)
        {
            put(&mut event, &placeholder.field, &format!("({name})"));
        }
    }
    let recipient = &settings.message.recipient;
    if let Some(to) = to {
        put(&mut event, recipient, to);
    } else if event
        .pointer(recipient)
        .is_none_or(|value| !value.is_string())
    {
        put(&mut event, recipient, "organizer@example.com");
    }
    event.to_string()
}

/// Writes a text at a JSON pointer, with the objects on the way to it.
fn put(event: &mut Value, pointer: &str, text: &str) {
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
