//! The text part, made of the HTML template once so that it never disagrees with it.

mod css;
mod element;
mod elements;
mod links;
mod list;
mod output;
mod style;
mod symbol;

#[cfg(test)]
mod tests;

use std::{mem, ops::Range};

use html5gum::{StartTag, Token, Tokenizer};

use self::{
    element::{Gap, attribute, content_state, gap_around, is_list, shown_url},
    elements::{Context, Elements},
    links::Links,
    list::{DASH, Lengths, List},
    output::Output,
    style::Style,
    symbol::{has_text, marked, segments, symbols, symbols_of, trimmed},
};
use super::placeholder::{Segment, fill, pieces};

/// The plain text of an HTML template.
#[derive(Clone)]
pub(super) struct Twin {
    segments: Vec<Segment>,
    /// Which of them are a link's address with its brackets, where it is of values alone.
    addresses: Vec<Range<usize>>,
}

impl Twin {
    pub(super) fn of(html: &[Segment]) -> Self {
        let source = marked(html);
        let mut page = Page::read(&source, Lengths::default());
        if let Some(lengths) = mem::take(&mut page.lengths).found() {
            page = Page::read(&source, lengths);
        }
        let (segments, addresses) = segments(trimmed(&page.output.into_text()));
        Self {
            segments,
            addresses,
        }
    }

    /// Whether a reader would see nothing of it.
    pub(super) fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    /// The text with values in the place of the placeholders, tidied.
    pub(super) fn fill(&self, values: &[impl AsRef<str>]) -> String {
        let empty = |address: &&Range<usize>| {
            let inner = address.start + 1..address.end - 1;
            pieces(&self.segments[inner], values).all(|value| value.trim().is_empty())
        };
        let empty: Vec<_> = self.addresses.iter().filter(empty).collect();
        if empty.is_empty() {
            return tidy(&fill(&self.segments, values));
        }
        let mut text = String::new();
        let mut from = 0;
        for address in empty {
            text.push_str(&fill(&self.segments[from..address.start], values));
            from = address.end;
        }
        text.push_str(&fill(&self.segments[from..], values));
        tidy(&text)
    }
}

