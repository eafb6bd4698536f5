//! A daemon to test with: its queue, its mail service and its repository do as they are told, and
//! everything that happens is written down with the time since the start.

pub(crate) mod calls;
mod daemon;
mod feedback;
mod lines;
mod mailer;
mod queue;
mod repository;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use organizer_notifier::{
    config::{Flags, Settings, load},
    ledger::Ledger,
    ports::SendRate,
};
pub(crate) use sandbox::sqs::Standing;
use sandbox::{clock::Clock, sqs::Sqs};
use serde_json::json;
use tokio::time::{Instant, sleep};

pub(crate) use crate::table_in_memory::{Item, TableInMemory};

pub(crate) use self::{
    calls::{Call, Operation, Reaction},
    daemon::{Daemon, End, Pipeline},
    feedback::{FeedbackQueue, Taken, in_envelope},
    lines::Line,
    mailer::{Send, Step, TestMailer, accept, accept_after, fail, hang, refuse, slow_fail},
    queue::TestQueue,
    repository::{Fetch, TestAccount, TestTemplate, facts},
};

/// What a test waits for comes within this, or never.
const FOR_EVER: Duration = Duration::from_hours(100);

/// The world that the daemons under test live in.
pub(crate) struct Rig {
    pub(crate) queue: Arc<TestQueue>,
    pub(crate) mailer: Arc<TestMailer>,
    pub(crate) template: Arc<TestTemplate>,
    pub(crate) account: Arc<TestAccount>,
    /// Where SES's events arrive, if they are read.
    pub(crate) feedback: Arc<FeedbackQueue>,
    /// Where all daemons remember what was sent, if they do.
    pub(crate) table: Arc<TableInMemory>,
    pub(crate) settings: Settings,
    start: Instant,
    lines: lines::Lines,
}

