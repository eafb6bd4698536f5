//! The real daemon as a process of its own: this program once more, as the command line alone.

use std::{
    env,
    fs::File,
    io::Write as _,
    net::TcpListener,
    path::Path,
    process::Stdio,
    sync::{Arc, Mutex},
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use sandbox::lock;
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, ChildStderr, Command},
    task::JoinHandle,
    time::{Instant, timeout},
};

/// Set for the process that is to be the daemon. An example cannot count on the program's own
/// binary having been built.
const IS_DAEMON: &str = "DEMO_IS_THE_DAEMON";
/// The default of `health.listen`: where another daemon has it, this one does without.
const HEALTH: &str = "127.0.0.1:8973";
/// Longer than the daemon's own limit, `shutdown.grace`.
const STOPS_WITHIN: Duration = Duration::from_secs(35);

/// Whether this process is to be the daemon.
pub(crate) fn is_asked_for() -> bool {
    env::var_os(IS_DAEMON).is_some()
}

/// The running daemon; dropping it kills it.
pub(crate) struct Daemon {
    child: Child,
    pid: u32,
    configured_by: &'static str,
    lines: Arc<Mutex<Vec<String>>>,
    reading: JoinHandle<anyhow::Result<()>>,
}

/// How it ended.
pub(crate) struct Stopped {
    /// Its last words: what it received and what became of it.
    pub(crate) account: String,
    pub(crate) took: Duration,
}

impl Daemon {
    /// Starts it with these variables and no others. What it logs goes to `log` as well.
    pub(crate) fn start(mut variables: Vec<(&str, &str)>, log: &Path) -> anyhow::Result<Self> {
        let configured_by = if TcpListener::bind(HEALTH).is_ok() {
            "CIS's six variables and SES's events"
        } else {
            variables.push(("NOTIFIER_HEALTH__LISTEN", "off"));
            "CIS's six variables and SES's events; its health port is in use, so off"
        };
        let program = env::current_exe().context("this program cannot be found")?;
        let mut child = Command::new(program)
            .env_clear()
            .envs(variables)
            .env(IS_DAEMON, "1")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            // Ctrl-C in the terminal is for this program, which then ends the daemon.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .context("the daemon cannot be started")?;
        let pid = child.id().context("the daemon has no process id")?;
        let stderr = child.stderr.take().context("the daemon has no output")?;
        let file =
            File::create(log).with_context(|| format!("{} cannot be written", log.display()))?;
        let lines = Arc::default();
        let reading = tokio::spawn(read(stderr, file, Arc::clone(&lines)));
        Ok(Self {
            child,
            pid,
            configured_by,
            lines,
            reading,
        })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// By what, for a person.
    pub(crate) fn configured_by(&self) -> &'static str {
        self.configured_by
    }

    /// Its newest line about a message.
    pub(crate) fn last_line_on(&self, message_id: &str) -> Option<Value> {
        self.newest(|line| line["messaging.message.id"] == message_id)
    }

    /// Its newest line with this text about a notification.
    pub(crate) fn line_on(&self, notification_id: &str, text_of: &str) -> Option<Value> {
        self.newest(|line| {
            line["notifier.notification.id"] == notification_id && text(line).contains(text_of)
        })
    }

    /// Returns only where it ends by itself, with what is wrong.
    pub(crate) async fn ended(&mut self) -> anyhow::Error {
        match self.child.wait().await {
            Ok(status) => {
                anyhow::anyhow!("the daemon ended by itself ({status}){}", self.last_words())
            }
            Err(failed) => failed.into(),
        }
    }

    /// Sends SIGINT, as a terminal does, and waits for the end. At SIGTERM, which ECS sends, it would
    /// wait for its long poll.
    pub(crate) async fn stop(mut self) -> anyhow::Result<Stopped> {
        let asked = Instant::now();
        // The standard library cannot send it, and every system has a shell that can.
        let sent = Command::new("sh")
            .args(["-c", "kill -INT \"$0\"", &self.pid.to_string()])
            .status()
            .await
            .context("no shell to send SIGINT with")?;
        ensure!(sent.success(), "SIGINT cannot be sent ({sent})");
        let Ok(status) = timeout(STOPS_WITHIN, self.child.wait()).await else {
            bail!("the daemon does not stop{}", self.last_words());
        };
        let (status, took) = (status?, asked.elapsed());
        (&mut self.reading).await??;
        ensure!(
            status.success(),
            "the daemon failed ({status}){}",
            self.last_words()
        );
        let last = self
            .newest(|line| text(line).starts_with("stopped"))
            .context("the daemon gave no account at its end")?;
        let account = match text(&last).split_once(": ") {
            Some((_, account)) => account.to_owned(),
            None => text(&last).to_owned(),
        };
        Ok(Stopped { account, took })
    }

    fn newest(&self, wanted: impl Fn(&Value) -> bool) -> Option<Value> {
        lock(&self.lines)
            .iter()
            .rev()
            .filter_map(|line| serde_json::from_str(line).ok())
            .find(wanted)
    }

    /// The end of its log, to be added to a sentence.
    pub(crate) fn last_words(&self) -> String {
        let lines = lock(&self.lines);
        let last = lines.iter().skip(lines.len().saturating_sub(5));
        last.fold(String::from("; the end of its log:"), |words, line| {
            words + "\n  " + line
        })
    }
}

async fn read(
    stderr: ChildStderr,
    mut log: File,
    lines: Arc<Mutex<Vec<String>>>,
) -> anyhow::Result<()> {
    let mut read = BufReader::new(stderr).lines();
    while let Some(line) = read.next_line().await? {
        writeln!(log, "{line}")?;
        lock(&lines).push(line);
    }
    Ok(())
}

fn text(line: &Value) -> &str {
    line["message"].as_str().unwrap_or_default()
}
