//! The events of a scenario: each with a uid of its own, so that its mail tells of it.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::world::{QUEUE, TOPIC, World, arn};

/// An event that was published.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Published {
    pub(crate) at_millis: u64,
    /// Whether no mail can be made of it.
    pub(crate) poison: bool,
}

impl World {
    /// Publishes this many good events, evenly over this time.
    pub(crate) async fn publish(&mut self, count: usize, over: Duration) -> anyhow::Result<()> {
        let began = Instant::now();
        let mut tick = interval(Duration::from_millis(20));
        tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut done = 0;
        while done < count {
            tick.tick().await;
            let part = began.elapsed().as_secs_f64() / over.as_secs_f64().max(0.001);
            while done < count && fraction(done, count) <= part {
                self.publish_event(json!({})).await?;
                done += 1;
            }
            if self.measured.elapsed() >= Duration::from_secs(1) {
                self.measure();
            }
        }
        Ok(())
    }

    /// Publishes a good event, with these fields in place of the usual ones, and gives its uid.
    pub(crate) async fn publish_event(&mut self, fields: Value) -> anyhow::Result<String> {
        self.publish_as(fields, false).await
    }

    /// Publishes an event of which no mail can be made.
    pub(crate) async fn publish_poison(&mut self, fields: Value) -> anyhow::Result<String> {
        self.publish_as(fields, true).await
    }

    /// What stands in a queue.
    pub(crate) fn bodies(&self, queue: &str) -> Vec<String> {
        let messages = self.sandbox().sqs.snapshot(queue).into_iter();
        messages.map(|message| message.body).collect()
    }

    /// Puts a body in a queue, as a new message.
    pub(crate) fn deliver(&self, queue: &str, body: String) {
        let arn = arn("sqs", queue);
        self.sandbox().sqs.deliver(&arn, body, Vec::new(), None);
    }

    /// Puts the same notification in the queue twice, under two SQS message ids.
    pub(crate) fn publish_copies(&mut self) {
        for body in self.sibling_bodies(1) {
            self.deliver(QUEUE, body.clone());
            self.deliver(QUEUE, body);
        }
    }

    /// Puts an event in the queue without SNS's envelope.
    pub(crate) fn publish_raw(&mut self) {
        let uid = self.next_uid(false);
        let event = json!({ "uid": uid, "mailto": "dana@example.com", "summary": "Raw" });
        self.deliver(QUEUE, event.to_string());
    }

    /// Puts a message of SNS's own in the queue, which is of no event.
    pub(crate) fn publish_control(&self) {
        let control = json!({
            "Type": "SubscriptionConfirmation",
            "MessageId": format!("control-{}", self.published.len()),
            "TopicArn": arn("sns", TOPIC),
            "Message": "You have chosen to subscribe to the topic.",
            "SubscribeURL": "https://sns.example.com/",
        });
        self.deliver(QUEUE, control.to_string());
    }

    /// Envelopes of events that came by another way than our topic.
    pub(crate) fn sibling_bodies(&mut self, count: usize) -> Vec<String> {
        let mut body = || {
            let uid = self.next_uid(false);
            let event = json!({
                "uid": uid,
                "mailto": "dana@example.com",
                "summary": format!("Planning of {uid}"),
            });
            let envelope = json!({
                "Type": "Notification",
                "MessageId": format!("siblings-{uid}"),
                "TopicArn": arn("sns", TOPIC),
                "Message": event.to_string(),
            });
            envelope.to_string()
        };
        (0..count).map(|_| body()).collect()
    }

    /// Puts a body in the queue that is no notification at all.
    pub(crate) fn publish_malformed(&mut self) -> String {
        let uid = self.next_uid(true);
        let arn = arn("sqs", QUEUE);
        let body = format!("{{\"Type\": \"Notification\", \"uid\": \"{uid}\"");
        self.sandbox().sqs.deliver(&arn, body, Vec::new(), None);
        uid
    }

    async fn publish_as(&mut self, fields: Value, poison: bool) -> anyhow::Result<String> {
        let uid = self.next_uid(poison);
        let mut event = json!({
            "uid": uid,
            "mailto": "dana@example.com",
            "organizer": "dana[at]example.com",
            "summary": format!("Planning of {uid}"),
            "events": 1,
            "paid": {},
            "summary_html": null,
            // Of no use to anybody, so that every body names its event.
            "original_uid": uid,
        });
        if let Value::Object(fields) = fields {
            for (name, value) in fields {
                event[name] = value;
            }
        }
        let form = [
            ("Action", "Publish"),
            ("TopicArn", &arn("sns", TOPIC)),
            ("Message", &event.to_string()),
        ];
        self.sns(&form).await?;
        Ok(uid)
    }

    fn next_uid(&mut self, poison: bool) -> String {
        let uid = format!("event-{:06}", self.published.len());
        let at_millis = self.sandbox().clock.now_millis();
        let published = Published { at_millis, poison };
        self.published.insert(uid.clone(), published);
        if !poison {
            let history = &self.sandbox().history;
            history.mark("good", json!({ "word": uid }));
        }
        uid
    }
}

/// The first uid in a text.
pub(crate) fn uid_in(text: &str) -> Option<String> {
    let start = text.find("event-0").or_else(|| text.find("event-1"))?;
    text.get(start..start + "event-000000".len())
        .map(str::to_owned)
}

#[expect(clippy::cast_precision_loss, reason = "counts of messages are small")]
fn fraction(part: usize, whole: usize) -> f64 {
    part as f64 / whole as f64
}
