//! The template's repository and the mail service's account.

use std::{sync::Mutex, time::Duration};

use async_trait::async_trait;
use organizer_notifier::ports::{
    Account, AccountFacts, AccountFailure, AccountFailureKind, CallError, EnforcementStatus,
    TemplateFailure, TemplateFailureKind, TemplateFile, TemplateSource, TemplateVersion,
};
use tokio::time::Instant;

use super::lock;

/// What becomes of a fetch.
#[derive(Clone, Debug)]
pub(crate) enum Fetch {
    /// This file, at once.
    Give(&'static [u8]),
    /// This file, after a while.
    Slowly(Duration, &'static [u8]),
    Fail(TemplateFailureKind),
}

/// `T` is what the source answers with.
type Script<T> = Box<dyn FnMut(Duration) -> T + Send>;

pub(crate) struct TestTemplate {
    start: Instant,
    script: Mutex<Script<Fetch>>,
    fetches: Mutex<Vec<Duration>>,
}

pub(crate) struct TestAccount {
    start: Instant,
    script: Mutex<Script<Result<AccountFacts, AccountFailureKind>>>,
    reads: Mutex<Vec<Duration>>,
}

impl TestTemplate {
    pub(super) fn new(start: Instant) -> Self {
        Self {
            start,
            script: Mutex::new(Box::new(|_| Fetch::Give(b"<p>Your event {summary}</p>"))),
            fetches: Mutex::default(),
        }
    }

    /// From now on every fetch, which is told the time, is answered so.
    pub(crate) fn script(&self, script: impl FnMut(Duration) -> Fetch + Send + 'static) {
        *lock(&self.script) = Box::new(script);
    }

    /// From now on the file is this.
    pub(crate) fn put(&self, file: &'static str) {
        self.script(move |_| Fetch::Give(file.as_bytes()));
    }

    /// When it was fetched.
    pub(crate) fn fetches(&self) -> Vec<Duration> {
        lock(&self.fetches).clone()
    }
}

impl TestAccount {
    pub(super) fn new(start: Instant) -> Self {
        Self {
            start,
            script: Mutex::new(Box::new(|_| Ok(facts(50.0)))),
            reads: Mutex::default(),
        }
    }

    /// From now on every reading, which is told the time, is answered so.
    pub(crate) fn script(
        &self,
        script: impl FnMut(Duration) -> Result<AccountFacts, AccountFailureKind> + Send + 'static,
    ) {
        *lock(&self.script) = Box::new(script);
    }

    /// When it was read.
    pub(crate) fn reads(&self) -> Vec<Duration> {
        lock(&self.reads).clone()
    }
}

/// An account in good standing that may send so many a second.
pub(crate) fn facts(rate: f64) -> AccountFacts {
    AccountFacts {
        max_send_rate: rate,
        max_24_hour_send: Some(50_000.0),
        sent_last_24_hours: 0.0,
        sending_enabled: true,
        enforcement_status: EnforcementStatus::Healthy,
        production_access: true,
    }
}

#[async_trait]
impl TemplateSource for TestTemplate {
    async fn fetch(&self) -> Result<TemplateFile, TemplateFailure> {
        let now = self.start.elapsed();
        lock(&self.fetches).push(now);
        let fetch = lock(&self.script)(now);
        let file = match fetch {
            Fetch::Give(file) => file,
            Fetch::Slowly(after, file) => {
                tokio::time::sleep(after).await;
                file
            }
            Fetch::Fail(kind) => {
                return Err(TemplateFailure {
                    kind,
                    error: Box::new(call_error("GetFile")),
                });
            }
        };
        Ok(TemplateFile {
            bytes: file.to_vec(),
            version: TemplateVersion {
                commit_id: format!("at {now:?}"),
                blob_id: String::from_utf8_lossy(file).into_owned(),
            },
            modified: None,
        })
    }

    fn location(&self) -> &'static str {
        "templates/created.html"
    }
}

#[async_trait]
impl Account for TestAccount {
    async fn facts(&self) -> Result<AccountFacts, AccountFailure> {
        let now = self.start.elapsed();
        lock(&self.reads).push(now);
        lock(&self.script)(now).map_err(|kind| AccountFailure {
            kind,
            error: Box::new(call_error("GetAccount")),
        })
    }
}

fn call_error(operation: &'static str) -> CallError {
    CallError {
        operation,
        code: "Scripted".to_owned(),
        message: "the script says so".to_owned(),
        request_id: None,
        obstacle: None,
        source: None,
    }
}
