//! Sends that had no answer, and events that show that they were accepted after all.

use super::*;

const UNKNOWN: Result<(), SendFailureKind> = Err(SendFailureKind::OutcomeUnknown);

impl Bench {
    /// A send that has no answer, and what is left of its permission.
    fn unanswered(&mut self, key: &str) -> (Unanswered, Option<Transition<MailCause>>) {
        let permission = self.begin(key);
        let unanswered = permission.unanswered();
        (unanswered, self.report(permission, UNKNOWN))
    }

    fn hear(&mut self, unanswered: &Unanswered) -> Option<Transition<MailCause>> {
        self.breaker.hear(unanswered, self.now, self.now)
    }
}

#[test]
fn an_event_between_them_keeps_silent_sends_from_opening_it() {
    let mut bench = Bench::new();
    for number in 0..20 {
        let (sent, opened) = bench.unanswered(&number.to_string());
        assert_eq!(opened, None);
        assert_eq!(bench.hear(&sent), None);
    }
}

#[test]
fn an_event_of_the_probe_closes_it() {
    let mut bench = Bench::failing();
    bench.pass(1);
    let (probe, _) = bench.unanswered("x");
    bench.pass(20);
    let closed = bench.hear(&probe);
    assert!(
        matches!(closed, Some(Transition::Closed { .. })),
        "{closed:?}"
    );
    assert!(!bench.breaker.is_open());
}

#[test]
fn an_event_of_a_send_from_before_the_opening_brings_the_probe_forward_but_closes_nothing() {
    let mut bench = Bench::new();
    let (early, _) = bench.unanswered("early");
    bench.unanswered("y");
    let (_, opened) = bench.unanswered("z");
    assert!(opened.is_some());
    let ticket = bench.arrive("a");
    assert!(bench.ask(ticket).is_none());
    assert_eq!(bench.hear(&early), None);
    assert!(bench.breaker.is_open());
    assert!(bench.ask(ticket).is_some_and(|probe| probe.is_probe()));
}

#[test]
fn an_event_of_an_earlier_openings_probe_says_nothing_of_this_one() {
    let mut bench = Bench::failing();
    bench.pass(1);
    let (probe, _) = bench.unanswered("x");
    bench.pass(10);
    assert!(bench.send("x", Ok(())).is_some());
    for key in ["x", "y", "z"] {
        bench.send(key, TRANSIENT);
    }
    assert_eq!(bench.hear(&probe), None);
    assert!(bench.breaker.is_open());
}

#[test]
fn a_probe_under_way_while_an_event_closes_it_changes_nothing_more() {
    for result in [Ok(()), TRANSIENT, Err(SUSPENDED)] {
        let mut bench = Bench::failing();
        bench.pass(1);
        let (first, _) = bench.unanswered("x");
        bench.pass(10);
        let second = bench.begin("y");
        assert!(bench.hear(&first).is_some());
        for key in ["x", "y", "z"] {
            bench.send(key, TRANSIENT);
        }
        assert_eq!(bench.report(second, result), None, "{result:?}");
        assert!(bench.breaker.is_open());
        let ticket = bench.arrive("a");
        bench.pass(1);
        assert!(bench.ask(ticket).is_some(), "the new opening has its probe");
    }
}

#[test]
fn an_event_is_the_acceptance_that_a_suspect_needs() {
    let mut bench = Bench::new();
    bench.send("bad", Err(SendFailureKind::Refused));
    bench.pass(1);
    let (good, _) = bench.unanswered("good");
    bench.hear(&good);
    let bad = bench.begin("bad");
    let refused = failure(SendFailureKind::Refused, "Code");
    let verdict = bench
        .breaker
        .report(bad, bench.now, Err(&refused), bench.now);
    assert!(verdict.at_fault);
}

#[test]
fn an_event_of_the_starts_witness_closes_it() {
    let now = Instant::now();
    let mut breaker = MailBreaker::new(settings(true), now);
    let witness = breaker.ask_witness(now).unwrap();
    let unanswered = witness.unanswered();
    let unknown = failure(SendFailureKind::OutcomeUnknown, "timeout");
    breaker.report_witness(&witness, now, Err(&unknown), now);
    assert!(breaker.is_open());
    let later = now + 10 * SECOND;
    let closed = breaker.hear_witness(&unanswered, now, Standing::Good, later);
    assert!(matches!(closed, Some(Transition::Closed { .. })));
}

#[test]
fn an_event_of_a_witness_from_before_says_nothing_of_a_refusal_of_every_mail() {
    let now = Instant::now();
    let mut breaker = MailBreaker::new(settings(true), now);
    let witness = breaker.ask_witness(now).unwrap();
    let unanswered = witness.unanswered();
    let unknown = failure(SendFailureKind::OutcomeUnknown, "timeout");
    breaker.report_witness(&witness, now, Err(&unknown), now);
    let later = now + 2 * SECOND;
    let next = breaker.ask_witness(later).unwrap();
    let suspended = failure(SUSPENDED, "AccountSuspendedException");
    breaker.report_witness(&next, later, Err(&suspended), later);
    let heard = breaker.hear_witness(&unanswered, now, Standing::Good, later);
    // It was accepted before the refusal, and what it was the probe of has changed its cause.
    assert_eq!(heard, None);
    assert!(breaker.is_open());
}
