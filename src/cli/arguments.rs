//! What can be asked for, with the help texts.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

use super::version;

/// Mails the organizer of every event that the Calendar Invite Server has created.
#[derive(Debug, Parser)]
#[command(version = version(), about, long_about = ABOUT, after_help = EXAMPLES, disable_help_subcommand = true)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Option<Command>,
    #[command(flatten)]
    pub(super) common: Common,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Work until SIGTERM or SIGINT: the default.
    Run,
    /// Try everything that the daemon will need, and say what is wrong and what to do.
    #[command(after_help = CHECK)]
    Check(Check),
    /// Show the mail that a message would become, without sending it.
    #[command(after_help = RENDER)]
    Render(Render),
    /// Say what would become of each message of a dead-letter queue, without removing any.
    #[command(long_about = TRIAGE_ABOUT, after_help = TRIAGE)]
    Triage(Triage),
    /// Print the configuration in force as TOML, and where each value comes from.
    #[command(after_help = CONFIG)]
    Config(Config),
    /// Ask the daemon on this machine whether it lives: exit code 0 or 1, within two seconds.
    #[command(after_help = HEALTHCHECK)]
    Healthcheck,
    /// Print a completion script for a shell.
    #[command(after_help = COMPLETIONS)]
    Completions {
        /// Which shell.
        shell: Shell,
    },
}

#[derive(Debug, Args)]
pub(super) struct Common {
    /// The configuration file (TOML); `NOTIFIER_CONFIG` names one too.
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// One key of the configuration, such as `--set concurrency=64`; beats every other source.
    #[arg(long, global = true, value_name = "KEY=VALUE", value_parser = key_value)]
    pub(super) set: Vec<(String, String)>,
}

#[derive(Debug, Args)]
pub(super) struct Check {
    /// Print one JSON object instead of a table.
    #[arg(long)]
    pub(super) json: bool,
    /// Let warnings fail, too.
    #[arg(long)]
    pub(super) strict: bool,
    /// Also send one real mail to this address: the sample event through the real template.
    #[arg(long, value_name = "ADDRESS")]
    pub(super) send_to: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Render {
    /// The message: an SQS body, an SNS envelope or an event alone; `-` reads standard input.
    /// Without it the sample event that comes with the program.
    #[arg(long, value_name = "FILE")]
    pub(super) message: Option<PathBuf>,
    /// A local template instead of the configured one.
    #[arg(long, value_name = "FILE")]
    pub(super) template: Option<PathBuf>,
    /// Write the HTML part to this file.
    #[arg(long, value_name = "FILE")]
    pub(super) html: Option<PathBuf>,
    /// Render again whenever the message's or the template's file changes, until interrupted.
    #[arg(long)]
    pub(super) watch: bool,
    /// Print the whole mail as one JSON object, the HTML included.
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct Triage {
    /// The URL of the queue to look at.
    #[arg(long, value_name = "URL")]
    pub(super) queue_url: String,
    /// The most messages to look at.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(super) limit: u32,
    /// A local template instead of the configured one.
    #[arg(long, value_name = "FILE")]
    pub(super) template: Option<PathBuf>,
    /// Look even if the queue has a redrive policy of its own, where looking can move messages on.
    #[arg(long)]
    pub(super) despite_redrive: bool,
    /// Print one JSON object instead of lines.
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct Config {
    /// Print one JSON object instead of TOML.
    #[arg(long)]
    pub(super) json: bool,
}

const ABOUT: &str = "\
Mails the organizer of every event that the Calendar Invite Server has created.

Without a command it works: it receives the messages of an SQS queue, renders a template from
CodeCommit for each, mails it by SES, and deletes the messages.";

const EXAMPLES: &str = "\
Examples:
  The variables of the Calendar Invite Server are a whole configuration:
    REGION=us-east-1 SQS_URL=https://sqs.us-east-1.amazonaws.com/123456789012/notify-organizer \\
    CODECOMMIT_REPO=templates NEW_EVENT_NOTIFICATION_EMAIL=new-event.html \\
    SENDER='Events <noreply@example.com>' SUBJECT='Your event {summary}' organizer-notifier check

  So is a file:
    organizer-notifier --config /etc/organizer-notifier/config.toml --set log.level=debug

  Before a deployment:    organizer-notifier check --strict
  While writing a template:
    organizer-notifier render --template new-event.html --html preview.html --watch
  Before a redrive:       organizer-notifier triage --queue-url https://sqs.…/my-dead-letters

Exit codes: 0 all right, 1 something is wrong, 64 bad usage or configuration.";

const CHECK: &str = "\
It changes nothing: rights on the queue are tried with a receipt handle that no queue gave out, a
receive of no message and a mail to nobody. Only --send-to sends a mail.

Examples:
  organizer-notifier check
  organizer-notifier check --strict --json | jq '.checks[] | select(.result != \"ok\")'
  organizer-notifier check --send-to me@example.com

Exit codes: 0 nothing failed, 1 something did (with --strict also a warning), 64 bad usage or
configuration.";

const RENDER: &str = "\
It needs no queue, and with --template neither AWS nor its credentials. The sender and the subject
are needed all the same.

Examples:
  organizer-notifier render
  organizer-notifier render --message body.json --html mail.html
  organizer-notifier render --template new-event.html --html preview.html --watch
  SENDER=me@example.com SUBJECT='{summary}' organizer-notifier render --template t.html

Exit codes: 0 a mail (or a control message, which becomes none), 1 the message would be rejected or
there is no usable template, 64 bad usage or configuration.";

const TRIAGE_ABOUT: &str = "\
Say what would become of each message of a dead-letter queue, without removing any.

The messages are received, judged with the template and the settings in force, and made visible
again at the end, also when interrupted. Nothing is sent. SQS cannot be read without receiving: each
look adds one to the receive count of every message. Dead-letter queues usually have no redrive
policy of their own, so that this moves nothing; a queue that has one is looked at only with
--despite-redrive. While it looks (10 minutes at most), others do not see the messages.";

const TRIAGE: &str = "\
Examples:
  organizer-notifier triage --queue-url https://sqs.eu-central-1.amazonaws.com/123456789012/my-dlq
  organizer-notifier triage --queue-url \"$DLQ\" --limit 1000 --json | jq '.messages[].verdict'

Exit codes: 0 looked and put back, 1 it could not look or not put all back, 64 bad usage or
configuration.";

const CONFIG: &str = "\
The output is a configuration file itself. It holds addresses.

Examples:
  organizer-notifier config
  organizer-notifier config --json | jq '.\"queue.url\"'";

const HEALTHCHECK: &str = "\
It asks http://{health.listen}/livez. For containers without a shell:

  \"healthCheck\": { \"command\": [\"CMD\", \"/organizer-notifier\", \"healthcheck\"] }";

const COMPLETIONS: &str = "\
Examples:
  organizer-notifier completions bash > /etc/bash_completion.d/organizer-notifier
  organizer-notifier completions zsh > \"${fpath[1]}/_organizer-notifier\"";

fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("it is KEY=VALUE, such as concurrency=64".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn an_override_needs_a_key_and_a_value() {
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(key_value("a=b=c").unwrap(), pair("a", "b=c"));
        assert_eq!(key_value("a=").unwrap(), pair("a", ""));
        assert!(key_value("=b").is_err());
        assert!(key_value("a").is_err());
    }
}
