//! One run: the endpoint and what is measured, each a process of its own.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, bail, ensure};
use serde::Serialize;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::{Instant, timeout};

use crate::endpoint::{Line, Report};
use crate::load::{self, Events, Load};
use crate::mails;
use crate::usage::{Cores, Usage, on_core};

/// How long what is measured may take to stop.
const STOP: Duration = Duration::from_secs(40);

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Subject {
    /// The SDK and nothing else, on the runtime that tokio starts by default.
    BareLoop,
    /// The same on a runtime of one thread, as the daemon's.
    BareOnOneThread,
    /// The release binary, telemetry off.
    Daemon,
    /// The same with every trace and the metrics exported.
    Traced,
    /// The release binary, telemetry off, that reads two events of each mail.
    Heard,
    /// The same where no event arrives.
    Deaf,
    /// The release binary, telemetry off, that remembers in a table what it sent.
    Shared,
    /// The same that reads two events of each mail.
    Whole,
}

impl Subject {
    pub(crate) fn is_bare(self) -> bool {
        matches!(self, Self::BareLoop | Self::BareOnOneThread)
    }

    fn has_table(self) -> bool {
        matches!(self, Self::Shared | Self::Whole)
    }
}

/// Where everything is.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) daemon: PathBuf,
    pub(crate) logs: PathBuf,
    pub(crate) cores: Option<Cores>,
}

/// What one run came to.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Measured {
    pub(crate) messages: usize,
    pub(crate) per_second: f64,
    pub(crate) cpu_per_1000: f64,
    /// Share of one core, from the first receive to the end.
    pub(crate) cpu_share: f64,
    pub(crate) peak_mib: f64,
    pub(crate) resident_mib: f64,
    /// Resident memory as the run went on.
    pub(crate) resident_mib_by_mails: BTreeMap<usize, f64>,
    pub(crate) calls_per_message: f64,
    pub(crate) calls: BTreeMap<String, u64>,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    /// How busy the endpoint's core was while mails came.
    pub(crate) endpoint_busy: f64,
    /// From the process's start to its first receive.
    pub(crate) start_ms: f64,
    pub(crate) exports: u64,
    /// By how much the subject was behind SES's events at the worst moment.
    pub(crate) events_behind_ms: f64,
}

struct Endpoint {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Endpoint {
    fn start(place: &Place, load: &Load) -> anyhow::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command
            .args(["--load", &serde_json::to_string(load)?])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        let core = place.cores.map(|cores| cores.endpoint);
        let mut child =
            on_core(core, || command.spawn())?.context("the endpoint does not start")?;
        let stdout = child.stdout.take().context("the endpoint has no output")?;
        Ok(Self {
            child,
            lines: BufReader::new(stdout).lines(),
        })
    }

    async fn line(&mut self) -> anyhow::Result<Line> {
        let line = self.lines.next_line().await?;
        let line = line.context("the endpoint ended before the run")?;
        Ok(serde_json::from_str(&line)?)
    }

    fn usage(&self) -> anyhow::Result<Usage> {
        Usage::of(self.child.id().context("the endpoint has ended")?)
    }

    async fn stop(mut self) -> anyhow::Result<()> {
        drop(self.child.stdin.take());
        let status = timeout(STOP, self.child.wait()).await;
        let status = status.context("the endpoint does not end")??;
        ensure!(status.success(), "the endpoint ended with {status}");
        Ok(())
    }
}

/// Runs the load through the subject, with so many messages held. A mail that is lost, sent twice or
/// wrong is an error, and so is a subject that does not stop as it should.
pub(crate) async fn run(
    place: &Place,
    subject: Subject,
    concurrency: usize,
    load: &Load,
) -> anyhow::Result<Measured> {
    let load = Load {
        verify: !subject.is_bare(),
        events: match subject {
            Subject::Heard | Subject::Whole => Events::Read,
            Subject::Deaf => Events::Lost,
            _ => Events::Unread,
        },
        table: subject.has_table(),
        ..load.clone()
    };
    let mut endpoint = Endpoint::start(place, &load)?;
    let Line::Listening {
        aws,
        authority,
        collector,
    } = endpoint.line().await?
    else {
        bail!("the endpoint does not say where it listens");
    };
    let log = place.logs.join("subject.log");
    let mut command = match subject {
        Subject::BareLoop => bare_loop(&aws, concurrency)?,
        Subject::BareOnOneThread => {
            let mut command = bare_loop(&aws, concurrency)?;
            command.args(["--threads", "1"]);
            command
        }
        Subject::Daemon => daemon(place, &aws, concurrency),
        Subject::Traced => traced(daemon(place, &aws, concurrency), &collector),
        Subject::Heard | Subject::Deaf => heard(daemon(place, &aws, concurrency), &aws),
        Subject::Shared => shared(daemon(place, &aws, concurrency)),
        Subject::Whole => heard(shared(daemon(place, &aws, concurrency)), &aws),
    };
    if let Some(authority) = authority {
        let file = place.logs.join("authority.pem");
        fs::write(&file, authority)?;
        command.env("SSL_CERT_FILE", file);
    }
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(File::create(&log)?)
        .kill_on_drop(true);
    let spawned_at = now_micros();
    let core = place.cores.map(|cores| cores.subject);
    let mut child =
        on_core(core, || command.spawn())?.context("what is measured does not start")?;
    let pid = child.id().context("what is measured has ended")?;

    let mut measured = Measured::default();
    let mut received = (Usage::default(), Instant::now());
    let mut sending = (Usage::default(), Usage::default(), Instant::now());
    let report: Report = loop {
        match endpoint.line().await? {
            Line::Receiving { at_micros } => {
                measured.start_ms = millis(at_micros.saturating_sub(spawned_at));
                received = (Usage::of(pid)?, Instant::now());
            }
            Line::Sending => sending = (Usage::of(pid)?, endpoint.usage()?, Instant::now()),
            Line::Progress { mails } => {
                let resident = Usage::of(pid)?.resident_kib;
                measured.resident_mib_by_mails.insert(mails, mib(resident));
            }
            Line::Done(report) => break report,
            Line::Listening { .. } => {}
        }
    };
    let usage = Usage::of(pid).with_context(|| format!("see {}", log.display()))?;
    let endpoint_cpu = endpoint.usage()?.cpu_seconds - sending.1.cpu_seconds;
    measured.endpoint_busy = endpoint_cpu / sending.2.elapsed().as_secs_f64();
    measured.cpu_share =
        (usage.cpu_seconds - received.0.cpu_seconds) / received.1.elapsed().as_secs_f64();
    measured.peak_mib = mib(usage.peak_kib);
    measured.resident_mib = mib(usage.resident_kib);
    measured.fill(
        &report,
        usage.cpu_seconds - sending.0.cpu_seconds,
        load.messages,
    );
    stop(&mut child, pid, subject)
        .await
        .with_context(|| format!("see {}", log.display()))?;
    endpoint.stop().await?;
    ensure!(
        report.verdict.is_clean(),
        "this run does not count: {:?}; see {}",
        report.verdict,
        log.display()
    );
    fs::remove_file(&log)?;
    Ok(measured)
}

