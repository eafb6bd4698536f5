//! What can be asked for. The longer help texts are the files in `help/`.

use std::{path::PathBuf, time::Duration};

use clap::{
    ArgAction, Args, Parser, Subcommand,
    error::{ContextKind, ContextValue},
};
use clap_complete::Shell;

use super::{session::UsageError, verdict::Kind, version};
use crate::config::Flags;

/// Mails the organizer of every event that the Calendar Invite Server has created.
#[derive(Debug, Parser)]
#[command(
    version = version(),
    about,
    long_about = include_str!("help/about.txt").trim_end(),
    after_help = include_str!("help/main.txt"),
    disable_version_flag = true,
    max_term_width = 100
)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Option<Command>,
    #[command(flatten)]
    pub(super) flags: ConfigFlags,
    /// Print the version.
    #[arg(short = 'V', visible_short_alias = 'v', long, action = ArgAction::Version)]
    version: (),
}

/// What the command line says about the configuration. It may stand before the command and behind
/// it, of those commands that read the configuration.
#[derive(Debug, Default, Args)]
pub(super) struct ConfigFlags {
    /// The configuration file (TOML); `NOTIFIER_CONFIG` names one too.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// One key of the configuration, such as `--set concurrency=64`; beats every other source.
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value)]
    set: Vec<(String, String)>,
}

impl ConfigFlags {
    /// These, and those behind the command, which win.
    pub(super) fn with(self, inner: Self) -> Flags {
        Flags {
            config: inner.config.or(self.config),
            overrides: [self.set, inner.set].concat(),
            own: Vec::new(),
        }
    }

    /// Refuses them for what reads no configuration.
    pub(super) fn refuse_for(self, what: &str) -> Result<(), UsageError> {
        refuse_for(&self.with(Self::default()), what)
    }
}

/// Refuses flags that would do nothing.
pub(super) fn refuse_for(flags: &Flags, what: &str) -> Result<(), UsageError> {
    if flags.config.is_none() && flags.overrides.is_empty() {
        return Ok(());
    }
    let message = format!("{what} reads no configuration: leave out --config and --set");
    Err(UsageError(message))
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Work until a signal ends it (SIGTERM, SIGINT, SIGQUIT): the default.
    #[command(after_help = include_str!("help/run.txt"))]
    Run {
        #[command(flatten)]
        flags: ConfigFlags,
    },
    /// Try everything that the daemon will need, and say what is wrong and what to do.
    #[command(after_help = include_str!("help/check.txt"))]
    Check {
        #[command(flatten)]
        asked: Check,
        #[command(flatten)]
        flags: ConfigFlags,
    },
    /// Show the mail that a message would become, without sending it.
    #[command(after_help = include_str!("help/render.txt"))]
    Render {
        #[command(flatten)]
        asked: Render,
        #[command(flatten)]
        flags: ConfigFlags,
    },
    /// Say what would become of each message of a dead-letter queue; redrive or delete those chosen.
    #[command(
        long_about = include_str!("help/triage_about.txt").trim_end(),
        after_help = include_str!("help/triage.txt")
    )]
    Triage {
        #[command(flatten)]
        asked: Triage,
        #[command(flatten)]
        flags: ConfigFlags,
    },
    /// Print the configuration in force as TOML, and where each value comes from.
    #[command(after_help = include_str!("help/config.txt"))]
    Config {
        #[command(flatten)]
        asked: Config,
        #[command(flatten)]
        flags: ConfigFlags,
    },
    /// Ask the daemon on this machine whether it lives: exit code 0 or 1, within two seconds.
    #[command(after_help = include_str!("help/healthcheck.txt"))]
    Healthcheck {
        #[command(flatten)]
        flags: ConfigFlags,
    },
    /// Print a completion script for a shell.
    #[command(after_help = include_str!("help/completions.txt"))]
    Completions {
        /// Which shell.
        shell: Shell,
    },
    /// Print the version.
    Version,
}

impl Default for Command {
    fn default() -> Self {
        Self::Run {
            flags: ConfigFlags::default(),
        }
    }
}

#[derive(Debug, Args)]
#[group(skip)]
pub(super) struct Config {
    /// Print one JSON object instead of TOML.
    #[arg(long)]
    pub(super) json: bool,
    /// Print every key with its meaning, range and default: a file to begin with.
    #[arg(long, conflicts_with = "json")]
    pub(super) default: bool,
}

