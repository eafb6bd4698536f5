//! The surroundings of one scenario: a local AWS of its own, set up as the Calendar Invite Server
//! does it, the events published into it, and the daemons that work there.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use sandbox::faults::{Fault, Rule};
use sandbox::sqs::Standing;
use sandbox::{Running, Sandbox};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::daemon::{Daemon, Ended, Launch, Limits, Stop};
use super::events::{Published, uid_in};

/// The queue's visibility timeout: the shortest that the daemon takes, a twelfth of CIS's.
pub(crate) const VISIBILITY: Duration = Duration::from_secs(5);
/// How long one send may take, a fifth of the default.
pub(crate) const SEND_TIMEOUT: Duration = Duration::from_secs(2);
/// The whole time from the signal to the exit, less than half of the default.
pub(crate) const GRACE: Duration = Duration::from_secs(12);
/// How long one message is retried, a twelfth of the default.
const RETRY: Duration = Duration::from_secs(75);
/// Mails that a daemon sends at once.
pub(crate) const CONCURRENCY: u64 = 32;

/// How a daemon is asked to stop that can settle what it holds.
pub(crate) const GENTLY: Stop = Stop {
    signal: "TERM",
    again: None,
    troubled: false,
};
/// The name of a scenario's history, beside the daemons' logs.
pub(crate) const HISTORY: &str = "history.jsonl";
const REGION: &str = "us-east-1";
pub(crate) const QUEUE: &str = "notify-organizer";
/// The queue of a sibling.
pub(crate) const SIBLING: &str = "notify-attendees";
const DEAD: &str = "notify-organizer-dead";
pub(crate) const TOPIC: &str = "new-event-created";
pub(crate) const REPOSITORY: &str = "templates";
pub(crate) const BRANCH: &str = "main";
pub(crate) const TEMPLATE: &str = "new-event.html";
const SENDER: &str = "events@example.org";
const GOOD_TEMPLATE: &str = "<html><head><style>p { color: #333 }</style></head><body>\
    <p>Hello {mailto},</p><p>{summary} was created as {uid}.</p></body></html>";

/// What a scenario is run with.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// What is started as a daemon, in turn.
    pub(crate) programs: Vec<PathBuf>,
    /// Where the daemons' logs go.
    pub(crate) logs: PathBuf,
    pub(crate) messages: usize,
    pub(crate) seed: u64,
    /// Shorter outages.
    pub(crate) short: bool,
    /// Whether a history is kept, for the checker to judge.
    pub(crate) history: bool,
    /// The queue's `maxReceiveCount`.
    pub(crate) receives: u32,
}

impl Plan {
    /// What a schedule is played with, which brings messages of its own.
    pub(crate) fn of_schedule(
        seed: u64,
        receives: u32,
        programs: Vec<PathBuf>,
        logs: PathBuf,
    ) -> Self {
        Self {
            programs,
            logs,
            messages: 0,
            seed,
            short: true,
            history: true,
            receives,
        }
    }
}

/// CIS's `maxReceiveCount`.
pub(crate) const RECEIVES: u32 = 2;

/// Everything that a scenario plays with.
pub(crate) struct World {
    pub(crate) plan: Plan,
    pub(crate) running: Running,
    pub(crate) launch: Launch,
    pub(crate) daemons: Vec<Daemon>,
    pub(crate) ended: Vec<Ended>,
    stopping: JoinSet<anyhow::Result<Ended>>,
    /// When each event was published, in milliseconds of the local AWS's clock, by its uid.
    pub(crate) published: BTreeMap<String, Published>,
    pub(crate) began: Instant,
    pub(crate) measured: Instant,
    started: usize,
}

/// What is in a queue, by event.
pub(crate) type Receives = HashMap<String, u32>;

