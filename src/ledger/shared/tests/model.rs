//! The protocol as a state machine, searched through in every order: two tasks with a copy of one message
//! each, a table, calls that are slow, lost or answered in vain, crashes, and time.
//!
//! A tick is the longest of each step: a send begins within a tick of its claim, takes one, and its event
//! takes one more; clocks differ by one. A claim lasts the sum, as in the program. What a task knows of
//! its claims is the program's own [`Claims`], what the table admits the tests' own [`Put`].

use std::{
    collections::{BTreeSet, HashSet},
    hash::BuildHasher,
    time::Duration,
};

use tokio::time::Instant;

use super::super::claims::Claims;
use crate::{
    ports::table::Claimed,
    testing::table::{Item, Put, take_back},
};

const TICK: Duration = Duration::from_secs(1);
/// What a claim lasts: begin, send, event, clocks.
const LASTS: u32 = 4;
/// The search ends after so many ticks: time for three claims in a row.
const END: u32 = 7;
/// A call that is on its way for more ticks is lost.
const CALL_LIVES: u32 = 1;
const CRASHES_MAX: u8 = 1;
const CLAIMS_MAX: u8 = 3;

/// What there is in the world besides the tasks.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Rules {
    /// Events arrive, each within a tick.
    events: bool,
    /// What a claim lasts, in ticks.
    lasts: u32,
    /// Whether a claim's id is new each time.
    fresh_owners: bool,
    /// Whether a claim must count when its send begins.
    begin_checked: bool,
}

const PROGRAM: Rules = Rules {
    events: true,
    lasts: LASTS,
    fresh_owners: true,
    begin_checked: true,
};

#[derive(Clone, PartialEq, Eq, Hash)]
struct World {
    now: u32,
    item: Option<Item>,
    /// On their way to the table, in no order.
    calls: BTreeSet<Call>,
    tasks: [Task; 2],
    mails: Vec<Mail>,
    crashes: u8,
    claims: u8,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Task {
    claims: Claims,
    doing: Doing,
}

#[derive(Clone, PartialEq, Eq, Hash)]
enum Doing {
    /// It has a copy and does nothing.
    Holding,
    /// It has asked for this claim.
    Asking { owner: String, asked: u32 },
    /// Its last claim was answered with a yes.
    Granted,
    /// It sends since then.
    Sending { began: u32 },
    /// Its send had no answer. It waits for the event since then.
    Waiting { since: u32 },
    /// Its message is deleted, or is about to be.
    Done,
}

#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Call {
    Claim { born: u32, task: usize, put: Put },
    TakeBack { born: u32, owners: Vec<String> },
    Record { born: u32, email_id: String },
}

impl Call {
    fn born(&self) -> u32 {
        match self {
            Self::Claim { born, .. } | Self::TakeBack { born, .. } | Self::Record { born, .. } => {
                *born
            }
        }
    }
}

/// A mail that the mail service took.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Mail {
    accepted: u32,
    /// Whoever sent it knows, and has lived until the table knew.
    is_settled: bool,
    heard: bool,
}

/// The broken promise, in words.
type Breach = String;

fn at(tick: u32) -> Instant {
    use std::sync::OnceLock;
    static ZERO: OnceLock<Instant> = OnceLock::new();
    // Long before any of it there is time for clocks that are behind.
    *ZERO.get_or_init(Instant::now) + TICK * (tick + 10)
}

/// The table's time as a task reads it: one is a tick ahead of the other.
fn read_clock(task: usize, now: u32) -> Instant {
    at(now + u32::from(task == 0))
}

impl World {
    fn new() -> Self {
        let task = || Task {
            claims: Claims::default(),
            doing: Doing::Holding,
        };
        Self {
            now: 0,
            item: None,
            calls: BTreeSet::new(),
            tasks: [task(), task()],
            mails: Vec::new(),
            crashes: 0,
            claims: 0,
        }
    }

    /// Every world that can be next.
    fn next(&self, rules: Rules) -> Result<Vec<Self>, Breach> {
        let mut next = Vec::new();
        for task in 0..2 {
            self.step(task, rules, &mut next)?;
        }
        for call in &self.calls {
            self.deliver(call, &mut next)?;
        }
        self.hear(rules, &mut next);
        if let Some(later) = self.later(rules) {
            next.push(later);
        }
        Ok(next)
    }

    fn with(&self, task: usize, change: impl FnOnce(&mut Self, u32)) -> Self {
        let mut world = self.clone();
        change(&mut world, self.now);
        if world.tasks[task].doing == Doing::Done {
            world.tasks[task].claims = Claims::default();
        }
        world
    }