/// Takes blanks off the ends of lines, and all empty lines but one between two others. Values bring
/// such lines along, and empty ones leave them behind.
fn tidy(text: &str) -> String {
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

/// A page as it is read.
#[derive(Default)]
struct Page {
    output: Output,
    elements: Elements,
    links: Links,
    /// Those that are open, the outermost first.
    lists: Vec<List>,
    lengths: Lengths,
    /// Whether the page says that it keeps to the standards of HTML.
    standard: bool,
    /// Whether something for Outlook alone, or for all others, was written just before.
    for_others: bool,
}

impl Page {
    fn read(source: &[u8], lengths: Lengths) -> Self {
        let mut tokens = Tokenizer::new(source);
        let mut page = Self {
            lengths,
            ..Self::default()
        };
        while let Some(Ok(token)) = tokens.next() {
            match token {
                Token::StartTag(tag) => {
                    if let Some(state) = content_state(&tag) {
                        tokens.set_state(state);
                    }
                    page.open(tag);
                    page.for_others = false;
                }
                Token::EndTag(tag) => page.close(&tag.name),
                Token::String(text) => page.text(&text.value),
                Token::Comment(text) => page.for_others = is_for_outlook(&text.value),
                Token::Doctype(_) => page.standard = true,
                Token::Error(_) => {}
            }
        }
        page.links.leave_cells(0, &mut page.output);
        page.links.close(0, &mut page.output);
        page.leave_lists(0);
        page
    }

    fn open(&mut self, tag: StartTag<()>) {
        let name = tag.name.as_slice();
        self.elements.make_room(name);
        self.leave();
        let around = self.elements.context_for(Some(name));
        let gap = gap_around(name);
        let out_of_place = self.elements.is_out_of_place(name);
        let mut own = match gap {
            _ if out_of_place => Style::default(),
            Some(_) => Style::of(&tag, self.for_others),
            None => Style::GONE,
        };
        // Without that, browsers do not hand the size of letters down into tables.
        if name == b"table" && !self.standard {
            own = own.sized();
        }
        let context = around.with(name, own);
        if !context.shade.gone {
            self.start(&tag, gap.unwrap_or_default(), around, context);
        }
        // Who ends an element where it begins means that it hides nothing more.
        let over = out_of_place || (tag.self_closing && own.hides());
        if !over {
            self.elements.push(tag.name, own);
            self.output.set_indent(self.elements.context().indent());
        }
    }

    /// The start of an element, all of which may be hidden, but is there.
    fn start(&mut self, tag: &StartTag<()>, gap: Gap, around: Context, context: Context) {
        let name = tag.name.as_slice();
        self.set_apart(name, gap, around);
        match name {
            b"br" => self.output.line_end(),
            b"a" => {
                let url = attribute(tag, b"href").and_then(|url| shown_url(&url));
                self.links.open(url, context.cells, &mut self.output);
            }
            b"img" if context.shade.shows_images() => self.image(tag),
            b"area" if context.shade.shows_images() => self.area(tag),
            b"li" => self.mark(tag, context),
            _ if is_list(name) => self.lists.push(List::open(tag, &mut self.lengths)),
            _ => {}
        }
    }

    fn close(&mut self, name: &[u8]) {
        let gone = self.elements.context().shade.gone;
        self.elements.close(name);
        self.leave();
        let context = self.elements.context_for(None);
        if gone || context.shade.gone {
            return;
        }
        self.set_apart(name, gap_around(name).unwrap_or_default(), context);
        match name {
            b"a" => self.links.close(context.cells, &mut self.output),
            b"pre" => self.output.set_gap(Gap::Paragraph),
            // Browsers take it for a line break.
            b"br" => self.output.line_end(),
            _ => {}
        }
    }

    /// Leaves what has ended with the elements that are no longer open.
    fn leave(&mut self) {
        let context = self.elements.context();
        self.links.leave_cells(context.cells, &mut self.output);
        self.leave_lists(context.lists);
        self.output.set_indent(context.indent());
    }

    fn leave_lists(&mut self, open: usize) {
        for list in self.lists.drain(open.min(self.lists.len())..) {
            self.lengths.ended(&list);
        }
    }

    /// Keeps an element's start or end at least this far from its neighbours.
    fn set_apart(&mut self, name: &[u8], gap: Gap, around: Context) {
        let gap = if is_list(name) && around.lists > 0 {
            Gap::Line
        } else {
            gap
        };
        // Nothing but another item goes below the mark of one that is empty.
        if self.output.is_at_mark() && (name == b"li" || is_list(name)) {
            self.output.set_gap(gap);
        } else {
            self.output.keep_off(gap);
        }
    }

    fn text(&mut self, text: &[u8]) {
        let context = self.elements.context_for(None);
        if !context.shade.shows_text() {
            if context.shade.keeps_room() {
                self.output.keep_off(Gap::Space);
            }
            return;
        }
        let text = symbols(text);
        self.for_others &= !has_text(&text);
        if context.preformatted {
            self.output.preformatted(&text);
        } else {
            self.output.folded(&text);
        }
    }

    /// The mark before an item.
    fn mark(&mut self, tag: &StartTag<()>, context: Context) {
        let list = self.lists.last_mut();
        let mark = list.map_or_else(|| DASH.to_owned(), |list| list.mark(tag));
        if context.shade.shows_text() {
            let mark: Vec<_> = symbols_of(&mark).collect();
            self.output.folded(&mark);
            self.output.set_gap(Gap::Bullet);
        }
    }

    fn image(&mut self, tag: &StartTag<()>) {
        let text = attribute(tag, b"alt").unwrap_or_default();
        if has_text(&text) {
            self.output.keep_off_word();
            self.output.folded(trimmed(&text));
            self.output.keep_words_off();
        } else {
            self.links.take_image();
        }
    }

    /// A part of an image that is a link.
    fn area(&mut self, tag: &StartTag<()>) {
        let Some(url) = attribute(tag, b"href").and_then(|url| shown_url(&url)) else {
            return;
        };
        self.output.keep_off(Gap::Line);
        self.links.open(Some(url), usize::MAX, &mut self.output);
        self.image(tag);
        self.links.close(usize::MAX, &mut self.output);
        self.output.keep_off(Gap::Line);
    }
}

/// Whether a comment is one that shows something to Outlook, or to all but Outlook.
fn is_for_outlook(comment: &[u8]) -> bool {
    let comment = comment.trim_ascii_start();
    comment.starts_with(b"[if")
        && comment
            .windows(3)
            .any(|word| word.eq_ignore_ascii_case(b"mso"))
}
