//! A queue that fails, doubles, and holds what cannot be mailed.

use std::time::Duration;

use sandbox::faults::{Fault, Rule};
use serde_json::json;

use super::super::verdict::Bounds;
use super::super::world::{CONCURRENCY, World};
use super::{outage, release};

const SEND: &str = "ses:SendEmail";
const DELETE: &str = "sqs:DeleteMessageBatch";
const RENEW: &str = "sqs:ChangeMessageVisibilityBatch";

/// Below this a percentile tells more of the machine than of the daemon.
const NOISE_MILLIS: u64 = 50;

/// Sends take longer than half the visibility timeout, so that each message's lease is renewed.
pub(super) async fn flaky_settling(world: &mut World) -> anyhow::Result<Bounds> {
    world.set("email.timeout", "4s");
    world.set("concurrency", "200");
    world.start(1).await?;
    let refused = || Fault::error("InternalError", 500);
    let entry = || Fault::EntryError {
        code: "InternalError".to_owned(),
        message: "Injected.".to_owned(),
    };
    let slow = Fault::Latency {
        min_ms: 2600,
        max_ms: 3400,
    };
    world.fault(SEND, 1.0, slow);
    world.fault(DELETE, 0.05, refused());
    world.fault(DELETE, 0.05, entry());
    world.fault(RENEW, 0.05, refused());
    world.fault(RENEW, 0.05, entry());
    world.fault(RENEW, 0.05, Fault::Hang);
    world.publish(world.plan.messages, release(world)).await?;
    let mut bounds = Bounds::default();
    let empty = world.settle(bounds.patience).await;
    bounds.check(empty, "empty while the faults last");
    let renewals = world.calls(RENEW);
    bounds.check(renewals > 10, format!("renewals {renewals} > 10"));
    Ok(bounds)
}

/// The leases of what is held run out, and nobody can receive it meanwhile.
pub(super) async fn queue_down(world: &mut World) -> anyhow::Result<Bounds> {
    let usual = Fault::Latency {
        min_ms: 100,
        max_ms: 400,
    };
    world.fault(SEND, 1.0, usual);
    world.start(1).await?;
    world
        .publish(world.plan.messages / 2, release(world))
        .await?;
    world.fault("sqs:*", 1.0, Fault::error("ServiceUnavailable", 503));
    world
        .publish(world.plan.messages / 2, release(world))
        .await?;
    world.pass(outage(world)).await;
    world.sandbox().faults.clear();
    Ok(Bounds::default())
}

pub(super) async fn no_deletes(world: &mut World) -> anyhow::Result<Bounds> {
    world.start(1).await?;
    world.fault(DELETE, 1.0, Fault::error("InternalError", 500));
    let before = world.handed_out();
    world.publish(world.plan.messages, release(world)).await?;
    world.pass(outage(world)).await;
    let received = world.handed_out() - before;
    world.sandbox().faults.clear();
    let mut bounds = Bounds::default();
    bounds.check(
        received <= CONCURRENCY,
        format!("received meanwhile {received} ≤ {CONCURRENCY}"),
    );
    Ok(bounds)
}

/// The copies under new SQS ids are the same notification, which the ledger knows.
pub(super) async fn doubled(world: &mut World) -> anyhow::Result<Bounds> {
    for (after_ms, new_id) in [(0, false), (0, true), (2000, false), (2000, true)] {
        let share = 0.025;
        world.fault("sqs:Deliver", share, Fault::Duplicate { after_ms, new_id });
    }
    world.start(1).await?;
    world.publish(world.plan.messages, release(world)).await?;
    world.pass(Duration::from_secs(3)).await;
    let doubled = world.struck(&["duplicate"]);
    let mut bounds = Bounds::default();
    bounds.check(doubled > 0, format!("doubled {doubled} > 0"));
    Ok(bounds)
}

