//! The HTML part of a mail.

use std::{fmt, sync::Arc};

use super::placeholder::{Segment, pieces};

/// The HTML part of a mail: a template, which all mails of one version share, and what stands in
/// the place of its placeholders in this mail. `Display` writes it out, `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct Html {
    template: Arc<[Segment]>,
    values: Vec<String>,
}

impl Html {
    /// `values` are escaped for HTML, in the order of the template's placeholders.
    pub(crate) fn new(template: Arc<[Segment]>, values: Vec<String>) -> Self {
        Self { template, values }
    }

    /// The template's segments, the same allocation in each mail of one version.
    pub fn template(&self) -> &Arc<[Segment]> {
        &self.template
    }

    /// What [`Segment::Value`] counts in, escaped for HTML.
    pub fn values(&self) -> &[String] {
        &self.values
    }
}

impl From<&str> for Html {
    fn from(text: &str) -> Self {
        Self::new([Segment::Literal(text.to_owned())].into(), Vec::new())
    }
}

impl fmt::Display for Html {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        pieces(&self.template, &self.values).try_for_each(|piece| f.write_str(piece))
    }
}

impl fmt::Debug for Html {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Html").finish_non_exhaustive()
    }
}
