//! When the mail breaker opens, probes and closes.

mod any_order;
mod events;
mod late_results;
mod standing;
mod starts;
mod verdicts;
mod witnesses;

use std::time::Duration;

use super::*;
use crate::{
    ports::{AccountCause, SendFailureKind},
    testing::breaker::{failure, settings},
};

const SECOND: Duration = Duration::from_secs(1);
const TRANSIENT: Result<(), SendFailureKind> = Err(SendFailureKind::Transient);
const SUSPENDED: SendFailureKind = SendFailureKind::AccountWide(AccountCause::Suspended);
const UNVERIFIED: SendFailureKind = SendFailureKind::AccountWide(AccountCause::SenderNotVerified);

/// A breaker with a clock of its own, asked as workers ask it.
struct Bench {
    breaker: MailBreaker,
    now: Instant,
}

impl Bench {
    fn new() -> Self {
        Self {
            breaker: MailBreaker::new(settings(false), Instant::now()),
            now: Instant::now(),
        }
    }

    /// One that transient failures have opened.
    fn failing() -> Self {
        let mut bench = Self::new();
        bench.send("first", Ok(()));
        for key in ["x", "y", "z"] {
            bench.send(key, TRANSIENT);
        }
        assert!(bench.breaker.is_open());
        bench
    }

    fn pass(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
    }

    fn arrive(&mut self, key: &str) -> Ticket {
        self.breaker.arrive(key)
    }

    fn ask(&mut self, ticket: Ticket) -> Option<Permission> {
        self.breaker.ask(ticket, self.now).ok()
    }

    fn begin_check(&mut self) -> bool {
        self.breaker.begin_account_check(self.now)
    }

    fn begin(&mut self, key: &str) -> Permission {
        let ticket = self.arrive(key);
        self.ask(ticket).expect("it may go")
    }

    fn report(
        &mut self,
        permission: Permission,
        result: Result<(), SendFailureKind>,
    ) -> Option<Transition<MailCause>> {
        let result = result.map_err(|kind| failure(kind, "Code"));
        let result = result.as_ref().copied();
        self.breaker
            .report(permission, self.now, result, self.now)
            .transition
    }

    fn send(
        &mut self,
        key: &str,
        result: Result<(), SendFailureKind>,
    ) -> Option<Transition<MailCause>> {
        let permission = self.begin(key);
        self.report(permission, result)
    }
}

#[test]
fn three_distinct_messages_that_fail_in_a_row_open_it() {
    let mut bench = Bench::new();
    assert_eq!(bench.send("a", TRANSIENT), None);
    assert_eq!(bench.send("b", Err(SendFailureKind::OutcomeUnknown)), None);
    let cause = MailCause::Failing;
    assert_eq!(
        bench.send("c", TRANSIENT),
        Some(Transition::Opened { cause })
    );
}

#[test]
fn one_message_that_fails_often_does_not_open_it() {
    let mut bench = Bench::new();
    for _ in 0..20 {
        assert_eq!(bench.send("a", TRANSIENT), None);
        assert_eq!(bench.send("b", TRANSIENT), None);
    }
}

#[test]
fn where_fewer_may_be_held_all_of_them_failing_three_times_open_it() {
    for (room, keys) in [
        (1, ["a", "a", "a"]),
        (2, ["a", "b", "a"]),
        (2, ["a", "a", "b"]),
    ] {
        let mut bench = Bench::new();
        bench.breaker.set_room(room);
        assert_eq!(bench.send(keys[0], TRANSIENT), None);
        assert_eq!(bench.send(keys[1], TRANSIENT), None);
        let cause = MailCause::Failing;
        let opened = bench.send(keys[2], TRANSIENT);
        assert_eq!(
            opened,
            Some(Transition::Opened { cause }),
            "{room}: {keys:?}"
        );
    }
    let mut bench = Bench::new();
    bench.breaker.set_room(2);
    for _ in 0..20 {
        assert_eq!(bench.send("a", TRANSIENT), None);
    }
    bench.send("b", Ok(()));
    bench.breaker.set_room(1);
    assert_eq!(bench.send("a", TRANSIENT), None);
    assert_eq!(bench.send("a", TRANSIENT), None);
    assert!(bench.send("a", TRANSIENT).is_some());
}

#[test]
fn a_success_begins_the_count_again() {
    let mut bench = Bench::new();
    for key in ["a", "b"] {
        bench.send(key, TRANSIENT);
    }
    bench.send("c", Ok(()));
    for key in ["d", "e"] {
        assert_eq!(bench.send(key, TRANSIENT), None);
    }
    assert!(bench.send("f", TRANSIENT).is_some());
}

