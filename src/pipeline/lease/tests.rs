//! Renewals and the loss of leases, over a scripted queue.

use super::*;
use crate::{
    ports::QueueFailureKind,
    testing::scripted::{Answer, ScriptedQueue, handle},
};

const LENGTH: Duration = Duration::from_mins(1);
/// How long a receive may wait for messages.
const WAIT: Duration = Duration::from_secs(20);

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

struct Rig {
    queue: Arc<ScriptedQueue>,
    leases: Arc<Leases>,
    began: Instant,
    _keeper: tokio::task::JoinHandle<()>,
}

/// A lease table with its keeper running, at a moment that no lease's start is clipped at.
async fn rig(script: &[Answer], rest: Answer) -> Rig {
    tokio::time::advance(seconds(100)).await;
    let queue = ScriptedQueue::new(script, rest);
    let leases = Leases::new(Arc::clone(&queue) as Arc<dyn Queue>, LENGTH);
    let keeper = tokio::spawn(Arc::clone(&leases).keep(|| {}, CancellationToken::new()));
    Rig {
        queue,
        leases,
        began: Instant::now(),
        _keeper: keeper,
    }
}

impl Rig {
    fn adopt(&self, message: &str, receipt: &str) -> Option<Lease> {
        self.leases
            .adopt(message, handle(receipt), Instant::now(), WAIT)
    }

    fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }
}

#[tokio::test(start_paused = true)]
async fn a_lease_is_renewed_at_half_its_length_for_its_whole_length() {
    let rig = rig(&[], Answer::Done).await;
    let lease = rig.adopt("m", "r").unwrap();
    tokio::time::sleep(seconds(100)).await;
    let asked = rig.queue.asked();
    assert_eq!(asked.len(), 3);
    for (turn, asked) in asked.iter().enumerate() {
        let expected = seconds(30) * u32::try_from(turn + 1).unwrap();
        let late = (asked.at - rig.began).saturating_sub(expected);
        assert!(late <= Duration::from_millis(5), "{late:?}");
        assert_eq!(asked.entries, [("r".to_owned(), Some(LENGTH))]);
    }
    assert!(!lease.is_lost());
}

