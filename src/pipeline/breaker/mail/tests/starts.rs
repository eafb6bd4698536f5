//! What a task does that has not mailed anything yet.

use super::{
    verdicts::{DENIED, REFUSED},
    *,
};

#[test]
fn at_the_start_a_witness_that_fails_receives_nothing_and_one_without_a_word_one_message() {
    let mut bench = Bench {
        breaker: MailBreaker::new(settings(true), Instant::now()),
        now: Instant::now(),
    };
    let failing = (SendFailureKind::Transient, "Failing");
    for _ in 0..2 {
        assert!(!bench.breaker.wants_probe_message(bench.now));
        assert!(bench.witness(Err(failing)));
        assert_eq!(bench.cause(), Some(MailCause::Starting));
        bench.pass(8);
    }
    assert!(bench.witness(Err(failing)));
    assert_eq!(bench.cause(), Some(MailCause::Failing));
    bench.pass(60);
    assert!(bench.breaker.wants_probe_message(bench.now));
    let first = bench.arrive("first");
    bench.pass(60);
    assert!(!bench.breaker.wants_probe_message(bench.now), "one at most");
    assert!(bench.ask(first).is_some());
    bench.pass(60);
    assert!(!bench.breaker.wants_probe_message(bench.now), "one at most");
}

#[test]
fn at_a_start_without_witnesses_three_bad_ones_keep_out_the_fourth_no_longer_than_a_suspect_is_held()
 {
    let mut bench = Bench::new();
    let bad = ["a", "b", "c"];
    for key in bad {
        bench.refused(key);
    }
    assert_eq!(bench.cause(), Some(MailCause::Refused));
    let hold = settings(false).suspect_hold_max;
    for _ in 0..3 {
        bench.pass(60);
        let waiting: Vec<_> = bad.map(|key| bench.arrive(key)).to_vec();
        assert!(!bench.breaker.wants_probe_message(bench.now));
        let probe = waiting.iter().find_map(|ticket| bench.ask(*ticket));
        bench.report(probe.expect("one is the probe"), Err(REFUSED));
        for ticket in waiting {
            bench.breaker.leave(ticket);
        }
    }
    for key in bad {
        bench.arrive(key);
    }
    bench.now += hold.saturating_sub(Duration::from_secs(181));
    assert!(!bench.breaker.wants_probe_message(bench.now));
    bench.pass(1);
    assert!(bench.breaker.wants_probe_message(bench.now));
    bench.breaker.probe_receive_started(bench.now);
    let good = bench.arrive("good");
    let probe = bench.ask(good).expect("the untried one probes");
    assert!(bench.report(probe, Ok(())).is_some());
    assert_eq!(bench.cause(), None);
}

#[test]
fn at_the_start_a_role_that_may_not_mail_the_simulator_lets_the_first_message_tell() {
    let mut bench = Bench {
        breaker: MailBreaker::new(settings(true), Instant::now()),
        now: Instant::now(),
    };
    assert!(bench.witness(Err((DENIED, "AccessDenied"))));
    assert_eq!(bench.cause(), None);
}

#[test]
fn at_the_start_a_paused_account_is_asked_before_the_next_witness() {
    let mut bench = Bench {
        breaker: MailBreaker::new(settings(true), Instant::now()),
        now: Instant::now(),
    };
    assert!(bench.witness(Err((SUSPENDED, "AccountSuspendedException"))));
    bench.pass(60);
    assert!(!bench.witness(Ok(Standing::Good)), "before it was asked");
    assert!(bench.begin_check());
    bench
        .breaker
        .end_account_check(AccountWord::Sends, bench.now);
    assert!(bench.witness(Ok(Standing::Good)));
}

#[test]
fn at_the_start_witnesses_that_are_refused_stop_it_and_after_a_minute_one_message_tells() {
    for accepted in [true, false] {
        let mut bench = Bench {
            breaker: MailBreaker::new(settings(true), Instant::now()),
            now: Instant::now(),
        };
        for wait in [1, 2, 4, 8, 16, 32] {
            assert!(bench.witness(Err((REFUSED, "Code"))));
            assert_eq!(bench.cause(), Some(MailCause::Refused));
            assert!(!bench.breaker.wants_probe_message(bench.now));
            bench.pass(wait);
            assert!(!bench.breaker.wants_probe_message(bench.now));
        }
        assert!(bench.witness(Err((REFUSED, "Code"))));
        assert!(bench.breaker.wants_probe_message(bench.now));
        let refused = Err((REFUSED, "Code"));
        let result = if accepted { Ok(()) } else { refused };
        bench.tried("first", result);
        assert_eq!(bench.cause().is_none(), accepted);
        // Where it is refused too, the witnesses were right, and no second one is spent.
        bench.pass(60);
        assert!(!bench.breaker.wants_probe_message(bench.now));
        assert_eq!(bench.witness(Err((REFUSED, "Code"))), !accepted);
        assert!(!bench.breaker.wants_probe_message(bench.now));
    }
}
