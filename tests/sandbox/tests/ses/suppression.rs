//! The account's suppression list: what brings an address there, and what comes of it.

use std::sync::Arc;

use sandbox::Sandbox;
use sandbox::ses::fate::{Fate, FateRule};
use serde_json::{Value, json};

use super::good;

/// A sandbox in which this becomes of mails to addresses that hold `gone`.
fn start(fate: Fate) -> Arc<Sandbox> {
    let sandbox = Sandbox::new();
    sandbox.ses.verify("example.com");
    sandbox.ses.set_fates(vec![FateRule {
        recipient_contains: "gone".to_owned(),
        fate,
    }]);
    sandbox
}

async fn send(sandbox: &Sandbox, to: &str) -> String {
    let mut request = good();
    request["Destination"] = json!({ "ToAddresses": [to] });
    let answer = sandbox.ses.call("SendEmail", request).await.unwrap();
    answer["MessageId"].as_str().unwrap().to_owned()
}

async fn shown(sandbox: &Sandbox, address: &str) -> Option<Value> {
    let request = json!({ "EmailAddress": address });
    let answer = sandbox.ses.call("GetSuppressedDestination", request).await;
    answer
        .ok()
        .map(|mut answer| answer["SuppressedDestination"].take())
}

async fn listed(sandbox: &Sandbox) -> Vec<(String, String)> {
    let answer = sandbox.ses.call("ListSuppressedDestinations", json!({}));
    let answer = answer.await.unwrap();
    let all = answer["SuppressedDestinationSummaries"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    all.iter()
        .map(|one| (text(&one["EmailAddress"]), text(&one["Reason"])))
        .collect()
}

async fn suppress_for(sandbox: &Sandbox, reasons: Value) {
    let request = json!({ "SuppressedReasons": reasons });
    let operation = "PutAccountSuppressionAttributes";
    sandbox.ses.call(operation, request).await.unwrap();
    let account = sandbox.ses.call("GetAccount", json!({})).await.unwrap();
    let told = &account["SuppressionAttributes"]["SuppressedReasons"];
    assert_eq!(told, &reasons);
}

#[tokio::test]
async fn a_hard_bounce_and_a_complaint_put_their_address_on_the_list() {
    for (fate, reason, feedback) in [
        (Fate::bounced("Permanent", "General"), "BOUNCE", "bounce"),
        (Fate::Complained, "COMPLAINT", "complaint"),
    ] {
        let sandbox = start(fate);
        let id = send(&sandbox, "Dana <Dana.gone@Example.net>").await;
        let address = "dana.gone@example.net";
        assert_eq!(
            listed(&sandbox).await,
            [(address.to_owned(), reason.to_owned())]
        );
        let shown = shown(&sandbox, address).await.unwrap();
        assert_eq!(shown["Attributes"]["MessageId"], id.as_str());
        let feedback = format!("{id}-{feedback}");
        assert_eq!(shown["Attributes"]["FeedbackId"], feedback.as_str());
    }
}

#[tokio::test]
async fn nothing_else_that_becomes_of_a_mail_puts_its_address_on_the_list() {
    for fate in [
        Fate::Delivered,
        Fate::bounced("Transient", "MailboxFull"),
        Fate::bounced("Undetermined", "Undetermined"),
        Fate::Rejected,
        Fate::Delayed,
        Fate::Opened,
    ] {
        let sandbox = start(fate.clone());
        send(&sandbox, "gone@example.net").await;
        assert_eq!(listed(&sandbox).await, [], "{fate:?}");
    }
}

#[tokio::test]
async fn the_simulators_addresses_never_get_on_the_list() {
    let sandbox = start(Fate::Delivered);
    for name in ["bounce", "complaint", "suppressionlist"] {
        send(&sandbox, &format!("{name}@simulator.amazonses.com")).await;
    }
    assert_eq!(listed(&sandbox).await, []);
}

#[tokio::test]
async fn an_account_suppresses_for_the_reasons_that_it_names() {
    let sandbox = start(Fate::bounced("Permanent", "General"));
    suppress_for(&sandbox, json!(["COMPLAINT"])).await;
    send(&sandbox, "gone@example.net").await;
    assert_eq!(listed(&sandbox).await, []);
    suppress_for(&sandbox, json!(["BOUNCE", "COMPLAINT"])).await;
    send(&sandbox, "gone@example.net").await;
    assert_eq!(listed(&sandbox).await.len(), 1);
    let wrong = json!({ "SuppressedReasons": ["BOREDOM"] });
    let refused = sandbox
        .ses
        .call("PutAccountSuppressionAttributes", wrong)
        .await;
    assert_eq!(refused.unwrap_err().code, "BadRequestException");
}
