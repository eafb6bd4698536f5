//! `triage --redrive` and `triage --delete`.

use sandbox::faults::{Fault, Rule};
use sandbox::sqs::Standing;
use serde_json::{Value, json};

use crate::commands::stage::{Done, SAMPLES, Stage};
use crate::commands::triage::{dead, lines};

async fn act(stage: &Stage, arguments: &[&str]) -> Done {
    let url = dead(stage);
    let all = [&["triage", "--queue-url", &url], arguments].concat();
    stage.run(&all).await
}

/// Sends it to the dead-letter queue and returns its id.
async fn send(stage: &Stage, body: &str) -> String {
    let request = json!({ "QueueUrl": "dead", "MessageBody": body });
    let answer = stage.sqs("SendMessage", request).await;
    answer["MessageId"].as_str().unwrap().to_owned()
}

/// So many messages are in the two queues, all of them visible.
#[track_caller]
fn assert_in(stage: &Stage, dead: usize, created: usize) {
    for (queue, expected) in [("dead", dead), ("created", created)] {
        let all = stage.aws.sandbox.sqs.snapshot(queue);
        assert_eq!(all.len(), expected, "{queue}: {all:?}");
        let visible = |standing| standing == Standing::Visible;
        assert!(all.iter().all(|message| visible(message.standing)));
    }
}

fn fails(stage: &Stage, operation: &str, fault: Fault) {
    stage.aws.sandbox.faults.add(Rule::new(operation, fault));
}

#[tokio::test]
async fn a_redriven_message_is_the_same_but_for_its_id() {
    let stage = Stage::right().await;
    let trace = "Root=1-5759e988-bd862e3fe1be46a994272793";
    let attributes = json!({
        "bytes": { "DataType": "Binary.gif", "BinaryValue": "AAE=" },
        "traceparent": { "DataType": "String", "StringValue": "00-4bf9-00f0-01" },
    });
    let request = json!({
        "QueueUrl": "dead",
        "MessageBody": SAMPLES[0].1,
        "MessageAttributes": attributes,
        "MessageSystemAttributes": {
            "AWSTraceHeader": { "DataType": "String", "StringValue": trace },
        },
    });
    stage.sqs("SendMessage", request).await;
    let rejected = send(&stage, "{}").await;
    let done = act(&stage, &["--redrive", "--verdict", "mail", "--yes"]).await;
    let told = "\n\nredrove 1 message to created\n";
    assert!(done.exits(0).out.ends_with(told), "{done}");
    assert_in(&stage, 1, 1);
    assert_eq!(
        stage.aws.sandbox.sqs.snapshot("dead")[0].message_id,
        rejected
    );
    let receive = json!({
        "QueueUrl": "created",
        "MessageAttributeNames": ["All"],
        "MessageSystemAttributeNames": ["AWSTraceHeader"],
    });
    let answer = stage.sqs("ReceiveMessage", receive).await;
    let message = &answer["Messages"][0];
    assert_eq!(message["Body"], SAMPLES[0].1);
    assert_eq!(message["MessageAttributes"], attributes);
    assert_eq!(message["Attributes"]["AWSTraceHeader"], trace);
    // Nothing is left to be done, and that is no fault.
    let done = act(&stage, &["--redrive", "--verdict", "mail", "--yes"]).await;
    assert!(done.exits(0).out.contains("redrove no messages"), "{done}");
}

#[tokio::test]
async fn what_is_deleted_is_what_was_named() {
    let stage = Stage::right().await;
    let mut ids = Vec::new();
    for _ in 0..25 {
        ids.push(send(&stage, "{}").await);
    }
    let named = ["--id", &ids[3], "--id", &ids[17]];
    let arguments = [&["--delete", "--yes", "--json"][..], &named].concat();
    let done = act(&stage, &arguments).await;
    let told = lines(done.exits(0));
    let acts: Vec<_> = told.iter().filter(|line| line["type"] == "act").collect();
    assert_eq!(acts.len(), 2, "{done}");
    assert!(
        acts.iter().all(|line| line["result"] == "deleted"),
        "{done}"
    );
    let summary = &told.last().unwrap()["act"];
    assert_eq!(summary["results"], json!({ "deleted": 2 }));
    assert_in(&stage, 23, 0);
    let left = stage.aws.sandbox.sqs.snapshot("dead");
    let is_left = |id: &String| left.iter().any(|message| message.message_id == *id);
    assert!(!is_left(&ids[3]) && !is_left(&ids[17]));
    // One that is gone is told.
    let done = act(&stage, &arguments).await;
    assert!(
        done.exits(1)
            .err
            .contains(&format!("no message {}", ids[3]))
    );
    // One of another verdict is not meant, and stays.
    let other = ["--delete", "--yes", "--verdict", "mail", "--id", &ids[4]];
    let done = act(&stage, &other).await;
    assert!(done.exits(0).out.contains("deleted no messages"), "{done}");
    assert_in(&stage, 23, 0);
}

