//! Which source wins, and what is told of where values come from.

use std::path::{Path, PathBuf};
use std::time::Duration;

use organizer_notifier::config::{DEFAULTS, Flags, LogFormat, Origin, Repository, load};
use organizer_notifier::notification::{JsonPointer, Placeholder};
use organizer_notifier::ports::SendRate;
use tracing::Level;

use crate::{
    CIS, file_line, headers, load_cis_and, load_file, load_with, only_problem, placeholder,
    survey_of, with_file, with_overrides,
};

const REQUIRED: &str = r#"
[queue]
url = "http://127.0.0.1:9324/q"
[template]
file = "new_event.html"
[email]
sender = "events@example.com"
subject = "Created"
"#;

#[test]
fn the_servers_own_variables_are_a_complete_configuration() {
    let settings = load_cis_and(&[]).unwrap().settings;
    assert_eq!(settings.region.as_deref(), Some("eu-central-1"));
    assert_eq!(
        settings.queue.url,
        "https://sqs.eu-central-1.amazonaws.com/123456789012/created"
    );
    assert_eq!(settings.template.file, None);
    assert_eq!(
        settings.template.repository,
        Repository::CodeCommit("email-templates".to_owned())
    );
    assert_eq!(settings.template.path, "new_event.html");
    assert_eq!(settings.template.reference, None);
    assert_eq!(settings.sender.header(), "events@example.com");
    assert_eq!(settings.email.subject, "Your event {summary}");
    assert_eq!(settings.log.level, Some(Level::INFO));
}

#[test]
fn what_nobody_sets_has_its_default() {
    let settings = load_file(REQUIRED).unwrap().settings;
    assert_eq!(settings.region, None);
    assert_eq!(settings.queue.wait_time, Duration::from_secs(20));
    assert_eq!(settings.queue.visibility_timeout, Duration::from_mins(1));
    assert_eq!(settings.concurrency, 32);
    assert_eq!(
        settings.template.file.as_deref(),
        Some(Path::new("new_event.html"))
    );
    assert_eq!(settings.template.ttl, Duration::from_mins(5));
    assert_eq!(settings.template.max_bytes, 1 << 20);
    assert_eq!(settings.message.recipient.as_str(), "/mailto");
    assert!(settings.email.reply_to.is_empty());
    assert_eq!(settings.email.configuration_set, None);
    assert_eq!(settings.email.timeout, Duration::from_secs(10));
    assert_eq!(settings.email.max_send_rate, SendRate::Account);
    assert_eq!(settings.max_elapsed, Duration::from_mins(15));
    assert_eq!(settings.grace, Duration::from_secs(28));
    assert_eq!(
        settings.health_listen,
        Some("127.0.0.1:8973".parse().unwrap())
    );
    assert_eq!(settings.log.level, Some(Level::INFO));
    assert_eq!(settings.log.format, LogFormat::Auto);
}

#[test]
fn the_servers_placeholders_are_the_default() {
    let placeholders = load_file(REQUIRED).unwrap().settings.message.placeholders;
    let pointer = |text| JsonPointer::parse(text).unwrap();
    let placeholder = |name: &str, field, fallback: Option<_>, default: Option<&str>| Placeholder {
        name: name.to_owned(),
        field: pointer(field),
        fallback: fallback.map(pointer),
        default: default.map(str::to_owned),
    };
    let expected = [
        placeholder("events", "/events", None, Some("1")),
        placeholder("mailto", "/organizer", Some("/mailto"), None),
        placeholder("summary", "/summary", None, Some("(untitled event)")),
        placeholder("uid", "/uid", None, None),
    ];
    assert_eq!(placeholders.iter().cloned().collect::<Vec<_>>(), expected);
}

