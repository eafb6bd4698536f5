//! Environment variables: verbatim text, Python's levels, misspelt names.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use organizer_notifier::config::{Flags, Origin, Repository, load};
use organizer_notifier::ports::SendRate;
use tracing::Level;

use crate::{CIS, headers, load_cis_and, load_with, only_problem, placeholder, with_overrides};

#[test]
fn text_is_taken_verbatim() {
    for text in [
        "007",
        "[Reminder]",
        "true",
        "1.50",
        "\"quoted\"",
        "'quoted'",
        "  spaced  ",
        "{uid}",
        "a = b",
        "1e3",
        "null",
        "[a,b]",
        "50 % off, today",
    ] {
        let loaded = load_cis_and(&[("SUBJECT", text)]).unwrap();
        assert_eq!(loaded.settings.email.subject, text);
        let loaded = load_cis_and(&[("NOTIFIER_EMAIL__SUBJECT", text)]).unwrap();
        assert_eq!(loaded.settings.email.subject, text);
        let flags = with_overrides(&[("email.subject", text)]);
        assert_eq!(
            load_with(CIS, &[], &flags).unwrap().settings.email.subject,
            text
        );
    }
}

#[test]
fn other_values_are_read_by_the_keys_kind() {
    let settings = load_cis_and(&[
        ("NOTIFIER_CONCURRENCY", "007"),
        ("NOTIFIER_EMAIL__MAX_SEND_RATE", "12.5"),
        ("NOTIFIER_EMAIL__REPLY_TO", "a@x.com, b@x.com"),
        ("NOTIFIER_EMAIL__CONFIGURATION_SET", "123"),
        ("NOTIFIER_HEALTH__LISTEN", "off"),
    ])
    .unwrap()
    .settings;
    assert_eq!(settings.concurrency, 7);
    assert_eq!(settings.email.max_send_rate, SendRate::PerSecond(12.5));
    assert_eq!(headers(&settings.email.reply_to), ["a@x.com", "b@x.com"]);
    assert_eq!(settings.email.configuration_set.as_deref(), Some("123"));
    assert_eq!(settings.health_listen, None);
}

#[test]
fn an_empty_variable_is_unset() {
    let settings = load_cis_and(&[
        ("REGION", ""),
        ("LOG_LEVEL", ""),
        ("FAILED_EVENT_NOTIFICATION_EMAIL", ""),
        ("NOTIFIER_CONFIG", ""),
        ("NOTIFIER_CONCURRENCY", ""),
        ("NOTIFIER_EMAIL__SUBJECT", ""),
    ])
    .unwrap()
    .settings;
    assert_eq!(settings.region, None);
    assert_eq!(settings.concurrency, 32);
    assert_eq!(settings.email.subject, "Your event {summary}");
}

#[test]
fn pythons_levels_are_taken_in_any_case() {
    for (name, level) in [
        ("NOTSET", Some(Level::TRACE)),
        ("DEBUG", Some(Level::DEBUG)),
        ("info", Some(Level::INFO)),
        ("WARNING", Some(Level::WARN)),
        ("Warn", Some(Level::WARN)),
        ("ERROR", Some(Level::ERROR)),
        ("CRITICAL", Some(Level::ERROR)),
        ("fatal", Some(Level::ERROR)),
        ("30", Some(Level::WARN)),
        ("off", None),
    ] {
        let loaded = load_cis_and(&[("LOG_LEVEL", name)]).unwrap();
        assert_eq!(loaded.settings.log.level, level, "{name}");
    }
    let problem = only_problem(load_cis_and(&[("LOG_LEVEL", "VERBOSE")]));
    assert_eq!(problem.key, "log.level");
    assert_eq!(problem.origin, Origin::Variable("LOG_LEVEL".to_owned()));
    assert!(
        problem
            .message
            .starts_with("is `VERBOSE`; allowed: `trace`, `debug`"),
        "{problem}"
    );
}

#[test]
fn each_siblings_variable_names_the_template() {
    let without: Vec<_> = CIS
        .iter()
        .copied()
        .filter(|(name, _)| !name.ends_with("_EMAIL"))
        .collect();
    for sibling in [
        "NEW_EVENT_NOTIFICATION_EMAIL",
        "FAILED_EVENT_NOTIFICATION_EMAIL",
        "EVENT_LIMIT_REACHED_NOTIFICATION_EMAIL",
        "SUCCESSFUL_ENROLLMENT_NOTIFICATION_EMAIL",
    ] {
        let variables = [without.as_slice(), &[(sibling, "its.html")]].concat();
        let loaded = load_with(&variables, &[], &Flags::default()).unwrap();
        let template = loaded.settings.template;
        assert_eq!(template.path, "its.html", "{sibling}");
        assert_eq!(template.file, None, "{sibling}");
    }
}