/// The same load twice, first without poison.
pub(super) async fn poison(world: &mut World) -> anyhow::Result<Bounds> {
    let refused = Fault::Error {
        code: "MessageRejected".to_owned(),
        status: 400,
        message: "Refused for its content.".to_owned(),
    };
    let rule = Rule::new(SEND, refused);
    let body_contains = Some("Infected".to_owned());
    world.sandbox().faults.add(Rule {
        body_contains,
        ..rule
    });
    let usual = Fault::Latency {
        min_ms: 20,
        max_ms: 80,
    };
    world.fault(SEND, 1.0, usual);
    world.start(1).await?;
    world.publish(20, Duration::from_secs(2)).await?;
    let half = world.plan.messages / 2;
    let span = Duration::from_secs(if world.plan.short { 3 } else { 12 });
    let clean_from = world.published.len();
    world.publish(half, span).await?;
    world.pass(Duration::from_secs(1)).await;
    let poisoned_from = world.published.len();
    for number in 0..half / 20 {
        one_poison(world, number).await?;
        world.publish(19, span / u32::try_from(half / 20)?).await?;
    }
    let mut bounds = Bounds::default();
    let empty = world.settle(bounds.patience).await;
    bounds.check(empty, "poison left the queue");
    let clean = percentile_99(world, clean_from, poisoned_from);
    let poisoned = percentile_99(world, poisoned_from, world.published.len());
    bounds.check(
        poisoned <= 2 * clean.max(NOISE_MILLIS),
        format!("p99 with poison {poisoned} ms ≤ twice {clean} ms"),
    );
    Ok(bounds)
}

async fn one_poison(world: &mut World, number: usize) -> anyhow::Result<()> {
    let fields = match number % 5 {
        0 => json!({ "uid": {} }),
        1 => json!({ "mailto": "<>" }),
        2 => json!({ "mailto": "events@example.org" }),
        3 => json!({ "summary": "Infected" }),
        _ => {
            world.publish_malformed();
            return Ok(());
        }
    };
    let uid = world.publish_poison(fields).await?;
    anyhow::ensure!(!uid.is_empty(), "no uid");
    Ok(())
}

/// How long mails took from the topic to SES, of the events with these numbers.
fn percentile_99(world: &World, from: usize, until: usize) -> u64 {
    let mailed = world.mailed();
    let mut took: Vec<u64> = (world.published.iter().skip(from).take(until - from))
        .filter(|(_, event)| !event.poison)
        .filter_map(|(uid, event)| Some(mailed.get(uid)?.first()?.saturating_sub(event.at_millis)))
        .collect();
    took.sort_unstable();
    let index = took.len() * 99 / 100;
    took.get(index).or(took.last()).copied().unwrap_or(u64::MAX)
}

/// The retry budget is 4 s in place of 15 min, and 16 s on the last receive.
pub(super) async fn stubborn(world: &mut World) -> anyhow::Result<Bounds> {
    world.set("retry.max_elapsed", "4s");
    one_bad(
        world,
        Fault::error("InternalServiceErrorException", 500),
        45,
    )
    .await
}

pub(super) async fn refused(world: &mut World) -> anyhow::Result<Bounds> {
    one_bad(world, Fault::error("UnheardOfException", 400), 10).await
}

/// One event that SES always answers so, and some others that come one every two seconds.
async fn one_bad(world: &mut World, fault: Fault, others: usize) -> anyhow::Result<Bounds> {
    world.start(1).await?;
    world.publish(20, Duration::from_secs(1)).await?;
    world.pass(Duration::from_secs(3)).await;
    let bad = format!("event-{:06}", world.published.len());
    let rule = Rule::new(SEND, fault);
    let body_contains = Some(bad.clone());
    world.sandbox().faults.add(Rule {
        body_contains,
        ..rule
    });
    let uid = world.publish_poison(json!({})).await?;
    anyhow::ensure!(uid == bad, "the event has another uid");
    let first_other = world.published.len();
    for _ in 0..others {
        world.pass(Duration::from_secs(2)).await;
        world.publish_event(json!({})).await?;
    }
    let mut bounds = Bounds::default();
    let empty = world.settle(bounds.patience).await;
    bounds.check(empty, "the bad one left the queue");
    let slowest = percentile_99(world, first_other, world.published.len());
    bounds.check(
        slowest < 5000,
        format!("the rest took {slowest} ms at most < 5000 ms"),
    );
    Ok(bounds)
}
