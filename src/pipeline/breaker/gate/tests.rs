//! Who waits at a gate, and who is woken.

use std::time::Duration;

use super::*;
use crate::{
    ports::{AccountCause, SendFailureKind},
    testing::{
        breaker::{failure, settings},
        polled::Polled,
    },
};

const SECOND: Duration = Duration::from_secs(1);

fn mail() -> Arc<MailGate> {
    MailGate::new(MailBreaker::new(settings(false), Instant::now()))
}

async fn failing() -> Arc<MailGate> {
    let gate = mail();
    for key in ["x", "y", "z"] {
        let pass = gate.pass(key).await;
        report(pass, Err(SendFailureKind::Transient));
    }
    assert!(gate.is_open());
    gate
}

fn report(pass: Pass, result: Result<(), SendFailureKind>) -> Option<Transition<MailCause>> {
    let result = result.map_err(|kind| failure(kind, "Code"));
    let result = result.as_ref().copied();
    pass.report(Instant::now(), result).transition
}

fn wait(gate: &Arc<MailGate>, key: &'static str) -> Polled<Pass> {
    let gate = Arc::clone(gate);
    let mut pass = Polled::new(async move { gate.pass(key).await });
    assert!(pass.poll().is_none(), "it waits");
    pass
}

#[tokio::test(start_paused = true)]
async fn a_closed_gate_lets_everybody_pass() {
    let gate = mail();
    assert_eq!(gate.receiving().await, Receiving::All);
    let passes = [gate.pass("a").await, gate.pass("b").await];
    assert!(
        passes
            .iter()
            .all(|pass| pass.is_current() && !pass.is_probe())
    );
    assert_eq!(gate.status(), None);
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_succeeds_lets_all_who_wait_pass() {
    let gate = failing().await;
    let (mut first, mut second) = (wait(&gate, "a"), wait(&gate, "b"));
    tokio::time::advance(SECOND).await;
    let probe = first.poll().expect("the probe");
    assert!(probe.is_probe() && second.poll().is_none());
    assert_eq!(
        report(probe, Ok(())),
        Some(Transition::Closed {
            cause: MailCause::Failing,
            open_for: SECOND
        })
    );
    assert!(!second.poll().expect("it goes").is_probe());
}

#[tokio::test(start_paused = true)]
async fn a_dropped_probe_wakes_the_next() {
    let gate = failing().await;
    let probe = gate.pass("a").await;
    assert!(probe.is_probe());
    let mut second = wait(&gate, "b");
    drop(probe);
    assert!(second.poll().expect("its turn").is_probe());
}

#[tokio::test(start_paused = true)]
async fn a_waiter_that_gives_up_wakes_the_next() {
    let gate = failing().await;
    let first = wait(&gate, "a");
    let mut second = wait(&gate, "b");
    tokio::time::advance(SECOND).await;
    assert!(second.poll().is_none(), "it is the turn of a");
    drop(first);
    assert!(second.poll().expect("its turn").is_probe());
}

#[tokio::test(start_paused = true)]
async fn the_poller_is_asked_for_one_message_when_a_probe_is_due_and_none_waits() {
    let gate = failing().await;
    let begun = Instant::now();
    assert_eq!(gate.receiving().await, Receiving::OneProbe);
    assert_eq!(begun.elapsed(), SECOND);
    let probe = gate.pass("a").await;
    let poller = Arc::clone(&gate);
    let mut receiving = Polled::new(async move { poller.receiving().await });
    assert!(receiving.poll().is_none());
    report(probe, Ok(()));
    assert_eq!(receiving.poll(), Some(Receiving::All));
}

#[tokio::test(start_paused = true)]
async fn a_paused_account_is_asked_and_where_it_cannot_be_it_is_left_to_the_probe() {
    let gate = mail();
    let paused = SendFailureKind::AccountWide(AccountCause::Paused);
    report(gate.pass("a").await, Err(paused));
    let mut waiting = wait(&gate, "a");
    let begun = Instant::now();
    gate.account_check().await;
    gate.account_checked(AccountWord::Refuses);
    gate.account_check().await;
    assert_eq!(begun.elapsed(), 3 * SECOND);
    assert!(waiting.poll().is_none());
    gate.account_checked(AccountWord::Sends);
    assert!(waiting.poll().expect("the probe").is_probe());
}

#[tokio::test(start_paused = true)]
async fn a_pass_from_before_the_opening_is_no_longer_current() {
    let gate = mail();
    let early = Arc::new(gate.pass("early").await);
    let copy = Arc::clone(&early);
    let mut outdated = Polled::new(async move { copy.outdated().await });
    assert!(outdated.poll().is_none() && early.is_current());
    let quota = SendFailureKind::AccountWide(AccountCause::DailyQuota);
    assert!(report(gate.pass("a").await, Err(quota)).is_some());
    assert!(outdated.poll().is_some() && !early.is_current());
}

#[tokio::test(start_paused = true)]
async fn many_workers_with_random_fates_all_pass_in_the_end() {
    let gate = failing().await;
    let mut workers = tokio::task::JoinSet::new();
    for number in 0..300_u32 {
        let gate = Arc::clone(&gate);
        workers.spawn(async move {
            let key = number.to_string();
            if number % 7 == 0 {
                let patience = Duration::from_secs(u64::from(number));
                drop(tokio::time::timeout(patience, gate.pass(&key)).await);
                return;
            }
            for attempt in 0_u32.. {
                let pass = gate.pass(&key).await;
                tokio::time::sleep(SECOND / 5).await;
                let result = match (number + attempt) % 11 {
                    0..=2 => Err(SendFailureKind::Transient),
                    3 => Err(SendFailureKind::AccountWide(AccountCause::AccessDenied)),
                    4 => continue,
                    _ => Ok(()),
                };
                report(pass, result);
                if result.is_ok() {
                    return;
                }
            }
        });
    }
    let all = async { while workers.join_next().await.is_some() {} };
    tokio::time::timeout(Duration::from_hours(10), all)
        .await
        .expect("nobody waits for ever");
}
