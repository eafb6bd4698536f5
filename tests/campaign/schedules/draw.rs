//! A schedule out of a seed.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _, seq::IndexedRandom as _};

use super::super::daemon::Limits;
use super::faults::{doubled, events, fault};
use super::{Act, Deed, Kind, Mode, Schedule, Template};

/// Faults end within this time.
const FAULTS: std::ops::RangeInclusive<u64> = 6_000..=20_000;
/// A fault lasts so long, in milliseconds.
const WINDOW: std::ops::RangeInclusive<u64> = 300..=8_000;
/// How long a daemon stands still at most, in milliseconds: longer than its leases.
const PAUSE: std::ops::RangeInclusive<u64> = 200..=7_000;

/// The schedule of this seed.
pub(crate) fn draw(seed: u64) -> Schedule {
    let mut drawing = Drawing {
        random: StdRng::seed_from_u64(seed),
        acts: Vec::new(),
        end: 0,
    };
    drawing.schedule(seed)
}

struct Drawing {
    random: StdRng,
    acts: Vec<(Duration, Act)>,
    /// When faults end, in milliseconds.
    end: u64,
}

impl Drawing {
    fn schedule(&mut self, seed: u64) -> Schedule {
        let modes = [Mode::Memory, Mode::Feedback, Mode::Table, Mode::Both];
        let mode = self.one_of(&modes);
        let daemons = self.random.random_range(1..=3);
        let receives = self.one_of(&[2, 2, 3, 5]);
        self.end = self.random.random_range(FAULTS);
        let rate = if self.chance(0.25) {
            f64::from(self.random.random_range(40..200_u32))
        } else {
            100_000.0
        };
        let mut settings = self.settings();
        if mode.events() {
            settings.push(("feedback.patience".to_owned(), "3s".to_owned()));
        }
        if mode.table() && self.chance(0.5) {
            settings.push(("ledger.patience".to_owned(), "2s".to_owned()));
        }
        self.traffic();
        let most = self.random.random_range(2..=7);
        self.faults(mode, most);
        if self.chance(0.5) {
            let rule = doubled(&mut self.random, Duration::from_millis(self.end));
            self.push(0, Act::Fault(rule));
        }
        self.deeds();
        self.templates();
        if mode.table() && self.chance(0.3) {
            for _ in 0..2 {
                let (at, ahead) = (self.moment(), self.random.random_range(-2000..=2000));
                self.push(at, Act::TableClock(ahead));
            }
        }
        self.acts.sort_by_key(|(at, _)| *at);
        Schedule {
            seed,
            mode,
            daemons,
            receives,
            rate,
            settings,
            acts: std::mem::take(&mut self.acts),
            faults_end: Duration::from_millis(self.end),
        }
    }

    fn settings(&mut self) -> Vec<(String, String)> {
        let concurrency = self.one_of(&["2", "8", "16", "32", "32"]);
        let wait = self.one_of(&["1s", "2s", "2s", "4s"]);
        let mut settings = vec![
            ("concurrency".to_owned(), concurrency.to_owned()),
            ("queue.wait_time".to_owned(), wait.to_owned()),
        ];
        if self.chance(0.25) {
            let rate = self.random.random_range(30..40_u32).to_string();
            settings.push(("email.max_send_rate".to_owned(), rate));
        }
        settings
    }

    fn traffic(&mut self) {
        let bursts = self.random.random_range(2..=5);
        for _ in 0..bursts {
            let count = self.random.random_range(20..100);
            self.publish(Kind::Plain, count);
        }
        let others = [
            Kind::Copies,
            Kind::Raw,
            Kind::Malformed,
            Kind::NoRecipient,
            Kind::BadRecipient,
            Kind::Control,
        ];
        for kind in others {
            if self.chance(0.5) {
                let count = self.random.random_range(1..8);
                self.publish(kind, count);
            }
        }
    }

    fn publish(&mut self, kind: Kind, count: usize) {
        // The first come at once, so that the start meets them.
        let at = if self.acts.is_empty() {
            0
        } else {
            self.moment()
        };
        let left = self.end.saturating_sub(at).clamp(1, 4000);
        let over = Duration::from_millis(self.random.random_range(0..left));
        self.push(at, Act::Publish { count, kind, over });
    }

    fn faults(&mut self, mode: Mode, most: usize) {
        for _ in 0..most {
            let at = self.moment();
            let length = self.random.random_range(WINDOW).min(self.end - at);
            let rule = fault(&mut self.random, mode, Duration::from_millis(length));
            self.push(at, Act::Fault(rule));
        }
        if mode.events() && self.chance(0.7) {
            let (at, rules) = (self.moment() / 2, events(&mut self.random));
            self.push(at, Act::Events(rules));
        }
    }

    fn deeds(&mut self) {
        for _ in 0..self.random.random_range(1..=8) {
            let at = self.moment();
            let which = self.random.random_range(0..4);
            let deed = match self.random.random_range(0..12) {
                0 | 1 => stop("TERM", None),
                2 => {
                    let again = self.random.random_range(0..4000);
                    stop("TERM", Some(Duration::from_millis(again)))
                }
                3 => stop("INT", None),
                4..=6 => Deed::Kill,
                7 | 8 => Deed::Pause,
                9 => Deed::Unread,
                10 => Deed::Signal("HUP"),
                _ => Deed::Signal("USR1"),
            };
            self.push(at, Act::Daemon { which, deed });
            let after = self.random.random_range(PAUSE);
            match deed {
                Deed::Stop { .. } | Deed::Kill if self.chance(0.8) => {
                    let after = self.random.random_range(0..2500);
                    let start = self.start();
                    self.push(at + after, start);
                }
                Deed::Pause => self.push(at + after, Act::Continue),
                Deed::Unread => self.push(at + after, Act::Read),
                _ => {}
            }
        }
        if self.chance(0.3) {
            let (at, start) = (self.moment(), self.start());
            self.push(at, start);
        }
    }

    /// A daemon with the configuration of the start, or another, and sometimes with little to live on.
    fn start(&mut self) -> Act {
        let settings = if self.chance(0.4) {
            self.settings()
        } else {
            Vec::new()
        };
        let limits = match self.random.random_range(0..8) {
            0 => Limits {
                files: Some(self.random.random_range(16..64)),
                memory_kib: None,
            },
            1 => Limits {
                files: None,
                memory_kib: Some(self.random.random_range(60_000..600_000)),
            },
            _ => Limits::default(),
        };
        Act::Start { settings, limits }
    }

    fn templates(&mut self) {
        for _ in 0..self.random.random_range(0..=2) {
            let at = self.moment();
            let template = self.one_of(&[
                Template::Good,
                Template::Garbage,
                Template::MissingField,
                Template::Deleted,
            ]);
            self.push(at, Act::Template(template));
            let seen = Act::Daemon {
                which: 0,
                deed: Deed::Signal("HUP"),
            };
            self.push(at + 10, seen);
            let back = at + self.random.random_range(500..6000);
            self.push(back, Act::Template(Template::Good));
        }
    }

    fn push(&mut self, at: u64, act: Act) {
        self.acts
            .push((Duration::from_millis(at.min(self.end)), act));
    }

    /// A time at which a fault can begin.
    fn moment(&mut self) -> u64 {
        self.random
            .random_range(0..self.end.saturating_sub(300).max(1))
    }

    fn chance(&mut self, share: f64) -> bool {
        self.random.random_bool(share)
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all.choose(&mut self.random).copied().unwrap_or(all[0])
    }
}

fn stop(signal: &'static str, again: Option<Duration>) -> Deed {
    Deed::Stop { signal, again }
}
