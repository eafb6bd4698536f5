//! One copy's right to send, here and in the table.

use std::sync::{Arc, atomic::Ordering};

use async_trait::async_trait;
use tokio::{
    sync::oneshot,
    time::{Duration, Instant, sleep},
};
use tracing::{info, warn};

use super::{CLAIM_COUNTS_FOR, Shared, claims::Claims, table_key};
use crate::{
    backoff::{Backoff, Jitter},
    ledger::{ClaimFailed, Claimed, Ledger, SendGuard},
    mutex::Mutex,
    ports::table::{Claim, Claimed as Answer, Known, TableFailure},
    random::random_id,
    timing::TABLE_CALL_TIMEOUT,
};

/// How often somebody else's claim is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(3);
/// The shortest such wait, where the claim is about to end.
const LOOK_AFTER: Duration = Duration::from_millis(200);

pub(super) struct SharedGuard {
    shared: Arc<Shared>,
    memory: Box<dyn SendGuard>,
    key: String,
    /// What the table knows the mail by.
    table_key: String,
    claims: Mutex<Claims>,
    /// Told when the mail stands in the table as sent.
    recorded: Mutex<Option<oneshot::Receiver<()>>>,
}

impl SharedGuard {
    pub(super) fn new(shared: Arc<Shared>, memory: Box<dyn SendGuard>, key: &str) -> Self {
        Self {
            table_key: table_key(&shared.queue, key),
            shared,
            memory,
            key: key.to_owned(),
            claims: Mutex::default(),
            recorded: Mutex::new(None),
        }
    }

    /// One claim, in one call.
    async fn ask(&self) -> Result<Claimed, TableFailure> {
        let asked = Instant::now();
        let owner = random_id();
        let earlier = self.claims.lock().ask(&owner);
        let claim = Claim {
            key: &self.table_key,
            owner: &owner,
            earlier: &earlier,
            lasts: self.shared.claim_lasts,
        };
        let answer = match self.shared.table.claim(claim).await {
            Ok(answer) => answer,
            Err(failure) => {
                if failure.is_of_nothing() {
                    self.claims.lock().not_written(&owner);
                }
                return Err(failure);
            }
        };
        self.shared.reach.answered();
        let mut claims = self.claims.lock();
        Ok(match answer {
            Answer::Ours { taken_over } => {
                claims.granted(&owner, asked + CLAIM_COUNTS_FOR);
                if taken_over {
                    self.shared.instruments.metrics.claim_taken_over();
                    info!(
                        notifier.key = self.key,
                        "an earlier claim on this mail has ended, and the mail is not recorded as \
                         sent: this task sends it now"
                    );
                }
                Claimed::Ours
            }
            Answer::Sent { email_id } => {
                self.shared.hits.fetch_add(1, Ordering::Relaxed);
                Claimed::Sent { email_id }
            }
            Answer::Sending { remaining } => {
                claims.refused(Instant::now() + remaining);
                Claimed::Elsewhere
            }
            Answer::Unreadable => {
                warn!(
                    notifier.key = self.key,
                    "the item of this mail in the ledger's table {} has a form that no task of \
                     this program writes: the mail is sent without it; check whether another \
                     program writes to the table",
                    self.shared.table.name()
                );
                self.without(&mut claims)
            }
        })
    }

    /// Waits until the table says that the mail was sent: its event may have reached another task.
    async fn told_by_table(&self) -> String {
        loop {
            sleep(LOOK_EVERY).await;
            if let Some(email_id) = self.look_in_table().await {
                return email_id;
            }
        }
    }

    /// The mail service's id of the mail, where the table knows that it was sent.
    async fn look_in_table(&self) -> Option<String> {
        if self.shared.reach.is_aside() {
            return None;
        }
        let known = self.shared.table.look(&self.table_key).await;
        if let Err(failure) = &known {
            self.shared.reach.failed_beside(failure);
        }
        let Ok(Some(Known::Sent { email_id })) = known else {
            return None;
        };
        let email_id = email_id?;
        self.shared.memory.hear(&self.key, &email_id).await;
        Some(email_id)
    }

    fn without(&self, claims: &mut Claims) -> Claimed {
        if claims.go_without(Instant::now() + CLAIM_COUNTS_FOR) {
            self.shared.reach.went_without();
            self.shared.instruments.metrics.sent_without_table();
        }
        Claimed::Ours
    }
}

