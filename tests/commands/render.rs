//! `render` beside what the daemon sends.

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::commands::stage::{SAMPLES, Stage, directory, finish, path, run_bare};

const OURS: [(&str, &str); 2] = [
    ("SENDER", "Events <events@example.com>"),
    ("SUBJECT", "Registered: {summary} ({uid})"),
];

/// Lets the daemon send one message, and gives the mail as SES took it.
async fn sent(stage: &Stage, body: &str) -> Value {
    stage.send("created", body).await;
    let mut daemon = stage
        .command(&["run", "--set", "health.listen=off"])
        .spawn()
        .unwrap();
    // The daemon logs every outcome, so that its log is the clock here.
    let mut log = BufReader::new(daemon.stderr.take().unwrap()).lines();
    while let Some(line) = log.next_line().await.unwrap() {
        if stage.aws.sandbox.outbox.taken() > 0 {
            break;
        }
        assert!(!line.contains("rejected"), "{line}");
    }
    daemon.kill().await.unwrap();
    let mails = stage.aws.sandbox.outbox.mails();
    assert_eq!(mails.len(), 1);
    let mail = &mails[0];
    json!({
        "verdict": "mail",
        "from": mail.from,
        "to": mail.to,
        "reply_to": mail.reply_to,
        "subject": mail.subject,
        "text": mail.text,
        "html": mail.html,
    })
}

#[tokio::test]
async fn every_sample_is_rendered_as_the_daemon_sends_it() {
    for (name, body) in SAMPLES {
        let mut stage = Stage::right().await;
        stage.set(
            "NOTIFIER_EMAIL__REPLY_TO",
            "\"Help, Desk\" <help@example.com>",
        );
        let directory = directory(&[("body.json", body)]);
        let body_file = path(&directory, "body.json");
        let html_file = path(&directory, "mail.html");
        let arguments = [
            "render",
            "--json",
            "--message",
            &body_file,
            "--html",
            &html_file,
        ];
        let done = stage.run(&arguments).await;
        let rendered: Value = serde_json::from_str(&done.exits(0).out).unwrap();
        let sent = sent(&stage, body).await;
        assert_eq!(rendered, sent, "{name}");
        let html = std::fs::read_to_string(&html_file).unwrap();
        assert_eq!(json!(html), sent["html"], "{name}");
        // What a person sees is the same mail.
        let done = stage.run(&["render", "--message", &body_file]).await;
        let part = |name: &str| sent[name].as_str().unwrap();
        assert_eq!(
            done.exits(0).out,
            format!(
                "From: {}\nTo: {}\nReply-To: {}\nSubject: {}\n\n{}",
                part("from"),
                sent["to"][0].as_str().unwrap(),
                sent["reply_to"][0].as_str().unwrap(),
                part("subject"),
                part("text"),
            ),
            "{name}"
        );
    }
}

#[tokio::test]
async fn an_event_alone_on_standard_input_is_rendered_without_aws() {
    let directory = directory(&[("t.html", "<p>Hello {mailto}: {summary}, {events}</p>")]);
    let template = path(&directory, "t.html");
    let arguments = ["render", "--message", "-", "--template", &template];
    let command = crate::commands::stage::command(OURS.into_iter(), &arguments);
    let event = r#"{"mailto":"dana@example.com","uid":7,"summary":"A <b>"}"#;
    let done = finish(command, event).await;
    assert_eq!(
        done.exits(0).out,
        "From: Events <events@example.com>\nTo: dana@example.com\n\
         Subject: Registered: A <b> (7)\n\nHello dana@example.com: A <b>, 1\n"
    );
    assert_eq!(done.err, "");
}

#[tokio::test]
async fn without_a_message_it_is_the_sample() {
    let stage = Stage::right().await;
    let done = stage.run(&["render"]).await;
    done.exits(0);
    assert!(done.out.contains("To: organizer@example.com\n"), "{done}");
    assert!(
        done.out
            .contains("Subject: Registered: Spring concert, rehearsal & party (sample-0001)\n")
    );
    assert_eq!(stage.aws.sandbox.outbox.taken(), 0);
}

