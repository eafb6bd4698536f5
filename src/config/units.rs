//! The kinds of values that keys take: how each is read from text, checked and described.

use std::net::SocketAddr;
use std::time::Duration;

use bytesize::ByteSize;
use figment::value::{Num, Value};

use super::problem::{shown, shown_text};
use super::settings::SendRate;
use crate::text::format_duration;

/// The lowest and highest rate that can be asked for, in recipients per second.
const RATES: (f64, f64) = (0.01, 10_000.0);

/// Says what is wrong with a text, without the key.
pub(super) type Check = fn(&str) -> Result<(), String>;

/// What kind of value a key takes.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// Text that passes the check; the sentence describes it.
    Text(Check, &'static str),
    /// Several texts, each of which passes the check. In a variable or flag
    /// they stand between commas.
    Texts(Check, &'static str),
    /// A duration with a unit.
    Time {
        least: Duration,
        most: Duration,
        whole_seconds: bool,
    },
    /// A number of bytes with a unit.
    Size { least: ByteSize, most: ByteSize },
    /// A whole number.
    Count { least: usize, most: usize },
    /// One of several words, in any case.
    /// The sentence, which may be empty, follows what is allowed.
    Choice(&'static [&'static str], &'static str),
    /// A rate of sending.
    Rate,
    /// A socket address, or `off`.
    Listen,
}

/// A value that was read and is in range.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Parsed {
    Text(String),
    Texts(Vec<String>),
    Time(Duration),
    Size(u64),
    Count(usize),
    Rate(SendRate),
    Listen(Option<SocketAddr>),
}

impl Kind {
    /// What a variable or a flag says. Text is taken verbatim; what is not of
    /// the kind stays text, for [`Kind::parse`] to refuse.
    pub(super) fn value_of(self, text: &str) -> Value {
        match self {
            Self::Texts(..) => {
                let parts = split_at_commas(text);
                Value::from(parts.into_iter().map(Value::from).collect::<Vec<_>>())
            }
            Self::Count { .. } => text
                .parse::<u64>()
                .map_or_else(|_| text.into(), Value::from),
            Self::Rate => text
                .parse::<f64>()
                .map_or_else(|_| text.into(), Value::from),
            _ => text.into(),
        }
    }

    /// The value, or what is wrong with it and what is allowed.
    pub(super) fn parse(self, value: &Value) -> Result<Parsed, String> {
        let refused = |wrong: String| format!("{wrong}; allowed: {}", self.allowed());
        self.read(value).map_err(refused)
    }

    /// What is allowed, to follow "allowed:".
    pub(super) fn allowed(self) -> String {
        match self {
            Self::Text(_, allowed) | Self::Texts(_, allowed) => allowed.to_owned(),
            Self::Time {
                least,
                most,
                whole_seconds,
            } => format!(
                "{} to {}{}, with a unit, such as `{}`",
                format_duration(least),
                format_duration(most),
                if whole_seconds {
                    " in whole seconds"
                } else {
                    ""
                },
                format_duration(most.min(Duration::from_secs(15))),
            ),
            Self::Size { least, most } => {
                format!("{least:.0} to {most:.0}, with a unit, such as `500KiB`")
            }
            Self::Count { least, most } => format!("a whole number from {least} to {most}"),
            Self::Choice(words, also) => format!("`{}`{also}", words.join("`, `")),
            Self::Rate => format!(
                "`account`, `unlimited`, or a number of recipients per second from {} to {}, without quotes",
                RATES.0, RATES.1
            ),
            Self::Listen => {
                "an IP address with a port, such as `127.0.0.1:8973`, or `off`".to_owned()
            }
        }
    }