#[tokio::test(start_paused = true)]
async fn a_dropped_lease_is_not_renewed() {
    let rig = rig(&[], Answer::Done).await;
    drop(rig.adopt("m", "r"));
    tokio::time::sleep(seconds(100)).await;
    assert_eq!(rig.queue.asked(), []);
    assert_eq!(rig.leases.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn leases_are_renewed_ten_at_a_time() {
    let rig = rig(&[], Answer::Done).await;
    let _leases: Vec<_> = (0..23)
        .map(|n| rig.adopt(&format!("m{n}"), &format!("r{n}")))
        .collect();
    tokio::time::sleep(seconds(31)).await;
    let sizes: Vec<_> = rig
        .queue
        .asked()
        .iter()
        .map(|asked| asked.entries.len())
        .collect();
    assert_eq!(sizes, [10, 10, 3]);
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_hangs_delays_no_other_and_is_tried_again() {
    let rig = rig(&[Answer::Hang], Answer::Done).await;
    let first = rig.adopt("m1", "r1").unwrap();
    tokio::time::sleep(seconds(1)).await;
    let second = rig.adopt("m2", "r2").unwrap();
    tokio::time::sleep(seconds(31)).await;
    // The second was renewed on time while the first one's call was hanging.
    assert!(second.margin() > seconds(55));
    assert!(first.margin() < seconds(30));
    tokio::time::sleep(seconds(5)).await;
    assert!(first.margin() > seconds(50), "{:?}", first.margin());
}

#[tokio::test(start_paused = true)]
async fn a_lease_whose_renewals_all_fail_is_lost_at_its_deadline_and_not_before() {
    let rig = rig(&[], Answer::Call(QueueFailureKind::Transient)).await;
    let lease = rig.adopt("m", "r").unwrap();
    tokio::time::sleep(seconds(59)).await;
    assert!(!lease.is_lost());
    lease.lost().await;
    assert_eq!(rig.elapsed().as_secs(), 60);
    let calls = rig.queue.asked().len();
    assert!((4..=8).contains(&calls), "{calls} renewals were tried");
}

#[tokio::test(start_paused = true)]
async fn the_deadline_of_a_renewed_lease_counts_from_before_the_request() {
    let rig = rig(&[Answer::Late(seconds(2))], Answer::Hang).await;
    let lease = rig.adopt("m", "r").unwrap();
    tokio::time::sleep(seconds(33)).await;
    let confirmed = lease.margin();
    assert!(
        confirmed <= seconds(57),
        "{confirmed:?} counts from the answer"
    );
    assert!(confirmed > seconds(56), "{confirmed:?}");
}

/// What is left of a lease whose receive was to wait and was answered so many seconds after it was asked.
async fn left(wait: Duration, answered_after: u64) -> Duration {
    let rig = rig(&[], Answer::Done).await;
    let asked_at = Instant::now();
    tokio::time::sleep(seconds(answered_after)).await;
    let lease = rig.leases.adopt("m", handle("r"), asked_at, wait).unwrap();
    lease.margin()
}

#[tokio::test(start_paused = true)]
async fn a_first_deadline_counts_from_the_request_and_never_takes_more_than_half_for_gone() {
    for (answered_after, expected) in [(20, 40), (29, 31), (50, 30)] {
        assert_eq!(
            left(LENGTH, answered_after).await,
            seconds(expected),
            "after {answered_after} s"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_lease_of_an_answer_that_comes_after_the_receives_wait_counts_from_its_end() {
    for (wait, answered_after, expected) in [(20, 70, 10), (5, 50, 15), (0, 61, 0)] {
        assert_eq!(
            left(seconds(wait), answered_after).await,
            seconds(expected),
            "after {answered_after} s"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_handle_that_the_queue_disowns_loses_the_lease_at_once() {
    let rig = rig(
        &[Answer::Entry(1, EntryFailureKind::LeaseLost)],
        Answer::Done,
    )
    .await;
    let kept = rig.adopt("m1", "r1").unwrap();
    let lost = rig.adopt("m2", "r2").unwrap();
    lost.lost().await;
    assert_eq!(rig.elapsed().as_secs(), 30);
    tokio::time::sleep(seconds(100)).await;
    assert!(!kept.is_lost());
    let renewed_lost = rig.queue.asked()[1..]
        .iter()
        .flat_map(|asked| &asked.entries)
        .any(|(receipt, _)| receipt == "r2");
    assert!(!renewed_lost, "a lost lease was renewed");
}

#[tokio::test(start_paused = true)]
async fn a_new_receipt_of_a_held_message_replaces_its_handle() {
    let rig = rig(&[], Answer::Done).await;
    let lease = rig.adopt("m", "old").unwrap();
    tokio::time::sleep(seconds(20)).await;
    assert!(rig.adopt("m", "new").is_none());
    assert!(lease.margin() >= LENGTH.saturating_sub(lease_call_timeout(LENGTH)));
    assert_eq!(lease.call().await.receipt(), &handle("new"));
    tokio::time::sleep(seconds(31)).await;
    assert_eq!(rig.queue.asked()[0].entries[0].0, "new");
}

#[tokio::test(start_paused = true)]
async fn an_answer_to_a_replaced_handles_renewal_is_dropped() {
    // The renewal with the old handle is answered only after the new one has come.
    let rig = rig(&[Answer::Late(seconds(2))], Answer::Hang).await;
    let lease = rig.adopt("m", "old").unwrap();
    tokio::time::sleep(seconds(31)).await;
    assert!(rig.adopt("m", "new").is_none());
    let confirmed = lease.margin();
    tokio::time::sleep(seconds(3)).await;
    assert_eq!(lease.margin(), confirmed.saturating_sub(seconds(3)));
}

#[tokio::test(start_paused = true)]
async fn a_disowned_old_handle_does_not_lose_the_lease_on_the_new_one() {
    let rig = rig(&[], Answer::Done).await;
    let lease = rig.adopt("m", "old").unwrap();
    let call = lease.call().await;
    assert!(rig.adopt("m", "new").is_none());
    assert!(call.is_superseded());
    drop(call);
    assert!(!lease.is_lost());
    assert!(!lease.call().await.is_superseded());
}

#[tokio::test(start_paused = true)]
async fn a_message_received_after_its_lease_was_lost_is_a_lease_of_its_own() {
    let rig = rig(&[], Answer::Call(QueueFailureKind::Transient)).await;
    let first = rig.adopt("m", "r1").unwrap();
    first.lost().await;
    let second = rig.adopt("m", "r2").unwrap();
    assert!(first.is_lost());
    assert!(!second.is_lost());
    // The first one's end must not take the second's entry with it.
    drop(first);
    assert!(rig.adopt("m", "r3").is_none());
    assert_eq!(second.call().await.receipt(), &handle("r3"));
}

#[tokio::test(start_paused = true)]
async fn settling_waits_for_a_renewal_under_way_and_no_renewal_starts_meanwhile() {
    let rig = rig(&[Answer::Late(seconds(2))], Answer::Done).await;
    let lease = rig.adopt("m", "r").unwrap();
    tokio::time::sleep(seconds(31)).await;
    let call = lease.call().await;
    assert_eq!(rig.elapsed().as_secs(), 32);
    tokio::time::sleep(seconds(50)).await;
    assert_eq!(
        rig.queue.asked().len(),
        1,
        "a renewal overtook the settling call"
    );
    drop(call);
    tokio::time::sleep(seconds(1)).await;
    assert_eq!(rig.queue.asked().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_ends_is_not_renewed_but_still_expires() {
    let rig = rig(&[], Answer::Done).await;
    let lease = rig.adopt("m", "r").unwrap();
    lease.end();
    lease.lost().await;
    assert_eq!(rig.elapsed().as_secs(), 60);
    assert_eq!(rig.queue.asked(), []);
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_outlasts_the_send_is_not_renewed_for_it() {
    let rig = rig(&[], Answer::Done).await;
    let lease = rig.adopt("m", "r").unwrap();
    assert!(lease.outlast(seconds(59)).await);
    assert_eq!(rig.queue.asked(), []);
}

#[tokio::test(start_paused = true)]
async fn a_lease_too_short_for_the_send_is_renewed_first() {
    let rig = rig(&[Answer::Late(seconds(1))], Answer::Done).await;
    let lease = rig.adopt("m", "r").unwrap();
    tokio::time::sleep(seconds(15)).await;
    assert!(lease.outlast(seconds(50)).await);
    assert!(lease.margin() >= seconds(58));
    assert_eq!(rig.elapsed().as_secs(), 16);
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_cannot_be_renewed_for_the_send_is_lost() {
    let rig = rig(&[], Answer::Call(QueueFailureKind::Transient)).await;
    let lease = rig.adopt("m", "r").unwrap();
    tokio::time::sleep(seconds(15)).await;
    assert!(!lease.outlast(seconds(50)).await);
    assert!(
        rig.queue.asked().len() < 20,
        "a queue that refuses at once was asked without rest"
    );
}

#[tokio::test(start_paused = true)]
async fn no_visibility_asked_for_reaches_beyond_twelve_hours_less_a_minute() {
    let rig = rig(&[], Answer::Done).await;
    let lease = rig.adopt("m", "r").unwrap();
    lease.lost().await;
    let end = rig.elapsed();
    assert!(end <= seconds(12 * 3600 - 60), "{end:?}");
    assert!(end > seconds(12 * 3600 - 120), "{end:?}");
    assert!(lease.is_at_cap());
    for asked in rig.queue.asked() {
        let (_, wanted) = &asked.entries[0];
        let until = asked.at - rig.began + wanted.unwrap();
        assert!(until <= seconds(12 * 3600 - 60), "asked for {until:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn near_the_cap_a_send_that_no_renewal_could_cover_is_refused_at_once() {
    let rig = rig(&[], Answer::Done).await;
    let lease = rig.adopt("m", "r").unwrap();
    tokio::time::sleep(seconds(12 * 3600 - 75)).await;
    let before = rig.elapsed();
    assert!(!lease.outlast(seconds(50)).await);
    assert_eq!(rig.elapsed(), before);
}

/// A long poll that was asked, a process that stood still, and the answer that was found after that.
async fn adopted_after(rig: &Rig, still: Duration, keeper_first: bool) -> Lease {
    tokio::time::sleep(seconds(10)).await;
    let asked_at = Instant::now();
    tokio::time::sleep(seconds(5)).await;
    // The clock moves, and nothing runs.
    tokio::time::advance(still).await;
    if keeper_first {
        tokio::task::yield_now().await;
        assert!(rig.leases.state.lock().stalls.ran_at > Some(asked_at + seconds(6)));
    }
    rig.leases.adopt("m", handle("r"), asked_at, WAIT).unwrap()
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_was_found_after_a_stall_counts_from_before_it() {
    for keeper_first in [false, true] {
        let rig = rig(&[], Answer::Done).await;
        let lease = adopted_after(&rig, seconds(40), keeper_first).await;
        let margin = lease.margin();
        assert!(margin <= seconds(20), "{margin:?}, {keeper_first}");
        assert!(margin >= seconds(18), "{margin:?}, {keeper_first}");
        assert!(!lease.is_lost());
        let rig = self::rig(&[], Answer::Done).await;
        let lease = adopted_after(&rig, LENGTH, keeper_first).await;
        assert!(lease.is_lost(), "a lease that can have ended is no lease");
        // The next poll begins after the stall, and its answer is fresh.
        let fresh = rig.adopt("n", "s").unwrap();
        assert_eq!(fresh.margin(), LENGTH);
    }
}

#[tokio::test(start_paused = true)]
async fn a_keeper_that_turns_late_by_less_than_half_a_second_is_no_stall() {
    let start = Instant::now();
    let mut stalls = Stalls::default();
    assert_eq!(stalls.ran(start), None);
    assert_eq!(stalls.ran(start + Duration::from_millis(1400)), None);
    let late = start + Duration::from_secs(3);
    assert_eq!(stalls.ran(late), Some(Duration::from_millis(1600)));
}

#[tokio::test(start_paused = true)]
async fn what_comes_long_after_a_stall_in_the_same_poll_is_fresh() {
    let rig = rig(&[], Answer::Done).await;
    let asked_at = Instant::now();
    tokio::time::sleep(seconds(1)).await;
    tokio::time::advance(seconds(40)).await;
    tokio::time::sleep(seconds(10)).await;
    let lease = rig
        .leases
        .adopt("m", handle("r"), asked_at, LENGTH)
        .unwrap();
    assert_eq!(lease.margin(), LENGTH / 2);
}

#[tokio::test(start_paused = true)]
async fn a_message_is_held_from_the_answer_that_brought_it_first_and_not_from_the_long_poll() {
    let rig = rig(&[], Answer::Done).await;
    assert_eq!(rig.leases.oldest(), None);
    let asked_at = Instant::now();
    tokio::time::advance(seconds(20)).await;
    let lease = rig.leases.adopt("m", handle("r"), asked_at, WAIT).unwrap();
    tokio::time::advance(seconds(5)).await;
    assert!(rig.adopt("m", "again").is_none());
    tokio::time::advance(seconds(2)).await;
    assert_eq!(rig.leases.oldest(), Some(seconds(7)));
    drop(lease);
}
