//! The demonstration: `cargo run --example demo`.
//!
//! In reading order: `stage` is the local AWS as CIS sets it up, `event` what is published,
//! `daemon` the real daemon as a process of its own, `fate` what became of each event,
//! `files` the mails on disk, and `screen` what a person is shown of it.

mod daemon;
mod event;
mod fate;
mod files;
mod screen;
mod stage;

use std::process::ExitCode;

use anyhow::bail;
use clap::Parser;
use futures_util::StreamExt as _;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook_tokio::Signals;

use self::{daemon::Daemon, files::Files, screen::Screen, stage::Stage};

/// Publishes six events to a local AWS, runs the real daemon on them, and tells what became of
/// each. Needs nothing but this repository; takes some seconds.
#[derive(Debug, Parser)]
#[command(name = "demo", version)]
struct Arguments {
    /// Keep the outbox's web page up until Ctrl-C.
    #[arg(long)]
    serve: bool,
}

fn main() -> ExitCode {
    if daemon::is_asked_for() {
        return organizer_notifier::cli::main();
    }
    let arguments = Arguments::parse();
    let screen = Screen::new();
    let shown = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(anyhow::Error::from)
        .and_then(|runtime| runtime.block_on(show(&arguments, &screen)));
    match shown {
        Ok(()) => ExitCode::SUCCESS,
        Err(failed) => {
            screen.failed(&failed);
            ExitCode::FAILURE
        }
    }
}

async fn show(arguments: &Arguments, screen: &Screen) -> anyhow::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    let stage = tokio::select! {
        stage = demonstrate(arguments, screen) => stage?,
        _ = signals.next() => {
            screen.interrupted()?;
            bail!("stopped before the end");
        }
    };
    if arguments.serve {
        signals.next().await;
        screen.interrupted()?;
    }
    drop(stage);
    Ok(())
}

/// Returns the local AWS, which serves the outbox until it is dropped.
async fn demonstrate(arguments: &Arguments, screen: &Screen) -> anyhow::Result<Stage> {
    let files = Files::new()?;
    let stage = Stage::build().await?;
    screen.stage(&stage)?;
    let published = stage.publish(event::all()).await?;
    screen.published(&published)?;

    let mut daemon = Daemon::start(stage.variables(), files.log())?;
    screen.daemon(&daemon)?;
    fate::watch(&stage, &published, &mut daemon, screen).await?;
    let stopped = daemon.stop().await?;
    screen.stopped(&stopped)?;

    files.write(&published, &stage.mails())?;
    screen.where_to_look(&files, &stage, arguments.serve)?;
    Ok(stage)
}