#[test]
fn two_template_variables_at_once_are_both_named() {
    let problem = only_problem(load_cis_and(&[(
        "FAILED_EVENT_NOTIFICATION_EMAIL",
        "failed.html",
    )]));
    assert_eq!(problem.key, "template.path");
    assert!(
        problem.message.starts_with(
            "NEW_EVENT_NOTIFICATION_EMAIL and FAILED_EVENT_NOTIFICATION_EMAIL are set together"
        ),
        "{problem}"
    );
}

#[test]
fn of_two_template_variables_none_is_wrong_where_a_later_source_gives_the_template() {
    let both = [CIS, &[("FAILED_EVENT_NOTIFICATION_EMAIL", "failed.html")]].concat();
    for later in ["template.path", "template.file"] {
        let loaded = load_with(&both, &[], &with_overrides(&[(later, "mine.html")])).unwrap();
        let template = loaded.settings.template;
        let given = template.file.map(|file| file.display().to_string());
        assert_eq!(given.unwrap_or(template.path), "mine.html", "{later}");
    }
}

#[test]
fn a_proxy_that_cannot_be_used_is_told() {
    for (name, value, told) in [
        ("HTTPS_PROXY", "\"http://proxy:3128\"", Some("is in quotes")),
        (
            "https_proxy",
            " http://proxy:3128",
            Some("begins with a blank"),
        ),
        (
            "ALL_PROXY",
            "socks5://proxy:1080",
            Some("names a proxy that is none of"),
        ),
        ("HTTP_PROXY", "proxy:3128", None),
        ("HTTP_PROXY", "http://proxy:3128", None),
        ("NO_PROXY", "\"localhost\"", None),
    ] {
        let notes = load_cis_and(&[(name, value)]).unwrap().notes;
        match told {
            Some(told) => {
                assert_eq!(notes.len(), 1, "{name}={value}");
                assert!(notes[0].starts_with(&format!("{name} {told}")), "{notes:?}");
            }
            None => assert!(notes.is_empty(), "{notes:?}"),
        }
    }
}

#[test]
fn a_bucket_takes_the_place_of_the_repository() {
    let bucket = Repository::Bucket("mail-templates".to_owned());
    for (variable, value) in [
        ("CODECOMMIT_REPO", "s3://mail-templates"),
        ("CODECOMMIT_REPO", "S3://mail-templates"),
        ("NOTIFIER_TEMPLATE__REPOSITORY", "s3://mail-templates"),
    ] {
        let settings = load_cis_and(&[(variable, value)]).unwrap().settings;
        assert_eq!(settings.template.repository, bucket, "{variable}");
        assert_eq!(settings.template.path, "new_event.html");
    }
    // The key is the path as it is written.
    let key = ("NEW_EVENT_NOTIFICATION_EMAIL", "/mails/new event.html");
    let variables = [("CODECOMMIT_REPO", "s3://mail-templates"), key];
    let settings = load_cis_and(&variables).unwrap().settings;
    assert_eq!(settings.template.path, key.1);
}

#[test]
fn a_bucket_with_a_prefix_or_with_no_buckets_name_is_refused() {
    for (value, reason) in [
        (
            "s3://mail-templates/new",
            "with more than a bucket: folders and the file's name belong into template.path",
        ),
        ("s3://Mail_Templates", "whose bucket's name is not valid"),
    ] {
        let problem = only_problem(load_cis_and(&[("CODECOMMIT_REPO", value)]));
        assert_eq!(problem.key, "template.repository");
        assert_eq!(
            problem.origin,
            Origin::Variable("CODECOMMIT_REPO".to_owned())
        );
        let message = &problem.message;
        assert!(
            message.starts_with(&format!("is `{value}`, {reason}")),
            "{message}"
        );
        let allowed = "; allowed: the name of a CodeCommit repository, or `s3://` and the name of an S3 bucket";
        assert!(message.ends_with(allowed), "{message}");
    }
}

#[test]
fn quotes_out_of_an_env_file_are_named_where_a_variable_takes_none() {
    for (name, value) in [
        ("REGION", "\"eu-central-1\""),
        ("SQS_URL", "'http://127.0.0.1:1/q'"),
        ("CODECOMMIT_REPO", "\"templates\""),
        ("SENDER", "\"Events <events@example.com>\""),
        ("SENDER", "\"events@example.com\""),
        ("LOG_LEVEL", "\"INFO\""),
        ("NOTIFIER_QUEUE__WAIT_TIME", "\"5s\""),
        ("NOTIFIER_CONCURRENCY", "'5'"),
        ("NOTIFIER_EMAIL__REPLY_TO", "\"a@x.com\""),
    ] {
        let problem = only_problem(load_cis_and(&[(name, value)]));
        assert_eq!(problem.message, "is in quotes; the variable takes none");
        assert_eq!(problem.origin, Origin::Variable(name.to_owned()));
    }
}

