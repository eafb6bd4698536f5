//! The parts of a check: each asks something of its own, and its rows stand together.

/// What is asked on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// What is known without asking anybody.
    Start,
    /// Region, endpoint and credentials.
    Connection,
    Queue,
    Table,
    Template,
    Sender,
    Account,
    Mail,
    Feedback,
    Recipient,
    SampleMail,
    Telemetry,
    /// The mail to the simulator, after all others.
    Probe,
}

impl Part {
    pub(super) const ALL: [Self; 13] = [
        Self::Start,
        Self::Connection,
        Self::Queue,
        Self::Table,
        Self::Template,
        Self::Sender,
        Self::Account,
        Self::Mail,
        Self::Feedback,
        Self::Recipient,
        Self::SampleMail,
        Self::Telemetry,
        Self::Probe,
    ];

    /// The names of its rows. Under the first stands what became of the whole part where it did not end.
    pub(super) fn checks(self) -> &'static [&'static str] {
        match self {
            Self::Start => &["configuration", "stop"],
            Self::Connection => &["credentials", "region", "endpoint", "aws"],
            Self::Queue => &[
                "queue",
                "queue rights",
                "lease",
                "redrive",
                "ledger keep",
                "dead letters",
                "encryption",
            ],
            Self::Table => &["ledger table", "ledger rights", "ledger expiry", "clock"],
            Self::Template => &["template", "placeholders", "rendering"],
            Self::Sender => &["sender", "dkim", "mail from", "bounces"],
            Self::Account => &["account", "daily quota", "send rate"],
            Self::Mail => &["right to send", "configuration set"],
            Self::Feedback => &[
                "feedback queue",
                "feedback set",
                "feedback events",
                "feedback rights",
                "bounces",
            ],
            Self::Recipient => &["recipient"],
            Self::SampleMail => &["sample mail"],
            Self::Telemetry => &["telemetry"],
            Self::Probe => &["feedback"],
        }
    }

    /// What is being asked, in a word.
    pub(super) fn asks(self) -> &'static str {
        match self {
            Self::Start => "configuration",
            Self::Connection => "credentials",
            Self::Queue => "queue",
            Self::Table => "table",
            Self::Template => "template",
            Self::Sender | Self::Account | Self::Mail | Self::Recipient => "SES",
            Self::Feedback => "feedback",
            Self::SampleMail => "sample mail",
            Self::Telemetry => "telemetry",
            Self::Probe => "events",
        }
    }

    /// The service that it asks first, by its name in IAM's actions.
    pub(super) fn service(self) -> Option<&'static str> {
        Some(match self {
            Self::Queue => "sqs",
            Self::Table => "dynamodb",
            Self::Template => "codecommit",
            Self::Sender
            | Self::Account
            | Self::Mail
            | Self::Feedback
            | Self::Recipient
            | Self::SampleMail => "ses",
            Self::Start | Self::Connection | Self::Telemetry | Self::Probe => return None,
        })
    }

    /// The length of the longest name of a row.
    pub(super) fn check_width() -> usize {
        let checks = Self::ALL.iter().flat_map(|part| part.checks());
        checks.map(|check| check.len()).max().unwrap_or(0)
    }
}

/// What is still asked, each thing once. The wait for events says for itself how long it takes.
pub(super) fn words(pending: &[Part]) -> String {
    let mut words: Vec<&str> = Vec::new();
    for part in pending.iter().filter(|part| **part != Part::Probe) {
        if !words.contains(&part.asks()) {
            words.push(part.asks());
        }
    }
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_in_parts_is_named_once() {
        let pending = [Part::Queue, Part::Sender, Part::Account, Part::Probe];
        assert_eq!(words(&pending), "queue, SES");
        assert_eq!(words(&[Part::Probe]), "");
    }
}
