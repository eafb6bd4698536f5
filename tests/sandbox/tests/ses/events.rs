//! Event destinations, and the events that reach them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use sandbox::Sandbox;
use sandbox::ses::destination::EventType::{self, Bounce, Complaint, Delivery, Send};
use sandbox::ses::fate::{Fate, FateRule};
use sandbox::ses::publisher::{EventFault, EventRule};
use serde_json::{Value, json};
use tokio::time::{Instant, advance, sleep};

use super::good;

const ALL: [EventType; 7] = [
    Send,
    Delivery,
    Bounce,
    Complaint,
    EventType::Reject,
    EventType::DeliveryDelay,
    EventType::RenderingFailure,
];
const GREETING: &str = "Successfully validated SNS topic for Amazon SES event publishing.";

struct Stage(Arc<Sandbox>);

impl Stage {
    /// A configuration set `set` whose events of these types reach the queue `feedback`. The greeting
    /// has been read.
    async fn new(types: &[EventType]) -> Self {
        let stage = Self(Sandbox::new());
        stage.0.ses.verify("example.com");
        stage
            .0
            .connect_feedback("set", "feedback", false, types)
            .await
            .unwrap();
        assert_eq!(stage.receive().await["Message"], GREETING);
        stage
    }

    async fn call(&self, operation: &str, request: Value) -> Result<Value, (u16, String)> {
        let answer = self.0.ses.call(operation, request).await;
        answer.map_err(|refused| (refused.status, refused.code))
    }

    /// Sends the good mail to somebody, with this configuration set and a tag.
    async fn send(&self, to: &str, set: Option<&str>) -> String {
        let mut request = good();
        request["Destination"]["ToAddresses"] = json!([to]);
        request["EmailTags"] = json!([{ "Name": "notification-id", "Value": "n-1" }]);
        if let Some(set) = set {
            request["ConfigurationSetName"] = json!(set);
        }
        let answer = self.call("SendEmail", request).await.unwrap();
        answer["MessageId"].as_str().unwrap().to_owned()
    }

    /// The next message's body as JSON.
    async fn receive(&self) -> Value {
        self.receive_within(20).await.expect("a message comes")
    }

    async fn receive_within(&self, seconds: u64) -> Option<Value> {
        let request = json!({ "QueueUrl": "feedback", "WaitTimeSeconds": seconds });
        let answer = self.0.sqs.call("ReceiveMessage", request).await.unwrap();
        let message = answer["Messages"].get(0)?;
        let handle = &message["ReceiptHandle"];
        let request = json!({ "QueueUrl": "feedback", "ReceiptHandle": handle });
        self.0.sqs.call("DeleteMessage", request).await.unwrap();
        Some(serde_json::from_str(message["Body"].as_str().unwrap()).unwrap())
    }

    /// The event in the next message.
    async fn event(&self) -> Value {
        let message = self.receive().await;
        assert_eq!(message["Subject"], "Amazon SES Email Event Notification");
        serde_json::from_str(message["Message"].as_str().unwrap()).unwrap()
    }

    async fn kinds(&self, count: usize) -> Vec<String> {
        let mut kinds = Vec::new();
        for _ in 0..count {
            kinds.push(self.event().await["eventType"].as_str().unwrap().to_owned());
        }
        assert_eq!(self.receive_within(1).await, None, "and no more: {kinds:?}");
        kinds
    }
}

fn destination(enabled: bool, types: &Value, topic: &str) -> Value {
    json!({
        "ConfigurationSetName": "set",
        "EventDestinationName": "other",
        "EventDestination": {
            "Enabled": enabled,
            "MatchingEventTypes": types,
            "SnsDestination": { "TopicArn": topic },
        },
    })
}

