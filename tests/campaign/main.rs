//! The fault campaign: `cargo bench --bench campaign`.
//!
//! Real daemons, each a process of its own, work against a local AWS that fails in every way that
//! the real one can. The table says what that cost, and the exit code whether a promise broke.

mod checker;
mod daemon;
mod events;
mod records;
mod runs;
mod scenarios;
mod schedules;
mod soak;
mod table;
mod verdict;
mod world;

use std::io::{IsTerminal as _, Write as _, stderr, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use clap::Parser;
use futures_util::StreamExt as _;
use tokio::time::{Instant, interval};

use self::scenarios::{ALL, Scenario};
use self::verdict::Row;
use self::world::{Plan, RECEIVES};

/// Plays the ways in which things go wrong, and says what they cost.
#[derive(Debug, Parser)]
#[command(name = "campaign", after_help = names())]
struct Arguments {
    /// Plays only this scenario; may be given again.
    #[arg(long = "scenario", value_name = "NAME")]
    scenarios: Vec<String>,
    /// Events of each scenario.
    #[arg(long, default_value_t = 2000)]
    messages: usize,
    /// What faults are drawn from.
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// Shorter outages.
    #[arg(long)]
    short: bool,
    /// Scenarios played at once; those that measure times are played alone.
    #[arg(long, default_value_t = 4)]
    jobs: usize,
    /// Starts this program as a daemon instead of this tree's; given again, the programs take turns,
    /// as the old version and the new one do in an upgrade.
    #[arg(long = "daemon", value_name = "PATH")]
    daemons: Vec<PathBuf>,
    /// Keeps a history of each scenario, beside its logs, and has the checker judge it too. Needs `python3`.
    #[arg(long)]
    history: bool,
    /// Plays so many random schedules in place of scenarios, of the seeds from --seed on. Needs `python3`.
    #[arg(long, value_name = "NUMBER")]
    schedules: Option<u64>,
    /// A file of the seeds that were played, which are left out and added to.
    #[arg(long, value_name = "FILE", requires = "schedules")]
    seeds_done: Option<PathBuf>,
    /// Plays this seed's schedule once more, and keeps everything.
    #[arg(long, value_name = "SEED", conflicts_with = "schedules")]
    repeat: Option<u64>,
    /// Plays a mixed load with faults for so long, and says what grew.
    #[arg(long, value_name = "MINUTES", conflicts_with_all = ["schedules", "repeat"])]
    soak: Option<u64>,
    /// Said by cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    if std::env::var_os(daemon::launch::ROLE).is_some() {
        return organizer_notifier::cli::main();
    }
    match campaign(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failed) => {
            // Where standard error is closed there is nobody to tell.
            drop(writeln!(stderr(), "campaign: {failed:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Whether every scenario passed.
#[tokio::main]
async fn campaign(arguments: &Arguments) -> anyhow::Result<bool> {
    let programs = programs(arguments)?;
    if let Some(seed) = arguments.repeat {
        return runs::repeat(seed, programs).await;
    }
    if let Some(number) = arguments.schedules {
        let seeds = arguments.seed..arguments.seed.saturating_add(number);
        let done = arguments.seeds_done.as_deref();
        return runs::run(seeds, programs, arguments.jobs.max(1), done).await;
    }
    if let Some(minutes) = arguments.soak {
        return soak::soak(minutes, arguments.seed, programs).await;
    }
    let chosen = choose(&arguments.scenarios)?;
    let (alone, together): (Vec<_>, Vec<_>) = chosen.into_iter().partition(|one| one.alone);
    let began = Instant::now();
    let progress = Arc::new(Progress::new(alone.len() + together.len()));
    let showing = tokio::spawn(Arc::clone(&progress).show());
    let mut rows = Vec::new();
    for (group, jobs) in [(together, arguments.jobs.max(1)), (alone, 1)] {
        let played = group
            .into_iter()
            .map(|scenario| play(scenario, arguments, programs.clone(), &progress));
        let mut played = futures_util::stream::iter(played).buffer_unordered(jobs);
        while let Some(row) = played.next().await {
            rows.push(row);
        }
    }
    showing.abort();
    progress.clear();
    rows.sort_by_key(|row: &Row| ALL.iter().position(|one| one.name == row.scenario));
    let table = table::table(&rows, arguments.seed, began.elapsed());
    write!(stdout(), "{table}")?;
    Ok(rows.iter().all(|row| row.failures.is_empty()))
}

async fn play(
    scenario: &'static Scenario,
    arguments: &Arguments,
    programs: Vec<PathBuf>,
    progress: &Progress,
) -> Row {
    progress.begin(scenario.name);
    let logs = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/campaign");
    let plan = Plan {
        programs,
        logs: logs.join(scenario.name),
        messages: arguments.messages,
        seed: arguments.seed,
        short: arguments.short,
        history: arguments.history,
        receives: RECEIVES,
    };
    let row = match scenario.play(plan).await {
        Ok(row) => row,
        // The others are played all the same.
        Err(failed) => Row {
            scenario: scenario.name,
            failures: vec![format!("was not played to its end: {failed:#}")],
            ..Row::default()
        },
    };
    progress.end(&row);
    row
}

/// What is started as a daemon.
fn programs(arguments: &Arguments) -> anyhow::Result<Vec<PathBuf>> {
    Ok(match &*arguments.daemons {
        [] => vec![std::env::current_exe()?],
        daemons => daemons.to_vec(),
    })
}

fn choose(names: &[String]) -> anyhow::Result<Vec<&'static Scenario>> {
    if names.is_empty() {
        return Ok(ALL.iter().collect());
    }
    let find = |name: &String| ALL.iter().find(|one| one.name == name);
    let found = names.iter().map(|name| {
        find(name).ok_or_else(|| anyhow::anyhow!("no scenario {name}; --help lists them"))
    });
    found.collect()
}

fn names() -> String {
    let lines = ALL
        .iter()
        .map(|one| format!("\n  {:<16} {}", one.name, one.about));
    format!("Scenarios:{}", lines.collect::<String>())
}

/// A line that is kept up to date on a terminal, and a line now and then elsewhere.
struct Progress {
    scenarios: usize,
    began: Instant,
    state: Mutex<(usize, Vec<&'static str>)>,
    terminal: bool,
}

impl Progress {
    fn new(scenarios: usize) -> Self {
        Self {
            scenarios,
            began: Instant::now(),
            state: Mutex::default(),
            terminal: stderr().is_terminal(),
        }
    }

    fn begin(&self, name: &'static str) {
        sandbox::lock(&self.state).1.push(name);
    }

    fn end(&self, row: &Row) {
        let mut state = sandbox::lock(&self.state);
        state.0 += 1;
        state.1.retain(|name| *name != row.scenario);
        drop(state);
        self.clear();
        drop(write!(stderr(), "{}", table::line(row)));
        for failure in &row.failures {
            drop(writeln!(stderr(), "    FAILED: {failure}"));
        }
    }

    fn clear(&self) {
        if self.terminal {
            drop(write!(stderr(), "\r\x1b[K"));
        }
    }

    async fn show(self: Arc<Self>) {
        let every = if self.terminal { 1 } else { 30 };
        let mut tick = interval(Duration::from_secs(every));
        loop {
            tick.tick().await;
            let (done, playing) = sandbox::lock(&self.state).clone();
            let text = format!(
                "{done} of {} played, {:.0} s, now {}",
                self.scenarios,
                self.began.elapsed().as_secs_f64(),
                playing.join(", ")
            );
            self.clear();
            drop(if self.terminal {
                write!(stderr(), "{text}")
            } else {
                writeln!(stderr(), "{text}")
            });
        }
    }
}