#[test]
fn every_key_can_be_set_in_a_file() {
    let text = r#"
concurrency = 7
aws.region = "eu-west-1"
queue = { url = "http://127.0.0.1:1/q", wait_time = "5s", visibility_timeout = "2m" }
[template]
repository = "r"
path = "p"
reference = "main"
ttl = "1m 30s"
max_bytes = "500kB"
[message]
recipient = "/to"
[message.placeholders.place]
field = "/location"
fallback = "/city"
default = ""
[email]
sender = "Events <events@example.com>"
subject = "007"
reply_to = ["a@example.com", "b@example.com"]
configuration_set = "set"
timeout = "1500ms"
max_send_rate = 14
[retry]
max_elapsed = "1h"
[shutdown]
grace = "1m"
[health]
listen = "off"
[log]
level = "trace"
format = "json"
"#;
    let settings = load_file(text).unwrap().settings;
    assert_eq!(settings.concurrency, 7);
    assert_eq!(settings.region.as_deref(), Some("eu-west-1"));
    assert_eq!(settings.queue.url, "http://127.0.0.1:1/q");
    assert_eq!(settings.queue.wait_time, Duration::from_secs(5));
    assert_eq!(settings.queue.visibility_timeout, Duration::from_mins(2));
    assert_eq!(settings.template.file, None);
    assert_eq!(
        settings.template.repository,
        Repository::CodeCommit("r".to_owned())
    );
    assert_eq!(settings.template.path, "p");
    assert_eq!(settings.template.reference.as_deref(), Some("main"));
    assert_eq!(settings.template.ttl, Duration::from_secs(90));
    assert_eq!(settings.template.max_bytes, 500_000);
    assert_eq!(settings.message.recipient.as_str(), "/to");
    let place = placeholder(&settings, "place");
    assert_eq!(place.field.as_str(), "/location");
    let fallback = place.fallback.as_ref().map(JsonPointer::as_str);
    assert_eq!(fallback, Some("/city"));
    assert_eq!(place.default.as_deref(), Some(""));
    assert_eq!(settings.message.placeholders.iter().count(), 5);
    assert_eq!(settings.sender.header(), "Events <events@example.com>");
    assert_eq!(settings.email.subject, "007");
    assert_eq!(
        headers(&settings.email.reply_to),
        ["a@example.com", "b@example.com"]
    );
    assert_eq!(settings.email.configuration_set.as_deref(), Some("set"));
    assert_eq!(settings.email.timeout, Duration::from_millis(1500));
    assert_eq!(settings.email.max_send_rate, SendRate::PerSecond(14.0));
    assert_eq!(settings.max_elapsed, Duration::from_hours(1));
    assert_eq!(settings.grace, Duration::from_mins(1));
    assert_eq!(settings.health_listen, None);
    assert_eq!(settings.log.level, Some(Level::TRACE));
    assert_eq!(settings.log.format, LogFormat::Json);
}

#[test]
fn each_source_beats_those_before_it() {
    let cis = [CIS, &[("SUBJECT", "cis")]].concat();
    let file = [("notifier.toml", "[email]\nsubject = \"file\"")];
    let own = [cis.as_slice(), &[("NOTIFIER_EMAIL__SUBJECT", "own")]].concat();
    let flags = Flags {
        config: Some("notifier.toml".into()),
        ..with_overrides(&[("email.subject", "first"), ("email.subject", "flag")])
    };
    let subject = |variables: &[(&str, &str)], flags: &Flags| {
        load_with(variables, &file, flags)
            .unwrap()
            .settings
            .email
            .subject
    };
    assert_eq!(subject(&cis, &Flags::default()), "cis");
    assert_eq!(subject(&cis, &with_file("notifier.toml")), "file");
    assert_eq!(subject(&own, &with_file("notifier.toml")), "own");
    assert_eq!(subject(&own, &flags), "flag");
}

#[test]
fn the_file_is_that_of_the_variable_unless_the_flag_names_one() {
    let files = [("a.toml", "concurrency = 1"), ("b.toml", "concurrency = 2")];
    let variables = [CIS, &[("NOTIFIER_CONFIG", "a.toml")]].concat();
    let loaded = load_with(&variables, &files, &Flags::default()).unwrap();
    assert_eq!(loaded.settings.concurrency, 1);
    assert!(loaded.notes.is_empty());
    let loaded = load_with(&variables, &files, &with_file("b.toml")).unwrap();
    assert_eq!(loaded.settings.concurrency, 2);
    assert_eq!(loaded.notes, ["NOTIFIER_CONFIG is overridden by --config"]);
}

#[test]
fn a_file_that_cannot_be_read_is_named_with_how_it_was_given() {
    let problem = only_problem(load_with(&[], &[], &with_file("none.toml")));
    assert_eq!(problem.key, "--config");
    assert_eq!(
        problem.origin,
        Origin::File {
            path: "none.toml".into(),
            line: None
        }
    );
    assert!(
        problem.message.starts_with("cannot be read: No such file"),
        "{problem}"
    );

    let variables = [("NOTIFIER_CONFIG", ".")];
    let problem = only_problem(load_with(&variables, &[], &Flags::default()));
    assert_eq!(problem.key, "NOTIFIER_CONFIG");
    assert_eq!(
        problem.origin,
        Origin::File {
            path: ".".into(),
            line: None
        }
    );
    assert!(
        problem.message.contains("allowed: a readable TOML file"),
        "{problem}"
    );
}

