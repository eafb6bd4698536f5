//! Which mails a search means.

use super::StoredMail;

/// Words that must all be found; no words find everything.
pub(super) struct Search {
    /// In lower case.
    words: Vec<String>,
}

impl Search {
    /// A search for what somebody typed.
    pub(super) fn new(typed: &str) -> Self {
        let words = typed.split_whitespace().map(str::to_lowercase).collect();
        Self { words }
    }

    /// Whether it finds everything.
    pub(super) fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Whether each word stands somewhere in the subject, an address, the id or the text, in upper or
    /// lower case. The HTML part counts where there is no text part.
    pub(super) fn finds(&self, mail: &StoredMail) -> bool {
        if self.words.is_empty() {
            return true;
        }
        let text = mail.text.iter().chain(mail.html.iter()).next();
        let fields: Vec<String> = [&mail.subject, &mail.from, &mail.id]
            .into_iter()
            .chain(mail.recipients())
            .chain(text)
            .map(|field| field.to_lowercase())
            .collect();
        let stands = |word: &String| fields.iter().any(|field| field.contains(word));
        self.words.iter().all(stands)
    }
}
