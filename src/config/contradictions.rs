//! Settings that are good each by itself and do not go together.

use super::{draft::Draft, settings::Repository, sources::Sources};
use crate::{
    ports::is_same_queue,
    text::format_to_the_millisecond,
    timing::{SETTLING_TIME, TABLE_CALL_TIMEOUT, TELEMETRY_FLUSH_TIME, lease_call_timeout},
};

/// Refuses a template that comes from a repository or a bucket and from a file.
pub(super) fn refuse_two_templates(sources: &mut Sources) {
    let keys = ["template.repository", "template.path", "template.reference"];
    let set = keys.into_iter().filter(|key| sources.is_set(key));
    let others: Vec<String> = set
        .map(|key| format!("{key} ({})", sources.origin(key)))
        .collect();
    if sources.is_set("template.file") && !others.is_empty() {
        let message = format!(
            "is set together with {}; allowed: a template from a file, or from CodeCommit or S3, not both",
            others.join(" and ")
        );
        sources.refuse_value("template.file", message);
    }
}

/// Refuses a reference where nothing has branches, tags or commits.
pub(super) fn refuse_reference_of_bucket(draft: &Draft, sources: &mut Sources) {
    if let Repository::Bucket(_) = draft.template.repository
        && sources.is_set("template.reference")
    {
        let message = format!(
            "is set together with template.repository ({}), an S3 bucket, which has no branches, tags \
             and commits: the newest version of the object is the template; allowed: no reference \
             beside a bucket",
            sources.origin("template.repository")
        );
        sources.refuse_value("template.reference", message);
    }
}

/// Refuses a queue of messages as the queue of events: each would take the other's.
pub(super) fn refuse_one_queue_for_both(draft: &Draft, sources: &mut Sources) {
    let feedback = draft.feedback.queue_url.as_deref();
    if feedback.is_some_and(|feedback| is_same_queue(feedback, &draft.queue.url)) {
        let message = format!(
            "is the queue of queue.url ({}), from which mails are made; allowed: a queue of its own, \
             which SES's events reach",
            sources.origin("queue.url")
        );
        sources.refuse_value("feedback.queue_url", message);
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
            "is {grace}, in which no mail can be sent: its last {end} belong to settling and telemetry, and no send starts later than email.timeout ({timeout}) before them; allowed: more than {needed}, or a shorter email.timeout"
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
            None => (String::new(), "the two"),
        };
        let message = format!(
            "is {lease}, in which no send fits: a message is sent only while its lease outlasts email.timeout ({timeout}), and renewing the lease can take {renewal} of it{claiming}; allowed: more than {together} together, or a shorter email.timeout"
        );
        sources.refuse_value("queue.visibility_timeout", message);
    }
}
