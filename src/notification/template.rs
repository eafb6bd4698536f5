//! The HTML template, and the two bodies of a mail that it becomes.

use std::{fmt, sync::Arc};

use super::{
    event::Event,
    html::Html,
    placeholder::{NEUTRAL, Pattern, Placeholders},
    rejection::{Needs, Rejection},
    text::Twin,
};

/// An HTML template and its plain text twin, both compiled.
#[derive(Clone)]
pub struct Template {
    html: Pattern,
    /// Counts in the placeholders of `html`.
    text: Twin,
}

/// Why a file is no template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// Some other encoding, or no text at all.
    #[error("the template is not UTF-8 (at byte {offset})")]
    NotUtf8 {
        /// The first byte that is not, counted from 0.
        offset: usize,
    },
    /// What Git LFS keeps in the repository in the place of a file.
    #[error("the file is a Git LFS pointer, and the template itself is not in the repository")]
    LfsPointer,
    /// A merge that nobody finished.
    #[error("the template holds merge conflict markers (in line {line})")]
    ConflictMarkers {
        /// The line of the first, counted from 1.
        line: usize,
    },
    /// Nothing in it that a reader would see: it is empty, or all markup.
    #[error("the template has no visible text")]
    Blank,
}

/// The two bodies of a mail.
pub(super) struct Bodies {
    pub(super) html: Html,
    pub(super) text: String,
}

impl Template {
    /// Compiles a UTF-8 file, with or without a byte-order mark.
    pub fn compile(source: &[u8], declared: &Placeholders) -> Result<Self, TemplateError> {
        let source = std::str::from_utf8(source).map_err(|error| TemplateError::NotUtf8 {
            offset: error.valid_up_to(),
        })?;
        let source = source.strip_prefix('\u{feff}').unwrap_or(source);
        refuse_leftovers_of_git(source)?;
        let html = Pattern::parse(source, declared);
        let text = Twin::of(&html.segments);
        if text.is_empty() {
            return Err(TemplateError::Blank);
        }
        Ok(Self { html, text })
    }

    /// The names of the placeholders in it, each once, in order of appearance.
    pub fn placeholders(&self) -> impl Iterator<Item = &str> {
        self.html.names()
    }

    pub(super) fn render(&self, event: &Event) -> Result<Bodies, Rejection> {
        Ok(self.filled(&self.html.values(event, Needs::Template)?))
    }

    /// The bodies with the same neutral text in the place of each value.
    pub(super) fn render_neutral(&self) -> Bodies {
        let values: Vec<_> = self.placeholders().map(|_| NEUTRAL).collect();
        self.filled(&values)
    }

    fn filled(&self, values: &[&str]) -> Bodies {
        // A template names a placeholder several times; its value is prepared once for each part.
        let escaped = values.iter().map(|value| escaped(value)).collect();
        let plain: Vec<_> = values.iter().map(|value| plain(value)).collect();
        Bodies {
            html: Html::new(Arc::clone(&self.html.segments), escaped),
            text: self.text.fill(&plain),
        }
    }
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.placeholders().collect();
        f.debug_struct("Template")
            .field("placeholders", &names)
            .finish_non_exhaustive()
    }
}

/// Refuses what Git and its helpers leave where a file was meant.
fn refuse_leftovers_of_git(source: &str) -> Result<(), TemplateError> {
    // Both names of its specification: Git LFS was called Hawser.
    let pointers = ["version https://git-lfs.", "version https://hawser."];
    let is_pointer = pointers.iter().any(|start| source.starts_with(start));
    if is_pointer && source.contains("\noid sha256:") {
        return Err(TemplateError::LfsPointer);
    }
    // Most files have no such thing anywhere, and need not be read line by line.
    if !["<<<<<<< ", ">>>>>>> "]
        .iter()
        .any(|mark| source.contains(mark))
    {
        return Ok(());
    }
    let mut half = None;
    for (place, line) in source.lines().enumerate() {
        let is_end = line.starts_with(">>>>>>> ");
        if line.starts_with("<<<<<<< ") || (is_end && half.is_some()) {
            let line = half.unwrap_or(place) + 1;
            return Err(TemplateError::ConflictMarkers { line });
        }
        if line == "=======" {
            // Somebody may have taken away the line above it.
            half = half.or(Some(place));
        }
    }
    Ok(())
}

/// Safe as text and in a quoted attribute. The characters that HTML forbids are dropped.
fn escaped(value: &str) -> String {
    let mut output = String::with_capacity(value.len());
    for c in printable(value) {
        match c {
            '&' => output.push_str("&amp;"),
            '<' => output.push_str("&lt;"),
            '>' => output.push_str("&gt;"),
            '"' => output.push_str("&quot;"),
            // `&apos;` is unknown to HTML 4, which some mail programs still are.
            '\'' => output.push_str("&#39;"),
            c => output.push(c),
        }
    }
    output
}

fn plain(value: &str) -> String {
    printable(value).collect()
}

/// A value without control characters, except tabs and line ends; line ends become line feeds.
fn printable(value: &str) -> impl Iterator<Item = char> {
    let mut chars = value.chars().peekable();
    std::iter::from_fn(move || {
        loop {
            let c = chars.next()?;
            match c {
                '\r' if chars.peek() == Some(&'\n') => {}
                '\r' => return Some('\n'),
                '\n' | '\t' => return Some(c),
                c if c.is_control() => {}
                c => return Some(c),
            }
        }
    })
}

#[cfg(test)]
mod tests;
