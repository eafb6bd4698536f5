//! The paths that a file names, in `use` and elsewhere, with `self` and `super` resolved.

use crate::tokens::{Token, tokens};
use crate::tree::File;

/// A path to somewhere else.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Named {
    /// `crate` first where it leads into the own crate; else as written.
    pub(crate) segments: Vec<String>,
    /// Counted from 1.
    pub(crate) line: usize,
}

/// The modules down to a file under `src`: `["aws", "sqs"]` for `src/aws/sqs.rs`.
pub(crate) fn module(path: &str) -> Vec<String> {
    let inner = path.strip_prefix("src/").unwrap_or(path);
    let inner = inner.strip_suffix(".rs").unwrap_or(inner);
    let inner = inner.strip_suffix("/mod").unwrap_or(inner);
    let parts = inner.split('/').map(str::to_owned);
    parts.filter(|part| part != "lib").collect()
}

/// Every path of the file, `use` trees flattened.
pub(crate) fn named(file: &File) -> Vec<Named> {
    let tokens = tokens(&file.text);
    let mut reader = Reader {
        tokens: &tokens,
        at: 0,
        module: module(&file.path),
        inner: Vec::new(),
        depth: 0,
        found: Vec::new(),
    };
    reader.file();
    reader.found
}

struct Reader<'a> {
    tokens: &'a [Token<'a>],
    at: usize,
    module: Vec<String>,
    /// The brace depth at which each inline module began.
    inner: Vec<usize>,
    depth: usize,
    found: Vec<Named>,
}

impl Reader<'_> {
    fn file(&mut self) {
        while self.at < self.tokens.len() {
            match self.text(0) {
                "mod" if self.text(2) == "{" => {
                    self.module.push(self.text(1).to_owned());
                    self.inner.push(self.depth);
                    self.at += 2;
                }
                "{" => {
                    self.depth += 1;
                    self.at += 1;
                }
                "}" => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.inner.last() == Some(&self.depth) {
                        self.inner.pop();
                        self.module.pop();
                    }
                    self.at += 1;
                }
                // `use<'a>` in a type captures lifetimes.
                "use" if self.text(1) != "<" => {
                    self.at += 1;
                    self.tree(&[]);
                }
                "extern" if self.text(1) == "crate" => {
                    self.at += 2;
                    self.tree(&[]);
                }
                _ => self.path(),
            }
        }
    }

    fn text(&self, ahead: usize) -> &str {
        self.tokens
            .get(self.at + ahead)
            .map_or("", |token| token.text)
    }

    /// A `use` tree below the prefix, up to the `,`, `}` or `;` after it.
    fn tree(&mut self, prefix: &[String]) {
        let line = self.tokens.get(self.at).map_or(0, |token| token.line);
        let mut segments = prefix.to_vec();
        loop {
            match self.text(0) {
                "::" => self.at += 1,
                "{" => {
                    self.at += 1;
                    while !matches!(self.text(0), "}" | "") {
                        self.tree(&segments);
                        if self.text(0) == "," {
                            self.at += 1;
                        }
                    }
                    self.at += 1;
                    return;
                }
                "as" => self.at += 2,
                "," | "}" | ";" | "" => break,
                segment => {
                    segments.push(segment.to_owned());
                    self.at += 1;
                }
            }
        }
        self.push(segments, line);
    }

    /// A path outside of `use`, where one starts here; else one token.
    fn path(&mut self) {
        let line = self.tokens[self.at].line;
        let mut segments = Vec::new();
        // `::tokio` starts a path, the `::` of `Vec::<u8>::new` goes on with one.
        if self.text(0) == "::" {
            self.at += 1;
            let before = self.at.checked_sub(2).map(|at| self.tokens[at]);
            if before.is_some_and(|token| token.text == ">" || token.is_word()) {
                self.at += 1;
                return;
            }
        }
        while self.tokens.get(self.at).is_some_and(Token::is_word) {
            segments.push(self.text(0).to_owned());
            self.at += 1;
            let goes_on = self.tokens.get(self.at + 1).is_some_and(Token::is_word);
            if self.text(0) != "::" || !goes_on {
                break;
            }
            self.at += 1;
        }
        match segments.len() {
            0 => self.at += 1,
            1 => {}
            _ => self.push(segments, line),
        }
    }

    fn push(&mut self, segments: Vec<String>, line: usize) {
        let segments = self.resolved(segments);
        self.found.push(Named { segments, line });
    }

    fn resolved(&self, segments: Vec<String>) -> Vec<String> {
        let ups = match segments.first().map(String::as_str) {
            Some("self") => 0,
            Some("super") => 1,
            _ => return segments,
        };
        let supers = segments[1..].iter().take_while(|part| *part == "super");
        let ups = ups + supers.count();
        let own = &self.module[..self.module.len().saturating_sub(ups)];
        let rest = segments.into_iter();
        let rest = rest.skip_while(|part| part == "self" || part == "super");
        let mut whole = vec!["crate".to_owned()];
        whole.extend(own.iter().cloned());
        whole.extend(rest);
        whole
    }
}

#[test]
fn a_file_has_a_module() {
    assert_eq!(module("src/aws/mod.rs"), ["aws"]);
    assert_eq!(module("src/aws/sqs/tests.rs"), ["aws", "sqs", "tests"]);
    assert_eq!(module("src/ports.rs"), ["ports"]);
    assert_eq!(module("src/lib.rs"), [""; 0]);
}

#[test]
fn paths_are_found_wherever_they_stand() {
    let source = "
        use a::{b, c::{self as d, *}, super_::e};
        use ::f; pub(in crate::g) use self::h as i;
        fn j<'x>(k: l::M<'x>) -> impl N + use<'x> { o::p!(Vec::<::q::R>::s()); t.u(&super::v::W) }
        mod x { mod y { use super::super::super::z; } fn a() { self::b() } }
        #[c::d] fn e() { <F as g::H>::i::j() }
    ";
    let found: Vec<_> = named(&File::new("src/top/under.rs", source))
        .iter()
        .map(|named| named.segments.join("::"))
        .collect();
    let expected = [
        "a::b",
        "a::c::self",
        "a::c::*",
        "a::super_::e",
        "f",
        "crate::g",
        "crate::top::under::h",
        "l::M",
        "o::p",
        "q::R",
        "crate::top::v::W",
        "crate::top::z",
        "crate::top::under::x::b",
        "c::d",
        "g::H",
    ];
    assert_eq!(found, expected);
}
