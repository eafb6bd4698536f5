//! Three daemons remember what was sent in one table. SES's events come 0.3 to 2 s late.

use std::time::Duration;

use sandbox::faults::{Fault, Rule, Window};
use tokio::time::Instant;

use super::super::records::ALL;
use super::super::verdict::{Bound, Bounds};
use super::super::world::{QUEUE, SIBLING, VISIBILITY, World};
use super::{ends, release};

const SEND: &str = "ses:SendEmail";
const DAEMONS: usize = 3;
/// A claim of a daemon that died lasts 3 s, twice the timeout of a send, the patience and 5 s.
const PATIENCE: Duration = Duration::from_mins(4);
/// A table that fails is put aside after ten seconds, and the first mails after that take a moment.
const PAUSE_MAX: Duration = Duration::from_secs(13);

/// SIGKILL every 5 s, and half of the mails have gone a while before SES answers.
pub(super) async fn sigkill(world: &mut World) -> anyhow::Result<Bounds> {
    world.connect_feedback(ALL).await?;
    world.share_table()?;
    late_answers(world);
    let bounds = ends::sigkill(world).await?;
    Ok(Bounds {
        twice: Bound::NONE,
        patience: PATIENCE,
        ..bounds
    })
}

/// The same where no events are read: what died with its sender goes again.
pub(super) async fn unheard(world: &mut World) -> anyhow::Result<Bounds> {
    world.share_table()?;
    late_answers(world);
    let bounds = ends::sigkill(world).await?;
    Ok(Bounds {
        patience: PATIENCE,
        ..bounds
    })
}

/// Everything at once.
pub(super) async fn everything(world: &mut World) -> anyhow::Result<Bounds> {
    world.connect_feedback(ALL).await?;
    world.share_table()?;
    world.fault("dynamodb:*", 0.02, Fault::error("InternalServerError", 500));
    world.fault("dynamodb:PutItem", 0.01, Fault::ResetAfter);
    let bounds = ends::everything(world).await?;
    Ok(Bounds {
        twice: Bound::NONE,
        patience: PATIENCE,
        ..bounds
    })
}

/// A tenth of the deliveries is doubled, at once and later, for whichever daemon receives it.
pub(super) async fn doubled(world: &mut World) -> anyhow::Result<Bounds> {
    world.connect_feedback(ALL).await?;
    world.share_table()?;
    for (after_ms, new_id) in [(0, false), (0, true), (200, true), (1000, false)] {
        let copy = Fault::Duplicate { after_ms, new_id };
        world.fault("sqs:Deliver", 0.025, copy);
    }
    slow_sends(world);
    world.start(DAEMONS).await?;
    world.publish(world.plan.messages, release(world)).await?;
    let empty = world.settle(PATIENCE).await;
    let doubled = world.struck(&["duplicate"]);
    let mut bounds = Bounds::default();
    bounds.check(doubled > 0, format!("doubled {doubled} > 0"));
    bounds.check(empty, "empty while the faults last");
    Ok(bounds)
}

/// Everything is mailed, all daemons are restarted, and every message comes once more under a new id.
pub(super) async fn redriven(world: &mut World) -> anyhow::Result<Bounds> {
    world.connect_feedback(ALL).await?;
    world.share_table()?;
    world.publish(world.plan.messages, Duration::ZERO).await?;
    let bodies = world.bodies(QUEUE);
    world.start(DAEMONS).await?;
    world.settle(PATIENCE).await;
    world.stop_all().await?;
    world.start(DAEMONS).await?;
    for body in &bodies {
        world.deliver(QUEUE, body.clone());
    }
    let empty = world.settle(PATIENCE).await;
    let duplicates = world.lines("\"notifier.outcome\":\"duplicate\"");
    let duplicates: usize = duplicates.iter().sum();
    let mut bounds = Bounds::default();
    bounds.check(empty, "empty after the redrive");
    bounds.check(
        duplicates >= bodies.len(),
        format!("{duplicates} of {} known as sent", bodies.len()),
    );
    Ok(bounds)
}

/// Two queues with a daemon each, one topic, one feedback queue, one table. A twentieth of the sends is
/// cut off after SES took them.
pub(super) async fn siblings(world: &mut World) -> anyhow::Result<Bounds> {
    world.connect_feedback(ALL).await?;
    world.share_table()?;
    world.fault(SEND, 0.05, Fault::ResetAfter);
    world.start(1).await?;
    let url = world.launch.environment.get("SQS_URL").cloned();
    let url = url.unwrap_or_default();
    let theirs = url.replace(QUEUE, SIBLING);
    world
        .launch
        .environment
        .insert("SQS_URL".to_owned(), theirs);
    world.start(1).await?;
    let half = world.plan.messages / 2;
    world.publish(half, release(world)).await?;
    for body in world.sibling_bodies(half) {
        world.deliver(SIBLING, body);
    }
    let empty = world.settle(PATIENCE).await && world.settled(SIBLING, PATIENCE).await;
    let resets = world.struck(&["reset_after"]);
    let mut bounds = Bounds::default();
    bounds.check(empty, "both queues ran empty");
    bounds.check(resets > 0, format!("{resets} sends were cut off"));
    let told: usize = world.lines("events of mails of the queue").iter().sum();
    bounds.check(told == 0, format!("{told} lines on a sibling's events"));
    Ok(bounds)
}

/// The table is down for ten visibility timeouts in the middle.
pub(super) async fn down(world: &mut World) -> anyhow::Result<Bounds> {
    world.connect_feedback(ALL).await?;
    world.share_table()?;
    let outage = VISIBILITY * if world.plan.short { 3 } else { 10 };
    world.start(DAEMONS).await?;
    let messages = world.plan.messages;
    world.publish(messages / 4, Duration::from_secs(5)).await?;
    world.sandbox().faults.add(Rule {
        window: Some(Window {
            from_ms: 0,
            until_ms: u64::try_from(outage.as_millis())?,
        }),
        ..Rule::new("dynamodb:*", Fault::error("InternalServerError", 500))
    });
    let during = Instant::now();
    world.publish(messages / 2, outage).await?;
    world.pass(outage.saturating_sub(during.elapsed())).await;
    world.publish(messages / 4, Duration::from_secs(10)).await?;
    let empty = world.settle(PATIENCE).await;
    let pause = world.longest_pause();
    let mut bounds = Bounds::default();
    bounds.check(during.elapsed() >= outage, "published throughout");
    bounds.check(empty, "empty after the outage");
    bounds.check(
        pause <= PAUSE_MAX,
        format!(
            "no mail for {:.1} s at most ≤ {} s",
            pause.as_secs_f64(),
            PAUSE_MAX.as_secs()
        ),
    );
    let told: usize = world.lines("mails are sent without it").iter().sum();
    bounds.check(told >= DAEMONS, format!("{told} lines on the table"));
    Ok(bounds)
}

/// A daemon that is killed has sent what it does not know of.
fn late_answers(world: &World) {
    world.fault(SEND, 0.5, Fault::AnswerLate { after_ms: 700 });
}

fn slow_sends(world: &World) {
    let usual = Fault::Latency {
        min_ms: 50,
        max_ms: 300,
    };
    world.fault(SEND, 1.0, usual);
}
