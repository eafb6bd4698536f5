//! The declarations of a style attribute, as far as they say whether an element is seen.

use std::borrow::Cow;

use super::symbol::MARK;

/// The properties that are read, in the order of their names.
#[derive(Clone, Copy)]
pub(super) enum Property {
    Display,
    Font,
    FontSize,
    Height,
    MaxHeight,
    MaxWidth,
    MinHeight,
    MinWidth,
    MsoHide,
    Opacity,
    Overflow,
    OverflowX,
    OverflowY,
    Padding,
    PaddingBottom,
    PaddingLeft,
    PaddingRight,
    PaddingTop,
    Visibility,
    Width,
}

const NAMES: [(&[u8], Property); 20] = [
    (b"display", Property::Display),
    (b"font", Property::Font),
    (b"font-size", Property::FontSize),
    (b"height", Property::Height),
    (b"max-height", Property::MaxHeight),
    (b"max-width", Property::MaxWidth),
    (b"min-height", Property::MinHeight),
    (b"min-width", Property::MinWidth),
    (b"mso-hide", Property::MsoHide),
    (b"opacity", Property::Opacity),
    (b"overflow", Property::Overflow),
    (b"overflow-x", Property::OverflowX),
    (b"overflow-y", Property::OverflowY),
    (b"padding", Property::Padding),
    (b"padding-bottom", Property::PaddingBottom),
    (b"padding-left", Property::PaddingLeft),
    (b"padding-right", Property::PaddingRight),
    (b"padding-top", Property::PaddingTop),
    (b"visibility", Property::Visibility),
    (b"width", Property::Width),
];

/// The last declaration of each property that is read, and the important ones before others.
pub(super) struct Declarations<'a> {
    values: [Option<Declared<'a>>; NAMES.len()],
}

#[derive(Clone, Copy)]
struct Declared<'a> {
    /// With no blanks around it.
    value: &'a [u8],
    important: bool,
    /// Its place among all, since a shorthand and a longhand may follow each other.
    place: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum FontSize {
    Zero,
    /// As large as the parent's, or a part of it.
    OfParent,
    Some,
}

impl<'a> Declarations<'a> {
    /// Of the text of a style attribute [`without_comments`].
    pub(super) fn read(style: &'a [u8]) -> Self {
        let mut values: [Option<Declared>; _] = [None; NAMES.len()];
        let mut rest = style;
        let mut place = 0;
        while !rest.is_empty() {
            let (declaration, after) = rest.split_at(declaration_length(rest));
            rest = after.get(1..).unwrap_or_default();
            place += 1;
            if let Some((property, declared)) = declaration_of(declaration, place) {
                let last = &mut values[property as usize];
                if last.is_none_or(|last| declared.important || !last.important) {
                    *last = Some(declared);
                }
            }
        }
        Self { values }
    }

    pub(super) fn value(&self, property: Property) -> Option<&'a [u8]> {
        self.values[property as usize].map(|declared| declared.value)
    }

    pub(super) fn is(&self, property: Property, words: &[&str]) -> bool {
        self.value(property)
            .is_some_and(|value| is_one_of(value, words))
    }

    /// The size of letters, whichever way it is declared.
    pub(super) fn font_size(&self) -> Option<FontSize> {
        let strength = |one: Declared| (one.important, one.place);
        let long = self.values[Property::FontSize as usize];
        let short = self.values[Property::Font as usize];
        if long.map(strength) > short.map(strength) {
            long.map(|one| font_size(one.value))
        } else {
            short.map(|one| size_in_shorthand(one.value))
        }
    }
}

fn is_one_of(value: &[u8], words: &[&str]) -> bool {
    let same = |word: &&str| value.eq_ignore_ascii_case(word.as_bytes());
    words.iter().any(same)
}

