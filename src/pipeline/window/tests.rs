//! How many may be held and sent.

mod beside;
mod sequences;

use std::time::Duration;

use proptest::prelude::*;
use tokio::{task::JoinSet, time};

use super::*;
use crate::testing::polled::Polled;

impl Window {
    /// How many more messages may be held now.
    fn free(&self) -> usize {
        self.state.lock().free(Instant::now())
    }
}

fn wait(window: &Arc<Window>, max: usize) -> Polled<Vec<Place>> {
    let window = Arc::clone(window);
    let mut acquired = Polled::new(async move { window.hold(max).await });
    assert!(acquired.poll().is_none(), "it waits");
    acquired
}

/// A window at its full size.
fn proven(concurrency: usize) -> Arc<Window> {
    let window = Window::new(concurrency);
    while window.limit() < concurrency {
        window.grow();
    }
    settle_one(&window);
    window
}

/// One message comes and is deleted.
fn settle_one(window: &Arc<Window>) {
    let mut held = window.try_hold(1);
    held[0].set_settling(true);
}

#[tokio::test]
async fn one_message_is_held_until_the_first_success_and_then_the_limit_doubles() {
    let window = Window::new(20);
    let first = window.hold(10).await;
    assert_eq!((first.len(), window.held(), window.free()), (1, 1, 0));
    for limit in [2, 4, 8, 16] {
        window.grow();
        assert_eq!((window.limit(), window.free()), (limit, limit - 1));
    }
    window.grow();
    assert_eq!((window.limit(), window.free()), (20, 19));
    // At full size, and once deletes are known to work, a fifth more is held ready.
    settle_one(&window);
    assert_eq!((window.limit(), window.free()), (20, 23));
    window.grow();
    assert_eq!((window.limit(), window.free()), (20, 23));
    assert_eq!(window.hold(10).await.len(), 10);
}

#[tokio::test]
async fn no_more_than_are_free_or_wanted_are_taken() {
    let window = proven(12);
    let ten = window.hold(10).await;
    let four = window.hold(10).await;
    assert_eq!((ten.len(), four.len()), (10, 4));
    assert!(window.try_hold(1).is_empty());
    drop(four);
    assert_eq!(window.try_hold(0).len(), 1);
}

#[tokio::test]
async fn what_is_being_deleted_makes_room_for_as_many_again_and_no_more() {
    for (concurrency, aside) in [(12, 2), (400, 40)] {
        let window = proven(concurrency);
        let mut held = window.try_hold(1000);
        assert_eq!(
            (held.len(), window.free()),
            (concurrency + concurrency / 5, 0)
        );
        let mut waiting = wait(&window, 1);
        held[0].set_settling(true);
        // Said twice, it counts once.
        held[0].set_settling(true);
        held.extend(waiting.poll().expect("room for one"));
        assert_eq!(window.free(), 0);
        for place in &mut held {
            place.set_settling(true);
        }
        assert_eq!(window.free(), aside - 1);
        window.shrink();
        assert_eq!(
            window.free(),
            0,
            "while the window grows all that is held counts"
        );
        drop(held);
        assert_eq!((window.held(), window.free()), (0, 1));
    }
}

#[tokio::test]
async fn what_fails_to_settle_counts_again() {
    let window = proven(5);
    let mut held = window.try_hold(6);
    held[0].set_settling(true);
    assert_eq!(window.free(), 1);
    held[0].set_settling(false);
    assert_eq!(window.free(), 0);
    held.truncate(5);
    assert_eq!(window.free(), 0, "nothing is held ready while deletes fail");
    held[0].set_settling(true);
    drop(held.remove(0));
    assert_eq!((window.held(), window.free()), (4, 2));
}

#[tokio::test]
async fn a_limit_that_leaps_to_what_is_held_is_not_proven_by_that() {
    let window = proven(32);
    let held = window.try_hold(32);
    window.shrink();
    for _ in 0..4 {
        window.grow();
        assert_eq!((window.limit(), window.free()), (32, 0));
    }
    window.grow();
    assert_eq!((window.limit(), window.free()), (32, 6));
    drop(held);
    let single = Window::new(1);
    let mut held = single.try_hold(1);
    held[0].set_settling(true);
    assert_eq!(single.free(), 0, "no success yet");
    single.grow();
    assert_eq!(single.free(), 0, "no delete yet");
    drop(held);
    assert_eq!(single.try_hold(9).len(), 1, "nothing is ahead of one");
}

#[tokio::test]
async fn a_receive_waits_for_window_that_are_worth_its_call() {
    let window = proven(32);
    let mut held = window.try_hold(1000);
    let copy = Arc::clone(&window);
    let mut worthwhile = Polled::new(async move { copy.room_worth_a_receive(10).await });
    for left in (32..38).rev() {
        assert!(worthwhile.poll().is_none(), "{left}");
        held.truncate(left);
    }
    assert!(worthwhile.poll().is_some(), "six are free");
    drop(held);
    window.shrink();
    window.room_worth_a_receive(10).await;
}

#[tokio::test]
async fn a_freed_place_wakes_who_waits() {
    let window = Window::new(4);
    let held = window.hold(1).await;
    let mut waiting = wait(&window, 4);
    drop(held);
    assert_eq!(waiting.poll().expect("it is free").len(), 1);
}

#[tokio::test]
async fn a_success_wakes_who_waits() {
    let window = Window::new(4);
    let _held = window.hold(1).await;
    let mut waiting = wait(&window, 4);
    window.grow();
    assert_eq!(waiting.poll().expect("one more").len(), 1);
}

