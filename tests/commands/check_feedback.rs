//! What `check` finds out about SES's events.

use std::time::Duration;

use sandbox::faults::{Fault, Rule};
use sandbox::ses::destination::EventType::{
    self, Bounce, Complaint, Delivery, DeliveryDelay, Reject, Send,
};
use sandbox::ses::publisher::{EventFault, EventRule};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::commands::stage::{Done, Stage, redrive};

const ALL: &[EventType] = &[Send, Delivery, Bounce, Complaint, Reject, DeliveryDelay];
const TOPIC: &str = "arn:aws:sns:us-east-1:000000000000:notifications";

/// Asks SES's simulator, and waits two seconds for its events.
async fn probe(stage: &mut Stage) -> Done {
    stage.set("NOTIFIER_FEEDBACK__PATIENCE", "1s");
    stage.run(&["check", "--feedback"]).await
}

async fn ses(stage: &Stage, operation: &str, request: Value) {
    let answer = stage.aws.sandbox.ses.call(operation, request).await;
    answer.unwrap_or_else(|refused| panic!("{operation}: {}", refused.message));
}

fn destination(enabled: bool, types: &[EventType]) -> Value {
    json!({
        "ConfigurationSetName": "notifications",
        "EventDestinationName": "feedback",
        "EventDestination": {
            "Enabled": enabled,
            "MatchingEventTypes": types,
            "SnsDestination": { "TopicArn": TOPIC },
        },
    })
}

#[tokio::test]
async fn a_right_way_of_events_is_all_right_and_its_probe_tells_the_latency() {
    let mut stage = Stage::with_events(ALL).await;
    let done = stage.run(&["check", "--strict"]).await;
    done.exits(0);
    assert!(done.out.ends_with("\nall right\n"), "{done}");
    assert_eq!(stage.aws.sandbox.outbox.taken_simulated(), 0);
    let done = probe(&mut stage).await;
    done.exits(0);
    let finding = done.finding("feedback");
    assert!(
        finding.starts_with("feedback ok send after 0."),
        "{finding}"
    );
    assert!(finding.contains(", delivery after 0."), "{finding}");
    // Only the greeting of the destination is left, which the daemon takes away.
    assert_eq!(stage.aws.sandbox.sqs.snapshot("feedback").len(), 1);
}

#[tokio::test]
async fn other_tasks_learn_of_an_event_where_a_table_tells_them() {
    let mut stage = Stage::with_events(ALL).await;
    let done = stage.run(&["check"]).await;
    let finding = done.finding("feedback queue");
    assert!(finding.ends_with("do not learn of it"), "{finding}");
    stage.aws.sandbox.make_table("mails").unwrap();
    stage.set("NOTIFIER_LEDGER__TABLE", "mails");
    let done = stage.run(&["check"]).await;
    let finding = done.finding("feedback queue");
    assert!(finding.ends_with("learn of it by the table"), "{finding}");
}

#[tokio::test]
async fn a_probe_needs_a_feedback_queue() {
    let stage = Stage::right().await;
    let done = stage.run(&["check", "--feedback"]).await;
    done.exits(64);
    assert!(done.err.contains("--feedback needs feedback.queue_url"));
}

#[tokio::test]
async fn without_a_configuration_set_no_events_are_published() {
    let mut stage = Stage::with_events(ALL).await;
    stage.set("NOTIFIER_EMAIL__CONFIGURATION_SET", "");
    let done = stage.run(&["check"]).await;
    done.exits(1);
    let finding = done.finding("feedback set");
    assert!(finding.contains("failed no configuration set"), "{finding}");
    // The identity's default set does as well.
    let identity = &stage.aws.sandbox.ses;
    identity.update_identity("example.com", |identity| {
        identity.configuration_set = Some("notifications".to_owned());
    });
    let done = probe(&mut stage).await;
    done.exits(0);
    let finding = done.finding("feedback set");
    assert!(finding.contains("the identity's default"), "{finding}");
    assert!(done.finding("feedback").contains("ok send after"));
}

