//! The ports over the AWS SDK. No other module names an AWS type, and no AWS error leaves this one
//! before [`classify`] has said what it means.

mod call;
pub mod classify;
mod clock;
mod codecommit;
mod credentials;
mod dead_letters;
mod dynamodb;
mod endpoints;
mod http;
mod inspect;
mod s3;
mod ses;
mod signing;
mod sqs;
mod surroundings;
mod user_agent;

use std::time::Duration;

use aws_config::{
    BehaviorVersion, Region, SdkConfig, identity::IdentityCache, retry::RetryConfig,
    stalled_stream_protection::StalledStreamProtectionConfig, timeout::TimeoutConfig,
};
use aws_credential_types::provider::SharedCredentialsProvider;
use thiserror::Error;

use self::{
    credentials::Kept,
    http::Http,
    surroundings::{Surroundings, WithoutEmpty},
};
use crate::trust::NoRoots;

pub use self::{
    codecommit::{CodeCommitTemplate, TemplateAddress},
    dead_letters::{SqsDeadLetters, SqsResend},
    dynamodb::DynamoTable,
    endpoints::{Endpoints, is_of_aws},
    inspect::AwsInspector,
    s3::{BucketTemplate, ObjectAddress},
    ses::{SesAccount, SesMailer, read_letter},
    sqs::SqsQueue,
    surroundings::{Given, SettingFault},
};

/// Why there can be no calls.
#[derive(Debug, Error)]
pub enum Refusal {
    /// A variable of AWS's or the profile cannot be used.
    #[error("{0}")]
    Setting(String),
    /// Nothing could be trusted.
    #[error("{0}")]
    Roots(String),
}

impl From<NoRoots> for Refusal {
    fn from(none: NoRoots) -> Self {
        Self::Roots(none.to_string())
    }
}

/// What all clients share: region, credentials, endpoints and what their connections trust.
pub struct AwsConfig {
    config: SdkConfig,
    /// Makes each client's connections its own; absent where tests give the client.
    http: Option<Http>,
    /// Absent where there is no source of credentials.
    credentials: Option<Kept>,
    /// What the SDK's own sources give.
    region: Option<Given>,
    endpoints: Vec<Given>,
}

impl AwsConfig {
    /// Reads the environment as every AWS tool does, `AWS_ENDPOINT_URL` and its siblings for one
    /// service included. `region` beats the environment's. Credentials are loaded from now on, each
    /// time before they end; that they cannot be loaded is no error here but each call's.
    ///
    /// `fault` says what is wrong with a setting of the profile's that the SDK would panic over.
    pub async fn load(region: Option<&str>, fault: SettingFault) -> Result<Self, Refusal> {
        let surroundings = Surroundings::read(fault).await?;
        let trusted = surroundings.trust()?;
        let (http, no_roots) = match trusted {
            Ok(http) => (http, None),
            Err(none) => (Http::trusting(Vec::new())?, Some(none)),
        };
        let client = http.client();
        let given = match region {
            Some(_) => None,
            None => surroundings.region(&client).await,
        };
        let region = region.or(given.as_ref().map(|given| given.value.as_str()));
        // Nothing asks for a region again where none was found.
        let region = region.map(|region| Region::new(region.to_owned()));
        let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
            // It would end a body that stops flowing, and watches every body for it, at a twentieth of
            // a send's cost. Each call of ours has a timeout of its own for the whole attempt, which
            // ends it as well, and so has the body of an object.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .http_client(client.clone())
            .region(region);
        if let Some(profile) = Surroundings::override_of_profile() {
            loader = loader.profile_name(profile);
        }
        let config = loader.no_credentials().load().await;
        let services = WithoutEmpty(config.clone());
        let config = config.into_builder().service_config(services).build();
        let endpoints = surroundings.endpoints(&config)?;
        if let Some(none) = no_roots.filter(|_| !surroundings::all_plain(&config)) {
            return Err(none.into());
        }
        let kept = Kept::of(credentials::chain(&config, client, surroundings.login()));
        Ok(Self {
            region: given,
            endpoints,
            http: Some(http),
            ..Self::with(config, kept)
        })
    }

    /// Calls with these credentials. Whoever keeps them caches them for all clients.
    fn with(config: SdkConfig, kept: Kept) -> Self {
        let config = config
            .into_builder()
            .identity_cache(IdentityCache::no_cache())
            .credentials_provider(SharedCredentialsProvider::new(kept.clone()));
        Self {
            config: config.build(),
            http: None,
            credentials: Some(kept),
            region: None,
            endpoints: Vec::new(),
        }
    }

    /// Waits for the first credentials, for at most 10 s.
    pub async fn credentials_loaded(&self) {
        if let Some(kept) = &self.credentials {
            kept.first().await;
        }
    }

    /// Calls over our own connections, which trust these certificates alone. Must be called inside a
    /// tokio runtime.
    #[cfg(test)]
    pub(crate) fn trusting(pem: &str, config: SdkConfig) -> Result<Self, Refusal> {
        let http = Some(Http::trusting(pem.as_bytes().to_vec())?);
        Ok(Self {
            http,
            ..Self::of(config)
        })
    }

    /// Calls as configured, over the SDK's connections where the configuration has no client. Must be
    /// called inside a tokio runtime.
    #[cfg(test)]
    pub(crate) fn of(config: SdkConfig) -> Self {
        match config.credentials_provider() {
            Some(provider) => Self::with(config, Kept::of(provider)),
            None => Self {
                config,
                http: None,
                credentials: None,
                region: None,
                endpoints: Vec::new(),
            },
        }
    }

    /// For calls that change nothing: the SDK's standard retries, each attempt of at most `timeout`.
    fn retried(&self, timeout: Duration) -> SdkConfig {
        let mut timeouts = TimeoutConfig::builder()
            .operation_attempt_timeout(timeout)
            .build();
        if let Some(defaults) = self.config.timeout_config() {
            timeouts.take_defaults_from(defaults);
        }
        let mut config = self.config.to_builder().timeout_config(timeouts);
        config.set_http_client(match &self.http {
            Some(http) => Some(http.client()),
            None => self.config.http_client(),
        });
        config.build()
    }

    /// For calls whose callers own the retries: one attempt of at most `timeout`.
    fn one_attempt(&self, timeout: Duration) -> SdkConfig {
        let config = self.retried(timeout).into_builder();
        config.retry_config(RetryConfig::disabled()).build()
    }

    /// The region where one of the SDK's own sources gives it, and the endpoints that they set. They are
    /// as they stand there, and may be wrong.
    pub fn given(&self) -> (Option<&Given>, &[Given]) {
        (self.region.as_ref(), &self.endpoints)
    }

    /// The region in use, if anything named one.
    pub fn region(&self) -> Option<&str> {
        self.config.region().map(Region::as_ref)
    }
}
