//! What a ledger makes of a table that fails, and of one that answers again.

use super::*;

#[tokio::test(start_paused = true)]
async fn the_first_mail_that_waited_in_vain_lets_all_go_and_what_they_sent_is_written_later() {
    let table: Arc<TableInMemory> = Arc::default();
    let one = task(&table);
    table.fail(TableFailureKind::Transient);
    let began = tokio::time::Instant::now();
    send(&one, "a", "mail-1").await;
    let waited = began.elapsed();
    assert!((seconds(10)..seconds(12)).contains(&waited), "{waited:?}");
    let began = tokio::time::Instant::now();
    send(&one, "b", "mail-2").await;
    assert_eq!(began.elapsed(), Duration::ZERO, "the next does not wait");
    assert!(one.ledger.begin("a").await.is_none(), "the memory knows it");
    let heard = one.ledger.hear("b", "mail-2").await;
    assert_eq!(heard.known, KnownTo::ThisTask, "the event must stay");
    table.fail(None);
    sleep(seconds(6)).await;
    assert_eq!(table.item("q#a"), Some(sent("mail-1")));
    assert_eq!(table.item("q#b"), Some(sent("mail-2")));
    let calls = table.calls("PutItem");
    drop(begin_send(&one, "c").await);
    assert_eq!(
        table.calls("PutItem"),
        calls + 1,
        "claims are asked for again"
    );
}

#[tokio::test(start_paused = true)]
async fn a_process_that_stood_still_does_not_go_without_a_table_that_answers() {
    let table: Arc<TableInMemory> = Arc::default();
    let one = task(&table);
    table.answer_after(TABLE_CALL_TIMEOUT);
    table.fail(TableFailureKind::Transient);
    let guard = begin(&one, "a").await;
    let claim = tokio::spawn(async move { guard.claim(&|_| ()).await });
    settle().await;
    assert_eq!(table.calls("PutItem"), 1, "the call is under way");
    // Longer than a mail waits; the call fails once the process runs again.
    tokio::time::advance(seconds(20)).await;
    settle().await;
    table.fail(None);
    assert_eq!(claim.await.unwrap(), Claimed::Ours);
    assert_eq!(one.ledger.without_table(), None);
    assert!(table.item("q#a").is_some(), "it has its claim");
}

#[tokio::test(start_paused = true)]
async fn a_table_that_is_to_be_waited_for_is_waited_for() {
    let table: Arc<TableInMemory> = Arc::default();
    let one = start(&table, "q", None);
    one.ledger
        .set_aside("it did not answer at the start".to_owned());
    table.fail(TableFailureKind::Throttled);
    let guard = begin(&one, "a").await;
    let claim = tokio::spawn(async move { guard.claim(&|_| ()).await });
    settle().await;
    assert!(!claim.is_finished());
    sleep(seconds(3600)).await;
    settle().await;
    assert!(!claim.is_finished());
    table.fail(None);
    assert_eq!(claim.await.unwrap(), Claimed::Ours);
}

#[tokio::test(start_paused = true)]
async fn a_mail_that_another_task_may_be_sending_does_not_go_without_the_table() {
    let table: Arc<TableInMemory> = Arc::default();
    let (one, other) = (task(&table), task(&table));
    let _sending = begin_send(&one, "a").await;
    let guard = begin(&other, "a").await;
    assert_eq!(guard.claim(&|_| ()).await, Claimed::Elsewhere);
    table.fail(TableFailureKind::Transient);
    send(&other, "b", "mail-2").await;
    assert_eq!(guard.claim(&|_| ()).await, Claimed::Elsewhere);
    sleep(seconds(CLAIM_LASTS)).await;
    assert_eq!(guard.claim(&|_| ()).await, Claimed::Ours);
}

#[tokio::test(start_paused = true)]
async fn a_table_whose_claims_alone_fail_is_not_asked_all_the_time() {
    let table: Arc<TableInMemory> = Arc::default();
    let one = task(&table);
    // The question whether it answers is answered, and no claim is.
    table.fail_only("PutItem", TableFailureKind::AccessDenied);
    let mut waits = 0;
    for number in 0..600 {
        let began = tokio::time::Instant::now();
        send(&one, &format!("mail {number}"), "id").await;
        waits += u32::from(began.elapsed() > seconds(1));
        sleep(seconds(1)).await;
    }
    assert!(waits <= 12, "{waits} mails waited in ten minutes");
}

#[tokio::test(start_paused = true)]
async fn a_stop_writes_what_was_sent() {
    let table: Arc<TableInMemory> = Arc::default();
    let one = task(&table);
    let guard = begin_send(&one, "a").await;
    guard.sent("mail-1").await;
    let stop = CancellationToken::new();
    stop.cancel();
    one.writing.abort();
    one.ledger.run(stop).await;
    assert_eq!(table.item("q#a"), Some(sent("mail-1")));
}