#[tokio::test]
async fn an_act_needs_a_choice_and_somebody_who_allows_it() {
    let stage = Stage::right().await;
    send(&stage, "{}").await;
    for (arguments, told) in [
        (
            &["--redrive", "--yes"][..],
            "--redrive needs a choice of messages",
        ),
        (
            &["--delete", "--yes"],
            "--delete needs a choice of messages",
        ),
        (
            &["--delete", "--verdict", "rejected"],
            "there is no terminal to ask on: add --yes",
        ),
        (
            &["--redrive", "--id", "x"],
            "there is no terminal to ask on: add --yes",
        ),
        (&["--yes"], "add one of them"),
        (&["--mailed"], "set ledger.table"),
        (&["--redrive", "--delete", "--yes"], "cannot be used with"),
        (&["--redrive", "--mailed", "--yes"], "cannot be used with"),
        (
            &["--even-mailed", "--delete", "--id", "x"],
            "cannot be used with",
        ),
        (&["--to-queue-url", "x"], "--redrive"),
        (&["--show", "x", "--delete"], "cannot be used with"),
        (&["--verdict", "good"], "rejected"),
    ] {
        let done = act(&stage, arguments).await;
        assert!(done.exits(64).err.contains(told), "{arguments:?}: {done}");
    }
    assert_in(&stage, 1, 0);
    let received = stage.aws.sandbox.sqs.snapshot("dead")[0].receive_count;
    assert_eq!(received, 0);
}

#[tokio::test]
async fn the_configured_queue_must_dead_letter_here_and_a_named_one_is_told() {
    let mut stage = Stage::right().await;
    stage.queue("other", json!({})).await;
    let url = format!("{}/000000000000/other", stage.aws.url());
    send(&stage, SAMPLES[0].1).await;
    let redrive = ["--redrive", "--verdict", "mail", "--yes"];
    stage.set("SQS_URL", &url);
    let done = act(&stage, &redrive).await;
    let told = "dead is not the dead-letter queue of other, which has none; nothing was done";
    assert!(done.exits(1).err.contains(told), "{done}");
    let missing = format!("{}/000000000000/missing", stage.aws.url());
    let to_missing = [&redrive[..], &["--to-queue-url", &missing]].concat();
    let done = act(&stage, &to_missing).await;
    assert!(done.exits(1).err.contains("nothing was done"), "{done}");
    stage.set("SQS_URL", "");
    let done = act(&stage, &redrive).await;
    assert!(done.exits(64).err.contains("set SQS_URL"), "{done}");
    assert_in(&stage, 1, 0);
    let named = [&redrive[..], &["--to-queue-url", &url]].concat();
    let done = act(&stage, &named).await;
    let told = "dead is not the dead-letter queue of other, which has none\n";
    assert!(done.exits(0).err.contains(told), "{done}");
    assert_eq!(stage.aws.sandbox.sqs.snapshot("other").len(), 1);
    assert_in(&stage, 0, 0);
}

#[tokio::test]
async fn a_message_of_another_queue_stays_unless_the_queue_is_named() {
    let stage = Stage::right().await;
    let policy = crate::commands::stage::redrive(1);
    stage
        .queue("sibling", json!({ "RedrivePolicy": policy }))
        .await;
    stage.send("sibling", SAMPLES[0].1).await;
    let receive = json!({ "QueueUrl": "sibling", "VisibilityTimeout": 0 });
    for _ in 0..2 {
        stage.sqs("ReceiveMessage", receive.clone()).await;
    }
    send(&stage, SAMPLES[1].1).await;
    let redrive = ["--redrive", "--verdict", "mail", "--yes"];
    let done = act(&stage, &redrive).await;
    assert!(
        done.exits(0).out.contains("redrove 1 message to created"),
        "{done}"
    );
    assert!(done.out.contains("came from another queue"), "{done}");
    assert_in(&stage, 1, 1);
    let url = format!("{}/000000000000/created", stage.aws.url());
    let done = act(&stage, &[&redrive[..], &["--to-queue-url", &url]].concat()).await;
    assert!(
        done.exits(0).err.contains("came from the queue sibling"),
        "{done}"
    );
    assert_in(&stage, 0, 2);
}