#[tokio::test]
async fn after_a_reset_none_is_free_until_all_that_were_held_are_done() {
    let window = proven(8);
    let mut held = window.hold(8).await;
    window.shrink();
    let mut waiting = wait(&window, 8);
    while held.pop().is_some() {
        assert_eq!(window.free(), usize::from(held.is_empty()));
        assert_eq!(window.held(), held.len());
    }
    assert_eq!(waiting.poll().expect("the one").len(), 1);
}

#[tokio::test]
async fn a_wait_that_is_dropped_holds_nothing_and_takes_no_wake_up_with_it() {
    let window = Window::new(4);
    let held = window.hold(1).await;
    let first = wait(&window, 1);
    let mut second = wait(&window, 1);
    drop(held);
    drop(first);
    assert_eq!(second.poll().expect("it is free").len(), 1);
}

#[tokio::test]
async fn a_pool_of_none_is_a_pool_of_one() {
    let window = Window::new(0);
    window.grow();
    assert_eq!(window.limit(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_that_acquire_fail_and_give_up_never_stand_still() {
    let window = Window::new(8);
    let mut tasks = JoinSet::new();
    for number in 0..2000_usize {
        let window = Arc::clone(&window);
        tasks.spawn(async move {
            let batch = tokio::select! {
                batch = window.hold(1 + number % 5) => batch,
                () = tokio::task::yield_now(), if number % 4 == 0 => return,
            };
            assert!((1..=1 + number % 5).contains(&batch.len()));
            tokio::task::yield_now().await;
            match number % 50 {
                0 => window.shrink(),
                _ => window.grow(),
            }
            assert!(number % 71 != 3, "this one's worker panics");
        });
    }
    let all = async { while tasks.join_next().await.is_some() {} };
    time::timeout(Duration::from_mins(1), all)
        .await
        .expect("nobody waits for ever");
    assert_eq!(window.held(), 0);
}

#[derive(Clone, Debug)]
enum Step {
    Acquire(usize),
    Poll(usize),
    Cancel(usize),
    Free(usize),
    Settle(usize),
    Succeed,
    Reset,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => (1_usize..11).prop_map(Step::Acquire),
        4 => (0_usize..8).prop_map(Step::Poll),
        1 => (0_usize..8).prop_map(Step::Cancel),
        3 => (0_usize..40).prop_map(Step::Free),
        2 => (0_usize..40).prop_map(Step::Settle),
        2 => Just(Step::Succeed),
        1 => Just(Step::Reset),
    ];
    prop::collection::vec(step, 0..150)
}

/// How many may be held, and how many of those held count.
fn room_and_counted(window: &Arc<Window>, held: &[Place]) -> (usize, usize) {
    let state = window.state.lock();
    if !(state.is_full_size() && state.deletes_work) {
        return (state.limit, held.len());
    }
    let settling = held.iter().filter(|place| place.settling).count();
    let aside = settling.min(state.concurrency / 5).min(40);
    let room = state.concurrency + state.concurrency / 5;
    (room, held.len() - aside)
}

fn take<T>(list: &mut Vec<T>, index: usize) -> Option<T> {
    (!list.is_empty()).then(|| list.remove(index % list.len()))
}

proptest! {
    #[test]
    fn window_are_granted_within_the_limit_and_whoever_waits_is_served(
        concurrency in 1_usize..40,
        steps in steps(),
    ) {
        let window = Window::new(concurrency);
        let mut waiting: Vec<Polled<Vec<Place>>> = Vec::new();
        let mut held: Vec<Place> = Vec::new();
        for step in steps {
            match step {
                Step::Acquire(max) => {
                    let copy = Arc::clone(&window);
                    waiting.push(Polled::new(async move { copy.hold(max).await }));
                }
                Step::Poll(index) => {
                    if let Some(mut acquire) = take(&mut waiting, index) {
                        match acquire.poll() {
                            None => waiting.push(acquire),
                            Some(batch) => {
                                prop_assert!(!batch.is_empty());
                                held.extend(batch);
                                let (room, counted) = room_and_counted(&window, &held);
                                prop_assert!(counted <= room);
                            }
                        }
                    }
                }
                Step::Cancel(index) => drop(take(&mut waiting, index)),
                Step::Free(index) => drop(take(&mut held, index)),
                Step::Settle(index) => {
                    let count = held.len().max(1);
                    held.get_mut(index % count).into_iter().for_each(|place| place.set_settling(!place.settling));
                }
                Step::Succeed => window.grow(),
                Step::Reset => window.shrink(),
            }
            prop_assert_eq!(window.held(), held.len());
            prop_assert!((1..=concurrency).contains(&window.limit()));
            let (room, counted) = room_and_counted(&window, &held);
            prop_assert_eq!(window.free(), room.saturating_sub(counted));
        }
        held.clear();
        while !waiting.is_empty() {
            let before = waiting.len();
            // Each that is served frees its window at once.
            waiting.retain_mut(|acquire| acquire.poll().is_none());
            prop_assert!(waiting.len() < before, "{} wait for ever", before);
        }
    }
}

#[test]
fn a_probe_gets_a_place_beyond_the_limit_and_one_beyond_the_pool() {
    let window = Window::new(2);
    let held = window.try_hold(1);
    assert!(window.try_hold(1).is_empty(), "the limit while it grows");
    let second = window.try_hold_beyond();
    assert!(second.is_some());
    let third = window.try_hold_beyond();
    assert!(third.is_some());
    assert!(window.try_hold_beyond().is_none());
    drop((held, third));
    assert_eq!(window.held(), 1);
}

#[test]
fn a_success_leaves_room_beside_those_that_stay() {
    let window = Window::new(8);
    let stubborn = window.try_hold(1);
    let others: Vec<_> = (0..2).filter_map(|_| window.try_hold_beyond()).collect();
    window.grow();
    drop(others);
    assert!(window.free() >= 1);
    drop(stubborn);
}
