//! The table as one daemon sees it.

use std::time::Duration;

use async_trait::async_trait;
use organizer_notifier::{
    ports::{
        Failure,
        table::{
            Claim, Claimed, ClockDifference, Known, LedgerTable, SentMail, TableFacts,
            TableFailure, TableFailureKind,
        },
    },
    timing::TABLE_CALL_TIMEOUT,
};
use tokio::time::sleep;

use super::{
    history,
    plan::Trouble,
    ports::{Ports, call_error},
    stage::{Class, message_of_notification},
};

impl Ports {
    /// What is in the way of a call; then the call, and whether its answer gets lost.
    async fn table_call<T>(
        &self,
        operation: &'static str,
        call: impl AsyncFnOnce() -> Result<T, TableFailure>,
    ) -> Result<T, TableFailure> {
        self.alive(operation).await;
        let failed = |kind| Err(Failure::new(kind, call_error(operation, "Scripted")));
        let trouble = self.stage.trouble(Class::Table);
        if let Some(trouble) = trouble {
            let met = (self.stage.now(), self.daemon);
            let mut history = self.stage.history();
            match trouble {
                Trouble::TableSlow(millis) if is_in_time(millis) => history.table_slow.push(met),
                _ => history.table_troubles.push(met),
            }
        }
        match trouble {
            None => call().await,
            Some(Trouble::TableThrottled) => failed(TableFailureKind::Throttled),
            Some(Trouble::TableFails) => failed(TableFailureKind::Transient),
            Some(Trouble::TableDenied) => failed(TableFailureKind::AccessDenied),
            Some(Trouble::TableSlow(millis)) => {
                sleep(Duration::from_millis(millis).min(TABLE_CALL_TIMEOUT)).await;
                let answer = call().await;
                if is_in_time(millis) {
                    answer
                } else {
                    failed(TableFailureKind::Transient)
                }
            }
            Some(_) => {
                drop(call().await);
                failed(TableFailureKind::Transient)
            }
        }
    }

    /// Which message a key of the table is of: `queue#notification.event`.
    fn message_of_key(&self, key: &str) -> usize {
        let notification = key.split_once('#').map_or(key, |(_, rest)| rest);
        let notification = notification.split('.').next().unwrap_or_default();
        message_of_notification(notification, self.stage.schedule.messages.len())
    }
}

/// Whether an answer that takes so many milliseconds is waited for.
fn is_in_time(millis: u64) -> bool {
    Duration::from_millis(millis) < TABLE_CALL_TIMEOUT
}

#[async_trait]
impl LedgerTable for Ports {
    fn name(&self) -> &'static str {
        "mails"
    }

    async fn describe(&self) -> Result<TableFacts, TableFailure> {
        self.table_call("DescribeTable", async || self.stage.table.describe().await)
            .await
    }

    async fn prove_rights(&self) -> Vec<TableFailure> {
        let proof = self
            .table_call("PutItem", async || {
                Ok(self.stage.table.prove_rights().await)
            })
            .await;
        proof.unwrap_or_else(|failure| vec![failure])
    }

    async fn claim(&self, claim: Claim<'_>) -> Result<Claimed, TableFailure> {
        self.table_call("PutItem", async || {
            let claimed = self.stage.table.claim(claim).await?;
            if matches!(claimed, Claimed::Ours { .. }) {
                let at = self.stage.now();
                self.stage.history().claims.push(history::Claim {
                    at,
                    daemon: self.daemon,
                    message: self.message_of_key(claim.key),
                    until: at + claim.lasts,
                    dropped: None,
                });
            }
            Ok(claimed)
        })
        .await
    }

    async fn drop_claim(&self, key: &str, owners: &[String]) -> Result<(), TableFailure> {
        self.table_call("DeleteItem", async || {
            let stood = self.stage.table.item(key);
            self.stage.table.drop_claim(key, owners).await?;
            if stood.is_some() && self.stage.table.item(key).is_none() {
                let (at, message) = (self.stage.now(), self.message_of_key(key));
                let mut history = self.stage.history();
                let mut claims = history.claims.iter_mut().rev();
                if let Some(claim) = claims.find(|claim| claim.message == message) {
                    claim.dropped = Some(at);
                }
            }
            Ok(())
        })
        .await
    }

    async fn record(&self, sent: &[SentMail]) -> Result<Vec<usize>, TableFailure> {
        self.table_call("BatchWriteItem", async || {
            let left = self.stage.table.record(sent).await?;
            let at = self.stage.now();
            let mut history = self.stage.history();
            let recorded = sent.iter().map(|mail| (at, self.message_of_key(&mail.key)));
            history.records.extend(recorded);
            drop(history);
            Ok(left)
        })
        .await
    }

    async fn look(&self, key: &str) -> Result<Option<Known>, TableFailure> {
        self.table_call("GetItem", async || self.stage.table.look(key).await)
            .await
    }

    async fn look_at_all(&self, keys: &[String]) -> Result<Vec<Option<Known>>, TableFailure> {
        self.table_call("BatchGetItem", async || {
            self.stage.table.look_at_all(keys).await
        })
        .await
    }

    fn clock(&self) -> Option<ClockDifference> {
        None
    }
}
