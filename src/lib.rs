//! Mails the organizer of every event that the Calendar Invite Server (CIS) has created.
//!
//! The program is `cli::main`. This library holds all of it, so that tests reach every part.
//!
//! # The way of a message
//!
//! ```text
//! poller      a place in the window, then ReceiveMessage
//!    ↓
//! lease       held from receipt until settled, renewed at half its length
//!    ↓
//! envelope    body → event                    malformed → rejected
//!    ↓
//! ledger      sent before → duplicate; being sent here → wait for that outcome
//!    ↓
//! template    the one in force                none usable → held
//!    ↓
//! composer    template + event → mail         bad recipient → rejected; missing field → suspect
//!    ↓
//! mailer      SendEmail                       transient → held and retried; refused → suspect
//!    ↓                                        no answer → its event is awaited
//! settler     deletes and gives back in batches, under the lease
//! ```
//!
//! A suspect is held until it is known whose fault it is, and rejected if the fault is its own.
//!
//! Whatever happens, a message ends in exactly one [outcome](pipeline::outcome::Outcome), one line in
//! the log and one count, and at exit the sums agree.
//!
//! # The layers
//!
//! Each module uses only modules below it, or after it in its line. `tests/house` holds the list.
//!
//! ```text
//! cli                                   the commands; joins aws to the rest
//! daemon  health  shutdown              boot, signals, the health port, the end
//! pipeline                              queue to mail
//! feedback                              SES's events to ledger and log
//! ledger                                what was sent
//! aws                                   AWS's SDK, its errors and its wire formats
//! template_store  template_file         the template in force
//! telemetry                             logs, spans, metrics
//! config                                the settings and where they come from
//! backoff  mutex  random                delays, the lock, ids
//! ports                                 the outside world in our own types
//! timing  text                          derived times, words
//! proxy  trust                          who is asked directly, what is trusted
//! notification                          message to mail; pure
//! ```
//!
//! # Where a change goes
//!
//! | change | place |
//! |---|---|
//! | an AWS error code gets a meaning | [`aws::classify`], one test per code |
//! | a cause gets another remedy | `ports/remedies.rs`; a new cause: `ports.rs`, `pipeline/breaker/cause.rs` |
//! | an outcome, or when it applies | [`pipeline::outcome`]; its line: `pipeline/report.rs` |
//! | what a log line says | `pipeline/report.rs`; a breaker's reason `pipeline/breaker/cause.rs`, what to do `ports/remedies.rs` |
//! | a line that repeats | where it is written, with a `Throttle` of its own (`telemetry/throttle.rs`) |
//! | a configuration key | `config/keys.rs`, one row; `config/settings.rs`; `config/default.toml` |
//! | what follows from an event of SES's | `feedback/apply.rs`; its line: `feedback/report.rs`; how it is read: `aws/ses/events.rs` |
//! | when no events count as a sign | `feedback/hearing.rs` |
//! | a metric | its name in `telemetry/names.rs`, the instrument in `telemetry/metrics.rs`; a call on a port is counted in `telemetry/measured_ports.rs`, a value read at export in `pipeline/gauges.rs` |
//! | a span | its name in `telemetry/names.rs`, the rest in `telemetry/spans.rs` |
//! | what stops receiving | `pipeline/poller.rs` (`next_places`); another breaker also needs `gates.rs`, `readings.rs`, `health_state.rs`, `gauges.rs`, `report.rs` |
//! | when a breaker opens or closes | [`pipeline::breaker`]; what follows from it: `pipeline/gates.rs` |
//! | how many messages are held or sent at once | [`pipeline::window`] |
//! | what a mail looks like | [`notification`] |
//! | a source of templates | in `aws`, or beside `template_file.rs`; chosen in `cli/session.rs` |
//! | what a command prints | `cli`, a file for each command |
//! | a command | `cli/arguments.rs`, its file in `cli/`, its text in `cli/help/`; called in `cli.rs` |
//! | what is done with dead letters | `cli/triage/`: `plan.rs` decides with which, `act.rs` does it; the calls `aws/dead_letters.rs` |
//! | how long a stop takes | [`timing`] and [`pipeline::drain`] |
//!
//! # Our words
//!
//! | word | meaning |
//! |---|---|
//! | lease | our right to a received message, as long as its visibility timeout lasts; renewed at half of it |
//! | held | received, under a lease, and not settled yet |
//! | settle | tell the queue what becomes of a message: delete it, or make it visible again |
//! | give back | make a message visible again, now or after a delay |
//! | outcome | what became of a message, from a fixed list |
//! | ending | how the work on a message ended; with its receive count this gives the outcome |
//! | window | how many messages may be held, and how many mails may be under way; it grows from one after a start or an outage |
//! | breaker | stops sending or rendering, and receiving with it, while nothing of it can work |
//! | gate | where a message waits for a breaker |
//! | probe | the one send that an open breaker allows, to see whether it may close |
//! | suspect | a message that was refused, or lacks a field of the template, while it is not known whose fault that is |
//! | witness | a mail of our own to the mail service's simulator, to find out whose fault a refusal is |
//! | evidence | what was accepted since a suspect was refused: a mail, or a witness |
//! | standing | what the account says of itself; it decides what an accepted witness proves |
//! | verdict | whether the message itself is at fault |
//! | aside | held, but not on its way to the mail service: it settles, or waits for a template, its twin, a verdict or an event |
//! | ledger | remembers which mails were sent, by the notification and what it says |
//! | event | what the Calendar Invite Server publishes; and, where SES is named, what SES says became of a mail |
//! | feedback | SES's events, as they arrive in a queue of their own |
//! | deaf | no events of SES's arrive, so that nothing is waited for |
//! | beside | held, but not counted in the window: it waits for a word from outside, a verdict or an event |
//! | twin | another copy of a message that is being sent |
//! | drain | the way from a stop signal to the exit |
//! | redrive | SQS's move of a message to the dead-letter queue, and the operator's move back |
//!
//! # Reading order
//!
//! Read [`ports`] first: it is the outside world in our own words. Then [`pipeline`], which is the
//! program, and of it `poller`, `lease`, `worker`, [`outcome`](pipeline::outcome) and
//! [`settle`](pipeline::settle). [`notification`] makes what a mail says and knows nothing of all
//! this. [`daemon`] is boot and end.
//!
//! # What always holds
//!
//! - Only [`aws`] names an AWS type, and no AWS error leaves it before [`aws::classify`] has said
//!   what it means.
//! - [`notification`] is pure: no I/O, no clock, no tokio. [`pipeline`] sees the world through
//!   [`ports`]. Only [`cli`] knows both [`aws`] and the rest, and puts them together.
//! - A message is received only when the window has a place for it. Place and lease are held until
//!   the queue has taken in what became of the message. So failing deletes stop the receiving by
//!   themselves.
//! - One call per lease at a time: settling waits for a renewal under way. Right before a send the
//!   lease must outlast it.
//! - A message whose send is under way is never given back: its mail may have gone.
//! - One owner of retries per call. The SDK's are off wherever ours are at work, and every call has
//!   a timeout.
//! - Decisions (outcome, breaker, rate) are plain values that get the time as an argument; tasks and
//!   waits are around them.
//! - `report.rs` changes nothing in the pipeline: it writes lines and counts outcomes. A part sees
//!   only what it may touch.
//! - Everything runs on one thread: what would block goes to a thread of its own, and nothing waits
//!   with a lock held.
//! - A stop cancels waits, never a call under way; what is held is then given back, within
//!   [`drain`](pipeline::drain)'s timetable.
//! - A message's content, a template and a whole address appear in no log line and no error.

pub mod ports;

pub mod pipeline;

pub mod notification;
pub mod template_store;

pub mod aws;
pub mod template_file;

pub mod feedback;
pub mod ledger;

pub mod backoff;
mod mutex;
mod proxy;
mod random;
pub mod telemetry;
pub mod text;
pub mod timing;
mod trust;

pub mod config;
pub mod daemon;
pub mod health;
pub mod shutdown;

pub mod cli;

#[cfg(test)]
mod testing;
