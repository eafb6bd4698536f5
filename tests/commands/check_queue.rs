//! What `check` finds out about the queue.

use sandbox::faults::{Fault, Rule};
use serde_json::json;

use crate::commands::stage::{Done, Stage, redrive};

async fn check_with(stage: &Stage, operation: &str, code: &str) -> Done {
    let fault = Fault::error(code, 400);
    stage.aws.sandbox.faults.add(Rule::new(operation, fault));
    stage.run(&["check"]).await
}

#[tokio::test]
async fn a_queue_that_is_not_there_is_told() {
    let mut stage = Stage::right().await;
    stage.set(
        "SQS_URL",
        &format!("{}/000000000000/other", stage.aws.url()),
    );
    let done = stage.run(&["check"]).await;
    done.exits(1);
    let finding = done.finding("queue");
    assert!(finding.starts_with("queue failed other does not exist: "));
    assert!(finding.contains("→ check queue.url (SQS_URL) and the region"));
    assert!(done.finding("redrive").contains("skipped"), "{done}");
}

#[tokio::test]
async fn each_missing_right_on_the_queue_names_its_action() {
    for (operation, action, check) in [
        ("sqs:GetQueueAttributes", "sqs:GetQueueAttributes", "queue"),
        ("sqs:ReceiveMessage", "sqs:ReceiveMessage", "queue rights"),
        (
            "sqs:ChangeMessageVisibilityBatch",
            "sqs:ChangeMessageVisibility",
            "queue rights",
        ),
        (
            "sqs:DeleteMessageBatch",
            "sqs:DeleteMessage",
            "queue rights",
        ),
    ] {
        let stage = Stage::right().await;
        let done = check_with(&stage, operation, "AccessDenied").await;
        done.exits(1);
        let finding = done.finding(check);
        let found = format!("{check} failed {action} is not allowed: ");
        assert!(finding.starts_with(&found), "{done}");
        let remedy = format!("→ give the role {action} on created");
        assert!(finding.contains(&remedy), "{done}");
    }
}

#[tokio::test]
async fn a_refusal_without_a_known_code_is_a_missing_right_as_for_the_daemon() {
    for (operation, check) in [
        ("sqs:GetQueueAttributes", "queue"),
        ("sqs:ReceiveMessage", "queue rights"),
    ] {
        let stage = Stage::right().await;
        let fault = Fault::error("BlockedByPolicy", 403);
        stage.aws.sandbox.faults.add(Rule::new(operation, fault));
        let done = stage.run(&["check"]).await;
        done.exits(1);
        let finding = done.finding(check);
        let remedy = "→ give the role what it lacks of sqs:ReceiveMessage, sqs:DeleteMessage, ";
        assert!(finding.contains(remedy), "{done}");
    }
}

#[tokio::test]
async fn a_key_that_cannot_be_used_is_told() {
    let stage = Stage::right().await;
    let done = check_with(&stage, "sqs:ReceiveMessage", "KmsAccessDenied").await;
    done.exits(1);
    let finding = done.finding("queue rights");
    assert!(
        finding.contains("→ give the role kms:Decrypt on the queue's key"),
        "{done}"
    );
}

#[tokio::test]
async fn a_queue_without_a_redrive_policy_is_a_warning() {
    let stage = Stage::right().await;
    stage
        .set_queue("created", json!({ "RedrivePolicy": "" }))
        .await;
    let done = stage.run(&["check"]).await;
    done.exits(0);
    let finding = done.finding("redrive");
    assert!(finding.starts_with("redrive warning the queue has no redrive policy"));
    assert!(finding.contains("→ give the queue a RedrivePolicy"));
    stage.run(&["check", "--strict"]).await.exits(1);
}

