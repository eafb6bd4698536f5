//! Mails the organizer of every event that the Calendar Invite Server has created.

pub mod aws;
pub mod config;
pub mod notification;
pub mod pipeline;
pub mod ports;
pub mod template_store;
pub mod shutdown;
pub mod telemetry;
