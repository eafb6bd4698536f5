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
    FAILED, OK, USAGE,
    arguments::Check,
    connect::{self, NO_REGION},
    output::{Paint, say, tell},
};
use crate::{
    aws::{AwsConfig, AwsInspector},
    config::{self, Flags, Settings},
    ports::{World, inspect::Inspect},
};

/// What is checked.
struct Target<'a> {
    settings: &'a Settings,
    region: &'a str,
    world: World,
    inspector: Box<dyn Inspect>,
}

/// Looks, prints, and returns the exit code.
pub(super) async fn check(flags: &Flags, asked: &Check) -> anyhow::Result<u8> {
    let loaded = match config::load(flags, std::env::vars_os()) {
        Ok(loaded) => loaded,
        Err(problems) => {
            tell(&problems);
            return Ok(USAGE);
        }
    };
    let settings = &loaded.settings;
    let aws = AwsConfig::load(settings.aws.region.as_deref()).await;
    let Some(region) = aws.region() else {
        tell(&NO_REGION);
        return Ok(USAGE);
    };
    let target = Target {
        settings,
        region,
        world: connect::world(settings, &aws)?,
        inspector: Box::new(AwsInspector::new(&aws)),
    };
    let mut findings = vec![around::configuration(&loaded), around::region(&target)];
    findings.extend(target.at_aws(asked.send_to.as_deref()).await?);
    findings.extend(around::telemetry(std::env::vars()).await);
    findings.push(around::stop(settings.shutdown.grace, |name| {
        std::env::var(name).ok()
    }));
    let sum = Sum::of(&findings, asked.strict);
    say(&if asked.json {
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
