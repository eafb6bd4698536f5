//! The operator's commands as the real program, against the local AWS.

mod check;
mod check_bucket;
mod check_feedback;
mod check_mail;
mod check_progress;
mod check_queue;
mod check_table;
mod check_template;
mod configuration;
mod environment;
mod healthcheck;
mod help;
pub(crate) mod network;
mod readers;
mod render;
mod stage;
mod triage;
mod triage_acts;
mod triage_many;
mod triage_stops;
mod triage_terminal;
