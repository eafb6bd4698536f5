//! What is to be done with which messages, before anybody is asked.

use std::collections::BTreeMap;

use super::{
    choice::Choice,
    records::{Mailed, name_in_arn},
    scan::{Judged, messages},
    target::Target,
};
use crate::cli::verdict::Kind;

/// What is done with the messages that are chosen.
pub(super) enum Act {
    Redrive { to: Target, even_mailed: bool },
    Delete,
}

/// Why a message that was chosen is left where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum LeftOut {
    Mailed,
    MaybeMailed,
    /// The ledger's table did not answer.
    Unknown,
    /// It came from another queue than the one that it would go to.
    Foreign,
}

impl LeftOut {
    /// Its name in JSON.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Mailed => "mailed",
            Self::MaybeMailed => "maybe_mailed",
            Self::Unknown => "mailed_unknown",
            Self::Foreign => "other_queue",
        }
    }

    /// Why, for a person, of several messages, and what would take them along.
    pub(super) fn describe(self) -> &'static str {
        match self {
            Self::Mailed => {
                "were mailed: --delete --mailed removes them, --even-mailed redrives them too"
            }
            Self::MaybeMailed => {
                "may have been mailed: ask the organizers; --even-mailed redrives them too"
            }
            Self::Unknown => {
                "may have been mailed, since the ledger's table does not answer: --even-mailed \
                 redrives them too"
            }
            Self::Foreign => {
                "came from another queue: name the queue by --to-queue-url to redrive them to it"
            }
        }
    }
}

/// The messages of an act.
#[derive(Default)]
pub(super) struct Plan {
    /// The ids, in the order in which the messages were received.
    pub(super) ids: Vec<String>,
    pub(super) left_out: Vec<(String, LeftOut)>,
    /// What a person should know before the answer.
    pub(super) notes: Vec<String>,
}

