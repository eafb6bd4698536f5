//! What waits for a word from outside, beside the window and in it.

use std::{sync::Arc, time::Duration};

use tokio::time::{self, Instant};

use super::proven;
use crate::pipeline::window::{Beside, Place, Window};

/// A message that is held and waits for a word from outside.
struct Suspect<'a> {
    beside: Option<Beside<'a>>,
    _place: Place,
}

/// As many as there is room for at once, each of which waits for a word.
fn suspects(window: &Arc<Window>) -> Vec<Suspect<'_>> {
    let mut held = Vec::new();
    while let Some(place) = window.try_hold(1).pop() {
        held.push(suspect(window, place));
        assert!(held.len() < 200, "each one makes room for the next");
    }
    held
}

fn suspect(window: &Arc<Window>, place: Place) -> Suspect<'_> {
    Suspect {
        beside: Some(window.hold_beside()),
        _place: place,
    }
}

/// After how many seconds whoever waits for room has it, and takes one place.
async fn another(window: &Arc<Window>) -> (u64, Place) {
    let began = Instant::now();
    window.room_for_one().await;
    // As the poller does: more room may come with a short wait.
    let worth_it = window.room_worth_a_receive(10);
    drop(time::timeout(Duration::from_millis(20), worth_it).await);
    let place = window.hold(10).await.pop().expect("it waits for one");
    (began.elapsed().as_secs(), place)
}

#[tokio::test(start_paused = true)]
async fn suspects_make_room_for_one_more_ever_more_rarely() {
    for concurrency in [1, 2, 4, 10, 64] {
        let window = proven(concurrency);
        let mut held = suspects(&window);
        let (at_once, pauses) = match concurrency {
            // One more than it has room for, since as many open a breaker.
            1 => (3, [4, 8, 16, 32, 60, 60]),
            _ => (2 * concurrency + concurrency / 5, [2, 4, 8, 16, 32, 60]),
        };
        assert_eq!(held.len(), at_once, "{concurrency}");
        assert_eq!(window.held_in_good_faith(), 0);
        for pause in pauses {
            let (after, place) = another(&window).await;
            assert_eq!(after, pause, "{concurrency}");
            held.push(suspect(&window, place));
        }
        // Two had their word.
        held.truncate(at_once + 4);
        for pause in &pauses[4..] {
            let (after, place) = another(&window).await;
            assert_eq!(after, *pause, "{concurrency}");
            held.push(suspect(&window, place));
        }
        drop(held);
        assert_eq!(
            window.try_hold(1000).len(),
            concurrency + concurrency / 5,
            "as many as before"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn while_the_window_grows_too_few_places_count_as_well() {
    let window = Window::new(64);
    let mut held = suspects(&window);
    assert_eq!(held.len(), 65);
    for pause in [2, 4, 8, 16] {
        let (after, place) = another(&window).await;
        assert_eq!(after, pause);
        held.push(suspect(&window, place));
    }
}

#[tokio::test(start_paused = true)]
async fn what_does_not_join_the_suspects_makes_none_wait() {
    let window = proven(10);
    let held = suspects(&window);
    let (after, place) = another(&window).await;
    assert_eq!(after, 2);
    // Nothing was received, what was received is malformed, or it was accepted.
    drop(place);
    let (after, place) = another(&window).await;
    assert_eq!(after, 0);
    // The record of a mail is waited for.
    let record = window.hold_briefly_beside();
    drop((record, place));
    for _ in 0..5 {
        window.grow();
        let (after, place) = another(&window).await;
        assert_eq!(after, 0);
        drop(place);
    }
    let (after, place) = another(&window).await;
    let joined = suspect(&window, place);
    assert_eq!((after, another(&window).await.0), (0, 4));
    drop((held, joined));
}

#[tokio::test(start_paused = true)]
async fn who_tries_in_between_and_waits_on_keeps_out_nobody() {
    let window = proven(4);
    let mut held = suspects(&window);
    let (_, place) = another(&window).await;
    held.push(suspect(&window, place));
    let began = Instant::now();
    // Each of them asks once a second.
    for second in 0..4 {
        assert!(window.try_hold(1).is_empty(), "{second}");
        for one in &mut held {
            drop(one.beside.take());
            one.beside = Some(window.hold_beside());
        }
        time::advance(Duration::from_secs(1)).await;
    }
    assert_eq!(began.elapsed().as_secs(), 4);
    assert_eq!(window.try_hold(10).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn no_room_is_made_beside_one_that_may_still_be_accepted() {
    let window = proven(2);
    let held = suspects(&window);
    let (_, on_its_way) = another(&window).await;
    let room = window.room_for_one();
    assert!(
        time::timeout(Duration::from_hours(1), room).await.is_err(),
        "only that one can be waited for"
    );
    drop(on_its_way);
    assert_eq!(another(&window).await.0, 0);
    drop(held);
}

#[test]
fn suspects_up_to_the_full_size_take_no_place_of_the_window() {
    let window = Window::new(4);
    for _ in 0..8 {
        window.grow();
    }
    let suspected = window.try_hold(4);
    let suspects: Vec<_> = suspected.iter().map(|_| window.hold_beside()).collect();
    assert_eq!(window.try_hold(10).len(), 4);
    drop(suspects);
}

#[test]
fn those_that_stand_beside_the_window_for_moments_are_as_many_as_it_holds() {
    let window = Window::new(2);
    for _ in 0..8 {
        window.grow();
    }
    let mut held = Vec::new();
    let mut beside = Vec::new();
    while let Some(place) = window.try_hold(1).pop() {
        held.push(place);
        beside.push(window.hold_briefly_beside());
        assert!(held.len() <= 4, "{}", held.len());
    }
    assert_eq!(held.len(), 4);
    beside.pop();
    held.pop();
    assert_eq!(window.try_hold(10).len(), 1);
}