#[tokio::test]
async fn a_destination_that_is_off_is_named() {
    let mut stage = Stage::with_events(ALL).await;
    let off = destination(false, ALL);
    ses(&stage, "UpdateConfigurationSetEventDestination", off).await;
    let done = probe(&mut stage).await;
    done.exits(1);
    let finding = done.finding("feedback set");
    assert!(
        finding.contains("failed the event destination feedback of notifications is off"),
        "{finding}"
    );
    let finding = done.finding("feedback");
    assert!(
        finding.contains("failed no event came within 2s"),
        "{finding}"
    );
    assert!(finding.contains("what the other rows name"), "{finding}");
}

#[tokio::test]
async fn types_that_are_not_published_are_named() {
    let mut stage = Stage::with_events(&[Send]).await;
    let done = probe(&mut stage).await;
    done.exits(0);
    let finding = done.finding("feedback events");
    assert!(
        finding.contains("warning feedback does not publish delivery, bounce, complaint, reject"),
        "{finding}"
    );
    let finding = done.finding("feedback");
    assert!(finding.contains("warning send after"), "{finding}");
    assert!(finding.contains("add DELIVERY"), "{finding}");
    let mut stage = Stage::with_events(&[Delivery]).await;
    let done = probe(&mut stage).await;
    done.exits(1);
    let finding = done.finding("feedback events");
    assert!(finding.contains("does not publish send"), "{finding}");
    let finding = done.finding("feedback");
    assert!(finding.contains("SES publishes no send"), "{finding}");
}

#[tokio::test]
async fn a_topic_that_nobody_is_subscribed_to_is_found_by_the_probe() {
    let mut stage = Stage::with_events(ALL).await;
    let sns = &stage.aws.sandbox.sns;
    let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    for form in [
        [field("Action", "DeleteTopic"), field("TopicArn", TOPIC)],
        [
            field("Action", "CreateTopic"),
            field("Name", "notifications"),
        ],
    ] {
        sns.call_query(&form).await.unwrap();
    }
    stage.run(&["check"]).await.exits(0);
    let done = probe(&mut stage).await;
    done.exits(1);
    let finding = done.finding("feedback");
    let command = format!("aws sns subscribe --topic-arn {TOPIC} --protocol sqs");
    assert!(finding.contains("no event came within 2s"), "{finding}");
    assert!(finding.contains(&command), "{finding}");
}

#[tokio::test]
async fn a_queue_whose_policy_keeps_the_topic_out_is_named() {
    let mut stage = Stage::with_events(ALL).await;
    let policy = json!({ "Version": "2012-10-17", "Statement": [] });
    stage
        .set_queue("feedback", json!({ "Policy": policy.to_string() }))
        .await;
    let done = probe(&mut stage).await;
    done.exits(1);
    let finding = done.finding("feedback queue");
    let policy = format!("the policy of feedback does not let {TOPIC} send");
    assert!(finding.contains(&policy), "{finding}");
    assert!(done.finding("feedback").contains("no event came within 2s"));
}

#[tokio::test]
async fn of_several_destinations_the_one_counts_that_the_queue_lets_in() {
    let stage = Stage::with_events(ALL).await;
    let create = [("Action", "CreateTopic"), ("Name", "another")];
    let form = create.map(|(name, value)| (name.to_owned(), value.to_owned()));
    stage.aws.sandbox.sns.call_query(&form).await.unwrap();
    // Destinations are shown in the order in which they were made.
    let delete = json!({
        "ConfigurationSetName": "notifications",
        "EventDestinationName": "feedback",
    });
    ses(&stage, "DeleteConfigurationSetEventDestination", delete).await;
    let create = "CreateConfigurationSetEventDestination";
    let mut other = destination(true, ALL);
    other["EventDestinationName"] = json!("another");
    other["EventDestination"]["SnsDestination"]["TopicArn"] =
        json!("arn:aws:sns:us-east-1:000000000000:another");
    ses(&stage, create, other).await;
    ses(&stage, create, destination(true, ALL)).await;
    let done = stage.run(&["check", "--strict"]).await;
    done.exits(0);
    let finding = done.finding("feedback set");
    assert!(finding.ends_with("event destination feedback"), "{finding}");
}

