//! The settings of the mail, made ready for use.

use super::settings::Settings;
use crate::notification::{
    Composer, JsonPointer, Placeholder, PlaceholderError, Placeholders, PointerError, Sender,
    SenderError, Subject,
};

/// A setting of the mail that passed the configuration's checks and is unusable all the same:
/// a fault of ours.
#[derive(Debug, thiserror::Error)]
pub enum ComposeError {
    /// A field is no JSON pointer.
    #[error(transparent)]
    Pointer(#[from] PointerError),
    /// A placeholder cannot be declared.
    #[error(transparent)]
    Placeholder(#[from] PlaceholderError),
    /// The sender or an address to reply to is none.
    #[error(transparent)]
    Sender(#[from] SenderError),
}

impl Settings {
    /// The declared placeholders.
    pub fn placeholders(&self) -> Result<Placeholders, ComposeError> {
        let declared = self.message.placeholders.iter().map(|(name, placeholder)| {
            Ok(Placeholder {
                name: name.clone(),
                field: JsonPointer::parse(&placeholder.field)?,
                fallback: placeholder
                    .fallback
                    .as_deref()
                    .map(JsonPointer::parse)
                    .transpose()?,
                default: placeholder.default.clone(),
            })
        });
        let declared: Vec<_> = declared.collect::<Result<_, PointerError>>()?;
        Ok(Placeholders::new(declared)?)
    }

    /// What makes mails of events.
    pub fn composer(&self) -> Result<Composer, ComposeError> {
        let sender = Sender::parse(&self.email.sender)?;
        let subject = Subject::compile(&self.email.subject, &self.placeholders()?);
        let reply_to = self.email.reply_to.iter().map(|text| Sender::parse(text));
        let reply_to = reply_to.collect::<Result<_, _>>()?;
        let recipient = JsonPointer::parse(&self.message.recipient)?;
        Ok(Composer::new(sender, subject, reply_to, recipient))
    }
}
