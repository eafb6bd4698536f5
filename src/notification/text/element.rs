//! What HTML elements mean for plain text.

use html5gum::{StartTag, State};

use super::symbol::{Symbol, symbols, trimmed};
use crate::notification::characters::is_zero_width;

/// Ordered by strength: the strongest of those in a row is what is written.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Gap {
    #[default]
    None,
    Space,
    Cell,
    Line,
    Paragraph,
    /// Behind a list item's dash, where its first block begins on the same line.
    Bullet,
}

impl Gap {
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Space | Self::Bullet => " ",
            Self::Cell => "  ",
            Self::Line => "\n",
            Self::Paragraph => "\n\n",
        }
    }
}

pub(super) fn attribute(tag: &StartTag<()>, name: &[u8]) -> Option<Vec<Symbol>> {
    tag.attributes.get(name).map(|value| symbols(&value.value))
}

/// What a reader can do with a link's target: nothing with a place on the page or a script, and
/// with a mailbox or a telephone it is the number that counts.
pub(super) fn shown_url(href: &[Symbol]) -> Option<Vec<Symbol>> {
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
    let seen = |symbol: &&Symbol| !matches!(symbol, Symbol::Char(c) if c.is_control() || is_zero_width(*c));
    let shown: Vec<Symbol> = shown.iter().filter(seen).copied().collect();
    (!shown.is_empty()).then_some(shown)
}

/// How the tokenizer reads what is inside an element. Without scripts, as in every mail program,
/// `<noscript>` is an element like others.
pub(super) fn content_state(tag: &StartTag<()>) -> Option<State> {
    match tag.name.as_slice() {
        b"title" | b"textarea" => Some(State::RcData),
        b"style" | b"xmp" | b"iframe" | b"noembed" | b"noframes" => Some(State::RawText),
        b"script" => Some(State::ScriptData),
        _ => None,
    }
}

/// Whether a start tag leaves a head open. Others end it, as in a page that forgot `</head>`.
/// Names with a colon and `xml` are what word processors leave there.
pub(super) fn in_head(name: &[u8]) -> bool {
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

/// What an element puts around itself; `None` if nobody sees the element.
pub(super) fn gap_around(name: &[u8]) -> Option<Gap> {
    Some(match name {
        b"audio" | b"canvas" | b"datalist" | b"head" | b"iframe" | b"noembed" | b"noframes"
        | b"object" | b"script" | b"style" | b"svg" | b"template" | b"title" | b"video" => {
            return None;
        }
        b"p" | b"h1" | b"h2" | b"h3" | b"h4" | b"h5" | b"h6" | b"ul" | b"ol" | b"dl"
        | b"blockquote" | b"hr" | b"figure" | b"pre" => Gap::Paragraph,
        b"address" | b"article" | b"aside" | b"body" | b"caption" | b"center" | b"dd"
        | b"details" | b"div" | b"dt" | b"fieldset" | b"figcaption" | b"footer" | b"form"
        | b"header" | b"li" | b"main" | b"nav" | b"section" | b"summary" | b"table" | b"tbody"
        | b"tfoot" | b"thead" | b"tr" => Gap::Line,
        b"td" | b"th" => Gap::Cell,
        _ => Gap::None,
    })
}
