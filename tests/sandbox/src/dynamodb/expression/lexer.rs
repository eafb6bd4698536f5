//! The tokens of an expression, and how a syntax error shows where it is.

use std::ops::Range;

/// One token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A name, a function or a keyword.
    Word,
    /// `#name`.
    NamePlaceholder,
    /// `:value`.
    ValuePlaceholder,
    /// Digits alone.
    Digits,
    /// `=`, `<>`, `<`, `<=`, `>`, `>=`.
    Comparator,
    /// A parenthesis, a bracket, a dot or a comma.
    Mark,
    /// No part of any expression.
    Stray,
    /// Behind the last token.
    End,
}

#[derive(Debug)]
struct Token {
    kind: Kind,
    place: Range<usize>,
}

/// The tokens of one expression, read from the first to the last.
#[derive(Debug)]
pub(super) struct Tokens<'a> {
    source: &'a str,
    /// All of them, the end included.
    read: Vec<Token>,
    /// Which of them is next.
    next: usize,
}

impl<'a> Tokens<'a> {
    pub(super) fn of(source: &'a str) -> Self {
        let mut tokens = Vec::new();
        let mut rest = source.trim_start();
        while !rest.is_empty() {
            let (kind, length) = first_token(rest);
            let start = source.len() - rest.len();
            tokens.push(Token {
                kind,
                place: start..start + length,
            });
            rest = rest[length..].trim_start();
        }
        tokens.push(Token {
            kind: Kind::End,
            place: source.len()..source.len(),
        });
        Self {
            source,
            read: tokens,
            next: 0,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.read.len() == 1
    }

    /// The kind of the next token.
    pub(super) fn kind(&self) -> Kind {
        self.read[self.next].kind
    }

    /// The next token as it is written.
    pub(super) fn text(&self) -> &'a str {
        self.written(self.next)
    }

    /// The kind of the token after the next.
    pub(super) fn second_is(&self, mark: &str) -> bool {
        self.next + 1 < self.read.len() && self.written(self.next + 1) == mark
    }

    /// Takes the next token.
    pub(super) fn take(&mut self) -> &'a str {
        let text = self.text();
        if self.kind() != Kind::End {
            self.next += 1;
        }
        text
    }

    /// Takes the next token where it is this mark.
    pub(super) fn take_mark(&mut self, mark: &str) -> bool {
        let found = self.kind() == Kind::Mark && self.text() == mark;
        if found {
            self.next += 1;
        }
        found
    }

    /// Whether the next token is this keyword, in whatever case.
    pub(super) fn is_keyword(&self, keyword: &str) -> bool {
        self.kind() == Kind::Word && self.text().eq_ignore_ascii_case(keyword)
    }

    /// Takes the next token where it is this keyword.
    pub(super) fn take_keyword(&mut self, keyword: &str) -> bool {
        let found = self.is_keyword(keyword);
        if found {
            self.next += 1;
        }
        found
    }

    /// The next token should not be there.
    pub(super) fn syntax_error(&self) -> String {
        let before = self.next.saturating_sub(1);
        let after = (self.next + 1).min(self.read.len() - 1);
        let near = self.read[before].place.start..self.read[after].place.end;
        let near = self.source[near].trim_end();
        let token = match self.kind() {
            Kind::End => "<EOF>",
            _ => self.text(),
        };
        format!("Syntax error; token: \"{token}\", near: \"{near}\"")
    }

    fn written(&self, index: usize) -> &'a str {
        &self.source[self.read[index].place.clone()]
    }
}

/// The kind and the bytes of the token that the text, which is not empty, begins with.
fn first_token(text: &str) -> (Kind, usize) {
    let part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let length = |start: usize, belongs: fn(char) -> bool| {
        let rest = &text[start..];
        start + rest.find(|c| !belongs(c)).unwrap_or(rest.len())
    };
    let named = |kind| match length(1, |c| c.is_ascii_alphanumeric() || c == '_') {
        1 => (Kind::Stray, 1),
        length => (kind, length),
    };
    for comparator in ["<>", "<=", ">=", "=", "<", ">"] {
        if text.starts_with(comparator) {
            return (Kind::Comparator, comparator.len());
        }
    }
    match text.chars().next().unwrap_or_default() {
        '#' => named(Kind::NamePlaceholder),
        ':' => named(Kind::ValuePlaceholder),
        '(' | ')' | '[' | ']' | '.' | ',' => (Kind::Mark, 1),
        c if c.is_ascii_digit() => (Kind::Digits, length(0, |c| c.is_ascii_digit())),
        c if part(c) => {
            let length = length(0, |c| c.is_ascii_alphanumeric() || c == '_');
            (Kind::Word, length)
        }
        c => (Kind::Stray, c.len_utf8()),
    }
}
