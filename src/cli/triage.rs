//! `triage`: what would become of each message of a dead-letter queue, without removing any.

mod report;
mod scan;

use anyhow::{Context, anyhow, bail};

use self::scan::{End, ScannedMessage, Scanner};
use super::{
    FAILED, OK,
    arguments::Triage,
    output::{eprint, print},
    session::{self, Session},
};
use crate::{
    aws::classify,
    config::{Flags, OwnFlag},
    shutdown,
    text::format_duration,
};

/// Scans, prints, puts back, and returns the exit code.
pub(super) async fn triage(flags: &Flags, asked: &Triage) -> anyhow::Result<u8> {
    let mut flags = flags.clone();
    // As a flag it is checked as the configuration's own queue is.
    flags.own.push(OwnFlag {
        flag: "--queue-url",
        key: "queue.url",
        value: asked.queue_url.clone(),
    });
    let mut signals = shutdown::signals().context("signals cannot be handled")?;
    let loaded = session::load_for_mail(&flags, asked.template.as_deref())?;
    let Session { loaded, world, .. } = Session::connect(loaded).await?;
    let loaded_template = session::load_template(&*world.templates, &loaded.settings).await?;
    let facts = world.queue.describe().await.map_err(|failure| {
        let kind = classify::refusal_kind(&failure.error);
        let remedy = kind.remedy("sqs:GetQueueAttributes", "the queue");
        anyhow!("the queue cannot be read: {failure}; {remedy}")
    })?;
    if let Some(redrive) = facts.redrive.filter(|_| !asked.despite_redrive) {
        bail!(
            "the queue has a redrive policy: each scan counts as a receive, and after {} receives \
             SQS moves a message on; nothing was received; to scan anyway, add --despite-redrive",
            redrive.max_receive_count
        );
    }
    let scanner = Scanner {
        queue: &*world.queue,
        composer: &loaded.settings.composer(),
        template: &loaded_template.template,
        retention: facts.retention,
        limit: usize::try_from(asked.limit).unwrap_or(usize::MAX),
    };
    let mut printed = Ok(());
    let show = |message: &ScannedMessage| {
        if !asked.json {
            printed = print(report::line(message));
        }
        printed.is_ok()
    };
    let scan = scanner.scan(&mut signals, show).await;
    let printed = printed.and_then(|()| {
        if asked.json {
            print(report::json(&scan))
        } else {
            print(report::summary(&scan))
        }
    });
    if let End::Failed(why) = &scan.end {
        eprint(why);
    }
    if scan.left_hidden > 0 {
        eprint(&format_args!(
            "{} messages could not be made visible: they come back by themselves within {}; \
             the role needs sqs:ChangeMessageVisibility",
            scan.left_hidden,
            format_duration(scan::HIDDEN_MAX)
        ));
    }
    let is_good = scan.left_hidden == 0 && !matches!(scan.end, End::Failed(_));
    if !is_good {
        return Ok(FAILED);
    }
    printed?;
    Ok(OK)
}
