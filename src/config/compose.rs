//! The settings in the terms of [`notification`](crate::notification).

use thiserror::Error;

use crate::notification::{
    Composer, JsonPointer, Placeholder, PlaceholderError, Placeholders, PointerError, Sender,
    SenderError, Subject,
};

use super::settings::Settings;

/// Why settings make no composer. Loaded ones always do: what fails here was
/// refused as they were read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ComposeError {
    /// A placeholder's name.
    #[error(transparent)]
    Placeholder(#[from] PlaceholderError),
    /// A JSON pointer of `message.*`.
    #[error(transparent)]
    Pointer(#[from] PointerError),
    /// The sender or an address of `email.reply_to`.
    #[error("a mailbox of ours: {0}")]
    Sender(#[from] SenderError),
}

impl Settings {
    /// The declared placeholders, for the template.
    pub fn placeholders(&self) -> Result<Placeholders, ComposeError> {
        let declared = self.message.placeholders.iter().map(|(name, from)| {
            Ok(Placeholder {
                name: name.clone(),
                field: JsonPointer::parse(&from.field)?,
                fallback: from
                    .fallback
                    .as_deref()
                    .map(JsonPointer::parse)
                    .transpose()?,
                default: from.default.clone(),
            })
        });
        let declared = declared.collect::<Result<_, ComposeError>>()?;
        Ok(Placeholders::new(declared)?)
    }

    /// What turns events into mails.
    pub fn composer(&self) -> Result<Composer, ComposeError> {
        let subject = Subject::compile(&self.email.subject, &self.placeholders()?);
        let reply_to = self
            .email
            .reply_to
            .iter()
            .map(|address| Sender::parse(address));
        Ok(Composer::new(
            self.sender()?,
            subject,
            &reply_to.collect::<Result<Vec<_>, _>>()?,
            JsonPointer::parse(&self.message.recipient)?,
        ))
    }

    /// The mailbox that mails come from; its bare address is what SES must have
    /// verified.
    pub fn sender(&self) -> Result<Sender, ComposeError> {
        Ok(Sender::parse(&self.email.sender)?)
    }
}
