//! Which of the messages are meant.

use std::collections::BTreeSet;

use super::{records::Mailed, scan::Judged};
use crate::cli::{arguments::Triage, session::UsageError, verdict::Kind};

/// All that is said must hold of a message that is chosen.
#[derive(Clone, Default)]
pub(super) struct Choice {
    pub(super) verdict: Option<Kind>,
    pub(super) reason: Option<String>,
    /// One of these ids, where there are any.
    pub(super) ids: BTreeSet<String>,
    pub(super) mailed: bool,
}

impl Choice {
    pub(super) fn of(asked: &Triage) -> Self {
        Self {
            verdict: asked.verdict,
            reason: asked.reason.clone(),
            ids: asked.ids.iter().cloned().collect(),
            mailed: asked.mailed,
        }
    }

    /// Whether nothing is said, so that it holds of every message.
    pub(super) fn is_empty(&self) -> bool {
        let Self {
            verdict,
            reason,
            ids,
            mailed,
        } = self;
        verdict.is_none() && reason.is_none() && ids.is_empty() && !mailed
    }

    /// Whether it rests on what would become of a message, and not on its id or its record alone.
    pub(super) fn is_by_verdict(&self) -> bool {
        self.verdict.is_some() || self.reason.is_some()
    }

    /// Refuses an act without a choice, and one that nobody can allow.
    pub(super) fn check(&self, asked: &Triage, is_terminal: bool) -> Result<(), UsageError> {
        let act = match (asked.redrive, asked.delete) {
            (true, _) => "--redrive",
            (_, true) => "--delete",
            _ if asked.yes => {
                let wrong = "--yes answers the question of --redrive or --delete: add one of them";
                return Err(UsageError(wrong.to_owned()));
            }
            _ => return Ok(()),
        };
        if self.is_empty() {
            return Err(UsageError(format!(
                "{act} needs a choice of messages: --verdict, --reason, --id or --mailed"
            )));
        }
        if !asked.yes && !is_terminal {
            return Err(UsageError(format!(
                "{act} asks before it does anything, and there is no terminal to ask on: add --yes"
            )));
        }
        Ok(())
    }

    /// Whether this message is meant.
    pub(super) fn holds(&self, message: &Judged) -> bool {
        let reason = message.reason.as_deref().unwrap_or_default();
        self.verdict.is_none_or(|kind| kind == message.kind)
            && (self.reason.as_ref()).is_none_or(|text| reason.contains(text.as_str()))
            && (self.ids.is_empty() || self.ids.contains(&message.id))
            && (!self.mailed || message.mailed == Mailed::Yes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::triage::scan::judged;

    #[test]
    fn all_that_is_said_must_hold() {
        let mut message = judged("a", Kind::Rejected);
        message.reason = Some("no recipient in the field /mailto".to_owned());
        message.mailed = Mailed::Yes;
        let all = Choice {
            verdict: Some(Kind::Rejected),
            reason: Some("/mailto".to_owned()),
            ids: BTreeSet::from(["a".to_owned(), "b".to_owned()]),
            mailed: true,
        };
        assert!(all.holds(&message));
        assert!(Choice::default().holds(&message));
        let with = |change: fn(&mut Choice)| {
            let mut choice = all.clone();
            change(&mut choice);
            choice.holds(&message)
        };
        assert!(!with(|choice| choice.verdict = Some(Kind::Mail)));
        assert!(!with(|choice| choice.reason = Some("JSON".to_owned())));
        assert!(!with(|choice| choice.ids = BTreeSet::from(["b".to_owned()])));
        for unsure in [
            Mailed::No,
            Mailed::Perhaps,
            Mailed::Unknown,
            Mailed::Unasked,
        ] {
            message.mailed = unsure;
            assert!(!all.holds(&message), "{unsure:?}");
        }
    }
}
