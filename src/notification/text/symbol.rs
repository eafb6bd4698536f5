//! A template as characters and placeholders, on its way through the HTML tokenizer and back.

use std::ops::Range;

use crate::notification::{characters::is_unseen, placeholder::Segment};

/// What a text is made of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Symbol {
    Char(char),
    /// A placeholder's index.
    Value(usize),
    /// Before values that are all of a link's address. With none of them the brackets go too.
    Open,
    /// Behind them.
    Close,
}

/// Stands around a placeholder's index in the tokenizer's input. The byte does not occur in UTF-8, so
/// that no template and no character reference can write one.
pub(super) const MARK: u8 = 0xff;

/// The template with its placeholders in a form that the tokenizer carries along as text.
pub(super) fn marked(html: &[Segment]) -> Vec<u8> {
    let mut source = Vec::new();
    for segment in html {
        match segment {
            Segment::Literal(text) => source.extend_from_slice(text.as_bytes()),
            Segment::Value(index) => {
                source.push(MARK);
                source.extend_from_slice(index.to_string().as_bytes());
                source.push(MARK);
            }
        }
    }
    source
}

pub(super) fn symbols(text: &[u8]) -> Vec<Symbol> {
    let mut symbols = Vec::with_capacity(text.len());
    for (position, piece) in text.split(|byte| *byte == MARK).enumerate() {
        let piece = String::from_utf8_lossy(piece);
        // Marks come in pairs.
        if position % 2 == 1 {
            symbols.extend(piece.parse().map(Symbol::Value));
        } else {
            symbols.extend(piece.chars().map(Symbol::Char));
        }
    }
    symbols
}

pub(super) fn symbols_of(text: &str) -> impl Iterator<Item = Symbol> {
    text.chars().map(Symbol::Char)
}

/// The text as segments, and which of them are an address that may be empty with its brackets.
pub(super) fn segments(symbols: &[Symbol]) -> (Vec<Segment>, Vec<Range<usize>>) {
    let mut segments = Vec::new();
    let mut addresses = Vec::new();
    let mut open = None;
    // Brackets are segments of their own.
    let mut joinable = false;
    for symbol in symbols {
        match (symbol, segments.last_mut()) {
            (Symbol::Char(c), Some(Segment::Literal(text))) if joinable => text.push(*c),
            (Symbol::Char(c), _) => segments.push(Segment::Literal(c.to_string())),
            (Symbol::Value(index), _) => segments.push(Segment::Value(*index)),
            (Symbol::Open, _) => {
                open = Some(segments.len());
                segments.push(Segment::Literal(" (".to_owned()));
            }
            (Symbol::Close, _) => {
                segments.push(Segment::Literal(")".to_owned()));
                addresses.extend(open.take().map(|open| open..segments.len()));
            }
        }
        joinable = matches!(symbol, Symbol::Char(_));
    }
    (segments, addresses)
}

pub(super) fn trimmed(symbols: &[Symbol]) -> &[Symbol] {
    let seen = |symbol: &Symbol| !matches!(symbol, Symbol::Char(c) if c.is_whitespace());
    let first = symbols.iter().position(seen);
    let last = symbols.iter().rposition(seen);
    match first.zip(last) {
        Some((first, last)) => &symbols[first..=last],
        None => &[],
    }
}

/// Whether a reader sees something of a text.
pub(super) fn has_text(symbols: &[Symbol]) -> bool {
    let seen = |symbol: &Symbol| match symbol {
        Symbol::Char(c) => !c.is_whitespace() && !c.is_control() && !is_unseen(*c),
        Symbol::Value(_) | Symbol::Open | Symbol::Close => true,
    };
    symbols.iter().any(seen)
}
