//! The real daemon as a process of its own.

use std::{
    process::{ExitStatus, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use sandbox::lock;
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    net::TcpListener,
    process::{Child, Command},
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};

/// How long anything here may take on a busy machine before the test fails.
pub(crate) const LONG: Duration = Duration::from_mins(1);
const LOOK: Duration = Duration::from_millis(10);

/// The running daemon; dropping it kills it.
pub(crate) struct Daemon {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
    reading: JoinHandle<()>,
}

/// How it ended.
pub(crate) struct Stopped {
    pub(crate) status: ExitStatus,
    /// From the signal to the exit.
    pub(crate) took: Duration,
    /// All that it wrote to standard error.
    pub(crate) lines: Vec<String>,
}

impl Daemon {
    /// Starts it with these variables and no others.
    pub(crate) fn start(variables: &[(String, String)]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_organizer-notifier"))
            .env_clear()
            .envs(variables.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut read = BufReader::new(child.stderr.take().unwrap()).lines();
        let lines = Arc::<Mutex<Vec<String>>>::default();
        let reading = tokio::spawn({
            let lines = Arc::clone(&lines);
            async move {
                while let Some(line) = read.next_line().await.unwrap() {
                    lock(&lines).push(line);
                }
            }
        });
        Self {
            child,
            lines,
            reading,
        }
    }

    /// Waits until a line holds this text.
    pub(crate) async fn says(&self, text: &str) {
        self.until(text, || {
            lock(&self.lines).iter().any(|line| line.contains(text))
        })
        .await;
    }

    /// Waits until it is so.
    pub(crate) async fn until(&self, what: &str, so: impl Fn() -> bool) {
        let began = Instant::now();
        while !so() {
            assert!(
                began.elapsed() < LONG,
                "waited in vain for: {what}\n{}",
                lock(&self.lines).join("\n")
            );
            sleep(LOOK).await;
        }
    }

    /// Sends SIGINT and waits for the end.
    pub(crate) async fn stop(self) -> Stopped {
        let pid = self.child.id().unwrap().to_string();
        // The standard library cannot send it, and every system has a shell that can.
        let sent = Command::new("sh")
            .args(["-c", "kill -INT \"$0\"", &pid])
            .status()
            .await
            .unwrap();
        assert!(sent.success());
        self.end().await
    }

    /// Waits for its end.
    pub(crate) async fn end(mut self) -> Stopped {
        let began = Instant::now();
        let status = timeout(LONG, self.child.wait()).await.unwrap().unwrap();
        let took = began.elapsed();
        self.reading.await.unwrap();
        let lines = lock(&self.lines).clone();
        Stopped {
            status,
            took,
            lines,
        }
    }
}

impl Stopped {
    /// The lines with this text, as JSON.
    pub(crate) fn telling(&self, text: &str) -> Vec<Value> {
        telling(&self.lines, text)
    }
}

pub(crate) fn telling(lines: &[String], text: &str) -> Vec<Value> {
    lines
        .iter()
        .filter(|line| line.contains(text))
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// A loopback port that was free a moment ago.
pub(crate) async fn free_port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap().to_string()
}
