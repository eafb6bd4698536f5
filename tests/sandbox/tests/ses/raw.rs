//! Raw messages, as the outbox shows them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::World;

#[tokio::test(start_paused = true)]
async fn raw_mail_takes_sender_and_recipients_from_its_headers() {
    let world = World::new();
    let raw = "From: noreply@example.com\r\nTo: dana@example.net\r\nSubject: Hi\r\n\r\nHello\r\n";
    let request = json!({ "Content": { "Raw": { "Data": STANDARD.encode(raw) } } });
    world.send(request).await.unwrap();
    let mail = world.outbox.mails().remove(0);
    assert_eq!(mail.from, "noreply@example.com");
    assert_eq!(mail.to, ["dana@example.net"]);
    assert_eq!(mail.subject, "Hi");
    assert_eq!(mail.text.as_deref(), Some("Hello\n"));
}

#[tokio::test(start_paused = true)]
async fn an_alternative_message_gives_both_parts_and_its_decoded_subject() {
    let world = World::new();
    let raw = "From: Dana <dana@example.com>\r\n\
        To: \"Lee, A.\" <lee@example.com>,\r\n sam@example.com\r\n\
        Bcc: boss@example.com\r\n\
        Subject: =?UTF-8?Q?Gr=C3=BC=C3=9Fe_?= =?UTF-8?B?YXVz?=\r\n\
        Content-Type: multipart/mixed; boundary=\"outer\"\r\n\r\n\
        preamble\r\n--outer\r\n\
        Content-Type: multipart/alternative; boundary=inner\r\n\r\n\
        --inner\r\nContent-Type: text/plain; charset=utf-8\r\n\
        Content-Transfer-Encoding: quoted-printable\r\n\r\n\
        soft=\r\nly =C3=A9\r\n\
        --inner\r\nContent-Type: text/html; charset=utf-8\r\n\
        Content-Transfer-Encoding: base64\r\n\r\nPHA+w6k8\r\nL3A+\r\n\
        --inner--\r\n--outer\r\n\
        Content-Type: text/calendar; name=\"invite.ics\"\r\n\r\nBEGIN\r\n--outer--\r\n";
    let request = json!({ "Content": { "Raw": { "Data": STANDARD.encode(raw) } } });
    world.send(request).await.unwrap();
    let mail = world.outbox.mails().remove(0);
    assert_eq!(mail.from, "Dana <dana@example.com>");
    assert_eq!(
        mail.to,
        ["\"Lee, A.\" <lee@example.com>", "sam@example.com"]
    );
    assert_eq!(mail.bcc, ["boss@example.com"]);
    assert!(mail.headers.iter().all(|(name, _)| name != "Bcc"));
    assert_eq!(mail.subject, "Grüße aus");
    assert_eq!(mail.text.as_deref(), Some("softly é"));
    assert_eq!(mail.html.as_deref(), Some("<p>é</p>"));
    assert_eq!(mail.attachments, ["invite.ics"]);
}

#[tokio::test(start_paused = true)]
async fn the_requests_own_recipients_stand() {
    let world = World::new();
    let raw = "To: other@example.com\nSubject: x\n\nhello\n";
    let request = json!({
        "FromEmailAddress": "dana@example.com",
        "Destination": { "ToAddresses": ["only@example.com"] },
        "Content": { "Raw": { "Data": STANDARD.encode(raw) } },
    });
    world.send(request).await.unwrap();
    let mail = world.outbox.mails().remove(0);
    assert_eq!(mail.to, ["only@example.com"]);
    assert_eq!(mail.text.as_deref(), Some("hello\n"));
}
