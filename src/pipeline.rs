//! One queue to mail: poller → lease → envelope → template → mail → settle.
//!
//! In the order of a message's way: `poller` receives what the [`window`] has room for, [`lease`] holds
//! it, `worker` takes it to an outcome, [`settle`] tells the queue. Beside that way `witness` finds out
//! whose fault a refusal is. `run` puts all of it together, and [`drain`] is the way to the end.
//!
//! The decisions are in files of their own and get the time as an argument: [`outcome`], [`breaker`],
//! [`rate`]. [`window`] keeps what is held, [`ledger`](crate::ledger) what was sent.
//!
//! Each part gets what it may touch: the poller and the workers the fields of their own types, the
//! gauges and the reporter a view that can change nothing (`readings`). What follows from a change of
//! a breaker is in `gates`; `report` only writes lines and counts outcomes.

mod batch;
pub mod breaker;
pub mod drain;
mod followers;
mod gates;
mod gauges;
pub mod health_state;
pub mod lease;
mod open_polls;
pub mod outcome;
mod poller;
mod progress;
pub mod rate;
mod readings;
mod receive_limit;
mod report;
mod retry_clock;
mod run;
pub mod settle;
pub mod window;
mod witness;
mod worker;

pub use self::run::{Parts, Report, Settings, run};
