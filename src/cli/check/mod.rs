//! `check`: reaches everything that the daemon will need, with its clients and settings, changes
//! nothing, and says what is wrong and what to do.

mod account;
mod around;
mod finding;
mod identity;
mod mail;
mod queue;
mod redrive;
mod template;

use self::finding::{Finding, Sum};
use super::{
    FAILED, OK,
    arguments::Check,
    output::{Paint, print},
    session::{Needs, Session},
};
use crate::{
    aws::AwsInspector,
    config::{Flags, Settings},
    ports::{World, inspect::Inspect},
};

/// What is checked.
struct Target<'a> {
    settings: &'a Settings,
    region: &'a str,
    world: &'a World,
    inspector: Box<dyn Inspect>,
}

/// Looks, prints, and returns the exit code.
pub(super) async fn check(flags: &Flags, asked: &Check) -> anyhow::Result<u8> {
    let session = Session::open(flags, Needs::Daemon).await?;
    let settings = &session.loaded.settings;
    let target = Target {
        settings,
        region: &session.region,
        world: &session.world,
        inspector: Box::new(AwsInspector::new(&session.aws)),
    };
    let mut findings = vec![
        around::configuration(&session.loaded),
        around::region(&target),
    ];
    findings.extend(target.at_aws(asked.send_to.as_deref()).await?);
    findings.extend(around::telemetry(std::env::vars()).await);
    findings.push(around::stop(settings.shutdown.grace, |name| {
        std::env::var(name).ok()
    }));
    let sum = Sum::of(&findings, asked.strict);
    print(&if asked.json {
        finding::json(&findings, &sum)
    } else {
        finding::table(&findings, &sum, Paint::for_stdout())
    })?;
    Ok(if sum.is_good() { OK } else { FAILED })
}

impl Target<'_> {
    async fn at_aws(&self, send_to: Option<&str>) -> anyhow::Result<Vec<Finding>> {
        let (credentials, good) = around::credentials(&*self.inspector).await;
        let mut findings = vec![credentials];
        if !good {
            findings.push(Finding::skipped(
                "aws",
                "queue, template and mail were not looked at, for want of credentials",
            ));
            return Ok(findings);
        }
        let composer = self.settings.composer()?;
        let placeholders = self.settings.placeholders()?;
        let sender = self.settings.sender()?;
        let (queue, (of_template, template), identity, account, mail) = tokio::join!(
            queue::look(self),
            template::look(self, &composer, &placeholders),
            identity::look(self, sender.address()),
            account::look(self),
            mail::look(self),
        );
        findings.extend(queue);
        findings.extend(of_template);
        findings.push(identity);
        findings.extend(account);
        findings.extend(mail);
        if let Some(to) = send_to {
            let sent = match &template {
                Some(template) => mail::send(self, &composer, template, to).await,
                None => Finding::skipped("sample mail", "not sent, for want of a template"),
            };
            findings.push(sent);
        }
        Ok(findings)
    }
}
