//! The table in memory, on which the ledger's tests stand, admits what the expressions of the real calls
//! admit.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::testing::{canned::at, table::TableInMemory};

/// One call, of any of three claims' owners.
#[derive(Clone, Debug)]
enum Step {
    Claim {
        owner: usize,
        earlier: Vec<usize>,
        ends_at_once: bool,
    },
    TakeBack(Vec<usize>),
    Record,
    Look,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let owners = || prop::collection::vec(0..3_usize, 0..3);
    let claim = (0..3_usize, owners(), any::<bool>());
    let step = prop_oneof![
        6 => claim.prop_map(|(owner, earlier, ends_at_once)| Step::Claim { owner, earlier, ends_at_once }),
        2 => owners().prop_map(Step::TakeBack),
        1 => Just(Step::Record),
        2 => Just(Step::Look),
    ];
    prop::collection::vec(step, 1..12)
}

/// What a table answered, without times.
async fn take(table: &dyn LedgerTable, key: &str, step: &Step) -> String {
    let names = |owners: &[usize]| -> Vec<String> {
        owners
            .iter()
            .map(|owner| format!("owner-{owner}"))
            .collect()
    };
    match step {
        Step::Claim {
            owner,
            earlier,
            ends_at_once,
        } => {
            let mut earlier = names(earlier);
            earlier.dedup();
            let claim = Claim {
                key,
                owner: &format!("owner-{owner}"),
                earlier: &earlier,
                lasts: if *ends_at_once {
                    Duration::ZERO
                } else {
                    Duration::from_hours(1)
                },
            };
            match table.claim(claim).await.unwrap() {
                Claimed::Sending { .. } => "sending".to_owned(),
                other => format!("{other:?}"),
            }
        }
        Step::TakeBack(owners) => {
            table.drop_claim(key, &names(owners)).await.unwrap();
            String::new()
        }
        Step::Record => {
            let mail = SentMail {
                key: key.to_owned(),
                email_id: "mail-1".to_owned(),
            };
            format!("{:?}", table.record(&[mail]).await.unwrap())
        }
        Step::Look => match table.look(key).await.unwrap() {
            Some(Known::Sending { remaining }) => format!("{}", remaining.is_zero()),
            other => format!("{other:?}"),
        },
    }
}

#[test]
fn both_tables_answer_the_same_to_any_calls() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let running = runtime.block_on(sandbox::Sandbox::start());
    running.sandbox.make_table("mails").unwrap();
    let real = runtime.block_on(async {
        let aws = at(running.url());
        // It goes by our clock alone: what answers tell of the table's is right to half a second.
        let (keep, timeout) = (Duration::from_secs(DAY), Duration::from_secs(5));
        DynamoTable {
            clock: ServiceClock::default(),
            ..DynamoTable::new(&aws, "mails".to_owned(), keep, timeout)
        }
    });
    let model = TableInMemory::default();
    let number = std::cell::Cell::new(0);
    let config = ProptestConfig::with_cases(40);
    proptest!(config, |(steps in steps())| {
        number.set(number.get() + 1);
        let key = format!("key-{}", number.get());
        for step in &steps {
            let (one, other) = runtime.block_on(async {
                // Claims that end at once have ended by the next step, by any clock.
                tokio::time::sleep(Duration::from_millis(3)).await;
                (take(&real, &key, step).await, take(&model, &key, step).await)
            });
            prop_assert_eq!(one, other, "{:?}", step);
        }
    });
}
