//! The queue and its dead-letter queue: are they there, may we use them, and does their set-up fit
//! ours?

use std::time::Duration;

use super::{Target, finding::Finding};
use crate::{
    aws::classify::refusal_kind,
    ports::{
        QueueFacts, QueueFailure, ReceiptHandle, Redrive,
        inspect::{Encryption, RefusalKind},
        queue_name,
    },
    text::format_duration,
    timing::needed_at_renewal,
};

const RIGHTS: &str = "queue rights";
const REDRIVE: &str = "redrive";
const READ: &str = "sqs:GetQueueAttributes";
/// With fewer receives than this, a few restarts in a bad hour dead-letter good messages.
const RECEIVES_ENOUGH: u32 = 5;

pub(super) async fn check_queue(target: &Target<'_>) -> Vec<Finding> {
    const CHECK: &str = "queue";
    let url = &target.settings.queue.url;
    let name = queue_name(url);
    let (details, rights) = tokio::join!(target.inspector.queue(url), check_rights(target, name));
    let details = match details {
        Ok(details) => details,
        Err(failure) => {
            let is_missing = refusal_kind(&failure.error) == RefusalKind::NotFound;
            return vec![
                Finding::failed_call(CHECK, READ, name, &failure),
                if is_missing {
                    Finding::skipped(RIGHTS, "there is no queue to try them on")
                } else {
                    rights
                },
                check_lease(target),
                Finding::skipped(REDRIVE, "the queue's attributes are not known"),
            ];
        }
    };
    let found = format!(
        "{name}: {} waiting, {} in flight, retention {}",
        details.waiting,
        details.in_flight,
        format_duration(details.facts.retention)
    );
    let mut findings = vec![
        Finding::ok(CHECK, found),
        rights,
        check_lease(target),
        check_redrive(&details.facts),
    ];
    findings.extend(check_ledger_keep(target, &details.facts));
    if let Some(redrive) = &details.facts.redrive {
        findings.push(check_dead_letters(target, &details.facts, redrive).await);
    }
    findings.push(check_encryption(&details.encryption));
    findings
}

/// Every right that the daemon needs to receive and settle, each tried without touching a message.
async fn check_rights(target: &Target<'_>, name: &str) -> Finding {
    let made_up = [ReceiptHandle::made_up()];
    let revealed = [(made_up[0].clone(), Duration::ZERO)];
    let (received, changed, deleted) = tokio::join!(
        target.world.queue.may_receive(),
        target.world.queue.change_visibility(&revealed),
        target.world.queue.delete(&made_up),
    );
    // No queue knows this handle, so the entries must fail. A call fails as a whole if the right to
    // make it is missing.
    let tried = [
        ("sqs:ReceiveMessage", received.err()),
        ("sqs:ChangeMessageVisibility", changed.err()),
        ("sqs:DeleteMessage", deleted.err()),
    ];
    let refused = tried.into_iter().filter_map(|(action, failure)| {
        Some(Finding::failed_call(RIGHTS, action, name, &failure?))
    });
    Finding::tried(RIGHTS, refused, "may receive, change visibility and delete")
}

/// Our own lease. Every receive asks for it, so the queue's own visibility timeout does not matter.
fn check_lease(target: &Target<'_>) -> Finding {
    const CHECK: &str = "lease";
    let length = target.settings.queue.visibility_timeout;
    let send = target.settings.email.timeout;
    let left = length / 2;
    let needed = needed_at_renewal(length, send);
    if left < needed {
        let found = format!(
            "queue.visibility_timeout is {}: when it is renewed, at half of it, {} are left, and a \
             send and the renewal can take {}",
            format_duration(length),
            format_duration(left),
            format_duration(needed)
        );
        return Finding::warning(CHECK, found).advising(format!(
            "set queue.visibility_timeout to {} or more, or shorten email.timeout",
            format_duration(Duration::from_secs((needed * 2).as_secs() + 1))
        ));
    }
    let found = format!(
        "{}, renewed at half of it; email.timeout is {}",
        format_duration(length),
        format_duration(send)
    );
    Finding::ok(CHECK, found)
}

