//! Acts over queues that answer as told, on paused time.

use std::{collections::VecDeque, sync::Mutex};

use async_trait::async_trait;
use tokio::{sync::mpsc, time::Instant};

use super::*;
use crate::{
    ports::{EntryFailure, QueueFailureKind, ReceivedMessage},
    shutdown::{INTERRUPT, Signal},
    testing::scripted::{Answer, ScriptedQueue, handle},
};

/// A queue that is sent to: it gives these answers in turn, and takes everything after them.
#[derive(Default)]
struct Sent {
    answers: Mutex<VecDeque<Result<Vec<Resent>, ResendFailureKind>>>,
    /// The bodies of each call.
    calls: Mutex<Vec<Vec<String>>>,
    /// Sent to the program at the first call.
    signal: Option<mpsc::UnboundedSender<Signal>>,
    /// How long each call takes.
    takes: Duration,
}

impl Sent {
    fn answering(
        answers: impl IntoIterator<Item = Result<Vec<Resent>, ResendFailureKind>>,
    ) -> Self {
        Self {
            answers: Mutex::new(answers.into_iter().collect()),
            ..Self::default()
        }
    }

    fn calls(&self) -> Vec<Vec<String>> {
        self.calls.lock().unwrap().clone()
    }
}

#[async_trait]
impl Resend for Sent {
    async fn resend(&self, letters: &[&DeadLetter]) -> Result<Vec<Resent>, ResendFailure> {
        let bodies = letters.iter().map(|letter| letter.message.body.clone());
        self.calls.lock().unwrap().push(bodies.collect());
        if let Some(signal) = &self.signal {
            signal.send(Signal::Stop(INTERRUPT)).unwrap();
        }
        sleep(self.takes).await;
        let answer = self.answers.lock().unwrap().pop_front();
        answer
            .unwrap_or_else(|| Ok(vec![Resent::Yes; letters.len()]))
            .map_err(|kind| {
                let error = CallError {
                    operation: "SendMessageBatch",
                    code: "Scripted".to_owned(),
                    message: "as told".to_owned(),
                    request_id: None,
                    obstacle: None,
                    source: None,
                };
                ResendFailure::new(kind, error)
            })
    }
}

fn letter(id: &str, body: &str) -> DeadLetter {
    DeadLetter {
        message: ReceivedMessage {
            id: id.to_owned(),
            receipt: handle(id),
            body: body.to_owned(),
            receive_count: 1,
            sent_at: None,
            trace_carriers: BTreeMap::new(),
        },
        attributes: Vec::new(),
        came_from: None,
    }
}

fn ids(count: usize) -> Vec<String> {
    (10..10 + count).map(|id| id.to_string()).collect()
}

/// Acts on so many messages, with the bodies that are their ids.
async fn acted(way: Way<'_>, queue: &ScriptedQueue, count: usize) -> Vec<Done> {
    let (_signals, receiver) = mpsc::unbounded_channel();
    acted_until(way, queue, &ids(count), receiver).await
}

async fn acted_until(
    way: Way<'_>,
    queue: &ScriptedQueue,
    ids: &[String],
    signals: mpsc::UnboundedReceiver<Signal>,
) -> Vec<Done> {
    let mut held = Held::new(queue);
    let mut letters = BTreeMap::new();
    for id in ids {
        held.take(id, handle(id), Held::mark());
        letters.insert(id.clone(), letter(id, id));
    }
    let mut stop = Stop::new(signals);
    let mut progress = Progress::begin();
    let mut lines = Vec::new();
    let tell = async |some: &[(String, Done)], _: &mut Stop| {
        lines.extend_from_slice(some);
        true
    };
    let acted = act(
        way,
        ids,
        &letters,
        &mut held,
        &mut stop,
        &mut progress,
        tell,
    )
    .await;
    let mut done = acted.done;
    assert_eq!(lines, done);
    let mut told: Vec<_> = done.iter().map(|(id, _)| id.clone()).collect();
    told.sort();
    assert_eq!(told, ids, "each message is told once");
    done.sort_by(|(one, _), (other, _)| one.cmp(other));
    done.into_iter().map(|(_, done)| done).collect()
}

