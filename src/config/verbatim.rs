//! Texts that somebody probably did not mean as they stand. A text is taken verbatim, and some
//! tools hand on more than was meant: the quotes of an env file, a blank at an end, a line break.

use figment::value::Value;

use super::problem::Origin;

/// What is around a value that is refused, where that may be all that is wrong with it.
pub(super) fn wrapping(value: &Value, origin: &Origin) -> Option<String> {
    let text = whole_text(value)?;
    let source = match origin {
        Origin::Variable(_) => "the variable",
        Origin::Flag(_) => "the flag",
        _ => "the value",
    };
    let wrong = if text.trim().is_empty() {
        return None;
    } else if text.starts_with(char::is_whitespace) {
        "begins with a blank"
    } else if text.ends_with(['\r', '\n']) {
        "ends with a line break"
    } else if text.ends_with(char::is_whitespace) {
        "ends with a blank"
    } else if is_quoted(text) {
        return Some(match origin {
            Origin::File { .. } => "is in quotes twice; one pair is enough".to_owned(),
            _ => format!("is in quotes; {source} takes none"),
        });
    } else {
        return None;
    };
    Some(format!("{wrong}; {source} takes none there"))
}

/// What may be wrong with a value that is taken, to be told behind how it was written. In a file
/// quotes within quotes are no accident.
pub(super) fn doubt(key: &str, value: &Value, origin: &Origin) -> Option<&'static str> {
    let text = value.as_str()?;
    let is_given = !matches!(origin, Origin::Unset | Origin::Default);
    let is_bare = is_given && !matches!(origin, Origin::File { .. });
    if is_bare && is_quoted(text.trim()) {
        Some(
            "is in quotes, which are taken as a part of the value: leave them out, unless they are meant",
        )
    } else if key == "email.subject" && text.contains(['\r', '\n']) {
        Some("contains a line break, which becomes a space in the subject")
    } else {
        None
    }
}

/// Text, also as the only item of a list.
fn whole_text(value: &Value) -> Option<&str> {
    match value {
        Value::Array(_, items) => match &items[..] {
            [only] => only.as_str(),
            _ => None,
        },
        text => text.as_str(),
    }
}

/// Whether one pair of quotes encloses all of it.
fn is_quoted(text: &str) -> bool {
    ['"', '\''].into_iter().any(|quote| {
        let inner = text.strip_prefix(quote);
        let inner = inner.and_then(|rest| rest.strip_suffix(quote));
        inner.is_some_and(|inner| !inner.contains(quote))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variable() -> Origin {
        Origin::Variable("SUBJECT".to_owned())
    }

    #[test]
    fn what_is_around_a_refused_value_is_named() {
        for (text, told) in [
            (
                " a",
                Some("begins with a blank; the variable takes none there"),
            ),
            (
                "a ",
                Some("ends with a blank; the variable takes none there"),
            ),
            (
                "a\r\n",
                Some("ends with a line break; the variable takes none there"),
            ),
            (
                " \"a\"",
                Some("begins with a blank; the variable takes none there"),
            ),
            ("\"a\"", Some("is in quotes; the variable takes none")),
            ("'a'", Some("is in quotes; the variable takes none")),
            ("\"a\" b \"c\"", None),
            ("\"a'", None),
            ("a", None),
            ("", None),
            ("  ", None),
        ] {
            let found = wrapping(&text.into(), &variable());
            assert_eq!(found.as_deref(), told, "{text:?}");
        }
        let list = Value::from(vec!["\"a@x.com\""]);
        let told = Some("is in quotes; the flag takes none");
        assert_eq!(wrapping(&list, &Origin::Flag("--set")).as_deref(), told);
        assert_eq!(wrapping(&Value::from(1), &variable()), None);
    }

    #[test]
    fn a_taken_value_in_quotes_or_a_subject_of_two_lines_is_doubted() {
        let file = Origin::File {
            path: "a.toml".into(),
            line: Some(1),
        };
        let doubted =
            |key: &str, text: &str, origin: &Origin| doubt(key, &text.into(), origin).is_some();
        assert!(doubted("email.subject", "'a'", &variable()));
        assert!(doubted("template.path", "\"a\"", &Origin::Flag("--set")));
        assert!(!doubted("email.subject", "'a' or 'b'", &variable()));
        assert!(!doubted("email.subject", "'a'", &file));
        assert!(!doubted("email.sender", "\"A\" <a@x.com>", &variable()));
        assert!(doubted("email.subject", "a\nb", &file));
        assert!(!doubted("template.path", "a\nb", &file));
        assert!(!doubted("email.subject", "'a'", &Origin::Default));
    }
}