#[tokio::test]
async fn a_lost_answer_deletes_nothing_and_is_told_by_id() {
    let stage = Stage::right().await;
    let id = send(&stage, SAMPLES[0].1).await;
    fails(&stage, "sqs:SendMessageBatch", Fault::ResetAfter);
    let done = act(&stage, &["--redrive", "--verdict", "mail", "--yes"]).await;
    let told = format!("\n{id}: may have been sent, and still here");
    assert!(done.exits(1).out.contains(&told), "{done}");
    assert_in(&stage, 1, 1);
}

#[tokio::test]
async fn what_the_queue_refuses_stays_and_the_rest_goes() {
    let stage = Stage::right().await;
    let (large, small) = (SAMPLES[0].1, SAMPLES[2].1);
    let most = large.len() - 1;
    assert!(small.len() <= most);
    let size = json!({ "MaximumMessageSize": most.to_string() });
    stage.set_queue("created", size).await;
    let id = send(&stage, large).await;
    send(&stage, small).await;
    let done = act(&stage, &["--redrive", "--verdict", "mail", "--yes"]).await;
    assert!(
        done.exits(1).out.contains("redrove 1 message to created"),
        "{done}"
    );
    let told = format!("\n{id}: not sent, and still here");
    assert!(done.out.contains(&told), "{done}");
    assert_in(&stage, 1, 1);
}

#[tokio::test]
async fn what_the_queue_failed_over_may_have_been_sent() {
    let stage = Stage::right().await;
    let id = send(&stage, SAMPLES[0].1).await;
    let failed = Fault::EntryError {
        code: "InternalError".to_owned(),
        message: "no".to_owned(),
    };
    fails(&stage, "sqs:SendMessageBatch", failed);
    let done = act(&stage, &["--redrive", "--verdict", "mail", "--yes"]).await;
    let told = format!("\n{id}: may have been sent, and still here");
    assert!(done.exits(1).out.contains(&told), "{done}");
    assert_in(&stage, 1, 0);
}

#[tokio::test]
async fn a_message_that_was_sent_and_not_deleted_is_told_as_in_both_queues() {
    let stage = Stage::right().await;
    let id = send(&stage, SAMPLES[0].1).await;
    let failed = Fault::EntryError {
        code: "InternalError".to_owned(),
        message: "no".to_owned(),
    };
    fails(&stage, "sqs:DeleteMessageBatch", failed);
    let redrive = ["--redrive", "--verdict", "mail", "--yes", "--json"];
    let done = act(&stage, &redrive).await;
    let told = lines(done.exits(1));
    let of =
        |kind: &str| -> Vec<&Value> { told.iter().filter(|line| line["type"] == kind).collect() };
    assert_eq!(of("act")[0]["message_id"], id);
    assert_eq!(of("act")[0]["result"], "in_both_queues");
    assert_eq!(
        of("summary")[0]["act"]["results"],
        json!({ "in_both_queues": 1 })
    );
    assert_in(&stage, 1, 1);
}

#[tokio::test]
async fn without_the_rights_nothing_is_done() {
    for (operation, told) in [
        (
            "sqs:DeleteMessageBatch",
            "give the role sqs:DeleteMessage on the queue; nothing was done",
        ),
        (
            "sqs:SendMessageBatch",
            "give the role sqs:SendMessage on the queue to redrive to",
        ),
    ] {
        let stage = Stage::right().await;
        send(&stage, SAMPLES[0].1).await;
        fails(&stage, operation, Fault::error("AccessDenied", 403));
        let redrive = ["--redrive", "--verdict", "mail", "--yes"];
        let done = act(&stage, &redrive).await;
        let all = format!("{}{}", done.exits(1).out, done.err);
        assert!(all.contains(told), "{done}");
        let done = act(&stage, &[&redrive[..], &["--json"]].concat()).await;
        let told = lines(done.exits(1));
        assert_eq!(told.last().unwrap()["act"]["end"], "failed", "{done}");
        assert_in(&stage, 1, 0);
    }
}

/// A table that knows the mail of the first sample as sent, and of the second as being sent.
async fn with_table() -> Stage {
    let mut stage = Stage::right().await;
    let aws = &stage.aws.sandbox;
    aws.make_table("mails").unwrap();
    for (at, state) in [(0, "sent"), (1, "sending")] {
        let id = format!("created#{}", key(SAMPLES[at].1));
        let item = json!({
            "id": { "S": id },
            "state": { "S": state },
            "owner": { "S": "task" },
            "until": { "N": "1" },
            "email_id": { "S": "0100" },
            "expires": { "N": "99999999999" },
        });
        let request = json!({ "TableName": "mails", "Item": item });
        aws.dynamodb.call("PutItem", request).unwrap();
    }
    stage.set("NOTIFIER_LEDGER__TABLE", "mails");
    stage
}

