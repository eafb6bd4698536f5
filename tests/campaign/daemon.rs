//! One daemon as a process of its own: started, signalled, watched, and judged by its log.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use sandbox::Sandbox;
use serde_json::{Value, json};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

/// With this variable set the campaign's own binary is the daemon.
pub(crate) const ROLE: &str = "CAMPAIGN_DAEMON";

/// How long a daemon may take to say that it has started.
const START: Duration = Duration::from_secs(90);
/// What a loaded machine may add to a grace before the exit counts as late.
const SLACK: Duration = Duration::from_secs(1);

/// How to start a daemon.
#[derive(Clone)]
pub(crate) struct Launch {
    /// Where marks of what is done to daemons go.
    pub(crate) sandbox: Arc<Sandbox>,
    pub(crate) environment: BTreeMap<String, String>,
    /// `key=value` of the configuration.
    pub(crate) settings: BTreeMap<String, String>,
    pub(crate) grace: Duration,
}

/// A daemon that runs, or has run.
pub(crate) struct Daemon {
    sandbox: Arc<Sandbox>,
    /// Its access key, by which the history tells it from others.
    name: String,
    child: Child,
    pid: u32,
    log: PathBuf,
    grace: Duration,
    began: Instant,
    /// When and how large its resident memory was, in KiB.
    memory: Vec<(Duration, u64)>,
}

/// How a daemon ended.
#[derive(Debug, Default)]
pub(crate) struct Ended {
    pub(crate) killed: bool,
    /// What was wrong with its end or its log, for people.
    pub(crate) complaints: Vec<String>,
    pub(crate) log: LogCounts,
    pub(crate) memory: Vec<(Duration, u64)>,
}

/// What a log says, counted.
#[derive(Debug, Default, Clone)]
pub(crate) struct LogCounts {
    /// Sends that ended without an answer, those of witnesses too.
    pub(crate) unknown: u64,
    /// Messages given up on their last receive since two of their sends had no answer.
    pub(crate) unknown_at_limit: u64,
    pub(crate) outcomes: BTreeMap<String, u64>,
}

impl Launch {
    /// Starts this program as a daemon that logs to this file.
    pub(crate) fn start(&self, program: &Path, log: PathBuf) -> anyhow::Result<Daemon> {
        let output =
            File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let name = name_of(&log);
        let mut command = Command::new(program);
        command
            .env_clear()
            .env(ROLE, "1")
            .envs(&self.environment)
            .env("AWS_ACCESS_KEY_ID", &name)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .kill_on_drop(true);
        for (key, value) in &self.settings {
            command.args(["--set", &format!("{key}={value}")]);
        }
        let child = command.spawn().context("the daemon cannot be started")?;
        let pid = child.id().context("the daemon has no process id")?;
        let daemon = Daemon {
            sandbox: Arc::clone(&self.sandbox),
            name,
            child,
            pid,
            log,
            grace: self.grace,
            began: Instant::now(),
            memory: Vec::new(),
        };
        daemon.mark("started", json!({ "pid": pid }));
        Ok(daemon)
    }
}

/// A daemon has the name of its log file.
fn name_of(log: &Path) -> String {
    let stem = log.file_stem().unwrap_or_default();
    stem.to_string_lossy().into_owned()
}

impl Daemon {
    /// Waits until it works on the queue.
    pub(crate) async fn started(&mut self) -> anyhow::Result<()> {
        let began = Instant::now();
        while began.elapsed() < START {
            if self.says("\"started: ") {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                bail!(
                    "a daemon ended at its start with {status}; see {}",
                    self.log.display()
                );
            }
            sleep(Duration::from_millis(25)).await;
        }
        bail!("a daemon did not start; see {}", self.log.display())
    }

    /// Whether its log holds this text.
    pub(crate) fn says(&self, text: &str) -> bool {
        fs::read_to_string(&self.log).is_ok_and(|log| log.contains(text))
    }

    /// Says in the history what was done to it.
    fn mark(&self, mark: &str, mut fields: Value) {
        fields["client"] = json!(self.name);
        self.sandbox.history.mark(mark, fields);
    }

    /// Sends a signal by its name, such as `TERM`.
    pub(crate) async fn signal(&self, name: &str) -> anyhow::Result<()> {
        let status = Command::new("kill")
            .args([format!("-{name}"), self.pid.to_string()])
            .status()
            .await
            .context("no kill command")?;
        anyhow::ensure!(status.success(), "kill -{name} failed");
        Ok(())
    }

