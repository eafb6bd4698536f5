//! Message attributes: as published, in the envelope, and as SQS's own.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::Value;

use super::super::http::ServiceError;
use super::super::sqs::MessageAttribute;
use super::form::Form;
use super::refuse;

/// A message attribute as published.
#[derive(Clone)]
pub(super) struct Attribute {
    pub(super) name: String,
    data_type: String,
    value: AttributeValue,
}

#[derive(Clone)]
enum AttributeValue {
    Text(String),
    Binary(Vec<u8>),
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct EnvelopeAttribute<'a> {
    r#type: &'a str,
    value: String,
}

impl Attribute {
    pub(super) fn read(form: &Form<'_>, entry: &str) -> Result<Self, ServiceError> {
        let name = form.get(&format!("{entry}.Name")).unwrap_or_default();
        let data_type = form
            .get(&format!("{entry}.Value.DataType"))
            .unwrap_or_default();
        let text = form.get(&format!("{entry}.Value.StringValue"));
        let binary = form.get(&format!("{entry}.Value.BinaryValue"));
        let wrong = |reason: &str| {
            refuse(
                "ParameterValueInvalid",
                format!("The message attribute '{name}' {reason}"),
            )
        };
        let name_is_clean = name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
        if name.is_empty() || name.len() > 256 || !name_is_clean {
            return Err(wrong("has an invalid name"));
        }
        let base_type = data_type.split('.').next().unwrap_or_default();
        let value = match (base_type, text, binary) {
            ("String" | "Number", Some(text), None) if !text.is_empty() => {
                if base_type == "Number" && text.parse::<f64>().is_err() {
                    return Err(wrong("holds a number that is not one"));
                }
                AttributeValue::Text(text.to_owned())
            }
            ("Binary", None, Some(binary)) if !binary.is_empty() => AttributeValue::Binary(
                STANDARD
                    .decode(binary)
                    .map_err(|_source| wrong("holds a value that is not base64"))?,
            ),
            ("String" | "Number" | "Binary", ..) => {
                return Err(wrong("must hold one non-empty value of its type"));
            }
            _ => {
                return Err(wrong(
                    "has an invalid message attribute type, the set of supported type prefixes \
                     is Binary, Number, and String.",
                ));
            }
        };
        Ok(Self {
            name: name.to_owned(),
            data_type: data_type.to_owned(),
            value,
        })
    }

    /// Whether it is the value that a filter policy names, or an array that holds it.
    pub(super) fn equals(&self, wanted: &Value) -> bool {
        let AttributeValue::Text(text) = &self.value else {
            return false;
        };
        match (self.data_type.as_str(), wanted) {
            ("String.Array", _) => {
                serde_json::from_str::<Vec<Value>>(text).is_ok_and(|values| values.contains(wanted))
            }
            ("Number", Value::Number(wanted)) => text.parse().ok() == wanted.as_f64(),
            (_, Value::String(wanted)) => text == wanted,
            _ => false,
        }
    }

    pub(super) fn bytes(&self) -> usize {
        let value = match &self.value {
            AttributeValue::Text(text) => text.len(),
            AttributeValue::Binary(binary) => binary.len(),
        };
        self.name.len() + self.data_type.len() + value
    }

    pub(super) fn for_sqs(&self) -> (String, MessageAttribute) {
        let (string_value, binary_value) = match &self.value {
            AttributeValue::Text(text) => (Some(text.clone()), None),
            AttributeValue::Binary(binary) => (None, Some(binary.clone())),
        };
        let attribute = MessageAttribute {
            data_type: self.data_type.clone(),
            string_value,
            binary_value,
        };
        (self.name.clone(), attribute)
    }

    pub(super) fn for_envelope(&self) -> EnvelopeAttribute<'_> {
        EnvelopeAttribute {
            r#type: &self.data_type,
            value: match &self.value {
                AttributeValue::Text(text) => text.clone(),
                AttributeValue::Binary(binary) => STANDARD.encode(binary),
            },
        }
    }
}
