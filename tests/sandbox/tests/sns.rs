//! SNS: its checks, its envelope, and what arrives in the queues.

use std::sync::Arc;
use std::time::Duration;

use sandbox::clock::Clock;
use sandbox::sns::Sns;
use sandbox::sqs::Sqs;
use serde_json::{Value, json};

const TOPIC: &str = "arn:aws:sns:us-east-1:000000000000:events";
const QUEUE: &str = "arn:aws:sqs:us-east-1:000000000000:inbox";

/// A form, and the status, the code and a part of the message that it is refused with.
type Refusal<'a> = (&'a [(&'a str, &'a str)], u16, &'a str, &'a str);

struct World {
    sqs: Arc<Sqs>,
    sns: Sns,
}

impl World {
    async fn new() -> Self {
        let clock = Arc::new(Clock::new());
        let sqs = Arc::new(Sqs::new(clock.clone()));
        sqs.call("CreateQueue", json!({ "QueueName": "inbox" }))
            .await
            .unwrap();
        let world = Self {
            sns: Sns::new(sqs.clone(), clock),
            sqs,
        };
        let created = world
            .call(&[("Action", "CreateTopic"), ("Name", "events")])
            .await;
        assert_eq!(text(&created, "TopicArn"), TOPIC);
        world
    }

    async fn subscribed(attributes: &[(&str, &str)]) -> Self {
        let world = Self::new().await;
        world.subscribe(attributes).await;
        world
    }

    async fn subscribe(&self, attributes: &[(&str, &str)]) -> String {
        let mut form = pairs(&[
            ("Action", "Subscribe"),
            ("TopicArn", TOPIC),
            ("Protocol", "sqs"),
            ("Endpoint", QUEUE),
        ]);
        for (number, (key, value)) in attributes.iter().enumerate() {
            let entry = format!("Attributes.entry.{}", number + 1);
            form.push((format!("{entry}.key"), (*key).to_owned()));
            form.push((format!("{entry}.value"), (*value).to_owned()));
        }
        let answer = self.sns.call_query(&form).await.unwrap();
        text(&answer, "SubscriptionArn").to_owned()
    }

    async fn call(&self, form: &[(&str, &str)]) -> String {
        self.sns.call_query(&pairs(form)).await.unwrap()
    }

    async fn publish(&self, more: &[(&str, &str)]) -> String {
        let mut form = pairs(&[("Action", "Publish"), ("TopicArn", TOPIC)]);
        form.extend(pairs(more));
        let answer = self.sns.call_query(&form).await.unwrap();
        text(&answer, "MessageId").to_owned()
    }

    /// The status, code and message of a refused publication.
    async fn refused(&self, form: &[(&str, &str)]) -> (u16, String, String) {
        let mut whole = pairs(&[("Action", "Publish")]);
        whole.extend(pairs(form));
        let refused = self.sns.call_query(&whole).await.unwrap_err();
        (refused.status, refused.code, refused.message)
    }

    fn bodies(&self) -> Vec<String> {
        let messages = self.sqs.snapshot("inbox");
        messages.into_iter().map(|message| message.body).collect()
    }

    fn only_envelope(&self) -> Value {
        let bodies = self.bodies();
        assert_eq!(bodies.len(), 1);
        serde_json::from_str(&bodies[0]).unwrap()
    }

    async fn receive(&self) -> Value {
        let request = json!({
            "QueueUrl": "http://127.0.0.1/000000000000/inbox",
            "MessageAttributeNames": ["All"],
            "MessageSystemAttributeNames": ["All"],
        });
        let answer = self.sqs.call("ReceiveMessage", request).await.unwrap();
        answer["Messages"][0].clone()
    }
}

#[tokio::test(start_paused = true)]
async fn a_publication_arrives_in_the_real_envelope() {
    let world = World::subscribed(&[]).await;
    let id = world
        .publish(&[
            ("Message", "{\"uid\": \"1\"} <&> ü"),
            ("Subject", "A subject"),
            ("MessageAttributes.entry.1.Name", "tenant"),
            ("MessageAttributes.entry.1.Value.DataType", "String"),
            ("MessageAttributes.entry.1.Value.StringValue", "thirtyone"),
            ("MessageAttributes.entry.2.Name", "blob"),
            ("MessageAttributes.entry.2.Value.DataType", "Binary"),
            ("MessageAttributes.entry.2.Value.BinaryValue", "AAEC"),
        ])
        .await;
    let envelope = world.only_envelope();
    assert_eq!(envelope["Type"], "Notification");
    assert_eq!(envelope["MessageId"], id);
    assert_eq!(envelope["TopicArn"], TOPIC);
    assert_eq!(envelope["Subject"], "A subject");
    assert_eq!(envelope["Message"], "{\"uid\": \"1\"} <&> ü");
    assert_eq!(envelope["SignatureVersion"], "1");
    let time = envelope["Timestamp"].as_str().unwrap();
    assert_eq!((time.len(), &time[10..11], &time[23..]), (24, "T", "Z"));
    assert_eq!(envelope["Signature"].as_str().unwrap().len(), 344);
    assert!(envelope["SigningCertURL"].is_string() && envelope["UnsubscribeURL"].is_string());
    assert_eq!(
        envelope["MessageAttributes"],
        json!({
            "tenant": { "Type": "String", "Value": "thirtyone" },
            "blob": { "Type": "Binary", "Value": "AAEC" },
        })
    );
}

