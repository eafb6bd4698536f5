//! The subject of a mail: one clean line.

use super::{
    characters::{is_format, is_joiner},
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
    unseen: Vec<char>,
}

impl Line {
    fn take(&mut self, c: char) {
        if c.is_whitespace() {
            self.space = self.length > 0;
            self.unseen.clear();
        } else if is_format(c) {
            self.unseen.push(c);
            // A flag of a region ends with this tag, and what is not seen of it is part of it.
            if c == TAGS_END && self.text.ends_with(FLAG) && is_region(&self.unseen) {
                self.length += self.unseen.len();
                self.text.extend(self.unseen.drain(..));
            }
            self.unseen.truncate(UNSEEN_MAX);
        } else if !c.is_control() {
            if self.space {
                self.push(' ');
            } else if let [joiner] = self.unseen[..]
                && is_joiner(joiner)
                && self.length > 0
            {
                // Between two characters it spells a word or makes one picture of two.
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

/// What the flag of a region begins with, and the tag that ends it.
const FLAG: char = '\u{1f3f4}';
const TAGS_END: char = '\u{e007f}';
/// More than any flag has.
const UNSEEN_MAX: usize = 8;

/// Whether these are the tags of a flag: letters and digits, and the end.
fn is_region(tags: &[char]) -> bool {
    let is_tag = |c: &char| matches!(c, '\u{e0030}'..='\u{e0039}' | '\u{e0061}'..='\u{e007a}');
    tags.split_last()
        .is_some_and(|(_, region)| (3..=6).contains(&region.len()) && region.iter().all(is_tag))
}

#[cfg(test)]
mod tests;
