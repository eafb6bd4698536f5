//! Daemons that end under load, and everything at once.

use std::time::Duration;

use sandbox::faults::{Fault, Rule, Window};

use super::super::verdict::{Bound, Bounds};
use super::super::world::{CONCURRENCY, World};

const SEND: &str = "ses:SendEmail";
const DAEMONS: usize = 3;

fn usual(world: &World) {
    let usual = Fault::Latency {
        min_ms: 50,
        max_ms: 300,
    };
    world.fault(SEND, 1.0, usual);
}

pub(super) async fn sigterm(world: &mut World) -> anyhow::Result<Bounds> {
    // So that all that can be held is held at each signal.
    let slow = Fault::Latency {
        min_ms: 800,
        max_ms: 1400,
    };
    world.fault(SEND, 1.0, slow);
    world.start(DAEMONS).await?;
    let turns = if world.plan.short { 3 } else { 15 };
    for turn in 0..turns {
        world
            .publish(
                share(world.plan.messages, turn, turns),
                Duration::from_secs(2),
            )
            .await?;
        world.replace()?;
    }
    Ok(Bounds::default())
}

pub(super) async fn sigkill(world: &mut World) -> anyhow::Result<Bounds> {
    usual(world);
    world.start(DAEMONS).await?;
    let turns = if world.plan.short { 2 } else { 6 };
    let (mut kills, mut held) = (0, 0);
    for turn in 0..turns {
        world
            .publish(
                share(world.plan.messages, turn, turns),
                Duration::from_secs(5),
            )
            .await?;
        held += world.in_flight() as u64;
        world.kill().await?;
        kills += 1;
    }
    let mut bounds = Bounds {
        twice: Bound::Most(kills * CONCURRENCY, "kills × concurrency"),
        dead: Bound::Most(
            kills / 2 * CONCURRENCY,
            "kills / 2 × concurrency, two kills each",
        ),
        ..Bounds::default()
    };
    bounds.check(true, format!("{kills} kills while {held} were held by all"));
    Ok(bounds)
}

/// The shares are lower than in the scenarios of their own, so that the whole ends in time.
pub(super) async fn everything(world: &mut World) -> anyhow::Result<Bounds> {
    let messages = world.plan.messages * 10;
    let span = Duration::from_mins(2);
    usual(world);
    let entry = || Fault::EntryError {
        code: "InternalError".to_owned(),
        message: "Injected.".to_owned(),
    };
    let outage = Rule {
        window: Some(Window {
            from_ms: 40_000,
            until_ms: 60_000,
        }),
        ..Rule::new("ses:*", Fault::error("ServiceUnavailable", 503))
    };
    world.start(DAEMONS).await?;
    world.sandbox().faults.add(outage);
    world.fault(SEND, 0.03, Fault::error("TooManyRequestsException", 429));
    world.fault(
        SEND,
        0.02,
        Fault::error("InternalServiceErrorException", 500),
    );
    world.fault(SEND, 0.01, Fault::ResetBefore);
    world.fault(SEND, 0.01, Fault::ResetAfter);
    world.fault(SEND, 0.01, Fault::Hang);
    world.fault("sqs:*", 0.02, Fault::error("InternalError", 500));
    world.fault("sqs:DeleteMessageBatch", 0.05, entry());
    world.fault("sqs:ChangeMessageVisibilityBatch", 0.05, entry());
    world.fault("codecommit:*", 0.5, Fault::error("ServiceUnavailable", 503));
    for (after_ms, new_id) in [(0, false), (1000, true)] {
        world.fault("sqs:Deliver", 0.01, Fault::Duplicate { after_ms, new_id });
    }
    let turns = 24;
    let mut kills = 0;
    for turn in 0..turns {
        world
            .publish(share(messages, turn, turns), span / u32::try_from(turns)?)
            .await?;
        world.publish_malformed();
        if turn % 6 == 5 {
            world.kill().await?;
            kills += 1;
        } else {
            world.replace()?;
        }
    }
    let empty = world.settle(Duration::from_mins(4)).await;
    let resets = world.struck(&["reset_after"]);
    let doubled = world.struck(&["duplicate"]);
    let mut bounds = Bounds {
        twice: Bound::Most(
            resets + doubled + kills * CONCURRENCY,
            "resets after + doubled + kills × concurrency",
        ),
        // A kill is the end of a message that was deferred before, too.
        dead: Bound::AndUnknown(
            kills * CONCURRENCY,
            "kills × concurrency + two sends without an answer",
        ),
        most_mails: 3,
        ..Bounds::default()
    };
    bounds.check(empty, "empty while the faults last");
    Ok(bounds)
}

/// One turn's part of the whole; all turns together have all of it.
fn share(whole: usize, turn: usize, turns: usize) -> usize {
    whole * (turn + 1) / turns - whole * turn / turns
}
