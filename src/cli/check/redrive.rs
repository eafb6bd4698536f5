//! Where messages go that cannot be mailed.

use super::{
    Target,
    finding::{Finding, Level},
};
use crate::{
    aws::classify::refusal_kind,
    ports::{QueueFacts, inspect::RefusalKind, queue_name},
    text::format_duration,
};

/// Fewer receives than this and a few restarts in a bad hour dead-letter good messages.
const RECEIVES_ENOUGH: u32 = 5;

pub(super) async fn look(target: &Target<'_>, facts: &QueueFacts) -> Vec<Finding> {
    const CHECK: &str = "redrive";
    let Some(redrive) = &facts.redrive else {
        return vec![
            Finding::warning(
                CHECK,
                format!(
                    "the queue has no redrive policy: a message that can never be sent comes back \
                     for {}",
                    format_duration(facts.retention)
                ),
            )
            .advising("give the queue a RedrivePolicy with a dead-letter queue"),
        ];
    };
    let receives = redrive.max_receive_count;
    let policy = format!("dead-letters after {receives} receives");
    let policy = if receives < RECEIVES_ENOUGH {
        Finding::warning(
            CHECK,
            format!(
                "{policy}: that many restarts or crashes lose a message to the dead-letter queue"
            ),
        )
        .advising(format!(
            "raise maxReceiveCount to {RECEIVES_ENOUGH} or more"
        ))
    } else {
        Finding::ok(CHECK, policy)
    };
    vec![
        policy,
        dead_letter_queue(target, facts, &redrive.dead_letter_queue).await,
    ]
}

async fn dead_letter_queue(target: &Target<'_>, facts: &QueueFacts, arn: &str) -> Finding {
    const CHECK: &str = "dead letters";
    let name = arn.rsplit(':').next().unwrap_or_default();
    let url = sibling(&target.settings.queue.url, name);
    let details = match target.inspector.queue(&url).await {
        Ok(details) => details,
        Err(error) => {
            // The daemon itself does without this right.
            let level = match refusal_kind(&error) {
                RefusalKind::Denied => Level::Note,
                RefusalKind::NotFound => Level::Failed,
                _ => Level::Warning,
            };
            let action = "sqs:GetQueueAttributes";
            return Finding::refused(level, CHECK, action, name, &error);
        }
    };
    let kept = details.facts.retention;
    if kept <= facts.retention {
        // SQS counts from when a message was first sent, in whichever queue it is.
        return Finding::warning(
            CHECK,
            format!(
                "{name} keeps messages {} and the queue {}, both counted from when a message was \
                 first sent: it may be forgotten before anybody looks",
                format_duration(kept),
                format_duration(facts.retention)
            ),
        )
        .advising("raise the MessageRetentionPeriod of the dead-letter queue, best to 14 days");
    }
    let found = format!("{name} keeps messages {}", format_duration(kept));
    match details.waiting {
        0 => Finding::ok(CHECK, found),
        waiting => Finding::note(CHECK, format!("{found}, and holds {waiting}")).advising(format!(
            "`organizer-notifier triage --queue-url {url}` tells what would become of them"
        )),
    }
}

/// The URL of another queue of the same account and region, which a dead-letter queue has to be.
fn sibling(url: &str, name: &str) -> String {
    let base = url.strip_suffix(queue_name(url)).unwrap_or(url);
    format!("{base}{name}")
}
