//! What a message says and the mail that it becomes: pure, without I/O.
//!
//! In reading order: [`Composer::open`] finds the [`Event`] in a message body, [`Placeholders`] say
//! which fields of it are wanted, [`Template`] and [`Subject`] where they go, [`recipients()`] who is
//! written to, and the [`Composer`] makes the [`Mail`] of all of them, or a [`Rejection`].
//!
//! Everything in an event is hostile until proven otherwise: it comes from the public internet. No
//! error or `Debug` output of this module holds a value of an event, a template's text or a whole
//! address.

mod address;
mod characters;
mod composer;
mod envelope;
mod event;
mod html;
mod json;
mod key;
mod masked;
mod placeholder;
mod pointer;
mod recipients;
mod rejection;
mod sender;
mod subject;
mod template;
mod text;

#[cfg(test)]
mod tests;

pub use address::{Address, AddressError, mask};
pub use composer::{Composer, Mail};
pub use envelope::{Envelope, Malformed};
pub use event::Event;
pub use html::Html;
pub(crate) use key::hex;
pub use key::{EventHash, MailKey};
pub use masked::masked_text;
pub use placeholder::{Placeholder, Placeholders, Segment};
pub use pointer::{JsonPointer, PointerError};
pub use recipients::recipients;
pub use rejection::{Needs, RECIPIENTS_MAX, Rejection};
pub use sender::{Sender, SenderError};
pub use subject::{SUBJECT_MAX_CHARS, Subject};
pub use template::{Template, TemplateError};
