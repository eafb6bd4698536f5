//! What a scenario promised, what came of it, and whether the two agree.

use std::time::Duration;

use super::daemon::LogCounts;
use super::world::World;

/// How long the queue may take to run empty after the faults have ended. A deferred message comes
/// back after a minute, and so does the last probe of a breaker.
const PATIENCE: Duration = Duration::from_mins(3);
/// More resident memory than any daemon may take, in KiB.
const MOST_MEMORY: u64 = 300 * 1024;

/// What a scenario may cost.
pub(crate) struct Bounds {
    /// Events mailed twice.
    pub(crate) twice: Bound,
    /// Good events in the dead-letter queue.
    pub(crate) dead: Bound,
    /// The most mails that one event may get.
    pub(crate) most_mails: usize,
    /// How many sends must have been counted as of unknown outcome, where that is known.
    pub(crate) unknown: Option<u64>,
    pub(crate) patience: Duration,
    /// Whatever else was seen to hold or not.
    pub(crate) checks: Vec<Check>,
}

/// The most that there may be of something.
pub(crate) enum Bound {
    Most(u64, &'static str),
    /// As many, and those that the daemons gave up on their last receive since two of their sends
    /// had no answer: a person has to find out whether they were mailed.
    AndUnknown(u64, &'static str),
}

pub(crate) struct Check {
    pub(crate) what: String,
    pub(crate) holds: bool,
}

/// A scenario's line in the table.
#[derive(Default)]
pub(crate) struct Row {
    pub(crate) scenario: &'static str,
    pub(crate) messages: usize,
    pub(crate) lost: usize,
    pub(crate) twice: usize,
    pub(crate) dead: usize,
    pub(crate) unknown: u64,
    pub(crate) receives: f64,
    pub(crate) took: Duration,
    /// The largest resident memory of a daemon in KiB, and how fast it grew in KiB a minute.
    pub(crate) memory: (u64, f64),
    /// What does not hold; empty for a pass.
    pub(crate) failures: Vec<String>,
    /// What was held against what.
    pub(crate) held: Vec<String>,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            twice: Bound::NONE,
            dead: Bound::NONE,
            most_mails: 2,
            unknown: None,
            patience: PATIENCE,
            checks: Vec::new(),
        }
    }
}

impl Bounds {
    pub(crate) fn check(&mut self, holds: bool, what: impl Into<String>) {
        let what = what.into();
        self.checks.push(Check { what, holds });
    }
}

impl Bound {
    pub(crate) const NONE: Self = Self::Most(0, "");

    fn most(&self, log: &LogCounts) -> (u64, &'static str) {
        match self {
            Self::Most(most, why) => (*most, why),
            Self::AndUnknown(most, why) => (most + log.unknown_at_limit, why),
        }
    }
}

/// Looks at what has become of each event. The daemons have ended.
pub(crate) fn judge(scenario: &'static str, world: &World, bounds: Bounds, empty: bool) -> Row {
    let mailed = world.mailed();
    let (queued, dead) = (world.in_queue(), world.in_dead_letter_queue());
    let mut log = LogCounts::default();
    world.ended.iter().for_each(|ended| log.add(&ended.log));
    let mut lost = 0;
    let mut dead_good = 0;
    let mut poison = (0, 0);
    let (mut twice, mut most) = (0, 0);
    for (uid, event) in &world.published {
        let mails = mailed.get(uid).map_or(0, Vec::len);
        if event.poison {
            poison.0 += 1;
            poison.1 += usize::from(dead.contains_key(uid) && mails == 0);
            continue;
        }
        let kept = queued.contains_key(uid) || dead.contains_key(uid);
        lost += usize::from(mails == 0 && !kept);
        dead_good += usize::from(dead.contains_key(uid));
        twice += usize::from(mails > 1);
        most = mails.max(most);
    }

    let mut report = Report::default();
    report.hold(lost == 0, format!("lost {lost} ≤ 0"));
    for (name, count, bound) in [
        ("twice", twice, &bounds.twice),
        ("good in DLQ", dead_good, &bounds.dead),
    ] {
        let (most, why) = bound.most(&log);
        let why = if why.is_empty() {
            String::new()
        } else {
            format!(" ({why})")
        };
        report.hold(
            count as u64 <= most,
            format!("{name} {count} ≤ {most}{why}"),
        );
    }
    report.hold(
        most <= bounds.most_mails,
        format!("mails of one event {most} ≤ {}", bounds.most_mails),
    );
    report.hold(
        poison.0 == poison.1,
        format!("poison in DLQ {} of {}", poison.1, poison.0),
    );
    if let Some(unknown) = bounds.unknown {
        let what = format!("counted as unknown {} of {unknown}", log.unknown);
        report.hold(log.unknown == unknown, what);
    }
    report.hold(empty, "the queue ran empty".to_owned());
    for check in bounds.checks {
        report.hold(check.holds, check.what);
    }
    let complaints: Vec<_> = world
        .ended
        .iter()
        .flat_map(|ended| ended.complaints.clone())
        .collect();
    report.hold(complaints.is_empty(), exits(world, &complaints));
    let memory = memory(world);
    report.hold(
        memory.0 <= MOST_MEMORY,
        format!(
            "memory {} MiB ≤ {} MiB",
            memory.0 / 1024,
            MOST_MEMORY / 1024
        ),
    );

    let messages = world.published.len();
    Row {
        scenario,
        messages,
        lost,
        twice,
        dead: dead_good,
        unknown: log.unknown,
        receives: ratio(world.handed_out(), messages as u64),
        took: world.began.elapsed(),
        memory,
        failures: report.failures,
        held: report.held,
    }
}

#[derive(Default)]
struct Report {
    held: Vec<String>,
    failures: Vec<String>,
}

impl Report {
    fn hold(&mut self, holds: bool, what: String) {
        if holds {
            self.held.push(what);
        } else {
            self.failures.push(what);
        }
    }
}

fn exits(world: &World, complaints: &[String]) -> String {
    if !complaints.is_empty() {
        return complaints.join("; ");
    }
    let killed = world.ended.iter().filter(|ended| ended.killed).count();
    let clean = world.ended.len() - killed;
    match killed {
        0 => format!("{clean} exits with the right code and equal sums"),
        _ => format!("{clean} exits with the right code and equal sums, {killed} killed"),
    }
}

/// The largest resident memory, and the steepest growth over the second half of a daemon's life
/// where that was long enough to tell.
fn memory(world: &World) -> (u64, f64) {
    let mut most = 0;
    let mut steepest = 0.0_f64;
    for ended in &world.ended {
        most = ended
            .memory
            .iter()
            .map(|(_, kib)| *kib)
            .max()
            .unwrap_or(0)
            .max(most);
        let later = &ended.memory[ended.memory.len() / 2..];
        if let (Some(first), Some(last)) = (later.first(), later.last())
            && let span = last.0.saturating_sub(first.0)
            && span >= Duration::from_secs(20)
        {
            let minutes = span.as_secs_f64() / 60.0;
            steepest = steepest.max((kib(last.1) - kib(first.1)) / minutes);
        }
    }
    (most, steepest)
}

#[expect(clippy::cast_precision_loss, reason = "memory is far below 2^52 KiB")]
fn kib(kib: u64) -> f64 {
    kib as f64
}

#[expect(clippy::cast_precision_loss, reason = "counts of messages are small")]
pub(crate) fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}
