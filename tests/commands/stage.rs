//! A right set-up in the local AWS, and the program in an environment of its own.

use std::ffi::OsStr;
use std::process::Stdio;

use sandbox::{Running, Sandbox, ses::destination::EventType};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

pub(crate) const TEMPLATE: &[u8] = include_bytes!("../fixtures/template.html");
pub(crate) const SUBJECT: &str = "Registered: {summary} ({uid})";
/// What CIS published, as the queue holds it.
pub(crate) const SAMPLES: [(&str, &str); 3] = [
    ("google", include_str!("../fixtures/google.sqs-body.json")),
    ("outlook", include_str!("../fixtures/outlook.sqs-body.json")),
    (
        "html_in_summary",
        include_str!("../fixtures/html_in_summary.sqs-body.json"),
    ),
];

/// The local AWS with everything that the daemon needs, and the environment to find it.
pub(crate) struct Stage {
    pub(crate) aws: Running,
    variables: Vec<(String, String)>,
}

/// What the program did.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Stage {
    pub(crate) async fn right() -> Self {
        let aws = Sandbox::start().await;
        let url = aws.url().to_owned();
        let queue_url = format!("{url}/000000000000/created");
        let stage = Self {
            aws,
            variables: [
                ("AWS_ENDPOINT_URL", url.as_str()),
                ("AWS_ACCESS_KEY_ID", "local"),
                ("AWS_SECRET_ACCESS_KEY", "local"),
                ("REGION", "us-east-1"),
                ("SQS_URL", &queue_url),
                ("CODECOMMIT_REPO", "templates"),
                ("NEW_EVENT_NOTIFICATION_EMAIL", "new-event.html"),
                ("SENDER", "Events <events@example.com>"),
                ("SUBJECT", SUBJECT),
            ]
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        };
        stage
            .queue("dead", json!({ "MessageRetentionPeriod": "1209600" }))
            .await;
        stage
            .queue("created", json!({ "RedrivePolicy": redrive(5) }))
            .await;
        let world = &stage.aws.sandbox;
        world.ses.verify("example.com");
        world
            .ses
            .update_account(|account| account.max_send_rate = 14.0);
        stage.template(TEMPLATE);
        stage
    }

    /// A right set-up whose events of these types reach a feedback queue that is read.
    pub(crate) async fn with_events(types: &[EventType]) -> Self {
        let mut stage = Self::right().await;
        let aws = &stage.aws.sandbox;
        let connected = aws.connect_feedback("notifications", "feedback", true, types);
        connected.await.unwrap();
        let url = format!("{}/000000000000/feedback", stage.aws.url());
        stage.set("NOTIFIER_FEEDBACK__QUEUE_URL", &url);
        stage.set("NOTIFIER_EMAIL__CONFIGURATION_SET", "notifications");
        stage
    }

    pub(crate) async fn queue(&self, name: &str, attributes: Value) {
        let request = json!({ "QueueName": name, "Attributes": attributes });
        self.sqs("CreateQueue", request).await;
    }

    pub(crate) async fn set_queue(&self, name: &str, attributes: Value) {
        let request = json!({ "QueueUrl": name, "Attributes": attributes });
        self.sqs("SetQueueAttributes", request).await;
    }

    pub(crate) async fn send(&self, queue: &str, body: &str) {
        let request = json!({ "QueueUrl": queue, "MessageBody": body });
        self.sqs("SendMessage", request).await;
    }

    pub(crate) async fn sqs(&self, operation: &str, request: Value) -> Value {
        match self.aws.sandbox.sqs.call(operation, request).await {
            Ok(answer) => answer,
            Err(error) => panic!("{operation} was refused: {error:?}"),
        }
    }

    pub(crate) fn template(&self, source: &[u8]) {
        let put = &self.aws.sandbox.codecommit;
        put.put("templates", "main", "new-event.html", source)
            .unwrap();
    }

    /// `check` takes a template of 1 KiB at most, and fails it for this reason with this remedy.
    pub(crate) async fn template_fails(&self, found: &str, remedy: &str) {
        let arguments = ["check", "--set", "template.max_bytes=1KiB"];
        let done = self.run(&arguments).await;
        done.exits(1);
        let finding = done.finding("template");
        assert!(
            finding.starts_with(&format!("template failed {found}")),
            "{done}"
        );
        assert!(finding.contains(remedy), "{done}");
    }

    /// Sets a variable, or takes it away by an empty value.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.variables.retain(|(known, _)| known != name);
        if !value.is_empty() {
            self.variables.push((name.to_owned(), value.to_owned()));
        }
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let variables = self.variables.iter();
        command(
            variables.map(|(name, value)| (name.as_str(), value.as_str())),
            arguments,
        )
    }

    pub(crate) async fn run(&self, arguments: &[&str]) -> Done {
        finish(self.command(arguments), "").await
    }
}

/// Sends to `dead` after so many receives.
pub(crate) fn redrive(receives: u32) -> String {
    json!({
        "deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:dead",
        "maxReceiveCount": receives,
    })
    .to_string()
}

/// The program with these variables alone, in no directory of ours.
pub(crate) fn command<'a>(
    variables: impl Iterator<Item = (&'a str, &'a str)>,
    arguments: &[&str],
) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_organizer-notifier"));
    command
        .args(arguments)
        .env_clear()
        .envs(variables)
        .current_dir(std::env::temp_dir())
        .kill_on_drop(true)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Without any variable but these.
pub(crate) async fn run_bare(variables: &[(&str, &str)], arguments: &[&str]) -> Done {
    finish(command(variables.iter().copied(), arguments), "").await
}

/// Runs it to its end with this on standard input.
pub(crate) async fn finish(mut command: Command, input: &str) -> Done {
    let mut child = command.spawn().unwrap();
    // One that does not read has closed it.
    let mut stdin = child.stdin.take().unwrap();
    drop(stdin.write_all(input.as_bytes()).await);
    drop(stdin);
    let output = child.wait_with_output().await.unwrap();
    Done {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

impl Done {
    /// The line of a check, with what to do where a line below says so.
    #[track_caller]
    pub(crate) fn finding(&self, check: &str) -> String {
        let mut lines = self.out.lines();
        let start = format!("{check}  ");
        let found = lines.find(|line| line.starts_with(&start));
        let Some(found) = found else {
            panic!("no line on {check}:\n{self}");
        };
        let squeezed = found.split_whitespace().collect::<Vec<_>>().join(" ");
        match lines.next().map(str::trim_start) {
            Some(remedy) if remedy.starts_with('→') => format!("{squeezed} {remedy}"),
            _ => squeezed,
        }
    }

    #[track_caller]
    pub(crate) fn exits(&self, code: i32) -> &Self {
        assert_eq!(self.code, code, "{self}");
        self
    }
}

impl std::fmt::Display for Done {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "exit code {}\n--- out\n{}\n--- err\n{}",
            self.code, self.out, self.err
        )
    }
}

/// A directory of files that goes away with this.
pub(crate) fn directory(files: &[(&str, &str)]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(directory.path().join(name), text).unwrap();
    }
    directory
}

pub(crate) fn path(directory: &tempfile::TempDir, name: impl AsRef<OsStr>) -> String {
    let path = directory.path().join(name.as_ref());
    path.to_str().unwrap().to_owned()
}
