//! One queue to mail.

pub mod backoff;
pub mod drain;
pub mod lease;
pub mod ledger;
pub mod outcome;
pub mod settle;
#[cfg(test)]
mod polled;
#[cfg(test)]
mod scripted;
