//! Boot: everything that the daemon needs is proved before the first message is touched.

use std::{fmt, sync::Arc, time::Duration};

use thiserror::Error;
use tokio::time::{Instant, sleep, timeout};
use tracing::{error, warn};

use crate::{
    backoff::{Backoff, Jitter},
    ports::{Account, AccountFacts, Queue, QueueFacts, QueueFailure, ReceiptHandle},
    telemetry::throttle::Throttle,
    template_store::{LoadError, TemplateStore},
};

/// How long a definite refusal is tried again: new roles and policies take time to reach all of
/// AWS, and a task may start seconds after them.
const PATIENCE: Duration = Duration::from_mins(1);
/// A template that is refused is asked for again this often, so that one that is put there within
/// our patience is found within it.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// Why the daemon did not start.
#[derive(Debug, Error)]
pub enum BootError {
    /// The queue is not there, or we lack a right on it.
    #[error("the queue {url} cannot be used: {failure}; {remedy}", remedy = failure.kind.remedy())]
    Queue {
        /// The queue's URL.
        url: String,
        /// What its service said.
        #[source]
        failure: QueueFailure,
    },
    /// There is no usable template.
    #[error("no template: {failure} ({location}); {remedy}", remedy = failure.remedy())]
    Template {
        /// Where it should be.
        location: String,
        /// Why it is none.
        #[source]
        failure: Arc<LoadError>,
    },
}

/// Proves that the queue is there and that its messages can be settled, without touching one, and
/// returns what it says of itself. What may pass is tried for ever.
pub async fn prove_queue(queue: &dyn Queue, url: &str) -> Result<QueueFacts, BootError> {
    let mut trying = Trying::new();
    loop {
        let failure = match try_queue(queue).await {
            Ok(facts) => return Ok(facts),
            Err(failure) => failure,
        };
        if trying.is_out_of_patience(failure.is_definite()) {
            return Err(BootError::Queue {
                url: url.to_owned(),
                failure,
            });
        }
        let remedy = failure.kind.remedy();
        trying.tell(&format_args!(
            "the queue {url} cannot be used yet: {failure}; {remedy}"
        ));
        trying.pause().await;
    }
}

/// Waits until there is a template, or none can be had for a while for a reason that may pass:
/// then the daemon starts without, and its breaker holds the messages.
pub async fn await_template(store: &TemplateStore) -> Result<(), BootError> {
    let mut refused_since = None;
    let mut knowledge = store.watch();
    loop {
        {
            let known = knowledge.borrow_and_update();
            if known.in_force.is_some() {
                return Ok(());
            }
            if let Some(failure) = &known.failure {
                if !failure.is_definite() {
                    return Ok(());
                }
                let since: &mut Instant = refused_since.get_or_insert_with(Instant::now);
                if since.elapsed() >= PATIENCE {
                    let location = store.location().to_owned();
                    return Err(BootError::Template {
                        location,
                        failure: Arc::clone(failure),
                    });
                }
            }
        }
        match timeout(ASK_AGAIN, knowledge.changed()).await {
            Ok(Ok(())) => {}
            Ok(Err(_closed)) => return Ok(()),
            Err(_elapsed) => store.refresh(),
        }
    }
}

/// Reads the account's quotas once. Without them the daemon works all the same.
pub async fn read_account(account: &dyn Account) -> Option<AccountFacts> {
    match account.facts().await {
        Ok(facts) => Some(facts),
        Err(failure) => {
            let remedy = failure.kind.remedy();
            warn!(
                error.r#type = failure.error.code,
                "the account's send rate is not known: {failure}; sending starts slowly and finds \
                 the rate by itself; {remedy}"
            );
            None
        }
    }
}

async fn try_queue(queue: &dyn Queue) -> Result<QueueFacts, QueueFailure> {
    let facts = queue.describe().await?;
    let made_up = ReceiptHandle::made_up();
    // The entries fail, as they must; a call that fails as a whole lacks the right to make it.
    queue
        .change_visibility(&[(made_up.clone(), Duration::ZERO)])
        .await?;
    queue.delete(&[made_up]).await?;
    Ok(facts)
}

/// Attempts at one thing, with growing pauses and a line now and then.
struct Trying {
    /// Since when it has been refused definitely, each time anew.
    refused_since: Option<Instant>,
    throttle: Throttle,
    backoff: Backoff,
}

impl Trying {
    fn new() -> Self {
        let backoff = Backoff::new(
            Duration::from_millis(500),
            Duration::from_secs(5),
            Jitter::Quarter,
        );
        Self {
            refused_since: None,
            throttle: Throttle::default(),
            backoff,
        }
    }

    /// Takes note of a failure. A passing one says nothing of the refusals before it.
    fn is_out_of_patience(&mut self, definite: bool) -> bool {
        if !definite {
            self.refused_since = None;
            return false;
        }
        let since = self.refused_since.get_or_insert_with(Instant::now);
        since.elapsed() >= PATIENCE
    }

    fn tell(&self, line: &fmt::Arguments<'_>) {
        if self.throttle.due().is_some() {
            error!("not started yet: {line}");
        }
    }

    async fn pause(&mut self) {
        sleep(self.backoff.next_delay()).await;
    }
}
