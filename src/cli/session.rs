//! What most commands begin with: the configuration, the connection to AWS, the template.

use std::{net::SocketAddr, path::Path, sync::Arc};

use anyhow::anyhow;
use thiserror::Error;

use super::wiring;
use crate::{
    aws::AwsConfig,
    config::{self, Flags, Loaded, Part, Settings},
    notification::Template,
    ports::{TemplateSource, World},
    template_file::TemplateOnDisk,
    template_store::{self, LoadError},
};

/// The command line or the configuration cannot be used; nothing was done.
#[derive(Debug, Error)]
#[error("{0}")]
pub(super) struct UsageError(pub(super) String);

/// What a command needs of the configuration.
#[derive(Clone, Copy, Debug)]
pub(super) enum Needs<'a> {
    /// Everything that the daemon needs.
    Daemon,
    /// What makes a mail: no queue, and no template either where this local file replaces it.
    Mail(Option<&'a Path>),
}

/// Loads the configuration from all its sources.
pub(super) fn load(flags: &Flags, needs: Needs<'_>) -> Result<Loaded, UsageError> {
    let spared: &[Part] = match needs {
        Needs::Daemon => &[],
        Needs::Mail(None) => &[Part::Queue],
        Needs::Mail(Some(_)) => &[Part::Queue, Part::Template],
    };
    let loaded = config::load(spared, flags, std::env::vars_os());
    let mut loaded = loaded.map_err(|problems| UsageError(problems.to_string()))?;
    if let Needs::Mail(Some(file)) = needs {
        loaded.settings.template.file = Some(file.to_owned());
    }
    Ok(loaded)
}

/// Loads where the health endpoints listen, and needs nothing else of the configuration.
pub(super) fn load_health(flags: &Flags) -> Result<Option<SocketAddr>, UsageError> {
    let health = config::load_health(flags, std::env::vars_os());
    health.map_err(|problems| UsageError(problems.to_string()))
}

/// A configuration and the AWS that it names.
pub(super) struct Session {
    pub(super) loaded: Loaded,
    pub(super) aws: AwsConfig,
    pub(super) region: String,
    pub(super) world: World,
}

impl Session {
    /// Loads the configuration and connects.
    pub(super) async fn open(flags: &Flags, needs: Needs<'_>) -> anyhow::Result<Self> {
        Self::connect(load(flags, needs)?).await
    }

    /// Sets the clients up. Nothing is asked of AWS yet.
    pub(super) async fn connect(loaded: Loaded) -> anyhow::Result<Self> {
        let (aws, region) = find_aws(&loaded.settings).await?;
        Ok(Self {
            world: wiring::world(&loaded.settings, &aws),
            loaded,
            aws,
            region,
        })
    }
}

async fn find_aws(settings: &Settings) -> Result<(AwsConfig, String), UsageError> {
    let aws = AwsConfig::load(settings.region.as_deref()).await;
    match aws.region().map(str::to_owned) {
        Some(region) => Ok((aws, region)),
        None => Err(UsageError(
            "no AWS region: set REGION, aws.region or AWS_REGION".to_owned(),
        )),
    }
}

/// Where the template is kept, for a command that needs AWS for nothing else.
pub(super) async fn template_source(
    settings: &Settings,
) -> Result<Arc<dyn TemplateSource>, UsageError> {
    if let Some(path) = &settings.template.file {
        return Ok(Arc::new(TemplateOnDisk::new(path.clone())));
    }
    let (aws, _region) = find_aws(settings).await?;
    Ok(wiring::template(&settings.template, &aws))
}

/// Fetches and compiles the template once, as the store does again and again.
pub(super) async fn load_template(
    source: &dyn TemplateSource,
    settings: &Settings,
) -> anyhow::Result<Template> {
    let placeholders = &settings.message.placeholders;
    let loaded = match source.fetch().await {
        Ok(file) => template_store::compile(&file, placeholders, settings.template.max_bytes),
        Err(failure) => Err(LoadError::from(failure)),
    };
    let loaded = loaded.map_err(|failure| anyhow!(failure.text_at(source.location())))?;
    Ok(loaded.template)
}
