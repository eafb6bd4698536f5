//! Requests to send that were refused.

use sandbox::faults::{Fault, Rule};
use serde_json::{Value, json};

use super::{Running, page, request, start};

async fn send(running: &Running, mail: &Value) -> u16 {
    let line = "POST /v2/email/outbound-emails";
    request(running, line, &[], &mail.to_string()).await.status
}

fn simple(from: &str, subject: &str) -> Value {
    json!({
        "FromEmailAddress": from,
        "Destination": { "ToAddresses": ["dana@example.com"] },
        "Content": { "Simple": {
            "Subject": { "Data": subject },
            "Body": { "Text": { "Data": "Hello" } },
        } },
    })
}

#[tokio::test]
async fn what_ses_or_a_fault_refuses_is_listed_with_its_reason() {
    let running = start([]).await;
    running.sandbox.ses.verify("example.com");
    assert_eq!(send(&running, &simple("a@example.com", "Taken")).await, 200);
    assert_eq!(
        send(&running, &simple("a@example.net", "Unverified")).await,
        400
    );
    let fault = Fault::error("TooManyRequestsException", 429);
    running
        .sandbox
        .faults
        .add(Rule::new("ses:SendEmail", fault));
    assert_eq!(
        send(&running, &simple("a@example.com", "<b>Throttled")).await,
        429
    );
    let list = page(&running, "/outbox").await.body;
    let refused = &list[list.find("<h2>Refused ").unwrap()..];
    assert!(!refused.contains("Taken"), "{refused}");
    assert!(refused.contains("dana@example.com"), "{refused}");
    let at = |text: &str| {
        refused
            .find(text)
            .unwrap_or_else(|| panic!("{text}: {refused}"))
    };
    // The latest stands first.
    assert!(at("&lt;b&gt;Throttled") < at("Unverified"));
    assert!(
        at("TooManyRequestsException: Injected")
            < at("MessageRejected: Email address is not verified")
    );
    let json = request(&running, "GET /outbox", &[], "").await.json();
    let refused = &json["refused"];
    assert_eq!(refused[0]["code"], "MessageRejected");
    assert_eq!(refused[1]["subject"], "<b>Throttled");
    assert_eq!(refused[1]["to"], json!(["dana@example.com"]));
    assert_eq!(json["mails"].as_array().unwrap().len(), 1);
    running.sandbox.outbox.clear();
    assert!(!page(&running, "/outbox").await.body.contains("Refused"));
}

#[tokio::test]
async fn a_refused_raw_mail_and_one_that_is_no_mail_are_listed_too() {
    let running = start([]).await;
    // From: x@example.com, To: eve@example.net, Subject: Raw
    let raw = "RnJvbTogeEBleGFtcGxlLmNvbQpUbzogZXZlQGV4YW1wbGUubmV0ClN1YmplY3Q6IFJhdwoKSGk=";
    let content = json!({ "Content": { "Raw": { "Data": raw } } });
    assert_eq!(send(&running, &content).await, 400);
    assert_eq!(send(&running, &json!({ "Content": 1 })).await, 400);
    let json = request(&running, "GET /outbox", &[], "").await.json();
    assert_eq!(json["refused"][0]["subject"], "Raw");
    assert_eq!(json["refused"][0]["to"], json!(["eve@example.net"]));
    assert_eq!(json["refused"][1]["code"], "SerializationException");
}

#[tokio::test]
async fn a_trial_of_the_right_to_send_is_told_from_a_refusal() {
    let running = start([]).await;
    running.sandbox.ses.verify("example.com");
    let mut trial = simple("a@example.com", "check");
    trial["Destination"] = json!({ "ToAddresses": [] });
    assert_eq!(send(&running, &trial).await, 400);
    let list = page(&running, "/outbox").await.body;
    assert!(
        list.contains("A trial of the right to send, meant to be refused: Destination must"),
        "{list}"
    );
    assert!(
        list.contains("<span class=\"nobody\">nobody</span>"),
        "{list}"
    );
    assert!(!list.contains("class=\"fate bad\""), "{list}");
    // The same request, refused because the right is missing, is no such trial.
    let fault = Fault::error("AccessDeniedException", 403);
    running
        .sandbox
        .faults
        .add(Rule::new("ses:SendEmail", fault));
    assert_eq!(send(&running, &trial).await, 403);
    let list = page(&running, "/outbox").await.body;
    assert!(list.contains("class=\"fate bad\""), "{list}");
    assert!(list.contains("AccessDeniedException: Injected"), "{list}");
    let json = request(&running, "GET /outbox", &[], "").await.json();
    assert_eq!(json["refused"][0]["trial"], true);
    assert_eq!(json["refused"][1]["trial"], false);
}

#[tokio::test]
async fn the_latest_hundred_refusals_are_kept() {
    let running = start([]).await;
    for number in 0..101 {
        let status = send(
            &running,
            &simple("a@example.net", &format!("number {number}")),
        )
        .await;
        assert_eq!(status, 400);
    }
    let json = request(&running, "GET /outbox", &[], "").await.json();
    let refused = json["refused"].as_array().unwrap();
    assert_eq!(refused.len(), 100);
    assert_eq!(refused[0]["subject"], "number 1");
}
