//! The outcome of every ending.

use proptest::prelude::*;

use super::*;

const ENDINGS: [Ending; 11] = [
    Ending::Sent,
    Ending::AlreadySent,
    Ending::ControlMessage,
    Ending::Rejected,
    Ending::BudgetSpent,
    Ending::UnknownAtLimit,
    Ending::Drained,
    Ending::DrainedInSend,
    Ending::LeaseLost,
    Ending::Panicked { sent: true },
    Ending::Panicked { sent: false },
];

fn visible(seconds: u64) -> Settlement {
    Settlement::Visible {
        after: Duration::from_secs(seconds),
    }
}

#[test]
fn each_ending_has_its_outcome_and_settlement() {
    use Outcome as O;
    use Settlement::{Delete, Leave};
    // (ending, on the first of two receives, on the second of two)
    let table = [
        (Ending::Sent, (O::Sent, Delete), (O::Sent, Delete)),
        (
            Ending::AlreadySent,
            (O::Duplicate, Delete),
            (O::Duplicate, Delete),
        ),
        (
            Ending::ControlMessage,
            (O::Ignored, Delete),
            (O::Ignored, Delete),
        ),
        (
            Ending::Rejected,
            (O::Rejected, visible(2)),
            (O::Rejected, visible(0)),
        ),
        (
            Ending::BudgetSpent,
            (O::Deferred, visible(60)),
            (O::Exhausted, visible(0)),
        ),
        (
            Ending::UnknownAtLimit,
            (O::Deferred, visible(60)),
            (O::Exhausted, visible(0)),
        ),
        (
            Ending::Drained,
            (O::Released, visible(0)),
            (O::Released, visible(0)),
        ),
        (
            Ending::DrainedInSend,
            (O::Deferred, Leave),
            (O::Exhausted, Leave),
        ),
        (Ending::LeaseLost, (O::Lost, Leave), (O::Lost, Leave)),
        (
            Ending::Panicked { sent: true },
            (O::Panicked, Delete),
            (O::Panicked, Delete),
        ),
        (
            Ending::Panicked { sent: false },
            (O::Panicked, Leave),
            (O::Panicked, Leave),
        ),
    ];
    assert_eq!(table.map(|row| row.0), ENDINGS);
    for (ending, first, last) in table {
        assert_eq!(conclude(ending, 1, Some(2)), first, "{ending:?}, 1 of 2");
        assert_eq!(conclude(ending, 2, Some(2)), last, "{ending:?}, 2 of 2");
        assert_eq!(conclude(ending, 3, Some(2)), last, "{ending:?}, 3 of 2");
        assert_eq!(conclude(ending, 1, None), first, "{ending:?}, no limit");
    }
}

#[test]
fn a_rejected_message_comes_back_after_a_delay_that_doubles_to_half_a_minute() {
    for (receives, seconds) in [
        (0, 2),
        (1, 2),
        (2, 4),
        (3, 8),
        (4, 16),
        (5, 30),
        (6, 30),
        (u32::MAX, 30),
    ] {
        let (outcome, settlement) = conclude(Ending::Rejected, receives, None);
        assert_eq!(outcome, Outcome::Rejected);
        assert_eq!(settlement, visible(seconds), "after {receives} receives");
    }
}

#[test]
fn a_deferred_message_comes_back_after_a_delay_that_quadruples_to_an_hour() {
    for (receives, minutes) in [
        (0, 1),
        (1, 1),
        (2, 4),
        (3, 16),
        (4, 60),
        (5, 60),
        (u32::MAX, 60),
    ] {
        let (outcome, settlement) = conclude(Ending::BudgetSpent, receives, None);
        assert_eq!(outcome, Outcome::Deferred);
        assert_eq!(
            settlement,
            visible(60 * minutes),
            "after {receives} receives"
        );
    }
}

#[test]
fn the_last_receive_has_four_times_the_budget() {
    let budget = Duration::from_mins(15);
    assert_eq!(retry_budget(budget, 1, Some(2)), budget);
    assert_eq!(retry_budget(budget, 2, Some(2)), 4 * budget);
    assert_eq!(retry_budget(budget, 1, Some(1)), 4 * budget);
    assert_eq!(retry_budget(budget, 1000, None), budget);
    assert_eq!(retry_budget(Duration::MAX, 2, Some(2)), Duration::MAX);
}

#[test]
fn names_are_distinct_and_in_counting_order() {
    let mut names = Outcome::ALL.map(Outcome::name).to_vec();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), Outcome::ALL.len());
    for (index, outcome) in Outcome::ALL.into_iter().enumerate() {
        assert_eq!(outcome as usize, index);
    }
}

#[test]
fn a_balanced_tally_reads_as_an_equation() {
    let mut tally = Tally::default();
    assert_eq!(tally.to_string(), "received nothing");
    tally.receive(3);
    tally.end(Outcome::Sent);
    tally.end(Outcome::Sent);
    assert!(!tally.balanced());
    assert_eq!(tally.to_string(), "received 3 ≠ 2 sent");
    tally.end(Outcome::Lost);
    assert!(tally.balanced());
    assert_eq!(tally.to_string(), "received 3 = 2 sent + 1 lost");
}

proptest! {
    #[test]
    fn only_what_was_sent_or_holds_no_event_is_deleted(
        ending in prop::sample::select(ENDINGS.to_vec()),
        receives in 0_u32..2000,
        max in prop::option::of(1_u32..1001),
    ) {
        let (outcome, settlement) = conclude(ending, receives, max);
        let done = matches!(
            ending,
            Ending::Sent
                | Ending::AlreadySent
                | Ending::ControlMessage
                | Ending::Panicked { sent: true }
        );
        prop_assert_eq!(settlement == Settlement::Delete, done);
        // Whatever may have been mailed, or is somebody else's, is never made visible by us.
        if matches!(ending, Ending::DrainedInSend | Ending::LeaseLost | Ending::Panicked { sent: false }) {
            prop_assert_eq!(settlement, Settlement::Leave);
        }
        if let Settlement::Visible { after } = settlement {
            prop_assert!(after <= Duration::from_hours(1));
            prop_assert_eq!(after.subsec_nanos(), 0);
        }
        // Only a last receive exhausts, and without a limit none is the last.
        if outcome == Outcome::Exhausted {
            prop_assert!(max.is_some_and(|max| receives >= max));
        }
        if outcome == Outcome::Deferred {
            prop_assert!(!is_last_receive(receives, max));
        }
    }
}
