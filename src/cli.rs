//! The command line: reads the arguments, runs the command, and ends with its exit code.

mod arguments;
mod check;
mod config;
mod healthcheck;
mod output;
mod render;
mod run;
mod sample;
mod session;
mod triage;
mod verdict;

use std::{io, process::ExitCode, sync::LazyLock};

use anyhow::Context;
use clap::{CommandFactory, Parser, error::ErrorKind};
use clap_complete::Shell;

use self::{
    arguments::{Cli, Command},
    output::eprint,
    session::UsageError,
};
use crate::config::{Flags, Problems};

/// Everything was settled or released, or the command found no fault.
const OK: u8 = 0;
/// Something is wrong, and the output says what.
const FAILED: u8 = 1;
/// The command line or the configuration cannot be used (`EX_USAGE` of `sysexits.h`).
const USAGE: u8 = 64;

/// Runs the command that the command line names.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(message) => {
            // Help and version come this way too, and belong on standard output.
            let code = match message.kind() {
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => OK,
                _ => USAGE,
            };
            return match message.print() {
                Ok(()) => ExitCode::from(code),
                Err(_closed) => ExitCode::from(FAILED),
            };
        }
    };
    let flags = Flags {
        config: cli.config,
        overrides: cli.set,
        own: Vec::new(),
    };
    let result = match cli.command.unwrap_or(Command::Run) {
        Command::Run => in_runtime(run::run(&flags)),
        Command::Check(asked) => in_runtime(check::check(&flags, &asked)),
        Command::Render(asked) => in_runtime(render::render(&flags, &asked)),
        Command::Triage(asked) => in_runtime(triage::triage(&flags, &asked)),
        Command::Config { json } => config::config(&flags, json),
        Command::Healthcheck => in_runtime(healthcheck::healthcheck(&flags)),
        Command::Completions { shell } => completions(shell),
    };
    ExitCode::from(result.unwrap_or_else(|error| report(&error)))
}

/// Prints why a command could not do its work and returns the exit code.
fn report(error: &anyhow::Error) -> u8 {
    let cause = error.downcast_ref::<io::Error>();
    // The reader of `… | head` has read enough and needs no message.
    if cause.is_none_or(|cause| cause.kind() != io::ErrorKind::BrokenPipe) {
        eprint(&format_args!("{error:#}"));
    }
    if error.is::<UsageError>() || error.is::<Problems>() {
        USAGE
    } else {
        FAILED
    }
}

/// The version, and the commit if the build was given one. A build script that asks git would fail
/// in a source archive or an image's build context, which have no `.git`.
fn version() -> &'static str {
    static VERSION: LazyLock<String> = LazyLock::new(|| {
        let version = env!("CARGO_PKG_VERSION");
        match option_env!("ORGANIZER_NOTIFIER_COMMIT").filter(|commit| !commit.is_empty()) {
            Some(commit) => format!("{version} ({commit})"),
            None => version.to_owned(),
        }
    });
    &VERSION
}

/// Runs a command that waits for the world. One thread: with one core, which is what a task usually
/// has, the scheduler for several threads costs a sixth more per message, and one core carries more
/// than SES lets an account send.
fn in_runtime(command: impl Future<Output = anyhow::Result<u8>>) -> anyhow::Result<u8> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("no runtime could be started")?;
    let result = runtime.block_on(command);
    // Dropping the runtime would wait for an exporter that hangs, and its time is over.
    runtime.shutdown_background();
    result
}

fn completions(shell: Shell) -> anyhow::Result<u8> {
    let mut script = Vec::new();
    let name = env!("CARGO_PKG_NAME");
    clap_complete::generate(shell, &mut Cli::command(), name, &mut script);
    output::print(String::from_utf8_lossy(&script).trim_end())?;
    Ok(OK)
}