    fn read(self, value: &Value) -> Result<Parsed, String> {
        let is = || format!("is {}", shown(value));
        match self {
            Self::Text(check, _) => {
                let text = value
                    .as_str()
                    .ok_or_else(|| format!("{}, not text in quotes", is()))?;
                check(text)?;
                Ok(Parsed::Text(text.to_owned()))
            }
            Self::Texts(check, _) => {
                let items = value
                    .as_array()
                    .ok_or_else(|| format!("{}, not a list", is()))?;
                let mut texts = Vec::with_capacity(items.len());
                for item in items {
                    let text = item.as_str().ok_or("holds something that is not text")?;
                    check(text)?;
                    texts.push(text.to_owned());
                }
                Ok(Parsed::Texts(texts))
            }
            Self::Time {
                least,
                most,
                whole_seconds,
            } => {
                let time = duration(value)?;
                let fits =
                    (least..=most).contains(&time) && !(whole_seconds && time.subsec_nanos() != 0);
                fits.then_some(Parsed::Time(time)).ok_or_else(is)
            }
            Self::Size { least, most } => {
                let size = size(value)?;
                (least..=most)
                    .contains(&size)
                    .then_some(Parsed::Size(size.as_u64()))
                    .ok_or_else(is)
            }
            Self::Count { least, most } => whole(value)
                .and_then(|number| usize::try_from(number).ok())
                .filter(|count| (least..=most).contains(count))
                .map(Parsed::Count)
                .ok_or_else(is),
            Self::Choice(words, _) => match value.as_str() {
                Some(text) => words
                    .iter()
                    .find(|word| word.eq_ignore_ascii_case(text))
                    .map(|word| Parsed::Text((*word).to_owned()))
                    .ok_or_else(is),
                None => Err(is()),
            },
            Self::Rate => rate(value).map(Parsed::Rate).ok_or_else(is),
            Self::Listen => match value.as_str() {
                Some("off") => Ok(Parsed::Listen(None)),
                Some(text) => text
                    .parse()
                    .map(|address| Parsed::Listen(Some(address)))
                    .map_err(|_| is()),
                None => Err(is()),
            },
        }
    }
}

fn duration(value: &Value) -> Result<Duration, String> {
    let text = text_with_unit(value)?;
    humantime::parse_duration(text).map_err(|_| format!("is {}", shown_text(text)))
}

fn size(value: &Value) -> Result<ByteSize, String> {
    let text = text_with_unit(value)?;
    text.parse().map_err(|_| format!("is {}", shown_text(text)))
}

/// Both parsers take some bare numbers, one as seconds and one as bytes; a
/// reader cannot tell which, so none is taken.
fn text_with_unit(value: &Value) -> Result<&str, String> {
    let text = value.as_str().ok_or_else(|| match value {
        Value::Num(..) => format!("is {} without a unit", shown(value)),
        _ => format!("is {}", shown(value)),
    })?;
    if !text.is_empty()
        && text
            .chars()
            .all(|char| char.is_ascii_digit() || char == '.')
    {
        return Err(format!("is {} without a unit", shown_text(text)));
    }
    Ok(text)
}

fn whole(value: &Value) -> Option<u128> {
    let number = value.to_num()?;
    number
        .to_u128()
        .or_else(|| number.to_i128().and_then(|number| number.try_into().ok()))
}

fn rate(value: &Value) -> Option<SendRate> {
    match value {
        Value::String(_, word) if word == "account" => Some(SendRate::Account),
        Value::String(_, word) if word == "unlimited" => Some(SendRate::Unlimited),
        Value::Num(_, number) => {
            let rate = real(*number)?;
            (RATES.0..=RATES.1)
                .contains(&rate)
                .then_some(SendRate::PerSecond(rate))
        }
        _ => None,
    }
}

fn real(number: Num) -> Option<f64> {
    let whole = number
        .to_u128()
        .and_then(|whole| u32::try_from(whole).ok())
        .map(f64::from);
    let signed = number
        .to_i128()
        .and_then(|whole| i32::try_from(whole).ok())
        .map(f64::from);
    number.to_f64().or(whole).or(signed)
}

/// Parts between commas, trimmed, empty ones dropped. A comma in double quotes
/// belongs to a display name.
fn split_at_commas(text: &str) -> Vec<String> {
    let mut quoted = false;
    text.split(|char| {
        quoted ^= char == '"';
        char == ',' && !quoted
    })
    .map(|part| part.trim().to_owned())
    .filter(|part| !part.is_empty())
    .collect()
}

#[cfg(test)]
mod tests;
