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
mod campaign;
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
mod settle;
#[cfg(test)]
mod silence;
#[cfg(test)]
mod supervision;
#[cfg(test)]
mod template;
#[cfg(test)]
mod worker;
