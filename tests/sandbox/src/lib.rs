//! A local AWS: SQS, SNS, SES v2, `CodeCommit`, S3 and `DynamoDB` on one loopback port, with fault injection
//! and an outbox. Any AWS SDK can use it by its endpoint setting; signatures are not checked.

mod admin;
pub mod clock;
pub mod codecommit;
mod connection;
pub mod dynamodb;
pub mod faults;
pub mod history;
pub mod http;
pub mod operations;
pub mod outbox;
pub mod s3;
pub mod ses;
pub mod sns;
pub mod sqs;
#[cfg(feature = "tls")]
pub mod tls;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use axum::{Router, middleware};
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use self::clock::Clock;
use self::codecommit::CodeCommit;
use self::connection::{Connection, ResettableListener};
use self::dynamodb::DynamoDb;
use self::faults::Faults;
use self::history::History;
use self::http::ServiceError;
use self::outbox::Outbox;
use self::s3::S3;
use self::ses::Ses;
use self::ses::destination::EventType;
use self::sns::Sns;
use self::sqs::{ACCOUNT, Sqs};

/// How long a connection may hold up the end, such as one whose request never gets complete.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// All services and their state.
pub struct Sandbox {
    /// The time that the services share.
    pub clock: Arc<Clock>,
    /// Queues.
    pub sqs: Arc<Sqs>,
    /// Topics that deliver to the queues.
    pub sns: Arc<Sns>,
    /// Identities, account and sending.
    pub ses: Arc<Ses>,
    /// Repositories of files.
    pub codecommit: Arc<CodeCommit>,
    /// Buckets of objects.
    pub s3: Arc<S3>,
    /// Tables of items.
    pub dynamodb: Arc<DynamoDb>,
    /// What is to go wrong.
    pub faults: Arc<Faults>,
    /// What the services did, where that is written down.
    pub history: Arc<History>,
    /// The mails that SES took.
    pub outbox: Arc<Outbox>,
    calls: Mutex<BTreeMap<String, u64>>,
    /// Cancelled when serving ends, so that long polls and hung requests end with it.
    stop: CancellationToken,
}

impl Sandbox {
    /// Every service, empty.
    pub fn new() -> Arc<Self> {
        let clock = Arc::new(Clock::new());
        let history = Arc::new(History::default());
        let faults = Arc::new(Faults::new());
        faults.record(history.clone());
        let outbox = Arc::new(Outbox::new());
        let sqs = Arc::new(Sqs::new(clock.clone()));
        sqs.inject(faults.clone());
        sqs.record(history.clone());
        let sns = Arc::new(Sns::new(sqs.clone(), clock.clone()));
        let ses = Ses::new(clock.clone(), outbox.clone(), sns.clone(), sqs.clone());
        ses.record(history.clone());
        let dynamodb = DynamoDb::new(clock.clone(), faults.clone());
        dynamodb.record(history.clone());
        Arc::new(Self {
            sns,
            ses: Arc::new(ses),
            codecommit: Arc::new(CodeCommit::new(clock.clone())),
            s3: Arc::new(S3::new(clock.clone())),
            dynamodb: Arc::new(dynamodb),
            clock,
            sqs,
            faults,
            history,
            outbox,
            calls: Mutex::default(),
            stop: CancellationToken::new(),
        })
    }

    /// Serves until `shutdown`; requests under way then are cut off, and it cannot serve again.
    pub async fn serve(self: &Arc<Self>, listener: TcpListener, shutdown: CancellationToken) {
        let listener = ResettableListener::new(listener, self.history.clone());
        self.serve_on(listener, shutdown).await;
    }

    /// Serves over TLS as [`serve`](Self::serve) does without.
    ///
    /// # Errors
    ///
    /// If the listener has no address.
    #[cfg(feature = "tls")]
    pub async fn serve_tls(
        self: &Arc<Self>,
        listener: TcpListener,
        tls: &tls::PrivateTls,
        shutdown: CancellationToken,
    ) -> io::Result<()> {
        let listener = ResettableListener::new(listener, self.history.clone());
        let listener = tls::TlsListener::before(listener, tls)?;
        self.serve_on(listener, shutdown).await;
        Ok(())
    }

    async fn serve_on<L>(self: &Arc<Self>, listener: L, shutdown: CancellationToken)
    where
        L: Listener<Addr: Debug>,
        for<'a> Connection: Connected<IncomingStream<'a, L>>,
    {
        let service = Router::new()
            .merge(admin::router())
            .merge(history::router())
            .fallback(http::aws)
            .layer(middleware::from_fn_with_state(self.clone(), http::s3_first))
            .with_state(self.clone())
            .into_make_service_with_connect_info::<Connection>();
        let stop = self.stop.clone();
        let serving = axum::serve(listener, service).with_graceful_shutdown(async move {
            shutdown.cancelled().await;
            stop.cancel();
        });
        let overdue = async {
            self.stop.cancelled().await;
            tokio::time::sleep(LAST_WORDS).await;
        };
        // Accepting never fails for good, so there is no error to pass on.
        tokio::select! {
            _ = serving => {}
            () = overdue => {}
        }
    }

