//! The text as it grows, and what stands between it and the next character.

use super::{
    element::Gap,
    symbol::{Symbol, symbols_of, trimmed},
};
use crate::notification::characters::{FLAG, UnseenRow, is_direction, is_filler, is_unseen};

/// The text so far.
#[derive(Default)]
pub(super) struct Output {
    text: Vec<Symbol>,
    gap: Gap,
    /// How many blanks the next line begins with.
    indent: usize,
    /// Whether a word that follows directly is kept apart, as from an address or an image.
    apart: bool,
    /// What nobody sees, until it is known whether it joins something.
    unseen: UnseenRow,
}

impl Output {
    pub(super) fn len(&self) -> usize {
        self.text.len()
    }

    pub(super) fn set_indent(&mut self, indent: usize) {
        self.indent = indent;
    }

    pub(super) fn is_at_mark(&self) -> bool {
        self.gap == Gap::Bullet
    }

    /// Whether something is seen of what was written since then.
    pub(super) fn has_text_since(&self, start: usize) -> bool {
        !self.text_since(start).is_empty()
    }

    pub(super) fn text_since(&self, start: usize) -> &[Symbol] {
        trimmed(self.text.get(start..).unwrap_or_default())
    }

    pub(super) fn into_text(self) -> Vec<Symbol> {
        self.text
    }

    /// Keeps what comes next at least this far away.
    pub(super) fn keep_off(&mut self, gap: Gap) {
        if gap > Gap::None {
            self.end_row();
            self.gap = self.gap.max(gap);
        }
    }

    /// Keeps what comes next just this far away.
    pub(super) fn set_gap(&mut self, gap: Gap) {
        self.end_row();
        self.gap = gap;
    }

    pub(super) fn line_end(&mut self) {
        self.end_row();
        self.gap = if self.gap < Gap::Line {
            Gap::Line
        } else {
            Gap::Paragraph
        };
    }

    /// Keeps a word apart that would touch what was written last.
    pub(super) fn keep_words_off(&mut self) {
        self.end_row();
        self.apart = true;
    }

    /// The same where no address or image has been written yet, but one comes now.
    pub(super) fn keep_off_word(&mut self) {
        let word = |symbol: &Symbol| match symbol {
            Symbol::Char(c) => c.is_alphanumeric(),
            _ => true,
        };
        self.apart |= self.text.last().is_some_and(word);
    }

    /// Adds text whose white space is kept.
    pub(super) fn preformatted(&mut self, text: &[Symbol]) {
        for symbol in text {
            match symbol {
                Symbol::Char('\n') => self.line_end(),
                symbol => self.push(*symbol),
            }
        }
    }

    /// Adds text whose white space means no more than one space.
    pub(super) fn folded(&mut self, text: &[Symbol]) {
        for symbol in text {
            match symbol {
                Symbol::Char(c) if c.is_whitespace() => self.keep_off(Gap::Space),
                symbol => self.push(*symbol),
            }
        }
    }

    /// Adds text right behind the last character, whatever is to stand before the next.
    pub(super) fn append(&mut self, text: impl IntoIterator<Item = Symbol>) {
        self.end_row();
        self.text.extend(text);
    }

    fn push(&mut self, symbol: Symbol) {
        if let Symbol::Char(c) = symbol {
            if is_unseen(c) {
                return self.push_unseen(c);
            }
            if c.is_control() && c != '\t' {
                return;
            }
        }
        let directly = self.write_gap(symbol);
        self.write_row(directly);
        self.text.push(symbol);
    }

    fn push_unseen(&mut self, c: char) {
        let behind_flag = self.is_attached() && self.text.last() == Some(&Symbol::Char(FLAG));
        if let Some(tags) = self.unseen.add(c, behind_flag) {
            self.text.extend(tags.into_iter().map(Symbol::Char));
        }
    }

    /// Whether what comes next stands right behind a character.
    fn is_attached(&self) -> bool {
        self.gap == Gap::None && !self.text.is_empty()
    }

    /// Whether there was none.
    fn write_gap(&mut self, next: Symbol) -> bool {
        let attached = self.is_attached();
        let apart = attached && self.apart && starts_word(next);
        if apart {
            self.text.push(Symbol::Char(' '));
        } else if !self.text.is_empty() && self.gap != Gap::None {
            self.text.extend(symbols_of(self.gap.text()));
            if self.gap.is_line_end() {
                self.text
                    .extend(std::iter::repeat_n(Symbol::Char(' '), self.indent));
            }
        }
        self.gap = Gap::None;
        self.apart = false;
        attached && !apart
    }

    /// Writes what belongs to the character that comes next, or to both, and drops what only pads.
    fn write_row(&mut self, between: bool) {
        let kept = match self.unseen.as_slice() {
            [] => return,
            [filler] if between && is_filler(*filler) => Some(*filler),
            row if is_steering(row) => {
                self.text.extend(row.iter().copied().map(Symbol::Char));
                None
            }
            _ => self.unseen.joiner().filter(|_| between),
        };
        self.text.extend(kept.map(Symbol::Char));
        self.unseen.clear();
    }

    /// Ends a row that no character follows directly.
    fn end_row(&mut self) {
        let row = self.unseen.as_slice();
        if row.is_empty() {
            return;
        }
        if self.is_attached() && is_steering(row) {
            self.text.extend(row.iter().copied().map(Symbol::Char));
        }
        self.unseen.clear();
    }
}

/// Whether a row sets the direction of the word beside it. Longer ones are padding.
fn is_steering(row: &[char]) -> bool {
    row.len() <= 2 && row.iter().copied().all(is_direction)
}

fn starts_word(symbol: Symbol) -> bool {
    match symbol {
        Symbol::Char(c) => c.is_alphanumeric() || matches!(c, '(' | '[' | '/'),
        _ => true,
    }
}
