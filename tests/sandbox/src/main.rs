//! The local AWS as a program: `cargo run -p sandbox -- --listen 127.0.0.1:4566`.

mod greeting;

use std::io::{ErrorKind, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;

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
    /// Port, or address and port, to listen on; a port alone is one of 127.0.0.1, and port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:4566", value_parser = address)]
    listen: SocketAddr,
    /// Writes down in this file, made anew, what the services do.
    #[arg(long, value_name = "FILE")]
    history: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    let listener = match TcpListener::bind(arguments.listen).await {
        Ok(listener) => listener,
        Err(problem) => {
            writeln!(std::io::stderr(), "{}", refused(arguments.listen, &problem))?;
            return Ok(ExitCode::FAILURE);
        }
    };
    let sandbox = Sandbox::new();
    if let Some(file) = &arguments.history {
        let kept = sandbox.write_history(file);
        kept.with_context(|| format!("no history in {}", file.display()))?;
    }
    let greeting = greeting::greeting(listener.local_addr()?, &sandbox.faults);
    // At once, so that whoever reads the first line alone and goes stops nothing.
    std::io::stdout().write_all(greeting.as_bytes())?;
    let shutdown = CancellationToken::new();
    let stop = shutdown.clone();
    tokio::spawn(async move {
        signals.next().await;
        stop.cancel();
    });
    sandbox.serve(listener, shutdown).await;
    Ok(ExitCode::SUCCESS)
}

fn address(text: &str) -> Result<SocketAddr, String> {
    if let Ok(port) = text.parse() {
        return Ok((Ipv4Addr::LOCALHOST, port).into());
    }
    text.parse().map_err(|_source| {
        "neither a port, such as 4566, nor an address and a port, such as 127.0.0.1:4566".to_owned()
    })
}

/// Why there is no listening on an address, and what to do.
fn refused(address: SocketAddr, problem: &std::io::Error) -> String {
    if problem.kind() == ErrorKind::AddrInUse {
        format!(
            "{address} is in use: end what listens there, or give another with --listen, \
             such as --listen {} or, for any free port, --listen 0",
            address.port().checked_add(1).unwrap_or(4566)
        )
    } else {
        format!("cannot listen on {address}: {problem}; another is given with --listen")
    }
}
