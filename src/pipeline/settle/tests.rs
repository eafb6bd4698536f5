//! Batches of deletes and returns, over a scripted queue.

use tokio_util::sync::CancellationToken;

use super::*;
use crate::{
    pipeline::lease::Leases,
    ports::QueueFailureKind,
    testing::scripted::{Answer, ScriptedQueue, handle},
    timing::lease_call_timeout,
};

const LENGTH: Duration = Duration::from_mins(1);
/// How long a receive may wait for messages.
const WAIT: Duration = Duration::from_secs(20);

struct Rig {
    queue: Arc<ScriptedQueue>,
    leases: Arc<Leases>,
    settler: Settler,
    drain: Arc<Drain>,
    began: Instant,
}

/// A settler over a queue that answers as scripted; leases are not renewed here.
fn rig(script: &[Answer], rest: Answer) -> Rig {
    rig_of(LENGTH, script, rest)
}

fn rig_of(length: Duration, script: &[Answer], rest: Answer) -> Rig {
    let queue = ScriptedQueue::new(script, rest);
    let port = Arc::clone(&queue) as Arc<dyn Queue>;
    let drain = Arc::new(Drain::new(Duration::from_secs(28), Duration::from_secs(10)));
    let (settler, task) = settler(
        Arc::clone(&port),
        lease_call_timeout(length),
        Arc::clone(&drain),
        Arc::default(),
    );
    tokio::spawn(task);
    Rig {
        queue,
        leases: Leases::new(port, length),
        settler,
        drain,
        began: Instant::now(),
    }
}

impl Rig {
    fn lease(&self, message: &str) -> Lease {
        self.leases
            .adopt(message, handle(message), Instant::now(), WAIT)
            .unwrap()
    }

    fn calls(&self) -> Vec<usize> {
        self.queue
            .asked()
            .iter()
            .map(|asked| asked.entries.len())
            .collect()
    }
}

#[tokio::test(start_paused = true)]
async fn a_single_delete_waits_25_ms_for_others() {
    let rig = rig(&[], Answer::Done);
    assert_eq!(
        rig.settler.delete(&rig.lease("m"), || ()).await,
        SettleResult::Done
    );
    let waited = rig.began.elapsed();
    assert!((25..30).contains(&waited.as_millis()), "{waited:?}");
    assert_eq!(rig.queue.asked()[0].entries, [("m".to_owned(), None)]);
}

#[tokio::test(start_paused = true)]
async fn ten_deletes_go_at_once_in_one_call() {
    let rig = rig(&[], Answer::Done);
    let leases: Vec<_> = (0..25).map(|n| rig.lease(&format!("m{n}"))).collect();
    let deletes = leases.iter().map(|lease| rig.settler.delete(lease, || ()));
    let settled = futures_util::future::join_all(deletes).await;
    assert!(settled.iter().all(|settled| *settled == SettleResult::Done));
    assert_eq!(rig.calls(), [10, 10, 5]);
    assert_eq!(rig.queue.asked()[1].at, rig.began, "a full batch waited");
}

