//! Credentials that are at hand before a call needs them.
//!
//! The SDK loads credentials within the call that finds them at their end. A renewal of a lease has less
//! time than a slow endpoint takes, so that every call would begin the load anew and none would end it.
//! Here a task of its own loads them ahead, and a call takes what there is.

use std::{
    error::Error as StdError,
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use aws_config::{
    SdkConfig, default_provider::credentials::DefaultCredentialsChain,
    provider_config::ProviderConfig,
};
use aws_credential_types::{
    Credentials,
    provider::{
        ProvideCredentials, Result, SharedCredentialsProvider, error::CredentialsError, future,
    },
};
use aws_smithy_runtime_api::client::{
    http::{HttpClient, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector},
    runtime_components::RuntimeComponents,
};
use futures_util::FutureExt;
use tokio::{
    sync::{Mutex, watch},
    time::{Instant, sleep, timeout},
};
use tracing::{error, info, warn};

use super::{
    classify::{chain as causes, innermost},
    surroundings::Surroundings,
};
use crate::{
    backoff::{Backoff, Jitter},
    telemetry::{LIFECYCLE, throttle::Throttle},
    text::format_duration,
};

/// Credentials are renewed this long before their end, or at half their life where that is shorter.
const RENEWED_AHEAD: Duration = Duration::from_mins(5);
/// The shortest pause after a load that worked: an endpoint may give the same credentials until shortly
/// before their end.
const RELOAD_PAUSE_MIN: Duration = Duration::from_secs(5);
/// The longest pause after one that failed, so that an endpoint that comes back before the end is asked
/// before the end.
const RETRY_PAUSE_MAX: Duration = Duration::from_secs(10);
/// The longest that a load may take, the SDK's own three attempts included.
const LOAD_MAX: Duration = Duration::from_secs(40);
/// What the SDK gives an endpoint of credentials for its answer, without a way to set it.
const SDK_ANSWER_MAX: Duration = Duration::from_secs(5);
/// What we give it, and the longest that a start waits for the first credentials.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// The SDK's default chain of providers, for this configuration: environment, profile, web identity,
/// container, instance.
///
/// `remedy` is what helps the profile in use where its session has ended.
pub(super) fn chain(
    config: &SdkConfig,
    client: SharedHttpClient,
    remedy: Option<String>,
) -> SharedCredentialsProvider {
    SharedCredentialsProvider::new(Chain {
        remedy,
        config: config.clone(),
        client: SharedHttpClient::new(Patient(client)),
        built: Mutex::default(),
    })
}

/// The chain, built anew after a load that failed: one that could not be set up would say why at the first
/// load alone, and never look at the profile again.
#[derive(Debug)]
struct Chain {
    remedy: Option<String>,
    config: SdkConfig,
    client: SharedHttpClient,
    built: Mutex<Option<DefaultCredentialsChain>>,
}

impl Chain {
    async fn load(&self) -> Result {
        let mut built = self.built.lock().await;
        let chain = match built.take() {
            Some(chain) => chain,
            None => self.build().await,
        };
        let credentials = chain.provide_credentials().await;
        let credentials = credentials.map_err(|error| self.told(&error))?;
        *built = Some(chain);
        Ok(credentials)
    }

    /// All that the chain says of a failure, in one text: whoever tells of it shows the last cause alone,
    /// which may be that a file is missing, and not which. Its kind stays.
    fn told(&self, error: &CredentialsError) -> CredentialsError {
        let mut kind = error;
        let mut texts: Vec<String> = Vec::new();
        for cause in causes(error) {
            if let Some(inner) = cause.downcast_ref() {
                kind = inner;
                continue;
            }
            let text = cause.to_string();
            if !texts.last().is_some_and(|last| last.ends_with(&text)) {
                texts.push(text);
            }
        }
        if texts.is_empty() {
            texts.push(kind.to_string());
        }
        let text = texts.join(": ");
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        // What a program of the profile's writes besides may be a secret.
        let text = text.split(" Stderr:").next().unwrap_or_default();
        let text = match &self.remedy {
            Some(remedy) => format!("{text}; {remedy}"),
            None => text.to_owned(),
        };
        match kind {
            CredentialsError::CredentialsNotLoaded(_) => CredentialsError::not_loaded(
                "no credentials found: neither variables nor a profile, a web identity, a container or an instance give any",
            ),
            CredentialsError::InvalidConfiguration(_) => {
                CredentialsError::invalid_configuration(text)
            }
            _ => CredentialsError::provider_error(text),
        }
    }

    async fn build(&self) -> DefaultCredentialsChain {
        let settings = ProviderConfig::default()
            .with_use_fips(self.config.use_fips())
            .with_use_dual_stack(self.config.use_dual_stack())
            .with_behavior_version(self.config.behavior_version())
            .with_http_client(self.client.clone());
        let mut chain = DefaultCredentialsChain::builder().configure(settings);
        if let Some(profile) = Surroundings::override_of_profile() {
            chain = chain.profile_name(profile);
        }
        let chain = chain.region(self.config.region().cloned());
        chain.build().await
    }
}

impl ProvideCredentials for Chain {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.load())
    }
}