/// As the ledger knows a notification: by its id and the hash of what was published.
fn key(body: &str) -> String {
    use organizer_notifier::notification::{EventHash, MailKey};
    let envelope: Value = serde_json::from_str(body).unwrap();
    let text = |name: &str| envelope[name].as_str().unwrap();
    let hash = EventHash::of(text("Message"));
    MailKey::new(text("MessageId"), hash).as_str().to_owned()
}

#[tokio::test]
async fn what_was_mailed_is_told_and_not_redriven_unless_that_is_wanted() {
    let stage = with_table().await;
    for (_, body) in SAMPLES {
        send(&stage, body).await;
    }
    let done = act(&stage, &[]).await;
    for told in [
        "     1  would be sent\n",
        "     1  would be sent; was mailed\n",
        "     1  would be sent; may have been mailed\n",
    ] {
        assert!(done.exits(0).out.contains(told), "{done}");
    }
    let redrive = ["--redrive", "--verdict", "mail", "--yes"];
    let done = act(&stage, &redrive).await;
    assert!(
        done.exits(0).out.contains("redrove 1 message to created"),
        "{done}"
    );
    assert!(
        done.out
            .contains("     1  left where they are; they were mailed"),
        "{done}"
    );
    assert!(
        done.out
            .contains("     1  left where they are; they may have been"),
        "{done}"
    );
    assert_in(&stage, 2, 1);
    let done = act(&stage, &["--delete", "--mailed", "--yes"]).await;
    assert!(done.exits(0).out.contains("deleted 1 message\n"), "{done}");
    assert_in(&stage, 1, 1);
    let done = act(&stage, &[&redrive[..], &["--even-mailed"]].concat()).await;
    assert!(done.exits(0).err.contains("may be mailed again"), "{done}");
    assert_in(&stage, 0, 2);
}

#[tokio::test]
async fn a_mail_is_looked_for_under_the_queue_that_its_message_came_from() {
    let mut stage = with_table().await;
    let policy = crate::commands::stage::redrive(1);
    stage
        .set_queue("created", json!({ "RedrivePolicy": policy }))
        .await;
    stage.send("created", SAMPLES[0].1).await;
    let receive = json!({ "QueueUrl": "created", "VisibilityTimeout": 0 });
    for _ in 0..2 {
        stage.sqs("ReceiveMessage", receive.clone()).await;
    }
    send(&stage, SAMPLES[2].1).await;
    // Another queue is configured, or none.
    let mailed = "     1  would be sent; was mailed\n";
    let unasked =
        "whether mails were sent was not looked up for 1 message: neither SQS nor SQS_URL";
    let sibling = format!("{}/000000000000/sibling", stage.aws.url());
    for url in [sibling.as_str(), ""] {
        stage.set("SQS_URL", url);
        let done = act(&stage, &[]).await;
        assert!(done.exits(0).out.contains(mailed), "{done}");
        assert_eq!(
            done.err.matches(unasked).count(),
            usize::from(url.is_empty())
        );
    }
    // Where it goes, it may have been mailed as well.
    stage.queue("sibling", json!({})).await;
    let redrive = ["--redrive", "--verdict", "mail", "--yes", "--to-queue-url"];
    let done = act(&stage, &[&redrive[..], &[&sibling]].concat()).await;
    assert!(
        done.exits(0).out.contains("redrove 1 message to sibling"),
        "{done}"
    );
    assert!(
        done.out
            .contains("     1  left where they are; they were mailed"),
        "{done}"
    );
    assert_in(&stage, 1, 0);
}

#[tokio::test]
async fn a_table_that_does_not_answer_holds_a_redrive_back() {
    let stage = with_table().await;
    send(&stage, SAMPLES[2].1).await;
    fails(
        &stage,
        "dynamodb:GetItem",
        Fault::error("AccessDeniedException", 400),
    );
    let done = act(&stage, &["--redrive", "--verdict", "mail", "--yes"]).await;
    assert!(
        done.exits(1).err.contains("the ledger's table failed"),
        "{done}"
    );
    assert!(done.out.contains("redrove no messages"), "{done}");
    assert_in(&stage, 1, 0);
}