#[tokio::test(start_paused = true)]
async fn a_failed_entry_is_tried_again_and_its_neighbours_are_not() {
    let rig = rig(
        &[Answer::Entry(1, EntryFailureKind::Transient)],
        Answer::Done,
    );
    let leases = [rig.lease("m0"), rig.lease("m1"), rig.lease("m2")];
    let settled =
        futures_util::future::join_all(leases.iter().map(|lease| rig.settler.delete(lease, || ())))
            .await;
    assert_eq!(settled, [SettleResult::Done; 3]);
    assert_eq!(rig.calls(), [3, 1]);
    assert_eq!(rig.queue.asked()[1].entries[0].0, "m1");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_fails_or_hangs_is_tried_again() {
    let script = [Answer::Call(QueueFailureKind::Throttled), Answer::Hang];
    let rig = rig(&script, Answer::Done);
    assert_eq!(
        rig.settler.delete(&rig.lease("m"), || ()).await,
        SettleResult::Done
    );
    assert_eq!(rig.calls(), [1, 1, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_delete_whose_call_has_begun_is_not_taken_back() {
    // Two rounds of calls that hang, three seconds each, and then a slow one.
    let rig = rig(&[Answer::Hang; 8], Answer::Late(Duration::from_secs(2)));
    let before: Vec<_> = (0..80).map(|n| rig.lease(&format!("m{n}"))).collect();
    let hanging =
        futures_util::future::join_all(before.iter().map(|lease| rig.settler.delete(lease, || ())));
    let last = rig.lease("last");
    let late = async {
        sleep(Duration::from_millis(500)).await;
        rig.settler.delete(&last, || ()).await
    };
    let (_, settled) = tokio::join!(timeout(Duration::from_mins(1), hanging), late);
    assert_eq!(settled, SettleResult::Done);
    let asked = rig.queue.asked();
    let of_last = asked.iter().filter(|asked| {
        let mut entries = asked.entries.iter();
        entries.any(|(handle, _)| handle == "last")
    });
    assert_eq!(of_last.count(), 1, "a call that had begun was taken back");
}

#[tokio::test(start_paused = true)]
async fn a_delete_that_the_queue_disowns_ends() {
    let rig = rig(
        &[Answer::Entries(EntryFailureKind::LeaseLost)],
        Answer::Done,
    );
    assert_eq!(
        rig.settler.delete(&rig.lease("m"), || ()).await,
        SettleResult::LeaseLost
    );
    assert_eq!(rig.calls(), [1]);
}

#[tokio::test(start_paused = true)]
async fn a_delete_confirmed_for_an_old_handle_is_repeated_with_the_new_one() {
    let rig = rig(&[Answer::Late(Duration::from_secs(1))], Answer::Done);
    let lease = rig.lease("m");
    let replace = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert!(
            rig.leases
                .adopt("m", handle("newer"), Instant::now(), WAIT)
                .is_none()
        );
    };
    let (settled, ()) = tokio::join!(rig.settler.delete(&lease, || ()), replace);
    assert_eq!(settled, SettleResult::Done);
    assert_eq!(
        rig.queue.asked()[1].entries,
        [("newer".to_owned(), None), ("m".to_owned(), None)]
    );
}

#[tokio::test(start_paused = true)]
async fn a_delete_is_tried_even_after_the_lease_was_lost() {
    let rig = rig(&[], Answer::Done);
    let lease = rig.lease("m");
    tokio::time::sleep(Duration::from_secs(61)).await;
    assert!(lease.is_lost());
    assert_eq!(rig.settler.delete(&lease, || ()).await, SettleResult::Done);
}

#[tokio::test(start_paused = true)]
async fn a_delete_that_fails_for_ever_is_given_up_at_the_cap_only() {
    let rig = rig(&[], Answer::Entries(EntryFailureKind::Transient));
    assert_eq!(
        rig.settler.delete(&rig.lease("m"), || ()).await,
        SettleResult::GivenUp
    );
    let hours = rig.began.elapsed().as_secs() / 3600;
    assert_eq!(hours, 11, "{:?}", rig.began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_delete_that_fails_waits_for_at_most_a_quarter_of_a_short_lease() {
    let length = Duration::from_secs(6);
    let rig = rig_of(length, &[], Answer::Entries(EntryFailureKind::Transient));
    let lease = rig.lease("m");
    let deleting = rig.settler.delete(&lease, || ());
    let minute = tokio::time::timeout(LENGTH, deleting).await;
    assert!(minute.is_err());
    let times: Vec<_> = rig.queue.asked().iter().map(|asked| asked.at).collect();
    let longest = times.windows(2).map(|pair| pair[1] - pair[0]).max();
    // The linger of a batch is part of it.
    assert!(longest <= Some(length / 4 + BATCH_LINGER), "{longest:?}");
    assert!(times.len() > 40, "{}", times.len());
}

#[tokio::test(start_paused = true)]
async fn once_two_deletes_have_hung_renewals_get_their_turn() {
    let rig = rig(&[], Answer::Hang);
    let lease = rig.lease("m");
    let deleting = rig.settler.delete(&lease, || ());
    assert!(tokio::time::timeout(LENGTH * 5, deleting).await.is_err());
    let times: Vec<_> = rig.queue.asked().iter().map(|asked| asked.at).collect();
    let between = times.windows(2).map(|pair| pair[1] - pair[0]);
    let shortest = between.skip(1).min();
    let wanted = lease_call_timeout(LENGTH) * 2;
    assert!(shortest >= Some(wanted), "{shortest:?}");
}

#[tokio::test(start_paused = true)]
async fn giving_back_asks_for_the_delay_and_ends_with_the_lease() {
    let rig = rig(&[], Answer::Call(QueueFailureKind::Transient));
    let lease = rig.lease("m");
    let (settled, ()) = tokio::join!(
        rig.settler.give_back(&lease, Duration::from_secs(4)),
        async {
            // The keeper, which tells of expired leases, does not run here.
            tokio::time::sleep(Duration::from_secs(70)).await;
            assert!(
                rig.leases
                    .adopt("m", handle("next"), Instant::now(), WAIT)
                    .is_some()
            );
        }
    );
    assert_ne!(settled, SettleResult::Done);
    assert_eq!(
        rig.queue.asked()[0].entries,
        [("m".to_owned(), Some(Duration::from_secs(4)))]
    );
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_drain_ends_settling() {
    let rig = rig(&[], Answer::Hang);
    let lease = rig.lease("m");
    rig.drain.begin();
    let settled = rig.settler.delete(&lease, || ()).await;
    assert_eq!(settled, SettleResult::GivenUp);
    assert_eq!(rig.began.elapsed(), Duration::from_millis(24_500));
}

#[tokio::test(start_paused = true)]
async fn a_message_is_given_back_within_the_twelve_hours() {
    let rig = rig(&[], Answer::Done);
    let lease = rig.lease("m");
    tokio::time::advance(Duration::from_secs(45)).await;
    let hour = 60 * 60;
    let asked_for = Duration::from_hours(12);
    assert_eq!(
        rig.settler.give_back(&lease, asked_for).await,
        SettleResult::Done
    );
    let [(_, given)] = &rig.queue.asked()[0].entries[..] else {
        panic!("one entry");
    };
    let left = Duration::from_secs(12 * hour - 60 - 45);
    assert!(given.is_some_and(|given| given <= left), "{given:?}");
}

#[tokio::test(start_paused = true)]
async fn a_message_that_came_twice_is_deleted_by_both_handles() {
    let rig = rig(&[], Answer::Done);
    let lease = rig.lease("m");
    let again = rig.leases.adopt("m", handle("copy"), Instant::now(), WAIT);
    assert!(again.is_none(), "one lease");
    let settled = rig.settler.delete(&lease, || ()).await;
    assert_eq!(settled, SettleResult::Done);
    let asked = rig.queue.asked();
    let handles: Vec<_> = asked.iter().flat_map(|asked| &asked.entries).collect();
    assert_eq!(
        handles,
        [&("copy".to_owned(), None), &("m".to_owned(), None)]
    );
}

#[tokio::test(start_paused = true)]
async fn while_a_message_is_deleted_by_both_handles_it_is_not_renewed() {
    let rig = rig(&[Answer::Late(Duration::from_secs(2))], Answer::Done);
    let lease = rig.lease("m");
    assert!(
        rig.leases
            .adopt("m", handle("copy"), Instant::now(), WAIT)
            .is_none()
    );
    let keeper = tokio::spawn(Arc::clone(&rig.leases).keep(|| (), CancellationToken::new()));
    tokio::time::sleep(Duration::from_secs(29)).await;
    let settled = rig.settler.delete(&lease, || ()).await;
    assert_eq!(settled, SettleResult::Done);
    drop(lease);
    tokio::time::sleep(Duration::from_secs(5)).await;
    let asked = rig.queue.asked();
    let renewals = asked.iter().flat_map(|asked| &asked.entries);
    assert_eq!(renewals.filter(|(_, to)| to.is_some()).count(), 0);
    keeper.abort();
}

#[tokio::test(start_paused = true)]
async fn what_comes_again_while_it_is_given_back_is_a_lease_of_its_own() {
    let rig = rig(&[], Answer::Call(QueueFailureKind::Transient));
    let lease = rig.lease("m");
    let give_back = rig.settler.give_back(&lease, Duration::from_secs(2));
    let again = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        rig.leases.adopt("m", handle("again"), Instant::now(), WAIT)
    };
    let (settled, again) = tokio::join!(give_back, again);
    assert!(matches!(
        settled,
        SettleResult::LeaseLost | SettleResult::GivenUp
    ));
    assert!(!again.expect("a lease of its own").is_lost());
    let asked = rig.queue.asked();
    let mut handles = asked.iter().flat_map(|asked| &asked.entries);
    assert!(handles.all(|(handle, _)| handle == "m"));
}

#[tokio::test(start_paused = true)]
async fn a_delete_that_was_confirmed_counts_at_a_stop_though_an_older_handles_hangs() {
    let rig = rig(&[Answer::Done], Answer::Hang);
    let others: Vec<_> = (0..9).map(|n| rig.lease(&format!("m{n}"))).collect();
    let lease = rig.lease("m");
    let again = rig.leases.adopt("m", handle("copy"), Instant::now(), WAIT);
    assert!(again.is_none(), "one lease");
    rig.drain.begin();
    let closed = rig.drain.wait_closed();
    let too_late = async {
        closed.await;
        Instant::now()
    };
    let deletes = async {
        tokio::time::sleep(Duration::from_secs(23)).await;
        let all = others.iter().chain([&lease]);
        let settled = all.map(|lease| rig.settler.delete(lease, || ()));
        futures_util::future::join_all(settled).await
    };
    let (closed_at, settled) = tokio::join!(too_late, deletes);
    assert_eq!(rig.calls(), [10, 1], "the older handle's is another call");
    assert!(closed_at < rig.began + Duration::from_secs(26));
    assert!(settled.iter().all(|settled| *settled == SettleResult::Done));
}