/// Gives the credentials that its task has loaded, without waiting for any.
#[derive(Clone, Debug)]
pub(super) struct Kept(watch::Receiver<Latest>);

/// What the loads have come to.
#[derive(Debug, Default)]
struct Latest {
    loaded: Option<Loaded>,
    /// Why the last load failed, if it did.
    failure: Option<Arc<CredentialsError>>,
}

#[derive(Debug)]
struct Loaded {
    credentials: Credentials,
    /// Absent for those that never end.
    until: Option<Instant>,
}

/// A failure that is told again to each call.
#[derive(Debug)]
struct Again(Arc<CredentialsError>);

impl Kept {
    /// Keeps the credentials of this provider, from now on. Must be called inside a tokio runtime; the
    /// task ends with the last copy of this.
    pub(super) fn of(provider: SharedCredentialsProvider) -> Self {
        let (latest, kept) = watch::channel(Latest::default());
        let keeper = Keeper {
            provider,
            latest,
            backoff: Backoff::new(Duration::from_millis(500), RETRY_PAUSE_MAX, Jitter::Full),
            failing: Throttle::default(),
            ended: Throttle::default(),
        };
        let mut keeping = Box::pin(keeper.run());
        // Credentials out of the environment are there at once, and never end.
        if keeping.as_mut().now_or_never().is_none() {
            tokio::spawn(keeping);
        }
        Self(kept)
    }

    /// Waits for the end of the first load, but no longer than an endpoint may take for its answer. Calls
    /// fail until there are credentials, and whoever makes them says so.
    pub(super) async fn first(&self) {
        let mut latest = self.0.clone();
        let known = latest.wait_for(|latest| latest.loaded.is_some() || latest.failure.is_some());
        // Where the sender has gone, it has sent before.
        drop(timeout(ANSWER_MAX, known).await);
    }

    fn credentials(&self) -> Result {
        let latest = self.0.borrow();
        match (&latest.loaded, &latest.failure) {
            (Some(loaded), _) if !loaded.is_over() => Ok(loaded.credentials.clone()),
            (_, Some(failure)) => Err(CredentialsError::provider_error(Again(Arc::clone(failure)))),
            (..) => Err(CredentialsError::provider_error(
                "the source of the credentials has not answered yet",
            )),
        }
    }
}

impl ProvideCredentials for Kept {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::ready(self.credentials())
    }
}

impl Loaded {
    /// How long they still hold, where that ends.
    fn left(&self) -> Option<Duration> {
        let until = self.until?;
        Some(until.saturating_duration_since(Instant::now()))
    }

    fn is_over(&self) -> bool {
        self.left() == Some(Duration::ZERO)
    }
}