    /// What a task may do by itself.
    fn step(&self, task: usize, rules: Rules, next: &mut Vec<Self>) -> Result<(), Breach> {
        let doing = &self.tasks[task].doing;
        match doing {
            Doing::Holding if self.claims < CLAIMS_MAX => {
                next.push(self.with(task, |world, now| world.ask(task, now, rules)));
                next.push(self.with(task, |world, _| world.end(task)));
            }
            Doing::Asking { asked, .. } if self.now > *asked => {
                // It has waited long enough: call or answer has been lost, or comes later.
                next.push(self.with(task, |world, _| world.tasks[task].doing = Doing::Holding));
            }
            Doing::Granted => next.push(self.begin_send(task, rules)?),
            Doing::Sending { .. } => {
                let accepted = |is_settled| Mail {
                    accepted: self.now,
                    is_settled,
                    heard: false,
                };
                next.push(self.with(task, |world, _| {
                    world.mails.push(accepted(true));
                    let id = format!("mail {}", world.mails.len());
                    let born = self.now;
                    world.calls.insert(Call::Record { born, email_id: id });
                    world.tasks[task].claims.sent();
                    world.tasks[task].doing = Doing::Done;
                }));
                next.push(self.with(task, |world, _| {
                    world.tasks[task].claims.not_sent();
                    world.tasks[task].doing = Doing::Holding;
                }));
                for went in [true, false] {
                    next.push(self.with(task, |world, now| {
                        world.mails.extend(went.then(|| accepted(false)));
                        world.tasks[task].doing = Doing::Waiting { since: now };
                    }));
                }
            }
            Doing::Waiting { since } => {
                if self.now > since + 1 || !rules.events {
                    next.push(self.with(task, |world, _| world.tasks[task].doing = Doing::Holding));
                }
                // Its lease is lost, and its message comes again.
                next.push(self.with(task, |world, _| world.end(task)));
            }
            Doing::Holding | Doing::Asking { .. } | Doing::Done => {}
        }
        let alive = *doing != Doing::Done;
        if alive && self.crashes < CRASHES_MAX {
            next.push(self.with(task, |world, now| {
                if matches!(doing, Doing::Sending { .. }) {
                    // What it was sending may have gone.
                    world.mails.push(Mail {
                        accepted: now,
                        is_settled: false,
                        heard: false,
                    });
                }
                world.crashes += 1;
                world.tasks[task].claims = Claims::default();
                world.tasks[task].doing = Doing::Holding;
            }));
        }
        Ok(())
    }

    fn ask(&mut self, task: usize, now: u32, rules: Rules) {
        self.claims += 1;
        let number = if rules.fresh_owners { self.claims } else { 0 };
        let owner = format!("{task}-{number}");
        let earlier = self.tasks[task].claims.ask(&owner);
        let read = read_clock(task, now);
        let put = Put {
            owner: owner.clone(),
            earlier,
            now: read,
            until: read + TICK * rules.lasts,
        };
        let born = now;
        self.calls.insert(Call::Claim { born, task, put });
        self.tasks[task].doing = Doing::Asking { owner, asked: now };
    }

    /// A receipt ends without an outcome, and its message comes again as another.
    fn end(&mut self, task: usize) {
        let left = self.tasks[task].claims.left();
        if !left.is_empty() {
            let born = self.now;
            self.calls.insert(Call::TakeBack { born, owners: left });
        }
        self.tasks[task].claims = Claims::default();
        self.tasks[task].doing = Doing::Holding;
    }

    fn begin_send(&self, task: usize, rules: Rules) -> Result<Self, Breach> {
        let mut world = self.clone();
        let may_begin = world.tasks[task].claims.begin_send(at(self.now));
        if !may_begin && rules.begin_checked {
            world.tasks[task].doing = Doing::Holding;
            return Ok(world);
        }
        let other = &self.tasks[1 - task].doing;
        if matches!(other, Doing::Sending { .. }) {
            return Err("two tasks send at the same time".to_owned());
        }
        if self.mails.iter().any(|mail| mail.is_settled) {
            return Err("a mail whose sender knew it as sent was sent again".to_owned());
        }
        if rules.events && !self.mails.is_empty() {
            return Err("a mail was sent again although its event arrives".to_owned());
        }
        world.tasks[task].doing = Doing::Sending { began: self.now };
        Ok(world)
    }

