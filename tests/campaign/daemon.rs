//! One daemon as a process of its own: started, signalled, watched, and judged by its log.

pub(crate) mod launch;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process};
use sandbox::Sandbox;
use serde_json::{Value, json};
use tokio::process::Child;
use tokio::time::{Instant, sleep, timeout};

use self::launch::Reader;
pub(crate) use self::launch::{Launch, Limits};

/// How long a daemon may take to say that it has started.
const START: Duration = Duration::from_secs(90);
/// What a loaded machine may add to a grace before the exit counts as late.
const SLACK: Duration = Duration::from_secs(1);

/// How a daemon is asked to stop.
#[derive(Clone, Copy)]
pub(crate) struct Stop {
    /// By name, such as `TERM`.
    pub(crate) signal: &'static str,
    /// How long after the signal it comes again.
    pub(crate) again: Option<Duration>,
    /// Whether settling may fail meanwhile, so that code 1 can be the right one.
    pub(crate) troubled: bool,
}

/// A daemon that runs, or has run.
pub(crate) struct Daemon {
    sandbox: Arc<Sandbox>,
    /// Its access key, by which the history tells it from others.
    name: String,
    child: Child,
    pub(crate) pid: u32,
    log: PathBuf,
    grace: Duration,
    began: Instant,
    /// When and how large its resident memory was, in KiB.
    memory: Vec<(Duration, u64)>,
    limits: Limits,
    /// It stands still.
    pauses: bool,
    reader: Option<Reader>,
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
    pub(crate) fn signal(&self, name: &str) -> anyhow::Result<()> {
        let signal = match name {
            "TERM" => Signal::TERM,
            "INT" => Signal::INT,
            "HUP" => Signal::HUP,
            "USR1" => Signal::USR1,
            "STOP" => Signal::STOP,
            "CONT" => Signal::CONT,
            _ => bail!("no signal {name}"),
        };
        let pid = Pid::from_raw(self.pid.cast_signed()).context("no process")?;
        kill_process(pid, signal).with_context(|| format!("SIG{name} to {}", self.name))
    }

    /// Whether it has said something, and so takes signals by itself. Before that they end it, as they do any
    /// process that has not begun.
    pub(crate) fn takes_signals(&self) -> bool {
        fs::metadata(&self.log).is_ok_and(|log| log.len() > 0)
    }

    /// Has it stand still.
    pub(crate) fn pause(&mut self) -> anyhow::Result<()> {
        self.mark("paused", json!({}));
        self.pauses = true;
        self.signal("STOP")
    }

    /// Has it go on where it stands still, its standard error read.
    pub(crate) fn go_on(&mut self) -> anyhow::Result<()> {
        if std::mem::take(&mut self.pauses) {
            self.signal("CONT")?;
            self.mark("continued", json!({}));
        }
        Ok(())
    }

    /// Has its standard error read, or not, where that is a pipe.
    pub(crate) fn read(&self, reads: bool) {
        if let Some(reader) = &self.reader {
            reader.read(reads);
        }
    }

    /// Gives it what the system allows.
    pub(crate) fn lift_limits(&self) -> anyhow::Result<()> {
        self.limits.lift(self.pid)
    }

    /// The status with which it has ended by itself.
    pub(crate) fn has_ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Judges one that has ended by itself: only one that had little to live on may.
    pub(crate) async fn fell(mut self, status: ExitStatus) -> anyhow::Result<Ended> {
        self.mark("exited", json!({ "code": status.code() }));
        let mut ended = self.judged(true).await?;
        if self.limits.is_none() {
            let name = self.log.display();
            let complaint = format!("{name}: ended by itself with {status}");
            ended.complaints.push(complaint);
        } else {
            ended.complaints.clear();
        }
        Ok(ended)
    }

    /// Ends it without a word.
    pub(crate) async fn kill(mut self) -> anyhow::Result<Ended> {
        self.child.kill().await?;
        self.mark("killed", json!({}));
        self.judged(true).await
    }

