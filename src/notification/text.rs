//! The text part, made of the HTML template once so that it never disagrees with it.

mod element;
mod symbol;

#[cfg(test)]
mod tests;

use html5gum::{StartTag, Token, Tokenizer};

use self::{
    element::{Gap, attribute, content_state, gap_around, in_head, shown_url},
    symbol::{Symbol, marked, segments, symbols, trimmed},
};
use super::{characters::is_zero_width, placeholder::Segment};

/// The plain text of an HTML template. Empty if a reader would see none.
pub(super) fn twin(html: &[Segment]) -> Vec<Segment> {
    let source = marked(html);
    let mut tokens = Tokenizer::new(source.as_slice());
    let mut page = Page::default();
    while let Some(Ok(token)) = tokens.next() {
        match token {
            Token::StartTag(tag) => {
                if let Some(state) = content_state(&tag) {
                    tokens.set_state(state);
                }
                page.open(&tag);
            }
            Token::EndTag(tag) => page.close(&tag.name),
            Token::String(text) => page.text(&symbols(&text.value)),
            Token::Comment(_) | Token::Doctype(_) | Token::Error(_) => {}
        }
    }
    page.end_link();
    segments(trimmed(&page.output))
}

/// Takes blanks off the ends of lines, and all empty lines but one between two others. Values bring
/// such lines along, and empty ones leave them behind.
pub(super) fn tidy(text: &str) -> String {
    // Its longest: with the line end that the last line may lack.
    let mut tidied = String::with_capacity(text.len() + 1);
    for line in text.lines().map(str::trim_end) {
        let may_be_empty = !tidied.is_empty() && !tidied.ends_with("\n\n");
        if may_be_empty || !line.is_empty() {
            tidied.push_str(line);
            tidied.push('\n');
        }
    }
    if tidied.ends_with("\n\n") {
        tidied.pop();
    }
    tidied
}

/// The text so far, and what stands between it and the next character.
#[derive(Default)]
struct Page {
    output: Vec<Symbol>,
    gap: Gap,
    link: Option<Link>,
    /// The element whose content nobody sees, until its end tag.
    hidden: Option<Vec<u8>>,
    /// How many `<pre>` are open.
    preformatted: usize,
}

struct Link {
    url: Vec<Symbol>,
    /// Where in the output its text begins.
    start: usize,
}

impl Page {
    fn open(&mut self, tag: &StartTag<()>) {
        let name = tag.name.as_slice();
        self.hidden
            .take_if(|hidden| hidden == b"head" && !in_head(name));
        if self.hidden.is_some() {
            return;
        }
        let Some(gap) = gap_around(name) else {
            // Of these elements only SVG may end where it begins.
            self.hidden = (name != b"svg" || !tag.self_closing).then(|| name.to_vec());
            return;
        };
        self.set_apart(name, gap);
        match name {
            b"br" => self.line_end(),
            b"a" => {
                self.end_link();
                let url = attribute(tag, b"href").and_then(|url| shown_url(&url));
                self.link = url.map(|url| Link {
                    url,
                    start: self.output.len(),
                });
            }
            b"img" => self.folded(&attribute(tag, b"alt").unwrap_or_default()),
            b"li" => {
                self.push(Symbol::Char('-'));
                self.gap = Gap::Bullet;
            }
            b"pre" => self.preformatted += 1,
            _ => {}
        }
    }

    fn close(&mut self, name: &[u8]) {
        if self.hidden.is_some() {
            self.hidden.take_if(|hidden| hidden == name);
            return;
        }
        self.set_apart(name, gap_around(name).unwrap_or_default());
        match name {
            b"a" => self.end_link(),
            b"pre" => {
                self.preformatted = self.preformatted.saturating_sub(1);
                self.gap = Gap::Paragraph;
            }
            // Browsers take it for a line break.
            b"br" => self.line_end(),
            _ => {}
        }
    }

    /// Keeps an element's start or end at least this far from its neighbours.
    fn set_apart(&mut self, name: &[u8], gap: Gap) {
        // Nothing but another item goes below the dash of one that is empty.
        let empty_item = name == b"li" && self.gap == Gap::Bullet;
        self.gap = if empty_item { gap } else { self.gap.max(gap) };
    }

    fn text(&mut self, text: &[Symbol]) {
        if self.hidden.is_some() {
            return;
        }
        if self.preformatted == 0 {
            return self.folded(text);
        }
        for symbol in text {
            match symbol {
                Symbol::Char('\n') => self.line_end(),
                symbol => self.push(*symbol),
            }
        }
    }

    /// Adds text whose white space means no more than one space.
    fn folded(&mut self, text: &[Symbol]) {
        for symbol in text {
            match symbol {
                Symbol::Char(c) if c.is_whitespace() => self.gap = self.gap.max(Gap::Space),
                symbol => self.push(*symbol),
            }
        }
    }

    fn push(&mut self, symbol: Symbol) {
        if matches!(symbol, Symbol::Char(c) if is_zero_width(c) || (c.is_control() && c != '\t')) {
            return;
        }
        if !self.output.is_empty() {
            self.output
                .extend(self.gap.text().chars().map(Symbol::Char));
        }
        self.gap = Gap::None;
        self.output.push(symbol);
    }

    fn line_end(&mut self) {
        self.gap = if self.gap < Gap::Line {
            Gap::Line
        } else {
            Gap::Paragraph
        };
    }

    /// Writes the address of a link behind its text, unless the text is the address.
    fn end_link(&mut self) {
        let Some(link) = self.link.take() else {
            return;
        };
        let text = trimmed(&self.output[link.start..]);
        if text == link.url {
            return;
        }
        if text.is_empty() {
            link.url.iter().for_each(|symbol| self.push(*symbol));
        } else {
            self.output.extend([' ', '('].map(Symbol::Char));
            self.output.extend(link.url);
            self.output.push(Symbol::Char(')'));
        }
    }
}
