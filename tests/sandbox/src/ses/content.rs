//! The content of `SendEmail` as it arrives, and SES's rules for it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::super::http::ServiceError;
use super::super::outbox::AttachedFile;
use super::{bad_request, is_plain};

const MOST_HEADERS: usize = 15;
const MOST_HEADER_NAME: usize = 126;
const MOST_HEADER_VALUE: usize = 995;
const MOST_HEADER_LINE: usize = 996;
const MOST_TAGS: usize = 50;
const MOST_TAG_TEXT: usize = 256;
/// The whole message after base64.
const MOST_BYTES: usize = 40 * 1024 * 1024;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Content {
    pub(super) simple: Option<Simple>,
    pub(super) raw: Option<Raw>,
    pub(super) template: Option<serde_json::Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Simple {
    pub(super) subject: Option<Part>,
    pub(super) body: Option<Body>,
    #[serde(default)]
    pub(super) headers: Vec<NameValue>,
    #[serde(default)]
    pub(super) attachments: Vec<Attachment>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Body {
    pub(super) html: Option<Part>,
    pub(super) text: Option<Part>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Part {
    pub(super) data: Option<String>,
    pub(super) charset: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct NameValue {
    #[serde(default)]
    pub(super) name: String,
    #[serde(default)]
    pub(super) value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Attachment {
    #[serde(default)]
    pub(super) file_name: String,
    #[serde(default)]
    pub(super) raw_content: String,
    pub(super) content_type: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Raw {
    #[serde(default)]
    pub(super) data: String,
}

/// The parts of simple content, checked.
pub(super) struct CheckedSimple {
    pub(super) subject: String,
    pub(super) html: Option<String>,
    pub(super) text: Option<String>,
    pub(super) headers: Vec<(String, String)>,
    pub(super) files: Vec<AttachedFile>,
}

impl Simple {
    pub(super) fn check(self) -> Result<CheckedSimple, ServiceError> {
        let subject = self
            .subject
            .ok_or_else(|| bad_request("Missing required field: Subject."))?
            .check("Subject")?;
        if subject.contains(['\r', '\n', '\0']) {
            return Err(bad_request("Subject contains control characters."));
        }
        let body = self
            .body
            .ok_or_else(|| bad_request("Missing required field: Body."))?;
        let html = body.html.map(|part| part.check("Html")).transpose()?;
        let text = body.text.map(|part| part.check("Text")).transpose()?;
        if html.is_none() && text.is_none() {
            return Err(bad_request("Body must hold an Html or a Text part."));
        }
        check_headers(&self.headers)?;
        let mut size = [Some(&subject), html.as_ref(), text.as_ref()]
            .into_iter()
            .flatten()
            .map(|part| base64_length(part.len()))
            .sum::<usize>();
        let mut files = Vec::new();
        for attachment in self.attachments {
            if attachment.file_name.is_empty() {
                return Err(bad_request("Attachment file name must not be empty."));
            }
            let bytes = STANDARD
                .decode(&attachment.raw_content)
                .map_err(|_source| bad_request("Attachment content is not base64."))?;
            size += attachment.raw_content.len();
            files.push(AttachedFile {
                name: attachment.file_name,
                content_type: attachment.content_type,
                bytes: bytes.into(),
            });
        }
        check_size(size)?;
        Ok(CheckedSimple {
            subject,
            html,
            text,
            headers: pairs(self.headers),
            files,
        })
    }
}

impl Part {
    /// The data, where its charset (seven-bit ASCII unless said otherwise) can carry it.
    fn check(self, name: &str) -> Result<String, ServiceError> {
        let data = self
            .data
            .ok_or_else(|| bad_request(format!("Missing required field: {name}.Data.")))?;
        let charset = self.charset.unwrap_or_else(|| "US-ASCII".to_owned());
        let carried = match charset.to_ascii_uppercase().as_str() {
            "UTF-8" | "UTF8" | "SHIFT_JIS" => true,
            "US-ASCII" | "ASCII" => data.is_ascii(),
            "ISO-8859-1" | "LATIN1" => data.chars().all(|c| u32::from(c) < 0x100),
            _ => {
                return Err(bad_request(format!("Unsupported charset: {charset}.")));
            }
        };
        if !carried {
            return Err(bad_request(format!(
                "{name} contains characters that the charset {charset} does not have."
            )));
        }
        Ok(data)
    }
}

impl Raw {
    pub(super) fn decode(&self) -> Result<Vec<u8>, ServiceError> {
        check_size(self.data.len())?;
        let bytes = STANDARD
            .decode(&self.data)
            .map_err(|_source| bad_request("Raw message data is not base64."))?;
        if bytes.is_empty() {
            return Err(bad_request("Raw message data must not be empty."));
        }
        Ok(bytes)
    }
}

pub(super) fn check_tags(tags: &[NameValue]) -> Result<(), ServiceError> {
    if tags.len() > MOST_TAGS {
        return Err(bad_request(format!("Tag count exceeds {MOST_TAGS}.")));
    }
    for (what, text) in tags
        .iter()
        .flat_map(|tag| [("name", &tag.name), ("value", &tag.value)])
    {
        let problem = if text.is_empty() {
            format!("The tag {what} must be specified.")
        } else if text.len() > MOST_TAG_TEXT {
            format!("Tag {what} cannot exceed {MOST_TAG_TEXT} characters.")
        } else if !is_plain(text) {
            format!(
                "Invalid tag {what} <{text}>: only alphanumeric ASCII characters, '_', and '-' \
                 are allowed."
            )
        } else {
            continue;
        };
        return Err(bad_request(problem));
    }
    Ok(())
}

pub(super) fn pairs(list: Vec<NameValue>) -> Vec<(String, String)> {
    list.into_iter()
        .map(|entry| (entry.name, entry.value))
        .collect()
}

fn check_headers(headers: &[NameValue]) -> Result<(), ServiceError> {
    if headers.len() > MOST_HEADERS {
        return Err(bad_request(format!(
            "Message headers count exceeds {MOST_HEADERS}."
        )));
    }
    for header in headers {
        let (name, value) = (&header.name, &header.value);
        let name_is_clean = name.bytes().all(|b| b.is_ascii_graphic() && b != b':');
        if name.is_empty() || name.len() > MOST_HEADER_NAME || !name_is_clean {
            return Err(bad_request(format!(
                "Invalid message header name <{name}>."
            )));
        }
        let value_is_clean = value.bytes().all(|b| b == b' ' || b.is_ascii_graphic());
        if value.is_empty()
            || value.len() > MOST_HEADER_VALUE
            || name.len() + value.len() > MOST_HEADER_LINE
            || !value_is_clean
        {
            return Err(bad_request(format!(
                "Invalid value of the message header <{name}>."
            )));
        }
    }
    Ok(())
}

fn check_size(bytes: usize) -> Result<(), ServiceError> {
    if bytes > MOST_BYTES {
        return Err(bad_request(format!(
            "Message length is more than {MOST_BYTES} bytes long: '{bytes}'."
        )));
    }
    Ok(())
}

fn base64_length(bytes: usize) -> usize {
    bytes.div_ceil(3) * 4
}