#[tokio::test]
async fn events_that_are_slower_than_the_patience_are_told() {
    let mut stage = Stage::with_events(ALL).await;
    stage.aws.sandbox.ses.set_event_rules(vec![EventRule {
        types: Vec::new(),
        fault: EventFault::Delay {
            min_ms: 1400,
            max_ms: 1400,
        },
        share: 1.0,
    }]);
    let done = probe(&mut stage).await;
    done.exits(0);
    let finding = done.finding("feedback");
    assert!(finding.contains("warning send after 1."), "{finding}");
    assert!(finding.contains("raise feedback.patience"), "{finding}");
}

#[tokio::test]
async fn a_probe_beside_a_running_daemon_gets_its_events() {
    let mut stage = Stage::with_events(ALL).await;
    let mut daemon = stage
        .command(&["run", "--set", "health.listen=off"])
        .spawn()
        .unwrap();
    stage.set("NOTIFIER_FEEDBACK__PATIENCE", "30s");
    let asked = stage.run(&["check", "--feedback"]);
    let done = timeout(Duration::from_secs(50), asked).await.unwrap();
    daemon.kill().await.unwrap();
    done.exits(0);
    assert!(done.finding("feedback").contains("ok send after"), "{done}");
}

#[tokio::test]
async fn the_feedback_queue_is_not_the_dead_letter_queue_nor_one_that_gives_up_soon() {
    let mut stage = Stage::with_events(ALL).await;
    let url = format!("{}/000000000000/dead", stage.aws.url());
    stage.set("NOTIFIER_FEEDBACK__QUEUE_URL", &url);
    let done = stage.run(&["check"]).await;
    done.exits(1);
    let finding = done.finding("feedback queue");
    assert!(finding.contains("is the dead-letter queue"), "{finding}");
    assert_eq!(
        done.finding("bounces"),
        "bounces skipped not known: see feedback queue"
    );
    // No mail goes out whose events would go there.
    let done = stage.run(&["check", "--feedback"]).await;
    assert!(
        done.finding("feedback")
            .contains("skipped nothing was mailed"),
        "{done}"
    );
    let url = format!("{}/000000000000/nope", stage.aws.url());
    stage.set("NOTIFIER_FEEDBACK__QUEUE_URL", &url);
    let done = stage.run(&["check"]).await;
    done.exits(1);
    let finding = done.finding("feedback queue");
    assert!(
        finding.contains("failed nope (feedback.queue_url) does not exist"),
        "{finding}"
    );
    assert!(
        finding.contains("→ check feedback.queue_url (NOTIFIER_FEEDBACK__QUEUE_URL)"),
        "{finding}"
    );
    assert!(!done.out.contains("feedback rights"), "{done}");
    assert_eq!(
        done.finding("bounces"),
        "bounces skipped not known: see feedback queue"
    );
    assert!(done.out.ends_with("\n1 failure, 0 warnings\n"), "{done}");
    let stage = Stage::with_events(ALL).await;
    stage
        .set_queue("feedback", json!({ "RedrivePolicy": redrive(5) }))
        .await;
    let done = stage.run(&["check"]).await;
    let finding = done.finding("feedback queue");
    assert!(
        finding.contains("dead-letters after 5 receives"),
        "{finding}"
    );
}

#[tokio::test]
async fn the_mails_own_queue_is_no_feedback_queue() {
    let mut stage = Stage::right().await;
    let url = format!("{}/000000000000/created", stage.aws.url());
    stage.set("NOTIFIER_FEEDBACK__QUEUE_URL", &url);
    let done = stage.run(&["check"]).await;
    done.exits(64);
    assert!(
        done.err.contains("is the queue of queue.url (SQS_URL)"),
        "{done}"
    );
}