#[test]
fn a_syntax_error_is_told_with_line_and_column() {
    let problem = only_problem(load_file("concurrency = 1\n[email]\nsubject = \"a\" b\n"));
    assert_eq!(problem.origin, file_line("notifier.toml", 3));
    assert!(
        problem.message.starts_with("is not TOML, at column 15: "),
        "{problem}"
    );
    assert_eq!(problem.to_string().lines().count(), 1);
}

#[test]
fn another_format_is_named_and_not_taken_for_a_mistake_in_toml() {
    for (text, format) in [
        ("{\n  \"queue\": {\"url\": \"x\"}\n}", "JSON"),
        ("{ \"broken\": ", "JSON"),
        ("[1, 2]", "JSON"),
        ("# ours\nqueue:\n  url: x\n", "YAML"),
        ("---\nconcurrency: 5\n", "YAML"),
        ("concurrency: 5", "YAML"),
    ] {
        let problem = only_problem(load_file(text));
        assert_eq!(
            problem.to_string(),
            format!(
                "file (notifier.toml): looks like {format}; TOML is wanted, such as `organizer-notifier config --default` prints"
            )
        );
    }
    for text in ["url = \"a:b", "a b: c\"", "http://x", ""] {
        let refused = load_file(text).unwrap_err().to_string();
        assert!(!refused.contains("looks like"), "{text}: {refused}");
    }
}

#[test]
fn a_file_of_more_than_a_mebibyte_is_refused_unread() {
    let sized = |bytes: usize| {
        let text = format!("{REQUIRED}#{}", " ".repeat(bytes - REQUIRED.len() - 1));
        load_file(&text)
    };
    sized(1 << 20).unwrap();
    let problem = only_problem(sized((1 << 20) + 1));
    assert_eq!(
        problem.to_string(),
        "--config (notifier.toml): has more than 1 MiB; allowed: a TOML file of at most 1 MiB"
    );
    assert_eq!(
        only_problem(load_with(&[], &[], &with_file("/dev/zero"))).key,
        "--config"
    );
}

#[test]
fn the_printed_defaults_are_a_file_that_says_nothing_new() {
    let once = load_file(REQUIRED).unwrap().settings;
    let file = [("notifier.toml", DEFAULTS)];
    let given = [
        ("SQS_URL", "http://127.0.0.1:9324/q"),
        ("NOTIFIER_TEMPLATE__FILE", "new_event.html"),
        ("SENDER", "events@example.com"),
        ("SUBJECT", "Created"),
    ];
    let again = load_with(&given, &file, &with_file("notifier.toml")).unwrap();
    assert!(again.settings == once);
    assert_eq!(again.notes, [] as [&str; 0]);
}

#[test]
fn what_there_is_of_a_wrong_configuration_is_listed() {
    let text = "queue = { wait_time = 20, visibility_timeout = '60s' }\nlog.level = 2026-01-01\n[email]\nsender = 'dana smith@example.com'\nmax_send_rate = nan";
    let survey = survey_of(&[("SQS_URL", "http://127.0.0.1:1/q")], text);
    let of = |key: &str| {
        let mut keys = survey.origins.iter();
        let found = keys.find(|found| found.key == key).unwrap();
        let problem = found.problem.as_ref();
        (
            found.value.as_deref(),
            found.origin.to_string(),
            problem.map(|problem| problem.origin.to_string()),
        )
    };
    let (here, wrong) = (str::to_owned, |place: &str| Some(place.to_owned()));
    assert_eq!(
        of("queue.url"),
        (Some("\"http://127.0.0.1:1/q\""), here("SQS_URL"), None)
    );
    assert_eq!(
        of("queue.wait_time"),
        (Some("20"), here("a.toml:1"), wrong("a.toml:1"))
    );
    assert_eq!(
        of("log.level"),
        (Some("\"info\""), here("default"), wrong("a.toml:2"))
    );
    // It may be somebody's address.
    assert_eq!(
        of("email.sender"),
        (None, here("a.toml:4"), wrong("a.toml:4"))
    );
    assert_eq!(
        of("email.max_send_rate"),
        (Some("nan"), here("a.toml:5"), wrong("a.toml:5"))
    );
    assert_eq!(
        of("email.subject"),
        (None, here("not set"), wrong("not set"))
    );
    assert_eq!(of("template.file"), (None, here("not set"), None));
    assert_eq!(survey.problems.iter().count(), 7);
}

