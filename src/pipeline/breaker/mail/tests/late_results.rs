//! Results of sends that began before the breaker opened.

use super::*;

#[test]
fn a_success_from_before_the_opening_brings_the_probe_forward_but_closes_nothing() {
    let mut bench = Bench::new();
    let early = bench.begin("early");
    for key in ["x", "y", "z"] {
        bench.send(key, TRANSIENT);
    }
    assert!(!bench.breaker.is_current(&early));
    let ticket = bench.arrive("a");
    assert!(bench.ask(ticket).is_none());
    assert_eq!(bench.report(early, Ok(())), None);
    assert!(bench.breaker.is_open());
    assert!(bench.ask(ticket).is_some_and(|probe| probe.is_probe()));
}

#[test]
fn a_result_from_before_an_earlier_opening_says_nothing_of_this_one() {
    let mut bench = Bench::new();
    let (early, other) = (bench.begin("early"), bench.begin("other"));
    for _ in 0..2 {
        bench.pass(1);
        if bench.breaker.is_open() {
            bench.send("x", Ok(()));
        }
        for key in ["x", "y", "z"] {
            bench.send(key, TRANSIENT);
        }
    }
    assert_eq!(bench.report(early, Ok(())), None);
    assert_eq!(bench.report(other, Err(UNVERIFIED)), None);
    let ticket = bench.arrive("a");
    assert!(bench.ask(ticket).is_none());
}

#[test]
fn a_success_from_before_a_refusal_of_every_mail_changes_nothing() {
    let mut bench = Bench::new();
    let early = bench.begin("early");
    bench.send("a", Err(UNVERIFIED));
    assert_eq!(bench.report(early, Ok(())), None);
    let ticket = bench.arrive("a");
    assert!(bench.ask(ticket).is_none());
}

#[test]
fn a_refusal_from_before_the_opening_explains_the_failures() {
    let mut bench = Bench::new();
    let (early, late) = (bench.begin("early"), bench.begin("late"));
    for key in ["x", "y", "z"] {
        bench.send(key, TRANSIENT);
    }
    let cause = MailCause::Account(AccountCause::Suspended);
    assert_eq!(
        bench.report(early, Err(SUSPENDED)),
        Some(Transition::Changed { cause })
    );
    assert_eq!(bench.report(late, Err(UNVERIFIED)), None);
    bench.pass(1);
    assert!(bench.begin_check());
}

#[test]
fn results_from_before_an_opening_do_not_open_it_again_after_it_closed() {
    let mut bench = Bench::new();
    let early: Vec<_> = (0..9).map(|n| bench.begin(&n.to_string())).collect();
    for key in ["x", "y", "z"] {
        bench.send(key, TRANSIENT);
    }
    bench.pass(1);
    assert!(bench.send("x", Ok(())).is_some());
    for (number, permission) in early.into_iter().enumerate() {
        let result = if number < 4 {
            TRANSIENT
        } else {
            Err(UNVERIFIED)
        };
        assert_eq!(bench.report(permission, result), None);
    }
    assert!(!bench.breaker.is_open());
}