/// A declaration if its property is one that is read and its value is not empty.
fn declaration_of(declaration: &[u8], place: usize) -> Option<(Property, Declared<'_>)> {
    let colon = declaration.iter().position(|byte| *byte == b':')?;
    let (name, value) = declaration.split_at(colon);
    let name = name.trim_ascii();
    // Most properties are none of these, as their first letter tells.
    if !b"dfhmopvw".contains(&name.first()?.to_ascii_lowercase()) {
        return None;
    }
    let (_, property) = NAMES
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name))?;
    let value = value[1..].trim_ascii();
    let (value, important) = match value.iter().rposition(|byte| *byte == b'!') {
        Some(mark) if is_one_of(value[mark + 1..].trim_ascii(), &["important"]) => {
            (value[..mark].trim_ascii_end(), true)
        }
        _ => (value, false),
    };
    let declared = Declared {
        value,
        important,
        place,
    };
    (!value.is_empty()).then_some((*property, declared))
}

/// How far a declaration reaches: to the next semicolon outside of quotes and brackets.
fn declaration_length(style: &[u8]) -> usize {
    let sign = |byte: &u8| matches!(byte, b';' | b'"' | b'\'' | b'(' | b'\\');
    match style.iter().position(sign) {
        None => return style.len(),
        Some(at) if style[at] == b';' => return at,
        Some(_) => {}
    }
    let mut quote = None;
    let mut brackets = 0_usize;
    let mut escaped = false;
    for (at, byte) in style.iter().enumerate() {
        match (byte, quote) {
            _ if escaped => escaped = false,
            (b'\\', _) => escaped = true,
            (byte, Some(open)) if byte == open => quote = None,
            (b'"' | b'\'', None) => quote = Some(byte),
            (b'(', None) => brackets += 1,
            (b')', None) => brackets = brackets.saturating_sub(1),
            (b';', None) if brackets == 0 => return at,
            // In quotes, anything else.
            _ => {}
        }
    }
    style.len()
}

pub(super) fn without_comments(style: &[u8]) -> Cow<'_, [u8]> {
    let find = |text: &[u8], sign: &[u8]| text.windows(2).position(|pair| pair == sign);
    let mut rest = style;
    let mut kept = Vec::new();
    while let Some(start) = find(rest, b"/*") {
        kept.extend_from_slice(&rest[..start]);
        kept.push(b' ');
        let comment = &rest[start + 2..];
        let end = find(comment, b"*/").map_or(comment.len(), |end| end + 2);
        rest = &comment[end..];
    }
    if kept.is_empty() {
        return Cow::Borrowed(rest);
    }
    kept.extend_from_slice(rest);
    Cow::Owned(kept)
}

/// Whether a number is nothing, with a unit or without.
pub(super) fn is_zero(value: &[u8]) -> bool {
    let digits = value.strip_prefix(b"+").unwrap_or(value);
    let end = digits
        .iter()
        .position(|byte| !matches!(byte, b'0' | b'.'))
        .unwrap_or(digits.len());
    let (number, unit) = digits.split_at(end);
    number.contains(&b'0') && (unit == b"%" || unit.iter().all(u8::is_ascii_alphabetic))
}

fn font_size(value: &[u8]) -> FontSize {
    let is_number = value
        .first()
        .is_some_and(|first| b".+0123456789".contains(first));
    let other = |byte: &u8| !byte.is_ascii_alphabetic() && *byte != b'%';
    let unit = &value[value.iter().rposition(other).map_or(0, |last| last + 1)..];
    if is_zero(value) {
        FontSize::Zero
    } else if is_one_of(value, &["inherit", "unset", "smaller", "larger"])
        || (is_number && !value.contains(&MARK) && is_one_of(unit, &["em", "%", "ex", "ch"]))
    {
        FontSize::OfParent
    } else {
        FontSize::Some
    }
}

/// The size in `font: italic 700 12px/1.5 serif`: the first number that is no weight.
fn size_in_shorthand(value: &[u8]) -> FontSize {
    if is_one_of(value, &["inherit", "unset"]) {
        return FontSize::OfParent;
    }
    let words = value.split(u8::is_ascii_whitespace);
    let mut words = words.filter(|word| !word.is_empty()).peekable();
    while let Some(word) = words.next() {
        let size = word.split(|byte| *byte == b'/').next().unwrap_or_default();
        let is_number = size
            .first()
            .is_some_and(|byte| b".0123456789".contains(byte));
        let is_weight = size.iter().all(u8::is_ascii_digit) && !is_zero(size);
        // The names of the letters follow.
        if is_number && !is_weight && words.peek().is_some() {
            return font_size(size);
        }
    }
    FontSize::Some
}
