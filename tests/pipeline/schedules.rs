//! Random schedules: everything that can go wrong, at random times and in any combination, and
//! rules that hold whatever happens.
//!
//! ```text
//! plan      what happens, as data                    stage     the services that all daemons share
//! ports     what one daemon sees of them             play      from the first message to the last exit
//! history   what the services saw                    judge     the rules
//! ```

mod history;
mod judge;
mod lines;
mod plan;
mod play;
mod ports;
mod queue;
mod regressions;
mod search;
mod stage;
mod table;

use self::{
    judge::judge,
    plan::Schedule,
    play::play,
    search::{Search, fresh_seed},
};

/// So many schedules of each seed are played where nobody asks for more.
const SCHEDULES: u64 = 30;

/// Plays one schedule.
fn holds(schedule: &Schedule) {
    let breaches = judge(&play(schedule));
    let shown: Vec<_> = breaches.iter().map(ToString::to_string).collect();
    assert!(shown.is_empty(), "{}", shown.join("\n"));
}

#[test]
fn no_rule_is_broken_in_schedules_that_are_always_the_same() {
    Search::new(1, SCHEDULES).run();
}

/// `SCHEDULES`, `SCHEDULES_SEED` and `SCHEDULES_FROM` say how many, of which seed, from which on. With
/// `SCHEDULES_AS_DRAWN` all are played and none is made smaller.
#[test]
fn no_rule_is_broken_in_fresh_schedules() {
    let number = |name| std::env::var(name).ok().map(|value| value.parse().unwrap());
    let seed = number("SCHEDULES_SEED").unwrap_or_else(fresh_seed);
    let search = Search::new(seed, number("SCHEDULES").unwrap_or(SCHEDULES));
    let search = search.from(number("SCHEDULES_FROM").unwrap_or(0));
    if std::env::var_os("SCHEDULES_AS_DRAWN").is_some() {
        search.count();
    } else {
        search.run();
    }
}
