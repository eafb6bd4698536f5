//! The binary as a child process.

use std::future::ready;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use crate::daemon::output::{Line, Secrets, assert_accounted, outcomes};
use crate::daemon::world::World;

/// The longest that a test waits for anything but the end of boot's patience: more than the longest pause
/// between two attempts, behind which a daemon that has just recovered may wait.
const DEADLINE: Duration = Duration::from_secs(65);
/// How often the local AWS is looked at.
const LOOK: Duration = Duration::from_millis(10);

/// A daemon at work. It must be waited for, since its output is judged at its end.
pub(crate) struct Daemon {
    child: Child,
    lines: watch::Receiver<Vec<String>>,
    stderr: JoinHandle<()>,
    stdout: JoinHandle<String>,
    secrets: Arc<Secrets>,
    began: Instant,
    signalled: Option<Instant>,
}

/// What a process left behind.
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    /// Standard error, whole.
    pub(crate) stderr: String,
    /// The lines of it that are of the log.
    pub(crate) lines: Vec<Line>,
    /// From start to exit.
    pub(crate) lived: Duration,
    /// From the first signal to exit.
    pub(crate) stopped_in: Duration,
}

impl Daemon {
    /// Starts one with the world's variables, those that are given winning.
    pub(crate) fn start(world: &World, variables: &[(&str, &str)]) -> Self {
        let mut environment = world.environment();
        for (name, value) in variables {
            environment.push(((*name).to_owned(), (*value).to_owned()));
        }
        Self::spawn(&[], environment, Arc::clone(&world.secrets))
    }

    /// Starts one and waits until it works.
    pub(crate) async fn started(world: &World, variables: &[(&str, &str)]) -> Self {
        let mut daemon = Self::start(world, variables);
        daemon.line("started: queue ").await;
        daemon
    }

    /// Starts one whose standard error nobody reads until told to.
    pub(crate) fn unread(world: &World, read: oneshot::Receiver<()>) -> Self {
        let secrets = Arc::clone(&world.secrets);
        Self::spawn_read(&[], world.environment(), secrets, async move {
            read.await.unwrap();
        })
    }

    pub(crate) fn spawn(
        arguments: &[&str],
        environment: Vec<(String, String)>,
        secrets: Arc<Secrets>,
    ) -> Self {
        Self::spawn_read(arguments, environment, secrets, ready(()))
    }

    fn spawn_read(
        arguments: &[&str],
        environment: Vec<(String, String)>,
        secrets: Arc<Secrets>,
        read: impl Future<Output = ()> + Send + 'static,
    ) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_organizer-notifier"))
            .args(arguments)
            .env_clear()
            .envs(environment)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut stdout = child.stdout.take().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap()).lines();
        let (told, lines) = watch::channel(Vec::new());
        Self {
            child,
            lines,
            stderr: tokio::spawn(async move {
                read.await;
                while let Some(line) = stderr.next_line().await.unwrap() {
                    told.send_modify(|lines| lines.push(line));
                }
            }),
            stdout: tokio::spawn(async move {
                let mut text = String::new();
                stdout.read_to_string(&mut text).await.unwrap();
                text
            }),
            secrets,
            began: Instant::now(),
            signalled: None,
        }
    }

    /// Waits for a line with this text, which may be there already.
    pub(crate) async fn line(&mut self, text: &str) -> Line {
        self.nth_line(1, text).await
    }

    /// Waits for the `nth` line with this text, from 1.
    pub(crate) async fn nth_line(&mut self, nth: usize, text: &str) -> Line {
        let find = |lines: &[String]| {
            let mut with = lines.iter().filter(|line| line.contains(text));
            with.nth(nth - 1).cloned()
        };
        let waiting = self.lines.wait_for(|lines| find(lines).is_some());
        let found = match timeout(DEADLINE, waiting).await {
            Ok(Ok(lines)) => find(&lines),
            _ => None,
        };
        match found {
            Some(line) => Line(serde_json::from_str(&line).unwrap()),
            None => panic!("no line {nth} with {text:?} came:\n{}", self.output()),
        }
    }

    /// Waits until something is so, as the local AWS shows it.
    pub(crate) async fn until(&self, what: &str, is_so: impl Fn() -> bool) {
        let deadline = Instant::now() + DEADLINE;
        while !is_so() {
            assert!(
                Instant::now() < deadline,
                "{what} did not come about:\n{}",
                self.output()
            );
            sleep(LOOK).await;
        }
    }

    /// Sends it a signal such as `TERM`.
    pub(crate) async fn signal(&mut self, name: &str) {
        let id = self.child.id().expect("it has ended");
        let kill = format!("kill -{name} {id}");
        let status = Command::new("sh").args(["-c", &kill]).status().await;
        assert!(status.unwrap().success(), "{kill}");
        if !["HUP", "USR1", "USR2"].contains(&name) {
            self.signalled.get_or_insert_with(Instant::now);
        }
    }

    /// Stops it in good order, as from a terminal: a long poll under way gets a second.
    pub(crate) async fn stop(mut self) -> Ended {
        self.signal("INT").await;
        let ended = self.ended(DEADLINE).await;
        assert_eq!(ended.code, 0, "{}", ended.stderr);
        assert_accounted(&ended.lines);
        ended
    }

    /// Waits for its end, and sees to it that its output holds nothing private.
    pub(crate) async fn ended(mut self, within: Duration) -> Ended {
        let Ok(status) = timeout(within, self.child.wait()).await else {
            panic!("it is still there:\n{}", self.output());
        };
        let exited = Instant::now();
        self.stderr.await.unwrap();
        let stdout = self.stdout.await.unwrap();
        let lines = self.lines.borrow().clone();
        self.secrets.assert_kept(&lines);
        Ended {
            code: status.unwrap().code().expect("it was killed"),
            stdout,
            stderr: lines.join("\n"),
            lines: Line::read_all(&lines),
            lived: exited - self.began,
            stopped_in: exited - self.signalled.unwrap_or(exited),
        }
    }

    fn output(&self) -> String {
        self.lines.borrow().join("\n")
    }
}

impl Ended {
    /// The outcome lines of a message, oldest first, by either of its ids.
    pub(crate) fn outcomes_of(&self, id: &str) -> Vec<Line> {
        let of_it = |line: &Line| {
            line.text("messaging.message.id") == id || line.text("notifier.notification.id") == id
        };
        let mut lines = outcomes(&self.lines);
        lines.retain(of_it);
        lines
    }

    /// The lines that begin with this text.
    pub(crate) fn lines_with(&self, text: &str) -> Vec<&Line> {
        let begins = |line: &&Line| line.message().starts_with(text);
        self.lines.iter().filter(begins).collect()
    }

    /// The only line that begins with this text.
    pub(crate) fn only_line(&self, text: &str) -> &Line {
        let mut with = self
            .lines
            .iter()
            .filter(|line| line.message().starts_with(text));
        match (with.next(), with.next()) {
            (Some(line), None) => line,
            _ => panic!("not one line begins with {text:?}:\n{}", self.stderr),
        }
    }

    pub(crate) fn last_line(&self) -> &Line {
        self.lines.last().expect("nothing was logged")
    }
}

/// Publishes an event and gives the HTML of its mail.
pub(crate) async fn mailed(world: &World, daemon: &Daemon) -> String {
    let already = world.mails().len();
    world.publish_numbered(already).await;
    daemon
        .until("a mail", || world.mails().len() > already)
        .await;
    world.mails()[already].html.clone().unwrap()
}
