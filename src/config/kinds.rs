//! The kinds of values that keys take: how each is written, read and described.

use std::{net::SocketAddr, ops::RangeInclusive, time::Duration};

use bytesize::ByteSize;
use figment::value::Value;

use super::problem::{number, shown};
use crate::{ports::SendRate, text::format_duration};

/// The lowest and highest rate that can be asked for, in recipients per second.
const RATES: RangeInclusive<f64> = 0.01..=10_000.0;

type Read<T> = Box<dyn Fn(&Value) -> Result<T, String> + Send + Sync>;

/// A kind of value, which becomes a `T`.
pub(super) struct Kind<T> {
    /// What is allowed, to follow "allowed:".
    pub(super) allowed: String,
    /// The value that a variable or a flag gives. Text is taken verbatim. Text that is not of the
    /// kind stays text, and `read` refuses it.
    pub(super) from_text: fn(&str) -> Value,
    /// The value, or what is wrong with it, without the key.
    pub(super) read: Read<T>,
}

impl<T> Kind<T> {
    fn new(
        allowed: impl Into<String>,
        read: impl Fn(&Value) -> Result<T, String> + Send + Sync + 'static,
    ) -> Self {
        Self {
            allowed: allowed.into(),
            from_text: |text| text.into(),
            read: Box::new(read),
        }
    }

    /// A kind whose error text shows the value and says no more.
    fn of(
        allowed: impl Into<String>,
        read: impl Fn(&Value) -> Option<T> + Send + Sync + 'static,
    ) -> Self {
        Self::new(allowed, move |value| read(value).ok_or_else(|| is(value)))
    }

    /// A kind that is written with a unit. The parsers of durations and sizes take some bare
    /// numbers, one as seconds and one as bytes. A reader cannot tell which, so none is taken.
    fn with_unit(
        allowed: impl Into<String>,
        parse: impl Fn(&str) -> Option<T> + Send + Sync + 'static,
    ) -> Self {
        Self::new(allowed, move |value| match value {
            Value::Num(..) => Err(format!("{} without a unit", is(value))),
            Value::String(_, text) if is_bare_number(text) => {
                Err(format!("{} without a unit", is(value)))
            }
            other => other.as_str().and_then(&parse).ok_or_else(|| is(value)),
        })
    }

    fn written(mut self, from_text: fn(&str) -> Value) -> Self {
        self.from_text = from_text;
        self
    }
}

/// Text that parses.
pub(super) fn text<T: 'static>(parse: fn(&str) -> Result<T, String>, allowed: &str) -> Kind<T> {
    Kind::new(allowed, move |value| match value.as_str() {
        Some(text) => parse(text),
        None => Err(format!("{}, not text in quotes", is(value))),
    })
}

/// Several texts, each of which parses. In a variable or flag they stand between commas.
pub(super) fn texts<T: 'static>(
    parse: fn(&str) -> Result<T, String>,
    allowed: &str,
) -> Kind<Vec<T>> {
    let item =
        move |item: &Value| parse(item.as_str().ok_or("contains something that is not text")?);
    Kind::new(allowed, move |value| match value.as_array() {
        Some(items) => items.iter().map(item).collect(),
        None => Err(format!("{}, not a list", is(value))),
    })
    .written(|text| {
        let parts = split_at_commas(text).into_iter().map(Value::from);
        Value::from(parts.collect::<Vec<_>>())
    })
}

/// A duration between these numbers of seconds.
pub(super) fn duration(seconds: RangeInclusive<u64>) -> Kind<Duration> {
    duration_that(|_| true, "", seconds)
}

/// A duration of whole seconds, between these.
pub(super) fn whole_seconds(seconds: RangeInclusive<u64>) -> Kind<Duration> {
    let is_whole = |time: &Duration| time.subsec_nanos() == 0;
    duration_that(is_whole, " in whole seconds", seconds)
}

/// A duration between these numbers of seconds, or `forever`.
pub(super) fn patience(seconds: RangeInclusive<u64>) -> Kind<Option<Duration>> {
    let bounded = duration(seconds);
    let allowed = format!("{}, or `forever`", bounded.allowed);
    Kind::new(allowed, move |value| match value.as_str() {
        Some("forever") => Ok(None),
        _ => (bounded.read)(value).map(Some),
    })
}

