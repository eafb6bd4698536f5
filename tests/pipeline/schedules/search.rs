//! Plays many schedules, and makes one that breaks a rule as small as it can.

use std::{
    collections::BTreeMap,
    hash::{BuildHasher, RandomState},
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};

use tokio::time::Instant;

use super::{
    judge::{Breach, judge},
    plan::{Schedule, any_schedule},
    play::play,
};
use crate::rig::lock;

/// A daemon rolls dice of its own, so that a smaller schedule breaks the rule only now and then.
const TRIES: usize = 6;
/// Smaller schedules are tried for so long.
const SHRINKS_FOR: Duration = Duration::from_mins(1);
/// A long search says this often how far it is.
const PROGRESS_EVERY: u64 = 5_000;

/// Schedules of one seed, from one of them on.
pub(super) struct Search {
    seed: u64,
    from: u64,
    count: u64,
}

/// A schedule that broke a rule, as small as it could be made.
struct Broken {
    number: u64,
    schedule: Schedule,
    breaches: Vec<Breach>,
}

/// A seed that nobody has had before.
pub(super) fn fresh_seed() -> u64 {
    RandomState::new().hash_one(0) % 1_000_000_000
}

impl Search {
    pub(super) fn new(seed: u64, count: u64) -> Self {
        Self {
            seed,
            from: 0,
            count,
        }
    }

    /// Leaves the schedules before this one out.
    pub(super) fn from(self, from: u64) -> Self {
        Self { from, ..self }
    }

    /// Plays them on all cores, and fails at the first that breaks a rule.
    pub(super) fn run(&self) {
        let broken = Mutex::new(None);
        self.on_all_cores(|number| {
            let found = self.try_one(number);
            let holds = found.is_none();
            if let Some(found) = found {
                lock(&broken).get_or_insert(found);
            }
            holds
        });
        if let Some(broken) = lock(&broken).take() {
            panic!("{}", self.told(&broken));
        }
    }

    /// Plays them all, says which rules each broke, and fails if one broke any.
    pub(super) fn count(&self) {
        let broken = Mutex::new(BTreeMap::new());
        self.on_all_cores(|number| {
            let mut rules: Vec<_> = judge(&play(&self.draw(number).current()))
                .iter()
                .map(|breach| breach.rule)
                .collect();
            rules.dedup();
            if !rules.is_empty() {
                lock(&broken).insert(number, rules);
            }
            true
        });
        let broken = lock(&broken);
        for (number, rules) in &*broken {
            println!("schedule {number} breaks {}", rules.join(" "));
        }
        let (broken, all) = (broken.len(), self.count);
        assert_eq!(broken, 0, "of {all} schedules so many break a rule");
    }

    /// Has each schedule played by its number, until all are or one says no.
    fn on_all_cores(&self, play: impl Fn(u64) -> bool + Sync) {
        let (next, stop) = (AtomicU64::new(0), AtomicBool::new(false));
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        std::thread::scope(|scope| {
            for _ in 0..cores {
                scope.spawn(|| {
                    while !stop.load(Ordering::Relaxed) {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= self.count {
                            break;
                        }
                        if !play(self.from + number) {
                            stop.store(true, Ordering::Relaxed);
                        }
                        self.tell_progress(number + 1);
                    }
                });
            }
        });
    }

    fn tell_progress(&self, played: u64) {
        if played.is_multiple_of(PROGRESS_EVERY) {
            eprintln!(
                "{played} of {} schedules of seed {} played",
                self.count, self.seed
            );
        }
    }

    fn draw(&self, number: u64) -> impl ValueTree<Value = Schedule> + use<> {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&self.seed.to_le_bytes());
        bytes[8..16].copy_from_slice(&number.to_le_bytes());
        let random = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        let mut runner = TestRunner::new_with_rng(Config::default(), random);
        any_schedule().new_tree(&mut runner).unwrap()
    }

    /// Plays the schedule with this number, and makes it smaller where it breaks a rule.
    fn try_one(&self, number: u64) -> Option<Broken> {
        let mut tree = self.draw(number);
        let mut schedule = tree.current();
        let mut breaches = judge(&play(&schedule));
        let rule = breaches.first()?.rule;
        let began = Instant::now();
        while began.elapsed() < SHRINKS_FOR && tree.simplify() {
            let smaller = tree.current();
            let found = (0..TRIES).find_map(|_| {
                let breaches = judge(&play(&smaller));
                breaches
                    .iter()
                    .any(|breach| breach.rule == rule)
                    .then_some(breaches)
            });
            match found {
                Some(found) => (schedule, breaches) = (smaller, found),
                None => {
                    if !tree.complicate() {
                        break;
                    }
                }
            }
        }
        Some(Broken {
            number,
            schedule,
            breaches,
        })
    }

    fn told(&self, broken: &Broken) -> String {
        let breaches: Vec<_> = broken.breaches.iter().map(ToString::to_string).collect();
        format!(
            "schedule {number} of seed {seed} breaks a rule; the same schedule again:\n    \
             SCHEDULES_SEED={seed} SCHEDULES_FROM={number} SCHEDULES=1 cargo test --locked --test \
             pipeline fresh_schedules\n{breaches}\nA test that plays it:\n#[test]\nfn \
             a_name_that_says_what_must_hold() {{\n    holds(&{schedule});\n}}",
            number = broken.number,
            seed = self.seed,
            breaches = breaches.join("\n"),
            schedule = broken.schedule.as_rust(),
        )
    }
}
