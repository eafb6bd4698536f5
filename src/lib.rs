//! Mails the organizer of every event that the Calendar Invite Server (CIS) has created.
//!
//! The program is `cli::main`; this library is all of it, so that tests reach every part.
//!
//! # The way of a message
//!
//! ```text
//! poller      a permit, then ReceiveMessage: no more than is sent at once and a little ahead
//! lease       held from receipt until settled, renewed at half its length
//! envelope    body → event                    malformed → rejected
//! ledger      sent before → duplicate; being sent here → its outcome is awaited
//! template    the one in force                none usable → held
//! composer    template + event → mail         missing field, bad recipient → rejected
//! mailer      SendEmail                       may pass → held and tried again; refused → rejected
//! settler     deletes and gives back in batches, under the lease
//! ```
//!
//! Whatever happens, it ends in exactly one [outcome](pipeline::outcome::Outcome), one line in the
//! log and one count, and at exit the sums agree.
//!
//! # Reading order
//!
//! The modules below stand in the order in which a message meets them. Read [`ports`] first: it is
//! the outside world in our own words. Then [`pipeline`], which is the program, and of it
//! `poller`, `lease`, `worker`, [`outcome`](pipeline::outcome) and [`settle`](pipeline::settle).
//! What a mail says is made in [`notification`], which knows nothing of all this. [`daemon`] is
//! boot and end.
//!
//! # What always holds
//!
//! - Only [`aws`] names an AWS type, and no AWS error leaves it before [`aws::classify`] has said
//!   what it means.
//! - [`notification`] is pure: no I/O, no clock, no tokio. It uses no other module, [`ports`] uses
//!   it alone, and [`pipeline`] sees the world through [`ports`]. Only [`cli`] knows both [`aws`]
//!   and the rest, and puts them together.
//! - A message is received only with a permit, and permit and lease are held until the queue has
//!   taken in what became of it. So failing deletes stop the receiving by themselves.
//! - One call per lease at a time: settling waits for a renewal under way. Right before a send the
//!   lease must outlast it.
//! - A message whose send is under way is never given back: its mail may have gone.
//! - One owner of retries per call. The SDK's are off wherever ours are at work, and every call has
//!   a timeout.
//! - Decisions (outcome, breaker, rate, window, ledger) are plain values that know no time but
//!   what they are told; tasks and waits are around them.
//! - Everything runs on one thread: what would block goes to a thread of its own, and nothing waits
//!   with a lock held.
//! - Only the waits that hold nothing race with a stop. What is held is settled or released within
//!   [`drain`](pipeline::drain)'s timetable.
//! - A message's content, a template and a whole address appear in no log line and no error.

pub mod ports;

pub mod pipeline;

pub mod notification;
pub mod template_store;

pub mod aws;
pub mod template_file;

pub mod backoff;
mod mutex;
pub mod telemetry;
pub mod text;
pub mod timing;

pub mod config;
pub mod daemon;
pub mod health;
pub mod shutdown;

pub mod cli;
