//! One queue to mail: poller → lease → envelope → template → mail → settle.
//!
//! In the order of a message's way: `poller` receives what there is a permit for, [`lease`] holds
//! it, `worker` takes it to an outcome, [`settle`] tells the queue. The decisions stand in files
//! of their own and know no time but what they are told: [`outcome`], [`breaker`], [`rate`],
//! [`window`], [`ledger`]; [`drain`] is the way to the end.

mod batch;
pub mod breaker;
pub mod drain;
mod followers;
mod gates;
mod gauges;
pub mod health_state;
pub mod lease;
pub mod ledger;
mod open_polls;
pub mod outcome;
#[cfg(test)]
mod polled;
mod poller;
pub mod rate;
mod readings;
mod report;
mod retry_clock;
mod run;
#[cfg(test)]
mod scripted;
pub mod settle;
pub mod window;
mod worker;

pub use self::run::{Parts, Report, Settings, run};
