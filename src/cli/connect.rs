//! The outside world, set up the same way for every command: what `check` finds is what the daemon
//! will meet.

use std::{path::PathBuf, sync::Arc};

use crate::{
    aws::{AwsConfig, CodeCommitTemplate, SesAccount, SesMailer, SqsQueue, TemplateAddress},
    config::{ComposeError, Settings, TemplateLocation},
    daemon::Outside,
    notification::Placeholders,
    pipeline::health_state::HealthState,
    ports::{Mailer, Queue, TemplateSource},
    telemetry::{Instruments, observed::ObservedSource, otlp::Wanted},
    template_file::TemplateOnDisk,
    template_store::{self, LoadError, TemplateInForce, TemplateStore},
    timing::lease_call_timeout,
};

/// What to say where nothing names a region.
pub(super) const NO_REGION: &str = "no AWS region: set REGION, aws.region or AWS_REGION";

/// Everything that the daemon needs, measured where that is wanted.
pub(super) fn outside(
    settings: &Settings,
    aws: &AwsConfig,
    wanted: &Wanted,
) -> Result<Outside, ComposeError> {
    let instruments = Arc::new(Instruments::new(wanted, &settings.queue.url));
    let source = template(&settings.template.source, aws);
    let source = Arc::new(ObservedSource::new(source, Arc::clone(&instruments)));
    let queue = queue(settings, &settings.queue.url, aws);
    let templates = TemplateStore::new(
        source,
        settings.placeholders()?,
        settings.template.ttl,
        settings.template.max_bytes,
    );
    Ok(Outside {
        queue,
        mailer: mailer(settings, aws)?,
        account: Arc::new(SesAccount::new(aws)),
        templates: Arc::new(templates),
        health: Arc::new(HealthState::new()),
        instruments,
    })
}

/// The queue at `url`.
pub(super) fn queue(settings: &Settings, url: &str, aws: &AwsConfig) -> Arc<dyn Queue> {
    let settle_timeout = lease_call_timeout(settings.queue.visibility_timeout);
    let wait = settings.queue.wait_time;
    Arc::new(SqsQueue::new(aws, url.to_owned(), wait, settle_timeout))
}

/// What sends the mail.
pub(super) fn mailer(
    settings: &Settings,
    aws: &AwsConfig,
) -> Result<Arc<dyn Mailer>, ComposeError> {
    Ok(Arc::new(SesMailer::new(
        aws,
        settings.sender()?.address().as_str().to_owned(),
        settings.email.configuration_set.clone(),
        settings.email.timeout,
    )))
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
