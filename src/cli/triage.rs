//! `triage`: what would become of each message of a dead-letter queue, without removing any.

mod look;
mod print;

use anyhow::Context;

use self::look::{Looked, Looking};
use super::{
    FAILED, OK, USAGE,
    arguments::Triage,
    connect::{self, NO_REGION},
    output::{say, tell},
};
use crate::{
    aws::{AwsConfig, classify},
    config::{self, Flags, TemplateLocation},
    notification::masked_text,
    ports::{QueueFacts, inspect::RefusalKind},
    shutdown,
    text::format_duration,
};

/// Looks, tells, puts back, and returns the exit code.
pub(super) async fn triage(flags: &Flags, asked: &Triage) -> anyhow::Result<u8> {
    let mut spared = vec!["queue.url"];
    if asked.template.is_some() {
        spared.extend(["template.repository", "template.path"]);
    }
    let mut flags = flags.clone();
    // So that the URL is checked as that of the configuration is.
    let queue_url = ("queue.url".to_owned(), asked.queue_url.clone());
    flags.overrides.push(queue_url);
    let loaded = match config::load_without(&spared, &flags, std::env::vars_os()) {
        Ok(loaded) => loaded,
        Err(problems) => {
            tell(&problems);
            return Ok(USAGE);
        }
    };
    let settings = &loaded.settings;
    let mut signals = shutdown::signals().context("signals cannot be handled")?;
    let aws = AwsConfig::load(settings.aws.region.as_deref()).await;
    if aws.region().is_none() {
        tell(&NO_REGION);
        return Ok(USAGE);
    }
    let location = match &asked.template {
        Some(path) => TemplateLocation::File(path.clone()),
        None => settings.template.source.clone(),
    };
    let source = connect::template(&location, &aws);
    let placeholders = settings.placeholders()?;
    let max_bytes = settings.template.max_bytes;
    let template = match connect::load_template(&*source, &placeholders, max_bytes).await {
        Ok(loaded) => loaded.template,
        Err(failure) => {
            let location = source.location();
            tell(&format_args!(
                "no template: {failure} ({location}); {}",
                failure.remedy()
            ));
            return Ok(FAILED);
        }
    };
    let queue = connect::queue(settings, &asked.queue_url, &aws);
    let facts = match queue.describe().await {
        Ok(facts) => facts,
        Err(failure) => {
            let remedy = match classify::refusal_kind(&failure.error) {
                RefusalKind::Denied => "allow sqs:GetQueueAttributes on it to the role",
                RefusalKind::NotFound => "check the URL and the region",
                _ => "nothing was looked at",
            };
            tell(&format_args!(
                "the queue cannot be read: {}; {remedy}",
                masked_text(&failure.to_string())
            ));
            return Ok(FAILED);
        }
    };
    if let Some(refused) = refuse(&facts, asked.despite_redrive) {
        tell(&refused);
        return Ok(FAILED);
    }
    let composer = settings.composer()?;
    let looking = Looking {
        queue: &*queue,
        composer: &composer,
        template: &template,
        retention: facts.retention,
        limit: asked.limit,
    };
    let mut told = Ok(());
    let looked = looking
        .look(&mut signals, |message| {
            if !asked.json && told.is_ok() {
                told = say(&print::line(message));
            }
            told.is_ok()
        })
        .await;
    told?;
    say(&if asked.json {
        print::json(&looked)
    } else {
        print::summary(&looked)
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
        tell(&format_args!("{}", masked_text(failure)));
    }
    if looked.not_put_back > 0 {
        tell(&format_args!(
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