#[derive(Debug, Args)]
#[group(skip)]
pub(super) struct Check {
    /// Print one JSON object instead of a table.
    #[arg(long)]
    pub(super) json: bool,
    /// Fail on warnings, too.
    #[arg(long)]
    pub(super) strict: bool,
    /// How long all checks may take together; the wait of --feedback comes to it.
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = check_time)]
    pub(super) timeout: Duration,
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
#[group(skip)]
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
#[group(skip)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
pub(super) struct Triage {
    /// The URL of the queue to scan.
    #[arg(long, value_name = "URL")]
    pub(super) queue_url: String,
    /// The most messages to scan. Without it 100, or as many as it takes to find the ids asked for.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(super) limit: Option<u32>,
    /// Print the summary alone.
    #[arg(long)]
    pub(super) summary: bool,
    /// Print this message whole: its body and attributes, addresses included, and what would become of it.
    #[arg(
        long,
        value_name = "ID",
        conflicts_with_all = ["summary", "verdict", "reason", "ids", "mailed", "redrive", "delete"]
    )]
    pub(super) show: Option<String>,
    /// Choose the messages of this verdict.
    #[arg(long, value_enum, value_name = "VERDICT")]
    pub(super) verdict: Option<Kind>,
    /// Choose the messages that would be rejected or ignored for a reason with this text in it.
    #[arg(long, value_name = "TEXT")]
    pub(super) reason: Option<String>,
    /// Choose the message with this id; may be given several times.
    #[arg(long = "id", value_name = "ID")]
    pub(super) ids: Vec<String>,
    /// Choose the messages whose mail was sent, as the ledger's table knows (`ledger.table`).
    #[arg(long)]
    pub(super) mailed: bool,
    /// Send the chosen messages to the queue that they came from, then delete them here.
    #[arg(long, conflicts_with_all = ["delete", "mailed"])]
    pub(super) redrive: bool,
    /// Delete the chosen messages for good.
    #[arg(long)]
    pub(super) delete: bool,
    /// The URL of the queue to redrive to. Without it `queue.url` (`SQS_URL`), which must dead-letter here.
    #[arg(
        long,
        value_name = "URL",
        requires = "redrive",
        conflicts_with = "delete"
    )]
    pub(super) to_queue_url: Option<String>,
    /// Also redrive what was mailed, or may have been, as far as the ledger's table knows.
    #[arg(long, requires = "redrive", conflicts_with_all = ["mailed", "delete"])]
    pub(super) even_mailed: bool,
    /// Redrive or delete without a question.
    #[arg(long)]
    pub(super) yes: bool,
    /// A local template instead of the configured one.
    #[arg(long, value_name = "FILE")]
    pub(super) template: Option<PathBuf>,
    /// Scan even if the queue has a redrive policy of its own, where a scan can move messages on.
    #[arg(long)]
    pub(super) despite_redrive: bool,
    /// Print JSON lines: one for each message as it is judged, one for what was done with each, and last
    /// the summary.
    #[arg(long)]
    pub(super) json: bool,
}

/// Tells how to see more, where clap would take `--verbose` for a misspelt `--version`.
pub(super) fn correct_tip(message: &mut clap::Error) {
    let asked = message.get(ContextKind::InvalidArg);
    let is_verbose = matches!(asked, Some(ContextValue::String(flag)) if flag == "--verbose");
    if is_verbose {
        message.remove(ContextKind::SuggestedArg);
        message.remove(ContextKind::Usage);
        let tip = "the daemon's log says more with '--set log.level=debug'".into();
        let tips = ContextValue::StyledStrs(vec![tip]);
        message.insert(ContextKind::Suggested, tips);
    }
}

/// How long a check may take.
fn check_time(text: &str) -> Result<Duration, String> {
    let allowed = Duration::from_secs(1)..=Duration::from_mins(10);
    let time = humantime::parse_duration(text).ok();
    time.filter(|time| allowed.contains(time))
        .ok_or_else(|| "it is a time of 1s to 10m, such as 30s".to_owned())
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
    fn a_check_takes_a_second_to_ten_minutes() {
        assert_eq!(check_time("1m 30s"), Ok(Duration::from_secs(90)));
        for refused in ["", "30", "999ms", "11m", "x"] {
            assert!(check_time(refused).is_err(), "{refused}");
        }
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
