//! What `check` finds out about the table that all tasks share.

use sandbox::faults::{Fault, Rule};
use serde_json::json;

use crate::commands::stage::Stage;

async fn with_table() -> Stage {
    let mut stage = Stage::right().await;
    stage.aws.sandbox.make_table("mails").unwrap();
    stage.set("NOTIFIER_LEDGER__TABLE", "mails");
    stage
}

#[tokio::test]
async fn a_right_table_is_all_right_and_nothing_is_written_to_it() {
    let stage = with_table().await;
    let done = stage.run(&["check"]).await;
    done.exits(0);
    assert_eq!(
        done.finding("ledger table"),
        "ledger table ok mails: all tasks know what was sent, for 28d"
    );
    assert_eq!(
        done.finding("ledger rights"),
        "ledger rights ok may read, claim, record and take back"
    );
    assert!(
        done.finding("ledger expiry")
            .starts_with("ledger expiry ok")
    );
    assert_eq!(done.finding("clock"), "clock ok agrees with AWS's");
    assert_eq!(stage.aws.sandbox.dynamodb.items("mails"), [json!(null); 0]);
}

#[tokio::test]
async fn a_table_that_forgets_before_the_queue_does_is_a_warning() {
    let mut stage = with_table().await;
    stage.set("NOTIFIER_LEDGER__KEEP", "1h");
    let done = stage.run(&["check"]).await;
    done.exits(0);
    let finding = done.finding("ledger keep");
    let told = "ledger keep warning ledger.keep is 1h, and the queue keeps messages 4d";
    assert!(finding.starts_with(told), "{finding}");
}

#[tokio::test]
async fn without_a_table_it_says_who_remembers_what_was_sent() {
    let done = Stage::right().await.run(&["check"]).await;
    done.exits(0);
    assert!(
        done.finding("ledger table")
            .starts_with("ledger table ok each task remembers for itself"),
        "{done}"
    );
}

#[tokio::test]
async fn a_missing_table_comes_with_the_commands_that_create_a_right_one() {
    let mut stage = Stage::right().await;
    stage.set("NOTIFIER_LEDGER__TABLE", "mails");
    let done = stage.run(&["check"]).await;
    done.exits(1);
    let finding = done.finding("ledger table");
    assert!(
        finding.starts_with("ledger table failed mails does not exist"),
        "{finding}"
    );
    for part in [
        "aws dynamodb create-table --region us-east-1 --table-name mails",
        "--attribute-definitions AttributeName=id,AttributeType=S",
        "--key-schema AttributeName=id,KeyType=HASH --billing-mode PAY_PER_REQUEST",
        "aws dynamodb wait table-exists --region us-east-1 --table-name mails",
        "aws dynamodb update-time-to-live --region us-east-1 --table-name mails \
         --time-to-live-specification Enabled=true,AttributeName=expires",
    ] {
        assert!(finding.contains(part), "{part}\n{finding}");
    }
}

#[tokio::test]
async fn a_table_with_another_key_and_one_that_grows_for_ever_are_told() {
    let mut stage = Stage::right().await;
    let database = &stage.aws.sandbox.dynamodb;
    for (name, key) in [("other", "pk"), ("grows", "id")] {
        let table = json!({
            "TableName": name,
            "AttributeDefinitions": [{ "AttributeName": key, "AttributeType": "S" }],
            "KeySchema": [{ "AttributeName": key, "KeyType": "HASH" }],
            "BillingMode": "PAY_PER_REQUEST",
        });
        assert!(database.call("CreateTable", table).is_ok());
    }
    stage.set("NOTIFIER_LEDGER__TABLE", "other");
    let done = stage.run(&["check"]).await;
    done.exits(1);
    let finding = done.finding("ledger table");
    assert!(
        finding.contains("the key of other is pk (S, HASH), and must be a partition key 'id'"),
        "{finding}"
    );
    assert!(done.finding("ledger rights").contains("skipped"));
    stage.set("NOTIFIER_LEDGER__TABLE", "grows");
    let done = stage.run(&["check"]).await;
    done.exits(1);
    let finding = done.finding("ledger expiry");
    assert!(
        finding.starts_with(
            "ledger expiry failed grows has no TTL: it grows without end → aws dynamodb update-time-to-live"
        ),
        "{finding}"
    );
}

#[tokio::test]
async fn a_missing_right_is_named() {
    for operation in [
        "PutItem",
        "GetItem",
        "BatchGetItem",
        "DeleteItem",
        "BatchWriteItem",
    ] {
        let stage = with_table().await;
        let denied = Fault::error("AccessDeniedException", 400);
        stage
            .aws
            .sandbox
            .faults
            .add(Rule::new(&format!("dynamodb:{operation}"), denied));
        let done = stage.run(&["check"]).await;
        done.exits(1);
        let finding = done.finding("ledger rights");
        assert!(
            finding.contains(&format!("dynamodb:{operation} is not allowed")),
            "{finding}"
        );
    }
}

#[tokio::test]
async fn all_missing_rights_are_named_at_once() {
    let stage = with_table().await;
    for operation in ["PutItem", "BatchGetItem", "DeleteItem"] {
        let denied = Fault::error("AccessDeniedException", 400);
        let rule = Rule::new(&format!("dynamodb:{operation}"), denied);
        stage.aws.sandbox.faults.add(rule);
    }
    let done = stage.run(&["check"]).await;
    done.exits(1);
    let finding = done.finding("ledger rights");
    for operation in ["PutItem", "BatchGetItem", "DeleteItem"] {
        let told = format!("dynamodb:{operation} is not allowed");
        assert!(finding.contains(&told), "{finding}");
        let advised = format!("give the role dynamodb:{operation} on mails");
        assert!(finding.contains(&advised), "{finding}");
    }
}

#[tokio::test]
async fn a_clock_that_is_an_hour_off_is_told() {
    let stage = with_table().await;
    stage.aws.sandbox.dynamodb.set_clock_ahead(-3_600_000);
    let done = stage.run(&["check"]).await;
    let finding = done.finding("clock");
    assert!(
        finding.contains("ahead of AWS's → set it right"),
        "{finding}"
    );
    assert!(finding.contains(" min "), "{finding}");
}
