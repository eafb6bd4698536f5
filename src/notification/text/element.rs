//! What HTML elements mean for plain text.

use html5gum::{StartTag, State};

use super::symbol::{Symbol, symbols, trimmed};
use crate::notification::characters::is_unseen;

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

    pub(super) fn is_line_end(self) -> bool {
        matches!(self, Self::Line | Self::Paragraph)
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
    let seen =
        |symbol: &&Symbol| !matches!(symbol, Symbol::Char(c) if c.is_control() || is_unseen(*c));
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
        | b"blockquote" | b"hr" | b"figure" | b"pre" | b"menu" | b"dir" => Gap::Paragraph,
        b"address" | b"article" | b"aside" | b"body" | b"caption" | b"center" | b"dd"
        | b"details" | b"div" | b"dt" | b"fieldset" | b"figcaption" | b"footer" | b"form"
        | b"header" | b"li" | b"main" | b"nav" | b"section" | b"summary" | b"table" | b"tbody"
        | b"tfoot" | b"thead" | b"tr" => Gap::Line,
        b"td" | b"th" => Gap::Cell,
        _ => Gap::None,
    })
}

/// Elements that have no end tag, and hold nothing.
pub(super) fn is_void(name: &[u8]) -> bool {
    matches!(
        name,
        b"area"
            | b"base"
            | b"basefont"
            | b"bgsound"
            | b"br"
            | b"col"
            | b"embed"
            | b"frame"
            | b"hr"
            | b"img"
            | b"input"
            | b"keygen"
            | b"link"
            | b"meta"
            | b"param"
            | b"source"
            | b"track"
            | b"wbr"
    )
}

pub(super) fn is_list(name: &[u8]) -> bool {
    matches!(name, b"ul" | b"ol" | b"menu" | b"dir")
}

pub(super) fn is_heading(name: &[u8]) -> bool {
    matches!(name, [b'h', b'1'..=b'6'])
}

/// What a link neither reaches into nor out of.
pub(super) fn is_cell(name: &[u8]) -> bool {
    matches!(name, b"td" | b"th" | b"caption")
}

pub(super) fn is_table_part(name: &[u8]) -> bool {
    let rows = matches!(name, b"table" | b"tbody" | b"thead" | b"tfoot" | b"tr");
    rows || is_cell(name) || matches!(name, b"col" | b"colgroup")
}

/// Elements that only say how text looks. They may overlap others.
pub(super) fn is_formatting(name: &[u8]) -> bool {
    matches!(
        name,
        b"a" | b"b"
            | b"big"
            | b"code"
            | b"em"
            | b"font"
            | b"i"
            | b"nobr"
            | b"s"
            | b"small"
            | b"strike"
            | b"strong"
            | b"tt"
            | b"u"
    )
}

/// Elements that an end tag of an element without a meaning of its own does not reach through.
pub(super) fn is_special(name: &[u8]) -> bool {
    let other = matches!(
        name,
        b"button"
            | b"dialog"
            | b"hgroup"
            | b"html"
            | b"listing"
            | b"marquee"
            | b"search"
            | b"select"
    );
    other || gap_around(name) != Some(Gap::None)
}

/// Elements that no end tag reaches through, but for those of tables.
pub(super) fn bounds_scope(name: &[u8]) -> bool {
    let other = matches!(
        name,
        b"table" | b"html" | b"marquee" | b"object" | b"template"
    );
    other || is_cell(name)
}

/// Blocks, which a paragraph cannot hold.
pub(super) fn ends_paragraph(name: &[u8]) -> bool {
    let blocks = matches!(gap_around(name), Some(Gap::Line | Gap::Paragraph));
    let parts = is_table_part(name) && name != b"table";
    let other = matches!(
        name,
        b"dialog" | b"hgroup" | b"listing" | b"search" | b"xmp"
    );
    other || (blocks && !parts && name != b"body")
}

/// What holds cells and no text.
pub(super) fn holds_only_cells(name: &[u8]) -> bool {
    is_table_part(name) && !is_cell(name)
}

/// Elements of a page that end a picture in whose source they stand.
pub(super) fn ends_picture(name: &[u8]) -> bool {
    let formatting = is_formatting(name) && !matches!(name, b"a" | b"font");
    let words = matches!(
        name,
        b"br" | b"embed" | b"img" | b"meta" | b"ruby" | b"span" | b"sub" | b"sup" | b"var"
    );
    let blocks = matches!(
        name,
        b"blockquote"
            | b"body"
            | b"center"
            | b"dd"
            | b"div"
            | b"dl"
            | b"dt"
            | b"hr"
            | b"li"
            | b"listing"
            | b"menu"
            | b"ol"
            | b"p"
            | b"pre"
            | b"table"
            | b"ul"
    );
    formatting || words || blocks || is_heading(name)
}