#[tokio::test(start_paused = true)]
async fn an_event_that_is_heard_while_the_table_is_aside_is_written_once_it_answers() {
    let table: Arc<TableInMemory> = Arc::default();
    let (one, other) = (task(&table), task(&table));
    let guard = begin_send(&one, "a").await;
    // Its own trouble has put the table aside for the other task alone.
    other.ledger.set_aside("it did not answer".to_owned());
    for _ in 0..3 {
        let heard = other.ledger.hear("a", "mail-1").await;
        assert_eq!(heard.known, KnownTo::ThisTask);
    }
    sleep(seconds(9)).await;
    let heard = timeout(seconds(60), guard.hear()).await;
    assert_eq!(heard.as_deref(), Ok("mail-1"));
    assert_eq!(
        table.batches(),
        [1],
        "one record does for all that was heard of it"
    );
}

#[tokio::test(start_paused = true)]
async fn records_alone_that_fail_put_the_table_aside_and_keep_it_there() {
    let table: Arc<TableInMemory> = Arc::default();
    let one = task(&table);
    table.fail_only("BatchWriteItem", TableFailureKind::AccessDenied);
    let guard = begin_send(&one, "mail 0").await;
    guard.sent("id").await;
    sleep(seconds(12)).await;
    let claims = table.calls("PutItem");
    for number in 1..100 {
        let began = tokio::time::Instant::now();
        send(&one, &format!("mail {number}"), "id").await;
        assert_eq!(
            began.elapsed(),
            Duration::ZERO,
            "nobody waits for a record in vain"
        );
        sleep(seconds(1)).await;
    }
    assert_eq!(table.calls("PutItem"), claims, "no claim without a record");
    table.fail(None);
    sleep(seconds(10)).await;
    assert_eq!(table.item("q#mail 99"), Some(sent("id")));
    let probed = claims + 1;
    drop(begin_send(&one, "after").await);
    assert_eq!(table.calls("PutItem"), probed + 1);
}

#[tokio::test(start_paused = true)]
async fn a_batch_of_which_nothing_is_taken_counts_as_a_failure() {
    let table: Arc<TableInMemory> = Arc::default();
    let one = task(&table);
    table.batches_take(0);
    let guard = begin_send(&one, "a").await;
    guard.sent("mail-1").await;
    sleep(seconds(12)).await;
    let began = tokio::time::Instant::now();
    send(&one, "b", "mail-2").await;
    assert_eq!(began.elapsed(), Duration::ZERO, "the table is put aside");
}

#[tokio::test(start_paused = true)]
async fn claims_that_were_refused_do_not_push_the_one_that_stands_out_of_the_list() {
    let table: Arc<TableInMemory> = Arc::default();
    let one = start(&table, "q", None);
    let guard = begin(&one, "a").await;
    table.lose_answers(1);
    let claim = tokio::spawn(async move { guard.claim(&|_| ()).await });
    while table.calls("PutItem") == 0 {
        tokio::task::yield_now().await;
    }
    // Before the next is asked for.
    table.fail(TableFailureKind::Throttled);
    // Before the first ends by itself.
    sleep(seconds(50)).await;
    assert!(table.calls("PutItem") > 64, "more than are remembered");
    table.fail(None);
    assert_eq!(claim.await.unwrap(), Claimed::Ours);
}