#[test]
fn throttling_never_opens_it() {
    let mut bench = Bench::new();
    for number in 0..50 {
        let throttled = Err(SendFailureKind::Throttled);
        assert_eq!(bench.send(&number.to_string(), throttled), None);
    }
}

#[test]
fn a_refusal_of_every_mail_opens_it_at_once() {
    let mut bench = Bench::new();
    let cause = MailCause::Account(AccountCause::SenderNotVerified);
    assert_eq!(
        bench.send("a", Err(UNVERIFIED)),
        Some(Transition::Opened { cause })
    );
}

#[test]
fn probes_come_after_one_second_doubling_to_a_minute_and_begin_again_with_each_opening() {
    for _ in 0..2 {
        let mut bench = Bench::failing();
        for wait in [1, 2, 4, 8, 16, 32, 60, 60] {
            let ticket = bench.arrive("a");
            bench.pass(wait - 1);
            assert!(bench.ask(ticket).is_none(), "before {wait} s");
            bench.pass(1);
            let probe = bench.ask(ticket).expect("the probe is due");
            assert_eq!(bench.report(probe, TRANSIENT), None);
        }
        bench.pass(60);
        let open_for = Duration::from_secs(1 + 2 + 4 + 8 + 16 + 32 + 60 + 60 + 60);
        let cause = MailCause::Failing;
        assert_eq!(
            bench.send("a", Ok(())),
            Some(Transition::Closed { cause, open_for })
        );
        assert!(!bench.begin("b").is_probe());
    }
}

#[test]
fn one_message_probes_at_a_time() {
    let mut bench = Bench::failing();
    let (first, second) = (bench.arrive("a"), bench.arrive("b"));
    bench.pass(1);
    let probe = bench.ask(first).expect("the first probes");
    assert!(probe.is_probe());
    bench.pass(3600);
    assert!(bench.ask(second).is_none());
}

#[test]
fn those_untried_probe_first_and_then_each_in_turn() {
    let mut bench = Bench::failing();
    let mut tickets: Vec<_> = ["a", "b", "c"].map(|key| (key, bench.arrive(key))).to_vec();
    let mut probed = String::new();
    for round in 0..8 {
        if round == 4 {
            tickets.push(("d", bench.arrive("d")));
        }
        bench.pass(60);
        let turn = tickets.iter().position(|(_, ticket)| {
            let Some(probe) = bench.ask(*ticket) else {
                return false;
            };
            bench.report(probe, TRANSIENT);
            true
        });
        let (key, _) = tickets.remove(turn.expect("one may probe"));
        probed.push_str(key);
        tickets.insert(0, (key, bench.arrive(key)));
    }
    assert_eq!(probed, "abcadbca");
}

#[test]
fn a_probe_that_was_not_sent_hands_on_at_once() {
    let mut bench = Bench::failing();
    let tickets = ["a", "b"].map(|key| bench.arrive(key));
    bench.pass(1);
    let dropped = bench.ask(tickets[0]).expect("a probes");
    bench.breaker.abandon(&dropped, bench.now);
    assert!(bench.ask(tickets[1]).is_some());
}

#[test]
fn throttled_and_refused_probes_neither_close_it_nor_hurry() {
    for kind in [SendFailureKind::Throttled, SendFailureKind::Refused] {
        let mut bench = Bench::failing();
        let other = bench.arrive("b");
        bench.pass(1);
        let probe = bench.ask(other).expect("b probes");
        assert_eq!(bench.report(probe, Err(kind)), None);
        let next = bench.arrive("c");
        assert!(bench.ask(next).is_none());
        bench.pass(2);
        assert!(bench.ask(next).is_some());
    }
}

#[test]
fn where_none_waits_a_message_is_wanted_when_the_probe_is_due() {
    let mut bench = Bench::failing();
    assert!(!bench.breaker.wants_probe_message(bench.now));
    let due = bench.breaker.next_due(bench.now);
    assert_eq!(due, Some(bench.now + SECOND));
    bench.pass(1);
    assert!(bench.breaker.wants_probe_message(bench.now));
    let ticket = bench.arrive("a");
    assert!(!bench.breaker.wants_probe_message(bench.now));
    let probe = bench.ask(ticket).expect("it probes");
    assert!(!bench.breaker.wants_probe_message(bench.now));
    bench.breaker.abandon(&probe, bench.now);
    assert!(bench.breaker.wants_probe_message(bench.now));
}

