//! Proves the table that all tasks share.

use std::time::Duration;

use anyhow::bail;
use tracing::{error, warn};

use super::{Attempts, given_up};
use crate::ports::table::{Drops, LedgerTable, TableFacts, TableFailure};

/// AWS refuses signatures whose time is 5 minutes off. Long before that it is worth a word.
const CLOCK_TOLD_FROM: Duration = Duration::from_secs(30);

/// Why the table cannot be used.
struct Trouble {
    text: String,
    is_definite: bool,
}

/// Proves that the table is there, is made as ours is, and that we have every right on it. What may pass
/// does not hold up the start: then this says why the daemon begins without the table.
pub(super) async fn prove(table: &dyn LedgerTable) -> anyhow::Result<Option<String>> {
    let name = table.name();
    let mut attempts = Attempts::new();
    loop {
        let trouble = match try_table(table).await {
            Ok(facts) => {
                tell(table, &facts);
                return Ok(None);
            }
            Err(trouble) => trouble,
        };
        if !trouble.is_definite {
            return Ok(Some(trouble.text));
        }
        let text = trouble.text;
        if attempts.refusals.last_too_long(true) {
            bail!(
                "the ledger's table {name} cannot be used: {text}; {}",
                given_up()
            );
        }
        if attempts.throttle.due().is_some() {
            let goes_on = attempts.refusals.goes_on();
            error!(
                "not started yet: the ledger's table {name} cannot be used yet: {text}; {goes_on}"
            );
        }
        attempts.pause().await;
    }
}

async fn try_table(table: &dyn LedgerTable) -> Result<TableFacts, Trouble> {
    let proof = async {
        let facts = table.describe().await?;
        if facts.wrong_key.is_none() && facts.not_ready.is_none() {
            let failures = table.prove_rights().await.into_iter();
            // One that may pass does not hold up the start, and must not hide one that does not.
            if let Some(failure) = failures.min_by_key(|failure| !failure.is_definite()) {
                return Err(failure);
            }
        }
        Ok(facts)
    };
    let facts = match proof.await {
        Ok(facts) => facts,
        Err(failure) => return Err(failed(&failure)),
    };
    let wrong = match (&facts.wrong_key, &facts.not_ready) {
        (Some(key), _) => format!(
            "its key is {key}, and must be a partition key 'id' of type String alone; create \
             another table as `check` says, and set ledger.table to it"
        ),
        (None, Some(state)) => format!("its state is {state}; wait until it is active"),
        (None, None) => return Ok(facts),
    };
    Err(Trouble {
        text: wrong,
        is_definite: true,
    })
}

fn failed(failure: &TableFailure) -> Trouble {
    Trouble {
        text: format!("{failure}; {}", failure.remedy()),
        is_definite: failure.is_definite(),
    }
}

/// Tells what is not as it should be and does not keep the daemon from its work.
fn tell(table: &dyn LedgerTable, facts: &TableFacts) {
    let name = table.name();
    match &facts.drops_by {
        Drops::Expired => {}
        Drops::By(attribute) => warn!(
            "the time to live (TTL) of the ledger's table {name} goes by the attribute \
             {attribute}, which the daemon's items do not have, so the table grows without end: \
             switch this TTL off, wait an hour, then set it to the attribute 'expires'"
        ),
        Drops::Nothing => warn!(
            "the ledger's table {name} has no time to live (TTL), so it grows without end: set it \
             to the attribute 'expires'"
        ),
    }
    if let Some(clock) = table.clock()
        && clock.size() >= CLOCK_TOLD_FROM
    {
        warn!(
            "this machine's clock is {clock} the clock of the ledger's table {name}: claims and \
             signatures go by AWS's; set it right"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ports::table::{ClockDifference, TableFailureKind},
        testing::table::TableInMemory,
    };

    #[tokio::test(start_paused = true)]
    async fn a_table_with_another_key_cannot_be_used() {
        let table = TableInMemory::default();
        table.has_key("pk (S, HASH)");
        let reason = prove(&table).await.unwrap_err().to_string();
        assert!(
            reason.contains("its key is pk (S, HASH), and must be a partition key"),
            "{reason}"
        );
        assert_eq!(table.calls("PutItem"), 0, "nothing is tried on it");
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_is_off_does_not_keep_the_daemon_from_its_work() {
        let table = TableInMemory::default();
        table.differs_by(ClockDifference::Behind(Duration::from_hours(1)));
        assert_eq!(prove(&table).await.unwrap(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn what_may_pass_does_not_hold_up_the_start() {
        let table = TableInMemory::default();
        assert_eq!(prove(&table).await.unwrap(), None);
        table.fail(TableFailureKind::Throttled);
        let reason = prove(&table).await.unwrap().unwrap_or_default();
        assert!(reason.contains("on-demand capacity"), "{reason}");
    }
}
