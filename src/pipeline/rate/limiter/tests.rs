//! Waiting for the rate, future by future.

use std::{sync::Arc, time::Duration};

use tokio::task::JoinSet;

use super::*;
use crate::testing::polled::Polled;

const SECOND: Duration = Duration::from_secs(1);

fn wait(limiter: &Arc<Limiter>, recipients: usize) -> Polled<()> {
    let limiter = Arc::clone(limiter);
    let mut taken = Polled::new(async move { limiter.take(recipients).await });
    assert!(taken.poll().is_none(), "it waits");
    taken
}

#[tokio::test(start_paused = true)]
async fn those_who_wait_go_in_order_at_the_rate() {
    let limiter = Arc::new(Limiter::new(SendRate::PerSecond(2.0)));
    let begun = Instant::now();
    let mut line = JoinSet::new();
    for number in 0..8_u32 {
        let limiter = Arc::clone(&limiter);
        line.spawn(async move {
            limiter.take(1).await;
            (number, begun.elapsed().as_millis() / 500)
        });
    }
    let mut went = Vec::new();
    while let Some(one) = line.join_next().await {
        went.push(one.unwrap());
    }
    let expected: Vec<_> = (0..8_u32)
        .map(|number| (number, u128::from(number.saturating_sub(1))))
        .collect();
    assert_eq!(went, expected);
    assert_eq!(limiter.waiting_recipients(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_waiter_takes_nothing_and_holds_nobody_up() {
    let limiter = Arc::new(Limiter::new(SendRate::PerSecond(1.0)));
    limiter.take(1).await;
    let (first, middle) = (wait(&limiter, 50), wait(&limiter, 50));
    let mut last = wait(&limiter, 1);
    assert_eq!(limiter.waiting_recipients(), 101);
    time::advance(SECOND / 2).await;
    drop(middle);
    drop(first);
    assert!(last.poll().is_none());
    time::advance(SECOND).await;
    assert!(last.poll().is_some());
    drop(last);
    assert_eq!(limiter.waiting_recipients(), 0);
}

#[tokio::test(start_paused = true)]
async fn who_waits_goes_sooner_when_the_accounts_rate_becomes_known() {
    let limiter = Arc::new(Limiter::new(SendRate::Account));
    limiter.take(50).await;
    let begun = Instant::now();
    let mut waiting = wait(&limiter, 1);
    limiter.account_rate(50.0);
    assert!(waiting.poll().is_none());
    time::advance(SECOND + SECOND / 100).await;
    assert!(waiting.poll().is_some());
    assert!(begun.elapsed() < SECOND * 2);
}

#[tokio::test(start_paused = true)]
async fn throttling_slows_those_who_wait_already() {
    let limiter = Arc::new(Limiter::new(SendRate::PerSecond(1.0)));
    limiter.take(1).await;
    let mut waiting = wait(&limiter, 1);
    assert!(limiter.throttled(Instant::now()));
    time::advance(SECOND + SECOND / 100).await;
    assert!(waiting.poll().is_none());
    time::advance(SECOND).await;
    assert!(waiting.poll().is_some());
}

#[tokio::test(start_paused = true)]
async fn what_waits_and_what_is_coming_is_not_received_again() {
    let limiter = Arc::new(Limiter::new(SendRate::PerSecond(1.0)));
    limiter.take(1).await;
    let _waiting = wait(&limiter, 3);
    assert_eq!(limiter.receivable(2, 2), 5);
    assert_eq!(limiter.receivable(9, 2), 0);
}

#[tokio::test(start_paused = true)]
async fn a_line_of_which_many_leave_never_stands_still() {
    let limiter = Arc::new(Limiter::new(SendRate::PerSecond(5.0)));
    let begun = Instant::now();
    let mut line = JoinSet::new();
    for number in 0..500_u64 {
        let limiter = Arc::clone(&limiter);
        line.spawn(async move {
            let taken = limiter.take(1 + usize::from(number % 10 == 0));
            if number % 3 == 0 {
                let patience = Duration::from_millis(number * 37 % 20_000);
                return time::timeout(patience, taken).await.is_ok();
            }
            taken.await;
            true
        });
    }
    let mut recipients = 0_u32;
    while let Some(went) = line.join_next().await {
        recipients += u32::from(went.unwrap());
    }
    assert!(recipients >= 333);
    // Everyone counted at most twice, at five a second.
    assert!(begun.elapsed() <= SECOND * 2 * recipients / 5);
    assert_eq!(limiter.waiting_recipients(), 0);
}
