//! What the ledger remembers, and for how long.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use proptest::prelude::*;
use tokio::{task::JoinSet, time};

use super::*;
use crate::testing::polled::Polled;

type Claim = Option<Box<dyn SendGuard>>;

async fn yours(ledger: &MemoryLedger, key: &str) -> Box<dyn SendGuard> {
    let guard = ledger.begin(key).await;
    guard.unwrap_or_else(|| panic!("{key} is known as sent"))
}

fn heard(sent_twice: bool, known: KnownTo) -> Heard {
    Heard { sent_twice, known }
}

fn begin(ledger: &MemoryLedger, key: &str) -> Polled<Claim> {
    let (ledger, key) = (ledger.clone(), key.to_owned());
    let mut claim = Polled::new(async move { ledger.begin(&key).await });
    assert!(claim.poll().is_none(), "it waits");
    claim
}

fn turn(claim: &mut Polled<Claim>) -> Box<dyn SendGuard> {
    let claim = claim.poll().expect("it is its turn");
    claim.expect("it was not sent")
}

#[tokio::test]
async fn what_was_sent_is_a_duplicate_from_then_on() {
    let ledger = MemoryLedger::default();
    yours(&ledger, "a").await.sent("1").await;
    assert!(ledger.begin("a").await.is_none());
    assert!(ledger.is_sent("a").await);
    assert!(!ledger.is_sent("b").await);
    assert_eq!((ledger.size(), ledger.hits().memory), (1, 1));
    assert_eq!(ledger.traces(), (0, 0));
}

#[tokio::test]
async fn what_was_not_sent_may_be_sent_later() {
    let ledger = MemoryLedger::default();
    drop(yours(&ledger, "a").await);
    assert_eq!(ledger.size(), 0);
    assert_eq!(ledger.traces(), (0, 0));
    yours(&ledger, "a").await.sent("1").await;
}

#[tokio::test]
async fn a_second_copy_waits_and_is_a_duplicate_once_the_first_is_sent() {
    let ledger = MemoryLedger::default();
    let guard = yours(&ledger, "a").await;
    let mut second = begin(&ledger, "a");
    let mut third = begin(&ledger, "a");
    drop(yours(&ledger, "b").await);
    guard.sent("1").await;
    assert!(matches!(second.poll(), Some(None)));
    assert!(matches!(third.poll(), Some(None)));
    assert_eq!(ledger.hits().memory, 2);
}

#[tokio::test]
async fn a_guard_dropped_unsent_gives_the_turn_to_exactly_the_next_in_order() {
    let ledger = MemoryLedger::default();
    let first = yours(&ledger, "a").await;
    let mut second = begin(&ledger, "a");
    let mut third = begin(&ledger, "a");
    drop(first);
    assert!(third.poll().is_none());
    let guard = turn(&mut second);
    assert!(third.poll().is_none());
    drop(guard);
    drop(turn(&mut third));
    assert_eq!(ledger.traces(), (0, 0));
}

#[tokio::test]
async fn a_cancelled_waiter_leaves_no_trace() {
    let ledger = MemoryLedger::default();
    let guard = yours(&ledger, "a").await;
    let second = begin(&ledger, "a");
    let mut third = begin(&ledger, "a");
    assert_eq!(ledger.traces(), (1, 2));
    drop(second);
    assert_eq!(ledger.traces(), (1, 1));
    drop(guard);
    drop(turn(&mut third));
    assert_eq!(ledger.traces(), (0, 0));
}

#[tokio::test]
async fn a_turn_given_to_a_waiter_that_is_cancelled_before_it_runs_is_passed_on() {
    let ledger = MemoryLedger::default();
    let guard = yours(&ledger, "a").await;
    let second = begin(&ledger, "a");
    let mut third = begin(&ledger, "a");
    drop(guard);
    drop(second);
    drop(turn(&mut third));
    assert_eq!(ledger.traces(), (0, 0));
}

#[tokio::test]
async fn a_panic_with_the_guard_held_passes_the_turn_on() {
    let ledger = MemoryLedger::default();
    let guard = yours(&ledger, "a").await;
    let mut second = begin(&ledger, "a");
    let worker = tokio::spawn(async move {
        let _guard = guard;
        panic!("worker");
    });
    assert!(worker.await.unwrap_err().is_panic());
    turn(&mut second).sent("1").await;
    assert!(ledger.is_sent("a").await);
}