/// The handles of each delete.
fn deletes(queue: &ScriptedQueue) -> Vec<Vec<String>> {
    let calls = queue.asked().into_iter().map(|call| call.entries);
    calls
        .filter(|entries| entries.iter().all(|(_, hidden)| hidden.is_none()))
        .map(|entries| entries.into_iter().map(|(handle, _)| handle).collect())
        .collect()
}

fn names(done: &[Done]) -> Vec<&'static str> {
    done.iter().map(Done::name).collect()
}

#[tokio::test(start_paused = true)]
async fn what_was_taken_is_deleted_and_nothing_else() {
    let refused = Resent::No(EntryFailure {
        kind: EntryFailureKind::Refused,
        code: "InvalidMessageContents".to_owned(),
        message: "no".to_owned(),
    });
    let sent = Sent::answering([Ok(vec![Resent::Yes, refused, Resent::Unknown])]);
    let queue = ScriptedQueue::new(&[], Answer::Done);
    let done = acted(Way::Redrive(&sent), &queue, 3).await;
    assert_eq!(names(&done), ["redriven", "not_sent", "maybe_sent"]);
    assert_eq!(deletes(&queue), [["10"]]);
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_deletes_nothing_is_not_repeated_and_ends_the_act() {
    let sent = Sent::answering([Err(ResendFailureKind::Unknown)]);
    let queue = ScriptedQueue::new(&[], Answer::Done);
    let done = acted(Way::Redrive(&sent), &queue, 12).await;
    let expected = [vec!["maybe_sent"; 10], vec!["not_reached"; 2]].concat();
    assert_eq!(names(&done), expected);
    assert_eq!(sent.calls().len(), 1);
    assert_eq!(queue.asked().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_send_that_is_throttled_is_repeated_and_one_that_is_refused_ends_the_act() {
    let throttled = || Err(ResendFailureKind::Throttled);
    let sent = Sent::answering([throttled(), throttled()]);
    let queue = ScriptedQueue::new(&[], Answer::Done);
    let done = acted(Way::Redrive(&sent), &queue, 1).await;
    assert_eq!((names(&done), sent.calls().len()), (vec!["redriven"], 3));

    let sent = Sent::answering([Err(ResendFailureKind::NotSent)]);
    let done = acted(Way::Redrive(&sent), &queue, 11).await;
    let expected = [vec!["not_sent"; 10], vec!["not_reached"]].concat();
    assert_eq!((names(&done), sent.calls().len()), (expected, 1));
}

#[tokio::test(start_paused = true)]
async fn a_sent_message_that_cannot_be_deleted_is_told_as_in_both_queues() {
    for (answer, calls) in [
        (Answer::Entries(EntryFailureKind::LeaseLost), 1),
        (Answer::Entries(EntryFailureKind::Transient), 3),
        (Answer::Call(QueueFailureKind::Transient), 3),
        (Answer::Call(QueueFailureKind::AccessDenied), 1),
    ] {
        let sent = Sent::default();
        let queue = ScriptedQueue::new(&[], answer);
        let done = acted(Way::Redrive(&sent), &queue, 11).await;
        // The next batch would be in both as well.
        let expected = [vec!["in_both_queues"; 10], vec!["not_reached"]].concat();
        assert_eq!(names(&done), expected, "{answer:?}");
        assert_eq!(deletes(&queue).len(), calls, "{answer:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn only_the_entries_of_a_delete_that_failed_are_repeated() {
    let queue = ScriptedQueue::new(
        &[Answer::Entry(1, EntryFailureKind::Transient)],
        Answer::Done,
    );
    let done = acted(Way::Delete, &queue, 3).await;
    assert_eq!(names(&done), ["deleted"; 3]);
    assert_eq!(deletes(&queue), [vec!["10", "11", "12"], vec!["11"]]);
}

#[tokio::test(start_paused = true)]
async fn an_ended_lease_is_not_acted_on() {
    let queue = ScriptedQueue::new(&[], Answer::Done);
    let sent = Sent::default();
    for way in [Way::Delete, Way::Redrive(&sent)] {
        let mut held = Held::new(&*queue);
        held.take("10", handle("10"), Held::mark());
        sleep(Duration::from_mins(10)).await;
        held.take("11", handle("11"), Held::mark());
        let letters = ids(2).into_iter().map(|id| (id.clone(), letter(&id, &id)));
        let letters = letters.collect();
        let done = acted_undisturbed(way, &ids(2), &letters, &mut held).await;
        let (ended, other): (Vec<_>, Vec<_>) = done
            .into_iter()
            .partition(|(_, done)| *done == Done::LeaseEnded);
        assert_eq!(ended.len(), 1);
        assert_eq!(ended[0].0, "10");
        assert!(other[0].1.is_good());
    }
    assert_eq!(sent.calls(), [["11"]]);
    assert_eq!(deletes(&queue), [["11"], ["11"]]);
}

/// What was done where no signal comes and every line is taken.
async fn acted_undisturbed(
    way: Way<'_>,
    ids: &[String],
    letters: &BTreeMap<String, DeadLetter>,
    held: &mut Held<'_>,
) -> Vec<(String, Done)> {
    let (_signals, receiver) = mpsc::unbounded_channel();
    let mut stop = Stop::new(receiver);
    let mut progress = Progress::begin();
    let tell = async |_: &[(String, Done)], _: &mut Stop| true;
    let acted = act(way, ids, letters, held, &mut stop, &mut progress, tell).await;
    acted.done
}

#[tokio::test(start_paused = true)]
async fn a_short_lease_is_renewed_before_its_message_is_sent() {
    let queue = ScriptedQueue::new(&[Answer::Call(QueueFailureKind::Transient)], Answer::Done);
    let sent = Sent::default();
    for expected in ["lease_ended", "redriven"] {
        let mut held = Held::new(&*queue);
        held.take("10", handle("10"), Held::mark());
        sleep(Duration::from_secs(9 * 60 + 30)).await;
        let letters = BTreeMap::from([("10".to_owned(), letter("10", "10"))]);
        let (_signals, receiver) = mpsc::unbounded_channel();
        let mut stop = Stop::new(receiver);
        let mut progress = Progress::begin();
        let way = Way::Redrive(&sent);
        let acted = act(
            way,
            &ids(1),
            &letters,
            &mut held,
            &mut stop,
            &mut progress,
            async |_, _| true,
        )
        .await;
        let done = acted.done;
        assert_eq!(done[0].1.name(), expected);
    }
    assert_eq!(sent.calls().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_signal_ends_the_act_after_the_batch_under_way() {
    let (sender, receiver) = mpsc::unbounded_channel();
    let sent = Sent {
        signal: Some(sender),
        ..Sent::default()
    };
    let queue = ScriptedQueue::new(&[], Answer::Done);
    let done = acted_until(Way::Redrive(&sent), &queue, &ids(12), receiver).await;
    let expected = [vec!["redriven"; 10], vec!["not_reached"; 2]].concat();
    assert_eq!(names(&done), expected);
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_its_turn_keeps_its_lease_and_a_long_lease_is_not_renewed() {
    let sent = Sent {
        takes: Duration::from_mins(4),
        ..Sent::default()
    };
    let queue = ScriptedQueue::new(&[], Answer::Done);
    let began = Instant::now();
    let done = acted(Way::Redrive(&sent), &queue, 40).await;
    assert_eq!(names(&done), ["redriven"; 40]);
    let calls = queue.asked().into_iter();
    let renewals = calls.filter(|call| call.entries[0].1.is_some());
    let mut minutes: Vec<_> = renewals
        .map(|call| (call.at - began).as_secs() / 60)
        .collect();
    minutes.dedup();
    // Before the third batch, when the leases have two minutes left.
    assert_eq!(minutes, [8]);
}

#[tokio::test(start_paused = true)]
async fn the_act_ends_as_failed_where_a_call_failed_or_what_was_done_cannot_be_told() {
    let queue = ScriptedQueue::new(&[], Answer::Done);
    for (answer, is_told, failed, calls) in [
        (Ok(vec![Resent::Yes; 10]), true, false, 2),
        (Err(ResendFailureKind::NotSent), true, true, 1),
        (Ok(vec![Resent::Yes; 10]), false, true, 1),
        (Ok(vec![maybe(); 10]), true, true, 1),
    ] {
        let sent = Sent::answering([answer]);
        let ids = ids(11);
        let mut held = Held::new(&*queue);
        for id in &ids {
            held.take(id, handle(id), Held::mark());
        }
        let letters = ids.iter().map(|id| (id.clone(), letter(id, id))).collect();
        let (_signals, receiver) = mpsc::unbounded_channel();
        let mut stop = Stop::new(receiver);
        let mut progress = Progress::begin();
        let way = Way::Redrive(&sent);
        let tell = async |_: &[(String, Done)], _: &mut Stop| is_told;
        let acted = act(
            way,
            &ids,
            &letters,
            &mut held,
            &mut stop,
            &mut progress,
            tell,
        )
        .await;
        assert_eq!((acted.has_failed, sent.calls().len()), (failed, calls));
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_fails_over_one_message_may_have_taken_it() {
    let sent = Sent::answering([Ok(vec![Resent::Yes, maybe()])]);
    let queue = ScriptedQueue::new(&[], Answer::Done);
    let done = acted(Way::Redrive(&sent), &queue, 2).await;
    assert_eq!(names(&done), ["redriven", "maybe_sent"]);
    assert_eq!(deletes(&queue), [["10"]]);
}

fn maybe() -> Resent {
    Resent::Maybe(EntryFailure {
        kind: EntryFailureKind::Transient,
        code: "InternalError".to_owned(),
        message: "no".to_owned(),
    })
}

#[test]
fn one_call_takes_no_more_than_the_queue_does() {
    let sent = Sent::default();
    let third = "x".repeat(BATCH_BYTES_MAX / 3 + 1);
    let whole = "x".repeat(BATCH_BYTES_MAX + 1);
    let ids = ids(12);
    let with = |body: &str| -> BTreeMap<String, DeadLetter> {
        let each = ids.iter().map(|id| (id.clone(), letter(id, body)));
        each.collect()
    };
    for (body, most) in [("small", 10), (third.as_str(), 2), (whole.as_str(), 1)] {
        assert_eq!(batch_len(Way::Redrive(&sent), &ids, &with(body)), most);
        assert_eq!(batch_len(Way::Delete, &ids, &with(body)), 10);
    }
    let mut heavy = letter("a", "");
    heavy.attributes.push(Attribute {
        name: "name".to_owned(),
        data_type: "Binary".to_owned(),
        value: AttributeValue::Bytes(vec![0; 100]),
    });
    assert_eq!(weight(&heavy), 110);
}

#[tokio::test]
async fn a_missing_right_to_delete_is_known_before_anything_is_sent() {
    for (answer, known) in [
        (Answer::Call(QueueFailureKind::AccessDenied), true),
        (Answer::Call(QueueFailureKind::Transient), false),
        (Answer::Entries(EntryFailureKind::LeaseLost), false),
    ] {
        let queue = ScriptedQueue::new(&[], answer);
        let held = Held::new(&*queue);
        assert_eq!(no_right_to_delete(&held).await.is_some(), known);
        let made_up = ReceiptHandle::made_up().0;
        assert_eq!(deletes(&queue), [[made_up]]);
    }
}