#[tokio::test(start_paused = true)]
async fn an_envelope_has_neither_subject_nor_attributes_that_were_not_given() {
    let world = World::subscribed(&[]).await;
    world.publish(&[("Message", "x")]).await;
    let envelope = world.only_envelope();
    let fields = envelope.as_object().unwrap();
    assert!(!fields.contains_key("Subject") && !fields.contains_key("MessageAttributes"));
}

#[tokio::test(start_paused = true)]
async fn the_timestamp_follows_the_clock() {
    let world = World::subscribed(&[]).await;
    world.publish(&[("Message", "first")]).await;
    tokio::time::advance(Duration::from_hours(1)).await;
    world.publish(&[("Message", "second")]).await;
    let times: Vec<_> = world
        .bodies()
        .iter()
        .map(|body| {
            let envelope: Value = serde_json::from_str(body).unwrap();
            humantime::parse_rfc3339(envelope["Timestamp"].as_str().unwrap()).unwrap()
        })
        .collect();
    assert_eq!(times[1].duration_since(times[0]).unwrap().as_secs(), 3600);
}

#[tokio::test(start_paused = true)]
async fn raw_delivery_gives_the_body_as_it_is_and_attributes_of_the_queues_own() {
    let world = World::subscribed(&[("RawMessageDelivery", "true")]).await;
    world
        .publish(&[
            ("Message", "{\"uid\":1}"),
            ("MessageAttributes.entry.1.Name", "count"),
            ("MessageAttributes.entry.1.Value.DataType", "Number"),
            ("MessageAttributes.entry.1.Value.StringValue", "7"),
            (
                "X-Amzn-Trace-Id",
                "Root=1-5759e988-bd862e3fe1be46a994272793",
            ),
        ])
        .await;
    let message = world.receive().await;
    assert_eq!(message["Body"], "{\"uid\":1}");
    assert_eq!(message["MessageAttributes"]["count"]["StringValue"], "7");
    assert_eq!(message["MessageAttributes"]["count"]["DataType"], "Number");
    assert_eq!(
        message["Attributes"]["AWSTraceHeader"],
        "Root=1-5759e988-bd862e3fe1be46a994272793"
    );
}