#[tokio::test]
async fn the_oldest_sent_message_is_forgotten_first_and_one_in_progress_never() {
    let ledger = MemoryLedger::with_capacity(2);
    let in_progress = yours(&ledger, "held").await;
    for key in ["a", "b", "c"] {
        yours(&ledger, key).await.sent("1").await;
    }
    assert_eq!(ledger.size(), 2);
    assert!(!ledger.is_sent("a").await);
    assert!(ledger.is_sent("b").await && ledger.is_sent("c").await);
    let mut copy = begin(&ledger, "held");
    in_progress.sent("1").await;
    assert!(matches!(copy.poll(), Some(None)));
    assert!(!ledger.is_sent("b").await);
}

#[tokio::test]
async fn a_full_ledger_takes_34_bytes_per_message() {
    let ledger = MemoryLedger::default();
    for number in 0..CAPACITY + 1000 {
        yours(&ledger, &number.to_string()).await.sent("1").await;
    }
    assert_eq!(ledger.size(), CAPACITY);
    assert!(ledger.bytes() <= 34 * CAPACITY, "{} bytes", ledger.bytes());
}

#[tokio::test]
async fn a_full_ledger_never_grows() {
    let ledger = MemoryLedger::with_capacity(1000);
    let mut most = [0; 2];
    for number in 0..20_000 {
        yours(&ledger, &number.to_string()).await.sent("1").await;
        let most = &mut most[usize::from(number > 1000)];
        *most = ledger.bytes().max(*most);
        assert!(ledger.is_sent(&number.to_string()).await, "{number}");
    }
    assert_eq!(ledger.size(), 1000);
    assert_eq!(most[0], most[1]);
    assert!(!ledger.is_sent("18999").await);
    for number in 19_000..20_000 {
        assert!(ledger.is_sent(&number.to_string()).await, "{number}");
    }
}

/// Copies of few messages, each with another fate, on several threads: each message goes out at
/// most once at a time and once at all, and nobody waits for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_copies_with_random_fates_neither_meet_nor_hang() {
    let ledger = MemoryLedger::default();
    let sending: Arc<Vec<AtomicUsize>> = Arc::new((0..8).map(|_| AtomicUsize::new(0)).collect());
    let sent: Arc<Vec<AtomicUsize>> = Arc::new((0..8).map(|_| AtomicUsize::new(0)).collect());
    let mut copies = JoinSet::new();
    for number in 0..4000_usize {
        let (sending, sent) = (Arc::clone(&sending), Arc::clone(&sent));
        let copy = ledger.clone();
        copies.spawn(async move {
            let message = number % 8;
            let claim = copy.begin(&message.to_string()).await;
            let Some(guard) = claim else { return };
            assert_eq!(sending[message].fetch_add(1, Ordering::SeqCst), 0);
            tokio::task::yield_now().await;
            sending[message].fetch_sub(1, Ordering::SeqCst);
            assert!(number % 97 != 5, "this one's worker panics");
            if number > 3000 && number % 5 == 0 {
                sent[message].fetch_add(1, Ordering::SeqCst);
                guard.sent("1").await;
            }
        });
        // A copy that is cancelled somewhere on its way.
        if number % 3 == 0 {
            let copy = ledger.clone();
            copies.spawn(async move {
                let key = (number % 8).to_string();
                tokio::select! {
                    biased;
                    claim = copy.begin(&key) => drop(claim),
                    () = tokio::task::yield_now() => {}
                }
            });
        }
    }
    let all = async { while copies.join_next().await.is_some() {} };
    time::timeout(Duration::from_mins(1), all)
        .await
        .expect("nobody waits for ever");
    assert!(sent.iter().all(|count| count.load(Ordering::SeqCst) == 1));
    assert_eq!(ledger.traces(), (0, 0));
}

#[derive(Clone, Debug)]
enum Step {
    Begin(usize),
    Poll(usize),
    Cancel(usize),
    Fail(usize),
    Send(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0_usize..3).prop_map(Step::Begin),
        4 => (0_usize..16).prop_map(Step::Poll),
        2 => (0_usize..16).prop_map(Step::Cancel),
        2 => (0_usize..4).prop_map(Step::Fail),
        1 => (0_usize..4).prop_map(Step::Send),
    ];
    prop::collection::vec(step, 0..80)
}

