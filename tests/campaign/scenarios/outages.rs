//! SES takes nothing for a while.

use std::time::Duration;

use sandbox::faults::Fault;

use super::super::daemon::Daemon;
use super::super::verdict::Bounds;
use super::super::world::{Receives, World};
use super::{outage, release};

const DAEMONS: usize = 3;
/// What a breaker may receive beside what it holds: one message at a time, until as many have
/// failed as open it.
const PROBES: usize = 3;

pub(super) async fn ses_down(world: &mut World) -> anyhow::Result<Bounds> {
    let down = |world: &World| world.fault("ses:*", 1.0, Fault::error("ServiceUnavailable", 503));
    outlast(world, down, |world| world.sandbox().faults.clear()).await
}

pub(super) async fn paused(world: &mut World) -> anyhow::Result<Bounds> {
    let set = |world: &World, paused| {
        let ses = &world.sandbox().ses;
        ses.update_account(|account| account.paused = paused);
    };
    outlast(world, |world| set(world, true), |world| set(world, false)).await
}

/// An outage under load with a deploy in its middle.
async fn outlast(
    world: &mut World,
    begin: impl Fn(&World),
    end: impl Fn(&World),
) -> anyhow::Result<Bounds> {
    let messages = world.plan.messages;
    // So that each daemon holds something when it begins.
    let usual = Fault::Latency {
        min_ms: 100,
        max_ms: 400,
    };
    world.fault("ses:SendEmail", 1.0, usual);
    world.start(DAEMONS).await?;
    world.publish(messages / 2, release(world) / 2).await?;
    let held = world.in_flight();
    let before = world.in_queue();
    begin(world);
    world
        .publish(messages - messages / 2, release(world))
        .await?;
    let half = outage(world) / 2;
    world.pass(half).await;
    for _ in 0..DAEMONS {
        world.replace()?;
    }
    world.pass(half).await;
    let told = |daemon: &Daemon| daemon.says("sending has stopped");
    let told = world.daemons.iter().filter(|daemon| told(daemon)).count();
    let grown = grown(&before, &world.in_queue());
    end(world);
    let allowed = held + 2 * DAEMONS * PROBES;
    let mut bounds = Bounds::default();
    bounds.check(
        grown <= allowed,
        format!(
            "receive counts grew on {grown} messages ≤ {held} held + {} probes",
            2 * DAEMONS * PROBES
        ),
    );
    // One that held nothing and received nothing has met no outage.
    bounds.check(
        told > 0,
        format!("of {DAEMONS} started during it {told} said so"),
    );
    Ok(bounds)
}

/// On how many messages that are still there the receive count grew.
fn grown(before: &Receives, after: &Receives) -> usize {
    let earlier = |uid| before.get(uid).copied().unwrap_or(0);
    let grown = after.iter().filter(|(uid, count)| **count > earlier(*uid));
    grown.count()
}

pub(super) async fn quota(world: &mut World) -> anyhow::Result<Bounds> {
    let messages = world.plan.messages;
    let limit = f64::from(u32::try_from(messages / 4)?);
    let ses = &world.running.sandbox.ses;
    ses.update_account(|account| account.max_24_hour_send = limit);
    world.start(1).await?;
    world.publish(messages, release(world)).await?;
    world.pass(Duration::from_secs(20)).await;
    let mut bounds = Bounds::default();
    let taken = world.sandbox().outbox.taken();
    bounds.check(
        taken == messages as u64 / 4,
        format!("{taken} mails until the quota"),
    );
    let ses = &world.sandbox().ses;
    ses.update_account(|account| account.max_24_hour_send = -1.0);
    Ok(bounds)
}
