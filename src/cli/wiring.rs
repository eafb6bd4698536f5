//! The outside world, set up the same way for every command: what `check` finds is what the daemon
//! will meet.

use std::sync::Arc;

use crate::{
    aws::{AwsConfig, CodeCommitTemplate, SesAccount, SesMailer, SqsQueue, TemplateAddress},
    config::{Settings, TemplateSettings},
    ports::{TemplateSource, World},
    template_file::TemplateOnDisk,
    timing::lease_call_timeout,
};

/// Everything that the daemon will meet.
pub(super) fn world(settings: &Settings, aws: &AwsConfig) -> World {
    World {
        queue: Arc::new(SqsQueue::new(
            aws,
            settings.queue.url.clone(),
            settings.queue.wait_time,
            lease_call_timeout(settings.queue.visibility_timeout),
        )),
        mailer: Arc::new(SesMailer::new(
            aws,
            settings.sender.address().as_str().to_owned(),
            settings.email.configuration_set.clone(),
            settings.email.timeout,
        )),
        account: Arc::new(SesAccount::new(aws)),
        templates: template(&settings.template, aws),
    }
}

/// The template that these settings name.
pub(super) fn template(settings: &TemplateSettings, aws: &AwsConfig) -> Arc<dyn TemplateSource> {
    match &settings.file {
        Some(path) => Arc::new(TemplateOnDisk::new(path.clone())),
        None => Arc::new(CodeCommitTemplate::new(
            aws,
            TemplateAddress {
                repository: settings.repository.clone(),
                path: settings.path.clone(),
                reference: settings.reference.clone(),
            },
        )),
    }
}
