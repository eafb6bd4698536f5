//! "Did you mean": the key that a misspelt one probably stands for.

use super::keys;

/// How alike two names must be, from 0 to 1, for one to be offered for the other.
const LIKENESS_MIN: f64 = 0.6;

/// The key, or the section, that somebody probably meant by a path that names none.
pub(super) fn suggest(path: &[&str], section: bool) -> Option<String> {
    let written = path.join(".");
    let name = path.get(2).copied().unwrap_or("name");
    let keys = keys::rows().map(|row| row.name.replace('*', name));
    let candidates: Vec<String> = if section {
        keys.flat_map(|key| sections(&key)).collect()
    } else {
        keys.collect()
    };
    candidates
        .into_iter()
        .filter(|candidate| *candidate != written)
        .map(|candidate| (likeness(&candidate, &written), candidate))
        .filter(|(likeness, _)| *likeness >= LIKENESS_MIN)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, candidate)| candidate)
}

/// From 0 to 1: by edits, which finds a slip of the finger, or by the pairs of letters that both
/// hold, which finds a part that was left out.
fn likeness(one: &str, other: &str) -> f64 {
    let by_edits = strsim::normalized_damerau_levenshtein(one, other);
    by_edits.max(strsim::sorensen_dice(one, other))
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
