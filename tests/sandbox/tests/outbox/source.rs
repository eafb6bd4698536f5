//! A mail as the message that would go out.

use serde_json::{Value, json};

use super::{Running, page, request, start};

async fn sent(mail: &Value) -> (Running, String) {
    let running = start([]).await;
    running.sandbox.ses.verify("example.com");
    let line = "POST /v2/email/outbound-emails";
    let answer = request(&running, line, &[], &mail.to_string()).await;
    let id = answer.json()["MessageId"].as_str().unwrap().to_owned();
    (running, id)
}

fn simple(mut extra: Value) -> Value {
    let mut simple = json!({
        "Subject": { "Data": "桜", "Charset": "UTF-8" },
        "Body": {
            "Html": { "Data": "<p>é</p>", "Charset": "UTF-8" },
            "Text": { "Data": "plain", "Charset": "UTF-8" },
        },
    });
    if let Some(extra) = extra.as_object_mut() {
        simple.as_object_mut().unwrap().append(extra);
    }
    json!({
        "FromEmailAddress": "Calendar <events@example.com>",
        "Destination": {
            "ToAddresses": ["dana@example.com", "eve@example.com"],
            "BccAddresses": ["secret@example.com"],
        },
        "ReplyToAddresses": ["help@example.com"],
        "Content": { "Simple": simple },
    })
}

#[tokio::test]
async fn simple_content_becomes_a_message_of_headers_text_and_html() {
    let headers = json!({ "Headers": [{ "Name": "X-Event", "Value": "42" }] });
    let (running, id) = sent(&simple(headers)).await;
    let line = format!("GET /outbox/{id}/source.eml");
    let answer = request(&running, &line, &[], "").await;
    assert!(answer.has("content-type: message/rfc822"));
    assert!(answer.has("content-disposition: attachment; filename=\"mail.eml\""));
    let message = answer.body;
    let (head, body) = message.split_once("\r\n\r\n").unwrap();
    for line in [
        "From: Calendar <events@example.com>",
        "To: dana@example.com, eve@example.com",
        "Reply-To: help@example.com",
        "X-Event: 42",
        "MIME-Version: 1.0",
        "Subject: =?utf-8?B?5qGc?=",
    ] {
        assert!(head.lines().any(|one| one == line), "{line}: {head}");
    }
    assert!(
        head.contains(&format!("Message-ID: <{id}@email.amazonses.com>")),
        "{head}"
    );
    assert!(head.contains("Date: "), "{head}");
    assert!(
        head.contains("Content-Type: multipart/alternative"),
        "{head}"
    );
    assert!(!message.contains("secret@"), "{message}");
    // The best part comes last.
    let at = |part: &str| body.find(part).unwrap_or_else(|| panic!("{part}: {body}"));
    assert!(at("text/plain") < at("plain\r\n"));
    assert!(at("plain\r\n") < at("text/html"));
    assert!(at("text/html") < at("<p>=C3=A9</p>"));
    let again = request(&running, &line, &[], "").await;
    assert_eq!(again.body, message);
    let view = page(&running, &format!("/outbox/{id}?view=headers"))
        .await
        .body;
    assert!(
        view.contains("<th scope=\"row\">Subject</th><td>桜</td>"),
        "{view}"
    );
}

#[tokio::test]
async fn attached_files_are_in_the_message_whole() {
    let file = json!({ "Attachments": [
        { "FileName": "a b.ics", "RawContent": "QkVHSU4=", "ContentType": "text/calendar" },
        { "FileName": "x", "RawContent": "AP8=" },
    ] });
    let (running, id) = sent(&simple(file)).await;
    let message = request(&running, &format!("GET /outbox/{id}/source.eml"), &[], "")
        .await
        .body;
    assert!(
        message.contains("Content-Type: multipart/mixed"),
        "{message}"
    );
    assert!(message.contains("filename=\"a b.ics\""), "{message}");
    assert!(message.contains("text/calendar"), "{message}");
    assert!(message.contains("BEGIN"), "{message}");
    assert!(message.contains("application/octet-stream"), "{message}");
    assert!(message.contains("AP8="), "{message}");
}

#[tokio::test]
async fn raw_content_is_kept_byte_by_byte() {
    let raw = "RnJvbTogZXZlbnRzQGV4YW1wbGUuY29tCkJjYzogc2VjcmV0QGV4YW1wbGUuY29tClRvOiBkYW5hQGV4YW1wbGUuY29tClN1YmplY3Q6IFJhdwoKPGI+SGk8L2I+IA==";
    let (running, id) = sent(&json!({ "Content": { "Raw": { "Data": raw } } })).await;
    let message = request(&running, &format!("GET /outbox/{id}/source.eml"), &[], "")
        .await
        .body;
    let given = "From: events@example.com\nBcc: secret@example.com\nTo: dana@example.com\nSubject: Raw\n\n<b>Hi</b> ";
    assert_eq!(message, given);
    let source = page(&running, &format!("/outbox/{id}?view=source"))
        .await
        .body;
    assert!(
        source.contains("Subject: Raw\n\n&lt;b&gt;Hi&lt;/b&gt; </pre>"),
        "{source}"
    );
    let headers = page(&running, &format!("/outbox/{id}?view=headers"))
        .await
        .body;
    assert!(headers.contains("<td>Raw</td>"), "{headers}");
    assert!(
        !headers.contains("<td>secret@example.com</td>"),
        "{headers}"
    );
}

#[tokio::test]
async fn a_long_source_is_shown_in_part_and_loaded_down_whole() {
    let mut mail = simple(json!({}));
    let text = "line of text\n".repeat(40_000);
    mail["Content"]["Simple"]["Body"] = json!({ "Text": { "Data": text } });
    let (running, id) = sent(&mail).await;
    let source = page(&running, &format!("/outbox/{id}?view=source"))
        .await
        .body;
    assert!(
        source.contains("The first 262144 bytes are shown"),
        "{}",
        &source[..3000]
    );
    assert!(source.len() < 300_000, "{}", source.len());
    let message = request(&running, &format!("GET /outbox/{id}/source.eml"), &[], "")
        .await
        .body;
    assert_eq!(message.matches("line of text").count(), 40_000);
}