#[tokio::test(start_paused = true)]
async fn a_table_in_which_nothing_can_be_claimed_or_recorded_or_dropped_stays_aside() {
    for call in ["PutItem", "BatchWriteItem", "DeleteItem"] {
        let table: Arc<TableInMemory> = Arc::default();
        let one = task(&table);
        table.fail_only(call, TableFailureKind::AccessDenied);
        one.ledger.set_aside("it did not answer".to_owned());
        for number in 0..50 {
            let began = Instant::now();
            send(&one, &format!("mail {number}"), "id").await;
            assert_eq!(began.elapsed(), Duration::ZERO, "{call}");
            sleep(seconds(1)).await;
        }
        let stands = table.item("q#mail 40").is_some();
        assert_eq!(stands, call != "BatchWriteItem", "{call}");
        table.fail(None);
        sleep(seconds(6)).await;
        assert_eq!(table.item("q#mail 49"), Some(sent("id")), "{call}");
        let before = table.calls("PutItem");
        drop(begin_send(&one, "after").await);
        assert_eq!(table.calls("PutItem"), before + 1, "it is in use again");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_tries_what_has_failed_until_its_time_is_over() {
    let table: Arc<TableInMemory> = Arc::default();
    let one = task(&table);
    table.batches_take(0);
    let guard = begin_send(&one, "a").await;
    guard.sent("mail-1").await;
    settle().await;
    one.writing.abort();
    let stop = CancellationToken::new();
    stop.cancel();
    let ending = tokio::spawn({
        let ledger = one.ledger.clone();
        async move { ledger.run(stop).await }
    });
    sleep(Duration::from_millis(200)).await;
    table.batches_take(None);
    ending.await.unwrap();
    assert_eq!(table.item("q#a"), Some(sent("mail-1")));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_asked_without_rest_while_the_table_is_aside() {
    let table: Arc<TableInMemory> = Arc::default();
    let one = task(&table);
    table.fail(TableFailureKind::Transient);
    send(&one, "a", "mail-1").await;
    let calls = |table: &TableInMemory| table.calls("BatchWriteItem") + table.calls("DeleteItem");
    let before = calls(&table);
    sleep(seconds(60)).await;
    assert!(calls(&table) - before <= 12, "{}", calls(&table) - before);
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_waits_for_the_table_ends_with_an_event_of_its_mail() {
    let table: Arc<TableInMemory> = Arc::default();
    let one = start(&table, "q", None);
    table.fail(TableFailureKind::Transient);
    let guard = begin(&one, "a").await;
    let claim = tokio::spawn(async move { guard.claim(&|_| ()).await });
    sleep(seconds(60)).await;
    assert!(!claim.is_finished());
    assert_eq!(
        one.ledger.hear("a", "mail-1").await.known,
        KnownTo::ThisTask
    );
    assert_eq!(claim.await.unwrap(), is_sent_as("mail-1"));
}

#[tokio::test(start_paused = true)]
async fn no_send_begins_once_an_event_has_told_of_the_mail() {
    let table: Arc<TableInMemory> = Arc::default();
    let one = task(&table);
    let guard = begin(&one, "a").await;
    assert_eq!(guard.claim(&|_| ()).await, Claimed::Ours);
    one.ledger.hear("a", "mail-1").await;
    assert!(!guard.begin_send());
}

#[tokio::test(start_paused = true)]
async fn a_claim_stays_until_what_an_event_told_stands_in_the_table() {
    let table: Arc<TableInMemory> = Arc::default();
    let one = task(&table);
    let guard = begin(&one, "a").await;
    assert_eq!(guard.claim(&|_| ()).await, Claimed::Ours);
    table.fail_only("BatchWriteItem", TableFailureKind::Transient);
    let hearing = tokio::spawn({
        let ledger = one.ledger.clone();
        async move { ledger.hear("a", "mail-1").await }
    });
    settle().await;
    assert!(!guard.begin_send());
    drop(guard);
    sleep(seconds(1)).await;
    assert!(matches!(table.item("q#a"), Some(Item::Sending { .. })));
    table.fail(None);
    assert_eq!(hearing.await.unwrap().known, KnownTo::All);
    assert_eq!(table.item("q#a"), Some(sent("mail-1")));
}

#[tokio::test(start_paused = true)]
async fn a_moments_trouble_at_the_start_does_not_switch_the_table_off() {
    let table: Arc<TableInMemory> = Arc::default();
    let one = task(&table);
    one.ledger.set_aside("it did not answer".to_owned());
    settle().await;
    drop(begin_send(&one, "a").await);
    assert!(table.item("q#a").is_some());
}

#[tokio::test(start_paused = true)]
async fn one_batch_that_fails_after_an_outage_is_no_outage() {
    let table: Arc<TableInMemory> = Arc::default();
    let one = task(&table);
    table.fail_only("BatchWriteItem", TableFailureKind::Transient);
    let guard = begin_send(&one, "a").await;
    guard.sent("mail-1").await;
    sleep(seconds(30)).await;
    table.fail(None);
    sleep(seconds(6)).await;
    assert_eq!(table.item("q#a"), Some(sent("mail-1")));
    table.batches_take(0);
    let guard = begin_send(&one, "b").await;
    guard.sent("mail-2").await;
    settle().await;
    let claims = table.calls("PutItem");
    drop(begin_send(&one, "c").await);
    assert_eq!(table.calls("PutItem"), claims + 1, "it is in use");
}

#[tokio::test(start_paused = true)]
async fn what_is_under_way_when_a_stop_ends_counts_as_not_written() {
    let table: Arc<TableInMemory> = Arc::default();
    let one = task(&table);
    let guard = begin_send(&one, "a").await;
    table.answer_after(seconds(1));
    guard.sent("mail-1").await;
    settle().await;
    assert_eq!(one.ledger.0.writer.waiting(), 1);
    one.writing.abort();
    settle().await;
    assert_eq!(one.ledger.0.writer.waiting(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_stop_asks_a_table_once_more_that_was_put_aside() {
    let table: Arc<TableInMemory> = Arc::default();
    let one = task(&table);
    table.fail(TableFailureKind::Transient);
    one.ledger.set_aside("it did not answer".to_owned());
    settle().await;
    send(&one, "a", "mail-1").await;
    table.fail(None);
    one.writing.abort();
    let stop = CancellationToken::new();
    stop.cancel();
    one.ledger.run(stop).await;
    assert_eq!(table.item("q#a"), Some(sent("mail-1")));
}
