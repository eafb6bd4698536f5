//! The local AWS as a program: `cargo run -p sandbox -- --listen 127.0.0.1:4566`.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Parser;
use futures_util::StreamExt as _;
use sandbox::Sandbox;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook_tokio::Signals;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

#[derive(Debug, Parser)]
#[command(
    name = "sandbox",
    about = "SQS, SNS, SES v2, CodeCommit, S3 and DynamoDB on one loopback port"
)]
struct Arguments {
    /// Address and port to listen on; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:4566")]
    listen: SocketAddr,
    /// Writes down in this file, made anew, what the services do.
    #[arg(long, value_name = "FILE")]
    history: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    let sandbox = Sandbox::new();
    if let Some(file) = &arguments.history {
        let kept = sandbox.write_history(file);
        kept.with_context(|| format!("no history in {}", file.display()))?;
    }
    let listener = TcpListener::bind(arguments.listen).await?;
    writeln!(
        std::io::stdout(),
        "listening on http://{}",
        listener.local_addr()?
    )?;
    let shutdown = CancellationToken::new();
    let stop = shutdown.clone();
    tokio::spawn(async move {
        signals.next().await;
        stop.cancel();
    });
    sandbox.serve(listener, shutdown).await;
    Ok(())
}
