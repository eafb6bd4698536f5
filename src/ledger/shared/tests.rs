//! What two tasks make of one table.

mod model;
mod outages;

use tokio::{
    task::JoinHandle,
    time::{Instant, sleep},
};

use super::{writer::FILLS_FOR, *};
use crate::{
    ledger::Claimed,
    ports::table::TableFailureKind,
    testing::table::{Item, TableInMemory},
};

/// 3 s until the send begins, 20 s of it, 30 s for its event and 5 s for clocks.
const CLAIM_LASTS: u64 = 58;

/// One task of several on the same table.
struct Task {
    ledger: SharedLedger,
    writing: JoinHandle<()>,
}

impl Drop for Task {
    fn drop(&mut self) {
        self.writing.abort();
    }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn task(table: &Arc<TableInMemory>) -> Task {
    start(table, "q", Some(seconds(10)))
}

fn start(table: &Arc<TableInMemory>, queue: &str, patience: Option<Duration>) -> Task {
    let ledger = SharedLedger::new(Parts {
        table: Arc::clone(table) as Arc<dyn LedgerTable>,
        queue: queue.to_owned(),
        longest_send: seconds(20),
        event_patience: seconds(30),
        patience,
        instruments: Arc::new(Instruments::off()),
    });
    let writing = tokio::spawn({
        let ledger = ledger.clone();
        async move { ledger.run(CancellationToken::new()).await }
    });
    Task { ledger, writing }
}

async fn begin(task: &Task, key: &str) -> Box<dyn SendGuard> {
    let guard = task.ledger.begin(key).await;
    guard.unwrap_or_else(|| panic!("{key} is known as sent"))
}

/// Claims a mail that is free, and begins to send it.
async fn begin_send(task: &Task, key: &str) -> Box<dyn SendGuard> {
    let guard = begin(task, key).await;
    assert_eq!(guard.claim(&|_| ()).await, Claimed::Ours);
    assert!(guard.begin_send());
    guard
}

async fn send(task: &Task, key: &str, email_id: &str) {
    let guard = begin_send(task, key).await;
    guard.sent(email_id).await;
    guard.recorded().await;
}

fn sent(email_id: &str) -> Item {
    let email_id = email_id.to_owned();
    Item::Sent { email_id }
}

fn is_sent_as(email_id: &str) -> Claimed {
    Claimed::Sent {
        email_id: Some(email_id.to_owned()),
    }
}

/// Lets what nobody waits for be done.
async fn settle() {
    sleep(Duration::from_millis(10)).await;
}

#[tokio::test(start_paused = true)]
async fn what_one_task_sent_is_a_duplicate_to_another() {
    let table = Arc::default();
    let (one, other) = (task(&table), task(&table));
    send(&one, "a", "mail-1").await;
    let guard = begin(&other, "a").await;
    assert_eq!(guard.claim(&|_| ()).await, is_sent_as("mail-1"));
    drop(guard);
    assert!(
        other.ledger.begin("a").await.is_none(),
        "it need not ask again"
    );
    let hits = other.ledger.hits();
    assert_eq!((hits.memory, hits.table), (1, 1));
    assert_eq!(table.item("q#a"), Some(sent("mail-1")));
}

#[tokio::test(start_paused = true)]
async fn while_one_task_sends_another_waits_and_learns_of_it() {
    let table = Arc::default();
    let (one, other) = (task(&table), task(&table));
    let sending = begin_send(&one, "a").await;
    let guard = begin(&other, "a").await;
    assert_eq!(guard.claim(&|_| ()).await, Claimed::Elsewhere);
    let waiting = tokio::spawn(async move {
        guard.wait_for_other().await;
        guard.claim(&|_| ()).await
    });
    settle().await;
    assert!(!waiting.is_finished());
    sending.sent("mail-1").await;
    sending.recorded().await;
    sleep(seconds(4)).await;
    assert_eq!(waiting.await.unwrap(), is_sent_as("mail-1"));
}

#[tokio::test(start_paused = true)]
async fn what_a_task_did_not_send_is_free_at_once() {
    let table = Arc::default();
    let (one, other) = (task(&table), task(&table));
    let guard = begin_send(&one, "a").await;
    guard.not_sent();
    drop(guard);
    settle().await;
    assert_eq!(table.item("q#a"), None);
    drop(begin_send(&other, "a").await);
}

#[tokio::test(start_paused = true)]
async fn what_may_have_gone_is_left_to_its_event_although_a_later_attempt_was_refused() {
    let table = Arc::default();
    let (one, other) = (task(&table), task(&table));
    let guard = begin_send(&one, "a").await;
    // No answer, no event is waited for, and the next attempt is refused.
    assert_eq!(guard.claim(&|_| ()).await, Claimed::Ours);
    assert!(guard.begin_send());
    guard.not_sent();
    drop(guard);
    settle().await;
    let theirs = begin(&other, "a").await;
    assert_eq!(theirs.claim(&|_| ()).await, Claimed::Elsewhere);
    sleep(seconds(60)).await;
    assert_eq!(theirs.claim(&|_| ()).await, Claimed::Ours);
}

#[tokio::test(start_paused = true)]
async fn an_event_at_another_task_is_heard_although_a_later_attempt_was_refused() {
    let table = Arc::default();
    let (one, other) = (task(&table), task(&table));
    let guard = begin_send(&one, "a").await;
    assert!(guard.begin_send());
    guard.not_sent();
    other.ledger.hear("a", "mail-1").await;
    let heard = tokio::time::timeout(seconds(60), guard.hear()).await;
    assert_eq!(heard.as_deref(), Ok("mail-1"));
}

#[tokio::test(start_paused = true)]
async fn a_claim_without_a_send_is_taken_back() {
    let table = Arc::default();
    let one = task(&table);
    let guard = begin(&one, "a").await;
    assert_eq!(guard.claim(&|_| ()).await, Claimed::Ours);
    drop(guard);
    settle().await;
    assert_eq!(table.item("q#a"), None);
}

#[tokio::test(start_paused = true)]
async fn a_mail_that_may_have_gone_is_nobody_elses_until_its_claim_ends() {
    let table = Arc::default();
    let (one, other) = (task(&table), task(&table));
    drop(begin_send(&one, "a").await);
    settle().await;
    let guard = begin(&other, "a").await;
    for _ in 0..CLAIM_LASTS - 1 {
        assert_eq!(guard.claim(&|_| ()).await, Claimed::Elsewhere);
        sleep(seconds(1)).await;
    }
    sleep(seconds(2)).await;
    assert_eq!(guard.claim(&|_| ()).await, Claimed::Ours);
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_for_a_claim_that_ends_goes_on_then() {
    let table = Arc::default();
    let (one, other) = (task(&table), task(&table));
    drop(begin_send(&one, "a").await);
    let guard = begin(&other, "a").await;
    assert_eq!(guard.claim(&|_| ()).await, Claimed::Elsewhere);
    let began = Instant::now();
    while guard.claim(&|_| ()).await != Claimed::Ours {
        guard.wait_for_other().await;
    }
    let waited = began.elapsed().as_secs();
    assert!((CLAIM_LASTS..CLAIM_LASTS + 2).contains(&waited), "{waited}");
}

#[tokio::test(start_paused = true)]
async fn a_receipt_renews_its_own_claim_also_where_an_answer_was_lost() {
    let table: Arc<TableInMemory> = Arc::default();
    let one = task(&table);
    let guard = begin(&one, "a").await;
    table.lose_answers(3);
    assert_eq!(guard.claim(&|_| ()).await, Claimed::Ours);
    assert_eq!(table.calls("PutItem"), 4);
    assert!(guard.begin_send());
    // No answer; the wait for its event is over: by the old rule it is sent again.
    sleep(seconds(50)).await;
    assert!(
        !guard.begin_send(),
        "that claim does not outlast another send"
    );
    assert_eq!(guard.claim(&|_| ()).await, Claimed::Ours);
    assert!(guard.begin_send());
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_was_answered_late_allows_no_send() {
    let table: Arc<TableInMemory> = Arc::default();
    let one = task(&table);
    let guard = begin(&one, "a").await;
    table.answer_after(Duration::from_millis(3001));
    assert_eq!(guard.claim(&|_| ()).await, Claimed::Ours);
    assert!(!guard.begin_send());
}

#[tokio::test(start_paused = true)]
async fn an_event_reaches_the_table_and_thereby_every_task() {
    let table = Arc::default();
    let (one, other, third) = (task(&table), task(&table), task(&table));
    drop(begin_send(&one, "a").await);
    let heard = other.ledger.hear("a", "mail-1").await;
    assert_eq!((heard.sent_twice, heard.known), (false, KnownTo::All));
    assert_eq!(table.item("q#a"), Some(sent("mail-1")));
    assert_eq!(
        begin(&third, "a").await.claim(&|_| ()).await,
        is_sent_as("mail-1")
    );
    // Its other events write nothing more.
    other.ledger.hear("a", "mail-1").await;
    assert_eq!(table.calls("BatchWriteItem"), 1);
}

#[tokio::test(start_paused = true)]
async fn an_event_with_an_id_other_than_the_tables_tells_that_it_was_mailed_twice() {
    let table = Arc::default();
    let (one, other) = (task(&table), task(&table));
    send(&one, "a", "mail-1").await;
    assert!(other.ledger.hear("a", "mail-2").await.sent_twice);
    assert!(
        !other.ledger.hear("a", "mail-2").await.sent_twice,
        "told once"
    );
}

#[tokio::test(start_paused = true)]
async fn an_event_that_reached_another_task_is_heard_where_its_send_had_no_answer() {
    let table: Arc<TableInMemory> = Arc::default();
    let (one, other) = (task(&table), task(&table));
    let guard = begin_send(&one, "a").await;
    assert_eq!(other.ledger.hear("a", "mail-1").await.known, KnownTo::All);
    table.others_record("q#a", "mail-1");
    assert_eq!(guard.heard(), None);
    assert_eq!(guard.hear().await, "mail-1");
    assert_eq!(guard.heard().as_deref(), Some("mail-1"));
}

#[tokio::test(start_paused = true)]
async fn a_look_asks_the_table_at_once_and_takes_no_for_an_answer() {
    let table: Arc<TableInMemory> = Arc::default();
    let (one, other) = (task(&table), task(&table));
    let guard = begin_send(&one, "a").await;
    assert_eq!(guard.look().await, None);
    send(&other, "b", "mail-2").await;
    other.ledger.hear("a", "mail-1").await;
    assert_eq!(guard.look().await.as_deref(), Some("mail-1"));
    table.fail(TableFailureKind::Transient);
    assert_eq!(
        guard.look().await.as_deref(),
        Some("mail-1"),
        "known here now"
    );
}

#[tokio::test(start_paused = true)]
async fn siblings_on_one_table_tell_each_other_of_events_and_mail_their_own() {
    let table = Arc::default();
    let ours = task(&table);
    let theirs = start(&table, "other", Some(seconds(10)));
    let waiting = begin_send(&theirs, "a").await;
    let known = ours.ledger.hear_sibling("other", "a", "mail-1").await;
    let known = known.map(|heard| (heard.sent_twice, heard.known));
    assert_eq!(known, Some((false, KnownTo::All)));
    let again = ours.ledger.hear_sibling("other", "a", "mail-3").await;
    assert!(again.is_some_and(|heard| heard.sent_twice));
    let once_more = ours.ledger.hear_sibling("other", "a", "mail-3").await;
    assert!(
        once_more.is_some_and(|heard| !heard.sent_twice),
        "it is told once"
    );
    assert_eq!(waiting.hear().await, "mail-1");
    send(&ours, "a", "mail-2").await;
    assert_eq!(table.item("other#a"), Some(sent("mail-1")));
    assert_eq!(table.item("q#a"), Some(sent("mail-2")));
}

#[tokio::test(start_paused = true)]
async fn many_records_share_calls() {
    let table: Arc<TableInMemory> = Arc::default();
    let one = task(&table);
    let mut guards = Vec::new();
    for number in 0..60 {
        guards.push(begin_send(&one, &format!("mail {number}")).await);
    }
    for guard in &guards {
        guard.sent("id").await;
    }
    for guard in &guards {
        guard.recorded().await;
    }
    assert_eq!(table.batches(), [25, 25, 10]);
}

#[tokio::test(start_paused = true)]
async fn a_batch_fills_while_another_is_under_way_but_not_for_long() {
    let table: Arc<TableInMemory> = Arc::default();
    let one = task(&table);
    let mut guards = Vec::new();
    for number in 0..9 {
        guards.push(begin_send(&one, &format!("mail {number}")).await);
    }
    let began = Instant::now();
    // The first batch takes 5 ms and the second goes after it; the third may hang.
    table.answer_after(Duration::from_millis(5));
    for guard in &guards[..4] {
        guard.sent("id").await;
        sleep(Duration::from_millis(1)).await;
    }
    guards[3].recorded().await;
    assert_eq!(began.elapsed(), Duration::from_millis(10));
    assert_eq!(table.batches(), [1, 3]);
    table.answer_after(seconds(1));
    for guard in &guards[4..] {
        guard.sent("id").await;
    }
    sleep(Duration::from_millis(2)).await;
    table.answer_after(Duration::ZERO);
    let last = begin_send(&one, "the last").await;
    let began = Instant::now();
    last.sent("id").await;
    last.recorded().await;
    assert_eq!(began.elapsed(), FILLS_FOR);
}

#[tokio::test(start_paused = true)]
async fn what_a_batch_did_not_take_is_written_again_and_waited_for() {
    let table: Arc<TableInMemory> = Arc::default();
    let one = task(&table);
    table.batches_take(0);
    let guard = begin_send(&one, "a").await;
    guard.sent("mail-1").await;
    let recorded = tokio::spawn(async move { guard.recorded().await });
    settle().await;
    assert!(!recorded.is_finished());
    sleep(seconds(1)).await;
    settle().await;
    assert!(!recorded.is_finished());
    table.batches_take(None);
    recorded.await.unwrap();
    assert_eq!(table.item("q#a"), Some(sent("mail-1")));
}