impl World {
    pub(crate) async fn new(plan: Plan) -> anyhow::Result<Self> {
        fs::create_dir_all(&plan.logs)?;
        let running = Sandbox::start().await;
        let sandbox = &running.sandbox;
        sandbox.faults.seed(plan.seed);
        sandbox.ses.verify(SENDER);
        if plan.history {
            sandbox.write_history(&plan.logs.join(HISTORY))?;
        }
        let launch = launch(Arc::clone(sandbox), running.url());
        let world = Self {
            plan,
            launch,
            running,
            daemons: Vec::new(),
            ended: Vec::new(),
            stopping: JoinSet::new(),
            published: BTreeMap::new(),
            began: Instant::now(),
            measured: Instant::now(),
            started: 0,
        };
        world.template(GOOD_TEMPLATE.as_bytes())?;
        world.make_queues().await?;
        Ok(world)
    }

    pub(crate) fn sandbox(&self) -> &Sandbox {
        &self.running.sandbox
    }

    /// Sets a key of the configuration of daemons started from now on.
    pub(crate) fn set(&mut self, key: &str, value: &str) {
        self.launch
            .settings
            .insert(key.to_owned(), value.to_owned());
    }

    /// Adds a fault that strikes this share of an operation's calls.
    pub(crate) fn fault(&self, operation: &str, share: f64, fault: Fault) {
        let rule = Rule::new(operation, fault);
        self.sandbox().faults.add(Rule { share, ..rule });
    }

    /// How often faults of these kinds that are in force have struck.
    pub(crate) fn struck(&self, kinds: &[&str]) -> u64 {
        let rules = self.sandbox().faults.json();
        let rules = rules["rules"].as_array().cloned().unwrap_or_default();
        let is_of = |fault: &Value, kind| fault == kind || fault.get(kind).is_some();
        rules
            .iter()
            .filter(|rule| kinds.iter().any(|kind| is_of(&rule["fault"], *kind)))
            .filter_map(|rule| rule["struck"].as_u64())
            .sum()
    }

    pub(crate) fn template(&self, content: &[u8]) -> anyhow::Result<()> {
        self.sandbox()
            .codecommit
            .put(REPOSITORY, BRANCH, TEMPLATE, content)
            .map_err(|error| anyhow!("the template was not committed: {}", error.message))?;
        Ok(())
    }

    /// Puts the good template back.
    pub(crate) fn mend_template(&self) -> anyhow::Result<()> {
        self.mend_template_as("mended")
    }

    /// The good template in another version.
    pub(crate) fn mend_template_as(&self, version: &str) -> anyhow::Result<()> {
        self.template(format!("{GOOD_TEMPLATE}<!-- {version} -->").as_bytes())
    }

    /// Starts a daemon without waiting for it.
    pub(crate) fn spawn(&mut self) -> anyhow::Result<()> {
        let programs = &self.plan.programs;
        let program = &programs[self.started % programs.len()];
        self.started += 1;
        let log = self.log(self.started);
        self.daemons.push(self.launch.start(program, log)?);
        Ok(())
    }

    /// The logs of all daemons that were started.
    pub(crate) fn logs(&self) -> Vec<PathBuf> {
        (1..=self.started).map(|number| self.log(number)).collect()
    }

    fn log(&self, number: usize) -> PathBuf {
        self.plan.logs.join(format!("daemon-{number}.log"))
    }

    /// Starts daemons and waits until they work.
    pub(crate) async fn start(&mut self, count: usize) -> anyhow::Result<()> {
        for _ in 0..count {
            self.spawn()?;
        }
        for daemon in &mut self.daemons {
            daemon.started().await?;
        }
        Ok(())
    }

    /// Has the oldest daemon stop and starts another, at once, as a rolling deploy does. The
    /// oldest is judged when all are stopped.
    pub(crate) fn replace(&mut self) -> anyhow::Result<()> {
        self.stop_one(0, GENTLY);
        self.spawn()
    }

    /// Kills the oldest daemon and starts another.
    pub(crate) async fn kill(&mut self) -> anyhow::Result<()> {
        self.kill_one(0).await?;
        self.spawn()
    }

    /// Has one of the daemons stop. It is judged when all are stopped.
    pub(crate) fn stop_one(&mut self, which: usize, stop: Stop) {
        let daemon = self.daemons.remove(which);
        self.stopping.spawn(daemon.stop(stop));
    }

