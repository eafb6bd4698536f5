//! Events in any order.

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Arrive(u8),
    Ask(usize),
    Leave(usize),
    Report(usize, Result<(), SendFailureKind>),
    Abandon(usize),
    Pass(u64),
    BeginCheck,
    EndCheck(AccountWord),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let result = prop::sample::select(vec![
        Ok(()),
        TRANSIENT,
        TRANSIENT,
        Err(SendFailureKind::OutcomeUnknown),
        Err(SendFailureKind::Throttled),
        Err(SendFailureKind::Refused),
        Err(SendFailureKind::RecipientNotVerified),
        Err(SUSPENDED),
        Err(UNVERIFIED),
    ]);
    let step = prop_oneof![
        4 => (0_u8..6).prop_map(Step::Arrive),
        6 => (0_usize..8).prop_map(Step::Ask),
        1 => (0_usize..8).prop_map(Step::Leave),
        5 => ((0_usize..8), result).prop_map(|(index, result)| Step::Report(index, result)),
        1 => (0_usize..8).prop_map(Step::Abandon),
        3 => (0_u64..70).prop_map(Step::Pass),
        1 => Just(Step::BeginCheck),
        2 => prop_oneof![
            Just(AccountWord::Refuses),
            Just(AccountWord::Sends),
            Just(AccountWord::SendsToVerified),
            Just(AccountWord::Nothing)
        ]
        .prop_map(Step::EndCheck),
    ];
    prop::collection::vec(step, 0..120)
}

fn take<T>(list: &mut Vec<T>, index: usize) -> Option<T> {
    (!list.is_empty()).then(|| list.remove(index % list.len()))
}

proptest! {
    #[test]
    fn whatever_happens_at_most_one_probes_and_a_probe_stays_possible(steps in steps()) {
        let mut bench = Bench::new();
        let mut tickets: Vec<Ticket> = Vec::new();
        let mut sending: Vec<Permission> = Vec::new();
        for step in steps {
            let was_open = bench.breaker.is_open();
            match step {
                Step::Arrive(key) => tickets.push(bench.arrive(&key.to_string())),
                Step::Ask(index) => {
                    if let Some(ticket) = take(&mut tickets, index) {
                        match bench.ask(ticket) {
                            None => tickets.push(ticket),
                            Some(permission) => {
                                prop_assert_eq!(permission.is_probe(), was_open);
                                sending.push(permission);
                            }
                        }
                    }
                }
                Step::Leave(index) => {
                    if let Some(ticket) = take(&mut tickets, index) {
                        prop_assert!(bench.breaker.leave(ticket));
                    }
                }
                Step::Report(index, result) => {
                    if let Some(permission) = take(&mut sending, index) {
                        let transition = bench.report(permission, result);
                        let open = bench.breaker.is_open();
                        match transition {
                            Some(Transition::Opened { .. }) => prop_assert!(!was_open && open),
                            Some(Transition::Changed { .. }) => prop_assert!(was_open && open),
                            Some(Transition::Closed { .. }) => {
                                prop_assert!(was_open && !open && result.is_ok());
                            }
                            None => prop_assert_eq!(was_open, open),
                        }
                    }
                }
                Step::Abandon(index) => {
                    if let Some(permission) = take(&mut sending, index) {
                        bench.breaker.abandon(&permission, bench.now);
                    }
                }
                Step::Pass(seconds) => bench.pass(seconds),
                Step::BeginCheck => {
                    bench.begin_check();
                }
                Step::EndCheck(word) => bench.breaker.end_account_check(word, bench.now),
            }
            prop_assert!(sending.iter().filter(|permission| permission.is_probe()).count() <= 1);
        }
        // Whoever had something under way is done with it, and the longest delay has passed.
        for permission in sending {
            bench.breaker.abandon(&permission, bench.now);
        }
        bench.breaker.end_account_check(AccountWord::Nothing, bench.now);
        bench.pass(60);
        if bench.begin_check() {
            bench.breaker.end_account_check(AccountWord::Nothing, bench.now);
        }
        if tickets.is_empty() {
            prop_assert_eq!(bench.breaker.wants_probe_message(bench.now), bench.breaker.is_open());
        } else {
            let went = tickets.into_iter().filter(|ticket| bench.ask(*ticket).is_some()).count();
            prop_assert!(went >= 1);
        }
    }
}