#[tokio::test]
async fn what_becomes_no_mail_is_told() {
    let stage = Stage::right().await;
    let control =
        r#"{"Type":"SubscriptionConfirmation","MessageId":"1","TopicArn":"t","Message":"m"}"#;
    for (body, code, told) in [
        (
            "{",
            1,
            "rejected: the body is not JSON: EOF while parsing an object (line 1, column 1)\n",
        ),
        (
            r#"{"mailto":"a@example.com","organizer":"a"}"#,
            1,
            "rejected: no field /uid, which the subject's {uid} needs\n",
        ),
        (
            r#"{"uid":1,"organizer":"a"}"#,
            1,
            "rejected: no recipient in the field /mailto\n",
        ),
        (
            r#"{"uid":1,"organizer":"a","mailto":"events@example.com"}"#,
            1,
            "rejected: recipient 1 is the sender itself, which would loop\n",
        ),
        (
            control,
            0,
            "ignored: SubscriptionConfirmation of the topic, no event\n",
        ),
    ] {
        let done = finish(stage.command(&["render", "--message", "-"]), body).await;
        assert_eq!(done.exits(code).out, told);
        let command = stage.command(&["render", "--json", "--message", "-"]);
        let done = finish(command, body).await;
        let json: Value = serde_json::from_str(&done.exits(code).out).unwrap();
        let verdict = told.split(':').next().unwrap();
        assert_eq!(json["verdict"], verdict, "{done}");
    }
}

#[tokio::test]
async fn no_template_and_no_file_are_told() {
    let stage = Stage::right().await;
    let done = stage
        .run(&["render", "--set", "template.reference=other"])
        .await;
    done.exits(1);
    assert!(done.err.contains("no template: GetFile: "), "{done}");
    assert!(done.err.contains("check template.repository"), "{done}");
    let done = stage.run(&["render", "--template", "/none.html"]).await;
    done.exits(1);
    assert!(
        done.err
            .contains("(file /none.html); check template.file (--template)"),
        "{done}"
    );
    let done = stage.run(&["render", "--message", "/none.json"]).await;
    done.exits(64);
    assert!(done.err.contains("/none.json cannot be read"), "{done}");
}

#[tokio::test]
async fn the_sender_is_needed_and_the_queue_is_not() {
    let directory = directory(&[("t.html", "<p>Hello</p>")]);
    let template = path(&directory, "t.html");
    let done = run_bare(&[], &["render", "--template", &template]).await;
    done.exits(64);
    assert!(done.err.contains("2 problems"), "{done}");
    for key in ["email.sender", "email.subject"] {
        assert!(done.err.contains(key), "{done}");
    }
}

#[tokio::test]
async fn watching_renders_again_when_a_file_changes() {
    let directory = directory(&[("t.html", "<p>One {uid}</p>")]);
    let template = path(&directory, "t.html");
    let html = path(&directory, "out.html");
    let arguments = [
        "render",
        "--watch",
        "--template",
        &template,
        "--html",
        &html,
    ];
    let mut child = crate::commands::stage::command(OURS.into_iter(), &arguments)
        .spawn()
        .unwrap();
    // Held open: a closed standard input would be no reason to end, either.
    let _stdin = child.stdin.take();
    let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
    let rendered = |bytes: usize, text: usize| {
        format!(
            "organizer-notifier: rendered: {bytes} bytes of HTML, {text} of text; watching, Ctrl-C ends"
        )
    };
    let shown = || std::fs::read_to_string(&html).unwrap();
    let reload = "<script>setTimeout(() => location.reload(), 1000)</script>";
    assert_eq!(log.next_line().await.unwrap().unwrap(), rendered(22, 16));
    assert_eq!(shown(), format!("{reload}<p>One sample-0001</p>"));
    std::fs::write(&template, "<p>Number two {uid} {sumary}</p>").unwrap();
    let doubt = log.next_line().await.unwrap().unwrap();
    assert!(
        doubt.contains("{sumary} (did you mean {summary}?)"),
        "{doubt}"
    );
    let two = "<p>Number two sample-0001 {sumary}</p>";
    let told = log.next_line().await.unwrap().unwrap();
    assert_eq!(told, rendered(two.len(), two.len() - 6));
    assert!(
        shown().starts_with(reload) && shown().ends_with(two),
        "{}",
        shown()
    );
    assert!(shown().contains("did you mean {summary}?"), "{}", shown());
    // A file that is away for a moment is told, on the page too, and watched on.
    std::fs::remove_file(&template).unwrap();
    let told = log.next_line().await.unwrap().unwrap();
    assert!(told.contains("no template: "), "{told}");
    assert!(told.ends_with("; watching, Ctrl-C ends"), "{told}");
    assert!(shown().contains("no template: "), "{}", shown());
    assert!(shown().contains(reload), "{}", shown());
    let pid = child.id().unwrap().to_string();
    let mut kill = tokio::process::Command::new("kill");
    assert!(kill.args(["-INT", &pid]).status().await.unwrap().success());
    let ended = child.wait_with_output().await.unwrap();
    assert_eq!(ended.status.code(), Some(0));
    assert_eq!(ended.stdout, b"", "the page shows it");
    assert_eq!(shown(), two, "what is left is what is mailed");
}

