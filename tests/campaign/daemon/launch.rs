//! How a daemon is started: its surroundings, what it may use of the machine, and who reads its standard error.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
use sandbox::Sandbox;
use serde_json::{Number, json};
use tokio::io::AsyncReadExt as _;
use tokio::process::{Child, ChildStderr, Command};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use super::{Daemon, name_of};

/// With this variable set the campaign's own binary is the daemon.
pub(crate) const ROLE: &str = "CAMPAIGN_DAEMON";
/// How long the last lines of a daemon that has ended may take to its log.
const LAST_LINES: Duration = Duration::from_secs(2);

/// How to start a daemon.
#[derive(Clone)]
pub(crate) struct Launch {
    /// Where marks of what is done to daemons go.
    pub(crate) sandbox: Arc<Sandbox>,
    pub(crate) environment: BTreeMap<String, String>,
    /// `key=value` of the configuration.
    pub(crate) settings: BTreeMap<String, String>,
    pub(crate) grace: Duration,
    pub(crate) limits: Limits,
    /// Whether standard error is a pipe, whose reader can stop reading. Otherwise it is the log file itself.
    pub(crate) piped: bool,
}

/// What a process may use, until it is lifted; nothing stands for what the system allows anyway.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Open files.
    pub(crate) files: Option<u32>,
    /// Addresses, in KiB.
    pub(crate) memory_kib: Option<u32>,
}

/// The reader of a daemon's standard error.
pub(super) struct Reader {
    reads: watch::Sender<bool>,
    copied: JoinHandle<io::Result<()>>,
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
            .kill_on_drop(true);
        if self.piped {
            command.stderr(Stdio::piped());
        } else {
            command.stderr(output.try_clone()?);
        }
        for (key, value) in &self.settings {
            command.args(["--set", &format!("{key}={value}")]);
        }
        let mut child: Child = command.spawn().context("the daemon cannot be started")?;
        let pid = child.id().context("the daemon has no process id")?;
        self.limits.impose(pid)?;
        let daemon = Daemon {
            sandbox: Arc::clone(&self.sandbox),
            name,
            pid,
            log,
            grace: self.grace,
            began: Instant::now(),
            memory: Vec::new(),
            limits: self.limits,
            pauses: false,
            reader: child.stderr.take().map(|from| Reader::start(from, output)),
            child,
        };
        let limited = !self.limits.is_none();
        daemon.mark(
            "started",
            json!({
                "pid": pid,
                "limited": limited,
                "concurrency": self.number("concurrency"),
                "rate": self.number("email.max_send_rate"),
            }),
        );
        Ok(daemon)
    }

    /// A setting that is a number.
    fn number(&self, key: &str) -> Option<Number> {
        serde_json::from_str(self.settings.get(key)?).ok()
    }
}

impl Limits {
    pub(crate) fn is_none(self) -> bool {
        self == Self::default()
    }

    /// Holds the process to them. The program itself cannot: it would do so at a time of its own.
    fn impose(self, pid: u32) -> anyhow::Result<()> {
        self.set(pid, |most, _| most)
    }

    /// Gives the process what the system allows.
    pub(super) fn lift(self, pid: u32) -> anyhow::Result<()> {
        self.set(pid, |_, maximum| maximum)
    }

    fn set(
        self,
        pid: u32,
        current: fn(Option<u64>, Option<u64>) -> Option<u64>,
    ) -> anyhow::Result<()> {
        let process = Pid::from_raw(pid.cast_signed());
        let memory = self.memory_kib.map(|most| u64::from(most) * 1024);
        for (resource, most) in [
            (Resource::Nofile, self.files.map(u64::from)),
            (Resource::As, memory),
        ] {
            if most.is_some() {
                let maximum = getrlimit(resource).maximum;
                let limit = Rlimit {
                    current: current(most, maximum),
                    maximum,
                };
                prlimit(process, resource, limit).context("the limits cannot be set")?;
            }
        }
        Ok(())
    }
}

impl Reader {
    fn start(from: ChildStderr, to: File) -> Self {
        let (reads, reading) = watch::channel(true);
        let copied = tokio::spawn(copy(from, to, reading));
        Self { reads, copied }
    }

    /// Goes on reading, or stops.
    pub(super) fn read(&self, reads: bool) {
        self.reads.send_replace(reads);
    }

    /// Takes the last lines of a process that has ended.
    pub(super) async fn finish(self) -> anyhow::Result<()> {
        self.read(true);
        let copied = timeout(LAST_LINES, self.copied).await;
        copied.context("standard error stays open")???;
        Ok(())
    }
}

async fn copy(
    mut from: ChildStderr,
    mut to: File,
    mut reading: watch::Receiver<bool>,
) -> io::Result<()> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        // Where nobody is left to say so, it reads to the end.
        drop(reading.wait_for(|reads| *reads).await);
        let read = from.read(&mut buffer).await?;
        if read == 0 {
            return Ok(());
        }
        to.write_all(&buffer[..read])?;
    }
}
