//! Answers, silence and signals, on paused time.

use std::future::{pending, ready};

use tokio::{sync::mpsc, time::Instant};

use super::*;
use crate::{
    shutdown::{INTERRUPT, Signal},
    testing::scripted::{Answer as Scripted, ScriptedQueue, handle},
};

async fn answered(line: &str) -> Answer {
    let queue = ScriptedQueue::new(&[], Scripted::Done);
    let (_signals, receiver) = mpsc::unbounded_channel();
    let mut stop = Stop::new(receiver);
    let answer = ready(line.to_owned());
    wait_for_answer(answer, |_| true, &mut Held::new(&*queue), &mut stop).await
}

#[tokio::test(start_paused = true)]
async fn only_a_yes_is_a_yes() {
    for yes in ["y\n", "Y\n", "yes\r\n", " YES "] {
        assert_eq!(answered(yes).await, Answer::Yes, "{yes:?}");
    }
    for no in ["", "\n", "n\n", "no\n", "yeah\n", "ja\n", "1\n"] {
        assert_eq!(answered(no).await, Answer::No, "{no:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn leases_are_kept_as_long_as_the_question_is_open_and_no_longer() {
    let queue = ScriptedQueue::new(&[], Scripted::Done);
    let mut held = Held::new(&*queue);
    for id in ["meant", "other"] {
        held.take(id, handle(id), Held::mark());
    }
    let (_signals, receiver) = mpsc::unbounded_channel();
    let mut stop = Stop::new(receiver);
    let began = Instant::now();
    let is_meant = |id: &str| id == "meant";
    let answer = wait_for_answer(pending(), is_meant, &mut held, &mut stop).await;
    assert_eq!(answer, Answer::None);
    assert_eq!(began.elapsed(), OPEN_MAX);
    let asked = queue.asked();
    assert!(asked.len() >= 5, "{asked:?}");
    for call in asked {
        assert_eq!(call.entries.len(), 1);
        assert_eq!(call.entries[0].0, "meant");
    }
    assert!(held.receipt("meant", Duration::from_mins(6)).is_some());
    assert!(held.receipt("other", Duration::ZERO).is_none());
}

#[tokio::test(start_paused = true)]
async fn a_signal_is_no_answer() {
    let queue = ScriptedQueue::new(&[], Scripted::Done);
    let (signals, receiver) = mpsc::unbounded_channel();
    let mut stop = Stop::new(receiver);
    signals.send(Signal::Stop(INTERRUPT)).unwrap();
    // Ctrl-C behind a typed yes takes it back.
    let answer = ready("y".to_owned());
    let mut held = Held::new(&*queue);
    let answer = wait_for_answer(answer, |_| true, &mut held, &mut stop).await;
    assert_eq!(answer, Answer::Stopped);
}
