//! What the ledger's table knows of the messages' mails.

use std::{collections::BTreeSet, sync::Arc};

use futures_util::future::join_all;

use crate::{
    ledger::table_key,
    notification::MailKey,
    ports::table::{Known, LedgerTable, TableFailure},
};

/// How often one mail is looked for.
const ATTEMPTS: u32 = 3;

/// Whether a message's mail was sent; what is worse for a redrive stands later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mailed {
    /// Nobody was asked: there is no table, the message holds no event, or nobody says whose mail it is.
    Unasked,
    /// The table does not know it.
    No,
    /// The table did not answer.
    Unknown,
    /// A task was about to send it, and may have.
    Perhaps,
    /// It was sent.
    Yes,
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

/// The mail that a message's event became, or would become.
pub(super) struct Wanted<'a> {
    pub(super) key: MailKey,
    /// The ARN of the queue that the message was dead-lettered from, where that is known.
    pub(super) came_from: Option<&'a str>,
}

/// The table, and the queues under whose names it knows the mails.
pub(super) struct Records {
    table: Option<Arc<dyn LedgerTable>>,
    source: Option<String>,
    target: Option<String>,
    /// Why it is no longer asked.
    pub(super) failure: Option<TableFailure>,
    /// Of so many messages nobody says from which queue they came.
    pub(super) unplaced: usize,
}

impl Records {
    /// The records in this table: of messages that do not say themselves where they came from, under the
    /// name of the source; and under that of the queue where they are to be mailed again.
    pub(super) fn new(
        table: Option<Arc<dyn LedgerTable>>,
        source: Option<&str>,
        target: Option<&str>,
    ) -> Self {
        Self {
            table,
            source: source.map(str::to_owned),
            target: target.map(str::to_owned),
            failure: None,
            unplaced: 0,
        }
    }

    /// What the table knows of these, in their order. Once it has failed it is asked no more, so that a
    /// table that is away does not hold up the scan.
    pub(super) async fn look(&mut self, all: &[Option<Wanted<'_>>]) -> Vec<Mailed> {
        let Some(table) = &self.table else {
            return vec![Mailed::Unasked; all.len()];
        };
        let is_asked = self.failure.is_none();
        let looks = all.iter().map(|wanted| {
            let names = wanted.as_ref().map(|wanted| self.names(wanted));
            async move {
                let (Some(wanted), Some(names)) = (wanted, names) else {
                    return Ok(Mailed::Unasked);
                };
                if !is_asked {
                    return Ok(Mailed::Unknown);
                }
                let mut worst = Mailed::Unasked;
                for queue in names {
                    let key = table_key(queue, wanted.key.as_str());
                    worst = worst.max(look(&**table, &key).await?);
                }
                Ok(worst)
            }
        });
        let known = join_all(looks).await;
        let is_unplaced = |wanted: &Wanted<'_>| self.names(wanted).is_empty();
        self.unplaced += all.iter().flatten().filter(|one| is_unplaced(one)).count();
        let mut mailed = Vec::with_capacity(all.len());
        for known in known {
            mailed.push(known.unwrap_or_else(|failure| {
                self.failure = Some(failure);
                Mailed::Unknown
            }));
        }
        mailed
    }

    /// The names of the queues whose daemons may have mailed it.
    fn names<'a>(&'a self, wanted: &Wanted<'a>) -> BTreeSet<&'a str> {
        let came_from = wanted.came_from.map(name_in_arn);
        let origin = came_from.or(self.source.as_deref());
        origin.into_iter().chain(self.target.as_deref()).collect()
    }
}

/// The queue's name, which its ARN ends with.
pub(super) fn name_in_arn(arn: &str) -> &str {
    arn.rsplit(':').next().unwrap_or_default()
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

    fn wanted(id: &str) -> Wanted<'_> {
        let (key, came_from) = (key(id), None);
        Wanted { key, came_from }
    }

    fn from<'a>(id: &str, came_from: &'a str) -> Wanted<'a> {
        let (key, came_from) = (key(id), Some(came_from));
        Wanted { key, came_from }
    }

    #[tokio::test]
    async fn each_message_is_looked_for_under_its_own_queue() {
        let table = table().await;
        let all = [
            Some(wanted("sent")),
            None,
            Some(wanted("new")),
            Some(wanted("sending")),
        ];
        let mut records = Records::new(Some(table.clone()), Some("created"), None);
        let known = [Mailed::Yes, Mailed::Unasked, Mailed::No, Mailed::Perhaps];
        assert_eq!(records.look(&all).await, known);
        assert_eq!(records.unplaced, 0);
        let mut sibling = Records::new(Some(table.clone()), Some("limits"), None);
        assert_eq!(sibling.look(&all[..1]).await, [Mailed::No]);
        // What the message says of itself counts before what is configured.
        let own = from("sent", "arn:aws:sqs:eu-central-1:123456789012:created");
        assert_eq!(sibling.look(&[Some(own)]).await, [Mailed::Yes]);
        let other = from("sent", "arn:aws:sqs:eu-central-1:123456789012:limits");
        assert_eq!(records.look(&[Some(other)]).await, [Mailed::No]);
        let mut none = Records::new(None, Some("created"), None);
        assert_eq!(none.look(&all[..1]).await, [Mailed::Unasked]);
    }

    #[tokio::test]
    async fn a_redrive_asks_under_the_name_of_the_target_too_and_the_worse_answer_counts() {
        let table = table().await;
        let limits = "arn:aws:sqs:eu-central-1:123456789012:limits";
        let of_limits = |id| SentMail {
            key: table_key("limits", key(id).as_str()),
            email_id: "2".to_owned(),
        };
        table.record(&[of_limits("sending")]).await.unwrap();
        table.record(&[of_limits("there")]).await.unwrap();
        let mut records = Records::new(Some(table), None, Some("created"));
        let all = ["sent", "sending", "there", "new"].map(|id| Some(from(id, limits)));
        let known = [Mailed::Yes, Mailed::Yes, Mailed::Yes, Mailed::No];
        assert_eq!(records.look(&all).await, known);
        assert!(Mailed::Yes > Mailed::Perhaps && Mailed::Perhaps > Mailed::Unknown);
        assert!(Mailed::Unknown > Mailed::No);
    }

    #[tokio::test]
    async fn messages_of_a_queue_that_nobody_names_are_counted() {
        let mut records = Records::new(Some(table().await), None, None);
        let placed = from("sent", "arn:aws:sqs:eu-central-1:123456789012:created");
        let known = records
            .look(&[Some(wanted("sent")), Some(placed), None])
            .await;
        assert_eq!(known, [Mailed::Unasked, Mailed::Yes, Mailed::Unasked]);
        assert_eq!(records.unplaced, 1);
    }

    #[tokio::test]
    async fn a_table_that_does_not_answer_says_of_no_message_that_it_was_not_mailed() {
        let table = table().await;
        table.fail(TableFailureKind::Transient);
        let mut records = Records::new(Some(table.clone()), Some("created"), None);
        let all = [Some(wanted("new")), None];
        let known = [Mailed::Unknown, Mailed::Unasked];
        assert_eq!(records.look(&all).await, known);
        assert!(records.failure.is_some());
        // It is not asked again.
        assert_eq!(records.look(&all).await, known);
    }
}
