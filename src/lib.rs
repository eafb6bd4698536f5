//! Mails the organizer of every event that the Calendar Invite Server has created.

pub mod aws;
pub mod backoff;
pub mod cli;
pub mod config;
pub mod daemon;
pub mod health;
pub mod notification;
pub mod pipeline;
pub mod ports;
pub mod shutdown;
pub mod telemetry;
pub mod template_file;
pub mod template_store;
