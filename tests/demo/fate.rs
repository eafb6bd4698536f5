//! What became of each event: watched at the local AWS, not taken from what the daemon says.

use std::time::Duration;

use anyhow::bail;
use tokio::time::{Instant, interval};

use crate::{
    daemon::Daemon,
    event::Ses,
    screen::Screen,
    stage::{Published, Stage},
};

/// A few seconds are usual: the broken one comes back after two for its second and last receive.
const PATIENCE: Duration = Duration::from_mins(1);
const LOOK: Duration = Duration::from_millis(50);

/// The end of an event's way.
pub(crate) enum Fate {
    Mailed {
        to: String,
        subject: String,
        /// What SES's events told of it, where that is more than its delivery; else empty.
        told: String,
    },
    DeadLettered {
        /// The daemon's own words: which receive it was, and why.
        receive: String,
        why: String,
    },
}

/// Shows each event's fate as it comes; returns when all have theirs and the queue is empty.
pub(crate) async fn watch(
    stage: &Stage,
    published: &[Published],
    daemon: &mut Daemon,
    screen: &Screen,
) -> anyhow::Result<()> {
    let began = Instant::now();
    let mut look = interval(LOOK);
    let mut known = 0;
    loop {
        tokio::select! {
            failed = daemon.ended() => return Err(failed),
            _ = look.tick() => {}
        }
        while let Some(next) = published.get(known)
            && let Some(fate) = of(next, stage, daemon)
        {
            known += 1;
            screen.fate(known, &fate)?;
        }
        if known == published.len() && stage.queue_is_empty() {
            return Ok(());
        }
        if began.elapsed() > PATIENCE {
            screen.clear()?;
            let Some(missing) = published.get(known) else {
                bail!(
                    "the queue is not empty although all was done{}",
                    daemon.last_words()
                );
            };
            bail!(
                "nothing became of event {} ({}) within a minute{}",
                known + 1,
                missing.event.what,
                daemon.last_words()
            );
        }
        screen.waiting(published.len() - known, began.elapsed())?;
    }
}

/// What SES's events told of a mail, as the daemon says it; `None` while that is to come.
fn told(published: &Published, stage: &Stage, daemon: &Daemon) -> Option<String> {
    let id = &published.notification_id;
    match published.event.ses {
        Ses::Delivers => Some(String::new()),
        Ses::Bounces => {
            let line = daemon.line_on(id, "a mail bounced")?;
            let said = |field: &str| line[field].as_str().unwrap_or_default().to_owned();
            let why = [
                said("notifier.event.type"),
                said("notifier.event.status"),
                said("notifier.event.diagnostic"),
            ];
            Some(format!("bounced: {}", why.join(", ")))
        }
        Ses::LosesItsAnswer => {
            daemon.line_on(id, "sent, as an event of SES's shows")?;
            let mails = stage.mails().into_iter();
            let count = mails.filter(|mail| published.is_told_by(mail)).count();
            Some(format!(
                "no answer came; SES's event says that it went out, so it is not sent again: {count} mail"
            ))
        }
    }
}

fn of(published: &Published, stage: &Stage, daemon: &Daemon) -> Option<Fate> {
    let mail = stage
        .mails()
        .into_iter()
        .find(|mail| published.is_told_by(mail));
    if let Some(mail) = mail {
        return Some(Fate::Mailed {
            told: told(published, stage, daemon)?,
            to: mail.to.join(", "),
            subject: mail.subject,
        });
    }
    stage
        .dead_letters()
        .iter()
        .find(|message| message.message_id == published.message_id)?;
    let line = daemon.last_line_on(&published.message_id)?;
    let text = |field: &str| line[field].as_str().unwrap_or_default().to_owned();
    let receive = text("notifier.receive");
    // The queue may be quicker than the line about the last receive.
    let is_last = receive
        .split_once(" of ")
        .is_some_and(|(this, last)| this == last);
    is_last.then(|| Fate::DeadLettered {
        receive,
        why: text("message"),
    })
}
