use super::{Kind, Parsed, split_at_commas};
use crate::config::keys::KEYS;
use crate::config::settings::SendRate;

use std::time::Duration;

use figment::value::Value;

fn kind(name: &str) -> Kind {
    KEYS.iter().find(|key| key.name == name).unwrap().kind
}

fn refusal(name: &str, value: impl Into<Value>) -> String {
    kind(name).parse(&value.into()).unwrap_err()
}

fn accepted(name: &str, value: impl Into<Value>) -> Parsed {
    kind(name).parse(&value.into()).unwrap()
}

#[test]
fn durations_are_read_as_people_write_them() {
    for (text, millis) in [("45s", 45_000), ("1m 30s", 90_000), ("1h", 3_600_000)] {
        let parsed = accepted("template.ttl", text);
        assert_eq!(
            parsed,
            Parsed::Time(Duration::from_millis(millis)),
            "{text}"
        );
    }
    assert_eq!(
        accepted("email.timeout", "1500ms"),
        Parsed::Time(Duration::from_millis(1500))
    );
    assert_eq!(
        accepted("queue.wait_time", "0s"),
        Parsed::Time(Duration::ZERO)
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
    assert_eq!(
        accepted("template.max_bytes", "1MiB"),
        Parsed::Size(1 << 20)
    );
    assert_eq!(
        accepted("template.max_bytes", "500kB"),
        Parsed::Size(500_000)
    );
    assert_eq!(accepted("template.max_bytes", "1KiB"), Parsed::Size(1024));
    assert_eq!(
        accepted("template.max_bytes", "5MiB"),
        Parsed::Size(5 << 20)
    );
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
    assert_eq!(accepted("concurrency", 1), Parsed::Count(1));
    assert_eq!(accepted("concurrency", 1000_i64), Parsed::Count(1000));
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
    assert_eq!(accepted(name, "account"), Parsed::Rate(SendRate::Account));
    assert_eq!(
        accepted(name, "unlimited"),
        Parsed::Rate(SendRate::Unlimited)
    );
    assert_eq!(accepted(name, 14), Parsed::Rate(SendRate::PerSecond(14.0)));
    assert_eq!(accepted(name, 0.5), Parsed::Rate(SendRate::PerSecond(0.5)));
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
    assert_eq!(accepted("health.listen", "off"), Parsed::Listen(None));
    let address = "[::1]:80".parse().unwrap();
    assert_eq!(
        accepted("health.listen", "[::1]:80"),
        Parsed::Listen(Some(address))
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
    assert_eq!(
        accepted("log.format", "JSON"),
        Parsed::Text("json".to_owned())
    );
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

#[test]
fn a_list_in_a_variable_is_split_at_commas_outside_quotes() {
    assert_eq!(
        split_at_commas(r#" a@x.com ,"Doe, Jane" <jane@x.com>,, "#),
        ["a@x.com", r#""Doe, Jane" <jane@x.com>"#]
    );
}
