//! Boot: proves everything that the daemon needs before it touches the first message.

mod table;

use std::time::Duration;

use anyhow::bail;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use crate::{
    backoff::{Backoff, Jitter},
    config::Settings,
    ports::{
        Account, AccountFacts, Queue, QueueFacts, QueueFailure, ReceiptHandle, SendRate, World,
        is_same_queue,
    },
    telemetry::throttle::Throttle,
    template_store::TemplateStore,
    text::format_duration,
    timing::START_REFUSED_MAX,
};

/// How long nothing else is asked while the queue's call is not looked at.
const QUEUE_ASKED_ALONE_FOR: Duration = Duration::from_mins(1);
/// What the table has said counts for this long: a start can wait for the queue for hours.
const TABLE_WORD_COUNTS_FOR: Duration = Duration::from_secs(5);
/// How often a refused template is fetched again: often enough to find one that is put there while
/// refusals are retried.
const TEMPLATE_RETRY_EVERY: Duration = Duration::from_secs(5);

/// What boot has learnt.
pub(super) struct Facts {
    pub(super) queue: QueueFacts,
    /// `None` if it is not needed or could not be read.
    pub(super) account: Option<AccountFacts>,
    /// Why the daemon begins without the table that all tasks share.
    pub(super) without_table: Option<String>,
}

/// Proves the queue and the template and reads the account, all at the same time. The first
/// definite refusal ends it, although another proof may be retried for ever. What keeps calls from being
/// looked at at all (credentials, the network) would fail them all: until the queue's call has been looked
/// at, which cancels `reached`, nothing else is asked, so that it is told once. After a minute that may be
/// the queue's trouble alone, and the others are tried, too.
pub(super) async fn prove(
    world: &World,
    settings: &Settings,
    templates: &TemplateStore,
    reached: &CancellationToken,
) -> anyhow::Result<Facts> {
    let (queue, (), account, (mut without_table, told_at)) = tokio::try_join!(
        prove_queue(&*world.queue, &settings.queue.url, reached),
        async {
            reached.cancelled().await;
            await_template(templates).await
        },
        async {
            reached.cancelled().await;
            Ok(match settings.email.max_send_rate {
                SendRate::Account => read_account(&*world.account).await,
                SendRate::PerSecond(_) | SendRate::Unlimited => None,
            })
        },
        async {
            reached.cancelled().await;
            let without_table = match &world.table {
                Some(table) => table::prove(&**table).await?,
                None => None,
            };
            Ok((without_table, Instant::now()))
        },
    )?;
    if without_table.is_some()
        && told_at.elapsed() > TABLE_WORD_COUNTS_FOR
        && let Some(table) = &world.table
    {
        without_table = table::prove(&**table).await?;
    }
    refuse_dead_letters_as_feedback(settings, &queue)?;
    Ok(Facts {
        queue,
        account,
        without_table,
    })
}

/// Events and dead letters in one queue: what a person has to look at would be read as events.
fn refuse_dead_letters_as_feedback(settings: &Settings, queue: &QueueFacts) -> anyhow::Result<()> {
    let feedback = settings.feedback.queue_url.as_deref();
    if let (Some(feedback), Some(redrive)) = (feedback, &queue.redrive)
        && is_same_queue(feedback, &redrive.dead_letter_queue)
    {
        bail!(
            "feedback.queue_url names {feedback}, the dead-letter queue of {}: give SES's events a queue \
             of their own",
            settings.queue.url
        );
    }
    Ok(())
}

