//! The text part, made of the HTML template once so that it never disagrees with it.

use html5gum::{StartTag, State, Token, Tokenizer};

use super::placeholder::Segment;

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
    segments(&page.output)
}

/// Takes blanks off the ends of lines, and all empty lines but one between two others. Values bring
/// such lines along, and empty ones leave them behind.
pub(super) fn tidy(text: &str) -> String {
    let mut tidied = String::new();
    let mut empty_lines = 0;
    for line in text.lines().map(str::trim_end) {
        if line.is_empty() {
            empty_lines += 1;
            continue;
        }
        if !tidied.is_empty() {
            tidied.push_str(if empty_lines == 0 { "\n" } else { "\n\n" });
        }
        tidied.push_str(line);
        empty_lines = 0;
    }
    if !tidied.is_empty() {
        tidied.push('\n');
    }
    tidied
}

/// Characters without width that mail templates are padded with, and soft hyphens.
pub(super) fn is_zero_width(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{34f}' | '\u{180e}' | '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}'
    )
}

/// A character of the text, or a placeholder's index.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Symbol {
    Char(char),
    Value(usize),
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

/// Ordered by strength: the strongest of those in a row is what is written.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Gap {
    #[default]
    None,
    Space,
    Cell,
    Line,
    Paragraph,
}

struct Link {
    url: Vec<Symbol>,
    /// Where in the output its text begins.
    start: usize,
}

impl Page {
    fn open(&mut self, tag: &StartTag<()>) {
        let name = tag.name.as_slice();
        if self.hidden.as_deref() == Some(b"head") && !in_head(name) {
            self.hidden = None;
        }
        if self.hidden.is_some() {
            return;
        }
        if is_hidden(name) {
            self.hidden = Some(name.to_vec());
            return;
        }
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
            b"img" => {
                if let Some(alt) = attribute(tag, b"alt") {
                    self.folded(&alt);
                }
            }
            b"td" | b"th" => self.gap = self.gap.max(Gap::Cell),
            b"li" => {
                self.gap = self.gap.max(Gap::Line);
                self.push(Symbol::Char('-'));
                self.gap = Gap::Space;
            }
            b"pre" => {
                self.preformatted += 1;
                self.gap = Gap::Paragraph;
            }
            _ => self.gap = self.gap.max(block_gap(name)),
        }
    }

    fn close(&mut self, name: &[u8]) {
        if let Some(hidden) = &self.hidden {
            if hidden == name {
                self.hidden = None;
            }
            return;
        }
        match name {
            b"a" => self.end_link(),
            b"td" | b"th" => self.gap = self.gap.max(Gap::Cell),
            b"pre" => {
                self.preformatted = self.preformatted.saturating_sub(1);
                self.gap = Gap::Paragraph;
            }
            // Browsers take it for a line break.
            b"br" => self.line_end(),
            _ => self.gap = self.gap.max(block_gap(name)),
        }
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
                Symbol::Char('\r') => {}
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
        let gap = if self.output.is_empty() {
            Gap::None
        } else {
            self.gap
        };
        self.output.extend(gap.text().chars().map(Symbol::Char));
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
        let after = self.gap;
        if text.is_empty() {
            link.url.iter().for_each(|symbol| self.push(*symbol));
        } else {
            self.output.extend([' ', '('].map(Symbol::Char));
            self.output.extend(link.url);
            self.output.push(Symbol::Char(')'));
            self.gap = after;
        }
    }
}

impl Gap {
    fn text(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Space => " ",
            Self::Cell => "  ",
            Self::Line => "\n",
            Self::Paragraph => "\n\n",
        }
    }
}

/// Begins a placeholder in the tokenizer's input. Neither byte occurs in UTF-8, so that no template
/// and no character reference can write one.
const VALUE: u8 = 0xff;
const VALUE_END: u8 = 0xfe;

/// The template with its placeholders in a form that the tokenizer carries along as text.
fn marked(html: &[Segment]) -> Vec<u8> {
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

fn symbols(text: &[u8]) -> Vec<Symbol> {
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

fn segments(symbols: &[Symbol]) -> Vec<Segment> {
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

fn attribute(tag: &StartTag<()>, name: &[u8]) -> Option<Vec<Symbol>> {
    tag.attributes.get(name).map(|value| symbols(&value.value))
}

/// What a reader can do with a link's target: nothing with a place on the page or a script, and
/// with a mailbox or a telephone it is the number that counts.
fn shown_url(href: &[Symbol]) -> Option<Vec<Symbol>> {
    let url = trimmed(href);
    let scheme: String = url
        .iter()
        .map_while(|symbol| match symbol {
            Symbol::Char(c) if *c != ':' => Some(c.to_ascii_lowercase()),
            _ => None,
        })
        .collect();
    let has_scheme = url.get(scheme.chars().count()) == Some(&Symbol::Char(':'));
    let shown = match scheme.as_str() {
        "javascript" | "data" | "vbscript" if has_scheme => &[],
        "mailto" | "tel" if has_scheme => {
            let target = &url[scheme.len() + 1..];
            target
                .split(|symbol| *symbol == Symbol::Char('?'))
                .next()
                .unwrap_or_default()
        }
        _ if url.first() == Some(&Symbol::Char('#')) => &[],
        _ => url,
    };
    (!shown.is_empty()).then(|| shown.to_vec())
}

fn trimmed(symbols: &[Symbol]) -> &[Symbol] {
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

/// How the tokenizer reads what is inside an element. Without scripts, as in every mail program,
/// `<noscript>` is an element like others.
fn content_state(tag: &StartTag<()>) -> Option<State> {
    match tag.name.as_slice() {
        b"title" | b"textarea" => Some(State::RcData),
        b"style" | b"xmp" | b"iframe" | b"noembed" | b"noframes" => Some(State::RawText),
        b"script" => Some(State::ScriptData),
        _ => None,
    }
}

fn is_hidden(name: &[u8]) -> bool {
    matches!(
        name,
        b"head"
            | b"title"
            | b"style"
            | b"script"
            | b"template"
            | b"iframe"
            | b"noembed"
            | b"noframes"
            | b"svg"
            | b"object"
            | b"audio"
            | b"video"
            | b"canvas"
            | b"datalist"
    )
}

/// Whether a start tag leaves a head open. Others end it, as in a page that forgot `</head>`.
/// Names with a colon and `xml` are what word processors leave there.
fn in_head(name: &[u8]) -> bool {
    matches!(
        name,
        b"meta"
            | b"link"
            | b"base"
            | b"title"
            | b"style"
            | b"script"
            | b"noscript"
            | b"template"
            | b"xml"
    ) || name.contains(&b':')
}

/// What an element puts around itself.
fn block_gap(name: &[u8]) -> Gap {
    match name {
        b"p" | b"h1" | b"h2" | b"h3" | b"h4" | b"h5" | b"h6" | b"ul" | b"ol" | b"dl"
        | b"blockquote" | b"hr" | b"figure" => Gap::Paragraph,
        b"address" | b"article" | b"aside" | b"body" | b"caption" | b"center" | b"dd"
        | b"details" | b"div" | b"dt" | b"fieldset" | b"figcaption" | b"footer" | b"form"
        | b"header" | b"li" | b"main" | b"nav" | b"section" | b"summary" | b"table" | b"tbody"
        | b"tfoot" | b"thead" | b"tr" => Gap::Line,
        _ => Gap::None,
    }
}
