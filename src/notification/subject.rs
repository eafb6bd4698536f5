//! The subject of a mail: one clean line.

use super::{
    characters::is_format,
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
    /// format characters, white space folded and trimmed.
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
    let mut line = String::new();
    let mut length = 0;
    let mut space = false;
    for c in chars {
        if c.is_whitespace() {
            space = length > 0;
        } else if !c.is_control() && !is_format(c) {
            if space {
                line.push(' ');
            }
            line.push(c);
            length += 1 + usize::from(space);
            space = false;
        }
        if length > SUBJECT_MAX_CHARS {
            let kept: String = line.chars().take(SUBJECT_MAX_CHARS - 1).collect();
            return format!("{}…", kept.trim_end());
        }
    }
    line
}

#[cfg(test)]
mod tests;
