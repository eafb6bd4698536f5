//! The subject of a mail: one clean line.

use super::{
    characters::{FLAG, UnseenRow, is_format},
    event::Event,
    placeholder::{NEUTRAL, Pattern, Placeholders, pieces},
    rejection::{Needs, Rejection},
};

/// The most characters (Unicode scalar values) of a subject.
pub const SUBJECT_MAX_CHARS: usize = 200;

/// A subject line with placeholders.
#[derive(Debug, Clone)]
pub struct Subject(Pattern);

impl Subject {
    /// Finds the placeholders. What a subject is made of is cleaned when it is rendered.
    pub fn compile(source: &str, declared: &Placeholders) -> Self {
        Self(Pattern::parse(source, declared))
    }

    /// The names of the placeholders in it, each once.
    pub fn placeholders(&self) -> impl Iterator<Item = &str> {
        self.0.names()
    }

    /// The subject for an event: one line of at most [`SUBJECT_MAX_CHARS`], without control and
    /// format characters, but for joiners between two characters and the tags of flags; white space folded
    /// and trimmed, and nothing in it that a mail program would decode.
    pub(super) fn render(&self, event: &Event) -> Result<String, Rejection> {
        Ok(self.filled(&self.0.values(event, Needs::Subject)?))
    }

    /// The subject with the same neutral text in the place of each value.
    pub(super) fn render_neutral(&self) -> String {
        let values: Vec<_> = self.placeholders().map(|_| NEUTRAL).collect();
        self.filled(&values)
    }

    fn filled(&self, values: &[impl AsRef<str>]) -> String {
        let pieces = pieces(&self.0.segments, values);
        one_line(pieces.flat_map(str::chars))
    }
}

fn one_line(chars: impl Iterator<Item = char>) -> String {
    let mut line = Line::default();
    for c in chars {
        line.take(c);
        if line.length > SUBJECT_MAX_CHARS {
            let kept: String = line.text.chars().take(SUBJECT_MAX_CHARS - 1).collect();
            let kept = kept.trim_end_matches(|c: char| c == ' ' || is_format(c));
            return format!("{kept}…");
        }
    }
    line.text
}

/// A subject as it grows.
#[derive(Default)]
struct Line {
    text: String,
    /// How many characters it has.
    length: usize,
    /// Whether white space has been read since the last character.
    space: bool,
    /// What was read since then that may belong to the next one, or to the last: a joiner, or the tags of
    /// a flag.
    unseen: UnseenRow,
}

impl Line {
    fn take(&mut self, c: char) {
        if c.is_whitespace() {
            self.space = self.length > 0;
            self.unseen.clear();
        } else if is_format(c) {
            if let Some(tags) = self.unseen.add(c, self.text.ends_with(FLAG)) {
                self.length += tags.len();
                self.text.extend(tags);
            }
        } else if !c.is_control() {
            if self.space {
                self.push(' ');
            } else if let Some(joiner) = self.unseen.joiner()
                && self.length > 0
            {
                self.push(joiner);
            }
            // The beginning of an encoded word, which a reader's program would decode.
            if c == '?' && self.text.ends_with('=') {
                self.push(' ');
            }
            self.push(c);
            self.space = false;
            self.unseen.clear();
        }
    }

    fn push(&mut self, c: char) {
        self.text.push(c);
        self.length += 1;
    }
}

#[cfg(test)]
mod tests;
