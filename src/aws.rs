//! The ports over the AWS SDK. No other module names an AWS type, and no AWS error leaves this one
//! before [`classify`] has said what it means.

pub mod classify;
mod codecommit;
mod credentials;
mod dynamodb;
mod inspect;
mod ready_body;
mod s3;
mod ses;
mod sqs;

use std::time::Duration;

use aws_config::{
    BehaviorVersion, Region, SdkConfig, identity::IdentityCache, retry::RetryConfig,
    stalled_stream_protection::StalledStreamProtectionConfig, timeout::TimeoutConfig,
};
use aws_credential_types::provider::SharedCredentialsProvider;

use self::credentials::Kept;

pub use self::{
    codecommit::{CodeCommitTemplate, TemplateAddress},
    dynamodb::DynamoTable,
    inspect::AwsInspector,
    s3::{BucketTemplate, ObjectAddress},
    ses::{SesAccount, SesMailer, read_letter},
    sqs::SqsQueue,
};

/// What all clients share: region, credentials, endpoint and HTTP connections.
pub struct AwsConfig {
    config: SdkConfig,
    /// Absent where nothing provides any.
    credentials: Option<Kept>,
}

impl AwsConfig {
    /// Reads the environment as every AWS tool does, `AWS_ENDPOINT_URL` and its siblings for one
    /// service included. `region` beats the environment's. Credentials are loaded from now on, each
    /// time before they end; that they cannot be loaded is no error here but each call's.
    pub async fn load(region: Option<&str>) -> Self {
        let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
            // It would end a body that stops flowing, and watches every body for it, at a twentieth of
            // a send's cost. Each call of ours has a timeout of its own for the whole attempt, which
            // ends it as well, and so has the body of an object.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
        if let Some(region) = region {
            loader = loader.region(Region::new(region.to_owned()));
        }
        let config = loader.no_credentials().load().await;
        let kept = Kept::of(credentials::chain(&config).await);
        Self::with(config, kept)
    }

    /// Calls with these credentials. Whoever keeps them caches them for all clients.
    fn with(config: SdkConfig, kept: Kept) -> Self {
        let config = config
            .into_builder()
            .identity_cache(IdentityCache::no_cache())
            .credentials_provider(SharedCredentialsProvider::new(kept.clone()));
        Self {
            config: config.build(),
            credentials: Some(kept),
        }
    }

    /// Waits for the first credentials, for at most 10 s.
    pub async fn credentials_loaded(&self) {
        if let Some(kept) = &self.credentials {
            kept.first().await;
        }
    }

    /// Calls as configured. Must be called inside a tokio runtime.
    #[cfg(test)]
    pub(crate) fn of(config: SdkConfig) -> Self {
        match config.credentials_provider() {
            Some(provider) => Self::with(config, Kept::of(provider)),
            None => Self {
                config,
                credentials: None,
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
        self.config.to_builder().timeout_config(timeouts).build()
    }

    /// For calls whose callers own the retries: one attempt of at most `timeout`.
    fn one_attempt(&self, timeout: Duration) -> SdkConfig {
        let config = self.retried(timeout).into_builder();
        config.retry_config(RetryConfig::disabled()).build()
    }

    /// The region in use, if anything named one.
    pub fn region(&self) -> Option<&str> {
        self.config.region().map(Region::as_ref)
    }
}