#[test]
fn a_key_given_twice_in_a_file_is_told() {
    let problem = only_problem(load_file("concurrency = 1\nconcurrency = 2\n"));
    assert_eq!(problem.origin, file_line("notifier.toml", 2));
    assert!(problem.message.contains("duplicate key"), "{problem}");
}

#[test]
fn a_file_that_is_not_utf_8_is_told_with_the_line() {
    let mut result = None;
    figment::Jail::expect_with(|jail| {
        jail.clear_env();
        std::fs::write(jail.directory().join("a.toml"), b"# ok\n# \xff\n").unwrap();
        result = Some(load(&[], &with_file("a.toml"), std::env::vars_os()));
        Ok(())
    });
    let problem = only_problem(result.unwrap());
    assert_eq!(problem.origin, file_line("a.toml", 2));
    assert!(problem.message.contains("is not UTF-8"), "{problem}");
}

#[test]
fn a_file_may_begin_with_a_byte_order_mark() {
    let loaded = load_file(&format!("\u{feff}{REQUIRED}")).unwrap();
    assert_eq!(loaded.settings.email.subject, "Created");
}

#[test]
fn every_key_is_listed_with_its_value_and_origin() {
    let variables = [
        CIS,
        &[
            ("NOTIFIER_CONCURRENCY", "8"),
            ("NOTIFIER_EMAIL__REPLY_TO", "a@x.com"),
        ],
    ]
    .concat();
    let file = [("notifier.toml", "\n[email]\nsubject = \"a \\\"b\\\"\"\n")];
    let flags = Flags {
        config: Some(PathBuf::from("notifier.toml")),
        ..with_overrides(&[("log.level", "debug")])
    };
    let loaded = load_with(&variables, &file, &flags).unwrap();
    let of = |key: &str| {
        let found = loaded
            .origins
            .iter()
            .find(|origin| origin.key == key)
            .unwrap();
        (found.value.clone(), found.origin.to_string())
    };
    let given = |value: &str, origin: &str| (Some(value.to_owned()), origin.to_owned());
    assert_eq!(of("template.ttl"), given("\"5m\"", "default"));
    assert_eq!(
        of("template.repository"),
        given("\"email-templates\"", "CODECOMMIT_REPO")
    );
    assert_eq!(
        of("email.subject"),
        given(r#""a \"b\"""#, "notifier.toml:3")
    );
    assert_eq!(of("concurrency"), given("8", "NOTIFIER_CONCURRENCY"));
    assert_eq!(
        of("email.reply_to"),
        given("[\"a@x.com\"]", "NOTIFIER_EMAIL__REPLY_TO")
    );
    assert_eq!(of("log.level"), given("\"debug\"", "--set"));
    assert_eq!(of("template.file"), (None, "not set".to_owned()));
    assert_eq!(
        of("message.placeholders.uid.field"),
        given("\"/uid\"", "default")
    );
}

#[test]
fn shadowed_variables_are_noted_with_what_beats_them() {
    let file = [("notifier.toml", "[email]\nsender = \"other@example.com\"\n")];
    let variables = [CIS, &[("NOTIFIER_QUEUE__URL", "http://127.0.0.1/q")]].concat();
    let flags = Flags {
        config: Some("notifier.toml".into()),
        ..with_overrides(&[("log.level", "debug")])
    };
    let mut notes = load_with(&variables, &file, &flags).unwrap().notes;
    notes.sort();
    assert_eq!(
        notes,
        [
            "LOG_LEVEL is overridden by --set log.level",
            "SENDER is overridden by email.sender in notifier.toml:2",
            "SQS_URL is overridden by NOTIFIER_QUEUE__URL",
        ]
    );
    assert!(load_cis_and(&[]).unwrap().notes.is_empty());
}

#[test]
fn debug_output_holds_no_address() {
    let flags = with_overrides(&[("email.reply_to", "help@example.com")]);
    let loaded = load_with(CIS, &[], &flags).unwrap();
    assert_eq!(
        headers(&loaded.settings.email.reply_to),
        ["help@example.com"]
    );
    let debug = format!("{loaded:?} {flags:?}");
    assert!(!debug.contains("@example.com"), "{debug}");
}
