//! SES's sending rate.

use std::time::Duration;

use serde_json::json;

use super::super::verdict::{Bounds, ratio};
use super::super::world::World;
use super::release;

const SEND: &str = "ses:SendEmail";
/// What the daemons get to find their rates.
const SETTLE_IN: Duration = Duration::from_secs(10);

/// Each daemon is told the whole account's rate and knows nothing of the others.
pub(super) async fn shared(world: &mut World) -> anyhow::Result<Bounds> {
    rate(world, 50.0);
    world.start(3).await?;
    world.publish(world.plan.messages, release(world)).await?;
    world.pass(SETTLE_IN.saturating_sub(release(world))).await;
    let (calls, taken) = (world.calls(SEND), world.sandbox().outbox.taken());
    let mut bounds = Bounds::default();
    let empty = world.settle(bounds.patience).await;
    bounds.check(empty, "empty at this rate");
    let calls = world.calls(SEND) - calls;
    let throttled = calls - (world.sandbox().outbox.taken() - taken);
    let share = 100.0 * ratio(throttled, calls);
    bounds.check(
        share < 5.0,
        format!("throttled after the first 10 s {share:.1} % of {calls} < 5 %"),
    );
    Ok(bounds)
}

/// A mail of fifty recipients takes fifty seconds of this rate.
pub(super) async fn slow(world: &mut World) -> anyhow::Result<Bounds> {
    rate(world, 1.0);
    world.start(1).await?;
    let recipients: Vec<_> = (0..50)
        .map(|number| format!("guest{number}@example.com"))
        .collect();
    for _ in 0..3 {
        world
            .publish_event(json!({ "mailto": recipients.join(",") }))
            .await?;
    }
    Ok(Bounds::default())
}

fn rate(world: &World, rate: f64) {
    let ses = &world.sandbox().ses;
    ses.update_account(|account| account.max_send_rate = rate);
}
