//! What a process costs, as Linux tells it, and on which core it may run.

use std::fs;
use std::io;

use anyhow::Context as _;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Clock ticks in a second of CPU time: fixed in Linux's interface to programs.
const TICKS: f64 = 100.0;

/// What a process has used so far.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Usage {
    pub(crate) cpu_seconds: f64,
    pub(crate) resident_kib: u64,
    pub(crate) peak_kib: u64,
}

/// The cores that the two sides of a run have for themselves.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cores {
    pub(crate) subject: usize,
    pub(crate) endpoint: usize,
}

impl Usage {
    pub(crate) fn of(pid: u32) -> anyhow::Result<Self> {
        let read = |name: &str| {
            let path = format!("/proc/{pid}/{name}");
            fs::read_to_string(&path).with_context(|| format!("{path} cannot be read"))
        };
        let stat = read("stat")?;
        // The program's name stands in parentheses and may hold anything.
        let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
        let ticks = |place| -> f64 {
            let field = fields.split_whitespace().nth(place);
            field.and_then(|field| field.parse().ok()).unwrap_or(0.0)
        };
        let status = read("status")?;
        let kib = |name| -> u64 {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let number = line.and_then(|line| line.split_whitespace().next());
            number.and_then(|number| number.parse().ok()).unwrap_or(0)
        };
        Ok(Self {
            cpu_seconds: (ticks(11) + ticks(12)) / TICKS,
            resident_kib: kib("VmRSS:"),
            peak_kib: kib("VmHWM:"),
        })
    }
}

impl Cores {
    /// Two cores that we may run on, or nothing where there is but one or the system does not say.
    pub(crate) fn find() -> Option<Self> {
        let allowed = sched_getaffinity(None).ok()?;
        let mut cores = (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core));
        Some(Self {
            subject: cores.next()?,
            endpoint: cores.next()?,
        })
    }
}

/// Starts something on one core: a child has the affinity of the thread that starts it.
pub(crate) fn on_core<T>(core: Option<usize>, start: impl FnOnce() -> T) -> io::Result<T> {
    let Some(core) = core else {
        return Ok(start());
    };
    let before = sched_getaffinity(None)?;
    let mut alone = CpuSet::new();
    alone.set(core);
    sched_setaffinity(None, &alone)?;
    let started = start();
    sched_setaffinity(None, &before)?;
    Ok(started)
}
