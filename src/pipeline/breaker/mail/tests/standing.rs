//! Witnesses that were accepted and proved nothing, for what the account says of itself.

use super::{
    verdicts::{DENIED, REFUSED, Sent},
    *,
};

#[test]
fn a_witness_that_was_accepted_and_proved_nothing_tells_again_after_minutes() {
    let mut bench = Bench::with_witnesses();
    bench.refused("a");
    bench.pass(1);
    bench.witness(Err((REFUSED, "Code")));
    assert_eq!(bench.cause(), Some(MailCause::Refused));
    bench.pass(2);
    assert!(bench.witness(Ok(Standing::Limited)));
    bench.pass(4);
    assert_eq!(bench.refused("a"), Sent::Suspected);
    bench.pass(60);
    assert!(!bench.witness(Ok(Standing::Good)));
    bench.pass(240);
    assert_eq!(bench.refused("a"), Sent::Suspected);
    bench.pass(60);
    assert!(bench.witness(Ok(Standing::Good)));
    assert_eq!(bench.cause(), None);
}

#[test]
fn a_role_that_may_not_write_to_those_held_keeps_no_account_out_that_has_left_the_sandbox() {
    let mut bench = Bench::with_witnesses();
    bench.send("a", Err(DENIED));
    bench.pass(2);
    assert!(bench.witness(Ok(Standing::Limited)));
    bench.pass(60);
    bench.send("a", Err(DENIED));
    bench.pass(60);
    assert!(!bench.witness(Ok(Standing::Good)), "messages are to tell");
    bench.pass(240);
    bench.send("a", Err(DENIED));
    bench.pass(60);
    assert!(bench.witness(Ok(Standing::Good)));
    assert_eq!(bench.cause(), None);
}
