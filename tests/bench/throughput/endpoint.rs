//! The load endpoint: the local AWS with a queue that is kept full, or trickles, and an eye on each
//! mail. It is a process of its own, and tells what it sees in lines of JSON.

use std::collections::VecDeque;
use std::io::{Write as _, stdout};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::anyhow;
use axum::Router;
use axum::http::header;
use axum::routing::post;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use sandbox::faults::{Fault, Rule};
use sandbox::ses::destination::EventType;
use sandbox::ses::publisher::{EventFault, EventRule};
use sandbox::tls::PrivateTls;
use sandbox::{Sandbox, lock};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::load::{self, Events, Latency, Load, QUEUE};
use crate::mails::{self, Mails, Verdict};

/// A queue that is always full holds at least this many messages that nobody has received.
const FULL: u64 = 2_000;
/// How often the queue is looked after.
const TICK: Duration = Duration::from_millis(5);
/// Attempts at one event are drawn from this.
const SEED: u64 = 7;

/// What the endpoint says, a line each.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Line {
    /// Where it listens: AWS, and a collector that takes everything; over TLS with the certificate of
    /// this authority, as PEM.
    Listening {
        aws: String,
        authority: Option<String>,
        collector: String,
    },
    /// The first `ReceiveMessage` came, in microseconds since the Unix epoch.
    Receiving { at_micros: u64 },
    /// The first mail came.
    Sending,
    /// So many mails have come.
    Progress { mails: usize },
    /// The queue is empty, or patience is at its end.
    Done(Report),
}

/// What one run looked like from here.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) verdict: Verdict,
    /// From the first mail to the last.
    pub(crate) seconds: f64,
    /// Calls by operation.
    pub(crate) calls: std::collections::BTreeMap<String, u64>,
    /// From a message's arrival to its mail, in milliseconds.
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    /// Exports taken by the collector.
    pub(crate) exports: u64,
    /// By how much the reading of events was behind at the worst moment, in milliseconds.
    pub(crate) events_behind_ms: f64,
}

/// Serves one run and returns when standard input ends.
pub(crate) fn serve(load: Load) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(run(load))
}

async fn run(load: Load) -> anyhow::Result<()> {
    let sandbox = Sandbox::new();
    let aws = TcpListener::bind("127.0.0.1:0").await?;
    let collector = TcpListener::bind("127.0.0.1:0").await?;
    let tls = load.tls.then(|| PrivateTls::new("http/1.1")).transpose()?;
    let scheme = if load.tls { "https" } else { "http" };
    let listening = Line::Listening {
        aws: format!("{scheme}://{}", aws.local_addr()?),
        authority: tls.as_ref().map(|tls| tls.authority().to_owned()),
        collector: format!("http://{}", collector.local_addr()?),
    };
    let mails = Arc::new(Mutex::new(Mails::new(load.verify)));
    furnish(&sandbox, &load).await?;
    let began = Instant::now();
    watch(&sandbox, &mails, began);
    let exports = Arc::new(AtomicU64::new(0));
    tokio::spawn(collect(collector, Arc::clone(&exports)));
    let stop = CancellationToken::new();
    let serving = tokio::spawn({
        let (sandbox, stop) = (Arc::clone(&sandbox), stop.clone());
        async move {
            if let Some(tls) = tls {
                sandbox.serve_tls(aws, &tls, stop).await
            } else {
                sandbox.serve(aws, stop).await;
                Ok(())
            }
        }
    });
    tell(&listening)?;
    tokio::spawn(announce_receiving(Arc::clone(&sandbox)));
    let feeding = tokio::spawn(feed(
        Arc::clone(&sandbox),
        Arc::clone(&mails),
        load.clone(),
        began,
    ));
    let behind = Arc::new(AtomicU64::new(0));
    tokio::spawn(watch_events(Arc::clone(&sandbox), Arc::clone(&behind)));
    let times = wait(&sandbox, &mails, &load, began).await?;
    feeding.abort();
    let report = {
        let mails = lock(&mails);
        let waits = mails.waits();
        Report {
            verdict: mails.verdict(load.messages),
            seconds: times.as_secs_f64(),
            calls: sandbox.calls(),
            p50_ms: quantile_ms(&waits, 50),
            p99_ms: quantile_ms(&waits, 99),
            exports: exports.load(Ordering::Relaxed),
            events_behind_ms: millis(behind.load(Ordering::Relaxed)),
        }
    };
    tell(&Line::Done(report))?;
    // The process that is measured ends while there is still somebody to answer it.
    tokio::task::spawn_blocking(|| std::io::read_to_string(std::io::stdin())).await??;
    stop.cancel();
    serving.await??;
    Ok(())
}

