//! The command line: what is asked for, and with which configuration.

mod run;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand, error::ErrorKind};

use crate::config::Flags;

/// Everything was settled or released, or the command has nothing to complain of.
const OK: u8 = 0;
/// Something is wrong, and the output says what.
const FAILED: u8 = 1;
/// The command line or the configuration cannot be used (`EX_USAGE` of `sysexits.h`).
const USAGE: u8 = 64;

/// Mails the organizer of every event that the Calendar Invite Server has created.
#[derive(Debug, Parser)]
#[command(version, about, after_help = EXAMPLES, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Clone, Copy, Subcommand)]
enum Command {
    /// Work until SIGTERM or SIGINT: the default.
    Run,
}

#[derive(Debug, clap::Args)]
struct Common {
    /// The configuration file (TOML); `NOTIFIER_CONFIG` names one too.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// One key of the configuration, such as `--set concurrency=64`; beats every other source.
    #[arg(long, global = true, value_name = "KEY=VALUE", value_parser = key_value)]
    set: Vec<(String, String)>,
}

const EXAMPLES: &str = "\
Examples:
  REGION=us-east-1 SQS_URL=https://sqs.us-east-1.amazonaws.com/123456789012/notify-organizer \\
  CODECOMMIT_REPO=templates NEW_EVENT_NOTIFICATION_EMAIL=new-event.html \\
  SENDER='Events <noreply@example.com>' SUBJECT='Your event {summary}' organizer-notifier

  organizer-notifier --config /etc/organizer-notifier/config.toml --set log.level=debug

Exit codes: 0 all settled, 1 something failed, 64 bad usage or configuration.";

/// Does what the command line asks for.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(told) => {
            // Help and version come this way too, and belong on standard output.
            let code = match told.kind() {
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => OK,
                _ => USAGE,
            };
            return match told.print() {
                Ok(()) => ExitCode::from(code),
                Err(_closed) => ExitCode::from(FAILED),
            };
        }
    };
    let flags = Flags {
        config: cli.common.config,
        overrides: cli.common.set,
    };
    match cli.command.unwrap_or(Command::Run) {
        Command::Run => ExitCode::from(run::run(&flags)),
    }
}

fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("it is KEY=VALUE, such as concurrency=64".to_owned()),
    }
}