/// Removes the element that `index` falls on, where there is any.
fn take<T>(list: &mut Vec<T>, index: usize) -> Option<T> {
    (!list.is_empty()).then(|| list.remove(index % list.len()))
}

fn now<T: 'static>(future: impl Future<Output = T> + Send + 'static) -> T {
    Polled::new(future).poll().expect("it does not wait")
}

proptest! {
    #[test]
    fn in_any_interleaving_one_guard_is_out_per_key_and_nobody_is_forgotten(steps in steps()) {
        let ledger = MemoryLedger::default();
        let mut waiting: Vec<(usize, Polled<Claim>)> = Vec::new();
        let mut guards: Vec<(usize, Box<dyn SendGuard>)> = Vec::new();
        let mut sent: HashSet<usize> = HashSet::new();
        for step in steps {
            match step {
                Step::Begin(key) => {
                    let copy = ledger.clone();
                    let claim = Polled::new(async move { copy.begin(&key.to_string()).await });
                    waiting.push((key, claim));
                }
                Step::Poll(index) => {
                    if let Some((key, mut claim)) = take(&mut waiting, index) {
                        match claim.poll() {
                            None => waiting.push((key, claim)),
                            Some(None) => prop_assert!(sent.contains(&key)),
                            Some(Some(guard)) => {
                                prop_assert!(!sent.contains(&key));
                                prop_assert!(guards.iter().all(|held| held.0 != key));
                                guards.push((key, guard));
                            }
                        }
                    }
                }
                Step::Cancel(index) => drop(take(&mut waiting, index)),
                Step::Fail(index) => drop(take(&mut guards, index)),
                Step::Send(index) => {
                    if let Some((key, guard)) = take(&mut guards, index) {
                        now(async move { guard.sent("1").await });
                        sent.insert(key);
                    }
                }
            }
        }
        // Every guard goes: then each who waits gets an answer, if only as the one before goes.
        guards.clear();
        while !waiting.is_empty() {
            let before = waiting.len();
            waiting.retain_mut(|(_, claim)| claim.poll().is_none());
            prop_assert!(waiting.len() < before, "{} wait for ever", before);
        }
        prop_assert_eq!(ledger.traces(), (0, 0));
        prop_assert_eq!(ledger.size(), sent.len());
    }
}

#[tokio::test]
async fn what_an_event_names_is_sent_and_whoever_waits_learns_it() {
    let ledger = MemoryLedger::default();
    let guard = yours(&ledger, "a").await;
    let mut copy = begin(&ledger, "a");
    assert_eq!(guard.heard(), None);
    assert_eq!(ledger.hear("a", "id").await, heard(false, KnownTo::Holder));
    assert_eq!(guard.heard().as_deref(), Some("id"));
    assert_eq!(guard.hear().await, "id");
    assert!(matches!(copy.poll(), Some(None)));
    assert!(ledger.begin("a").await.is_none());
    drop(guard);
    assert_eq!(ledger.hear("a", "id").await, heard(false, KnownTo::All));
    assert!(ledger.is_sent("a").await);
    assert_eq!(ledger.traces(), (0, 0));
}

#[tokio::test]
async fn an_event_of_a_message_that_nobody_holds_makes_it_a_duplicate() {
    let ledger = MemoryLedger::default();
    assert_eq!(ledger.hear("a", "id").await, heard(false, KnownTo::All));
    assert!(ledger.begin("a").await.is_none());
    assert_eq!(ledger.size(), 1);
}

#[tokio::test]
async fn a_second_id_of_the_mail_service_is_told_of_once() {
    let ledger = MemoryLedger::default();
    yours(&ledger, "a").await.sent("one").await;
    assert_eq!(ledger.hear("a", "one").await, heard(false, KnownTo::All));
    assert_eq!(ledger.hear("a", "two").await, heard(true, KnownTo::All));
    assert_eq!(ledger.hear("a", "two").await, heard(false, KnownTo::All));
    assert_eq!(ledger.hear("a", "one").await, heard(false, KnownTo::All));
    assert_eq!(ledger.hear("a", "three").await, heard(true, KnownTo::All));
}

#[tokio::test]
async fn a_mail_that_was_accepted_is_no_news_to_its_own_copy() {
    let ledger = MemoryLedger::default();
    let guard = yours(&ledger, "a").await;
    guard.sent("one").await;
    assert_eq!(guard.heard(), None);
}
