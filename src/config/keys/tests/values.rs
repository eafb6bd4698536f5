//! The values that each key takes, and where they go.

use std::time::Duration;

use figment::value::Value;

use super::super::{Draft, rows};
use crate::{config::settings::LogFormat, ports::SendRate};

fn filled(name: &str, value: impl Into<Value>) -> Result<Draft, String> {
    let mut draft = Draft::default();
    let row = rows().find(|row| row.name == name).unwrap();
    row.fill(&mut draft, "", &value.into())?;
    Ok(draft)
}

fn refusal(name: &str, value: impl Into<Value>) -> String {
    filled(name, value).map(|_| ()).unwrap_err()
}

fn accepted(name: &str, value: impl Into<Value>) -> Draft {
    filled(name, value)
        .map_err(|wrong| format!("{name}: {wrong}"))
        .unwrap()
}

#[test]
fn durations_are_read_as_people_write_them() {
    for (text, millis) in [("45s", 45_000), ("1m 30s", 90_000), ("1h", 3_600_000)] {
        let ttl = accepted("template.ttl", text).template.ttl;
        assert_eq!(ttl, Duration::from_millis(millis), "{text}");
    }
    assert_eq!(
        accepted("email.timeout", "1500ms").email.timeout,
        Duration::from_millis(1500)
    );
    assert_eq!(
        accepted("queue.wait_time", "0s").queue.wait_time,
        Duration::ZERO
    );
}

#[test]
fn a_bare_number_is_no_duration() {
    for value in [Value::from(20), Value::from("20"), Value::from("0")] {
        let refusal = refusal("queue.wait_time", value);
        assert!(
            refusal.contains("without a unit; allowed: 0s to 20s in whole seconds"),
            "{refusal}"
        );
        assert!(refusal.contains("such as `15s`"), "{refusal}");
    }
}

#[test]
fn durations_stay_in_their_range_bounds_included() {
    for (name, least, below, most, above) in [
        ("queue.wait_time", "0s", "-1s", "20s", "21s"),
        ("queue.visibility_timeout", "5s", "4s", "1h", "3601s"),
        ("template.ttl", "10s", "9999ms", "24h", "24h 1ms"),
        ("email.timeout", "1s", "999ms", "60s", "61s"),
        ("retry.max_elapsed", "1s", "500ms", "11h", "12h"),
        ("shutdown.grace", "8s", "7s", "2m", "121s"),
    ] {
        accepted(name, least);
        accepted(name, most);
        assert!(
            refusal(name, below).starts_with(&format!("is `{below}`; allowed: ")),
            "{name}"
        );
        assert!(
            refusal(name, above).starts_with(&format!("is `{above}`; allowed: ")),
            "{name}"
        );
    }
}

#[test]
fn sqs_takes_whole_seconds_only() {
    assert!(refusal("queue.wait_time", "1500ms").contains("in whole seconds"));
    assert!(refusal("queue.visibility_timeout", "60s 1ms").contains("in whole seconds"));
}

#[test]
fn sizes_have_a_unit_and_a_range() {
    for (text, bytes) in [
        ("1MiB", 1 << 20),
        ("500kB", 500_000),
        ("1KiB", 1024),
        ("5MiB", 5 << 20),
    ] {
        let max_bytes = accepted("template.max_bytes", text).template.max_bytes;
        assert_eq!(max_bytes, bytes, "{text}");
    }
    for value in ["1023B", "6MiB", "much", ""] {
        assert_eq!(
            refusal("template.max_bytes", value),
            format!("is `{value}`; allowed: 1 KiB to 5 MiB, with a unit, such as `500KiB`")
        );
    }
    assert!(refusal("template.max_bytes", 1_048_576).starts_with("is 1048576 without a unit"));
    assert!(refusal("template.max_bytes", "1048576").starts_with("is `1048576` without a unit"));
}

#[test]
fn a_count_is_a_whole_number_in_its_range() {
    assert_eq!(accepted("concurrency", 1).concurrency, 1);
    assert_eq!(accepted("concurrency", 1000_i64).concurrency, 1000);
    for (value, shown) in [
        (Value::from(0), "0"),
        (Value::from(1001), "1001"),
        (Value::from(-1), "-1"),
        (Value::from(2.0), "2.0"),
        (Value::from("32"), "`32`"),
        (Value::from(true), "true"),
    ] {
        let expected = format!("is {shown}; allowed: a whole number from 1 to 1000");
        assert_eq!(refusal("concurrency", value), expected);
    }
}

#[test]
fn a_rate_is_a_word_or_a_number() {
    let name = "email.max_send_rate";
    for (value, rate) in [
        (Value::from("account"), SendRate::Account),
        (Value::from("unlimited"), SendRate::Unlimited),
        (Value::from(14), SendRate::PerSecond(14.0)),
        (Value::from(0.5), SendRate::PerSecond(0.5)),
    ] {
        assert_eq!(accepted(name, value).email.max_send_rate, rate);
    }
    for value in [
        Value::from(0),
        Value::from(-1),
        Value::from(1e-300),
        Value::from(10_001),
        Value::from(f64::NAN),
        Value::from(f64::INFINITY),
        Value::from("fast"),
    ] {
        let refusal = refusal(name, value);
        assert!(
            refusal.contains("allowed: `account`, `unlimited`, or a number"),
            "{refusal}"
        );
    }
}

#[test]
fn health_listens_on_an_address_or_not_at_all() {
    assert_eq!(accepted("health.listen", "off").health_listen, None);
    assert_eq!(
        accepted("health.listen", "[::1]:80").health_listen,
        Some("[::1]:80".parse().unwrap())
    );
    for value in ["localhost:80", "8973", "127.0.0.1"] {
        assert!(
            refusal("health.listen", value).contains("or `off`"),
            "{value}"
        );
    }
}

#[test]
fn a_choice_lists_what_there_is() {
    assert_eq!(accepted("log.format", "JSON").log.format, LogFormat::Json);
    assert_eq!(
        refusal("log.format", "xml"),
        "is `xml`; allowed: `auto`, `text`, `json`"
    );
}

#[test]
fn text_is_not_made_of_other_values() {
    let refusal = refusal("email.subject", 7);
    assert!(
        refusal.starts_with("is 7, not text in quotes; allowed: "),
        "{refusal}"
    );
}
