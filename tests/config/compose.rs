//! From the settings to a mail.

use organizer_notifier::{
    config::{Flags, Part, Settings, load, load_health},
    notification::{Envelope, Mail, Template},
};

use crate::{load_cis_and, load_file};

const EVENT: &str = r#"{"mailto": "dana@example.com", "organizer": "dana[at]example.com",
    "summary": "Tea", "uid": "u1", "events": "2", "place": {"name": "Hall"},
    "owner": "jane@example.com"}"#;

/// The mail that this event becomes with a template.
fn mail(settings: &Settings, template: &str) -> Mail {
    let placeholders = &settings.message.placeholders;
    let template = Template::compile(template.as_bytes(), placeholders).unwrap();
    let composer = settings.composer();
    let event = match composer.open(EVENT).unwrap() {
        Envelope::Notification { event, .. } => event,
        Envelope::Control { kind } => panic!("{kind}"),
    };
    composer.compose(&template, &event).unwrap()
}

#[test]
fn the_servers_variables_alone_make_a_whole_mail() {
    let settings = load_cis_and(&[]).unwrap().settings;
    let mail = mail(
        &settings,
        "<p>{mailto} {summary} {uid} {events} {place}</p>",
    );
    assert_eq!(mail.from, "events@example.com");
    assert_eq!(mail.subject, "Your event Tea");
    assert_eq!(
        mail.html.to_string(),
        "<p>dana[at]example.com Tea u1 2 {place}</p>"
    );
    assert_eq!(mail.to[0].as_str(), "dana@example.com");
    assert!(mail.reply_to.is_empty());
}

#[test]
fn every_setting_of_the_mail_finds_its_way_into_it() {
    let text = r#"
queue.url = "https://sqs.eu-central-1.amazonaws.com/123456789012/created"
template.file = "a.html"
[message]
recipient = "/owner"
[message.placeholders.place]
field = "/nowhere"
fallback = "/place/name"
[message.placeholders.code]
field = "/nowhere"
default = "none"
[email]
sender = "Büro <a@x.com>"
subject = "{place}"
reply_to = ["Help <help@x.com>", "b@x.com"]
"#;
    let settings = load_file(text).unwrap().settings;
    let mail = mail(&settings, "{place} {code}");
    assert_eq!(mail.to[0].as_str(), "jane@example.com");
    assert_eq!(mail.from, "=?UTF-8?B?QsO8cm8=?= <a@x.com>");
    assert_eq!(settings.sender.address().as_str(), "a@x.com");
    assert_eq!(mail.reply_to, ["Help <help@x.com>", "b@x.com"]);
    assert_eq!(mail.subject, "Hall");
    assert_eq!(mail.html.to_string(), "Hall none");
}

#[test]
fn a_command_gets_by_without_the_parts_that_it_spares() {
    let variables = [("SENDER", "a@x.com"), ("SUBJECT", "Created")];
    let spared = [Part::Queue];
    let problems = load(&spared, &Flags::default(), variables).unwrap_err();
    let missing: Vec<&str> = problems
        .iter()
        .map(|problem| problem.key.as_str())
        .collect();
    assert_eq!(missing, ["template.repository", "template.path"]);
    let spared = [Part::Queue, Part::Template];
    let loaded = load(&spared, &Flags::default(), variables).unwrap();
    assert_eq!(loaded.settings.sender.header(), "a@x.com");
    assert_eq!(loaded.settings.queue.url, "");
    // What is given is checked all the same.
    let variables = [&variables[..], &[("SQS_URL", "arn:aws:sqs:x:1:q")]].concat();
    let problems = load(&spared, &Flags::default(), variables).unwrap_err();
    assert_eq!(problems.iter().next().unwrap().key, "queue.url");
}

#[test]
fn the_health_port_is_known_without_what_a_mail_needs() {
    let listen = |variables: &[(&'static str, &'static str)]| {
        load_health(&Flags::default(), variables.iter().copied())
    };
    assert_eq!(listen(&[]), Ok(Some("127.0.0.1:8973".parse().unwrap())));
    assert_eq!(listen(&[("NOTIFIER_HEALTH__LISTEN", "off")]), Ok(None));
    // What is given is checked all the same, and a placeholder needs its field.
    for (name, wrong, key) in [
        ("SENDER", "nobody", "email.sender"),
        (
            "NOTIFIER_MESSAGE__PLACEHOLDERS__PLACE__DEFAULT",
            "online",
            "message.placeholders.place.field",
        ),
    ] {
        let problems = listen(&[(name, wrong)]).unwrap_err();
        let keys: Vec<&str> = problems
            .iter()
            .map(|problem| problem.key.as_str())
            .collect();
        assert_eq!(keys, [key]);
    }
}
