//! One mail address, and how one is shown.

use std::fmt;

use idna::AsciiDenyList;

/// One mail address in ASCII, safe in a header. `Debug` and `Display` show it masked.
#[derive(Clone, PartialEq, Eq)]
pub struct Address(String);

/// Why a text is no address. The texts hold nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// No `@`, or nothing on one side of it.
    #[error("it is not of the form name@domain")]
    NoAt,
    /// White space, or a control character.
    #[error("it contains a space or a control character")]
    Blank,
    /// A character with a meaning of its own in a header.
    #[error("it holds one of < > \" ( ) , ; or a colon before the @")]
    Special,
    /// SES takes ASCII only before the `@`.
    #[error("it holds a character before the @ that is not ASCII")]
    LocalPart,
    /// A domain that has no ASCII form.
    #[error("its domain is not a valid international domain name")]
    Domain,
}

/// An address as it may be logged: `d***@example.com`. Safe on any text; of one that is no address
/// next to nothing is left.
pub fn mask(address: &str) -> String {
    let Some((local, domain)) = address.rsplit_once('@') else {
        return "***".to_owned();
    };
    let first = local.trim_start().chars().next();
    let first = first.filter(|c| c.is_alphanumeric());
    let name = |c: &char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
    let domain = domain.chars().take_while(name).take(DOMAIN_MAX);
    first
        .into_iter()
        .chain("***@".chars())
        .chain(domain)
        .collect()
}

impl Address {
    /// Parses a bare address. A non-ASCII domain becomes punycode.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(AddressError::Blank);
        }
        if text.contains(SPECIALS) {
            return Err(AddressError::Special);
        }
        let parts = text.rsplit_once('@');
        let (local, domain) = parts
            .filter(|(local, domain)| !local.is_empty() && !domain.is_empty())
            .ok_or(AddressError::NoAt)?;
        if !local.is_ascii() {
            return Err(AddressError::LocalPart);
        }
        // In a header it would begin a group. A domain may be an address of IPv6.
        if local.contains(':') {
            return Err(AddressError::Special);
        }
        if domain.is_ascii() {
            return Ok(Self(text.to_owned()));
        }
        // The mapping turns full-width characters into ASCII, so what a header forbids could come
        // back here. The strict list lets only letters, digits, hyphens and dots through.
        let ascii = idna::domain_to_ascii_cow(domain.as_bytes(), AsciiDenyList::STD3).ok();
        let ascii = ascii
            .filter(|ascii| !ascii.is_empty())
            .ok_or(AddressError::Domain)?;
        Ok(Self(format!("{local}@{ascii}")))
    }

    /// The whole address. Only the mail may hold it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What equal mailboxes have in common. Case counts before the `@` by the letter of the
    /// standard, and nowhere in practice.
    pub(super) fn key(&self) -> String {
        self.0.trim_end_matches('.').to_ascii_lowercase()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&mask(&self.0))
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The longest name that the domain name system knows.
const DOMAIN_MAX: usize = 253;

/// What separates, groups or quotes in an address header.
const SPECIALS: [char; 7] = ['<', '>', '"', '(', ')', ',', ';'];

#[cfg(test)]
pub(super) mod tests;
