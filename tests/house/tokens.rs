//! Rust's tokens, as far as the rules need them: without comments, with literals blanked, so that
//! no rule trips over prose or data.

/// A piece of Rust text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token<'a> {
    /// A word, `::`, or one character; `""` for a literal or a lifetime.
    pub(crate) text: &'a str,
    /// Counted from 1.
    pub(crate) line: usize,
}

impl Token<'_> {
    /// Whether it is an identifier or keyword.
    pub(crate) fn is_word(&self) -> bool {
        self.text.starts_with(is_word_start)
    }
}

/// The tokens of a file.
pub(crate) fn tokens(source: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut line = 1;
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let (length, text) = next(rest, first);
        let (taken, after) = rest.split_at(length);
        if let Some(text) = text {
            tokens.push(Token { text, line });
        }
        line += taken.matches('\n').count();
        rest = after;
    }
    tokens
}

/// The plain string literals of a file, each with its line.
pub(crate) fn literals(source: &str) -> Vec<(&str, usize)> {
    let mut literals = Vec::new();
    let mut line = 1;
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let (taken, after) = rest.split_at(next(rest, first).0);
        if let Some(text) = taken.strip_prefix('"').and_then(|t| t.strip_suffix('"')) {
            literals.push((text, line));
        }
        line += taken.matches('\n').count();
        rest = after;
    }
    literals
}

/// The length of what the text begins with, and the token it makes, if any.
fn next(rest: &str, first: char) -> (usize, Option<&str>) {
    if rest.starts_with("//") {
        (rest.find('\n').unwrap_or(rest.len()), None)
    } else if rest.starts_with("/*") {
        (block_comment(rest), None)
    } else if let Some(length) = string(rest) {
        (length, Some(""))
    } else if first == '\'' {
        (character_or_lifetime(rest), Some(""))
    } else if is_word_start(first) {
        let raw = if rest.starts_with("r#") { 2 } else { 0 };
        let length = raw + word(&rest[raw..]);
        (length, Some(&rest[raw..length]))
    } else if first.is_ascii_digit() {
        (word(rest), Some(""))
    } else if rest.starts_with("::") {
        (2, Some("::"))
    } else {
        let length = first.len_utf8();
        (length, (!first.is_whitespace()).then(|| &rest[..length]))
    }
}

fn is_word_start(c: char) -> bool {
    c == '_' || c.is_alphabetic()
}

fn word(rest: &str) -> usize {
    rest.find(|c: char| c != '_' && !c.is_alphanumeric())
        .unwrap_or(rest.len())
}

/// Block comments nest.
fn block_comment(rest: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < rest.len() {
        let ahead = &rest.as_bytes()[at..];
        if ahead.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if ahead.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

/// The length of the string literal that the text begins with: plain, byte, C or raw.
fn string(rest: &str) -> Option<usize> {
    let marked = rest.trim_start_matches(['b', 'c']);
    let prefix = rest.len() - marked.len();
    if prefix > 1 {
        return None;
    }
    if let Some(raw) = marked.strip_prefix('r') {
        let opening = raw.trim_start_matches('#');
        let hashes = &raw[..raw.len() - opening.len()];
        let body = opening.strip_prefix('"')?;
        let close = format!("\"{hashes}");
        let end = body.find(&close).map_or(body.len(), |at| at + close.len());
        return Some(rest.len() - body.len() + end);
    }
    let body = marked.strip_prefix('"')?;
    let end = closing(body, '"').unwrap_or(body.len());
    Some(prefix + 1 + end)
}

/// `'a'` and `'\''` are characters, `'a` is a lifetime.
fn character_or_lifetime(rest: &str) -> usize {
    let body = &rest[1..];
    let mut characters = body.chars();
    let first = characters.next();
    if first == Some('\\') || characters.next() == Some('\'') {
        1 + closing(body, '\'').unwrap_or(body.len())
    } else {
        1 + word(body)
    }
}

/// The length up to and with the closing quote; a backslash hides the character after it.
fn closing(body: &str, quote: char) -> Option<usize> {
    let mut hidden = false;
    for (at, c) in body.char_indices() {
        if hidden {
            hidden = false;
        } else if c == '\\' {
            hidden = true;
        } else if c == quote {
            return Some(at + 1);
        }
    }
    None
}

#[test]
fn comments_and_literals_hold_no_words() {
    let source = r##"a // todo!
        /* b /* c */ d */ 'e' '\'' '"' 'static "f \" g" b"h" r#"i " j"# br"\" c"k" 0x1f k::r#use"##;
    let words: Vec<_> = tokens(source)
        .iter()
        .filter(|token| !token.text.is_empty())
        .map(|token| token.text)
        .collect();
    assert_eq!(words, ["a", "k", "::", "use"]);
}

#[test]
fn literals_are_told_from_comments_and_characters() {
    let source = "f(\"a b\", '\"') // \"c\"\n g(b\"d\", \"E\")";
    assert_eq!(literals(source), [("a b", 1), ("E", 2)]);
}

#[test]
fn a_token_knows_its_line() {
    let lines: Vec<_> = tokens("a\n\"b\nc\"\n/* d\n */ e")
        .iter()
        .map(|token| token.line)
        .collect();
    assert_eq!(lines, [1, 2, 5]);
}