    /// Serves a new sandbox on a free loopback port.
    ///
    /// # Panics
    ///
    /// Where there is no port to listen on.
    #[expect(
        clippy::expect_used,
        reason = "only tests call it, and none could go on"
    )]
    pub async fn start() -> Running {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("no loopback port to listen on");
        let address = listener.local_addr().expect("the listener has no address");
        let url = format!("http://{address}");
        let sandbox = Self::new();
        let shutdown = CancellationToken::new();
        let (served, stop) = (sandbox.clone(), shutdown.clone());
        tokio::spawn(async move { served.serve(listener, stop).await });
        Running {
            sandbox,
            url,
            shutdown,
        }
    }

    /// A table on demand, as the daemons share one: its key is the text `id`, and items end by `expires`.
    ///
    /// # Errors
    ///
    /// If there is a table of this name.
    pub fn make_table(&self, name: &str) -> Result<(), ServiceError> {
        let table = json!({
            "TableName": name,
            "AttributeDefinitions": [{ "AttributeName": "id", "AttributeType": "S" }],
            "KeySchema": [{ "AttributeName": "id", "KeyType": "HASH" }],
            "BillingMode": "PAY_PER_REQUEST",
        });
        let expiry = json!({
            "TableName": name,
            "TimeToLiveSpecification": { "Enabled": true, "AttributeName": "expires" },
        });
        for (operation, request) in [("CreateTable", table), ("UpdateTimeToLive", expiry)] {
            let done = self.dynamodb.call(operation, request);
            done.map_err(|refused| refused.error)?;
        }
        Ok(())
    }

    /// Sets SES up to publish the events of these types of mails with this configuration set: through a
    /// topic of the same name to this queue, `raw` or in SNS's envelope. All of it is made where it is not
    /// there.
    ///
    /// # Errors
    ///
    /// What the services refuse.
    pub async fn connect_feedback(
        &self,
        set: &str,
        queue: &str,
        raw: bool,
        types: &[EventType],
    ) -> Result<(), ServiceError> {
        let policy = json!({
            "Version": "2012-10-17",
            "Statement": [{
                "Effect": "Allow",
                "Principal": { "Service": "sns.amazonaws.com" },
                "Action": "sqs:SendMessage",
                "Resource": "*",
                "Condition": { "ArnEquals": {
                    "aws:SourceArn": format!("arn:aws:sns:us-east-1:{ACCOUNT}:{set}"),
                } },
            }],
        });
        let attributes = json!({ "Policy": policy.to_string() });
        let create = json!({ "QueueName": queue, "Attributes": attributes });
        self.sqs.call("CreateQueue", create).await?;
        let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let topic = format!("arn:aws:sns:us-east-1:{ACCOUNT}:{set}");
        let create = [field("Action", "CreateTopic"), field("Name", set)];
        self.sns.call_query(&create).await?;
        let subscribe = [
            field("Action", "Subscribe"),
            field("TopicArn", &topic),
            field("Protocol", "sqs"),
            field(
                "Endpoint",
                &format!("arn:aws:sqs:us-east-1:{ACCOUNT}:{queue}"),
            ),
            field("Attributes.entry.1.key", "RawMessageDelivery"),
            field("Attributes.entry.1.value", &raw.to_string()),
        ];
        self.sns.call_query(&subscribe).await?;
        let create = json!({ "ConfigurationSetName": set });
        match self.ses.call("CreateConfigurationSet", create).await {
            Ok(_) => {}
            Err(refused) if refused.code == "AlreadyExistsException" => {}
            Err(refused) => return Err(refused),
        }
        let destination = json!({
            "ConfigurationSetName": set,
            "EventDestinationName": "feedback",
            "EventDestination": {
                "Enabled": true,
                "MatchingEventTypes": types,
                "SnsDestination": { "TopicArn": topic },
            },
        });
        let operation = "CreateConfigurationSetEventDestination";
        self.ses.call(operation, destination).await.map(drop)
    }

    /// How often each operation was called, as `service:Operation`, faults included.
    pub fn calls(&self) -> BTreeMap<String, u64> {
        lock(&self.calls).clone()
    }

    /// Writes down from now on, in this file, what the services do.
    ///
    /// # Errors
    ///
    /// Where the file cannot be made, or a history is being kept.
    pub fn write_history(&self, path: &Path) -> io::Result<()> {
        self.history.write_to(path, self.clock.clone())
    }

    /// Back to the beginning: every service empty, no mails, faults or counts.
    pub fn reset(&self) {
        self.history.note("reset", || json!({}));
        self.sqs.reset();
        self.sns.reset();
        self.ses.reset();
        self.codecommit.reset();
        self.s3.reset();
        self.dynamodb.reset();
        self.outbox.clear();
        self.faults.clear();
        lock(&self.calls).clear();
    }

    fn count(&self, operation: &str) {
        let mut calls = lock(&self.calls);
        match calls.get_mut(operation) {
            Some(count) => *count += 1,
            None => {
                calls.insert(operation.to_owned(), 1);
            }
        }
    }

    async fn stopping(&self) {
        self.stop.cancelled().await;
    }
}

/// A sandbox that serves until this is dropped.
pub struct Running {
    /// The services and their state.
    pub sandbox: Arc<Sandbox>,
    url: String,
    shutdown: CancellationToken,
}

impl Running {
    /// The endpoint, without a slash at the end.
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

/// Locks; a panic elsewhere while it was held concerns the test that it was in.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