/// A queue with a dead-letter queue, the template, the sender, and the latencies.
async fn furnish(sandbox: &Sandbox, load: &Load) -> anyhow::Result<()> {
    let policy = json!({ "deadLetterTargetArn": arn("dead"), "maxReceiveCount": 2 });
    let attributes = json!({ "VisibilityTimeout": "60", "RedrivePolicy": policy.to_string() });
    for (name, attributes) in [("dead", json!({})), (QUEUE, attributes)] {
        let request = json!({ "QueueName": name, "Attributes": attributes });
        let made = sandbox.sqs.call("CreateQueue", request).await;
        made.map_err(|error| anyhow!("no queue: {}", error.message))?;
    }
    sandbox
        .codecommit
        .put(
            load::REPOSITORY,
            "main",
            load::TEMPLATE_PATH,
            mails::TEMPLATE.as_bytes(),
        )
        .map_err(|error| anyhow!("no template: {}", error.message))?;
    sandbox.ses.verify(mails::SENDER);
    if load.table {
        let made = sandbox.make_table(load::TABLE);
        made.map_err(|refused| anyhow!("no table: {}", refused.message))?;
        sandbox.faults.add(Rule::new(
            "dynamodb:*",
            Fault::Latency {
                min_ms: 3,
                max_ms: 3,
            },
        ));
    }
    if load.events != Events::Unread {
        let types = [EventType::Send, EventType::Delivery];
        let connected = sandbox.connect_feedback(load::SET, load::FEEDBACK, true, &types);
        let connected = connected.await;
        connected.map_err(|error| anyhow!("no feedback: {}", error.message))?;
        if load.events == Events::Lost {
            sandbox.ses.set_event_rules(vec![EventRule {
                types: Vec::new(),
                fault: EventFault::Loss,
                share: 1.0,
            }]);
        }
    }
    for (operation, latency) in [("sqs:*", load.sqs), ("ses:SendEmail", load.ses)] {
        if !latency.is_zero() {
            let Latency { min_ms, max_ms } = latency;
            sandbox
                .faults
                .add(Rule::new(operation, Fault::Latency { min_ms, max_ms }));
        }
    }
    Ok(())
}

/// Has every mail looked at when it is taken.
fn watch(sandbox: &Sandbox, mails: &Arc<Mutex<Mails>>, began: Instant) {
    sandbox.outbox.keep_at_most(1);
    let mails = Arc::clone(mails);
    sandbox
        .outbox
        .observe(move |mail| lock(&mails).took(mail, micros(began)));
}

/// Watches how long ago the event was published that is read next.
async fn watch_events(sandbox: Arc<Sandbox>, behind: Arc<AtomicU64>) {
    let mut published = VecDeque::new();
    loop {
        let now = Instant::now();
        // The greeting of the destination is one more.
        published.push_back((now, sandbox.ses.published()));
        let read = sandbox.sqs.handed_out(load::FEEDBACK);
        while published.front().is_some_and(|(_, count)| *count <= read) {
            published.pop_front();
        }
        if let Some((since, _)) = published.front() {
            behind.fetch_max(micros(*since), Ordering::Relaxed);
        }
        sleep(TICK).await;
    }
}

