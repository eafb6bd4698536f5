//! Words for people: how the log, the commands and the error texts write durations.

use std::time::Duration;

/// A duration as people write it, to the second: `1m 30s`.
pub fn format_duration(duration: Duration) -> String {
    format_to_the_millisecond(Duration::from_secs(duration.as_secs()))
}

/// A duration as people write it, to the millisecond, for texts in which a second more or less
/// matters: `1s 500ms`.
pub fn format_to_the_millisecond(duration: Duration) -> String {
    let millis = Duration::new(duration.as_secs(), duration.subsec_millis() * 1_000_000);
    humantime::format_duration(millis).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_written_to_the_second_or_to_the_millisecond() {
        let duration = Duration::from_micros(90_999_999);
        assert_eq!(format_duration(duration), "1m 30s");
        assert_eq!(format_to_the_millisecond(duration), "1m 30s 999ms");
    }
}
