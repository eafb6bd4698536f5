//! Mails the organizer of every event that the Calendar Invite Server has created.

pub mod config;
pub mod notification;
