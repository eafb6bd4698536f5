//! A template that cannot be had, or is not one.

use std::time::Duration;

use sandbox::faults::Fault;

use super::super::verdict::Bounds;
use super::super::world::{BRANCH, REPOSITORY, TEMPLATE, World};
use super::{outage, release};

fn codecommit_down(world: &World) {
    world.fault("codecommit:*", 1.0, Fault::error("ServiceUnavailable", 503));
}

pub(super) async fn down_from_the_start(world: &mut World) -> anyhow::Result<Bounds> {
    codecommit_down(world);
    // It calls itself started only once it has a template.
    world.spawn()?;
    world.publish(world.plan.messages, release(world)).await?;
    world.pass(Duration::from_secs(20)).await;
    let received = world.handed_out();
    let misses = misses_template(world);
    world.sandbox().faults.clear();
    let mut bounds = Bounds::default();
    bounds.check(misses, "it says that it has no template");
    bounds.check(
        received == 0,
        format!("received without a template {received} = 0"),
    );
    Ok(bounds)
}

/// The template's age limit is 10 s, so that it is fetched several times in vain.
pub(super) async fn down_later(world: &mut World) -> anyhow::Result<Bounds> {
    world.start(1).await?;
    world.publish(20, Duration::from_secs(1)).await?;
    codecommit_down(world);
    let length = outage(world) / 2;
    world.publish(world.plan.messages, length).await?;
    let mut bounds = Bounds::default();
    let empty = world.settle(Duration::from_secs(10)).await;
    bounds.check(empty, "mails went out with the last good template");
    let fetches = world.struck(&["error"]);
    bounds.check(fetches > 0, format!("fetches in vain {fetches} > 0"));
    world.sandbox().faults.clear();
    Ok(bounds)
}

/// Whether every daemon has tried to start, and found no template.
fn misses_template(world: &World) -> bool {
    let mut daemons = world.daemons.iter();
    daemons.all(|daemon| daemon.says("\"no template: "))
}

pub(super) async fn missing(world: &mut World) -> anyhow::Result<Bounds> {
    let codecommit = &world.sandbox().codecommit;
    let deleted = codecommit.delete(REPOSITORY, BRANCH, TEMPLATE);
    anyhow::ensure!(deleted.is_ok(), "the template was not deleted");
    world.spawn()?;
    world.publish(world.plan.messages, release(world)).await?;
    world.pass(Duration::from_secs(10)).await;
    let received = world.handed_out();
    let misses = misses_template(world);
    world.mend_template()?;
    let mut bounds = Bounds::default();
    bounds.check(misses, "it says that it has no template");
    bounds.check(
        received == 0,
        format!("received without a template {received} = 0"),
    );
    Ok(bounds)
}

pub(super) async fn bad(world: &mut World) -> anyhow::Result<Bounds> {
    world.set("message.placeholders.place.field", "/place");
    world.start(1).await?;
    let part = world.plan.messages / 5;
    world.publish(part, release(world)).await?;
    let mut bounds = Bounds::default();
    let still_good: [(&str, &[u8]); 2] = [("garbage", &[0xff, 0x00, 0xfe]), ("blank", b" \r\n\t")];
    for (kind, content) in still_good {
        world.template(content)?;
        reload(world).await?;
        world.publish(part, release(world)).await?;
        let empty = world.settle(Duration::from_secs(10)).await;
        bounds.check(empty, format!("mails went out despite {kind}"));
    }
    world.template(b"<p>{uid} takes place at {place}.</p>")?;
    reload(world).await?;
    let before = world.handed_out();
    world.publish(part, release(world)).await?;
    world.pass(Duration::from_secs(15)).await;
    let received = world.handed_out() - before;
    let most = super::super::world::CONCURRENCY + 10;
    bounds.check(
        received <= most,
        format!("received for the bad template {received} ≤ {most}"),
    );
    world.mend_template()?;
    reload(world).await?;
    world
        .publish(world.plan.messages - 4 * part, release(world))
        .await?;
    Ok(bounds)
}

async fn reload(world: &mut World) -> anyhow::Result<()> {
    for daemon in &world.daemons {
        daemon.signal("HUP")?;
    }
    world.pass(Duration::from_secs(1)).await;
    Ok(())
}
