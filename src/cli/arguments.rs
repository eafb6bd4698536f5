//! What can be asked for. The longer help texts are the files in `help/`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

use super::version;

/// Mails the organizer of every event that the Calendar Invite Server has created.
#[derive(Debug, Parser)]
#[command(
    version = version(),
    about,
    long_about = include_str!("help/about.txt").trim_end(),
    after_help = include_str!("help/main.txt"),
    disable_help_subcommand = true
)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Option<Command>,
    /// The configuration file (TOML); `NOTIFIER_CONFIG` names one too.
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// One key of the configuration, such as `--set concurrency=64`; beats every other source.
    #[arg(long, global = true, value_name = "KEY=VALUE", value_parser = key_value)]
    pub(super) set: Vec<(String, String)>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Work until SIGTERM or SIGINT: the default.
    #[command(after_help = include_str!("help/run.txt"))]
    Run,
    /// Try everything that the daemon will need, and say what is wrong and what to do.
    #[command(after_help = include_str!("help/check.txt"))]
    Check(Check),
    /// Show the mail that a message would become, without sending it.
    #[command(after_help = include_str!("help/render.txt"))]
    Render(Render),
    /// Say what would become of each message of a dead-letter queue, without removing any.
    #[command(
        long_about = include_str!("help/triage_about.txt").trim_end(),
        after_help = include_str!("help/triage.txt")
    )]
    Triage(Triage),
    /// Print the configuration in force as TOML, and where each value comes from.
    #[command(after_help = include_str!("help/config.txt"))]
    Config {
        /// Print one JSON object instead of TOML.
        #[arg(long)]
        json: bool,
    },
    /// Ask the daemon on this machine whether it lives: exit code 0 or 1, within two seconds.
    #[command(after_help = include_str!("help/healthcheck.txt"))]
    Healthcheck,
    /// Print a completion script for a shell.
    #[command(after_help = include_str!("help/completions.txt"))]
    Completions {
        /// Which shell.
        shell: Shell,
    },
}

#[derive(Debug, Args)]
pub(super) struct Check {
    /// Print one JSON object instead of a table.
    #[arg(long)]
    pub(super) json: bool,
    /// Fail on warnings, too.
    #[arg(long)]
    pub(super) strict: bool,
    /// Also send a mail to SES's simulator and wait for its events in the feedback queue, for twice
    /// `feedback.patience` at most; running daemons may go on.
    #[arg(long)]
    pub(super) feedback: bool,
    /// Also ask whether SES delivers to this address at all, or has it on the suppression list.
    #[arg(long, value_name = "ADDRESS")]
    pub(super) recipient: Option<String>,
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
    /// Print no mail but the message with this address in place of its recipient, to be sent to the queue
    /// again.
    #[arg(long, value_name = "ADDRESS", requires = "message", conflicts_with_all = ["template", "html", "watch", "json"])]
    pub(super) correct: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Triage {
    /// The URL of the queue to scan.
    #[arg(long, value_name = "URL")]
    pub(super) queue_url: String,
    /// The most messages to scan.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(super) limit: u32,
    /// A local template instead of the configured one.
    #[arg(long, value_name = "FILE")]
    pub(super) template: Option<PathBuf>,
    /// Scan even if the queue has a redrive policy of its own, where a scan can move messages on.
    #[arg(long)]
    pub(super) despite_redrive: bool,
    /// Print one JSON object instead of lines.
    #[arg(long)]
    pub(super) json: bool,
}

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
