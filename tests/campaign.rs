//! A short form of the campaign: few messages, short outages, the real program.

mod checker;
mod daemon;
mod events;
mod records;
mod scenarios;
mod schedules;
mod table;
mod verdict;
mod world;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::Semaphore;

use self::scenarios::ALL;
use self::schedules::{draw, play};
use self::world::{Plan, RECEIVES};

const SEED: u64 = 7;
/// Scenarios played at once: each has several daemons, whose leases are short, and more of them would
/// lose theirs to one another.
static TURNS: Semaphore = Semaphore::const_new(3);

async fn passes(name: &str, messages: usize) -> anyhow::Result<()> {
    let scenario = ALL.iter().find(|one| one.name == name);
    let scenario = scenario.context("no such scenario")?;
    assert!(!scenario.alone, "tests share the machine");
    let logs = Path::new(env!("CARGO_TARGET_TMPDIR")).join("campaign");
    let plan = Plan {
        programs: vec![PathBuf::from(env!("CARGO_BIN_EXE_organizer-notifier"))],
        logs: logs.join(name),
        messages,
        seed: SEED,
        short: true,
        // Judged by the campaign itself alone: a starved machine breaks leases, and the checker tells of each.
        history: false,
        receives: RECEIVES,
    };
    let turn = TURNS.acquire().await?;
    let row = scenario.play(plan).await?;
    drop(turn);
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
async fn sends_without_an_answer_are_settled_by_events() -> anyhow::Result<()> {
    passes("events-reset", 150).await?;
    passes("events-mixed", 150).await
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_never_come_are_stood_for_by_events() -> anyhow::Result<()> {
    passes("events-late", 60).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feedback_queue_that_is_down_changes_nothing() -> anyhow::Result<()> {
    passes("events-down", 100).await
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

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_configuration_set_dead_letters_no_good_message() -> anyhow::Result<()> {
    passes("no-set-start", 150).await?;
    passes("no-set-later", 150).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_told_as_a_rejection_dead_letters_no_good_message() -> anyhow::Result<()> {
    passes("rejected-start", 150).await?;
    passes("rejected-later", 150).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_nobody_knows_dead_letters_no_good_message() -> anyhow::Result<()> {
    passes("unheard-start", 150).await?;
    passes("unheard-later", 150).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_may_not_mail_the_simulator_dead_letters_three_a_restart_at_most()
-> anyhow::Result<()> {
    passes("denied-start", 150).await?;
    passes("denied-later", 150).await
}

#[tokio::test(flavor = "multi_thread")]
async fn daemons_without_witnesses_dead_letter_three_a_restart_at_most() -> anyhow::Result<()> {
    passes("mute-start", 150).await?;
    passes("mute-later", 150).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_may_not_ask_the_account_dead_letters_no_good_message() -> anyhow::Result<()> {
    passes("unasked-start", 150).await?;
    passes("unasked-later", 150).await
}

#[tokio::test(flavor = "multi_thread")]
async fn many_bad_messages_keep_no_good_one() -> anyhow::Result<()> {
    passes("bad", 120).await
}

#[tokio::test(flavor = "multi_thread")]
async fn many_bad_messages_keep_no_good_one_where_the_account_may_not_be_asked()
-> anyhow::Result<()> {
    passes("bad-unasked", 120).await
}

/// Plays the schedule of a seed.
async fn holds(seed: u64) -> anyhow::Result<()> {
    let schedule = draw(seed);
    let logs = Path::new(env!("CARGO_TARGET_TMPDIR")).join("schedules");
    let programs = vec![PathBuf::from(env!("CARGO_BIN_EXE_organizer-notifier"))];
    let plan = Plan::of_schedule(
        seed,
        schedule.receives,
        programs,
        logs.join(seed.to_string()),
    );
    let played = play(&schedule, plan).await?;
    let failures = played.failures.join("\n");
    assert!(
        failures.is_empty(),
        "{schedule}{}\n{failures}",
        played.words
    );
    Ok(())
}

/// Two that end soon. No scenario is played meanwhile: the checker tells of each lease that a starved daemon lost.
#[tokio::test(flavor = "multi_thread")]
async fn random_schedules_break_no_promise() -> anyhow::Result<()> {
    let _all = TURNS.acquire_many(3).await?;
    let (one, other) = tokio::join!(holds(55), holds(60));
    one.and(other)
}

#[test]
fn a_seed_gives_one_schedule_and_another_seed_another() {
    for seed in 0..200 {
        assert_eq!(draw(seed), draw(seed));
        assert_eq!(draw(seed).to_string(), draw(seed).to_string());
        assert_ne!(draw(seed).to_string(), draw(seed + 1).to_string());
    }
}

#[test]
fn every_act_of_a_schedule_takes_place_before_its_faults_end() {
    for seed in 0..200 {
        let schedule = draw(seed);
        let end = schedule.faults_end;
        let late = schedule.acts.iter().find(|(at, _)| *at > end);
        assert_eq!(late, None, "seed {seed}");
        assert!(
            end <= Duration::from_secs(20),
            "seed {seed} ends at {end:?}"
        );
    }
}
