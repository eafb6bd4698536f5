//! A mail's share of the rate.

use std::pin::pin;

use tokio::time::Instant;

use super::Worker;
use crate::{
    pipeline::{breaker::Pass, outcome::Ending},
    timing::TABLE_CALL_TIMEOUT,
};

impl Worker<'_> {
    /// Waits until the rate allows a mail of so many recipients, and takes their share. False where the
    /// breaker moved on meanwhile.
    pub(super) async fn wait_turn(&self, recipients: usize, pass: &Pass) -> Result<bool, Ending> {
        let turn = async {
            tokio::select! {
                () = self.context.limiter.take(recipients) => true,
                () = pass.outdated() => false,
            }
        };
        self.wait(pin!(turn)).await
    }

    /// What was taken then is good for that moment. Mails that have waited long since, for the table or
    /// for their leases, would all go at once, so that each takes its share anew. A stop has no time for
    /// that. False where the breaker moved on meanwhile.
    pub(super) async fn keep_turn(
        &self,
        taken: Instant,
        recipients: usize,
        pass: &Pass,
    ) -> Result<bool, Ending> {
        let waited = taken.elapsed();
        if waited <= TABLE_CALL_TIMEOUT || self.context.drain.has_begun() {
            return Ok(true);
        }
        self.context.limiter.give_back_late(recipients, waited);
        self.wait_turn(recipients, pass).await
    }
}
