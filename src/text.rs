//! Words for people: how texts write durations and foreign words, and which known word a misspelt one stands for.

mod misspelling;

use std::time::Duration;

pub use self::misspelling::{Misspelling, misspelt};

/// A duration as people write it, to the second: `1m 30s`.
pub fn format_duration(duration: Duration) -> String {
    format_to_the_millisecond(Duration::from_secs(duration.as_secs()))
}

/// A duration as people write it, to the millisecond, for texts in which a second more or less
/// matters: `1s 500ms`.
pub fn format_to_the_millisecond(duration: Duration) -> String {
    let millis = Duration::new(duration.as_secs(), duration.subsec_millis() * 1_000_000);
    let text = humantime::format_duration(millis).to_string();
    // As the other units, in one letter: `4d`.
    text.replace("days", "d").replace("day", "d")
}

/// A foreign text in a line of ours: without line ends, and without control characters that a
/// terminal would obey.
pub fn one_line(text: &str) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().map(plain).collect()
}

/// How alike two words must be, from 0 to 1, for one to be offered for the other.
const SIMILARITY_MIN: f64 = 0.6;

/// Of the words that are known the one that a misspelt word probably stands for.
pub fn most_alike<T: AsRef<str>>(written: &str, known: impl Iterator<Item = T>) -> Option<T> {
    known
        .map(|word| {
            (
                strsim::normalized_damerau_levenshtein(word.as_ref(), written),
                word,
            )
        })
        .filter(|(similarity, _)| *similarity >= SIMILARITY_MIN)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, word)| word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_resembles_none_is_left_alone() {
        let known = ["summary", "uid"];
        assert_eq!(most_alike("sumary", known.iter()), Some(&"summary"));
        assert_eq!(most_alike("zebra", known.iter()), None);
    }

    #[test]
    fn a_strange_text_cannot_leave_its_line_or_drive_the_terminal() {
        assert_eq!(one_line("a\r\nb\u{1b}[31m"), "a  b [31m");
    }

    #[test]
    fn a_duration_is_written_to_the_second_or_to_the_millisecond() {
        let duration = Duration::from_micros(90_999_999);
        assert_eq!(format_duration(duration), "1m 30s");
        assert_eq!(format_duration(Duration::from_hours(96)), "4d");
        assert_eq!(format_duration(Duration::from_hours(25)), "1d 1h");
        assert_eq!(format_to_the_millisecond(duration), "1m 30s 999ms");
    }
}