#[tokio::test(start_paused = true)]
async fn a_mail_is_sent_and_delivered_as_aws_says_it() {
    let stage = Stage::new(&ALL).await;
    let id = stage.send("dana@example.net", Some("set")).await;
    let sent = stage.event().await;
    assert_eq!(sent["eventType"], "Send");
    assert_eq!(sent["send"], json!({}));
    let mail = &sent["mail"];
    assert_eq!(mail["messageId"], id.as_str());
    assert_eq!(mail["destination"], json!(["dana@example.net"]));
    assert_eq!(mail["tags"]["notification-id"], json!(["n-1"]));
    assert_eq!(mail["tags"]["ses:configuration-set"], json!(["set"]));
    assert_eq!(mail["tags"].get("ses:outgoing-ip"), None);
    assert_eq!(mail["commonHeaders"]["subject"], "Grüße");
    let delivered = stage.event().await;
    assert_eq!(delivered["eventType"], "Delivery");
    assert!(delivered["delivery"]["processingTimeMillis"].is_u64());
    assert!(delivered["mail"]["tags"]["ses:outgoing-ip"].is_array());
}

#[tokio::test(start_paused = true)]
async fn the_simulators_addresses_fare_as_their_names_say() {
    let stage = Stage::new(&ALL).await;
    for (name, fate) in [
        ("success", &["Send", "Delivery"][..]),
        ("success+1a2b", &["Send", "Delivery"]),
        ("bounce", &["Send", "Bounce"]),
        ("complaint+x", &["Send", "Delivery", "Complaint"]),
        ("suppressionlist", &["Send", "Bounce"]),
        ("ooto", &["Send", "Delivery"]),
    ] {
        let to = format!("{name}@simulator.amazonses.com");
        stage.send(&to, Some("set")).await;
        assert_eq!(stage.kinds(fate.len()).await, fate, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_suppressed_address_is_accepted_and_bounces() {
    let stage = Stage::new(&ALL).await;
    let address = json!({ "EmailAddress": "dana@example.net", "Reason": "BOUNCE" });
    stage
        .call("PutSuppressedDestination", address)
        .await
        .unwrap();
    let asked = json!({ "EmailAddress": "dana@example.net" });
    let shown = stage.call("GetSuppressedDestination", asked.clone()).await;
    assert_eq!(shown.unwrap()["SuppressedDestination"]["Reason"], "BOUNCE");
    stage.send("Dana@example.net", Some("set")).await;
    assert_eq!(stage.event().await["eventType"], "Send");
    let bounce = stage.event().await["bounce"].take();
    assert_eq!(bounce["bounceSubType"], "OnAccountSuppressionList");
    stage
        .call("DeleteSuppressedDestination", asked.clone())
        .await
        .unwrap();
    let gone = stage.call("GetSuppressedDestination", asked).await;
    assert_eq!(gone, Err((404, "NotFoundException".to_owned())));
}

#[tokio::test(start_paused = true)]
async fn a_second_mail_to_an_address_that_bounced_is_kept_back_by_the_list() {
    let stage = Stage::new(&[Delivery, Bounce]).await;
    let gone = FateRule {
        recipient_contains: "gone".to_owned(),
        fate: Fate::bounced("Permanent", "General"),
    };
    stage.0.ses.set_fates(vec![gone]);
    for sub_type in ["General", "OnAccountSuppressionList"] {
        stage.send("gone@example.net", Some("set")).await;
        let bounce = stage.event().await["bounce"].take();
        assert_eq!(bounce["bounceSubType"], sub_type);
    }
    // An address that is there for a reason that no longer counts is mailed.
    stage.0.ses.set_fates(Vec::new());
    stage
        .call("PutAccountSuppressionAttributes", json!({}))
        .await
        .unwrap();
    stage.send("gone@example.net", Some("set")).await;
    assert_eq!(stage.event().await["eventType"], "Delivery");
}

#[tokio::test(start_paused = true)]
async fn a_rule_says_what_becomes_of_some_mails() {
    let stage = Stage::new(&ALL).await;
    let rule = |text: &str, fate| FateRule {
        recipient_contains: text.to_owned(),
        fate,
    };
    stage.0.ses.set_fates(vec![
        rule("gone", Fate::bounced("Transient", "MailboxFull")),
        rule("virus", Fate::Rejected),
        rule("slow", Fate::Delayed),
        rule("odd", Fate::NotRendered),
    ]);
    stage.send("gone@example.net", Some("set")).await;
    assert_eq!(stage.event().await["eventType"], "Send");
    let bounce = stage.event().await["bounce"].take();
    assert_eq!(bounce["bounceType"], "Transient");
    assert_eq!(
        bounce["bouncedRecipients"][0]["emailAddress"],
        "gone@example.net"
    );
    for (to, fate) in [
        ("virus@example.net", &["Send", "Reject"][..]),
        ("slow@example.net", &["Send", "DeliveryDelay", "Delivery"]),
        ("odd@example.net", &["Rendering Failure"]),
        ("other@example.net", &["Send", "Delivery"]),
    ] {
        stage.send(to, Some("set")).await;
        assert_eq!(stage.kinds(fate.len()).await, fate, "{to}");
    }
}

#[tokio::test(start_paused = true)]
async fn only_the_types_of_an_enabled_destination_are_published() {
    let stage = Stage::new(&[Delivery]).await;
    stage.send("dana@example.net", Some("set")).await;
    assert_eq!(stage.kinds(1).await, ["Delivery"]);
    stage.send("dana@example.net", None).await;
    assert_eq!(stage.receive_within(1).await, None, "it has no set");
    let mut off = destination(
        false,
        &json!(["SEND"]),
        "arn:aws:sns:us-east-1:000000000000:set",
    );
    off["EventDestinationName"] = json!("feedback");
    stage
        .call("UpdateConfigurationSetEventDestination", off)
        .await
        .unwrap();
    stage.send("dana@example.net", Some("set")).await;
    assert_eq!(stage.receive_within(1).await, None, "it is off");
}

#[tokio::test(start_paused = true)]
async fn a_destination_that_says_nothing_is_off_and_wrong_ones_are_refused() {
    let stage = Stage::new(&ALL).await;
    let topic = "arn:aws:sns:us-east-1:000000000000:set";
    let create = "CreateConfigurationSetEventDestination";
    let mut silent = destination(true, &json!(["SEND"]), topic);
    silent["EventDestination"]
        .as_object_mut()
        .unwrap()
        .remove("Enabled");
    stage.call(create, silent.clone()).await.unwrap();
    let asked = json!({ "ConfigurationSetName": "set" });
    let shown = stage
        .call("GetConfigurationSetEventDestinations", asked)
        .await
        .unwrap();
    let shown = shown["EventDestinations"].as_array().unwrap();
    assert_eq!(shown.len(), 2);
    assert_eq!(shown[1]["Enabled"], false);
    assert_eq!(shown[1]["SnsDestination"]["TopicArn"], topic);
    let bad = (400, "BadRequestException".to_owned());
    for (request, refused) in [
        (silent, (400, "AlreadyExistsException".to_owned())),
        (destination(true, &json!([]), topic), bad.clone()),
        (destination(true, &json!(["SENT"]), topic), bad.clone()),
        (destination(true, &json!(["SEND"]), "nowhere"), bad.clone()),
        (
            destination(
                true,
                &json!(["SEND"]),
                "arn:aws:sns:us-east-1:000000000000:a.fifo",
            ),
            bad,
        ),
    ] {
        assert_eq!(stage.call(create, request).await, Err(refused));
    }
    let unknown = json!({ "ConfigurationSetName": "set", "EventDestinationName": "none" });
    let gone = stage
        .call("DeleteConfigurationSetEventDestination", unknown)
        .await;
    assert_eq!(gone, Err((404, "NotFoundException".to_owned())));
}

#[tokio::test(start_paused = true)]
async fn an_identitys_default_set_counts_where_a_mail_names_none() {
    let stage = Stage::new(&[Send]).await;
    let set = json!({ "EmailIdentity": "example.com", "ConfigurationSetName": "set" });
    stage
        .call("PutEmailIdentityConfigurationSetAttributes", set)
        .await
        .unwrap();
    let identity = json!({ "EmailIdentity": "example.com" });
    let shown = stage.call("GetEmailIdentity", identity).await.unwrap();
    assert_eq!(shown["ConfigurationSetName"], "set");
    stage.send("dana@example.net", None).await;
    assert_eq!(stage.kinds(1).await, ["Send"]);
    let gone = json!({ "ConfigurationSetName": "set" });
    stage.call("DeleteConfigurationSet", gone).await.unwrap();
    let refused = stage.call("SendEmail", good()).await;
    assert_eq!(refused, Err((400, "BadRequestException".to_owned())));
}

#[tokio::test(start_paused = true)]
async fn events_come_late_doubled_or_never_where_a_rule_says_so() {
    let stage = Stage::new(&[Send, Delivery]).await;
    let rule = |types: &[EventType], fault| EventRule {
        types: types.to_vec(),
        fault,
        share: 1.0,
    };
    let delay = |min_ms, max_ms| EventFault::Delay { min_ms, max_ms };
    stage.0.ses.set_event_rules(vec![
        rule(&[Send], delay(2000, 2000)),
        rule(&[Send], EventFault::Double { after_ms: 500 }),
    ]);
    let began = Instant::now();
    stage.send("dana@example.net", Some("set")).await;
    assert_eq!(stage.event().await["eventType"], "Delivery");
    assert!(began.elapsed() < Duration::from_millis(100));
    assert_eq!(stage.event().await["eventType"], "Send");
    assert!(began.elapsed() >= Duration::from_secs(2), "overtaken");
    assert_eq!(stage.kinds(1).await, ["Send"]);
    stage
        .0
        .ses
        .set_event_rules(vec![rule(&[Send], EventFault::Loss)]);
    let id = stage.send("dana@example.net", Some("set")).await;
    assert_eq!(stage.kinds(1).await, ["Delivery"]);
    let told = &stage.0.ses.told()[&id];
    assert_eq!(
        (&*told.published, &*told.lost),
        (&[Delivery][..], &[Send][..])
    );
    assert_eq!(told.words(), "delivered; lost: Send");
}

#[tokio::test(start_paused = true)]
async fn a_share_of_events_is_lost_and_each_loss_is_known() {
    let stage = Stage::new(&[Send]).await;
    stage.0.ses.set_event_rules(vec![EventRule {
        types: Vec::new(),
        fault: EventFault::Loss,
        share: 0.1,
    }]);
    for _ in 0..1000 {
        stage.send("dana@example.net", Some("set")).await;
    }
    sleep(Duration::from_millis(1)).await;
    let told = stage.0.ses.told();
    let lost = told
        .values()
        .filter(|told| told.published.is_empty())
        .count();
    assert!((60..140).contains(&lost), "{lost}");
    assert_eq!(stage.0.sqs.snapshot("feedback").len(), 1000 - lost);
}

#[tokio::test(start_paused = true)]
async fn the_event_bus_brings_events_in_its_own_envelope() {
    let stage = Stage::new(&[EventType::Reject]).await;
    let queue = "arn:aws:sqs:us-east-1:000000000000:feedback";
    stage.0.ses.connect_bus(queue);
    let bus = json!({
        "ConfigurationSetName": "set",
        "EventDestinationName": "bus",
        "EventDestination": {
            "Enabled": true,
            "MatchingEventTypes": ["SEND"],
            "EventBridgeDestination": {
                "EventBusArn": "arn:aws:events:us-east-1:000000000000:event-bus/default",
            },
        },
    });
    stage
        .call("CreateConfigurationSetEventDestination", bus)
        .await
        .unwrap();
    stage.send("dana@example.net", Some("set")).await;
    let bridged = stage.receive().await;
    assert_eq!(bridged["source"], "aws.ses");
    assert_eq!(bridged["detail-type"], "Email Sent");
    assert_eq!(bridged["detail"]["eventType"], "Send");
}

#[tokio::test(start_paused = true)]
async fn rules_are_set_over_http_as_they_are_shown() {
    let stage = Stage::new(&[Send]).await;
    let rules = json!({
        "events": [{ "types": ["SEND"], "fault": { "delay": { "min_ms": 1, "max_ms": 2 } }, "share": 0.5 }],
        "fates": [{ "recipient_contains": "gone", "fate": "complained" }],
        "bus": [],
    });
    let ses = &stage.0.ses;
    ses.set_rules_json(rules.to_string().as_bytes()).unwrap();
    assert_eq!(ses.event_rules_json(), rules);
    assert!(ses.set_rules_json(b"{\"event\": []}").is_err());
    stage.0.reset();
    assert_eq!(ses.event_rules_json()["events"], json!([]));
    assert_eq!(ses.told(), BTreeMap::new());
    advance(Duration::from_secs(1)).await;
}