/// Proves that the queue is there and that its messages can be settled, without touching one, and
/// returns what it says of itself. A failure that may pass is retried for ever.
async fn prove_queue(
    queue: &dyn Queue,
    url: &str,
    reached: &CancellationToken,
) -> anyhow::Result<QueueFacts> {
    let mut attempts = Attempts::new();
    let began = Instant::now();
    loop {
        let tried = try_queue(queue).await;
        let obstacle = tried
            .as_ref()
            .err()
            .and_then(|failure| failure.error.obstacle);
        if obstacle.is_none() || began.elapsed() >= QUEUE_ASKED_ALONE_FOR {
            reached.cancel();
        }
        let failure = match tried {
            Ok(facts) => return Ok(facts),
            Err(failure) => failure,
        };
        let remedy = failure.remedy();
        if attempts.refusals.last_too_long(failure.is_definite()) {
            bail!(
                "the queue {url} cannot be used: {failure}; {remedy}; {}",
                given_up()
            );
        }
        if attempts.throttle.due().is_some() {
            let goes_on = attempts.refusals.goes_on();
            error!(
                "not started yet: the queue {url} cannot be used yet: {failure}; {remedy}; {goes_on}"
            );
        }
        attempts.pause().await;
    }
}

/// Waits until there is a template. A failure that may pass is retried for ever. The store tells of the
/// first failure itself.
async fn await_template(store: &TemplateStore) -> anyhow::Result<()> {
    let mut refusals = Refusals::default();
    let throttle = Throttle::default().quiet_for(Duration::from_mins(1));
    let mut knowledge = store.watch();
    loop {
        let known = knowledge.borrow_and_update().clone();
        if known.in_force.is_some() {
            return Ok(());
        }
        // What may pass is fetched again by the store's own backoff.
        let is_definite = known
            .failure
            .as_ref()
            .is_some_and(|failure| failure.is_definite());
        if let Some(failure) = known.failure {
            let text = failure.text_at(store.location());
            if refusals.last_too_long(is_definite) {
                bail!("{text}; {}", given_up());
            }
            if throttle.due().is_some() {
                error!("not started yet: {text}; {}", refusals.goes_on());
            }
        }
        match timeout(TEMPLATE_RETRY_EVERY, knowledge.changed()).await {
            Ok(Ok(())) => {}
            Ok(Err(_closed)) => return Ok(()),
            Err(_elapsed) if is_definite => store.refresh(),
            Err(_elapsed) => {}
        }
    }
}

/// Reads the account's quotas once. The daemon works without them, too.
async fn read_account(account: &dyn Account) -> Option<AccountFacts> {
    match account.facts().await {
        Ok(facts) => Some(facts),
        Err(failure) => {
            let remedy = failure.remedy();
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
    queue.may_receive().await?;
    let made_up = ReceiptHandle::made_up();
    // No queue knows this handle, so the entries must fail. A call fails as a whole if the right to
    // make it is missing.
    queue
        .change_visibility(&[(made_up.clone(), Duration::ZERO)])
        .await?;
    queue.delete(&[made_up]).await?;
    Ok(facts)
}

/// The attempts of one proof: how often it is tried, told, and when it is given up.
struct Attempts {
    refusals: Refusals,
    throttle: Throttle,
    backoff: Backoff,
}

impl Attempts {
    fn new() -> Self {
        Self {
            refusals: Refusals::default(),
            throttle: Throttle::default(),
            backoff: Backoff::new(
                Duration::from_millis(500),
                Duration::from_secs(5),
                Jitter::Quarter,
            ),
        }
    }

    async fn pause(&mut self) {
        sleep(self.backoff.next_delay()).await;
    }
}

/// Definite refusals in a row.
#[derive(Default)]
struct Refusals {
    since: Option<Instant>,
}

impl Refusals {
    /// Takes note of one more failure and says whether to give up. One that is not definite says
    /// nothing about those before it, so the time of the next one begins anew.
    fn last_too_long(&mut self, definite: bool) -> bool {
        if !definite {
            self.since = None;
            return false;
        }
        self.since.get_or_insert_with(Instant::now).elapsed() >= START_REFUSED_MAX
    }

    /// What becomes of the start after this failure, as a clause.
    fn goes_on(&self) -> String {
        match self.since {
            Some(since) => format!(
                "the start is tried again, for another {} at most",
                format_duration(START_REFUSED_MAX.saturating_sub(since.elapsed()))
            ),
            None => "the start is tried again until it works".to_owned(),
        }
    }
}

/// What a start says that was refused for too long, as a clause.
fn given_up() -> String {
    let lasted = format_duration(START_REFUSED_MAX);
    format!("given up after {lasted} of refusals, and the process ends")
}
