//! Raw messages, read as far as the outbox shows them: headers, text and HTML parts, file names.

use base64::Engine as _;
use base64::engine::GeneralPurpose;
use base64::engine::general_purpose::{GeneralPurposeConfig, STANDARD};
use base64::{alphabet, engine::DecodePaddingMode};

use super::super::outbox::StoredMail;

/// Nested deeper than this a part is left out.
const MOST_DEPTH: usize = 8;
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Fills a mail from a raw message; what the request itself said stands.
pub(super) fn read_into(mail: &mut StoredMail, raw: &[u8]) {
    let message = String::from_utf8_lossy(raw).replace("\r\n", "\n");
    let (headers, body) = split(&message);
    if mail.from.is_empty() {
        mail.from = header(&headers, "From").unwrap_or_default().to_owned();
    }
    if mail.to.is_empty() && mail.cc.is_empty() && mail.bcc.is_empty() {
        mail.to = addresses(&headers, "To");
        mail.cc = addresses(&headers, "Cc");
        mail.bcc = addresses(&headers, "Bcc");
    }
    if mail.reply_to.is_empty() {
        mail.reply_to = addresses(&headers, "Reply-To");
    }
    mail.subject = decode_words(header(&headers, "Subject").unwrap_or_default());
    read_part(mail, &headers, body, 0);
    // SES takes blind copies out before the message goes.
    mail.headers = headers;
    mail.headers
        .retain(|(name, _)| !name.eq_ignore_ascii_case("Bcc"));
}

/// The headers of a message in their order, unfolded and decoded.
pub(crate) fn headers(message: &[u8]) -> Vec<(String, String)> {
    let end = message.windows(4).position(|four| four == b"\r\n\r\n");
    let head = String::from_utf8_lossy(&message[..end.unwrap_or(message.len())]);
    let (headers, _) = split(&head.replace("\r\n", "\n"));
    let decoded = |(name, value): (String, String)| (name, decode_words(&value));
    headers.into_iter().map(decoded).collect()
}

fn read_part(mail: &mut StoredMail, headers: &[(String, String)], body: &str, depth: usize) {
    let content_type = header(headers, "Content-Type").unwrap_or("text/plain");
    let kind = content_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    if kind.starts_with("multipart/") {
        let boundary = parameter(content_type, "boundary").unwrap_or_default();
        if depth < MOST_DEPTH && !boundary.is_empty() {
            for part in parts(body, boundary) {
                let (part_headers, part_body) = split(part);
                read_part(mail, &part_headers, part_body, depth + 1);
            }
        }
        return;
    }
    let disposition = header(headers, "Content-Disposition").unwrap_or_default();
    let file_name = parameter(disposition, "filename").or_else(|| parameter(content_type, "name"));
    if let Some(file_name) = file_name {
        mail.attachments.push(decode_words(file_name));
        return;
    }
    let encoding = header(headers, "Content-Transfer-Encoding").unwrap_or("7bit");
    let bytes = match encoding.trim().to_ascii_lowercase().as_str() {
        "base64" => {
            let compact: String = body.split_ascii_whitespace().collect();
            LENIENT.decode(compact).unwrap_or_default()
        }
        "quoted-printable" => quoted_printable(body, false),
        _ => body.as_bytes().to_vec(),
    };
    let charset = parameter(content_type, "charset").unwrap_or("us-ascii");
    let text = decode_charset(&bytes, charset);
    match kind.as_str() {
        "text/html" if mail.html.is_none() => mail.html = Some(text),
        "text/plain" if mail.text.is_none() => mail.text = Some(text),
        _ => {}
    }
}

/// Headers, unfolded, and what follows the first blank line.
fn split(message: &str) -> (Vec<(String, String)>, &str) {
    let (head, body) = match message.strip_prefix('\n') {
        Some(body) => ("", body),
        None => message.split_once("\n\n").unwrap_or((message, "")),
    };
    let mut headers: Vec<(String, String)> = Vec::new();
    for line in head.lines() {
        if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = headers.last_mut() {
                value.push(' ');
                value.push_str(line.trim());
            }
        } else if let Some((name, value)) = line.split_once(':') {
            headers.push((name.trim().to_owned(), value.trim().to_owned()));
        }
    }
    (headers, body)
}

