//! What a message costs: `cargo bench --bench throughput`.
//!
//! The real release binary works on the local AWS, each a process with a core of its own, beside the
//! bare loop of the SDK's calls. Every mail is looked at: a run in which one is lost, sent twice or
//! wrong is an error, not a figure. Figures of different machines or runs do not compare; the ratios
//! within one run do.

mod bare;
mod cases;
mod endpoint;
mod load;
mod mails;
mod run;
mod summary;
mod usage;

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Write as _, stderr, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser;
use tokio::time::Instant;

use self::cases::{Bound, Case};
use self::run::{Place, Subject};
use self::summary::Summary;
use self::usage::Cores;

const NAME: &str = env!("CARGO_PKG_NAME");

/// Measures what a message costs.
#[derive(Debug, Parser)]
#[command(name = "throughput", after_help = names())]
struct Arguments {
    /// Measures only this case; may be given again.
    #[arg(long = "case", value_name = "NAME")]
    cases: Vec<String>,
    /// A twentieth of the messages and one run each: whether it works, not how fast.
    #[arg(long)]
    quick: bool,
    /// Runs of each case, instead of as many as it usually has.
    #[arg(long)]
    runs: Option<usize>,
    /// Every figure as JSON.
    #[arg(long)]
    json: bool,
    /// Another daemon than that of this tree.
    #[arg(long, value_name = "PATH")]
    daemon: Option<PathBuf>,
    /// Said by cargo.
    #[arg(long, hide = true)]
    bench: bool,
    /// Makes this process the endpoint of one run.
    #[arg(long, hide = true)]
    load: Option<String>,
    /// Makes this process the bare loop on this queue.
    #[arg(long, hide = true, requires = "concurrency")]
    bare_loop: Option<String>,
    #[arg(long, hide = true)]
    concurrency: Option<usize>,
    #[arg(long, hide = true)]
    threads: Option<usize>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match &arguments {
        Arguments {
            load: Some(load), ..
        } => serde_json::from_str(load)
            .context("--load")
            .and_then(endpoint::serve),
        Arguments {
            bare_loop: Some(queue_url),
            concurrency,
            threads,
            ..
        } => bare::run(
            queue_url.clone(),
            concurrency.unwrap_or(1),
            *threads == Some(1),
        ),
        _ => bench(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failed) => {
            // Where standard error is closed there is nobody to tell.
            drop(writeln!(stderr(), "throughput: {failed:#}"));
            ExitCode::FAILURE
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn bench(arguments: &Arguments) -> anyhow::Result<()> {
    let began = Instant::now();
    // A name that is wrong is told before the daemon is built.
    let cases = choose(arguments)?;
    let place = Place {
        daemon: match &arguments.daemon {
            Some(daemon) => daemon.clone(),
            None => shipped().await?,
        },
        logs: Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench"),
        cores: Cores::find(),
    };
    std::fs::create_dir_all(&place.logs)?;
    if place.cores.is_none() {
        writeln!(
            stderr(),
            "nothing is pinned to a core: there are not two to be had"
        )?;
    }
    let mut summaries = Vec::new();
    for case in cases {
        summaries.push(measure(&place, case).await?);
    }
    if arguments.json {
        writeln!(stdout(), "{:#}", summary::json(&summaries))?;
    } else {
        write!(stdout(), "{}", summary::table(&summaries))?;
        writeln!(stdout(), "\n{:.0} s", began.elapsed().as_secs_f64())?;
    }
    Ok(())
}

/// Builds the daemon as it is shipped. The one that cargo has built beside this program has features
/// of its dependencies that only tests ask for.
async fn shipped() -> anyhow::Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").context("run it by cargo bench, or name a --daemon")?;
    let built = tokio::process::Command::new(cargo)
        .args(["build", "--release", "--locked", "--bin", NAME])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()
        .await?;
    anyhow::ensure!(built.success(), "the daemon cannot be built");
    let exe = std::env::current_exe()?;
    // It stands beside the folder of this program.
    let folder = exe
        .ancestors()
        .nth(2)
        .context("this program has no place")?;
    Ok(folder.join(NAME))
}

/// The case's runs, its subjects in turn so that what drifts on the machine meets all of them.
async fn measure(place: &Place, case: Case) -> anyhow::Result<Summary> {
    let mut runs: BTreeMap<Subject, Vec<_>> = BTreeMap::new();
    for number in 1..=case.runs {
        for subject in case.subjects {
            progress(&format!(
                "{}: run {number} of {}, {}",
                case.name,
                case.runs,
                subject.name()
            ))?;
            let measured = run::run(place, *subject, case.held, &case.load)
                .await
                .with_context(|| format!("{}, {}", case.name, subject.name()))?;
            runs.entry(*subject).or_default().push(measured);
        }
    }
    progress("")?;
    Ok(Summary { case, runs })
}

fn progress(what: &str) -> anyhow::Result<()> {
    let mut to = stderr();
    if to.is_terminal() {
        write!(to, "\r\x1b[K{what}")?;
        to.flush()?;
    } else if !what.is_empty() {
        writeln!(to, "{what}")?;
    }
    Ok(())
}

fn names() -> String {
    let cases = cases::all();
    let lines = cases
        .iter()
        .map(|case| format!("\n  {:<12} {}", case.name, case.about));
    format!("Cases:{}", lines.collect::<String>())
}

fn choose(arguments: &Arguments) -> anyhow::Result<Vec<Case>> {
    let mut cases = cases::all();
    let names: Vec<_> = cases.iter().map(|case| case.name).collect();
    for wanted in &arguments.cases {
        anyhow::ensure!(
            names.contains(&wanted.as_str()),
            "there is no case {wanted}, only {}",
            names.join(", ")
        );
    }
    cases.retain(|case| {
        arguments.cases.is_empty() || arguments.cases.iter().any(|name| name == case.name)
    });
    for case in &mut cases {
        if arguments.quick {
            case.load.messages = case.load.messages.div_ceil(20);
            case.load.rest /= 20;
            case.runs = 1;
        }
        case.runs = arguments.runs.unwrap_or(case.runs);
    }
    Ok(cases)
}

impl Subject {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::BareLoop => "bare loop",
            Self::BareOnOneThread => "bare, one thread",
            Self::Daemon => "daemon",
            Self::Traced => "traced",
            Self::Heard => "with events",
            Self::Deaf => "no event comes",
            Self::Shared => "with a table",
            Self::Whole => "table, events",
        }
    }
}

impl std::fmt::Display for Bound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::AtLeast(bound) => f.pad(&format!("≥ {bound:.2}")),
            Self::AtMost(bound) => f.pad(&format!("≤ {bound:.2}")),
        }
    }
}
