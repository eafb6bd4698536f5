//! A template as characters and placeholders, on its way through the HTML tokenizer and back.

use crate::notification::placeholder::Segment;

/// A character of the text, or a placeholder's index.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Symbol {
    Char(char),
    Value(usize),
}

/// Begins a placeholder in the tokenizer's input. Neither byte occurs in UTF-8, so that no template
/// and no character reference can write one.
const VALUE: u8 = 0xff;
const VALUE_END: u8 = 0xfe;

/// The template with its placeholders in a form that the tokenizer carries along as text.
pub(super) fn marked(html: &[Segment]) -> Vec<u8> {
    let mut source = Vec::new();
    for segment in html {
        match segment {
            Segment::Literal(text) => source.extend_from_slice(text.as_bytes()),
            Segment::Value(index) => {
                source.push(VALUE);
                source.extend_from_slice(index.to_string().as_bytes());
                source.push(VALUE_END);
            }
        }
    }
    source
}

pub(super) fn symbols(text: &[u8]) -> Vec<Symbol> {
    let mut symbols = Vec::with_capacity(text.len());
    for (position, piece) in text.split(|byte| *byte == VALUE).enumerate() {
        let mut literal = piece;
        if position > 0
            && let Some(end) = piece.iter().position(|byte| *byte == VALUE_END)
        {
            let index = std::str::from_utf8(&piece[..end])
                .ok()
                .and_then(|index| index.parse().ok());
            symbols.extend(index.map(Symbol::Value));
            literal = &piece[end + 1..];
        }
        symbols.extend(String::from_utf8_lossy(literal).chars().map(Symbol::Char));
    }
    symbols
}

pub(super) fn segments(symbols: &[Symbol]) -> Vec<Segment> {
    let mut segments = Vec::new();
    for symbol in symbols {
        match (symbol, segments.last_mut()) {
            (Symbol::Char(c), Some(Segment::Literal(text))) => text.push(*c),
            (Symbol::Char(c), _) => segments.push(Segment::Literal(c.to_string())),
            (Symbol::Value(index), _) => segments.push(Segment::Value(*index)),
        }
    }
    segments
}

pub(super) fn trimmed(symbols: &[Symbol]) -> &[Symbol] {
    let blank = |symbol: &Symbol| matches!(symbol, Symbol::Char(c) if c.is_whitespace());
    let start = symbols
        .iter()
        .position(|symbol| !blank(symbol))
        .unwrap_or(symbols.len());
    let end = symbols
        .iter()
        .rposition(|symbol| !blank(symbol))
        .map_or(start, |last| last + 1);
    &symbols[start..end]
}