    /// Kills one of the daemons.
    pub(crate) async fn kill_one(&mut self, which: usize) -> anyhow::Result<()> {
        let daemon = self.daemons.remove(which);
        self.ended.push(daemon.kill().await?);
        Ok(())
    }

    /// Takes the daemons away that have ended by themselves; says how many.
    pub(crate) async fn bury(&mut self) -> anyhow::Result<usize> {
        let before = self.daemons.len();
        let mut at = 0;
        while at < self.daemons.len() {
            if let Some(status) = self.daemons[at].has_ended()? {
                let daemon = self.daemons.remove(at);
                self.ended.push(daemon.fell(status).await?);
            } else {
                at += 1;
            }
        }
        Ok(before - self.daemons.len())
    }

    /// Stops all daemons at once, without waiting for their long polls.
    pub(crate) async fn stop_all(&mut self) -> anyhow::Result<()> {
        self.stop_all_by(Stop {
            signal: "INT",
            ..GENTLY
        })
        .await
    }

    /// Stops all daemons at once, and waits for those that were asked before.
    pub(crate) async fn stop_all_by(&mut self, stop: Stop) -> anyhow::Result<()> {
        while !self.daemons.is_empty() {
            self.stop_one(0, stop);
        }
        while let Some(ended) = self.stopping.join_next().await {
            self.ended.push(ended??);
        }
        Ok(())
    }

    /// Waits while daemons work, and takes their measure each second.
    pub(crate) async fn pass(&mut self, time: Duration) {
        self.measure();
        let until = Instant::now() + time;
        while Instant::now() < until {
            let left = until - Instant::now();
            sleep(left.min(Duration::from_secs(1))).await;
            self.measure();
        }
    }

    /// Takes the daemons' measure.
    pub(crate) fn measure(&mut self) {
        self.measured = Instant::now();
        self.daemons.iter_mut().for_each(Daemon::measure);
    }

    /// Waits until the queue is empty; `false` where it is not in this time.
    pub(crate) async fn settle(&mut self, patience: Duration) -> bool {
        self.settled(QUEUE, patience).await
    }

    /// The same of another queue.
    pub(crate) async fn settled(&mut self, queue: &str, patience: Duration) -> bool {
        let began = Instant::now();
        while began.elapsed() < patience {
            if self.receives(queue).is_empty() {
                return true;
            }
            self.pass(Duration::from_millis(250)).await;
        }
        false
    }

    /// How often each event in the queue was received; of several copies, the most.
    pub(crate) fn in_queue(&self) -> Receives {
        self.receives(QUEUE)
    }

    pub(crate) fn in_dead_letter_queue(&self) -> Receives {
        self.receives(DEAD)
    }

    /// The messages in the queue, each with how often it was received.
    pub(crate) fn left(&self) -> Vec<(String, u32)> {
        let messages = self.sandbox().sqs.snapshot(QUEUE).into_iter();
        messages
            .map(|message| (message.message_id, message.receive_count))
            .collect()
    }

    /// How many copies are being worked on.
    pub(crate) fn in_flight(&self) -> usize {
        let messages = self.sandbox().sqs.snapshot(QUEUE);
        let held = messages.iter();
        held.filter(|message| message.standing == Standing::InFlight)
            .count()
    }

    /// How many messages were received by anybody, each as often as it was.
    pub(crate) fn handed_out(&self) -> u64 {
        self.sandbox().sqs.handed_out(QUEUE)
    }

    /// When each mail went out, by event.
    pub(crate) fn mailed(&self) -> HashMap<String, Vec<u64>> {
        let mut mailed: HashMap<String, Vec<u64>> = HashMap::new();
        for mail in self.sandbox().outbox.mails() {
            let uid = uid_in(&mail.subject).unwrap_or_default();
            mailed.entry(uid).or_default().push(mail.time_millis);
        }
        mailed
    }

