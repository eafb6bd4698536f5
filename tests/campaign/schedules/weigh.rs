//! What came of a schedule: the checker's word, and what everybody must have come to.

use std::time::Duration;

use super::super::checker;
use super::super::world::World;
use super::Schedule;

/// A schedule that was played.
#[derive(Debug)]
pub(crate) struct Played {
    /// What is broken; nothing for a pass.
    pub(crate) failures: Vec<String>,
    /// What became of the messages, in a few words.
    pub(crate) words: String,
}

/// When everything was settled, counted from the start, and how late the player was itself at the most.
pub(crate) struct Times {
    pub(crate) settled: Duration,
    pub(crate) late: Duration,
}

/// A player that was later than this shared its machine with too many: daemons stood still as well, and lost leases
/// and calls by it.
const STARVED: Duration = Duration::from_millis(400);

/// Judges what has become of everything. The daemons have ended.
pub(crate) async fn weigh(
    schedule: &Schedule,
    world: &World,
    empty: bool,
    times: Times,
) -> anyhow::Result<Played> {
    let mailed = world.mailed();
    let (queued, dead) = (world.in_queue(), world.in_dead_letter_queue());
    let mut failures = Vec::new();
    let (mut good_dead, mut twice) = (0, 0);
    for (uid, event) in &world.published {
        let mails = mailed.get(uid).map_or(0, Vec::len);
        let kept = queued.contains_key(uid) || dead.contains_key(uid);
        if event.poison {
            if mails > 0 {
                failures.push(format!("{uid} could not be mailed and was"));
            }
            if !kept {
                failures.push(format!("{uid} could not be mailed, and is in no queue"));
            }
            continue;
        }
        if mails == 0 && !kept {
            failures.push(format!("{uid} is lost"));
        }
        good_dead += usize::from(dead.contains_key(uid));
        twice += usize::from(mails > 1);
    }
    if !empty {
        let left = world.left().len();
        failures.push(format!(
            "{left} messages are left, which nobody has put off"
        ));
    }
    for ended in &world.ended {
        failures.extend(ended.complaints.iter().cloned());
    }
    let (_, verdict) = checker::verdict(world).await?;
    if let Err(broken) = verdict {
        failures.push(broken);
    }
    let daemons = world.ended.len();
    Ok(Played {
        failures,
        words: format!(
            "{:?}: {} messages, {} mails, {twice} twice, {good_dead} good ones dead-lettered, {} left; {daemons} daemons; {:.1} s{}",
            schedule.mode,
            world.published.len(),
            mailed.values().map(Vec::len).sum::<usize>(),
            queued.len(),
            times.settled.as_secs_f64(),
            if times.late > STARVED {
                format!("; starved, {:.1} s late", times.late.as_secs_f64())
            } else {
                String::new()
            },
        ),
    })
}
