//! What holds for every template.

use proptest::prelude::*;

use super::{assert_texts, text, text_with};

/// A page as a tree, for which it is plain what a reader sees.
#[derive(Debug, Clone)]
enum Node {
    Word,
    Image,
    Element(&'static str, Look, Vec<Node>),
    Link(Vec<Node>),
}

/// A style, and what it does to the text in its element.
#[derive(Debug, Clone, Copy)]
struct Look(&'static str, Effect);

#[derive(Debug, Clone, Copy, PartialEq)]
enum Effect {
    Nothing,
    /// For good.
    Hides,
    /// Until an element in it says otherwise.
    Veils,
    Unveils,
    Shrinks,
    Enlarges,
}

const LOOKS: [Look; 16] = [
    Look("", Effect::Nothing),
    Look(" style='color:red;padding:0 4px'", Effect::Nothing),
    Look(" style='display:none;display:block'", Effect::Nothing),
    Look(" style='max-height:0;max-width:0'", Effect::Nothing),
    Look(" class='hidden' title='display:none'", Effect::Nothing),
    Look(" hidden", Effect::Hides),
    Look(
        " style='Display: NONE !important; display:block'",
        Effect::Hides,
    ),
    Look(" style=\"background:url('a;b');opacity:0\"", Effect::Hides),
    Look(
        " style='display:block;height:0;overflow:hidden'",
        Effect::Hides,
    ),
    Look(" style='mso-hide:all'", Effect::Hides),
    Look(" style='visibility:hidden'", Effect::Veils),
    Look(" style='visibility:visible'", Effect::Unveils),
    Look(" style='font-size:0px'", Effect::Shrinks),
    Look(" style='font-size:14px'", Effect::Enlarges),
    Look(" style='font-size:2em'", Effect::Nothing),
    Look(" style='font:14px/0 serif'", Effect::Enlarges),
];

/// What of a tree is shown.
#[derive(Clone, Copy, Default)]
struct Seen {
    hidden: bool,
    veiled: bool,
    shrunk: bool,
}

impl Seen {
    fn with(self, effect: Effect) -> Self {
        Self {
            hidden: self.hidden || effect == Effect::Hides,
            veiled: (self.veiled || effect == Effect::Veils) && effect != Effect::Unveils,
            shrunk: (self.shrunk || effect == Effect::Shrinks) && effect != Effect::Enlarges,
        }
    }
}

/// The HTML of trees, with the words that are seen of it.
#[derive(Default)]
struct Written {
    html: String,
    words: usize,
    seen: Vec<String>,
    addresses: Vec<String>,
}

impl Written {
    fn of(nodes: &[Node]) -> Self {
        let mut written = Self {
            html: "<!doctype html>".to_owned(),
            ..Self::default()
        };
        written.write(nodes, Seen::default());
        written
    }

    fn write(&mut self, nodes: &[Node], seen: Seen) {
        for node in nodes {
            match node {
                Node::Word => {
                    let word = self.word(!seen.hidden && !seen.veiled && !seen.shrunk);
                    self.html.push_str(&[&word, " "].concat());
                }
                Node::Image => {
                    let word = self.word(!seen.hidden && !seen.veiled);
                    self.html
                        .push_str(&["<img src=i alt='", &word, "'>"].concat());
                }
                Node::Element(name, look, inner) => {
                    self.html.push_str(&["<", name, look.0, ">"].concat());
                    self.write(inner, seen.with(look.1));
                    self.html.push_str(&["</", name, ">"].concat());
                }
                Node::Link(inner) => {
                    let address = format!("https://x.y/{}", self.html.len());
                    let before = self.seen.len();
                    self.html.push_str(&["<a href='", &address, "'>"].concat());
                    self.write(inner, seen);
                    self.html.push_str("</a>");
                    if self.seen.len() > before {
                        self.addresses.push(address);
                    }
                }
            }
        }
    }

    fn word(&mut self, seen: bool) -> String {
        self.words += 1;
        let word = format!("w{}w", self.words);
        self.seen.extend(seen.then(|| word.clone()));
        word
    }
}

/// The words of a text that a tree's words are written as.
fn words(text: &str) -> Vec<&str> {
    let parts = text.split(|c: char| !c.is_ascii_alphanumeric());
    let is_word = |part: &&str| part.starts_with('w') && part.ends_with('w') && part.len() > 2;
    parts.filter(is_word).collect()
}

fn tree() -> impl Strategy<Value = Vec<Node>> {
    let leaf = prop_oneof![4 => Just(Node::Word), 1 => Just(Node::Image)];
    let name = prop::sample::select(vec!["div", "section", "blockquote", "center", "td"]);
    let node = leaf.prop_recursive(4, 40, 5, move |inner| {
        let inner = prop::collection::vec(inner, 0..5);
        let look = prop::sample::select(LOOKS.to_vec());
        prop_oneof![
            5 => (name.clone(), look, inner.clone()).prop_map(|(name, look, inner)| {
                if name == "td" {
                    // What cuts off a box does not cut off a cell.
                    let look = if look.0.contains("height:0;") { LOOKS[0] } else { look };
                    let cell = Node::Element("td", look, inner);
                    let row = Node::Element("tr", LOOKS[0], vec![cell]);
                    Node::Element("table", LOOKS[0], vec![row])
                } else {
                    Node::Element(name, look, inner)
                }
            }),
            1 => inner.prop_map(|inner| Node::Link(without_links(inner))),
        ]
    });
    prop::collection::vec(node, 1..6)
}

/// Browsers do not know links in links.
fn without_links(nodes: Vec<Node>) -> Vec<Node> {
    let inner = nodes.into_iter().map(|node| match node {
        Node::Link(inner) => Node::Element("div", LOOKS[0], without_links(inner)),
        Node::Element(name, look, inner) => Node::Element(name, look, without_links(inner)),
        leaf => leaf,
    });
    inner.collect()
}

/// Markup in any order, with words in it, of which none is hidden.
fn soup() -> impl Strategy<Value = (String, Vec<String>)> {
    let tags = [
        "<p>",
        "</p>",
        "<div>",
        "</div>",
        "<span>",
        "</span>",
        "<b>",
        "</b>",
        "<a href='https://x.y'>",
        "<a href='{uid}'>",
        "<a href=''>",
        "<a name=x>",
        "</a>",
        "<ul>",
        "</ul>",
        "<ol reversed>",
        "<ol start=3>",
        "</ol>",
        "<li>",
        "</li>",
        "<table>",
        "</table>",
        "<tr>",
        "</tr>",
        "<td>",
        "</td>",
        "<pre>",
        "</pre>",
        "<br>",
        "<img>",
        "<h1>",
        "</h1>",
        "<dl>",
        "<dt>",
        "<dd>",
        "</dl>",
        "<area href='https://z.y'>",
        "&zwnj;",
        "&rlm;",
        " ",
        "<style>p{}</style>",
        "<!-- x -->",
        "<svg><path/></svg>",
        "</body>",
        "<input hidden>",
        "<div hidden>x</div>",
        "<i style='display:none'>x</i>",
        "()",
        "{summary}",
    ];
    let piece = prop_oneof![
        3 => prop::sample::select(tags.to_vec()).prop_map(|tag| (tag.to_owned(), false)),
        2 => Just((String::new(), true)),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| {
        let mut html = String::new();
        let mut words = Vec::new();
        for (tag, is_word) in pieces {
            html.push_str(&tag);
            if is_word {
                let word = format!("w{}w", words.len());
                html.push_str(&[" ", &word, " "].concat());
                words.push(word);
            }
        }
        (html, words)
    })
}

proptest! {
    #[test]
    fn what_is_seen_is_in_the_text_in_its_order_and_nothing_else(nodes in tree()) {
        let written = Written::of(&nodes);
        let text = text(&written.html);
        prop_assert_eq!(words(&text), written.seen, "{}\n{}", written.html, text);
        let found: Vec<_> = text.split_whitespace().filter_map(|word| word.strip_prefix("(https:")).collect();
        prop_assert_eq!(found.len(), written.addresses.len(), "{}\n{}", written.html, text);
        for address in written.addresses {
            prop_assert!(text.contains(&format!("({address})")), "{}\n{}", written.html, text);
        }
    }

    #[test]
    fn no_order_of_tags_loses_a_word_that_is_seen((html, seen) in soup()) {
        let text = text(&html);
        prop_assert_eq!(words(&text), seen, "{}\n{}", html, text);
    }

    #[test]
    fn no_link_leaves_empty_brackets((html, _) in soup(), value in prop::sample::select(vec!["", " ", "x"])) {
        let own = html.matches("()").count();
        let text = text_with(&html, |_| value.to_owned());
        prop_assert_eq!(text.matches("()").count(), own, "{}\n{}", html, text);
        prop_assert!(!text.contains("( )"), "{}\n{}", html, text);
    }

    #[test]
    fn the_text_with_values_is_that_of_the_html_with_values((html, _) in soup(), value in "[a-z]{1,8}") {
        let valued = |name: &str| format!("{value}{name}");
        let filled = ["uid", "mailto", "summary"].iter().fold(html.clone(), |html, name| {
            html.replace(&["{", name, "}"].concat(), &valued(name))
        });
        prop_assert_eq!(text_with(&html, valued), text(&filled), "{}", html);
    }

    #[test]
    fn no_line_ends_with_blanks_and_no_two_are_empty((html, _) in soup()) {
        let text = text(&html);
        prop_assert!(!text.contains("\n\n\n") && !text.starts_with('\n') && !text.ends_with('\n'));
        prop_assert!(text.lines().all(|line| line.trim_end() == line), "{text:?}");
    }
}

#[test]
fn the_tree_of_the_properties_says_what_is_seen() {
    assert_texts(&[("<p hidden>w1w</p>w2w", "w2w")]);
    assert_eq!(words("- w1w (https://x.y) w2, ww w3w."), ["w1w", "w3w"]);
}