/// Whether the table remembers a mail for as long as its message can come again.
fn check_ledger_keep(target: &Target<'_>, facts: &QueueFacts) -> Option<Finding> {
    let ledger = &target.settings.ledger;
    (ledger.table.is_some() && ledger.keep < facts.retention).then(|| {
        let found = format!(
            "ledger.keep is {}, and the queue keeps messages {}: one that comes again later can be \
             mailed twice",
            format_duration(ledger.keep),
            format_duration(facts.retention)
        );
        Finding::warning("ledger keep", found)
            .advising("raise ledger.keep beyond what the queue and its dead-letter queue keep")
    })
}

fn check_redrive(facts: &QueueFacts) -> Finding {
    let Some(redrive) = &facts.redrive else {
        let found = format!(
            "the queue has no redrive policy: a message that can never be sent comes back for {}",
            format_duration(facts.retention)
        );
        return Finding::warning(REDRIVE, found)
            .advising("give the queue a RedrivePolicy with a dead-letter queue");
    };
    let policy = format!("dead-letters after {} receives", redrive.max_receive_count);
    if redrive.max_receive_count >= RECEIVES_ENOUGH {
        return Finding::ok(REDRIVE, policy);
    }
    let found =
        format!("{policy}: after that many restarts or crashes a good message is dead-lettered");
    Finding::warning(REDRIVE, found).advising(format!(
        "raise maxReceiveCount to {RECEIVES_ENOUGH} or more"
    ))
}

async fn check_dead_letters(target: &Target<'_>, facts: &QueueFacts, redrive: &Redrive) -> Finding {
    const CHECK: &str = "dead letters";
    let arn = &redrive.dead_letter_queue;
    let name = arn.rsplit(':').next().unwrap_or_default();
    // A dead-letter queue is of the same account and region.
    let own = &target.settings.queue.url;
    let url = format!("{}{name}", own.strip_suffix(queue_name(own)).unwrap_or(own));
    let details = match target.inspector.queue(&url).await {
        Ok(details) => details,
        Err(QueueFailure { error, .. }) if refusal_kind(&error) == RefusalKind::NotFound => {
            return Finding::refused(CHECK, READ, name, &error);
        }
        Err(failure) => return Finding::unread(CHECK, READ, name, &failure.error),
    };
    let kept = details.facts.retention;
    if kept <= facts.retention {
        let found = format!(
            "{name} keeps messages {} and the queue {}, both counted from when a message was \
             first sent: messages may expire before anybody looks",
            format_duration(kept),
            format_duration(facts.retention)
        );
        return Finding::warning(CHECK, found).advising(
            "raise the MessageRetentionPeriod of the dead-letter queue, best to 14 days",
        );
    }
    let found = format!("{name} keeps messages {}", format_duration(kept));
    match details.waiting {
        0 => Finding::ok(CHECK, found),
        waiting => Finding::note(CHECK, format!("{found}, and holds {waiting}")).advising(format!(
            "`organizer-notifier triage --queue-url {url}` shows what would become of them"
        )),
    }
}

fn check_encryption(encryption: &Encryption) -> Finding {
    const CHECK: &str = "encryption";
    match encryption {
        Encryption::Managed => Finding::ok(CHECK, "with SQS's own key"),
        Encryption::Off => Finding::warning(CHECK, "off, and messages hold addresses")
            .advising("set SqsManagedSseEnabled on the queue: it costs nothing"),
        Encryption::Key(key) if key.ends_with("alias/aws/sqs") => Finding::warning(
            CHECK,
            "with alias/aws/sqs, whose policy does not let SNS use it: nothing arrives",
        )
        .advising("use SQS's own key (SqsManagedSseEnabled), or a key of yours that SNS may use"),
        Encryption::Key(key) => Finding::note(
            CHECK,
            format!("with the KMS key {key}; only a message can show whether we may use it"),
        )
        .advising("the role needs kms:Decrypt on it, SNS kms:GenerateDataKey and kms:Decrypt"),
    }
}