impl Rig {
    /// The queue as CIS makes it, and the defaults but for the send rate, which is unlimited.
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// The same with other settings.
    pub(crate) async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let start = Instant::now();
        let mut settings = settings();
        change(&mut settings);
        let sqs = Arc::new(Sqs::new(Arc::new(Clock::new())));
        let rig = Self {
            feedback: FeedbackQueue::new(Arc::clone(&sqs)).await,
            queue: Arc::new(TestQueue::new(sqs, start)),
            mailer: Arc::new(TestMailer::new(start, settings.email.timeout)),
            template: Arc::new(TestTemplate::new(start)),
            account: Arc::new(TestAccount::new(start)),
            table: Arc::default(),
            settings,
            start,
            lines: lines::Lines::capture(start),
        };
        rig.queue.create("dead", json!({})).await;
        let policy = json!({
            "deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:dead",
            "maxReceiveCount": 2,
        });
        let attributes = json!({ "RedrivePolicy": policy.to_string() });
        rig.queue.create("q", attributes).await;
        rig
    }

    /// A rig whose daemons read SES's events, which take this long to arrive.
    pub(crate) async fn with_feedback(
        events_after: Duration,
        change: impl FnOnce(&mut Settings),
    ) -> Self {
        let rig = Self::with(|settings| {
            let url = "http://127.0.0.1:4566/000000000000/feedback";
            settings.feedback.queue_url = Some(url.to_owned());
            change(settings);
        })
        .await;
        rig.publish_events(events_after);
        rig
    }

    /// A rig whose daemons share a table.
    pub(crate) async fn with_table(change: impl FnOnce(&mut Settings)) -> Self {
        Self::with(|settings| {
            settings.ledger.table = Some("mails".to_owned());
            change(settings);
        })
        .await
    }

    /// From now on the mail service publishes that it took a mail, this long after.
    pub(crate) fn publish_events(&self, after: Duration) {
        let queue = Arc::clone(&self.feedback);
        self.mailer.when_taken(move |taken| {
            let (queue, body) = (Arc::clone(&queue), in_envelope(&taken.sent()));
            tokio::spawn(async move {
                sleep(after).await;
                queue.send(&body).await;
            });
        });
    }

    /// From now on no event is published.
    pub(crate) fn publish_no_events(&self) {
        self.mailer.when_taken(|_| {});
    }

    /// Starts a daemon. Several may run at once, as the tasks of a service do.
    pub(crate) fn start(&self) -> Daemon {
        Daemon::start(self)
    }

    /// Starts a pipeline with this ledger and no daemon around it.
    pub(crate) fn start_pipeline(&self, ledger: Arc<dyn Ledger>) -> Pipeline {
        Pipeline::start(self, ledger)
    }

    /// Starts a daemon and lets its window grow to the full size.
    pub(crate) async fn start_warm(&self) -> Daemon {
        let daemon = self.start();
        for number in 0..6 {
            let name = format!("warm-{number}");
            self.publish(&name).await;
            self.until(|| self.mailer.times_mailed(&name) == 1).await;
        }
        self.until(|| self.queue.is_empty()).await;
        daemon
    }

    /// Publishes an event whose notification has this id.
    pub(crate) async fn publish(&self, name: &str) {
        self.publish_to(name, &format!("{name}@example.com")).await;
    }

    pub(crate) async fn publish_all(&self, names: &[&str]) {
        for name in names {
            self.publish(name).await;
        }
    }

    /// `prefix-0`, `prefix-1` and so on, all at once.
    pub(crate) async fn publish_many(&self, prefix: &str, count: usize) -> Vec<String> {
        let names: Vec<_> = (0..count)
            .map(|number| format!("{prefix}-{number}"))
            .collect();
        for name in &names {
            self.publish(name).await;
        }
        names
    }

    pub(crate) async fn publish_to(&self, name: &str, mailto: &str) {
        self.publish_event(
            name,
            &json!({ "mailto": mailto, "uid": name, "summary": name }),
        )
        .await;
    }

    pub(crate) async fn publish_event(&self, name: &str, event: &serde_json::Value) {
        let body = json!({
            "Type": "Notification",
            "MessageId": name,
            "TopicArn": "arn:aws:sns:us-east-1:000000000000:created",
            "Message": event.to_string(),
        });
        self.queue.send(name, &body.to_string()).await;
    }

    /// Time since the rig was built.
    pub(crate) fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// Lets everything happen that happens within this time.
    pub(crate) async fn pass(&self, time: Duration) {
        sleep(time).await;
    }

    /// Lets time pass until something is so.
    pub(crate) async fn until(&self, mut so: impl FnMut() -> bool) {
        let began = Instant::now();
        let mut pause = Duration::from_millis(1);
        while !so() {
            assert!(
                began.elapsed() < FOR_EVER,
                "it never became so\n{}",
                self.lines.tail()
            );
            sleep(pause).await;
            // As fine as the moments that tests look at, and coarse where it takes hours.
            pause =
                (began.elapsed() / 2000).clamp(Duration::from_millis(1), Duration::from_secs(10));
        }
    }

    /// The outcomes of the deliveries of one message, in their order.
    pub(crate) fn outcomes(&self, name: &str) -> Vec<String> {
        self.outcome_lines(name)
            .iter()
            .map(|line| line.fields["notifier.outcome"].clone())
            .collect()
    }

    /// When the last delivery of this message had its outcome.
    pub(crate) fn outcome_at(&self, name: &str) -> Duration {
        self.outcome_lines(name).last().unwrap().at
    }

    fn outcome_lines(&self, name: &str) -> Vec<Line> {
        self.lines.matching(|line| {
            line.fields.contains_key("notifier.outcome")
                && line
                    .fields
                    .get("messaging.message.id")
                    .is_some_and(|id| self.queue.name_of(id).as_deref() == Some(name))
        })
    }

    /// Dana's mail goes again as soon as it is known that its first send has no answer.
    pub(crate) async fn dana_is_sent_again_without_a_wait(&self) {
        self.mailer.script(|send| match send.number {
            1 => hang().but_mailed(),
            _ => accept(),
        });
        self.publish("dana").await;
        self.until_outcomes("dana", 1).await;
        let sends = self.mailer.sends_of("dana");
        assert_about(sends[1].at - sends[0].at, secs(10), secs(1));
    }

    /// Waits until this message has had so many outcomes.
    pub(crate) async fn until_outcomes(&self, name: &str, count: usize) {
        self.until(|| self.outcomes(name).len() >= count).await;
    }

    /// The error lines whose text holds this.
    pub(crate) fn errors(&self, text: &str) -> Vec<Line> {
        self.lines
            .matching(|line| line.level == tracing::Level::ERROR && line.text.contains(text))
    }

    /// The lines of any level whose text holds this.
    pub(crate) fn said(&self, text: &str) -> Vec<Line> {
        self.lines.matching(|line| line.text.contains(text))
    }
}

pub(crate) fn settings() -> Settings {
    let variables = [
        ("REGION", "us-east-1"),
        ("SQS_URL", "http://127.0.0.1:4566/000000000000/q"),
        ("CODECOMMIT_REPO", "templates"),
        ("NEW_EVENT_NOTIFICATION_EMAIL", "created.html"),
        ("SENDER", "events@example.net"),
        ("SUBJECT", "Created"),
    ];
    let mut settings = load(&[], &Flags::default(), variables).unwrap().settings;
    settings.email.max_send_rate = SendRate::Unlimited;
    settings
}

pub(crate) fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(crate) fn mins(minutes: u64) -> Duration {
    Duration::from_mins(minutes)
}

/// Whether it is within `by` of `wanted`, either side.
#[track_caller]
pub(crate) fn assert_about(time: Duration, wanted: Duration, by: Duration) {
    assert!(
        time.abs_diff(wanted) <= by,
        "{time:?} is not {wanted:?} ± {by:?}"
    );
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
