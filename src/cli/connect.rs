//! The outside world, set up the same way for every command: what `check` finds is what the daemon
//! will meet.

use std::{path::PathBuf, sync::Arc};

use crate::{
    aws::{AwsConfig, CodeCommitTemplate, SesAccount, SesMailer, SqsQueue, TemplateAddress},
    config::{ComposeError, Settings, TemplateLocation},
    notification::Placeholders,
    ports::{Queue, TemplateSource, World},
    template_file::TemplateOnDisk,
    template_store::{self, LoadError, TemplateInForce},
    timing::lease_call_timeout,
};

/// What to say where nothing names a region.
pub(super) const NO_REGION: &str = "no AWS region: set REGION, aws.region or AWS_REGION";

/// Everything that the daemon will meet.
pub(super) fn world(settings: &Settings, aws: &AwsConfig) -> Result<World, ComposeError> {
    Ok(World {
        queue: queue(settings, &settings.queue.url, aws),
        mailer: Arc::new(SesMailer::new(
            aws,
            settings.sender()?.address().as_str().to_owned(),
            settings.email.configuration_set.clone(),
            settings.email.timeout,
        )),
        account: Arc::new(SesAccount::new(aws)),
        templates: template(&settings.template.source, aws),
    })
}

/// The queue at `url`.
pub(super) fn queue(settings: &Settings, url: &str, aws: &AwsConfig) -> Arc<dyn Queue> {
    let settle_timeout = lease_call_timeout(settings.queue.visibility_timeout);
    let wait = settings.queue.wait_time;
    Arc::new(SqsQueue::new(aws, url.to_owned(), wait, settle_timeout))
}

/// Where the template is fetched.
pub(super) fn template(location: &TemplateLocation, aws: &AwsConfig) -> Arc<dyn TemplateSource> {
    match location {
        TemplateLocation::CodeCommit {
            repository,
            path,
            reference,
        } => Arc::new(CodeCommitTemplate::new(
            aws,
            TemplateAddress {
                repository: repository.clone(),
                path: path.clone(),
                reference: reference.clone(),
            },
        )),
        TemplateLocation::File(path) => Arc::new(TemplateOnDisk::new(PathBuf::clone(path))),
    }
}

/// Fetches and compiles the template once, as the store does again and again.
pub(super) async fn load_template(
    source: &dyn TemplateSource,
    placeholders: &Placeholders,
    max_bytes: u64,
) -> Result<TemplateInForce, LoadError> {
    let file = source.fetch().await?;
    template_store::compile(&file, placeholders, max_bytes)
}
