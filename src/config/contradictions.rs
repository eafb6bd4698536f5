//! Settings that are good each by itself and do not go together.
//!
//! Where two keys exclude each other, the one of the later source wins, as it does where two
//! sources give one key, and the other is left out. Two such keys of one source are a problem. So
//! are times that do not fit and one queue in two places, whatever their sources: what is left
//! without one of them is no configuration, or not the one that was meant.

use std::cmp::Ordering;

use super::{
    draft::Draft,
    problem::{Origin, SET},
    settings::Repository,
    sources::Sources,
    texts,
};
use crate::{
    ports::is_same_queue,
    text::format_to_the_millisecond,
    timing::{SETTLING_TIME, TABLE_CALL_TIMEOUT, TELEMETRY_FLUSH_TIME, lease_call_timeout},
};

const FILE: &str = "template.file";
const REPOSITORY: &str = "template.repository";
const PATH: &str = "template.path";
const REFERENCE: &str = "template.reference";

/// Settles which of the keys that exclude each other are in force, before any is read. Returns the
/// notes on what is left out.
pub(super) fn settle(sources: &mut Sources) -> Vec<String> {
    let notes = [settle_templates(sources), settle_reference(sources)];
    notes.into_iter().flatten().collect()
}

/// A template comes from a repository or a bucket, or from a file.
fn settle_templates(sources: &mut Sources) -> Option<String> {
    let stored = [REPOSITORY, PATH, REFERENCE].into_iter();
    let stored: Vec<&str> = stored.filter(|key| sources.is_set(key)).collect();
    let latest = *stored.iter().max_by_key(|key| sources.rank(key))?;
    if !sources.is_set(FILE) {
        return None;
    }
    let is_whole = [REPOSITORY, PATH].iter().all(|key| stored.contains(key));
    match sources.rank(latest).cmp(&sources.rank(FILE)) {
        Ordering::Less => Some(replace(&stored, FILE, sources)),
        // Part of an address would leave no template at all.
        Ordering::Greater if is_whole => Some(replace(&[FILE], latest, sources)),
        Ordering::Greater | Ordering::Equal => {
            let others = stored
                .iter()
                .map(|key| format!("{key} ({})", sources.origin(key)));
            let message = format!(
                "is set together with {}; allowed: a template from a file, or from CodeCommit or S3, not both",
                others.collect::<Vec<_>>().join(" and ")
            );
            sources.refuse_value(FILE, message);
            None
        }
    }
}

/// Nothing in a bucket has branches, tags or commits.
fn settle_reference(sources: &mut Sources) -> Option<String> {
    let repository = sources.value(REPOSITORY)?;
    let is_bucket = matches!(
        texts::repository(repository.as_str()?),
        Ok(Repository::Bucket(_))
    );
    if !is_bucket || !sources.is_set(REFERENCE) {
        return None;
    }
    if sources.rank(REPOSITORY) > sources.rank(REFERENCE) {
        return Some(replace(&[REFERENCE], REPOSITORY, sources));
    }
    let message = format!(
        "is set together with template.repository ({}), an S3 bucket, which has no branches, tags \
         and commits: the newest version of the object is the template; allowed: no reference \
         with a bucket",
        sources.origin(REPOSITORY)
    );
    sources.refuse_value(REFERENCE, message);
    None
}

/// Leaves keys out for one of a later source, and says so.
fn replace(keys: &[&str], by: &str, sources: &mut Sources) -> String {
    let written: Vec<String> = keys.iter().map(|key| sources.written(key)).collect();
    for key in keys {
        sources.leave_out(key);
    }
    let are = if keys.len() == 1 { "is" } else { "are" };
    let written = written.join(" and ");
    format!("{written} {are} overridden by {}", sources.written(by))
}

/// Refuses a queue of messages as the queue of events: each would take the other's. The later
/// source is named.
pub(super) fn refuse_one_queue_for_both(draft: &Draft, sources: &mut Sources) {
    const EVENTS: &str = "feedback.queue_url";
    const MESSAGES: &str = "queue.url";
    let feedback = draft.feedback.queue_url.as_deref();
    if !feedback.is_some_and(|feedback| is_same_queue(feedback, &draft.queue.url)) {
        return;
    }
    // A command's own flag names a queue for this one run, whatever says which queue has the events.
    let is_own = matches!(sources.origin(MESSAGES), Origin::Flag(flag) if flag != SET);
    if is_own || sources.rank(MESSAGES) > sources.rank(EVENTS) {
        let message = format!(
            "is the queue of {EVENTS} ({}), which SES's events reach; allowed: a queue of messages",
            sources.origin(EVENTS)
        );
        sources.refuse_value(MESSAGES, message);
    } else {
        let message = format!(
            "is the queue of {MESSAGES} ({}), from which mails are made; allowed: a queue of its \
             own, which SES's events reach",
            sources.origin(MESSAGES)
        );
        sources.refuse_value(EVENTS, message);
    }
}

/// Refuses times that do not go together, where both could be read.
pub(super) fn refuse_times(draft: &Draft, sources: &mut Sources) {
    let timeout = draft.email.timeout;
    let grace = draft.grace;
    let lease = draft.queue.visibility_timeout;
    let end = TELEMETRY_FLUSH_TIME + SETTLING_TIME;
    let renewal = lease_call_timeout(lease);
    let claim = draft.ledger.table.as_ref().map(|_| TABLE_CALL_TIMEOUT);
    if sources.is_wrong("email.timeout") {
        return;
    }
    if grace <= end + timeout && !sources.is_wrong("shutdown.grace") {
        let [grace, end, timeout, needed] =
            [grace, end, timeout, end + timeout].map(format_to_the_millisecond);
        let message = format!(
            "is {grace}, too short for a mail: the last {end} are for deletes and telemetry, and before them a send can take email.timeout ({timeout}); allowed: more than {needed}, or a shorter email.timeout"
        );
        sources.refuse_value("shutdown.grace", message);
    }
    if timeout + renewal + claim.unwrap_or_default() >= lease
        && !sources.is_wrong("queue.visibility_timeout")
    {
        let [lease, timeout, renewal] = [lease, timeout, renewal].map(format_to_the_millisecond);
        let (claiming, together) = match claim.map(format_to_the_millisecond) {
            Some(claim) => (
                format!(", and a claim in ledger.table {claim}"),
                "all of them",
            ),
            None => (String::new(), "both"),
        };
        let message = format!(
            "is {lease}, too short for a send: a send can take email.timeout ({timeout}), renewing the visibility timeout {renewal}{claiming}; allowed: more than {together} together, or a shorter email.timeout"
        );
        sources.refuse_value("queue.visibility_timeout", message);
    }
}