/// The task that loads.
struct Keeper {
    provider: SharedCredentialsProvider,
    latest: watch::Sender<Latest>,
    backoff: Backoff,
    /// Lines of loads that fail while there still are credentials, and when there are none.
    failing: Throttle,
    ended: Throttle,
}

impl Keeper {
    /// Loads again and again, until nobody needs the credentials any more or they never end.
    async fn run(mut self) {
        loop {
            let load = timeout(LOAD_MAX, self.provider.provide_credentials()).await;
            let load = load.unwrap_or(Err(CredentialsError::provider_timed_out(LOAD_MAX)));
            let pause = match load {
                Ok(credentials) => self.loaded(credentials),
                Err(failure) => Some(self.failed(failure)),
            };
            let Some(pause) = pause else { return };
            tokio::select! {
                () = sleep(pause) => {}
                () = self.latest.closed() => return,
            }
        }
    }

    /// How long to wait before the next load; `None` where none is needed.
    fn loaded(&mut self, credentials: Credentials) -> Option<Duration> {
        self.backoff.reset();
        let failed = [self.failing.reset(), self.ended.reset()];
        if let Some(lasted) = failed.into_iter().flatten().max() {
            info!(
                target: LIFECYCLE,
                "credentials are renewed again after {}",
                format_duration(lasted)
            );
        }
        // Credentials that have just been given are good. Where they seem to have ended already our clock
        // is off, and AWS's answer says that better than a call that is not made.
        let life = credentials.expiry().map(|end| {
            let life = end.duration_since(SystemTime::now());
            life.unwrap_or_default().max(2 * RELOAD_PAUSE_MIN)
        });
        self.latest.send_replace(Latest {
            loaded: Some(Loaded {
                credentials,
                until: life.map(|life| Instant::now() + life),
            }),
            failure: None,
        });
        let ahead = RENEWED_AHEAD.min(life? / 2);
        Some(life?.saturating_sub(ahead).max(RELOAD_PAUSE_MIN))
    }

    fn failed(&mut self, failure: CredentialsError) -> Duration {
        let failure = Arc::new(failure);
        self.latest
            .send_modify(|latest| latest.failure = Some(Arc::clone(&failure)));
        // Before the first ones nothing works, and whoever waits for that says so.
        if let Some(left) = self.latest.borrow().loaded.as_ref().and_then(Loaded::left) {
            self.tell(left, &innermost(&*failure));
        }
        self.backoff.next_delay()
    }

    fn tell(&self, left: Duration, cause: &str) {
        if left > Duration::ZERO {
            if let Some(suppressed) = self.failing.due() {
                warn!(
                    notifier.suppressed = suppressed,
                    "credentials cannot be renewed: {cause}; those in use are valid for another \
                     {}; the daemon tries again by itself",
                    format_duration(Duration::from_secs(left.as_secs())),
                );
            }
        } else if let Some(suppressed) = self.ended.due() {
            error!(
                notifier.suppressed = suppressed,
                "credentials have expired and cannot be renewed: {cause}; until they can, no call \
                 to AWS works, and leases end; check the task role and its credentials endpoint; \
                 the daemon tries again by itself",
            );
        }
    }
}

impl fmt::Display for Again {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl StdError for Again {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        // Its kind says what is wrong.
        Some(&*self.0)
    }
}

/// An HTTP client that gives an endpoint of credentials more time than the SDK does.
#[derive(Debug)]
struct Patient(SharedHttpClient);

impl HttpClient for Patient {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let patience = |given| {
            if given == SDK_ANSWER_MAX {
                ANSWER_MAX
            } else {
                given
            }
        };
        let mut patient = HttpConnectorSettings::builder();
        patient.set_connect_timeout(settings.connect_timeout());
        patient.set_read_timeout(settings.read_timeout().map(patience));
        self.0.http_connector(&patient.build(), components)
    }
}

#[cfg(test)]
mod tests;
