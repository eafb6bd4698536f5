//! `check`: tries everything that the daemon will need, with the daemon's clients and settings,
//! changes nothing, and says what is wrong and what to do.

mod account;
mod collector;
mod environment;
mod feedback;
mod finding;
mod identity;
mod mail;
mod platform;
mod policy;
mod probe;
mod queue;
mod table;
mod template;

use self::{
    account::check_account,
    collector::check_collectors,
    environment::{check_configuration, check_credentials, check_region},
    feedback::check_feedback,
    finding::{Finding, Level},
    identity::{check_bounces, check_recipient, check_sender},
    mail::{check_mail, send_sample},
    platform::check_stop_time,
    probe::probe,
    queue::check_queue,
    table::check_table,
    template::check_template,
};
use super::{
    FAILED, OK,
    arguments::Check,
    output::print,
    session::{self, Session, UsageError},
};
use anyhow::Context;

use crate::{
    aws::AwsInspector,
    config::{Flags, Settings},
    ports::{World, inspect::Inspect},
    shutdown::{self, Signal},
};

/// What is checked.
struct Target<'a> {
    settings: &'a Settings,
    region: &'a str,
    world: &'a World,
    inspector: Box<dyn Inspect>,
}

/// Checks, prints what was found, and returns the exit code.
pub(super) async fn check(flags: &Flags, asked: &Check) -> anyhow::Result<u8> {
    let loaded = session::load(flags)?;
    if asked.feedback && loaded.settings.feedback.queue_url.is_none() {
        let needed = "--feedback needs feedback.queue_url, the queue that SES's events reach";
        return Err(UsageError(needed.to_owned()).into());
    }
    let session = Session::connect(loaded).await?;
    let settings = &session.loaded.settings;
    let target = Target {
        settings,
        region: &session.region,
        world: &session.world,
        inspector: Box::new(AwsInspector::new(&session.aws)),
    };
    let mut findings = vec![check_configuration(&session.loaded), check_region(&target)];
    findings.extend(target.check_aws(asked).await?);
    findings.extend(check_collectors(std::env::vars()).await);
    findings.push(check_stop_time(settings.grace, |name| {
        std::env::var_os(name).is_some()
    }));
    if asked.json {
        print(format_args!("{:#}", finding::json(&findings, asked.strict)))?;
    } else {
        print(finding::table(&findings, asked.strict))?;
    }
    let is_good = finding::is_good(&findings, asked.strict);
    Ok(if is_good { OK } else { FAILED })
}

impl Target<'_> {
    async fn check_aws(&self, asked: &Check) -> anyhow::Result<Vec<Finding>> {
        let credentials = check_credentials(&*self.inspector).await;
        if credentials.level == Level::Failed {
            let skipped =
                "queue, template and mail were not checked, since there are no credentials";
            return Ok(vec![credentials, Finding::skipped("aws", skipped)]);
        }
        let composer = self.settings.composer();
        let (queue, (of_template, template), (identity, details), account, mail, table) = tokio::join!(
            check_queue(self),
            check_template(self, &composer),
            check_sender(self, self.settings.sender.address()),
            check_account(self),
            check_mail(self),
            check_table(self),
        );
        let default_set = details.as_ref();
        let default_set = default_set.and_then(|details| details.configuration_set.as_deref());
        let feedback = check_feedback(self, default_set).await;
        let credentials = vec![credentials];
        let mut findings = [
            credentials,
            queue,
            table,
            of_template,
            identity,
            account,
            mail,
        ]
        .concat();
        findings.extend(feedback.findings.iter().cloned());
        findings
            .extend(details.map(|details| check_bounces(&details, feedback.tells_of_bounces())));
        if let Some(recipient) = &asked.recipient {
            findings.push(check_recipient(self, recipient).await);
        }
        if asked.feedback {
            // As the first process of a container this one would not be ended by a signal else.
            let mut signals = shutdown::signals().context("signals cannot be handled")?;
            tokio::select! {
                finding = probe(self, &feedback) => findings.push(finding),
                Some(Signal::Stop(name)) = signals.recv() => {
                    findings.push(Finding::failed("feedback", format!("{name} ended the wait")));
                }
            }
        }
        if let Some(to) = &asked.send_to {
            findings.push(match &template {
                Some(template) => send_sample(self, &composer, template, to).await,
                None => Finding::skipped("sample mail", "not sent, since there is no template"),
            });
        }
        Ok(findings)
    }
}
