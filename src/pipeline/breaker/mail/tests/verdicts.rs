//! Whose fault a refusal is: suspects, witnesses, and what they lead to.

use super::*;

pub(super) const REFUSED: SendFailureKind = SendFailureKind::Refused;
pub(super) const DENIED: SendFailureKind = SendFailureKind::AccountWide(AccountCause::AccessDenied);

/// What a message's send came to.
#[derive(Debug, PartialEq)]
pub(super) enum Sent {
    /// It may not go now.
    Waits,
    Accepted,
    Suspected,
    AtFault,
}

impl Bench {
    pub(super) fn with_witnesses() -> Self {
        let mut bench = Self {
            breaker: MailBreaker::new(settings(true), Instant::now()),
            now: Instant::now(),
        };
        assert!(bench.breaker.is_open(), "until the first witness");
        assert!(bench.witness(Ok(Standing::Good)));
        assert!(!bench.breaker.is_open());
        bench.pass(60);
        bench
    }

    /// One whose simulator may not be mailed.
    pub(super) fn with_mute_witnesses() -> Self {
        let mut bench = Self::with_witnesses();
        bench.tried("a", Err((REFUSED, "Mine")));
        bench.pass(1);
        assert!(bench.witness(Err((DENIED, "AccessDenied"))));
        bench.breaker.forget("a");
        bench
    }

    /// A whole send of one message, if it may go.
    pub(super) fn tried(&mut self, key: &str, result: Result<(), (SendFailureKind, &str)>) -> Sent {
        let ticket = self.arrive(key);
        let Some(permission) = self.ask(ticket) else {
            self.breaker.leave(ticket);
            return Sent::Waits;
        };
        let failure = result.err().map(|(kind, code)| failure(kind, code));
        let result = failure.as_ref().map_or(Ok(()), Err);
        let verdict = self.breaker.report(permission, self.now, result, self.now);
        match (result.is_ok(), verdict.at_fault) {
            (true, _) => Sent::Accepted,
            (false, true) => Sent::AtFault,
            (false, false) => Sent::Suspected,
        }
    }

    pub(super) fn refused(&mut self, key: &str) -> Sent {
        self.tried(key, Err((REFUSED, "Code")))
    }

    /// A whole witness, if one is due.
    pub(super) fn witness(&mut self, result: Result<Standing, (SendFailureKind, &str)>) -> bool {
        let Ok(permission) = self.breaker.ask_witness(self.now) else {
            return false;
        };
        let result = result.map_err(|(kind, code)| failure(kind, code));
        let result = result.as_ref().copied();
        self.breaker
            .report_witness(&permission, self.now, result, self.now);
        true
    }

    pub(super) fn millis(&mut self, millis: u64) {
        self.now += Duration::from_millis(millis);
    }

    pub(super) fn cause(&self) -> Option<MailCause> {
        self.breaker.status().map(|status| status.cause)
    }
}

#[test]
fn refused_accepted_and_refused_again_is_at_fault_and_every_other_order_is_not() {
    // R is a refusal of the message, A an acceptance of another. Each step is a second and a half
    // after the one before.
    for (steps, at_fault) in [
        ("RAR", true),
        ("R", false),
        ("AR", false),
        ("ARA", false),
        ("RA", false),
        ("AARA", false),
        ("ARAR", true),
        ("RAAR", true),
    ] {
        let mut bench = Bench::with_witnesses();
        let mut last = None;
        for (number, step) in steps.chars().enumerate() {
            last = Some(match step {
                'A' => bench.tried(&format!("good-{number}"), Ok(())),
                _ => bench.refused("bad"),
            });
            bench.millis(1500);
        }
        assert_eq!(last == Some(Sent::AtFault), at_fault, "{steps}");
    }
}

#[test]
fn a_suspect_does_not_try_again_before_another_mail_was_accepted() {
    let mut bench = Bench::with_witnesses();
    assert_eq!(bench.refused("bad"), Sent::Suspected);
    bench.pass(5);
    assert_eq!(bench.refused("bad"), Sent::Waits);
    bench.tried("good", Ok(()));
    assert_eq!(bench.refused("bad"), Sent::AtFault);
}

#[test]
fn the_second_refusal_counts_a_second_after_the_first_at_the_earliest() {
    let mut bench = Bench::with_witnesses();
    bench.refused("bad");
    bench.tried("good", Ok(()));
    bench.millis(999);
    assert_eq!(bench.refused("bad"), Sent::Waits);
    bench.millis(1);
    assert_eq!(bench.refused("bad"), Sent::AtFault);
}

#[test]
fn an_acceptance_that_began_before_the_refusal_proves_nothing() {
    let mut bench = Bench::with_witnesses();
    let early = bench.begin("good");
    let began = bench.now;
    bench.millis(100);
    bench.refused("bad");
    bench.pass(2);
    bench.breaker.report(early, began, Ok(()), bench.now);
    assert_eq!(bench.refused("bad"), Sent::Waits);
}

#[test]
fn an_acceptance_at_the_end_of_an_outage_rejects_nobody() {
    let mut bench = Bench::with_witnesses();
    for key in ["a", "b"] {
        assert_eq!(bench.refused(key), Sent::Suspected);
    }
    bench.pass(1);
    bench.tried("first", Ok(()));
    for key in ["a", "b"] {
        assert_eq!(bench.tried(key, Ok(())), Sent::Accepted);
    }
}

#[test]
fn a_service_that_changes_its_mind_every_ten_seconds_and_more_rejects_nobody() {
    for (refuses, accepts) in [(10, 10), (10, 30), (45, 10), (60, 60)] {
        for offset in 0..refuses + accepts {
            let mut bench = Bench::with_witnesses();
            // A message in each second; each that is a suspect is tried as soon as it may.
            for second in offset..offset + 300 {
                let up = second % (refuses + accepts) >= refuses;
                let result = if up { Ok(()) } else { Err((REFUSED, "Code")) };
                let word = if up {
                    Ok(Standing::Good)
                } else {
                    Err((REFUSED, "Code"))
                };
                for key in ["a", "b", "c"] {
                    let sent = bench.tried(key, result);
                    assert_ne!(
                        sent,
                        Sent::AtFault,
                        "{refuses}/{accepts} from {offset} at {second}"
                    );
                    bench.witness(word);
                    bench.millis(333);
                }
            }
        }
    }
}
