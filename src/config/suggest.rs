//! "Did you mean": the key that a misspelt one probably stands for.

use super::keys;
use crate::text::most_alike;

/// The key, or the section, that somebody probably meant by a path that names none.
pub(super) fn suggest(path: &[&str], section: bool) -> Option<String> {
    let written = path.join(".");
    let name = path.get(2).copied().unwrap_or("name");
    let mut candidates: Vec<String> = keys::rows()
        .map(|row| row.name.replace('*', name))
        .collect();
    if section {
        candidates = candidates.iter().flat_map(|key| sections(key)).collect();
    } else if let Some(same) = only(candidates.iter().filter(|key| is_flattened(key, &written))) {
        return Some(same.clone());
    } else if let Some(only) = only_one_ending_alike(&candidates, path) {
        return Some(only);
    }
    let others = candidates.into_iter().filter(|key| *key != written);
    most_alike(&written, others)
}

/// Whether this is the key with other separators, as `queue_url` is `queue.url`.
fn is_flattened(key: &str, written: &str) -> bool {
    key.replace('.', "_") == written.replace('.', "_") && key != written
}

/// The only key of the same section whose name holds the written one. Where there is no such key,
/// or more than one, the only key of another section with the same name.
fn only_one_ending_alike(candidates: &[String], path: &[&str]) -> Option<String> {
    let (last, section) = path.split_last()?;
    let section = section.join(".");
    let parts = |key: &String| {
        let (section, name) = key.rsplit_once('.').unwrap_or(("", key));
        (section.to_owned(), name.to_owned())
    };
    let near = |key: &&String| {
        let (its_section, name) = parts(key);
        its_section == section && last.len() > 2 && name.contains(last) && name != *last
    };
    let far = |key: &&String| {
        let (its_section, name) = parts(key);
        name == *last && its_section != section
    };
    only(candidates.iter().filter(near))
        .or_else(|| only(candidates.iter().filter(far)))
        .cloned()
}

fn only<T>(mut items: impl Iterator<Item = T>) -> Option<T> {
    items.next().filter(|_| items.next().is_none())
}

/// The sections that a key stands in, the outermost first.
fn sections(key: &str) -> Vec<String> {
    let dots = key.match_indices('.');
    dots.map(|(at, _)| key[..at].to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::suggest;

    #[test]
    fn a_misspelt_key_finds_the_one_meant() {
        for (written, meant) in [
            ("email.sendr", "email.sender"),
            ("sender", "email.sender"),
            ("queue.timeout", "queue.visibility_timeout"),
            ("mail.sender", "email.sender"),
            ("queue_url", "queue.url"),
            ("concurency", "concurrency"),
            ("template.repo", "template.repository"),
            ("ttl", "template.ttl"),
            ("email.set", "email.configuration_set"),
            (
                "message.placeholders.place.feild",
                "message.placeholders.place.field",
            ),
        ] {
            let parts: Vec<&str> = written.split('.').collect();
            assert_eq!(suggest(&parts, false).as_deref(), Some(meant), "{written}");
        }
        assert_eq!(suggest(&["zebra"], false), None);
        assert_eq!(suggest(&["emial"], true).as_deref(), Some("email"));
    }
}
