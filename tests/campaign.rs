//! A short form of the campaign: few messages, short outages, the real program.

mod daemon;
mod events;
mod scenarios;
mod table;
mod verdict;
mod world;

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use self::scenarios::ALL;
use self::world::Plan;

const SEED: u64 = 7;

async fn passes(name: &str, messages: usize) -> anyhow::Result<()> {
    let scenario = ALL.iter().find(|one| one.name == name);
    let scenario = scenario.context("no such scenario")?;
    assert!(!scenario.alone, "tests share the machine");
    let logs = Path::new(env!("CARGO_TARGET_TMPDIR")).join("campaign");
    let plan = Plan {
        program: PathBuf::from(env!("CARGO_BIN_EXE_organizer-notifier")),
        logs: logs.join(name),
        messages,
        seed: SEED,
        short: true,
    };
    let row = scenario.play(plan).await?;
    assert_eq!(row.messages, messages);
    let (passed, took) = (row.failures.is_empty(), row.took);
    assert!(
        passed,
        "{}\n{}",
        scenario.about,
        table::table(&[row], SEED, took)
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn failing_sends_lose_and_double_nothing() -> anyhow::Result<()> {
    passes("throttled", 150).await
}

#[tokio::test(flavor = "multi_thread")]
async fn failing_deletes_stop_the_receiving_by_themselves() -> anyhow::Result<()> {
    passes("no-deletes", 150).await
}

#[tokio::test(flavor = "multi_thread")]
async fn doubled_deliveries_are_mailed_once() -> anyhow::Result<()> {
    passes("doubled", 200).await
}

#[tokio::test(flavor = "multi_thread")]
async fn daemons_restarted_under_load_lose_and_double_nothing() -> anyhow::Result<()> {
    passes("sigterm", 150).await
}
