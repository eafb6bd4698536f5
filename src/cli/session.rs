//! What most commands begin with: the configuration, the connection to AWS, the template.

use std::{path::Path, sync::Arc};

use anyhow::anyhow;
use thiserror::Error;

use crate::{
    aws::{
        AwsConfig, BucketTemplate, CodeCommitTemplate, DynamoTable, ObjectAddress, Refusal,
        SesAccount, SesMailer, SqsQueue, TemplateAddress, read_letter,
    },
    config::{self, Flags, Loaded, Part, Problems, Repository, Settings},
    feedback,
    ports::{TemplateSource, World, events::Feedback, queue_name, table::LedgerTable},
    template_file::TemplateOnDisk,
    template_store::{self, LoadError, TemplateInForce},
    timing::{TABLE_CALL_TIMEOUT, lease_call_timeout},
};

/// The command line or AWS's own settings cannot be used; nothing was done.
#[derive(Debug, Error)]
#[error("{0}")]
pub(super) struct UsageError(pub(super) String);

/// The machine lacks what every call needs; nothing was done.
#[derive(Debug, Error)]
#[error("not started: {0}")]
pub(super) struct NotStarted(pub(super) String);

/// Loads everything that the daemon needs of the configuration, from all its sources.
pub(super) fn load(flags: &Flags) -> Result<Loaded, Problems> {
    config::load(&[], flags, std::env::vars_os())
}

/// Loads what makes a mail: no queue, and no template either where this local file replaces it.
pub(super) fn load_for_mail(flags: &Flags, template: Option<&Path>) -> Result<Loaded, Problems> {
    let spared = match template {
        None => &[Part::Queue][..],
        Some(_) => &[Part::Queue, Part::Template],
    };
    let mut loaded = config::load(spared, flags, std::env::vars_os())?;
    if let Some(file) = template {
        loaded.settings.template.file = Some(file.to_owned());
    }
    Ok(loaded)
}

/// A configuration and the AWS that it names. It is set up the same way for every command: what
/// `check` finds is what the daemon will meet.
pub(super) struct Session {
    pub(super) loaded: Loaded,
    pub(super) aws: AwsConfig,
    pub(super) region: String,
    pub(super) world: World,
}

impl Session {
    /// Sets the clients up, and waits a little for the first credentials. AWS itself is not asked yet.
    pub(super) async fn connect(loaded: Loaded) -> anyhow::Result<Self> {
        let settings = &loaded.settings;
        let (aws, region) = find_aws(settings).await?;
        let world = World {
            queue: Arc::new(SqsQueue::new(
                &aws,
                settings.queue.url.clone(),
                settings.queue.wait_time,
                lease_call_timeout(settings.queue.visibility_timeout),
            )),
            mailer: Arc::new(SesMailer::new(
                &aws,
                settings.sender.address().as_str().to_owned(),
                settings.email.configuration_set.clone(),
                queue_name(&settings.queue.url),
                settings.email.timeout,
            )),
            account: Arc::new(SesAccount::new(&aws)),
            templates: on_disk(settings).unwrap_or_else(|| in_repository(settings, &aws)),
            table: settings
                .ledger
                .table
                .as_ref()
                .map(|table| -> Arc<dyn LedgerTable> {
                    Arc::new(DynamoTable::new(
                        &aws,
                        table.clone(),
                        settings.ledger.keep,
                        TABLE_CALL_TIMEOUT,
                    ))
                }),
            feedback: settings.feedback.queue_url.as_ref().map(|url| Feedback {
                queue: Arc::new(SqsQueue::new(
                    &aws,
                    url.clone(),
                    feedback::WAIT,
                    feedback::DELETE_TIMEOUT,
                )),
                read: read_letter,
            }),
        };
        Ok(Self {
            loaded,
            aws,
            region,
            world,
        })
    }
}

async fn find_aws(settings: &Settings) -> anyhow::Result<(AwsConfig, String)> {
    let aws = AwsConfig::load(settings.region.as_deref(), config::sdk_setting_fault).await;
    let aws = aws.map_err(|refusal| -> anyhow::Error {
        match refusal {
            Refusal::Setting(what) => UsageError(what).into(),
            Refusal::Roots(what) => NotStarted(what).into(),
        }
    })?;
    let (region, endpoints) = aws.given();
    let wrong_region = region.and_then(|given| Some((given, config::region_fault(&given.value)?)));
    let mut of_endpoints = endpoints
        .iter()
        .filter_map(|given| Some((given, config::endpoint_fault(&given.value)?)));
    if let Some((given, fault)) = wrong_region.or_else(|| of_endpoints.next()) {
        return Err(UsageError(format!("{} {fault}", given.source)).into());
    }
    let Some(region) = aws.region().map(str::to_owned) else {
        let needed = "no AWS region: set REGION, aws.region or AWS_REGION";
        return Err(UsageError(needed.to_owned()).into());
    };
    aws.credentials_loaded().await;
    Ok((aws, region))
}

/// Where the template is kept, for a command that needs AWS for nothing else.
pub(super) async fn template_source(
    settings: &Settings,
) -> anyhow::Result<Arc<dyn TemplateSource>> {
    match on_disk(settings) {
        Some(file) => Ok(file),
        None => Ok(in_repository(settings, &find_aws(settings).await?.0)),
    }
}

fn on_disk(settings: &Settings) -> Option<Arc<dyn TemplateSource>> {
    let path = settings.template.file.clone()?;
    Some(Arc::new(TemplateOnDisk::new(path)))
}

fn in_repository(settings: &Settings, aws: &AwsConfig) -> Arc<dyn TemplateSource> {
    let template = &settings.template;
    match template.repository.clone() {
        Repository::CodeCommit(repository) => {
            let address = TemplateAddress {
                repository,
                path: template.path.clone(),
                reference: template.reference.clone(),
            };
            Arc::new(CodeCommitTemplate::new(aws, address))
        }
        Repository::Bucket(bucket) => {
            let key = template.path.clone();
            let address = ObjectAddress { bucket, key };
            Arc::new(BucketTemplate::new(aws, address, template.max_bytes))
        }
    }
}

/// Fetches and compiles the template once, as the store does again and again.
pub(super) async fn load_template(
    source: &dyn TemplateSource,
    settings: &Settings,
) -> anyhow::Result<TemplateInForce> {
    let placeholders = &settings.message.placeholders;
    let max_bytes = settings.template.max_bytes;
    let loaded = match source.fetch().await {
        Ok(file) => template_store::compile(&file, placeholders, max_bytes, None),
        Err(failure) => Err(LoadError::from(failure)),
    };
    loaded.map_err(|failure| anyhow!(failure.text_at(source.location())))
}