#[async_trait]
impl SendGuard for SharedGuard {
    async fn claim(&self, failed: ClaimFailed<'_>) -> Claimed {
        let reach = &self.shared.reach;
        // Only what calls and pauses may take counts: a process that stood still has not waited for the
        // table, and would put one aside that answers.
        let mut waited = Duration::ZERO;
        let mut backoff = Backoff::new(
            Duration::from_millis(100),
            Duration::from_secs(1),
            Jitter::Full,
        );
        loop {
            if reach.is_aside() {
                let mut claims = self.claims.lock();
                // What somebody else may be sending is left to them as long as they may.
                return match claims.other_remains(Instant::now()) {
                    Some(_) => Claimed::Elsewhere,
                    None => self.without(&mut claims),
                };
            }
            let asked = Instant::now();
            let failure = tokio::select! {
                biased;
                answer = self.ask() => match answer {
                    Ok(Claimed::Sent { email_id }) => {
                        // The next copy need not ask.
                        if let Some(email_id) = &email_id {
                            self.memory.sent(email_id).await;
                        }
                        self.claims.lock().sent();
                        return Claimed::Sent { email_id };
                    }
                    Ok(claimed) => return claimed,
                    Err(failure) => failure,
                },
                // What an event tells here need not stand in the table yet.
                email_id = self.memory.hear() => return Claimed::Sent { email_id: Some(email_id) },
                () = reach.put_aside() => continue,
            };
            failed(&failure.error);
            waited += asked.elapsed().min(TABLE_CALL_TIMEOUT);
            reach.failed(&failure, waited);
            let pause = backoff.next_delay();
            waited += pause;
            tokio::select! {
                () = sleep(pause) => {}
                email_id = self.memory.hear() => return Claimed::Sent { email_id: Some(email_id) },
                () = reach.put_aside() => {}
            }
        }
    }

    async fn wait_for_other(&self) {
        loop {
            let remaining = self.claims.lock().other_remains(Instant::now());
            let remaining = remaining.unwrap_or_default();
            sleep(remaining.clamp(LOOK_AFTER, LOOK_EVERY)).await;
            if !self.shared.reach.is_aside() {
                match self.shared.table.look(&self.table_key).await {
                    Ok(Some(Known::Sending { remaining })) => {
                        self.claims.lock().refused(Instant::now() + remaining);
                    }
                    // The next claim is told, or stands.
                    Ok(Some(Known::Sent { .. }) | None) => {
                        self.claims.lock().other_is_gone();
                    }
                    Err(failure) => self.shared.reach.failed_beside(&failure),
                }
            }
            if self.claims.lock().other_remains(Instant::now()).is_none() {
                return;
            }
        }
    }

    fn hurry_claim(&self) {
        let said = "the daemon stops and cannot wait for the table".to_owned();
        self.shared.reach.set_aside(said);
    }

    fn begin_send(&self) -> bool {
        self.memory.heard().is_none() && self.claims.lock().begin_send(Instant::now())
    }

    fn not_sent(&self) {
        self.claims.lock().not_sent();
    }

    async fn sent(&self, email_id: &str) {
        self.memory.sent(email_id).await;
        self.claims.lock().sent();
        let recorded = self.shared.writer.record(&self.table_key, email_id);
        *self.recorded.lock() = Some(recorded);
    }

    async fn recorded(&self) {
        let Some(recorded) = self.recorded.lock().take() else {
            return;
        };
        tokio::select! {
            biased;
            // It fails where the record was dropped.
            _ = recorded => {}
            () = self.shared.reach.put_aside() => {}
        }
    }

    fn heard(&self) -> Option<String> {
        self.memory.heard()
    }

    async fn look(&self) -> Option<String> {
        match self.memory.heard() {
            None if self.claims.lock().is_in_doubt() => self.look_in_table().await,
            heard => heard,
        }
    }

    async fn hear(&self) -> String {
        if !self.claims.lock().may_have_gone() {
            return self.memory.hear().await;
        }
        tokio::select! {
            email_id = self.memory.hear() => email_id,
            email_id = self.told_by_table() => email_id,
        }
    }
}

impl Drop for SharedGuard {
    fn drop(&mut self) {
        // An event has told that the mail was sent, and that need not stand in the table yet: until it does
        // the claim keeps others from sending.
        if self.memory.heard().is_some() {
            return;
        }
        let owners = self.claims.lock().left();
        self.shared.writer.drop_claims(&self.table_key, owners);
    }
}
