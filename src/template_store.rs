//! The template in force: fetched by one task however many messages ask for it, compiled once,
//! replaced only by a good version, and kept until a better one comes.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

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
    mutex::Mutex,
    notification::{Placeholders, Template, TemplateError},
    ports::{
        BucketFailureKind, TemplateFailure, TemplateFailureKind, TemplateFile, TemplateSource,
        TemplateVersion,
    },
    telemetry::{LIFECYCLE, throttle::Throttle},
    text::format_duration,
    timing::START_REFUSED_MAX,
};

mod doubts;

#[cfg(test)]
mod tests;

use self::doubts::{all_lost, doubts, in_braces};

/// While the last good template serves because newer ones cannot be had or are refused, a line comes
/// this often.
const STALE_WARNING: Duration = Duration::from_hours(1);

/// A template and where it came from.
pub struct TemplateInForce {
    /// What messages are rendered with.
    pub template: Template,
    /// Which version of the file it is.
    pub version: TemplateVersion,
    /// The size of the file.
    pub bytes: usize,
    /// What about it deserves a word, in words.
    pub doubts: Vec<String>,
}

impl TemplateInForce {
    /// What it is and names, for people; `label` says which version it is.
    fn describe(&self, label: &str) -> String {
        let named = in_braces(self.template.placeholders());
        let named = if named.is_empty() {
            "no placeholder"
        } else {
            &named
        };
        format!("{} bytes{label}, names {named}", self.bytes)
    }
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
    /// It names nothing of what the one before it named: likely another file.
    #[error("the new version names none of the placeholders of the last good one ({names})")]
    LostAll {
        /// Those, in braces.
        names: String,
    },
}

impl LoadError {
    /// Whether waiting does not help: somebody has to change the file, its address or our rights.
    pub fn is_definite(&self) -> bool {
        match self {
            Self::Fetch(failure) => failure.kind.is_definite(),
            Self::TooLarge { .. } | Self::Compile(_) | Self::LostAll { .. } => true,
        }
    }

