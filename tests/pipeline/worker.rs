//! Workers that fail after the mail has gone: the ledger says what is to be done.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use organizer_notifier::ledger::{
    ClaimFailed, Claimed, Heard, Hits, Ledger, MemoryLedger, SendGuard,
};

use crate::rig::{Operation, Reaction, Rig, secs};

/// Remembers what was sent, and panics right after.
#[derive(Default)]
struct PanicsOnceSent(MemoryLedger);

struct Panics(Box<dyn SendGuard>);

#[async_trait]
impl Ledger for PanicsOnceSent {
    async fn begin(&self, key: &str) -> Option<Box<dyn SendGuard>> {
        let guard = self.0.begin(key).await?;
        Some(Box::new(Panics(guard)))
    }

    async fn hear(&self, key: &str, email_id: &str) -> Heard {
        self.0.hear(key, email_id).await
    }

    async fn hear_sibling(&self, queue: &str, key: &str, email_id: &str) -> Option<Heard> {
        self.0.hear_sibling(queue, key, email_id).await
    }

    fn claim_takes(&self) -> Duration {
        self.0.claim_takes()
    }

    async fn is_sent(&self, key: &str) -> bool {
        self.0.is_sent(key).await
    }

    fn size(&self) -> usize {
        self.0.size()
    }

    fn hits(&self) -> Hits {
        self.0.hits()
    }

    fn without_table(&self) -> Option<Duration> {
        self.0.without_table()
    }
}

#[async_trait]
impl SendGuard for Panics {
    async fn claim(&self, failed: ClaimFailed<'_>) -> Claimed {
        self.0.claim(failed).await
    }

    fn hurry_claim(&self) {
        self.0.hurry_claim();
    }

    async fn wait_for_other(&self) {
        self.0.wait_for_other().await;
    }

    fn begin_send(&self) -> bool {
        self.0.begin_send()
    }

    fn not_sent(&self) {
        self.0.not_sent();
    }

    async fn recorded(&self) {
        self.0.recorded().await;
    }

    async fn sent(&self, email_id: &str) {
        self.0.sent(email_id).await;
        panic!("as it was told");
    }

    fn heard(&self) -> Option<String> {
        self.0.heard()
    }

    async fn look(&self) -> Option<String> {
        self.0.look().await
    }

    async fn hear(&self) -> String {
        self.0.hear().await
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_after_the_mail_was_noted_deletes_the_message() {
    let rig = Rig::new().await;
    rig.publish("dana").await;
    let running = rig.start_pipeline(Arc::new(PanicsOnceSent::default()));
    rig.until(|| rig.queue.is_empty()).await;
    assert_eq!(rig.mailer.times_mailed("dana"), 1);
    let report = running.stop().await;
    assert_eq!(report.tally.to_string(), "received 1 = 1 panicked");
    assert!(report.clean);
}

#[tokio::test(start_paused = true)]
async fn copies_of_a_message_whose_worker_panicked_so_are_duplicates() {
    let rig = Rig::new().await;
    rig.publish("dana").await;
    rig.queue.duplicate("dana", secs(2), true);
    let running = rig.start_pipeline(Arc::new(PanicsOnceSent::default()));
    rig.until(|| rig.queue.is_empty()).await;
    assert_eq!(rig.mailer.times_mailed("dana"), 1);
    let report = running.stop().await;
    assert_eq!(
        report.tally.to_string(),
        "received 2 = 1 duplicate + 1 panicked"
    );
}

#[tokio::test(start_paused = true)]
async fn its_delete_is_repeated_as_any_other() {
    let rig = Rig::new().await;
    let mut calls = 0;
    rig.queue.react(move |call| {
        calls += u32::from(call.operation == Operation::Delete);
        if call.operation == Operation::Delete && calls < 4 {
            Reaction::Hang
        } else {
            Reaction::Pass
        }
    });
    rig.publish("dana").await;
    let running = rig.start_pipeline(Arc::new(PanicsOnceSent::default()));
    rig.until(|| rig.queue.is_empty()).await;
    assert_eq!(rig.outcomes("dana").len(), 1);
    assert_eq!(rig.queue.deliveries_of("dana").len(), 1);
    assert!(running.stop().await.clean);
}
