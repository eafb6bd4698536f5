//! A poll loop that hangs, on paused time: what an orchestrator is told, and when.

use std::{future::pending, sync::Arc, time::Duration};

use async_trait::async_trait;
use organizer_notifier::{
    config::{self, Flags},
    daemon,
    notification::Mail,
    pipeline::health_state::HealthState,
    ports::{
        Account, AccountFacts, AccountFailure, EntryFailure, Mailer, Queue, QueueFacts,
        QueueFailure, ReceiptHandle, ReceiveRequest, ReceivedMessage, SendFailure, Tags,
        TemplateFailure, TemplateFile, TemplateSource, TemplateVersion, World,
    },
    telemetry::Instruments,
};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep},
};

/// The wait of a receive, its slack, and the time in which a loop must turn.
const DEADLINE: Duration = Duration::from_secs(20 + 20 + 15);

/// A queue whose first receives are answered and whose later ones never are.
struct Wedged;

#[async_trait]
impl Queue for Wedged {
    async fn describe(&self) -> Result<QueueFacts, QueueFailure> {
        Ok(QueueFacts {
            redrive: None,
            retention: Duration::from_hours(96),
            default_visibility: Duration::from_secs(30),
        })
    }

    async fn may_receive(&self) -> Result<(), QueueFailure> {
        Ok(())
    }

    async fn receive(&self, _: ReceiveRequest) -> Result<Vec<ReceivedMessage>, QueueFailure> {
        pending().await
    }

    async fn delete(
        &self,
        _: &[ReceiptHandle],
    ) -> Result<Vec<Result<(), EntryFailure>>, QueueFailure> {
        Ok(Vec::new())
    }

    async fn change_visibility(
        &self,
        _: &[(ReceiptHandle, Duration)],
    ) -> Result<Vec<Result<(), EntryFailure>>, QueueFailure> {
        Ok(Vec::new())
    }
}

#[async_trait]
impl TemplateSource for Wedged {
    async fn fetch(&self) -> Result<TemplateFile, TemplateFailure> {
        Ok(TemplateFile {
            bytes: b"<p>{summary}</p>".to_vec(),
            version: TemplateVersion {
                commit_id: String::new(),
                blob_id: "1".to_owned(),
            },
            modified: None,
        })
    }

    fn location(&self) -> &'static str {
        "here"
    }
}

#[async_trait]
impl Mailer for Wedged {
    async fn send(&self, _: Box<Mail>, _: Tags<'_>) -> Result<String, SendFailure> {
        pending().await
    }
}

#[async_trait]
impl Account for Wedged {
    async fn facts(&self) -> Result<AccountFacts, AccountFailure> {
        pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn a_wedged_poll_loop_is_not_alive_within_its_deadline() {
    let variables = [
        ("REGION", "us-east-1"),
        (
            "SQS_URL",
            "https://sqs.us-east-1.amazonaws.com/000000000000/q",
        ),
        ("CODECOMMIT_REPO", "templates"),
        ("NEW_EVENT_NOTIFICATION_EMAIL", "t.html"),
        ("SENDER", "events@example.com"),
        ("SUBJECT", "Registered"),
        ("NOTIFIER_EMAIL__MAX_SEND_RATE", "unlimited"),
        ("NOTIFIER_EMAIL__WITNESS", "false"),
    ];
    let settings = config::load(&[], &Flags::default(), variables)
        .unwrap()
        .settings;
    let health = Arc::new(HealthState::default());
    let world = World {
        queue: Arc::new(Wedged),
        mailer: Arc::new(Wedged),
        account: Arc::new(Wedged),
        templates: Arc::new(Wedged),
        table: None,
        feedback: None,
    };
    let (_signals, signals) = mpsc::unbounded_channel();
    let running = tokio::spawn({
        let health = Arc::clone(&health);
        let instruments = Arc::new(Instruments::off());
        async move { daemon::run(world, &settings, health, instruments, signals).await }
    });
    let began = Instant::now();
    while !health.readiness_problems().is_empty() {
        sleep(Duration::from_millis(100)).await;
        assert!(
            began.elapsed() < Duration::from_secs(10),
            "it does not start"
        );
    }
    // As long as a receive may take by right it is alive.
    sleep(Duration::from_secs(40)).await;
    assert!(health.liveness_problems().is_empty());
    while health.liveness_problems().is_empty() {
        sleep(Duration::from_secs(1)).await;
        let after = began.elapsed();
        assert!(after <= DEADLINE + Duration::from_secs(3), "{after:?}");
    }
    let reasons = health.liveness_problems();
    assert_eq!(reasons.len(), 1, "{reasons:?}");
    assert!(reasons[0].starts_with("the poll loop has not run for"));
    running.abort();
}