#[test]
fn where_each_that_waits_has_been_the_probe_one_more_is_wanted_up_to_a_limit() {
    let mut bench = Bench::failing();
    for number in 0..8 {
        let keys: Vec<_> = (0..=number).map(|key| key.to_string()).collect();
        bench.pass(60);
        let tickets: Vec<_> = keys.iter().map(|key| bench.arrive(key)).collect();
        assert!(
            !bench.breaker.wants_probe_message(bench.now),
            "{number}: untried"
        );
        let next = *tickets.last().unwrap();
        let probe = bench.ask(next).expect("the untried one probes");
        assert_eq!(bench.report(probe, TRANSIENT), None);
        bench.arrive(&number.to_string());
        bench.pass(60);
        let wanted = bench.breaker.wants_probe_message(bench.now);
        assert_eq!(wanted, number < 7, "{number}: all tried");
        bench.breaker.probe_receive_started(bench.now);
        assert!(
            !bench.breaker.wants_probe_message(bench.now),
            "one at a time"
        );
        let waiting: Vec<_> = bench.breaker.waiting.keys().copied().collect();
        for ticket in waiting {
            bench.breaker.leave(ticket);
        }
    }
}

#[test]
fn a_message_that_ends_before_it_was_tried_makes_room_for_another_at_once() {
    let mut bench = Bench::failing();
    bench.pass(60);
    for _ in 0..20 {
        assert!(bench.breaker.wants_probe_message(bench.now));
        bench.breaker.probe_receive_started(bench.now);
        assert!(!bench.breaker.wants_probe_message(bench.now));
        bench.breaker.ended_untried(bench.now);
    }
    // Only the one that was received last, and only until it is tried.
    bench.breaker.probe_receive_started(bench.now);
    let probe = bench.begin("tried");
    assert_eq!(bench.report(probe, TRANSIENT), None);
    bench.breaker.ended_untried(bench.now);
    bench.arrive("tried");
    assert!(!bench.breaker.wants_probe_message(bench.now));
    bench.pass(2);
    assert!(
        bench.breaker.wants_probe_message(bench.now),
        "the delays have not grown"
    );
}

#[test]
fn a_suspended_account_is_asked_before_each_probe() {
    let mut bench = Bench::new();
    bench.send("a", Err(SUSPENDED));
    let ticket = bench.arrive("a");
    assert!(!bench.begin_check());
    bench.pass(1);
    assert!(bench.ask(ticket).is_none() && !bench.breaker.wants_probe_message(bench.now));
    assert!(bench.begin_check());
    assert!(!bench.begin_check());
    bench
        .breaker
        .end_account_check(AccountWord::Refuses, bench.now);
    bench.pass(1);
    assert!(!bench.begin_check());
    bench.pass(1);
    bench.breaker.leave(ticket);
    for _ in 0..2 {
        assert!(bench.begin_check());
        bench
            .breaker
            .end_account_check(AccountWord::Sends, bench.now);
        let probe = bench.begin("a");
        bench.report(probe, Err(SUSPENDED));
        bench.pass(60);
    }
    assert!(bench.begin_check());
}

#[test]
fn another_refusal_of_a_probe_changes_the_cause_and_a_failure_does_not() {
    let mut bench = Bench::failing();
    bench.pass(1);
    let cause = MailCause::Account(AccountCause::SenderNotVerified);
    assert_eq!(
        bench.send("a", Err(UNVERIFIED)),
        Some(Transition::Changed { cause })
    );
    bench.pass(2);
    assert_eq!(bench.send("a", Err(UNVERIFIED)), None);
    bench.pass(4);
    assert_eq!(bench.send("a", TRANSIENT), None);
    assert_eq!(bench.breaker.status().unwrap().cause, cause);
}

#[test]
fn the_status_tells_cause_and_since_and_a_probe_that_failed_waits_on() {
    let mut bench = Bench::failing();
    let opened = bench.now;
    let first = bench.arrive("a");
    bench.pass(1);
    bench.arrive("b");
    let probe = bench.ask(first).expect("a probes");
    bench.pass(5);
    bench.report(probe, TRANSIENT);
    bench.arrive("a");
    bench.pass(4);
    assert_eq!(
        bench.breaker.status(),
        Some(Status {
            cause: MailCause::Failing,
            since: opened,
            cause_since: opened,
        })
    );
    assert_eq!(bench.breaker.waiting(), 2);
    assert_eq!(Bench::new().breaker.status(), None);
}