#[tokio::test]
async fn nothing_that_is_read_is_written_over() {
    let event = r#"{"mailto":"dana@example.com","uid":7,"summary":"A"}"#;
    let directory = directory(&[("t.html", "<p>One {uid}</p>"), ("m.json", event)]);
    let (template, message) = (path(&directory, "t.html"), path(&directory, "m.json"));
    let link = path(&directory, "link");
    std::fs::hard_link(&template, &link).unwrap();
    let dotted = format!("{}/./t.html", directory.path().display());
    for (html, named) in [
        (&template, "--template"),
        (&link, "--template"),
        (&dotted, "--template"),
        (&message, "--message"),
    ] {
        for watch in [&[][..], &["--watch"]] {
            let files = [
                "render",
                "--template",
                &template,
                "--message",
                &message,
                "--html",
                html,
            ];
            let done = run_bare(&OURS, &[&files[..], watch].concat()).await;
            done.exits(64);
            assert!(done.err.contains("are the same file"), "{done}");
            assert!(done.err.contains(named), "{done}");
            assert_eq!(done.out, "");
        }
    }
    assert_eq!(
        std::fs::read_to_string(&template).unwrap(),
        "<p>One {uid}</p>"
    );
    assert_eq!(std::fs::read_to_string(&message).unwrap(), event);
}

#[tokio::test]
async fn neither_the_configuration_nor_a_template_yet_to_come_is_written_over() {
    let directory = directory(&[("n.toml", "concurrency = 4\n")]);
    let (config, template) = (path(&directory, "n.toml"), path(&directory, "t.html"));
    let arguments = ["render", "--template", &template, "--html", &template];
    for watch in [&[][..], &["--watch"]] {
        let done = run_bare(&OURS, &[&arguments[..], watch].concat()).await;
        done.exits(64);
        assert!(done.err.contains("are the same file"), "{done}");
    }
    assert!(!std::fs::exists(&template).unwrap());
    std::fs::write(&template, "<p>One {uid}</p>").unwrap();
    let arguments = [
        "render",
        "--config",
        &config,
        "--template",
        &template,
        "--html",
        &config,
    ];
    let done = run_bare(&OURS, &arguments).await;
    done.exits(64);
    assert!(done.err.contains("--config"), "{done}");
    assert_eq!(
        std::fs::read_to_string(&config).unwrap(),
        "concurrency = 4\n"
    );
}

#[tokio::test]
async fn there_must_be_something_to_watch() {
    let stage = Stage::right().await;
    let done = stage.run(&["render", "--watch"]).await;
    done.exits(64);
    assert!(done.err.contains("--watch needs"), "{done}");
}

