//! `triage`: what would become of each message of a dead-letter queue, without removing any.

mod look;
mod report;

use anyhow::{Context, bail};

use self::look::{Looked, Looking};
use super::{
    FAILED, OK,
    arguments::Triage,
    output::{eprint, print},
    session::{self, Needs, Session},
};
use crate::{aws::classify, config::Flags, ports::QueueFacts, shutdown, text::format_duration};

/// Looks, tells, puts back, and returns the exit code.
pub(super) async fn triage(flags: &Flags, asked: &Triage) -> anyhow::Result<u8> {
    let mut flags = flags.clone();
    // So that the URL is checked as that of the configuration is.
    let queue_url = ("queue.url".to_owned(), asked.queue_url.clone());
    flags.overrides.push(queue_url);
    let mut signals = shutdown::signals().context("signals cannot be handled")?;
    let Session { loaded, world, .. } =
        Session::open(&flags, Needs::Mail(asked.template.as_deref())).await?;
    let template = session::load_template(&*world.templates, &loaded.settings).await?;
    let facts = match world.queue.describe().await {
        Ok(facts) => facts,
        Err(failure) => {
            let remedy = classify::refusal_kind(&failure.error)
                .remedy("sqs:GetQueueAttributes", "the queue");
            bail!("the queue cannot be read: {failure}; {remedy}");
        }
    };
    if let Some(refused) = refuse(&facts, asked.despite_redrive) {
        bail!(refused);
    }
    let composer = loaded.settings.composer();
    let looking = Looking {
        queue: &*world.queue,
        composer: &composer,
        template: &template,
        retention: facts.retention,
        limit: usize::try_from(asked.limit).unwrap_or(usize::MAX),
    };
    let mut told = Ok(());
    let looked = looking
        .look(&mut signals, |message| {
            if !asked.json && told.is_ok() {
                told = print(&report::line(message));
            }
            told.is_ok()
        })
        .await;
    told?;
    print(&if asked.json {
        report::json(&looked)
    } else {
        report::summary(&looked)
    })?;
    Ok(conclude(&looked))
}

/// Why looking could remove messages, where it could.
fn refuse(facts: &QueueFacts, despite: bool) -> Option<String> {
    let redrive = facts.redrive.as_ref().filter(|_| !despite)?;
    Some(format!(
        "the queue has a redrive policy: each look is a receive, and after {} SQS moves a message \
         on; nothing was looked at; --despite-redrive looks all the same",
        redrive.max_receive_count
    ))
}

fn conclude(looked: &Looked) -> u8 {
    if let Some(failure) = &looked.failure {
        eprint(failure);
    }
    if looked.not_put_back > 0 {
        eprint(&format_args!(
            "{} messages could not be made visible: they come back by themselves within {}; \
             the role needs sqs:ChangeMessageVisibility",
            looked.not_put_back,
            format_duration(look::HIDDEN)
        ));
    }
    if looked.failure.is_none() && looked.not_put_back == 0 {
        OK
    } else {
        FAILED
    }
}
