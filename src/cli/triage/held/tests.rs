//! Leases over a queue that answers as told, on paused time.

use tokio::{sync::mpsc, time::sleep};

use super::*;
use crate::{
    ports::QueueFailureKind,
    shutdown::{INTERRUPT, Signal},
    testing::scripted::{Answer, ScriptedQueue, handle},
};

const ALL: fn(&str) -> bool = |_| true;
const NONE: fn(&str) -> bool = |_| false;

fn holding<'a>(queue: &'a ScriptedQueue, ids: &[&str]) -> Held<'a> {
    let mut held = Held::new(queue);
    for id in ids {
        held.take(id, handle(id), Held::mark());
    }
    held
}

fn quiet() -> (mpsc::UnboundedSender<Signal>, Stop) {
    let (sender, receiver) = mpsc::unbounded_channel();
    (sender, Stop::new(receiver))
}

/// The handles and visibilities of each call.
fn entries(queue: &ScriptedQueue) -> Vec<Vec<(String, Option<Duration>)>> {
    queue.asked().into_iter().map(|call| call.entries).collect()
}

#[tokio::test(start_paused = true)]
async fn a_lease_ends_ten_minutes_after_the_receive_was_asked_for() {
    let queue = ScriptedQueue::new(&[], Answer::Done);
    let held = holding(&queue, &["a"]);
    let minute = Duration::from_mins(1);
    assert!(held.receipt("a", minute * 9).is_some());
    assert!(held.receipt("a", minute * 11).is_none());
    sleep(minute * 9).await;
    assert!(held.receipt("a", minute / 2).is_some());
    sleep(minute).await;
    assert!(held.receipt("a", Duration::ZERO).is_none());
    assert!(held.receipt("b", Duration::ZERO).is_none());
}

#[tokio::test(start_paused = true)]
async fn only_a_lease_that_ends_soon_and_has_not_ended_is_renewed() {
    let queue = ScriptedQueue::new(&[], Answer::Done);
    let mut held = holding(&queue, &["old"]);
    sleep(Duration::from_mins(6)).await;
    held.take("new", handle("new"), Held::mark());
    held.renew(ALL, Duration::from_mins(5)).await;
    assert_eq!(entries(&queue), [[("old".to_owned(), Some(HIDDEN_MAX))]]);
    assert!(held.receipt("old", Duration::from_mins(9)).is_some());
    sleep(Duration::from_mins(11)).await;
    held.renew(ALL, Duration::from_mins(5)).await;
    assert_eq!(
        queue.asked().len(),
        1,
        "an ended lease is nobody's to renew"
    );
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_the_queue_calls_lost_is_not_acted_on_and_one_that_failed_runs_out() {
    let lost = Answer::Entry(0, EntryFailureKind::LeaseLost);
    let failed = Answer::Call(QueueFailureKind::Transient);
    let queue = ScriptedQueue::new(&[lost, failed], Answer::Done);
    let mut held = holding(&queue, &["a", "b"]);
    held.renew(ALL, Duration::from_mins(11)).await;
    assert!(held.receipt("a", Duration::ZERO).is_none());
    assert!(held.receipt("b", Duration::from_mins(9)).is_some());
    sleep(Duration::from_mins(2)).await;
    held.renew(ALL, Duration::from_mins(11)).await;
    assert!(held.receipt("b", Duration::from_mins(9)).is_none());
    assert!(held.receipt("b", Duration::from_mins(7)).is_some());
}

#[tokio::test(start_paused = true)]
async fn what_is_not_kept_is_put_back_and_what_fails_is_tried_again_after_pauses() {
    let failed = Answer::Entries(EntryFailureKind::Transient);
    let queue = ScriptedQueue::new(&[], failed);
    let mut held = holding(&queue, &["a", "b"]);
    let (_signals, mut stop) = quiet();
    let mut progress = Progress::begin();
    held.put_back(|id| id == "a", &mut stop, &mut progress)
        .await;
    let once = vec![("b".to_owned(), Some(Duration::ZERO))];
    assert_eq!(entries(&queue), vec![once; 4]);
    assert_eq!((held.left_hidden, held.is_cut_short), (1, false));
    assert!(held.receipt("a", Duration::ZERO).is_some());
    assert!(held.receipt("b", Duration::ZERO).is_none());
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_visible_already_needs_no_putting_back() {
    let lost = Answer::Entries(EntryFailureKind::LeaseLost);
    let queue = ScriptedQueue::new(&[], lost);
    let mut held = holding(&queue, &["a"]);
    let (_signals, mut stop) = quiet();
    held.put_back(NONE, &mut stop, &mut Progress::begin()).await;
    assert_eq!((held.left_hidden, queue.asked().len()), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_throttling_of_two_seconds_leaves_nothing_hidden_and_a_missing_right_is_not_waited_for() {
    let throttled = Answer::Call(QueueFailureKind::Throttled);
    let queue = ScriptedQueue::new(&[throttled; 3], Answer::Done);
    let mut held = holding(&queue, &["a"]);
    let (_signals, mut stop) = quiet();
    held.put_back(NONE, &mut stop, &mut Progress::begin()).await;
    let asked = queue.asked();
    assert_eq!((held.left_hidden, asked.len()), (0, 4));
    assert!(asked[3].at - asked[0].at > Duration::from_secs(2));

    let denied = Answer::Call(QueueFailureKind::AccessDenied);
    let queue = ScriptedQueue::new(&[], denied);
    let mut held = holding(&queue, &["a"]);
    held.put_back(NONE, &mut stop, &mut Progress::begin()).await;
    assert_eq!((held.left_hidden, queue.asked().len()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn what_has_come_back_by_itself_is_others_and_not_put_back() {
    let failed = Answer::Entries(EntryFailureKind::Transient);
    let queue = ScriptedQueue::new(&[], failed);
    let mut held = holding(&queue, &["old"]);
    sleep(Duration::from_secs(599)).await;
    held.take("new", handle("new"), Held::mark());
    // The time of the old one ends between the attempts.
    let (_signals, mut stop) = quiet();
    held.put_back(NONE, &mut stop, &mut Progress::begin()).await;
    let asked: Vec<_> = queue
        .asked()
        .iter()
        .map(|call| call.entries.len())
        .collect();
    assert_eq!((asked[0], asked[3]), (2, 1));
    assert_eq!(held.left_hidden, 1);

    let queue = ScriptedQueue::new(&[], Answer::Done);
    let mut held = holding(&queue, &["old"]);
    sleep(HIDDEN_MAX).await;
    held.put_back(NONE, &mut stop, &mut Progress::begin()).await;
    assert_eq!((held.left_hidden, queue.asked().len()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn the_first_signal_waits_for_the_putting_back_and_the_second_does_not() {
    let queue = ScriptedQueue::new(&[Answer::Late(Duration::from_secs(5))], Answer::Hang);
    let (signals, mut stop) = quiet();
    signals.send(Signal::Stop(INTERRUPT)).unwrap();
    let mut held = holding(&queue, &["a"]);
    held.put_back(NONE, &mut stop, &mut Progress::begin()).await;
    assert_eq!((held.left_hidden, held.is_cut_short), (0, false));
    let mut held = holding(&queue, &["a", "b"]);
    signals.send(Signal::Stop("SIGTERM")).unwrap();
    held.put_back(NONE, &mut stop, &mut Progress::begin()).await;
    assert_eq!((held.left_hidden, held.is_cut_short), (2, true));
    assert_eq!(stop.by(), Some((INTERRUPT, 130)));
}