    /// A call reaches the table. Its answer may be lost.
    fn deliver(&self, call: &Call, next: &mut Vec<Self>) -> Result<(), Breach> {
        let was_sent = matches!(self.item, Some(Item::Sent { .. }));
        let mut world = self.clone();
        world.calls.remove(call);
        match call {
            Call::Record { email_id, .. } => {
                world.item = Some(Item::Sent {
                    email_id: email_id.clone(),
                });
            }
            Call::TakeBack { owners, .. } => take_back(&mut world.item, owners),
            Call::Claim { task, put, .. } => {
                let claimed = put.write(&mut world.item);
                next.push(world.clone());
                let Task { claims, doing } = &mut world.tasks[*task];
                let asked = match doing {
                    Doing::Asking { owner, asked } if *owner == put.owner => Some(*asked),
                    _ => None,
                };
                if let Some(asked) = asked {
                    *doing = match claimed {
                        Claimed::Ours { .. } => {
                            claims.granted(&put.owner, at(asked + 1));
                            Doing::Granted
                        }
                        Claimed::Sent { .. } => Doing::Done,
                        Claimed::Sending { .. } | Claimed::Unreadable => Doing::Holding,
                    };
                }
            }
        }
        let limit = at(self.now) + TICK * (LASTS + 1);
        if matches!(&world.item, Some(Item::Sending { until, .. }) if *until > limit) {
            return Err("a claim stands longer than one may".to_owned());
        }
        if was_sent && !matches!(world.item, Some(Item::Sent { .. })) {
            return Err("what stood as sent stands so no more".to_owned());
        }
        next.push(world);
        Ok(())
    }

    /// An event reaches a task, which records it and tells whoever waits there.
    fn hear(&self, rules: Rules, next: &mut Vec<Self>) {
        for (place, mail) in self.mails.iter().enumerate() {
            if !rules.events || mail.heard {
                continue;
            }
            for task in 0..2 {
                let mut world = self.clone();
                world.mails[place].heard = true;
                // The event is deleted only when this stands.
                world.item = Some(Item::Sent {
                    email_id: format!("mail {}", place + 1),
                });
                let doing = &mut world.tasks[task].doing;
                if !matches!(doing, Doing::Sending { .. }) {
                    *doing = Doing::Done;
                    world.tasks[task].claims = Claims::default();
                }
                next.push(world);
            }
        }
    }

    /// The next tick, where nothing has to come before it.
    fn later(&self, rules: Rules) -> Option<Self> {
        let is_sending =
            |task: &Task| matches!(task.doing, Doing::Sending { began } if began < self.now);
        let is_due = |mail: &Mail| rules.events && !mail.heard && mail.accepted < self.now;
        // Its writer writes it again and again, and lives.
        let is_owed = |call: &Call| matches!(call, Call::Record { born, .. } if *born < self.now);
        if self.calls.iter().any(is_owed) {
            return None;
        }
        if self.now == END || self.tasks.iter().any(is_sending) || self.mails.iter().any(is_due) {
            return None;
        }
        let mut world = self.clone();
        world.now += 1;
        // What comes later than that is lost.
        world
            .calls
            .retain(|call| self.now < call.born() + CALL_LIVES);
        Some(world)
    }
}

/// Looks at every world that can be reached. Returns how many there are.
fn search(rules: Rules) -> Result<usize, Breach> {
    let mut seen = HashSet::new();
    let mut open = vec![World::new()];
    let hasher = std::hash::RandomState::new();
    while let Some(world) = open.pop() {
        // Worlds are many, and their hashes small.
        if !seen.insert(hasher.hash_one(&world)) {
            continue;
        }
        open.extend(world.next(rules)?);
    }
    Ok(seen.len())
}

fn breach(rules: Rules) -> Breach {
    search(rules).expect_err("no order of steps breaks it")
}

#[test]
fn where_events_arrive_no_order_of_calls_crashes_and_time_sends_twice() {
    let worlds = search(PROGRAM).unwrap_or_else(|breach| panic!("{breach}"));
    assert!(worlds > 100_000, "{worlds}");
}

#[test]
fn without_events_nothing_is_sent_again_but_what_nobody_knows_to_be_sent() {
    let rules = Rules {
        events: false,
        ..PROGRAM
    };
    let worlds = search(rules).unwrap_or_else(|breach| panic!("{breach}"));
    assert!(worlds > 100_000, "{worlds}");
}

#[test]
fn a_claim_that_does_not_outlast_the_event_and_the_clocks_would_break_it() {
    let lasts = LASTS - 1;
    breach(Rules { lasts, ..PROGRAM });
}

#[test]
fn a_claim_that_is_not_looked_at_before_the_send_would_break_it() {
    breach(Rules {
        begin_checked: false,
        ..PROGRAM
    });
}

#[test]
fn one_id_for_all_claims_of_a_task_would_break_it() {
    breach(Rules {
        fresh_owners: false,
        ..PROGRAM
    });
}