    /// What its log says once it has ended.
    async fn judged(&mut self, killed: bool) -> anyhow::Result<Ended> {
        if let Some(reader) = self.reader.take() {
            reader.finish().await?;
        }
        let mut complaints = Vec::new();
        complain_of_log(&self.log, &mut complaints)?;
        Ok(Ended {
            killed,
            complaints,
            log: LogCounts::read(&self.log)?,
            memory: std::mem::take(&mut self.memory),
        })
    }

    /// Asks it to stop, and holds its end against its promise: within the grace, with the right code and
    /// equal sums.
    pub(crate) async fn stop(mut self, stop: Stop) -> anyhow::Result<Ended> {
        self.go_on()?;
        self.read(true);
        let began = Instant::now();
        while !self.takes_signals() && self.child.try_wait()?.is_none() && began.elapsed() < START {
            sleep(Duration::from_millis(5)).await;
        }
        if let Some(status) = self.child.try_wait()? {
            return self.fell(status).await;
        }
        let asked = Instant::now();
        let grace_ms = u64::try_from(self.grace.as_millis())?;
        self.mark(
            "signal",
            json!({ "signal": stop.signal, "grace_ms": grace_ms }),
        );
        self.signal(stop.signal)?;
        if let Some(after) = stop.again
            && timeout(after, self.child.wait()).await.is_err()
        {
            // One that ends meanwhile has no need of it.
            drop(self.signal(stop.signal));
        }
        let left = (self.grace + SLACK).saturating_sub(asked.elapsed());
        let status = if let Ok(status) = timeout(left, self.child.wait()).await {
            let status = status?;
            self.mark("exited", json!({ "code": status.code() }));
            Some(status)
        } else {
            self.child.kill().await?;
            self.mark("killed", json!({}));
            None
        };
        let limited = !self.limits.is_none();
        let mut ended = self.judged(false).await?;
        let complaints = &mut ended.complaints;
        match status {
            Some(status) => complain_of_exit(status, &self.log, stop.troubled, complaints)?,
            None => complaints.push(format!("no exit within its grace of {:?}", self.grace)),
        }
        complain_of_sums(&self.log, asked, complaints)?;
        if limited && status.is_some_and(|status| status.code() != Some(0)) {
            complaints.clear();
        }
        Ok(ended)
    }

    /// Notes its resident memory.
    pub(crate) fn measure(&mut self) {
        if let Some(kib) = self.resident_kib() {
            self.memory.push((self.began.elapsed(), kib));
        }
    }

    /// Its resident memory, in KiB.
    pub(crate) fn resident_kib(&self) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid));
        status.ok().and_then(|status| resident(&status))
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

/// Code 1 is the right one where a send had no answer and no event at the stop, and where something could not be
/// settled.
fn complain_of_exit(
    status: ExitStatus,
    log: &Path,
    troubled: bool,
    complaints: &mut Vec<String>,
) -> anyhow::Result<()> {
    let text = fs::read_to_string(log)?;
    let is_owed = text.contains("the daemon stopped before its send was answered");
    let is_told = troubled && text.contains("with problems, which earlier lines tell");
    if status.code() != Some(i32::from(is_owed || is_told)) {
        complaints.push(format!(
            "a daemon ended with {status}: see {}",
            log.display()
        ));
    }
    Ok(())
}

fn complain_of_sums(
    log: &Path,
    asked: Instant,
    complaints: &mut Vec<String>,
) -> anyhow::Result<()> {
    let (text, name) = (fs::read_to_string(log)?, log.display());
    let told = text
        .lines()
        .rev()
        .find(|line| line.contains("stopped after "));
    match told {
        Some(line) if line.contains('≠') => complaints.push(format!("{name}: sums differ")),
        Some(_) => {}
        // A stop before the start ends without accounts.
        None if text.contains("while starting") => {}
        None => complaints.push(format!("{name}: no accounts after {:?}", asked.elapsed())),
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