fn parts<'a>(body: &'a str, boundary: &str) -> Vec<&'a str> {
    let delimiter = format!("--{boundary}");
    let mut parts = Vec::new();
    let mut start: Option<usize> = None;
    let mut at = 0;
    for line in body.split_inclusive('\n') {
        if let Some(rest) = line.strip_prefix(delimiter.as_str())
            && matches!(rest.trim(), "" | "--")
        {
            if let Some(start) = start {
                let part = &body[start..at];
                parts.push(part.strip_suffix('\n').unwrap_or(part));
            }
            start = Some(at + line.len());
        }
        at += line.len();
    }
    parts
}

fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers
        .iter()
        .find(|(candidate, _)| candidate.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.as_str())
}

fn parameter<'a>(value: &'a str, name: &str) -> Option<&'a str> {
    value.split(';').skip(1).find_map(|parameter| {
        let (key, value) = parameter.split_once('=')?;
        key.trim()
            .eq_ignore_ascii_case(name)
            .then(|| value.trim().trim_matches('"'))
    })
}

/// The mailboxes of a header, split at commas outside quotes.
fn addresses(headers: &[(String, String)], name: &str) -> Vec<String> {
    let mut quoted = false;
    header(headers, name)
        .unwrap_or_default()
        .split(|c| {
            quoted ^= c == '"';
            c == ',' && !quoted
        })
        .map(|address| address.trim().to_owned())
        .filter(|address| !address.is_empty())
        .collect()
}

/// RFC 2047 words as text; blanks between two words belong to the encoding.
fn decode_words(value: &str) -> String {
    let mut decoded = String::new();
    let mut rest = value;
    let mut after_word = false;
    while let Some(start) = rest.find("=?") {
        let (before, from_start) = rest.split_at(start);
        let Some((word, after)) = decode_word(from_start) else {
            decoded.push_str(before);
            decoded.push_str("=?");
            rest = &from_start[2..];
            after_word = false;
            continue;
        };
        if !(after_word && before.trim().is_empty()) {
            decoded.push_str(before);
        }
        decoded.push_str(&word);
        rest = after;
        after_word = true;
    }
    decoded.push_str(rest);
    decoded
}

fn decode_word(text: &str) -> Option<(String, &str)> {
    let (charset, rest) = text.strip_prefix("=?")?.split_once('?')?;
    let (encoding, rest) = rest.split_once('?')?;
    let (data, after) = rest.split_once("?=")?;
    let bytes = match encoding {
        "B" | "b" => STANDARD.decode(data).ok()?,
        "Q" | "q" => quoted_printable(data, true),
        _ => return None,
    };
    Some((decode_charset(&bytes, charset), after))
}

fn quoted_printable(text: &str, underscore_is_space: bool) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        match (first, tail) {
            (b'=', [b'\n', after @ ..]) => rest = after,
            (b'=', [high, low, after @ ..]) => {
                let digits = [*high, *low];
                let byte = std::str::from_utf8(&digits)
                    .ok()
                    .and_then(|hex| u8::from_str_radix(hex, 16).ok());
                if let Some(byte) = byte {
                    bytes.push(byte);
                    rest = after;
                } else {
                    bytes.push(b'=');
                }
            }
            (b'_', _) if underscore_is_space => bytes.push(b' '),
            (other, _) => bytes.push(*other),
        }
    }
    bytes
}

fn decode_charset(bytes: &[u8], charset: &str) -> String {
    if charset.eq_ignore_ascii_case("iso-8859-1") {
        bytes.iter().copied().map(char::from).collect()
    } else {
        String::from_utf8_lossy(bytes).into_owned()
    }
}