impl Measured {
    fn fill(&mut self, report: &Report, cpu_seconds: f64, messages: usize) {
        let count = float(messages);
        self.messages = messages;
        self.per_second = count / report.seconds.max(f64::EPSILON);
        self.cpu_per_1000 = cpu_seconds * 1000.0 / count.max(1.0);
        let calls: u64 = report.calls.values().sum();
        self.calls_per_message =
            float(usize::try_from(calls).unwrap_or(usize::MAX)) / count.max(1.0);
        self.calls.clone_from(&report.calls);
        self.p50_ms = report.p50_ms;
        self.p99_ms = report.p99_ms;
        self.exports = report.exports;
        self.events_behind_ms = report.events_behind_ms;
    }
}

fn bare_loop(aws: &str, concurrency: usize) -> anyhow::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command
        .args(["--bare-loop", &queue_url(aws)])
        .args(["--concurrency", &concurrency.to_string()])
        .env_clear()
        .envs(sdk(aws));
    Ok(command)
}

fn daemon(place: &Place, aws: &str, concurrency: usize) -> Command {
    let mut command = Command::new(&place.daemon);
    command
        .env_clear()
        .envs(sdk(aws))
        .env("SQS_URL", queue_url(aws))
        .env("CODECOMMIT_REPO", load::REPOSITORY)
        .env("NEW_EVENT_NOTIFICATION_EMAIL", load::TEMPLATE_PATH)
        .env("SENDER", mails::SENDER)
        .env("SUBJECT", load::SUBJECT)
        .args(["--set", &format!("concurrency={concurrency}")])
        .args(["--set", "email.max_send_rate=unlimited"])
        .args(["--set", "health.listen=127.0.0.1:0"]);
    command
}

fn traced(mut daemon: Command, collector: &str) -> Command {
    daemon
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", collector)
        .env("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
        .env("OTEL_TRACES_SAMPLER", "always_on");
    daemon
}

fn heard(mut daemon: Command, aws: &str) -> Command {
    let url = format!("{aws}/000000000000/{}", load::FEEDBACK);
    daemon
        .args(["--set", &format!("feedback.queue_url={url}")])
        .args(["--set", "feedback.patience=3s"])
        .args(["--set", &format!("email.configuration_set={}", load::SET)]);
    daemon
}

fn shared(mut daemon: Command) -> Command {
    daemon.args(["--set", &format!("ledger.table={}", load::TABLE)]);
    daemon
}

fn sdk(aws: &str) -> [(&str, &str); 5] {
    [
        ("AWS_ENDPOINT_URL", aws),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ]
}

fn queue_url(aws: &str) -> String {
    format!("{aws}/000000000000/{}", load::QUEUE)
}

/// The daemon is asked to stop and must do so in good order; the bare loop knows no end.
async fn stop(child: &mut Child, pid: u32, subject: Subject) -> anyhow::Result<()> {
    if subject.is_bare() {
        child.kill().await?;
        return Ok(());
    }
    let pid = rustix::process::Pid::from_raw(pid.cast_signed()).context("no process id")?;
    rustix::process::kill_process(pid, rustix::process::Signal::INT)?;
    let status = timeout(STOP, child.wait())
        .await
        .context("the daemon does not stop")??;
    ensure!(status.success(), "the daemon ended with {status}");
    Ok(())
}

fn now_micros() -> u64 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(now.as_micros()).unwrap_or(u64::MAX)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "sizes and times are far below 2^52"
)]
fn mib(kib: u64) -> f64 {
    kib as f64 / 1024.0
}

#[expect(
    clippy::cast_precision_loss,
    reason = "sizes and times are far below 2^52"
)]
fn millis(micros: u64) -> f64 {
    micros as f64 / 1000.0
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
pub(crate) fn float(count: usize) -> f64 {
    count as f64
}