    /// Whether there is a file, and it is not to be mailed.
    fn is_refusal(&self) -> bool {
        match self {
            Self::Fetch(failure) => {
                failure.kind == TemplateFailureKind::Bucket(BucketFailureKind::TooLarge)
            }
            _ => true,
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
            Self::Fetch(failure) => failure.remedy(),
            Self::TooLarge { .. } => "shorten the file or raise template.max_bytes",
            Self::Compile(TemplateError::LfsPointer) => {
                "commit or upload the template itself; in Git take its path out of .gitattributes (git lfs \
                 untrack) and commit it again"
            }
            Self::Compile(TemplateError::ConflictMarkers { .. }) => {
                "finish the merge in the template, and commit or upload it"
            }
            Self::Compile(_) => "commit or upload a template that is UTF-8 text and not blank",
            Self::LostAll { .. } => {
                "commit or upload the right file. If it is meant to name none of them, restart \
                 the daemon: at its start it takes any template"
            }
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

/// Compiles a fetched file, unless it has more than `max_bytes` or names none of the placeholders of
/// the one before it: what decides whether a version comes into force.
pub fn compile(
    file: &TemplateFile,
    placeholders: &Placeholders,
    max_bytes: u64,
    before: Option<&TemplateInForce>,
) -> Result<TemplateInForce, LoadError> {
    if file.bytes.len() as u64 > max_bytes {
        return Err(LoadError::TooLarge {
            bytes: file.bytes.len(),
            max_bytes,
        });
    }
    let mut version = TemplateInForce {
        template: Template::compile(&file.bytes, placeholders)?,
        version: file.version.clone(),
        bytes: file.bytes.len(),
        doubts: Vec::new(),
    };
    if let Some(names) = before.and_then(|before| all_lost(&version, before)) {
        return Err(LoadError::LostAll { names });
    }
    // It is UTF-8, or would not have compiled.
    let text = String::from_utf8_lossy(&file.bytes);
    version.doubts = doubts(&text, placeholders, &version, before);
    Ok(version)
}

/// Fetches and keeps the template.
pub struct TemplateStore {
    source: Arc<dyn TemplateSource>,
    placeholders: Placeholders,
    max_bytes: u64,
    ttl: Duration,
    knowledge: watch::Sender<Knowledge>,
    asked: Notify,
    /// Somebody waits for a word on what the next load brings.
    owes_answer: AtomicBool,
    /// The content that messages lack fields of, where there is one.
    distrusted: Mutex<Option<String>>,
    /// Warnings of a template that cannot be refreshed.
    stale: Throttle,
}

/// A load that failed.
struct Unloaded {
    failure: LoadError,
    /// Which version is not taken, where one was fetched.
    version: Option<TemplateVersion>,
}

/// What a load brings.
enum Loaded {
    /// The content that is in force already, maybe at another commit.
    Same(TemplateVersion),
    New(TemplateInForce),
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
            owes_answer: AtomicBool::new(false),
            distrusted: Mutex::default(),
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

    /// Takes in that messages lack a field that this version names, and that it may be at fault: the next
    /// one is not held against it.
    pub fn distrust(&self, version: &TemplateVersion) {
        let mut distrusted = self.distrusted.lock();
        if distrusted.as_deref() != Some(&*version.blob_id) {
            *distrusted = Some(version.blob_id.clone());
        }
    }

    /// Takes in that a mail was written with this version: messages that lack a field of it are at fault
    /// themselves.
    pub fn trust(&self, version: &TemplateVersion) {
        let mut distrusted = self.distrusted.lock();
        distrusted.take_if(|blob_id| *blob_id == version.blob_id);
    }

    /// Asks for a fetch for a person, who is told what it brings in any case.
    pub fn refresh_and_tell(&self) {
        self.owes_answer.store(true, Ordering::Relaxed);
        self.refresh();
    }

    /// Loads the template at once, then whenever it has grown old or a refresh is asked for, until
    /// stopped. Failures are tried again with growing pauses.
    pub async fn run(&self, stop: CancellationToken) {
        let mut backoff = Backoff::probes();
        loop {
            // Whoever asked until now is answered by this fetch.
            self.asked.notified().now_or_never();
            let is_asked = self.owes_answer.swap(false, Ordering::Relaxed);
            let loaded = tokio::select! {
                loaded = self.load() => loaded,
                () = stop.cancelled() => return,
            };
            let pause = match loaded {
                Ok(loaded) => {
                    self.accept(loaded, is_asked);
                    backoff.reset();
                    self.ttl
                }
                Err(unloaded) => {
                    self.fail(unloaded, is_asked);
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
    async fn load(&self) -> Result<Loaded, Unloaded> {
        let file = self.source.fetch().await.map_err(|failure| Unloaded {
            failure: LoadError::from(failure),
            version: None,
        })?;
        let before = self.in_force();
        let before = before.as_deref();
        if before.is_some_and(|now| now.version.blob_id == file.version.blob_id) {
            return Ok(Loaded::Same(file.version));
        }
        let distrusted = self.distrusted.lock().clone();
        let before = before.filter(|now| Some(&now.version.blob_id) != distrusted.as_ref());
        compile(&file, &self.placeholders, self.max_bytes, before)
            .map(Loaded::New)
            .map_err(|failure| Unloaded {
                failure,
                version: Some(file.version),
            })
    }

    fn accept(&self, loaded: Loaded, is_asked: bool) {
        // Nobody has heard since a failure that all is well.
        let is_told = is_asked || self.knowledge.borrow().failure.is_some();
        let location = self.source.location();
        match &loaded {
            Loaded::New(version) => {
                info!(
                    target: LIFECYCLE,
                    { template.commit_id = version.version.commit_id, template.blob_id = version.version.blob_id },
                    "template in force: {location}: {}",
                    version.describe(&self.source.label(&version.version))
                );
                if !version.doubts.is_empty() {
                    warn!(
                        target: LIFECYCLE,
                        "this template is in use, and may be wrong: {} ({location}); if it is, correct it",
                        version.doubts.join("; ")
                    );
                }
            }
            Loaded::Same(version) if is_told => info!(
                target: LIFECYCLE,
                { template.commit_id = version.commit_id, template.blob_id = version.blob_id },
                "template unchanged: {location}{}",
                self.source.label(version)
            ),
            Loaded::Same(_) => {}
        }
        self.knowledge.send_modify(|knowledge| {
            knowledge.loads += 1;
            knowledge.good_at = Some(Instant::now());
            knowledge.failure = None;
            if let Loaded::New(version) = loaded {
                knowledge.in_force = Some(Arc::new(version));
            }
        });
    }

    /// Without a good template it is an error, since nothing can be sent; so it is where a new version is
    /// not to be mailed. A fetch that failed beside a good template is a warning. Either comes again every
    /// hour, and each new cause is told at once.
    fn fail(&self, unloaded: Unloaded, is_asked: bool) {
        let Unloaded { failure, version } = unloaded;
        let location = self.source.location();
        let remedy = failure.remedy();
        let known = self.knowledge.borrow().clone();
        let is_news = known
            .failure
            .is_none_or(|last| failure.is_news_after(&last));
        if is_news || is_asked {
            self.stale.reset();
        }
        let age = known.good_at.map(|at| at.elapsed().as_secs());
        let refused = version.map_or_else(String::new, |version| self.source.label(&version));
        let Some(in_force) = &known.in_force else {
            if is_news || is_asked {
                let goes_on = if failure.is_definite() {
                    let longest = format_duration(START_REFUSED_MAX);
                    format!(", but a start is given up after {longest} of refusals")
                } else {
                    String::new()
                };
                error!(
                    "no template: {failure} ({location}{refused}); {remedy}; it is fetched again by \
                     itself{goes_on}"
                );
            }
            return self.know(failure);
        };
        if self.stale.due().is_none() {
            // It was told within the hour.
        } else if failure.is_refusal() {
            error!(
                target: LIFECYCLE,
                { notifier.template.age_s = age },
                "new template refused, the last good one stays in use{}: {failure} ({location}{refused}); {remedy}",
                self.source.label(&in_force.version)
            );
        } else {
            warn!(
                target: LIFECYCLE,
                { notifier.template.age_s = age },
                "template not refreshed, the last good one stays in use: {failure} ({location}); {remedy}; mails go on, and it is \
                 fetched again by itself; a process that starts now has none"
            );
        }
        self.know(failure);
    }

    fn know(&self, failure: LoadError) {
        self.knowledge.send_modify(|knowledge| {
            knowledge.loads += 1;
            knowledge.failure = Some(Arc::new(failure));
        });
    }
}