fn duration_that(
    fits: fn(&Duration) -> bool,
    what: &str,
    seconds: RangeInclusive<u64>,
) -> Kind<Duration> {
    let least = Duration::from_secs(*seconds.start());
    let most = Duration::from_secs(*seconds.end());
    let allowed = format!(
        "{} to {}{what}, with a unit, such as `{}`",
        format_duration(least),
        format_duration(most),
        format_duration(most.min(Duration::from_secs(15))),
    );
    Kind::with_unit(allowed, move |text| {
        let time = humantime::parse_duration(text).ok();
        time.filter(|time| (least..=most).contains(time) && fits(time))
    })
}

/// A number of bytes.
pub(super) fn size(range: RangeInclusive<ByteSize>) -> Kind<u64> {
    let (least, most) = (range.start(), range.end());
    let allowed = format!("{least:.0} to {most:.0}, with a unit, such as `500KiB`");
    Kind::with_unit(allowed, move |text| {
        let size = text.parse().ok().filter(|size| range.contains(size));
        size.map(|size| size.as_u64())
    })
}

/// A whole number.
pub(super) fn count(range: RangeInclusive<usize>) -> Kind<usize> {
    let allowed = format!("a whole number from {} to {}", range.start(), range.end());
    Kind::of(allowed, move |value| {
        let count = number(value.to_num()?).parse().ok();
        count.filter(|count| range.contains(count))
    })
    .written(|text| text.parse().map_or_else(|_| text.into(), u64::into))
}

/// One of several words, in any case. The sentence, which may be empty, follows what is allowed.
pub(super) fn choice<T: Copy + Send + Sync + 'static, const N: usize>(
    words: [(&'static str, T); N],
    also: &str,
) -> Kind<T> {
    let allowed = format!("`{}`{also}", words.map(|(word, _)| word).join("`, `"));
    Kind::of(allowed, move |value| {
        let text = value.as_str()?;
        let mut words = words.iter();
        let (_, meaning) = words.find(|(word, _)| word.eq_ignore_ascii_case(text))?;
        Some(*meaning)
    })
}

/// A switch: a boolean, or `true` or `false` as text.
pub(super) fn switch() -> Kind<bool> {
    Kind::new("true or false", |value| match value {
        Value::Bool(_, switch) => Ok(*switch),
        _ => Err(is(value)),
    })
    .written(|text| match text {
        "true" => Value::from(true),
        "false" => Value::from(false),
        _ => Value::from(text),
    })
}

/// A rate of sending.
pub(super) fn rate() -> Kind<SendRate> {
    let (least, most) = (RATES.start(), RATES.end());
    let allowed = format!(
        "`account`, `unlimited`, or a number of recipients per second from {least} to {most}, without quotes"
    );
    Kind::of(allowed, |value| match value {
        Value::String(_, word) if word == "account" => Some(SendRate::Account),
        Value::String(_, word) if word == "unlimited" => Some(SendRate::Unlimited),
        other => {
            let rate = number(other.to_num()?).parse().ok();
            rate.filter(|rate| RATES.contains(rate))
                .map(SendRate::PerSecond)
        }
    })
    .written(|text| text.parse().map_or_else(|_| text.into(), f64::into))
}

/// A socket address, or `off`.
pub(super) fn listen() -> Kind<Option<SocketAddr>> {
    let allowed = "an IP address with a port, such as `127.0.0.1:8973`, or `off`";
    Kind::of(allowed, |value| match value.as_str()? {
        "off" => Some(None),
        text => text.parse().ok().map(Some),
    })
}

/// What a value is.
fn is(value: &Value) -> String {
    format!("is {}", shown(value))
}

fn is_bare_number(text: &str) -> bool {
    let fits = |char: char| char.is_ascii_digit() || char == '.';
    !text.is_empty() && text.chars().all(fits)
}

/// Parts between commas, trimmed, empty ones dropped. A comma in double quotes belongs to a display
/// name.
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
