//! Our own mailboxes, as headers want them.

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};

use super::address::{Address, AddressError};

/// A mailbox of ours, with or without a display name: who a mail is from, or is answered to.
#[derive(Clone, PartialEq, Eq)]
pub struct Sender {
    name: String,
    address: Address,
}

/// Why a text is no mailbox. The texts go behind the name of what was read, and hold nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SenderError {
    /// The address itself.
    #[error("is not one address: {0}")]
    Address(#[from] AddressError),
    /// An angle bracket without its partner, or text after the address.
    #[error("is not one address: its angle brackets do not enclose its end")]
    Brackets,
    /// A mail has one sender.
    #[error("holds more than one address, and a mail has one sender")]
    Several,
    /// A display name that would break the header.
    #[error(
        "has a display name with control characters, or with quotes that do not enclose all of it"
    )]
    Name,
}

impl Sender {
    /// Takes `noreply@example.com` or `Dana & Co <noreply@example.com>`, the name quoted or not, in
    /// any script, or as encoded words already.
    pub fn parse(text: &str) -> Result<Self, SenderError> {
        let text = text.trim();
        let (name, address) = match text.strip_suffix('>') {
            Some(inner) => inner.rsplit_once('<').ok_or(SenderError::Brackets)?,
            None if text.contains(['<', '>']) => return Err(SenderError::Brackets),
            None => ("", text),
        };
        Ok(Self {
            name: display_name(name.trim())?,
            address: Address::parse(address.trim())?,
        })
    }

    /// The value of a `From` or `Reply-To` header, ASCII: the name quoted or encoded where needed.
    pub fn header(&self) -> String {
        let address = self.address.as_str();
        if self.name.is_empty() {
            address.to_owned()
        } else {
            format!("{} <{address}>", phrase(&self.name))
        }
    }

    /// The address without the name.
    pub fn address(&self) -> &Address {
        &self.address
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

/// The name that a written display name stands for.
fn display_name(written: &str) -> Result<String, SenderError> {
    if written.chars().any(char::is_control) {
        return Err(SenderError::Name);
    }
    let Some(quoted) = written.strip_prefix('"') else {
        // A name may be an address. One of several is another sender.
        if written.contains('@') && written.contains(['<', ',', ';']) {
            return Err(SenderError::Several);
        }
        let plain = (!written.contains('"')).then(|| written.to_owned());
        return plain.ok_or(SenderError::Name);
    };
    let mut name = String::new();
    let mut chars = quoted.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' if chars.as_str().is_empty() => return Ok(name.trim().to_owned()),
            '"' => break,
            '\\' => name.extend(chars.next()),
            c => name.push(c),
        }
    }
    Err(SenderError::Name)
}

/// A display name as RFC 5322 wants it: as it is, in quotes, or in encoded words (RFC 2047).
fn phrase(name: &str) -> String {
    if name
        .split(' ')
        .all(|word| is_atom(word) || is_encoded(word))
    {
        name.to_owned()
    } else if !name.is_ascii() || name.contains("=?") {
        encoded_words(name)
    } else {
        format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
    }
}

fn is_atom(word: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c);
    word.chars().all(allowed) && !word.contains("=?")
}

/// Whether the name is already an encoded word, as SES's manual asks for.
fn is_encoded(word: &str) -> bool {
    let inner = word
        .strip_prefix("=?")
        .and_then(|rest| rest.strip_suffix("?="));
    let fields: Vec<&str> = inner.unwrap_or_default().split('?').collect();
    word.chars().all(|c| c.is_ascii_graphic())
        && word.len() <= ENCODED_WORD_MAX
        && matches!(fields[..], [charset, "B" | "b" | "Q" | "q", text]
            if !charset.is_empty() && !text.is_empty())
}

/// The longest encoded word, its delimiters included.
const ENCODED_WORD_MAX: usize = 75;

/// Base64 makes 60 characters of as many bytes, and the delimiters take 12.
const ENCODED_BYTES_MAX: usize = 45;

fn encoded_words(name: &str) -> String {
    let mut words = Vec::new();
    let mut rest = name;
    while !rest.is_empty() {
        let end = rest.floor_char_boundary(ENCODED_BYTES_MAX);
        let (word, after) = rest.split_at(end);
        words.push(format!("=?UTF-8?B?{}?=", STANDARD.encode(word)));
        rest = after;
    }
    words.join(" ")
}

#[cfg(test)]
mod tests;
