//! Random schedules, many side by side: `cargo bench --bench campaign -- --schedules 300 --seed 1`.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _, stderr, stdout};
use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use futures_util::StreamExt as _;
use tokio::time::Instant;

use super::schedules::weigh::Played;
use super::schedules::{draw, play};
use super::world::Plan;

/// Plays the schedules of these seeds but for those that were done; whether all held. What broke is kept.
pub(crate) async fn run(
    seeds: Range<u64>,
    programs: Vec<PathBuf>,
    jobs: usize,
    done: Option<&Path>,
) -> anyhow::Result<bool> {
    let before = match done {
        Some(file) => read(file)?,
        None => BTreeSet::new(),
    };
    let left: Vec<_> = seeds.filter(|seed| !before.contains(seed)).collect();
    let (count, began) = (left.len(), Instant::now());
    let played = left.into_iter().map(|seed| {
        let programs = programs.clone();
        async move {
            let played = one(seed, programs).await;
            (seed, played)
        }
    });
    let mut played = futures_util::stream::iter(played).buffer_unordered(jobs);
    let mut broken = BTreeSet::new();
    let mut number = 0;
    while let Some((seed, result)) = played.next().await {
        let result = result.with_context(|| format!("seed {seed}"))?;
        number += 1;
        let verdict = if result.failures.is_empty() {
            "holds"
        } else {
            "BROKEN"
        };
        let mut err = stderr().lock();
        // Where standard error is closed nobody is told meanwhile.
        drop(writeln!(
            err,
            "{number} of {count}: seed {seed} {verdict}; {}",
            result.words
        ));
        if result.failures.is_empty() {
            fs::remove_dir_all(folder(seed))?;
        } else {
            broken.insert(seed);
            tell(seed, &result, &mut err);
        }
        if let Some(file) = done {
            let mut file = OpenOptions::new().create(true).append(true).open(file)?;
            writeln!(file, "{seed}")?;
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    let list: Vec<_> = broken.iter().map(u64::to_string).collect();
    writeln!(
        stdout(),
        "{count} schedules played, {} left out, {} broken{}{}, {seconds:.0} s",
        before.len(),
        broken.len(),
        if broken.is_empty() { "" } else { ": seeds " },
        list.join(", "),
    )?;
    Ok(broken.is_empty())
}

/// Plays one schedule again; everything of it stays.
pub(crate) async fn repeat(seed: u64, programs: Vec<PathBuf>) -> anyhow::Result<bool> {
    write!(stdout(), "{}", draw(seed))?;
    let played = one(seed, programs).await?;
    tell(seed, &played, &mut stdout());
    writeln!(
        stdout(),
        "{}; {} broken",
        played.words,
        played.failures.len()
    )?;
    writeln!(stdout(), "kept in {}", folder(seed).display())?;
    Ok(played.failures.is_empty())
}

async fn one(seed: u64, programs: Vec<PathBuf>) -> anyhow::Result<Played> {
    let schedule = draw(seed);
    let logs = folder(seed);
    match fs::remove_dir_all(&logs) {
        Err(failed) if failed.kind() != ErrorKind::NotFound => return Err(failed.into()),
        _ => {}
    }
    let plan = Plan::of_schedule(seed, schedule.receives, programs, logs.clone());
    let played = play(&schedule, plan).await?;
    fs::write(logs.join("verdict.txt"), played.failures.join("\n"))?;
    Ok(played)
}

fn tell(seed: u64, played: &Played, to: &mut impl std::io::Write) {
    for failure in &played.failures {
        for line in failure.lines() {
            drop(writeln!(to, "    {seed}: {line}"));
        }
    }
}

fn folder(seed: u64) -> PathBuf {
    let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/schedules");
    all.join(format!("seed-{seed}"))
}

fn read(file: &Path) -> anyhow::Result<BTreeSet<u64>> {
    let text = match fs::read_to_string(file) {
        Err(failed) if failed.kind() == ErrorKind::NotFound => String::new(),
        text => text.with_context(|| format!("cannot read {}", file.display()))?,
    };
    let seeds = text.lines().map(|line| {
        let seed = line.trim().parse();
        seed.with_context(|| format!("{}: {line:?} is no seed", file.display()))
    });
    seeds.collect()
}
