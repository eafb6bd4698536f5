//! Sends that fail one by one.

use std::time::Duration;

use sandbox::faults::Fault;

use super::super::verdict::{Bound, Bounds};
use super::super::world::{SEND_TIMEOUT, VISIBILITY, World};
use super::release;

const SEND: &str = "ses:SendEmail";

pub(super) async fn throttled(world: &mut World) -> anyhow::Result<Bounds> {
    world.fault(SEND, 0.10, Fault::error("TooManyRequestsException", 429));
    world.fault(
        SEND,
        0.05,
        Fault::error("InternalServiceErrorException", 500),
    );
    flow(world).await?;
    Ok(Bounds::default())
}

pub(super) async fn reset_before(world: &mut World) -> anyhow::Result<Bounds> {
    unanswered(world, Fault::ResetBefore).await
}

pub(super) async fn reset_after(world: &mut World) -> anyhow::Result<Bounds> {
    let bounds = unanswered(world, Fault::ResetAfter).await?;
    Ok(Bounds {
        twice: Bound::Most(bounds.unknown.unwrap_or(0), "resets"),
        // Two attempts at each of two receives, and nobody can know that the first one went out.
        most_mails: 4,
        ..bounds
    })
}

pub(super) async fn hanging(world: &mut World) -> anyhow::Result<Bounds> {
    unanswered(world, Fault::Hang).await
}

/// Every twentieth send gets no answer until all is done.
async fn unanswered(world: &mut World, fault: Fault) -> anyhow::Result<Bounds> {
    world.fault(SEND, 0.05, fault);
    flow(world).await?;
    let mut bounds = Bounds::default();
    let empty = world.settle(bounds.patience).await;
    bounds.check(empty, "empty while the faults last");
    bounds.unknown = Some(world.struck(&["reset_before", "reset_after", "hang"]));
    // At each of two receives both attempts may be struck: of 2,000 messages 0.0125 as a rule.
    bounds.dead = Bound::AndUnknown(0, "struck four times");
    Ok(bounds)
}

/// SES takes every mail and answers when nobody listens any more.
pub(super) async fn late(world: &mut World) -> anyhow::Result<Bounds> {
    let messages = world.plan.messages;
    world.start(1).await?;
    world.publish(messages / 2, release(world) / 2).await?;
    let late = SEND_TIMEOUT + SEND_TIMEOUT / 5;
    let after_ms = u64::try_from(late.as_millis())?;
    world.fault(SEND, 1.0, Fault::AnswerLate { after_ms });
    world
        .publish(messages - messages / 2, release(world) / 2)
        .await?;
    world.pass(6 * VISIBILITY).await;
    let late = world.struck(&["answer_late"]);
    world.sandbox().faults.clear();
    Ok(Bounds {
        twice: Bound::Most(late, "late answers"),
        ..Bounds::default()
    })
}

/// Events while sends take a usual time.
async fn flow(world: &mut World) -> anyhow::Result<()> {
    world.start(1).await?;
    world.publish(world.plan.messages, release(world)).await?;
    world.pass(Duration::from_secs(1)).await;
    Ok(())
}
