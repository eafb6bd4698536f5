//! What a triage takes of the configuration.

use crate::{
    cli::{
        arguments::Triage,
        session::{self, UsageError},
    },
    config::{Flags, Loaded, Origin, OwnFlag, Problems},
    ports::is_same_queue,
};

/// Without these a message can still be judged, but for what they say: the key, its variable, and what
/// stands in.
const SPARED: [(&str, &str, &str); 2] = [
    ("email.sender", "SENDER", "nobody@sender.invalid"),
    ("email.subject", "SUBJECT", "(no subject)"),
];

/// The configuration of a triage.
pub(super) struct Given {
    /// With the scanned queue as the queue.
    pub(super) loaded: Loaded,
    /// The variables of what is missing, and so is left out of the verdicts.
    pub(super) lacking: Vec<&'static str>,
    /// The URL of the queue that messages came from which do not say it, as far as it is configured.
    pub(super) source: Option<String>,
    /// The URL of the queue to redrive to.
    pub(super) target: Option<String>,
}

impl Given {
    /// Loads it. An act that goes by verdicts needs all that makes them: the sender's own address is refused
    /// as a recipient, and the subject can name fields. For a look at the messages, or an act on ids, the
    /// verdicts without these are good enough, and at a laptop at night they may not be at hand.
    pub(super) fn load(flags: &Flags, asked: &Triage, is_strict: bool) -> anyhow::Result<Self> {
        // As a flag it is checked as the configuration's own queue is.
        let scanned = with(flags, "--queue-url", "queue.url", &asked.queue_url);
        let (loaded, lacking) = load(&scanned, asked, is_strict)?;
        let named = match &asked.to_queue_url {
            Some(url) => {
                let named = with(flags, "--to-queue-url", "queue.url", url);
                Some(load(&named, asked, is_strict)?.0.settings.queue.url)
            }
            None => None,
        };
        let configured = match load(flags, asked, is_strict) {
            Ok((loaded, _)) => Some(loaded.settings.queue.url),
            Err(problems) if asked.redrive && named.is_none() => return Err(problems.into()),
            // Only the scan's own queue is needed.
            Err(_) => None,
        };
        let configured = configured.filter(|url| !url.is_empty());
        let target = named
            .or_else(|| configured.clone())
            .filter(|_| asked.redrive);
        let scanned = &loaded.settings.queue.url;
        let source = configured.filter(|url| !is_same_queue(url, scanned));
        if asked.mailed && loaded.settings.ledger.table.is_none() {
            let needed = "--mailed asks the ledger's table: set ledger.table";
            return Err(UsageError(needed.to_owned()).into());
        }
        Ok(Self {
            loaded,
            lacking,
            source,
            target,
        })
    }
}

fn with(flags: &Flags, flag: &'static str, key: &'static str, value: &str) -> Flags {
    let mut flags = flags.clone();
    let value = value.to_owned();
    flags.own.push(OwnFlag { flag, key, value });
    flags
}

fn load(
    flags: &Flags,
    asked: &Triage,
    is_strict: bool,
) -> Result<(Loaded, Vec<&'static str>), Problems> {
    let template = asked.template.as_deref();
    let problems = match session::load_for_mail(flags, template) {
        Ok(loaded) => return Ok((loaded, Vec::new())),
        Err(problems) => problems,
    };
    let is_missing = |key: &str| {
        let mut all = problems.iter();
        all.any(|problem| problem.key == key && problem.origin == Origin::Unset)
    };
    let missing = SPARED.iter().filter(|(key, ..)| is_missing(key));
    let missing: Vec<_> = missing.collect();
    if is_strict || missing.is_empty() {
        return Err(problems);
    }
    let spared = missing
        .iter()
        .fold(flags.clone(), |flags, (key, variable, stand_in)| {
            with(&flags, variable, key, stand_in)
        });
    let lacking = missing.iter().map(|(_, variable, _)| *variable).collect();
    match session::load_for_mail(&spared, template) {
        Ok(loaded) => Ok((loaded, lacking)),
        // All that is wrong is told at once.
        Err(_) => Err(problems),
    }
}