/// Puts the messages into the queue.
async fn feed(sandbox: Arc<Sandbox>, mails: Arc<Mutex<Mails>>, load: Load, began: Instant) {
    let deliver = |number| {
        lock(&mails).arrived(micros(began));
        sandbox.sqs.deliver(
            &arn(QUEUE),
            load::body(number, load.padding),
            Vec::new(),
            None,
        );
    };
    let mut fed = 0;
    if let Some(per_second) = load.per_second {
        // The process that is measured works when the first message comes.
        while sandbox.sqs.handed_out(QUEUE) == 0 && !is_receiving(&sandbox) {
            sleep(TICK).await;
        }
        let mut random = StdRng::seed_from_u64(SEED);
        let mut next = Instant::now();
        while fed < load.messages {
            let gap: f64 = -(1.0 - random.random::<f64>()).ln() / per_second;
            next += Duration::from_secs_f64(gap);
            sleep_until(next).await;
            deliver(fed);
            fed += 1;
        }
        return;
    }
    while fed < load.messages {
        let waiting = count(fed) - sandbox.sqs.handed_out(QUEUE);
        for _ in waiting..FULL {
            if fed < load.messages {
                deliver(fed);
                fed += 1;
            }
        }
        sleep(TICK).await;
    }
}

/// Waits until every mail has come and the queue is empty, and says how long the mails took from the
/// first to the last.
async fn wait(
    sandbox: &Sandbox,
    mails: &Mutex<Mails>,
    load: &Load,
    began: Instant,
) -> anyhow::Result<Duration> {
    let mut first = None;
    let mut last = began;
    let mut seen = 0;
    let mut told = 0;
    while began.elapsed() < load.patience {
        let taken = lock(mails).taken();
        let now = Instant::now();
        if taken > 0 && first.is_none() {
            first = Some(now);
            tell(&Line::Sending)?;
        }
        if taken > seen {
            (seen, last) = (taken, now);
        }
        if taken >= told + load.messages.div_ceil(20) && load.messages > 100_000 {
            told = taken;
            tell(&Line::Progress { mails: taken })?;
        }
        let is_empty = |queue| sandbox.sqs.snapshot(queue).is_empty();
        let emptied = || is_empty(QUEUE) && is_empty(load::FEEDBACK);
        if seen >= load.messages && now - last >= load.rest && emptied() {
            break;
        }
        sleep(Duration::from_millis(1)).await;
    }
    Ok(first.map_or(Duration::ZERO, |first| last - first))
}

/// Tells of the first receive, as precisely as the timer allows.
async fn announce_receiving(sandbox: Arc<Sandbox>) {
    while !is_receiving(&sandbox) {
        sleep(Duration::from_millis(1)).await;
    }
    let at = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let at_micros = at.map_or(0, |at| u64::try_from(at.as_micros()).unwrap_or(u64::MAX));
    // Whoever listens has gone only when the run is over.
    drop(tell(&Line::Receiving { at_micros }));
}

fn is_receiving(sandbox: &Sandbox) -> bool {
    let calls = sandbox.calls();
    let count = |operation| calls.get(operation).copied().unwrap_or(0);
    // Who asks for the queue's attributes proves by one receive of nothing that it may receive.
    let proofs = u64::from(count("sqs:GetQueueAttributes") > 0);
    count("sqs:ReceiveMessage") > proofs
}

/// A collector that takes every export over HTTP and keeps none.
async fn collect(listener: TcpListener, exports: Arc<AtomicU64>) {
    let take = move || {
        exports.fetch_add(1, Ordering::Relaxed);
        async { [(header::CONTENT_TYPE, "application/x-protobuf")] }
    };
    let router = Router::new()
        .route("/v1/traces", post(take.clone()))
        .route("/v1/metrics", post(take));
    drop(axum::serve(listener, router).await);
}

fn tell(line: &Line) -> anyhow::Result<()> {
    writeln!(stdout(), "{}", serde_json::to_string(line)?)?;
    Ok(())
}

fn quantile_ms(sorted: &[u64], percent: usize) -> f64 {
    let place = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(place).map_or(0.0, |micros| millis(*micros))
}

#[expect(
    clippy::cast_precision_loss,
    reason = "times of a run are far below 2^52"
)]
fn millis(micros: u64) -> f64 {
    micros as f64 / 1000.0
}

fn arn(queue: &str) -> String {
    format!("arn:aws:sqs:us-east-1:000000000000:{queue}")
}

fn micros(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX)
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
