//! What the ledger's table knows of the messages' mails.

use std::sync::Arc;

use futures_util::future::join_all;

use crate::{
    ledger::table_key,
    notification::MailKey,
    ports::table::{Known, LedgerTable, TableFailure},
};

/// How often one mail is looked for.
const ATTEMPTS: u32 = 3;

/// Whether a message's mail was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mailed {
    /// Nobody was asked: there is no table, or the message holds no event.
    Unasked,
    /// The table does not know it.
    No,
    /// It was sent.
    Yes,
    /// A task was about to send it, and may have.
    Perhaps,
    /// The table did not answer.
    Unknown,
}

impl Mailed {
    /// Its name in JSON.
    pub(super) fn name(self) -> Option<&'static str> {
        match self {
            Self::Unasked => None,
            Self::No => Some("no"),
            Self::Yes => Some("yes"),
            Self::Perhaps => Some("perhaps"),
            Self::Unknown => Some("unknown"),
        }
    }

    /// What it adds to the verdict on a message.
    pub(super) fn addition(self) -> &'static str {
        match self {
            Self::Unasked | Self::No => "",
            Self::Yes => "; was mailed",
            Self::Perhaps => "; may have been mailed",
            Self::Unknown => "; not known whether it was mailed",
        }
    }
}

/// The table, and the queue whose mails are asked for.
pub(super) struct Records {
    table: Option<(Arc<dyn LedgerTable>, String)>,
    /// Why it is no longer asked.
    pub(super) failure: Option<TableFailure>,
}

impl Records {
    /// The records in this table of the mails from the queue with this name.
    pub(super) fn new(table: Option<Arc<dyn LedgerTable>>, queue: Option<&str>) -> Self {
        Self {
            table: table.zip(queue.map(str::to_owned)),
            failure: None,
        }
    }

    /// What the table knows of these, in their order. Once it has failed it is asked no more, so that a
    /// table that is away does not hold up the scan.
    pub(super) async fn look(&mut self, keys: &[Option<MailKey>]) -> Vec<Mailed> {
        let Some((table, queue)) = &self.table else {
            return vec![Mailed::Unasked; keys.len()];
        };
        let is_asked = self.failure.is_none();
        let looks = keys.iter().map(|key| async move {
            match key {
                None => Ok(Mailed::Unasked),
                Some(_) if !is_asked => Ok(Mailed::Unknown),
                Some(key) => look(&**table, &table_key(queue, key.as_str())).await,
            }
        });
        let mut mailed = Vec::with_capacity(keys.len());
        for known in join_all(looks).await {
            mailed.push(known.unwrap_or_else(|failure| {
                self.failure = Some(failure);
                Mailed::Unknown
            }));
        }
        mailed
    }
}

/// One read sees all that was written before, and one that is not answered is no word on the mail: a
/// batch of reads leaves items out where it is throttled.
async fn look(table: &dyn LedgerTable, key: &str) -> Result<Mailed, TableFailure> {
    let mut attempts = 1;
    loop {
        match table.look(key).await {
            Ok(None) => return Ok(Mailed::No),
            Ok(Some(Known::Sent { .. })) => return Ok(Mailed::Yes),
            Ok(Some(Known::Sending { .. })) => return Ok(Mailed::Perhaps),
            Err(failure) if failure.is_definite() || attempts == ATTEMPTS => return Err(failure),
            Err(_) => attempts += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        notification::EventHash,
        ports::table::{Claim, SentMail, TableFailureKind},
        testing::table::TableInMemory,
    };

    fn key(id: &str) -> MailKey {
        MailKey::new(id, EventHash::of("{}"))
    }

    async fn table() -> Arc<TableInMemory> {
        let table = Arc::new(TableInMemory::default());
        let of = |id| table_key("created", key(id).as_str());
        let sent = SentMail {
            key: of("sent"),
            email_id: "1".to_owned(),
        };
        table.record(&[sent]).await.unwrap();
        let claim = Claim {
            key: &of("sending"),
            owner: "o",
            earlier: &[],
            lasts: Duration::from_secs(1),
        };
        table.claim(claim).await.unwrap();
        table
    }

    #[tokio::test]
    async fn each_message_is_looked_for_under_its_own_queue() {
        let table = table().await;
        let keys = [
            Some(key("sent")),
            None,
            Some(key("new")),
            Some(key("sending")),
        ];
        let mut records = Records::new(Some(table.clone()), Some("created"));
        let known = [Mailed::Yes, Mailed::Unasked, Mailed::No, Mailed::Perhaps];
        assert_eq!(records.look(&keys).await, known);
        let mut sibling = Records::new(Some(table), Some("limits"));
        assert_eq!(sibling.look(&keys[..1]).await, [Mailed::No]);
        let mut none = Records::new(None, Some("created"));
        assert_eq!(none.look(&keys[..1]).await, [Mailed::Unasked]);
    }

    #[tokio::test]
    async fn a_table_that_does_not_answer_says_of_no_message_that_it_was_not_mailed() {
        let table = table().await;
        table.fail(TableFailureKind::Transient);
        let mut records = Records::new(Some(table.clone()), Some("created"));
        let keys = [Some(key("new")), None];
        let known = [Mailed::Unknown, Mailed::Unasked];
        assert_eq!(records.look(&keys).await, known);
        assert!(records.failure.is_some());
        // It is not asked again.
        assert_eq!(records.look(&keys).await, known);
    }
}
