//! Settings that are good each by itself and do not go together.

use super::{draft::Draft, sources::Sources};
use crate::{
    text::format_to_the_millisecond,
    timing::{SETTLING_TIME, TELEMETRY_FLUSH_TIME, lease_call_timeout},
};

/// Refuses a template that comes from `CodeCommit` and from a file.
pub(super) fn refuse_two_templates(sources: &mut Sources) {
    let keys = ["template.repository", "template.path", "template.reference"];
    let set = keys.into_iter().filter(|key| sources.is_set(key));
    let others: Vec<String> = set
        .map(|key| format!("{key} ({})", sources.origin(key)))
        .collect();
    if sources.is_set("template.file") && !others.is_empty() {
        let message = format!(
            "is set together with {}; allowed: a template from a file or from CodeCommit, not both",
            others.join(" and ")
        );
        sources.refuse_value("template.file", message);
    }
}

/// Refuses times that do not go together, where both could be read.
pub(super) fn refuse_times(draft: &Draft, sources: &mut Sources) {
    let timeout = draft.email.timeout;
    let grace = draft.shutdown.grace;
    let lease = draft.queue.visibility_timeout;
    let end = TELEMETRY_FLUSH_TIME + SETTLING_TIME;
    let renewal = lease_call_timeout(lease);
    if sources.is_wrong("email.timeout") {
        return;
    }
    if grace <= end + timeout && !sources.is_wrong("shutdown.grace") {
        let message = format!(
            "is {}, in which no mail can be sent: its last {} belong to settling and telemetry, and no send starts later than email.timeout ({}) before them; allowed: more than {}, or a shorter email.timeout",
            format_to_the_millisecond(grace),
            format_to_the_millisecond(end),
            format_to_the_millisecond(timeout),
            format_to_the_millisecond(end + timeout),
        );
        sources.refuse_value("shutdown.grace", message);
    }
    if timeout + renewal >= lease && !sources.is_wrong("queue.visibility_timeout") {
        let message = format!(
            "is {}, in which no send fits: a message is sent only while its lease outlasts email.timeout ({}), and renewing the lease can take {} of it; allowed: more than the two together, or a shorter email.timeout",
            format_to_the_millisecond(lease),
            format_to_the_millisecond(timeout),
            format_to_the_millisecond(renewal),
        );
        sources.refuse_value("queue.visibility_timeout", message);
    }
}
