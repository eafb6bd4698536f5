//! Everything at once, drawn at random: whatever happens, no mail is lost, and none is sent twice
//! without a reason that no daemon can help.

use std::{collections::HashMap, time::Duration};

use organizer_notifier::ports::{
    AccountCause, EntryFailureKind, QueueFailureKind, SendFailureKind,
};
use proptest::prelude::*;

use crate::rig::{
    Operation, Reaction, Rig, Step, accept, accept_after, fail, hang, mins, secs, slow_fail,
};

/// What one attempt meets with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attempt {
    Accepted {
        seconds: u64,
    },
    Transient {
        seconds: u64,
    },
    Throttled,
    /// No answer, and no mail.
    Silent,
    /// No answer, and the mail went out.
    Unseen,
    Panic,
    QuotaUsedUp,
    Unknown,
}

#[derive(Clone, Debug)]
struct Message {
    published: u64,
    /// Its first attempts; those after them are accepted.
    attempts: Vec<Attempt>,
    /// Another copy: how long after, and whether under an id of its own.
    copy: Option<(u64, bool)>,
    malformed: bool,
}

#[derive(Clone, Debug)]
struct Plan {
    messages: Vec<Message>,
    /// Of a thousand calls on the queue so many fail in one way or another.
    faults: u64,
    seed: u64,
    /// After so many seconds each, the daemon is stopped and another one started.
    deploys: Vec<u64>,
}

fn attempt() -> impl Strategy<Value = Attempt> {
    prop_oneof![
        6 => (0_u64..9).prop_map(|seconds| Attempt::Accepted { seconds }),
        4 => (0_u64..9).prop_map(|seconds| Attempt::Transient { seconds }),
        2 => Just(Attempt::Throttled),
        1 => Just(Attempt::Silent),
        1 => Just(Attempt::Unseen),
        1 => Just(Attempt::Panic),
        1 => Just(Attempt::QuotaUsedUp),
        1 => Just(Attempt::Unknown),
    ]
}

fn message() -> impl Strategy<Value = Message> {
    (
        0_u64..90,
        prop::collection::vec(attempt(), 0..5),
        prop::option::weighted(0.2, (0_u64..40, any::<bool>())),
        prop::bool::weighted(0.07),
    )
        .prop_map(|(published, attempts, copy, malformed)| Message {
            published,
            attempts,
            copy,
            malformed,
        })
}

fn plan() -> impl Strategy<Value = Plan> {
    (
        prop::collection::vec(message(), 30),
        prop_oneof![Just(0), 50_u64..200],
        any::<u64>(),
        prop::collection::vec(5_u64..60, 0..4),
    )
        .prop_map(|(messages, faults, seed, deploys)| Plan {
            messages,
            faults,
            seed,
            deploys,
        })
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 40,
        failure_persistence: None,
        max_shrink_iters: 200,
        ..ProptestConfig::default()
    })]

    #[test]
    fn nothing_is_lost_and_nothing_sent_twice_without_a_reason(plan in plan()) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(play(plan))?;
    }
}

async fn play(plan: Plan) -> Result<(), TestCaseError> {
    let rig = Rig::with(|settings| settings.max_elapsed = mins(3)).await;
    script(&rig, &plan);
    let playing = async {
        publish(&rig, &plan.messages).await;
        // The last copies have arrived by then.
        rig.pass(secs(60)).await;
    };
    let running = async {
        let mut daemon = rig.start();
        for seconds in &plan.deploys {
            rig.pass(secs(*seconds)).await;
            drop(daemon.stop().await);
            daemon = rig.start();
        }
        daemon
    };
    let ((), daemon) = tokio::join!(playing, running);
    rig.queue.react(|_| Reaction::Pass);
    rig.until(|| rig.queue.is_empty()).await;
    drop(daemon.stop().await);
    for (number, message) in plan.messages.iter().enumerate() {
        check(&rig, &plan, number, message)?;
    }
    Ok(())
}

async fn publish(rig: &Rig, messages: &[Message]) {
    let mut order: Vec<_> = messages.iter().enumerate().collect();
    order.sort_by_key(|(_, message)| message.published);
    let began = rig.now();
    for (number, message) in order {
        let due = began + secs(message.published);
        rig.pass(due.saturating_sub(rig.now())).await;
        let name = name(number);
        if message.malformed {
            rig.queue.send(&name, &format!("no JSON {number}")).await;
        } else {
            rig.publish(&name).await;
        }
        if let Some((after, new_id)) = message.copy {
            rig.queue.duplicate(&name, secs(after), new_id);
        }
    }
}

