//! The queue that messages are redriven to, and whether they came from it.

use anyhow::bail;

use super::{records::name_in_arn, scan::Judged};
use crate::{
    aws::classify,
    cli::session::UsageError,
    ports::{QueueFailureKind, inspect::Inspect, is_same_queue, queue_name},
};

/// A queue to redrive to.
pub(super) struct Target {
    pub(super) url: String,
    /// True if `--to-queue-url` gave it, false if it is the configured `queue.url`.
    pub(super) is_named: bool,
}

impl Target {
    /// The queue at `url`, if messages of the queue at `dead` may go there.
    pub(super) fn new(url: Option<&str>, is_named: bool, dead: &str) -> Result<Self, UsageError> {
        let Some(url) = url else {
            let needed = "--redrive needs the queue to send to: set SQS_URL (queue.url), or name it by \
                          --to-queue-url";
            return Err(UsageError(needed.to_owned()));
        };
        if is_same_queue(url, dead) {
            let given = if is_named {
                "--to-queue-url"
            } else {
                "queue.url (SQS_URL)"
            };
            return Err(UsageError(format!(
                "--redrive would send the messages to the queue that they are in: {given} and \
                 --queue-url name one queue"
            )));
        }
        Ok(Self {
            url: url.to_owned(),
            is_named,
        })
    }

    pub(super) fn name(&self) -> &str {
        queue_name(&self.url)
    }

    /// Looks whether the queue at `dead` is this one's dead-letter queue. Returns what a person should know
    /// where it is not, or that is not known; a queue that was not named for this must prove it.
    pub(super) async fn check(
        &self,
        dead: &str,
        inspector: &dyn Inspect,
    ) -> anyhow::Result<Option<String>> {
        let (name, dead_name) = (self.name(), queue_name(dead));
        let doubt = match inspector.queue(&self.url).await {
            Ok(details) => match details.facts.redrive {
                Some(redrive) if is_same_queue(&redrive.dead_letter_queue, dead) => {
                    return Ok(None);
                }
                Some(redrive) => format!(
                    "{dead_name} is not the dead-letter queue of {name}, which is {}",
                    name_in_arn(&redrive.dead_letter_queue)
                ),
                None => {
                    format!("{dead_name} is not the dead-letter queue of {name}, which has none")
                }
            },
            Err(failure) => {
                let kind = classify::refusal_kind(&failure.error);
                let remedy = kind.remedy("sqs:GetQueueAttributes", "the queue");
                let doubt = format!(
                    "it is not known whether {dead_name} is the dead-letter queue of {name}: {failure}; \
                     {remedy}"
                );
                if failure.kind == QueueFailureKind::NotFound {
                    bail!("{doubt}; nothing was done");
                }
                doubt
            }
        };
        if self.is_named {
            return Ok(Some(doubt));
        }
        bail!("{doubt}; nothing was done; to redrive to it all the same, name it by --to-queue-url")
    }

    /// Whether a message is known to come from another queue.
    pub(super) fn is_foreign(&self, message: &Judged) -> bool {
        let came_from = message.came_from.as_deref();
        came_from.is_some_and(|arn| !is_same_queue(arn, &self.url))
    }
}
