//! SES's events settle what its answers leave open. They come 0.3 to 2 s late.

use std::time::Duration;

use anyhow::anyhow;
use sandbox::faults::{Fault, Rule};
use sandbox::ses::destination::EventType;
use sandbox::ses::publisher::EventFault;
use serde_json::json;

use super::super::records::{ALL, FEEDBACK, delay, rule};
use super::super::verdict::{Bound, Bounds};
use super::super::world::{SEND_TIMEOUT, World};
use super::release;

const SEND: &str = "ses:SendEmail";
/// What a run may take where answers never come.
const LATE_MAX: Duration = Duration::from_mins(10);
/// How long events may take in a run in which none come.
const DEAF_PATIENCE: Duration = Duration::from_secs(3);

/// 5 % of sends are cut off after SES took them.
pub(super) async fn reset_after(world: &mut World) -> anyhow::Result<Bounds> {
    world.connect_feedback(ALL).await?;
    resets(world).await
}

/// The same, and a tenth of the events is lost.
pub(super) async fn lost(world: &mut World) -> anyhow::Result<Bounds> {
    world.connect_feedback(ALL).await?;
    lose(world, 0.1);
    resets(world).await
}

/// The same, and no other event comes than that a mail was accepted.
pub(super) async fn send_alone(world: &mut World) -> anyhow::Result<Bounds> {
    world.connect_feedback(&[EventType::Send]).await?;
    lose(world, 0.1);
    resets(world).await
}

/// Events come doubled and overtake one another by up to four seconds.
pub(super) async fn disorder(world: &mut World) -> anyhow::Result<Bounds> {
    world.connect_feedback(ALL).await?;
    world.sandbox().ses.set_event_rules(vec![
        delay(0, 4000),
        rule(EventFault::Double { after_ms: 700 }, 0.3),
    ]);
    resets(world).await
}

/// Every answer comes when nobody listens any more: events stand for the answers.
pub(super) async fn late(world: &mut World) -> anyhow::Result<Bounds> {
    world.connect_feedback(ALL).await?;
    let late = SEND_TIMEOUT * 2 + SEND_TIMEOUT / 5;
    let after_ms = u64::try_from(late.as_millis())?;
    world.fault(SEND, 1.0, Fault::AnswerLate { after_ms });
    world.start(1).await?;
    world.publish(world.plan.messages, release(world)).await?;
    let empty = world.settle(LATE_MAX).await;
    let mut bounds = Bounds::default();
    let (late, mailed) = (world.struck(&["answer_late"]), world.mailed().len());
    bounds.check(empty, format!("empty while no answer comes ({late} late)"));
    bounds.check(
        mailed == world.plan.messages,
        format!("{mailed} of {} mailed", world.plan.messages),
    );
    Ok(bounds)
}

/// The feedback queue is down from the start to the end.
pub(super) async fn down(world: &mut World) -> anyhow::Result<Bounds> {
    world.connect_feedback(ALL).await?;
    world.sandbox().faults.add(Rule {
        body_contains: Some(format!("/{FEEDBACK}\"")),
        ..Rule::new("sqs:*", Fault::error("InternalError", 500))
    });
    let mut bounds = as_without(world).await?;
    told_each_minute(world, &mut bounds, "cannot be received from: ");
    Ok(bounds)
}

/// No events arrive at all.
pub(super) async fn deaf(world: &mut World) -> anyhow::Result<Bounds> {
    world.connect_feedback(ALL).await?;
    lose(world, 1.0);
    let patience = humantime::format_duration(DEAF_PATIENCE).to_string();
    world.set("feedback.patience", &patience);
    let mut bounds = as_without(world).await?;
    told_each_minute(world, &mut bounds, "no events arrive");
    Ok(bounds)
}

/// A sibling's events come to our queue.
pub(super) async fn sibling(world: &mut World) -> anyhow::Result<Bounds> {
    world.connect_feedback(ALL).await?;
    let event = json!({
        "eventType": "Send",
        "mail": {
            "messageId": "sibling",
            "tags": {
                "notification-id": ["04664e9e-e407-485e-96f2-043fac5d66d5"],
                "event": ["ba7816bf8f01cfea"],
                "queue": ["sibling"],
            },
        },
        "send": {},
    });
    for _ in 0..100 {
        let request = json!({ "QueueUrl": FEEDBACK, "MessageBody": event.to_string() });
        let sent = world.sandbox().sqs.call("SendMessage", request).await;
        sent.map_err(|refused| anyhow!("{}", refused.message))?;
    }
    let mut bounds = resets(world).await?;
    told_each_minute(world, &mut bounds, "events of mails of the queue sibling");
    Ok(bounds)
}

fn lose(world: &World, share: f64) {
    let ses = &world.sandbox().ses;
    ses.set_event_rules(vec![delay(300, 2000), rule(EventFault::Loss, share)]);
}

/// A twentieth of the sends is cut off after SES took them. Only a mail of which no event came can go
/// out again.
async fn resets(world: &mut World) -> anyhow::Result<Bounds> {
    flow(world).await?;
    let resets = world.struck(&["reset_after"]);
    let told = world.sandbox().ses.told();
    let silent = told.values().filter(|told| told.published.is_empty());
    let silent = silent.count() as u64;
    let mut bounds = Bounds {
        twice: Bound::Most(silent, "mails without any event"),
        most_mails: 4,
        ..Bounds::default()
    };
    bounds.check(resets > 0, format!("{resets} sends were cut off"));
    Ok(bounds)
}

/// The same where nothing is heard: what it costs without feedback.
async fn as_without(world: &mut World) -> anyhow::Result<Bounds> {
    flow(world).await?;
    let resets = world.struck(&["reset_after"]);
    Ok(Bounds {
        twice: Bound::Most(resets, "resets"),
        most_mails: 4,
        ..Bounds::default()
    })
}

async fn flow(world: &mut World) -> anyhow::Result<()> {
    world.fault(SEND, 0.05, Fault::ResetAfter);
    world.start(1).await?;
    world.publish(world.plan.messages, release(world)).await?;
    world.settle(Duration::from_mins(3)).await;
    Ok(())
}

/// The daemon has said so once for each minute that it ran, or begun.
fn told_each_minute(world: &World, bounds: &mut Bounds, text: &str) {
    let lines: usize = world.lines(text).iter().sum();
    let minutes = world.began.elapsed().as_secs() / 60;
    let most = usize::try_from(minutes)
        .unwrap_or(usize::MAX)
        .saturating_add(1);
    bounds.check(
        (1..=most).contains(&lines),
        format!("{lines} lines {text:?} in at most {most} minutes"),
    );
}