fn script(rig: &Rig, plan: &Plan) {
    let attempts: HashMap<_, _> = plan
        .messages
        .iter()
        .enumerate()
        .map(|(number, message)| (name(number), message.attempts.clone()))
        .collect();
    rig.mailer.script_witnesses(|_| accept());
    rig.mailer.script(move |send| {
        let attempt = attempts[&send.key].get(send.number - 1);
        attempt.map_or_else(accept, |attempt| step(*attempt))
    });
    let (faults, mut random) = (plan.faults, plan.seed | 1);
    rig.queue.react(move |call| {
        // Xorshift: any sequence will do, as long as the seed gives it again.
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        if random % 1000 >= faults || call.names == ["?"] {
            return Reaction::Pass;
        }
        let victim = call.names.first().cloned().unwrap_or_default();
        match (call.operation, random / 1000 % 4) {
            (Operation::Receive, 0 | 1) => Reaction::LateBack(secs(2)),
            (Operation::Receive | Operation::Describe | Operation::ProveReceive, _) => {
                Reaction::Fail(QueueFailureKind::Transient)
            }
            (_, 0) => Reaction::Hang,
            (_, 1) => Reaction::Fail(QueueFailureKind::Throttled),
            (_, 2) => Reaction::Entry(victim, EntryFailureKind::Transient),
            _ => Reaction::FailAfter(QueueFailureKind::Transient),
        }
    });
}

fn step(attempt: Attempt) -> Step {
    match attempt {
        Attempt::Accepted { seconds } => accept_after(secs(seconds)),
        Attempt::Transient { seconds } => slow_fail(secs(seconds), SendFailureKind::Transient),
        Attempt::Throttled => fail(SendFailureKind::Throttled),
        Attempt::Silent => hang(),
        Attempt::Unseen => hang().but_mailed(),
        Attempt::Panic => Step::panic_after(Duration::from_millis(100)),
        Attempt::QuotaUsedUp => fail(SendFailureKind::AccountWide(AccountCause::DailyQuota)),
        Attempt::Unknown => fail(SendFailureKind::Refused),
    }
}

fn check(rig: &Rig, plan: &Plan, number: usize, message: &Message) -> Result<(), TestCaseError> {
    let name = name(number);
    let mailed = rig.mailer.times_mailed(&name);
    let dead = rig.queue.dead().contains(&name);
    let outcomes = rig.outcomes(&name);
    let what = format!("{name}: mailed {mailed}, dead {dead}, {outcomes:?}, {message:?}");
    if message.malformed {
        prop_assert!(mailed == 0 && dead, "{}", what);
        return Ok(());
    }
    prop_assert!(mailed > 0 || dead, "lost: {}", what);
    if dead && mailed == 0 {
        let bad_luck = ["panicked", "deferred", "exhausted", "lost", "rejected"];
        let had_it = outcomes
            .iter()
            .any(|outcome| bad_luck.contains(&outcome.as_str()));
        // Two deploys that find it waiting use up its two receives, and those of its copy.
        let copies = 1 + usize::from(matches!(message.copy, Some((_, true))));
        let released = vec!["released"; 2 * copies];
        let had_it = had_it || (plan.deploys.len() >= 2 && outcomes == released);
        prop_assert!(had_it, "dead-lettered for nothing: {}", what);
    }
    let attempts = rig.mailer.sends_of(&name).len();
    let unseen = message.attempts.iter().take(attempts);
    let unseen = unseen
        .filter(|attempt| **attempt == Attempt::Unseen)
        .count();
    // What another process has sent no ledger here knows of.
    let elsewhere = if plan.deploys.is_empty() {
        0
    } else {
        usize::from(message.copy.is_some()) + not_deleted(rig, &name)
    };
    prop_assert!(mailed <= 1 + unseen + elsewhere, "sent twice: {}", what);
    Ok(())
}

/// How often this message was sent and not deleted.
fn not_deleted(rig: &Rig, name: &str) -> usize {
    let lines = rig.said("was not deleted");
    let of_it = lines.iter().filter(|line| {
        line.fields
            .get("notifier.notification.id")
            .is_some_and(|id| id.contains(name))
    });
    of_it.count()
}

fn name(number: usize) -> String {
    format!("m{number:02}")
}
