//! The whole pipeline on paused time: the daemon in this process, over ports that stand on the
//! models of the local AWS or do as a script says. Hours pass in milliseconds, and always the same.

#![expect(
    clippy::unchecked_time_subtraction,
    reason = "a moment that comes before another that it should follow fails the test, as it must"
)]

#[cfg(test)]
mod boot;
#[cfg(test)]
mod breaker;
#[cfg(test)]
mod drain;
#[cfg(test)]
mod feedback;
#[cfg(test)]
mod growth;
#[cfg(test)]
mod hold;
#[cfg(test)]
mod lease;
#[cfg(test)]
mod ledger;
#[cfg(test)]
mod outcomes;
#[cfg(test)]
mod polling;
#[cfg(test)]
mod rate;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod rig;
#[cfg(test)]
mod schedules;
#[cfg(test)]
mod settle;
#[cfg(test)]
mod shared_ledger;
#[cfg(test)]
mod silence;
#[cfg(test)]
mod supervision;
#[cfg(test)]
#[expect(dead_code, reason = "the ledger's own tests use the rest of it")]
#[path = "../../src/testing/table.rs"]
mod table_in_memory;
#[cfg(test)]
mod template;
#[cfg(test)]
mod worker;

// Where the table in memory looks for the ports.
#[cfg(test)]
use organizer_notifier::ports;