#[test]
fn quotes_around_a_free_text_are_kept_and_noted() {
    for name in [
        "SUBJECT",
        "NEW_EVENT_NOTIFICATION_EMAIL",
        "NOTIFIER_EMAIL__SUBJECT",
    ] {
        let loaded = load_cis_and(&[(name, "\"Your event {summary}\"")]).unwrap();
        let note = format!(
            "{name} is in quotes, which are taken as a part of the value: leave them out, unless they are meant"
        );
        assert!(loaded.notes.contains(&note), "{:?}", loaded.notes);
    }
    let loaded = load_cis_and(&[("SUBJECT", "\"{summary}\" and \"{uid}\"")]).unwrap();
    assert_eq!(loaded.notes, [] as [&str; 0]);
}

#[test]
fn a_line_break_in_the_subject_is_noted() {
    let loaded = load_cis_and(&[("SUBJECT", "a\nb")]).unwrap();
    assert_eq!(
        loaded.notes,
        ["SUBJECT contains a line break, which becomes a space in the subject"]
    );
}

#[test]
fn blanks_around_a_value_are_named() {
    for (name, value, told) in [
        ("SQS_URL", " http://127.0.0.1:1/q", "begins with a blank"),
        ("SQS_URL", "http://127.0.0.1:1/q ", "ends with a blank"),
        ("REGION", "eu-central-1\r\n", "ends with a line break"),
        ("REGION", "eu-central-1\t", "ends with a blank"),
    ] {
        let problem = only_problem(load_cis_and(&[(name, value)]));
        assert_eq!(
            problem.message,
            format!("{told}; the variable takes none there")
        );
    }
}

#[test]
fn a_placeholder_can_be_declared_by_variables() {
    let loaded = load_cis_and(&[
        (
            "NOTIFIER_MESSAGE__PLACEHOLDERS__EVENT_NAME__FIELD",
            "/detail/name",
        ),
        (
            "NOTIFIER_MESSAGE__PLACEHOLDERS__EVENT_NAME__DEFAULT",
            "1.50",
        ),
        ("NOTIFIER_MESSAGE__PLACEHOLDERS__UID__FIELD", "/id"),
    ])
    .unwrap();
    let event_name = placeholder(&loaded.settings, "event_name");
    assert_eq!(event_name.field.as_str(), "/detail/name");
    assert_eq!(event_name.default.as_deref(), Some("1.50"));
    let uid = placeholder(&loaded.settings, "uid");
    assert_eq!(uid.field.as_str(), "/id");
}

#[test]
fn a_placeholder_without_a_field_is_refused() {
    let name = "NOTIFIER_MESSAGE__PLACEHOLDERS__PLACE__DEFAULT";
    let problem = only_problem(load_cis_and(&[(name, "online")]));
    assert_eq!(problem.key, "message.placeholders.place.field");
    assert_eq!(
        problem.to_string(),
        "message.placeholders.place.field is not set: a JSON pointer, such as `/summary` or `/detail/name`"
    );
}

#[test]
fn unknown_variables_of_ours_are_refused_with_the_one_meant() {
    for (name, meant) in [
        ("NOTIFIER_QUEUE_URL", "NOTIFIER_QUEUE__URL"),
        ("NOTIFIER_EMAIL__SENDR", "NOTIFIER_EMAIL__SENDER"),
        ("NOTIFIER_email__sender", "NOTIFIER_EMAIL__SENDER"),
        ("NOTIFIER_CONCURENCY", "NOTIFIER_CONCURRENCY"),
        ("NOTIFIER_CONFG", "NOTIFIER_CONFIG"),
    ] {
        let problem = only_problem(load_cis_and(&[(name, "x")]));
        assert_eq!(
            problem.to_string(),
            format!("{name}: is an unknown variable; did you mean {meant}?")
        );
        assert_eq!(problem.origin, Origin::Variable(name.to_owned()));
    }
    let problem = only_problem(load_cis_and(&[("NOTIFIER_ZEBRA", "hunter2")]));
    assert!(
        problem
            .message
            .contains("allowed: NOTIFIER_SECTION__KEY in capitals"),
        "{problem}"
    );
    assert!(!problem.message.contains("hunter2"), "{problem}");
}

#[test]
fn other_peoples_variables_are_left_alone() {
    let others = [
        ("SENDER_ID", "x"),
        ("QUEUE__URL", "x"),
        ("notifier_queue__url", "x"),
    ];
    load_cis_and(&others).unwrap();
}

#[test]
fn a_value_that_is_not_utf_8_is_refused() {
    let bytes = OsString::from_vec(vec![b'a', 0xff]);
    let variables = CIS
        .iter()
        .filter(|(name, _)| *name != "SUBJECT")
        .map(|(name, value)| (OsString::from(name), OsString::from(value)))
        .chain([
            (OsString::from("REGION"), bytes.clone()),
            (OsString::from("OTHER"), bytes),
        ])
        .chain([(OsString::from("SUBJECT"), OsString::from("s"))]);
    let problem = only_problem(load(&[], &Flags::default(), variables));
    assert_eq!(
        problem.to_string(),
        "REGION: is not UTF-8; allowed: text in UTF-8"
    );
}