#[tokio::test]
async fn few_receives_are_a_warning() {
    let stage = Stage::right().await;
    stage
        .set_queue("created", json!({ "RedrivePolicy": redrive(2) }))
        .await;
    let done = stage.run(&["check"]).await;
    done.exits(0);
    let finding = done.finding("redrive");
    assert!(
        finding.starts_with("redrive warning dead-letters after 2 receives"),
        "{done}"
    );
    assert!(finding.contains("→ raise maxReceiveCount to 5 or more"));
}

#[tokio::test]
async fn a_dead_letter_queue_that_is_gone_is_told() {
    let stage = Stage::right().await;
    stage
        .sqs("DeleteQueue", json!({ "QueueUrl": "dead" }))
        .await;
    let done = stage.run(&["check"]).await;
    done.exits(1);
    let finding = done.finding("dead letters");
    assert!(
        finding.starts_with("dead letters failed dead does not exist: "),
        "{done}"
    );
}

#[tokio::test]
async fn a_dead_letter_queue_that_forgets_first_is_a_warning() {
    let stage = Stage::right().await;
    stage
        .set_queue("dead", json!({ "MessageRetentionPeriod": "345600" }))
        .await;
    let done = stage.run(&["check"]).await;
    done.exits(0);
    let finding = done.finding("dead letters");
    assert!(finding.starts_with("dead letters warning dead keeps messages"));
    assert!(finding.contains("→ raise the MessageRetentionPeriod"));
}

#[tokio::test]
async fn dead_letters_are_a_note_that_leads_to_triage() {
    let stage = Stage::right().await;
    stage.send("dead", "{}").await;
    let done = stage.run(&["check", "--strict"]).await;
    done.exits(0);
    let finding = done.finding("dead letters");
    assert!(finding.contains("note dead keeps messages"), "{done}");
    let url = format!("{}/000000000000/dead", stage.aws.url());
    let remedy = format!("`organizer-notifier triage --queue-url {url}`");
    assert!(finding.contains(&remedy), "{done}");
}

#[tokio::test]
async fn a_dead_letter_queue_that_may_not_be_read_is_a_note() {
    let stage = Stage::right().await;
    let mut rule = Rule::new("sqs:GetQueueAttributes", Fault::error("AccessDenied", 400));
    rule.body_contains = Some("/dead".to_owned());
    stage.aws.sandbox.faults.add(rule);
    let done = stage.run(&["check", "--strict"]).await;
    done.exits(0);
    let finding = done.finding("dead letters");
    assert!(
        finding.starts_with("dead letters note sqs:GetQueueAttributes is not allowed"),
        "{done}"
    );
}

#[tokio::test]
async fn how_the_queue_encrypts_is_told() {
    for (attributes, found) in [
        (
            json!({ "SqsManagedSseEnabled": "false" }),
            "encryption warning off, and messages hold addresses",
        ),
        (
            json!({ "KmsMasterKeyId": "alias/aws/sqs" }),
            "encryption warning with alias/aws/sqs, whose policy does not let SNS use it",
        ),
        (
            json!({ "KmsMasterKeyId": "alias/events" }),
            "encryption note with the KMS key alias/events",
        ),
    ] {
        let stage = Stage::right().await;
        stage.set_queue("created", attributes).await;
        let done = stage.run(&["check"]).await;
        done.exits(0);
        assert!(done.finding("encryption").starts_with(found), "{done}");
    }
}

#[tokio::test]
async fn a_lease_that_hardly_fits_a_send_is_a_warning() {
    let stage = Stage::right().await;
    let arguments = ["check", "--set", "queue.visibility_timeout=15s"];
    let done = stage.run(&arguments).await;
    done.exits(0);
    let finding = done.finding("lease");
    assert!(
        finding.starts_with("lease warning queue.visibility_timeout is 15s"),
        "{done}"
    );
    let advice = finding.split("set queue.visibility_timeout to ").nth(1);
    let advised = advice.unwrap().split(' ').next().unwrap();
    let set = format!("queue.visibility_timeout={advised}");
    let done = stage.run(&["check", "--strict", "--set", &set]).await;
    assert!(done.finding("lease").starts_with("lease ok"), "{done}");
}