#[tokio::test]
async fn a_right_that_is_missing_is_a_note() {
    let stage = Stage::with_events(ALL).await;
    let denied = Fault::error("AccessDeniedException", 403);
    let operation = "ses:GetConfigurationSetEventDestinations";
    stage.aws.sandbox.faults.add(Rule::new(operation, denied));
    let done = stage.run(&["check"]).await;
    done.exits(0);
    let finding = done.finding("feedback set");
    assert!(finding.contains("note ses:GetConfig"), "{finding}");
    assert_eq!(
        done.finding("bounces"),
        "bounces skipped not known: see feedback set"
    );
}

#[tokio::test]
async fn signature_mail_from_and_forwarding_of_the_identity_are_told() {
    let stage = Stage::right().await;
    let ses = &stage.aws.sandbox.ses;
    let done = stage.run(&["check"]).await;
    assert_eq!(done.finding("dkim"), "dkim ok signed in the sender's name");
    assert!(
        done.finding("bounces")
            .contains("note are mailed to the sender")
    );
    ses.update_identity("example.com", |identity| {
        identity.dkim_key_length = "RSA_1024_BIT".to_owned();
        identity.mail_from_domain = Some("bounce.example.com".to_owned());
        identity.mail_from_status = "FAILED".to_owned();
        identity.forwards_feedback = false;
    });
    let done = stage.run(&["check"]).await;
    assert!(
        done.finding("dkim")
            .contains("warning signed with a key of 1024 bits")
    );
    let finding = done.finding("mail from");
    assert!(finding.contains("warning SES does not find the MX record of bounce.example.com"));
    assert!(
        done.finding("bounces")
            .contains("note nobody learns of them")
    );
    for (status, told) in [
        ("PENDING", "has not found the records yet"),
        ("FAILED", "does not find the records"),
        ("NOT_STARTED", "not signed in the sender's name"),
    ] {
        ses.update_identity("example.com", |identity| {
            identity.dkim_status = status.to_owned();
        });
        let done = stage.run(&["check"]).await;
        assert!(done.finding("dkim").contains(told), "{done}");
    }
}

#[tokio::test]
async fn a_suppressed_recipient_is_told() {
    let stage = Stage::right().await;
    let ask = ["check", "--recipient", "dana@example.net"];
    let done = stage.run(&ask).await;
    done.exits(0);
    assert_eq!(
        done.finding("recipient"),
        "recipient ok d***@example.net is not suppressed"
    );
    let suppressed = json!({ "EmailAddress": "dana@example.net", "Reason": "BOUNCE" });
    ses(&stage, "PutSuppressedDestination", suppressed).await;
    let done = stage.run(&ask).await;
    done.exits(1);
    let finding = done.finding("recipient");
    assert!(
        finding.contains("failed SES does not deliver to d***@example.net: a mail to it bounced"),
        "{finding}"
    );
    assert!(!done.out.contains("dana@"), "{done}");
    let done = stage.run(&["check", "--recipient", "dana"]).await;
    done.exits(64);
    assert!(done.err.contains("--recipient is no address"), "{done}");
    assert!(done.out.is_empty(), "{done}");
}

#[tokio::test]
async fn a_signal_ends_the_wait_for_events_at_once() {
    let mut stage = Stage::with_events(ALL).await;
    stage.aws.sandbox.ses.set_event_rules(vec![EventRule {
        types: Vec::new(),
        fault: EventFault::Loss,
        share: 1.0,
    }]);
    stage.set("NOTIFIER_FEEDBACK__PATIENCE", "60s");
    let mut asked = stage.command(&["check", "--feedback"]);
    let asked = asked.spawn().unwrap();
    let pid = rustix::process::Pid::from_raw(asked.id().unwrap().cast_signed()).unwrap();
    let outbox = &stage.aws.sandbox.outbox;
    let until_sent = async {
        while outbox.taken_simulated() == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(30), until_sent).await.unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let ended = timeout(Duration::from_secs(10), asked.wait_with_output());
    let ended = ended.await.unwrap().unwrap();
    assert_eq!(ended.status.code(), Some(1));
    let out = String::from_utf8_lossy(&ended.stdout).into_owned();
    assert!(
        out.contains("not answered when SIGINT ended the check"),
        "{out}"
    );
}