    /// The longest time between one mail and the next.
    pub(crate) fn longest_pause(&self) -> Duration {
        let mut times: Vec<_> = self.mailed().into_values().flatten().collect();
        times.sort_unstable();
        let pauses = times.windows(2).map(|pair| pair[1] - pair[0]);
        Duration::from_millis(pauses.max().unwrap_or(0))
    }

    /// How many lines with this text each daemon has logged, in the order of their starts.
    pub(crate) fn lines(&self, text: &str) -> Vec<usize> {
        let logs = self.logs().into_iter();
        let logs = logs.map(|log| fs::read_to_string(log).unwrap_or_default());
        logs.map(|log| log.lines().filter(|line| line.contains(text)).count())
            .collect()
    }

    pub(crate) fn calls(&self, operation: &str) -> u64 {
        self.sandbox().calls().get(operation).copied().unwrap_or(0)
    }

    fn receives(&self, queue: &str) -> Receives {
        let mut receives = Receives::new();
        for message in self.sandbox().sqs.snapshot(queue) {
            let uid = uid_in(&message.body).unwrap_or_default();
            let count = receives.entry(uid).or_default();
            *count = message.receive_count.max(*count);
        }
        receives
    }

    async fn make_queues(&self) -> anyhow::Result<()> {
        let visibility = VISIBILITY.as_secs().to_string();
        let policy = json!({ "deadLetterTargetArn": arn("sqs", DEAD), "maxReceiveCount": self.plan.receives });
        let attributes =
            json!({ "VisibilityTimeout": visibility, "RedrivePolicy": policy.to_string() });
        let queues = [
            (DEAD, json!({})),
            (QUEUE, attributes.clone()),
            (SIBLING, attributes),
        ];
        for (name, attributes) in queues {
            let request = json!({ "QueueName": name, "Attributes": attributes });
            let created = self.sandbox().sqs.call("CreateQueue", request).await;
            created.map_err(|error| anyhow!("no queue: {}", error.message))?;
        }
        self.sns(&[("Action", "CreateTopic"), ("Name", TOPIC)])
            .await?;
        self.sns(&[
            ("Action", "Subscribe"),
            ("TopicArn", &arn("sns", TOPIC)),
            ("Protocol", "sqs"),
            ("Endpoint", &arn("sqs", QUEUE)),
        ])
        .await
    }

    pub(crate) async fn sns(&self, form: &[(&str, &str)]) -> anyhow::Result<()> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let form: Vec<_> = form.iter().map(owned).collect();
        let answer = self.sandbox().sns.call_query(&form).await;
        answer
            .map(drop)
            .map_err(|error| anyhow!("{}", error.message))
            .context("SNS refused")
    }
}

/// CIS's own variables are the configuration, with durations scaled down.
fn launch(sandbox: Arc<Sandbox>, url: &str) -> Launch {
    let queue_url = format!("{url}/000000000000/{QUEUE}");
    let environment = [
        ("AWS_ENDPOINT_URL", url),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("REGION", REGION),
        ("SQS_URL", &queue_url),
        ("CODECOMMIT_REPO", REPOSITORY),
        ("SENDER", SENDER),
        ("SUBJECT", "New event {uid}"),
        ("NEW_EVENT_NOTIFICATION_EMAIL", TEMPLATE),
        ("LOG_LEVEL", "DEBUG"),
    ];
    let span = |duration: Duration| humantime::format_duration(duration).to_string();
    let settings = [
        ("queue.visibility_timeout", span(VISIBILITY)),
        ("email.timeout", span(SEND_TIMEOUT)),
        ("shutdown.grace", span(GRACE)),
        ("retry.max_elapsed", span(RETRY)),
        ("concurrency", CONCURRENCY.to_string()),
        ("template.ttl", "10s".to_owned()),
        ("health.listen", "off".to_owned()),
    ];
    Launch {
        sandbox,
        environment: environment
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        settings: settings.map(|(key, value)| (key.to_owned(), value)).into(),
        grace: GRACE,
        limits: Limits::default(),
        piped: false,
    }
}

pub(crate) fn arn(service: &str, name: &str) -> String {
    format!("arn:aws:{service}:{REGION}:000000000000:{name}")
}
