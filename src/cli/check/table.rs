//! The table in which all tasks remember what was sent: is it there, is it made as ours is, and may we
//! use it?

use std::time::Duration;

use super::{Target, finding::Finding};
use crate::{
    aws::classify::refusal_kind,
    ports::{
        inspect::RefusalKind,
        table::{Drops, LedgerTable, TableFacts},
    },
    text::format_duration,
};

const TABLE: &str = "ledger table";
const RIGHTS: &str = "ledger rights";
const EXPIRY: &str = "ledger expiry";
const CLOCK: &str = "clock";
/// AWS refuses requests whose clock is 5 minutes off. Long before that it is worth a word.
const CLOCK_TOLD_FROM: Duration = Duration::from_secs(30);

pub(super) async fn check_table(target: &Target<'_>) -> Vec<Finding> {
    let Some(table) = target.world.table.as_deref() else {
        let found =
            "each task remembers for itself what it sent, until it ends (ledger.table is not set)";
        return vec![Finding::ok(TABLE, found)];
    };
    let facts = match table.describe().await {
        Ok(facts) => facts,
        Err(failure) => {
            let error = &failure.error;
            let action = format!("dynamodb:{}", error.operation);
            let finding = Finding::failed_call(TABLE, &action, table.name(), &failure);
            let is_missing = refusal_kind(error) == RefusalKind::NotFound;
            return vec![if is_missing {
                finding.advising(creating(target, table.name()))
            } else {
                finding
            }];
        }
    };
    let mut findings = vec![check_key(target, table, &facts)];
    if facts.wrong_key.is_some() || facts.not_ready.is_some() {
        findings.push(Finding::skipped(
            RIGHTS,
            "not tried, since the table cannot be used",
        ));
        return findings;
    }
    let refused = table.prove_rights().await.into_iter().map(|failure| {
        let action = format!("dynamodb:{}", failure.error.operation);
        Finding::failed_call(RIGHTS, &action, table.name(), &failure)
    });
    let well = "may read, claim, record and take back";
    findings.push(Finding::tried(RIGHTS, refused, well));
    findings.push(check_expiry(target, table.name(), &facts.drops_by));
    findings.extend(check_clock(table));
    findings
}

fn check_key(target: &Target<'_>, table: &dyn LedgerTable, facts: &TableFacts) -> Finding {
    let name = table.name();
    match (&facts.wrong_key, &facts.not_ready) {
        (Some(key), _) => Finding::failed(
            TABLE,
            format!(
                "the key of {name} is {key}, and must be a partition key 'id' of type String alone"
            ),
        )
        .advising(creating(target, "ANOTHER-NAME")),
        (None, Some(state)) => Finding::failed(TABLE, format!("{name} is {state}"))
            .advising("wait until it is active, and check again"),
        (None, None) => Finding::ok(
            TABLE,
            format!(
                "{name}: all tasks know what was sent, for {}",
                format_duration(target.settings.ledger.keep)
            ),
        ),
    }
}

fn check_expiry(target: &Target<'_>, name: &str, drops: &Drops) -> Finding {
    let advice = expiring(target, name);
    match drops {
        Drops::Expired => Finding::ok(EXPIRY, "old items are dropped by the attribute expires"),
        Drops::By(attribute) => Finding::failed(
            EXPIRY,
            format!(
                "the TTL attribute of {name} is {attribute}, which the daemon's items do not \
                     have: the table grows without end"
            ),
        )
        .advising(format!("switch that off, wait an hour, then {advice}")),
        Drops::Nothing => {
            Finding::failed(EXPIRY, format!("{name} has no TTL: it grows without end"))
                .advising(advice)
        }
    }
}

/// Our clock beside the table's, by which claims go.
fn check_clock(table: &dyn LedgerTable) -> Option<Finding> {
    let clock = table.clock()?;
    Some(if clock.size() >= CLOCK_TOLD_FROM {
        let found = format!("this machine's clock is {clock} AWS's");
        Finding::warning(CLOCK, found)
            .advising("set it right: AWS refuses requests from a clock that is 5 minutes off")
    } else {
        Finding::ok(CLOCK, "agrees with AWS's")
    })
}

/// The commands that create a right table.
fn creating(target: &Target<'_>, name: &str) -> String {
    let region = target.region;
    format!(
        "create it: aws dynamodb create-table --region {region} --table-name {name} \
         --attribute-definitions AttributeName=id,AttributeType=S \
         --key-schema AttributeName=id,KeyType=HASH --billing-mode PAY_PER_REQUEST && \
         aws dynamodb wait table-exists --region {region} --table-name {name} && {}",
        expiring(target, name)
    )
}

fn expiring(target: &Target<'_>, name: &str) -> String {
    format!(
        "aws dynamodb update-time-to-live --region {} --table-name {name} \
         --time-to-live-specification Enabled=true,AttributeName=expires",
        target.region
    )
}