#[tokio::test(start_paused = true)]
async fn a_raw_message_with_eleven_attributes_is_lost() {
    let world = World::subscribed(&[("RawMessageDelivery", "true")]).await;
    let mut form = pairs(&[("Action", "Publish"), ("TopicArn", TOPIC), ("Message", "x")]);
    for number in 1..=11 {
        let entry = format!("MessageAttributes.entry.{number}");
        form.push((format!("{entry}.Name"), format!("a{number}")));
        form.push((format!("{entry}.Value.DataType"), "String".to_owned()));
        form.push((format!("{entry}.Value.StringValue"), "x".to_owned()));
    }
    world.sns.call_query(&form).await.unwrap();
    assert!(world.bodies().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_message_structure_picks_the_text_for_queues() {
    let world = World::subscribed(&[("RawMessageDelivery", "true")]).await;
    let both = "{\"default\":\"d\",\"sqs\":\"s\"}";
    world
        .publish(&[("Message", both), ("MessageStructure", "json")])
        .await;
    world
        .publish(&[
            ("Message", "{\"default\":\"d\"}"),
            ("MessageStructure", "json"),
        ])
        .await;
    assert_eq!(world.bodies(), ["s", "d"]);
    for bad in ["{\"sqs\":\"s\"}", "no json"] {
        let form = [
            ("TopicArn", TOPIC),
            ("Message", bad),
            ("MessageStructure", "json"),
        ];
        assert_eq!(world.refused(&form).await.1, "InvalidParameter");
    }
}

#[tokio::test(start_paused = true)]
async fn publications_that_the_real_one_refuses_are_refused() {
    let world = World::subscribed(&[]).await;
    let too_long = "x".repeat(256 * 1024 + 1);
    let long_subject = "x".repeat(101);
    let bad: &[Refusal] = &[
        (
            &[("TopicArn", TOPIC)],
            400,
            "InvalidParameter",
            "Empty message",
        ),
        (
            &[("Message", "x")],
            400,
            "InvalidParameter",
            "TopicArn or TargetArn",
        ),
        (
            &[("TopicArn", "events"), ("Message", "x")],
            400,
            "InvalidParameter",
            "TopicArn",
        ),
        (
            &[("TopicArn", &format!("{TOPIC}2")), ("Message", "x")],
            404,
            "NotFound",
            "Topic does",
        ),
        (
            &[("TopicArn", TOPIC), ("Message", &too_long)],
            400,
            "InvalidParameter",
            "too long",
        ),
        (
            &[
                ("TopicArn", TOPIC),
                ("Message", "x"),
                ("Subject", &long_subject),
            ],
            400,
            "InvalidParameter",
            "Subject",
        ),
        (
            &[
                ("TopicArn", TOPIC),
                ("Message", "x"),
                ("Subject", "two\nlines"),
            ],
            400,
            "InvalidParameter",
            "Subject",
        ),
        (
            &[
                ("TopicArn", TOPIC),
                ("Message", "x"),
                ("MessageAttributes.entry.1.Name", "a"),
                ("MessageAttributes.entry.1.Value.DataType", "Text"),
                ("MessageAttributes.entry.1.Value.StringValue", "x"),
            ],
            400,
            "ParameterValueInvalid",
            "invalid message attribute type",
        ),
    ];
    for (form, status, code, part) in bad {
        let refused = world.refused(form).await;
        assert_eq!((refused.0, refused.1.as_str()), (*status, *code), "{part}");
        assert!(refused.2.contains(part), "{} lacks {part}", refused.2);
    }
    assert!(world.bodies().is_empty());
}

#[tokio::test(start_paused = true)]
async fn subscribing_twice_gives_the_same_subscription_and_one_copy() {
    let world = World::new().await;
    let first = world.subscribe(&[]).await;
    assert_eq!(world.subscribe(&[]).await, first);
    world.publish(&[("Message", "x")]).await;
    assert_eq!(world.bodies().len(), 1);
    world
        .call(&[("Action", "Unsubscribe"), ("SubscriptionArn", &first)])
        .await;
    world.publish(&[("Message", "x")]).await;
    assert_eq!(world.bodies().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_filter_policy_lets_only_its_values_through() {
    let world = World::subscribed(&[
        ("RawMessageDelivery", "true"),
        ("FilterPolicy", "{\"kind\":[\"created\",\"moved\"]}"),
    ])
    .await;
    for kind in ["created", "deleted", "moved"] {
        world
            .publish(&[
                ("Message", kind),
                ("MessageAttributes.entry.1.Name", "kind"),
                ("MessageAttributes.entry.1.Value.DataType", "String"),
                ("MessageAttributes.entry.1.Value.StringValue", kind),
            ])
            .await;
    }
    world.publish(&[("Message", "without")]).await;
    assert_eq!(world.bodies(), ["created", "moved"]);
}

#[tokio::test(start_paused = true)]
async fn a_batch_fails_entry_by_entry() {
    let world = World::subscribed(&[("RawMessageDelivery", "true")]).await;
    let answer = world
        .call(&[
            ("Action", "PublishBatch"),
            ("TopicArn", TOPIC),
            ("PublishBatchRequestEntries.member.1.Id", "a"),
            ("PublishBatchRequestEntries.member.1.Message", "first"),
            ("PublishBatchRequestEntries.member.2.Id", "b"),
            ("PublishBatchRequestEntries.member.2.Message", ""),
        ])
        .await;
    assert_eq!(world.bodies(), ["first"]);
    assert!(answer.contains("<Failed><member><Id>b</Id><Code>InvalidParameter</Code>"));
}

#[tokio::test(start_paused = true)]
async fn a_publication_to_a_queue_that_is_gone_succeeds_and_is_lost() {
    let world = World::subscribed(&[]).await;
    let url = json!({ "QueueUrl": "http://127.0.0.1/000000000000/inbox" });
    world.sqs.call("DeleteQueue", url).await.unwrap();
    world.publish(&[("Message", "x")]).await;
    assert!(world.bodies().is_empty());
}

fn pairs(form: &[(&str, &str)]) -> Vec<(String, String)> {
    form.iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

/// The text of an XML element.
fn text<'a>(xml: &'a str, element: &str) -> &'a str {
    let (_, after) = xml.split_once(&format!("<{element}>")).unwrap();
    after.split_once('<').unwrap().0
}
