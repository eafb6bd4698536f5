//! The template in force: fetched by one task however many messages ask for it, compiled once,
//! replaced only by a good version, and kept until a better one comes.

use std::{sync::Arc, time::Duration};

use futures_util::FutureExt;
use thiserror::Error;
use tokio::{
    sync::{Notify, watch},
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::{
    backoff::Backoff,
    notification::{Placeholders, Template, TemplateError},
    ports::{TemplateFailure, TemplateFile, TemplateSource, TemplateVersion},
    telemetry::throttle::Throttle,
};

#[cfg(test)]
mod tests;

/// While the last good template serves because newer ones cannot be had, a warning comes this
/// often.
const STALE_WARNING: Duration = Duration::from_hours(1);

/// A template and where it came from.
pub struct TemplateInForce {
    /// What messages are rendered with.
    pub template: Template,
    /// Which version of the file it is.
    pub version: TemplateVersion,
}

/// Why no new template could be had.
#[derive(Debug, Error)]
pub enum LoadError {
    /// It could not be fetched.
    #[error(transparent)]
    Fetch(#[from] TemplateFailure),
    /// It is larger than we take.
    #[error("the file has {bytes} bytes, and template.max_bytes allows {max_bytes}")]
    TooLarge {
        /// What it has.
        bytes: usize,
        /// What is allowed.
        max_bytes: u64,
    },
    /// It was fetched, and is no template.
    #[error(transparent)]
    Compile(#[from] TemplateError),
}

impl LoadError {
    /// Whether waiting does not help: somebody has to change the file, its address or our rights.
    pub fn is_definite(&self) -> bool {
        match self {
            Self::Fetch(failure) => failure.kind.is_definite(),
            Self::TooLarge { .. } | Self::Compile(_) => true,
        }
    }

    /// Whether it says more than the failure before it. Failures that may pass are all alike:
    /// their texts change with every attempt of one outage.
    fn is_news_after(&self, last: &Self) -> bool {
        if self.is_definite() {
            self.to_string() != last.to_string()
        } else {
            last.is_definite()
        }
    }

    /// What is told where the template at this place is needed.
    pub fn text_at(&self, location: &str) -> String {
        format!("no template: {self} ({location}); {}", self.remedy())
    }

    /// What to do about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Fetch(failure) => failure.kind.remedy(),
            Self::TooLarge { .. } => "shorten the file or raise template.max_bytes",
            Self::Compile(_) => "commit a template that is UTF-8 text and not blank",
        }
    }
}

/// What the store knows: the template in force, and why the last load failed where it did.
#[derive(Clone, Default)]
pub struct Knowledge {
    /// The last good template.
    pub in_force: Option<Arc<TemplateInForce>>,
    /// When the last load went well.
    pub good_at: Option<Instant>,
    /// How many loads have ended, well or badly.
    pub loads: u64,
    /// Why the last load failed; nothing after one that went well.
    pub failure: Option<Arc<LoadError>>,
}

/// Compiles a fetched file, unless it has more than `max_bytes`: what decides whether a version
/// comes into force.
pub fn compile(
    file: &TemplateFile,
    placeholders: &Placeholders,
    max_bytes: u64,
) -> Result<TemplateInForce, LoadError> {
    if file.bytes.len() as u64 > max_bytes {
        return Err(LoadError::TooLarge {
            bytes: file.bytes.len(),
            max_bytes,
        });
    }
    Ok(TemplateInForce {
        template: Template::compile(&file.bytes, placeholders)?,
        version: file.version.clone(),
    })
}

/// Fetches and keeps the template.
pub struct TemplateStore {
    source: Arc<dyn TemplateSource>,
    placeholders: Placeholders,
    max_bytes: u64,
    ttl: Duration,
    knowledge: watch::Sender<Knowledge>,
    asked: Notify,
    /// Warnings of a template that cannot be refreshed.
    stale: Throttle,
}

impl TemplateStore {
    /// A store that has nothing yet. `ttl` is how old a template may grow before it is fetched
    /// again; files over `max_bytes` are refused.
    pub fn new(
        source: Arc<dyn TemplateSource>,
        placeholders: Placeholders,
        ttl: Duration,
        max_bytes: u64,
    ) -> Self {
        Self {
            source,
            placeholders,
            max_bytes,
            ttl,
            knowledge: watch::Sender::new(Knowledge::default()),
            asked: Notify::new(),
            stale: Throttle::every(STALE_WARNING),
        }
    }

    /// The template in force, if there is one.
    pub fn in_force(&self) -> Option<Arc<TemplateInForce>> {
        self.knowledge.borrow().in_force.clone()
    }

    /// Waits until there is a template, and gives the one in force.
    pub async fn usable(&self) -> Arc<TemplateInForce> {
        let mut knowledge = self.knowledge.subscribe();
        loop {
            if let Some(template) = knowledge.borrow_and_update().in_force.clone() {
                return template;
            }
            // The sender lives as long as this store, so that this is never an error.
            drop(knowledge.changed().await);
        }
    }

    /// What is known now and how it changes.
    pub fn watch(&self) -> watch::Receiver<Knowledge> {
        self.knowledge.subscribe()
    }

    /// Where the template comes from, for people.
    pub fn location(&self) -> &str {
        self.source.location()
    }

    /// Asks for a fetch now instead of at the next turn of the timer.
    pub fn refresh(&self) {
        self.asked.notify_one();
    }

    /// Loads the template at once, then whenever it has grown old or a refresh is asked for, until
    /// stopped. Failures are tried again with growing pauses.
    pub async fn run(&self, stop: CancellationToken) {
        let mut backoff = Backoff::probes();
        loop {
            // Whoever asked until now is answered by this fetch.
            self.asked.notified().now_or_never();
            let loaded = tokio::select! {
                loaded = self.load() => loaded,
                () = stop.cancelled() => return,
            };
            let pause = match loaded {
                Ok(fetched) => {
                    self.accept(fetched);
                    backoff.reset();
                    self.ttl
                }
                Err(failure) => {
                    self.fail(failure);
                    backoff.next_delay()
                }
            };
            tokio::select! {
                () = sleep(pause) => {}
                () = self.asked.notified() => {}
                () = stop.cancelled() => return,
            }
        }
    }

    /// Fetches the file and compiles it, unless it is the version in force already.
    async fn load(&self) -> Result<Option<TemplateInForce>, LoadError> {
        let file = self.source.fetch().await?;
        if self
            .in_force()
            .is_some_and(|now| now.version.blob_id == file.version.blob_id)
        {
            return Ok(None);
        }
        compile(&file, &self.placeholders, self.max_bytes).map(Some)
    }

    fn accept(&self, fetched: Option<TemplateInForce>) {
        if let Some(fetched) = &fetched {
            info!(
                template.commit_id = fetched.version.commit_id,
                template.blob_id = fetched.version.blob_id,
                "template in force: {}",
                self.source.location()
            );
        }
        self.knowledge.send_modify(|knowledge| {
            knowledge.loads += 1;
            knowledge.good_at = Some(Instant::now());
            knowledge.failure = None;
            if let Some(fetched) = fetched {
                knowledge.in_force = Some(Arc::new(fetched));
            }
        });
    }

    /// Without a good template it is an error, since nothing can be sent; with one it is a
    /// warning, which comes again every hour. Each new cause is logged at once.
    fn fail(&self, failure: LoadError) {
        let location = self.source.location();
        let remedy = failure.remedy();
        let known = self.knowledge.borrow().clone();
        let is_news = known
            .failure
            .is_none_or(|last| failure.is_news_after(&last));
        if is_news {
            self.stale.reset();
        }
        if known.in_force.is_none() {
            if is_news {
                error!("no template: {failure} ({location}); {remedy}");
            }
        } else if self.stale.due().is_some() {
            warn!(
                notifier.template.age_s = known.good_at.map(|at| at.elapsed().as_secs()),
                "template not refreshed, the last good one serves: {failure} ({location}); {remedy}"
            );
        }
        self.knowledge.send_modify(|knowledge| {
            knowledge.loads += 1;
            knowledge.failure = Some(Arc::new(failure));
        });
    }
}