#[tokio::test]
async fn a_corrected_message_says_the_same_to_another_recipient() {
    let directory = directory(&[
        (
            "raw.json",
            r#"{"uid": "1", "mailto": "dana@exmaple.com", "paid": {}}"#,
        ),
        (
            "cis.json",
            r#"{"mailto": "dana@exmaple.com", "organizer": "dana[at]exmaple.com", "uid": "1"}"#,
        ),
        (
            "named.json",
            r#"{"mailto": "MAILTO:dana@exmaple.com", "organizer": "Dana <Dana@exmaple.com>", "uid": "1"}"#,
        ),
        (
            "at.json",
            r#"{"mailto": "mailto:dana@exmaple.com", "organizer": "dana[at]exmaple.com", "uid": "1"}"#,
        ),
        (
            "quoted.json",
            r#"{"mailto": "dana@exmaple.com", "organizer": "\"dana@exmaple.com\" <dana@exmaple.com>", "uid": "1"}"#,
        ),
        (
            "letters.json",
            r#"{"mailto": "dana@exämple.com", "organizer": "dana@exämple.com", "uid": "1"}"#,
        ),
        (
            "longer.json",
            r#"{"mailto": "dana@exmaple.com", "organizer": "jordana@exmaple.com", "uid": "1"}"#,
        ),
        (
            "other.json",
            r#"{"mailto": "dana@exmaple.com", "organizer": "boss[at]example.com", "uid": "1"}"#,
        ),
        (
            "envelope.json",
            r#"{"Type": "Notification", "MessageId": "5", "TopicArn": "t",
                "Message": "{\"uid\": \"1\", \"mailto\": \"dana@exmaple.com\"}"}"#,
        ),
    ]);
    let correct = async |name: &str, address: &str| {
        let message = path(&directory, name);
        run_bare(
            &OURS,
            &["render", "--message", &message, "--correct", address],
        )
        .await
    };
    let done = correct("raw.json", "dana@example.com").await;
    let raw: Value = serde_json::from_str(&done.exits(0).out).unwrap();
    assert_eq!(
        raw,
        json!({ "uid": "1", "mailto": "dana@example.com", "paid": {} })
    );
    for (name, organizer) in [
        ("cis.json", "dana[at]example.com"),
        ("named.json", "Dana <dana@example.com>"),
        ("at.json", "dana[at]example.com"),
        ("quoted.json", "\"dana@exmaple.com\" <dana@example.com>"),
        ("letters.json", "dana@example.com"),
        ("longer.json", "jordana@exmaple.com"),
        ("other.json", "boss[at]example.com"),
    ] {
        let done = correct(name, "dana@example.com").await;
        let event: Value = serde_json::from_str(&done.exits(0).out).unwrap();
        assert_eq!(event["mailto"], "dana@example.com");
        assert_eq!(event["organizer"], organizer, "{name}");
    }
    let done = correct("envelope.json", "dana@example.com").await;
    let envelope: Value = serde_json::from_str(&done.exits(0).out).unwrap();
    assert_eq!(envelope["MessageId"], "5");
    let event: Value = serde_json::from_str(envelope["Message"].as_str().unwrap()).unwrap();
    assert_eq!(event, json!({ "uid": "1", "mailto": "dana@example.com" }));
    correct("raw.json", "dana").await.exits(64);
    let done = correct("raw.json", "dana@exmaple.com").await;
    done.exits(64);
    assert!(done.err.contains("has already"), "{done}");
    let done = correct("missing.json", "dana@example.com").await;
    done.exits(64);
    assert!(done.err.contains("missing.json cannot be read: "), "{done}");
}

#[tokio::test]
async fn what_is_no_event_is_not_corrected() {
    let cases = [
        (
            r#"{"Messages": [{"Body": "{\"uid\": \"1\", \"mailto\": \"dana@exmaple.com\"}"}]}"#,
            "this looks like what `aws sqs receive-message` prints",
        ),
        (
            r#"{"Items": [{"uid": {"S": "1"}}], "Count": 1}"#,
            "no recipient in the field /mailto",
        ),
        (r#"{"mailto": "dana@exmaple.com"}"#, "no field /uid"),
        (
            r#"{"Type": "SubscriptionConfirmation", "MessageId": "5", "TopicArn": "t", "Message": "x"}"#,
            "is a SubscriptionConfirmation of the topic and no event",
        ),
        (
            r#"{"uid": "1", "mailto": "dana@exmaple.com", "paid": NaN}"#,
            "the message is not strict JSON (the daemon takes NaN",
        ),
    ];
    for (message, wrong) in cases {
        let directory = directory(&[("message.json", message)]);
        let file = path(&directory, "message.json");
        let arguments = [
            "render",
            "--message",
            &file,
            "--correct",
            "dana@example.com",
        ];
        let done = run_bare(&OURS, &arguments).await;
        done.exits(1);
        assert!(done.err.contains(wrong), "{wrong}\n{done}");
        assert_eq!(done.out, "", "{message}");
    }
    // An address that cannot be mailed is what a correction is for.
    let bad = directory(&[("message.json", r#"{"uid": "1", "mailto": "dana@@exmaple"}"#)]);
    let file = path(&bad, "message.json");
    let arguments = [
        "render",
        "--message",
        &file,
        "--correct",
        "dana@example.com",
    ];
    run_bare(&OURS, &arguments).await.exits(0);
}