    /// Ends it without a word.
    pub(crate) async fn kill(mut self) -> anyhow::Result<Ended> {
        self.child.kill().await?;
        self.mark("killed", json!({}));
        let log = LogCounts::read(&self.log)?;
        let mut complaints = Vec::new();
        complain_of_log(&self.log, &mut complaints)?;
        Ok(Ended {
            killed: true,
            complaints,
            log,
            memory: self.memory,
        })
    }

    /// Asks it to stop by this signal, such as `TERM`, and holds its end against its promise: within the grace, with the right code and
    /// equal sums.
    pub(crate) async fn stop(mut self, signal: &str) -> anyhow::Result<Ended> {
        let asked = Instant::now();
        let grace_ms = u64::try_from(self.grace.as_millis())?;
        self.mark("signal", json!({ "signal": signal, "grace_ms": grace_ms }));
        self.signal(signal).await?;
        let mut complaints = Vec::new();
        if let Ok(status) = timeout(self.grace + SLACK, self.child.wait()).await {
            let status = status?;
            self.mark("exited", json!({ "code": status.code() }));
            complain_of_exit(status, &self.log, &mut complaints)?;
        } else {
            complaints.push(format!("no exit within its grace of {:?}", self.grace));
            self.child.kill().await?;
            self.mark("killed", json!({}));
        }
        let name = self.log.display();
        let text = fs::read_to_string(&self.log)?;
        match text
            .lines()
            .rev()
            .find(|line| line.contains("stopped after "))
        {
            Some(line) if line.contains('≠') => complaints.push(format!("{name}: sums differ")),
            Some(_) => {}
            // A stop before the start ends without accounts.
            None if text.contains("while starting") => {}
            None => complaints.push(format!("{name}: no accounts after {:?}", asked.elapsed())),
        }
        complain_of_log(&self.log, &mut complaints)?;
        Ok(Ended {
            killed: false,
            complaints,
            log: LogCounts::read(&self.log)?,
            memory: self.memory,
        })
    }

    /// Notes its resident memory.
    pub(crate) fn measure(&mut self) {
        let kib = fs::read_to_string(format!("/proc/{}/status", self.pid))
            .ok()
            .and_then(|status| resident(&status));
        if let Some(kib) = kib {
            self.memory.push((self.began.elapsed(), kib));
        }
    }
}

impl LogCounts {
    fn read(log: &Path) -> anyhow::Result<Self> {
        let mut counts = Self::default();
        for line in fs::read_to_string(log)?.lines() {
            let Ok(line) = serde_json::from_str::<Value>(line) else {
                continue;
            };
            let text = line["message"].as_str().unwrap_or_default();
            let code = line["error.type"].as_str().unwrap_or_default();
            let attempts = ["a send failed", "send attempt", "mailbox simulator failed"];
            let is_attempt = attempts.iter().any(|attempt| text.starts_with(attempt));
            if is_attempt && matches!(code, "timeout" | "connection") {
                counts.unknown += 1;
            }
            if let Some(outcome) = line["notifier.outcome"].as_str() {
                *counts.outcomes.entry(outcome.to_owned()).or_default() += 1;
                let at_limit = text.contains("its outcome is unknown");
                counts.unknown_at_limit += u64::from(at_limit && outcome == "exhausted");
            }
        }
        Ok(counts)
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.unknown += other.unknown;
        self.unknown_at_limit += other.unknown_at_limit;
        for (outcome, count) in &other.outcomes {
            *self.outcomes.entry(outcome.clone()).or_default() += count;
        }
    }
}

/// Code 1 is the right one where a send had no answer and no event at the stop, and for nothing else.
fn complain_of_exit(
    status: ExitStatus,
    log: &Path,
    complaints: &mut Vec<String>,
) -> anyhow::Result<()> {
    let unanswered = "the daemon stopped before its send was answered";
    let is_owed = fs::read_to_string(log)?.contains(unanswered);
    if status.code() != Some(i32::from(is_owed)) {
        complaints.push(format!(
            "a daemon ended with {status}: see {}",
            log.display()
        ));
    }
    Ok(())
}

fn complain_of_log(log: &Path, complaints: &mut Vec<String>) -> anyhow::Result<()> {
    let text = fs::read_to_string(log)?;
    for bad in [
        "received and ended messages differ",
        "panic",
        "fault of ours",
        "bug in this program",
    ] {
        if text.contains(bad) {
            complaints.push(format!("{}: says {bad:?}", log.display()));
        }
    }
    Ok(())
}

fn resident(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}
