//! Texts in braces that look like placeholders and are none.

use std::{collections::BTreeSet, fmt};

use super::most_alike;
use crate::notification::{Placeholder, Placeholders};

/// A text in braces that looks like a placeholder, and is mailed as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misspelling {
    /// As it is written, braces included.
    pub written: String,
    /// The placeholder that was probably meant, without braces. Without one it may be meant as it is.
    pub meant: Option<String>,
}

impl fmt::Display for Misspelling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)?;
        match &self.meant {
            Some(meant) => write!(f, " (did you mean {{{meant}}}?)"),
            None => Ok(()),
        }
    }
}

/// What in a text looks like a placeholder and is not declared, each once.
pub fn misspelt(text: &str, declared: &Placeholders) -> Vec<Misspelling> {
    let written = undeclared(text, declared).into_iter();
    written
        .map(|written| Misspelling {
            meant: meant(&written, declared),
            written,
        })
        .collect()
}

/// The texts in braces that look like placeholders and are not declared, each once, as written.
fn undeclared(source: &str, declared: &Placeholders) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in source.match_indices('{') {
        let rest = &source[at + 1..];
        let Some(end) = rest.find(['{', '}', '\n', ';', ':']) else {
            continue;
        };
        let inner = &rest[..end];
        let name = inner.trim_matches([' ', '\t']);
        let is_declared = || declared.iter().any(|known| known.name == name);
        if rest[end..].starts_with('}')
            && Placeholder::is_name(name)
            && !(inner == name && is_declared())
        {
            found.insert(format!("{{{inner}}}"));
        }
    }
    found
}

/// The placeholder that was probably meant.
fn meant(written: &str, declared: &Placeholders) -> Option<String> {
    let name = written
        .trim_matches(['{', '}', ' ', '\t'])
        .to_ascii_lowercase();
    let lower = declared.iter().map(|known| known.name.to_ascii_lowercase());
    let meant = most_alike(&name, lower)?;
    let mut declared = declared.iter().map(|known| &known.name);
    declared
        .find(|known| known.eq_ignore_ascii_case(&meant))
        .cloned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notification::JsonPointer;

    fn declared() -> Placeholders {
        let names = ["mailto", "summary", "uid"];
        let placeholder = |name: &str| Placeholder {
            name: name.to_owned(),
            field: JsonPointer::parse(&format!("/{name}")).unwrap(),
            fallback: None,
            default: None,
        };
        Placeholders::new(names.map(placeholder).into())
    }

    #[test]
    fn names_in_braces_that_are_not_declared_are_found_and_css_is_not() {
        let source =
            "p{color:red} .x{margin:0} {summary} { uid } {sumary} {\nuid\n} {unknown} {2x}";
        let found = misspelt(source, &declared());
        let found: Vec<_> = found.iter().map(ToString::to_string).collect();
        let expected = [
            "{ uid } (did you mean {uid}?)",
            "{sumary} (did you mean {summary}?)",
            "{unknown}",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_misspelling_tells_what_was_meant() {
        for (written, expected) in [
            ("{sumary}", Some("summary")),
            ("{Summary}", Some("summary")),
            ("{ uid }", Some("uid")),
            ("{mail_to}", Some("mailto")),
            ("{unknown}", None),
        ] {
            assert_eq!(
                meant(written, &declared()).as_deref(),
                expected,
                "{written}"
            );
        }
    }
}
