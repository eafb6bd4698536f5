//! The command line: reads the arguments, runs the command, and ends with its exit code.

mod arguments;
mod check;
mod config;
mod healthcheck;
mod output;
mod progress;
mod render;
mod run;
mod sample;
mod session;
mod triage;
mod verdict;

use std::{process::ExitCode, sync::LazyLock};

use anyhow::Context;
use clap::{CommandFactory, Parser};
use clap_complete::Shell;

use self::{
    arguments::{Cli, Command},
    output::{Unwritten, eprint, print},
    session::UsageError,
};
use crate::config::Problems;

/// Everything was settled or released, or the command found no fault.
const OK: u8 = 0;
/// Something is wrong, and the output says what.
const FAILED: u8 = 1;
/// The command line or the configuration cannot be used (`EX_USAGE` of `sysexits.h`).
const USAGE: u8 = 64;

/// Runs the command that the command line names.
pub fn main() -> ExitCode {
    let result = match Cli::try_parse() {
        Ok(cli) => command(cli),
        Err(message) => answer(message),
    };
    ExitCode::from(result.unwrap_or_else(|error| report(&error)))
}

fn command(cli: Cli) -> anyhow::Result<u8> {
    let outer = cli.flags;
    match cli.command.unwrap_or_default() {
        Command::Run { flags } => in_runtime(run::run(&outer.with(flags))),
        Command::Check { flags, asked } => in_runtime(check::check(&outer.with(flags), &asked)),
        Command::Render { flags, asked } => in_runtime(render::render(&outer.with(flags), &asked)),
        Command::Triage { flags, asked } => in_runtime(triage::triage(&outer.with(flags), &asked)),
        Command::Config { flags, asked } => config::config(&outer.with(flags), &asked),
        Command::Healthcheck { flags } => in_runtime(healthcheck::healthcheck(&outer.with(flags))),
        Command::Version => {
            outer.refuse_for("version")?;
            print(Cli::command().render_version().trim_end())?;
            Ok(OK)
        }
        Command::Completions { shell } => {
            outer.refuse_for("completions")?;
            completions(shell)
        }
    }
}

/// Prints what clap has to say: a mistake on the command line, or help and version, which come
/// this way too and are results.
fn answer(mut message: clap::Error) -> anyhow::Result<u8> {
    arguments::correct_tip(&mut message);
    let printed = message.print();
    if message.use_stderr() {
        return Ok(USAGE);
    }
    printed.map_err(Unwritten::from)?;
    Ok(OK)
}

/// Prints why a command could not do its work and returns the exit code.
fn report(error: &anyhow::Error) -> u8 {
    // The reader of `… | head` has read enough: nothing is wrong, and nothing is to be said.
    if let Some(Unwritten::NoReader) = error.downcast_ref() {
        return OK;
    }
    eprint(&format_args!("{error:#}"));
    exit_code(error)
}

/// The exit code of a command that could not do its work.
fn exit_code(error: &anyhow::Error) -> u8 {
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
    print(String::from_utf8_lossy(&script).trim_end())?;
    Ok(OK)
}