impl Act {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Redrive { .. } => "redrive",
            Self::Delete => "delete",
        }
    }

    /// Divides the chosen messages.
    pub(super) fn plan(&self, messages: &[Judged], choice: &Choice) -> Plan {
        let mut plan = Plan::default();
        let mut meant = Vec::new();
        for message in messages.iter().filter(|message| choice.holds(message)) {
            if let Some(why) = self.left_out(message) {
                plan.left_out.push((message.id.clone(), why));
            } else {
                plan.ids.push(message.id.clone());
                meant.push(message);
            }
        }
        plan.notes = self.notes(&meant);
        plan
    }

    fn left_out(&self, message: &Judged) -> Option<LeftOut> {
        let Self::Redrive { to, even_mailed } = self else {
            return None;
        };
        if !to.is_named && to.is_foreign(message) {
            return Some(LeftOut::Foreign);
        }
        match message.mailed {
            _ if *even_mailed => None,
            Mailed::Yes => Some(LeftOut::Mailed),
            Mailed::Perhaps => Some(LeftOut::MaybeMailed),
            Mailed::Unknown => Some(LeftOut::Unknown),
            Mailed::No | Mailed::Unasked => None,
        }
    }

    fn notes(&self, meant: &[&Judged]) -> Vec<String> {
        let count = |is: &dyn Fn(&Judged) -> bool| meant.iter().filter(|one| is(one)).count();
        let mut notes = Vec::new();
        let mut note = |count: usize, what: &str| {
            if count > 0 {
                notes.push(format!("{count} of them {what}"));
            }
        };
        match self {
            Self::Redrive { to, .. } => {
                note(
                    count(&|one| one.kind == Kind::Rejected),
                    "would be rejected again",
                );
                note(
                    count(&|one| one.kind == Kind::Ignored),
                    "hold no event, and would be deleted without a mail",
                );
                note(
                    count(&|one| {
                        matches!(one.mailed, Mailed::Yes | Mailed::Perhaps | Mailed::Unknown)
                    }),
                    "were mailed or may have been, and may be mailed again",
                );
                let mut foreign: BTreeMap<&str, usize> = BTreeMap::new();
                for one in meant.iter().filter(|one| to.is_foreign(one)) {
                    let arn = one.came_from.as_deref().unwrap_or_default();
                    *foreign.entry(name_in_arn(arn)).or_default() += 1;
                }
                for (queue, count) in foreign {
                    note(count, &format!("came from the queue {queue}"));
                }
            }
            Self::Delete => {
                note(
                    count(&|one| one.kind == Kind::Mail && one.mailed == Mailed::No),
                    "would become a mail, and nobody was sent one",
                );
                note(
                    count(&|one| {
                        let is_known = matches!(one.mailed, Mailed::Yes | Mailed::No);
                        one.kind == Kind::Mail && !is_known
                    }),
                    "would become a mail, and it is not known whether one was sent",
                );
            }
        }
        notes
    }

    /// What a person is asked.
    pub(super) fn question(&self, count: usize, from: &str) -> String {
        let messages = messages(count);
        match self {
            Self::Redrive { to, .. } => format!("Redrive {messages} to {}?", to.name()),
            Self::Delete => format!("Delete {messages} from {from} for good?"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::triage::scan::judged;

    const DEAD: &str = "https://sqs.eu-central-1.amazonaws.com/123456789012/dead";
    const CREATED: &str = "https://sqs.eu-central-1.amazonaws.com/123456789012/created";

    fn redrive(is_named: bool, even_mailed: bool) -> Act {
        let to = Target::new(Some(CREATED), is_named, DEAD).unwrap();
        Act::Redrive { to, even_mailed }
    }

    fn with(id: &str, mailed: Mailed) -> Judged {
        Judged {
            mailed,
            ..judged(id, Kind::Mail)
        }
    }

    fn all() -> [Judged; 5] {
        [
            with("no", Mailed::No),
            with("yes", Mailed::Yes),
            with("perhaps", Mailed::Perhaps),
            with("unknown", Mailed::Unknown),
            with("unasked", Mailed::Unasked),
        ]
    }

    #[test]
    fn a_redrive_leaves_out_what_was_or_may_have_been_mailed() {
        let plan = redrive(false, false).plan(&all(), &Choice::default());
        assert_eq!(plan.ids, ["no", "unasked"]);
        let left: Vec<_> = plan.left_out.iter().map(|(_, why)| *why).collect();
        assert_eq!(
            left,
            [LeftOut::Mailed, LeftOut::MaybeMailed, LeftOut::Unknown]
        );
        let plan = redrive(false, true).plan(&all(), &Choice::default());
        assert_eq!((plan.ids.len(), plan.left_out.len()), (5, 0));
        let note = "3 of them were mailed or may have been, and may be mailed again";
        assert_eq!(plan.notes, [note]);
    }

    #[test]
    fn a_delete_takes_what_is_chosen_and_says_what_it_costs() {
        let plan = Act::Delete.plan(&all(), &Choice::default());
        assert_eq!((plan.ids.len(), plan.left_out.len()), (5, 0));
        let notes = [
            "1 of them would become a mail, and nobody was sent one",
            "3 of them would become a mail, and it is not known whether one was sent",
        ];
        assert_eq!(plan.notes, notes);
    }

    #[test]
    fn a_message_of_another_queue_goes_only_where_that_was_named() {
        let arn = |name| format!("arn:aws:sqs:eu-central-1:123456789012:{name}");
        let from = |name| Judged {
            came_from: Some(arn(name)),
            ..judged(name, Kind::Mail)
        };
        let messages = [from("created"), from("limits")];
        let plan = redrive(false, false).plan(&messages, &Choice::default());
        assert_eq!(plan.ids, ["created"]);
        assert_eq!(plan.left_out, [("limits".to_owned(), LeftOut::Foreign)]);
        let plan = redrive(true, false).plan(&messages, &Choice::default());
        assert_eq!(plan.ids, ["created", "limits"]);
        assert_eq!(plan.notes, ["1 of them came from the queue limits"]);
    }

    #[test]
    fn only_what_is_chosen_is_meant() {
        let messages = [judged("a", Kind::Mail), judged("b", Kind::Rejected)];
        let choice = Choice {
            verdict: Some(Kind::Rejected),
            ..Choice::default()
        };
        let plan = redrive(false, false).plan(&messages, &choice);
        assert_eq!(plan.ids, ["b"]);
        assert_eq!(plan.notes, ["1 of them would be rejected again"]);
    }

    #[test]
    fn a_queue_is_not_redriven_to_itself_nor_to_nowhere() {
        assert!(Target::new(Some(DEAD), true, DEAD).is_err());
        assert!(Target::new(None, false, DEAD).is_err());
    }
}
