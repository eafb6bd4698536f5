//! The queue: is it there, may we use it, and does its set-up fit ours?

use std::time::Duration;

use super::{
    Target,
    finding::{Finding, Level},
    redrive,
};
use crate::{
    aws::classify::refusal_kind,
    ports::{
        QueueFailure, ReceiptHandle,
        inspect::{Encryption, QueueDetails, RefusalKind},
        queue_name,
    },
    text::format_duration,
    timing::lease_call_timeout,
};

const RIGHTS: &str = "queue rights";

pub(super) async fn look(target: &Target<'_>) -> Vec<Finding> {
    const CHECK: &str = "queue";
    let url = &target.settings.queue.url;
    let name = queue_name(url);
    let details = target.inspector.queue(url).await;
    let mut findings = Vec::new();
    match details {
        Ok(details) => {
            let found = format!(
                "{name}: {} waiting, {} in flight, keeps messages {}",
                details.waiting,
                details.in_flight,
                format_duration(details.facts.retention)
            );
            findings.push(Finding::ok(CHECK, found));
            findings.push(rights(target, name).await);
            findings.push(visibility(target));
            findings.extend(redrive::look(target, &details.facts).await);
            findings.push(encryption(&details));
        }
        Err(error) => {
            let action = "sqs:GetQueueAttributes";
            findings.push(Finding::refused(Level::Failed, CHECK, action, name, &error));
            findings.push(match refusal_kind(&error) {
                RefusalKind::NotFound => {
                    Finding::skipped(RIGHTS, "there is no queue to try them on")
                }
                _ => rights(target, name).await,
            });
            findings.push(visibility(target));
            findings.push(Finding::skipped(
                "redrive",
                "the queue's attributes are not known",
            ));
        }
    }
    findings
}

/// Every right that the daemon needs to receive and settle, each tried without touching a message.
async fn rights(target: &Target<'_>, name: &str) -> Finding {
    let receive = target.inspector.may_receive(&target.settings.queue.url);
    let made_up = [ReceiptHandle::made_up()];
    let revealed = [(made_up[0].clone(), Duration::ZERO)];
    let (received, changed, deleted) = tokio::join!(
        receive,
        target.world.queue.change_visibility(&revealed),
        target.world.queue.delete(&made_up),
    );
    let whole = |failure: QueueFailure| failure.error;
    // Entries fail, as they must; a call that fails as a whole lacks the right to make it.
    let tried = [
        ("sqs:ReceiveMessage", received),
        (
            "sqs:ChangeMessageVisibility",
            changed.map(|_| ()).map_err(whole),
        ),
        ("sqs:DeleteMessage", deleted.map(|_| ()).map_err(whole)),
    ];
    let mut refused = Vec::new();
    for (action, answer) in tried {
        if let Err(error) = answer {
            refused.push(Finding::refused(
                Level::Failed,
                RIGHTS,
                action,
                name,
                &error,
            ));
        }
    }
    merged(refused).unwrap_or_else(|| {
        let found = "may receive, change visibility and delete";
        Finding::ok(RIGHTS, found)
    })
}

/// Several refusals of one kind on one line.
fn merged(refused: Vec<Finding>) -> Option<Finding> {
    refused.into_iter().reduce(|mut all, next| {
        all.found = format!("{}; {}", all.found, next.found);
        if all.remedy != next.remedy {
            all.remedy = Some(format!(
                "{}; {}",
                all.remedy.unwrap_or_default(),
                next.remedy.unwrap_or_default()
            ));
        }
        all
    })
}

/// Our own lease, which every receive asks for: the queue's default plays no part.
fn visibility(target: &Target<'_>) -> Finding {
    const CHECK: &str = "lease";
    let length = target.settings.queue.visibility_timeout;
    let send = target.settings.email.timeout;
    let left = length / 2;
    let needed = send + lease_call_timeout(length);
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
        "{}, renewed at half of it; a send takes {} at most",
        format_duration(length),
        format_duration(send)
    );
    Finding::ok(CHECK, found)
}

fn encryption(details: &QueueDetails) -> Finding {
    const CHECK: &str = "encryption";
    match &details.encryption {
        Encryption::Managed => Finding::ok(CHECK, "with SQS's own key"),
        Encryption::Off => Finding::warning(CHECK, "off, and messages hold addresses")
            .advising("set SqsManagedSseEnabled on the queue: it costs nothing"),
        Encryption::Key(key) if key.ends_with("alias/aws/sqs") => Finding::warning(
            CHECK,
            "with alias/aws/sqs, whose policy does not let SNS use it: nothing arrives",
        )
        .advising("take SQS's own key (SqsManagedSseEnabled), or a key of yours that SNS may use"),
        Encryption::Key(key) => Finding::note(
            CHECK,
            format!("with the KMS key {key}; whether we may use it only a message can tell"),
        )
        .advising("the role needs kms:Decrypt on it, SNS kms:GenerateDataKey and kms:Decrypt"),
    }
}
