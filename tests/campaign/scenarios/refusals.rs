//! SES refuses mails under codes that do not say whose fault it is: the account's, where each is
//! refused, or the message's, where others are taken.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::ensure;
use sandbox::faults::{Fault, Rule};
use serde_json::json;
use tokio::time::Instant;

use super::super::verdict::{Bound, Bounds};
use super::super::world::{QUEUE, World};
use super::{outage, release};

const SEND: &str = "ses:SendEmail";
const DAEMONS: usize = 3;
const STOPPED: &str = "sending has stopped";
/// What a daemon may cost that finds out by its messages: as many as must be refused alike.
const MOST_A_RESTART: u64 = 3;

/// What every bad one says.
const MARK: &str = "Infected";
/// Mails a second, so that what the bad ones cost shows.
const RATE: u32 = 100;
/// What a good one may wait beside what the rate takes for all tries and witnesses.
const MOST_WAIT: Duration = Duration::from_secs(40);
/// So many good ones come one by one after all others where nothing but good mails shows whose fault a
/// refusal is.
const TAIL: usize = 100;
/// A mail that was taken in this span before a witness, in milliseconds, is known when the witness is
/// decided upon, and began later than a second before.
const MAKES_WITNESS_NEEDLESS: std::ops::RangeInclusive<u64> = 600..=900;

/// When every mail begins to be refused.
#[derive(Clone, Copy)]
enum From {
    Start,
    /// After a tenth of the mails.
    Later,
}

/// What hides whose fault it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Hidden {
    Nothing,
    /// The role may not mail the simulator.
    Simulator,
    /// No witness is sent.
    Witness,
    /// The role may not ask the account.
    Account,
}

pub(super) async fn no_set_from_the_start(world: &mut World) -> anyhow::Result<Bounds> {
    every_mail(world, no_set(), From::Start, Hidden::Nothing).await
}

pub(super) async fn no_set_later(world: &mut World) -> anyhow::Result<Bounds> {
    every_mail(world, no_set(), From::Later, Hidden::Nothing).await
}

pub(super) async fn paused_from_the_start(world: &mut World) -> anyhow::Result<Bounds> {
    every_mail(world, paused(), From::Start, Hidden::Nothing).await
}

pub(super) async fn paused_later(world: &mut World) -> anyhow::Result<Bounds> {
    every_mail(world, paused(), From::Later, Hidden::Nothing).await
}

pub(super) async fn unheard_from_the_start(world: &mut World) -> anyhow::Result<Bounds> {
    every_mail(world, unheard_of(), From::Start, Hidden::Nothing).await
}

pub(super) async fn unheard_later(world: &mut World) -> anyhow::Result<Bounds> {
    every_mail(world, unheard_of(), From::Later, Hidden::Nothing).await
}

pub(super) async fn no_simulator_from_the_start(world: &mut World) -> anyhow::Result<Bounds> {
    every_mail(world, unheard_of(), From::Start, Hidden::Simulator).await
}

pub(super) async fn no_simulator_later(world: &mut World) -> anyhow::Result<Bounds> {
    every_mail(world, unheard_of(), From::Later, Hidden::Simulator).await
}

pub(super) async fn no_witness_from_the_start(world: &mut World) -> anyhow::Result<Bounds> {
    every_mail(world, unheard_of(), From::Start, Hidden::Witness).await
}

pub(super) async fn no_witness_later(world: &mut World) -> anyhow::Result<Bounds> {
    every_mail(world, unheard_of(), From::Later, Hidden::Witness).await
}

pub(super) async fn no_account_from_the_start(world: &mut World) -> anyhow::Result<Bounds> {
    every_mail(world, unheard_of(), From::Start, Hidden::Account).await
}

pub(super) async fn no_account_later(world: &mut World) -> anyhow::Result<Bounds> {
    every_mail(world, unheard_of(), From::Later, Hidden::Account).await
}

fn no_set() -> Fault {
    let text = "Configuration set <events> does not exist.";
    refusal("BadRequestException", text)
}

/// As the older API says it.
fn paused() -> Fault {
    let text = "Sending paused for this account. For more information, please check the inbox of \
        the email address associated with your AWS account.";
    refusal("MessageRejected", text)
}

fn unheard_of() -> Fault {
    refusal(
        "TenantLimitReachedException",
        "The tenant has reached its limit.",
    )
}

fn refusal(code: &str, message: &str) -> Fault {
    Fault::Error {
        code: code.to_owned(),
        status: 400,
        message: message.to_owned(),
    }
}

/// What lasts beyond the outage.
fn lasting(hidden: Hidden, min_ms: u64, max_ms: u64) -> Vec<Rule> {
    let usual = Rule::new(SEND, Fault::Latency { min_ms, max_ms });
    let denied = |operation| Rule::new(operation, Fault::error("AccessDeniedException", 403));
    let mut rules = vec![usual];
    match hidden {
        Hidden::Nothing | Hidden::Witness => {}
        Hidden::Simulator => rules.push(Rule {
            body_contains: Some("simulator.amazonses.com".to_owned()),
            ..denied(SEND)
        }),
        Hidden::Account => rules.push(denied("ses:GetAccount")),
    }
    rules
}

/// Every mail is refused for a while, in which the daemons are restarted again and again.
async fn every_mail(
    world: &mut World,
    refused: Fault,
    from: From,
    hidden: Hidden,
) -> anyhow::Result<Bounds> {
    let is_unheard_of = refused == unheard_of();
    let lasting = lasting(hidden, 100, 400);
    prepare(world, &lasting, hidden)?;
    let early = match from {
        From::Start => 0,
        From::Later => world.plan.messages / 10,
    };
    let mut outage_rules = lasting.clone();
    outage_rules.push(Rule::new(SEND, refused));
    if early == 0 {
        world.sandbox().faults.set(outage_rules);
        world.start(DAEMONS).await?;
    } else {
        world.start(DAEMONS).await?;
        // Half as many again, so that mails are under way when it begins.
        world.publish(early * 3 / 2, Duration::ZERO).await?;
        while world.sandbox().outbox.taken() < early as u64 {
            world.pass(Duration::from_millis(5)).await;
        }
        world.sandbox().faults.set(outage_rules);
    }
    let left = world.plan.messages - world.published.len();
    world.publish(left, release(world)).await?;
    // By now those that were under way when it began have been taken.
    let taken = world.sandbox().outbox.taken();
    let rounds = if world.plan.short { 1 } else { 3 };
    let part = outage(world) / (rounds + 1);
    world.pass(part).await;
    for _ in 0..rounds {
        for _ in 0..DAEMONS {
            world.replace()?;
        }
        world.pass(part).await;
    }
    let restarts = u64::from(rounds) * DAEMONS as u64;
    let bounds = weigh_outage(world, restarts, from, hidden, is_unheard_of, taken);
    world.sandbox().faults.set(lasting);
    Ok(bounds)
}

/// Whether a witness can say that it is the account's fault.
fn told_by_witness(hidden: Hidden) -> bool {
    match hidden {
        Hidden::Nothing | Hidden::Account => true,
        Hidden::Simulator | Hidden::Witness => false,
    }
}

fn prepare(world: &mut World, lasting: &[Rule], hidden: Hidden) -> anyhow::Result<()> {
    world.sandbox().faults.set(lasting.to_vec());
    let shuffled = world.sandbox().sqs.shuffle(QUEUE, world.plan.seed);
    ensure!(shuffled, "no queue to shuffle");
    if world.plan.short {
        // What a daemon releases is hidden until its last poll would have ended.
        world.set("queue.wait_time", "2s");
    }
    if hidden == Hidden::Witness {
        world.set("email.witness", "false");
    }
    Ok(())
}

/// Looks at the outage right before its end.
fn weigh_outage(
    world: &World,
    restarts: u64,
    from: From,
    hidden: Hidden,
    is_unheard_of: bool,
    taken_before: u64,
) -> Bounds {
    let dead = if told_by_witness(hidden) {
        Bound::NONE
    } else {
        Bound::Most(MOST_A_RESTART * restarts, "three a restart")
    };
    let mut bounds = Bounds {
        dead,
        ..Bounds::default()
    };
    let taken = world.sandbox().outbox.taken();
    bounds.check(
        taken == taken_before,
        format!("taken meanwhile {}", taken - taken_before),
    );
    let told = world.lines(STOPPED);
    let (daemons, told) = (told.len(), told.iter().filter(|lines| **lines > 0).count());
    // In the short form some end before they have met it.
    let enough = if world.plan.short { 1 } else { daemons };
    bounds.check(
        told >= enough,
        format!("of {daemons} daemons {told} said that sending stopped ≥ {enough}"),
    );
    let witnesses: usize = world.lines("mailbox simulator failed").iter().sum();
    let (holds, sign) = match hidden {
        Hidden::Witness => (witnesses == 0, '='),
        _ => (witnesses > 0, '>'),
    };
    bounds.check(holds, format!("witnesses refused {witnesses} {sign} 0"));
    // Where the start's witness is refused, the witness alone tells and no message is spent on it.
    let spends_none = matches!(from, From::Start) && told_by_witness(hidden);
    if is_unheard_of && !spends_none {
        let suspects: usize = world.lines("send attempt 1 failed").iter().sum();
        bounds.check(suspects > 0, format!("suspects {suspects} > 0"));
    }
    bounds
}

pub(super) async fn bad(world: &mut World) -> anyhow::Result<Bounds> {
    let early = world.plan.messages / 20;
    let mut bounds = bad_and_good(world, early, Hidden::Nothing).await?;
    let calls = u32::try_from(world.calls(SEND))?;
    let most = MOST_WAIT + Duration::from_secs(1) * calls / RATE;
    let (_, slowest) = waits(world);
    bounds.check(
        slowest <= most.as_secs_f64(),
        format!("good ones took {slowest:.1} s at most ≤ 40 s + {calls} sends / {RATE}"),
    );
    weigh_witnesses(world, &mut bounds);
    Ok(bounds)
}

pub(super) async fn bad_without_account(world: &mut World) -> anyhow::Result<Bounds> {
    let mut bounds = bad_and_good(world, 6, Hidden::Account).await?;
    tell_waits(world, &mut bounds);
    weigh_witnesses(world, &mut bounds);
    Ok(bounds)
}

/// A quarter of the events is bad. So many of those come before the first good one, the others among
/// the good ones.
async fn bad_and_good(world: &mut World, early: usize, hidden: Hidden) -> anyhow::Result<Bounds> {
    let mut lasting = lasting(hidden, 20, 80);
    lasting.push(Rule {
        body_contains: Some(MARK.to_owned()),
        ..Rule::new(SEND, refusal("MessageRejected", "Refused for its content."))
    });
    prepare(world, &lasting, hidden)?;
    let ses = &world.sandbox().ses;
    ses.update_account(|account| account.max_send_rate = f64::from(RATE));
    world.start(1).await?;
    let bad = world.plan.messages / 4;
    let good = world.plan.messages - bad;
    for _ in 0..early {
        publish_bad(world).await?;
    }
    world.pass(Duration::from_secs(2)).await;
    let tail = match hidden {
        Hidden::Nothing => 0,
        _ => TAIL.min(good / 3),
    };
    let (left, amid) = (bad - early, good - tail);
    let span = Duration::from_secs(if world.plan.short { 2 } else { 20 });
    for number in 0..left {
        publish_bad(world).await?;
        let share = amid * (number + 1) / left - amid * number / left;
        world.publish(share, span / u32::try_from(left)?).await?;
    }
    let mut bounds = Bounds::default();
    // Until a first good one is drawn out of the queue nobody can tell, and these would be gone before
    // the bad ones have been judged.
    let began = Instant::now();
    while tail > 0 && world.mailed().is_empty() && began.elapsed() < bounds.patience {
        world.pass(Duration::from_secs(1)).await;
    }
    for _ in 0..tail {
        world.pass(Duration::from_millis(300)).await;
        world.publish_event(json!({})).await?;
    }
    let empty = world.settle(bounds.patience).await;
    bounds.check(empty, "the bad ones left the queue");
    Ok(bounds)
}

async fn publish_bad(world: &mut World) -> anyhow::Result<()> {
    let uid = world.publish_poison(json!({ "summary": MARK })).await?;
    ensure!(!uid.is_empty(), "no uid");
    Ok(())
}

/// Until when after the first good event the first good mail was taken, and the longest that a good
/// one took from the topic to SES, in seconds.
fn waits(world: &World) -> (f64, f64) {
    let mailed = world.mailed();
    let good = || world.published.iter().filter(|(_, event)| !event.poison);
    let taken = |uid| mailed.get(uid).and_then(|times| times.first()).copied();
    let first_event = good().map(|(_, event)| event.at_millis).min();
    let first_mail = good().filter_map(|(uid, _)| taken(uid)).min();
    // One that was not taken takes for ever.
    let seconds = |mail: Option<u64>, event: u64| {
        let took = mail.map(|mail| Duration::from_millis(mail.saturating_sub(event)));
        took.map_or(f64::INFINITY, |took| took.as_secs_f64())
    };
    let slowest = good().map(|(uid, event)| seconds(taken(uid), event.at_millis));
    (
        seconds(first_mail, first_event.unwrap_or_default()),
        slowest.fold(0.0, f64::max),
    )
}

fn tell_waits(world: &World, bounds: &mut Bounds) {
    let (first, slowest) = waits(world);
    bounds.check(
        slowest < f64::INFINITY,
        format!("the first good mail after {first:.1} s, the slowest took {slowest:.1} s"),
    );
}

/// At most one a second, and none where a good mail tells as much.
fn weigh_witnesses(world: &World, bounds: &mut Bounds) {
    let witnesses = world.sandbox().outbox.simulated();
    let witnesses: Vec<_> = witnesses.iter().map(|mail| mail.time_millis).collect();
    let apart = witnesses.windows(2).map(|pair| pair[1] - pair[0]).min();
    let apart = apart.unwrap_or(u64::MAX);
    // A witness is counted from its answer, and seen here when it is taken.
    bounds.check(
        apart >= 900,
        format!("{} witnesses, a second apart", witnesses.len()),
    );
    let good: BTreeSet<_> = world.mailed().into_values().flatten().collect();
    let is_needless = |witness: &&u64| {
        let span = MAKES_WITNESS_NEEDLESS;
        let (from, until) = (*witness - span.end(), *witness - span.start());
        good.range(from..=until).next().is_some()
    };
    let needless = witnesses.iter().filter(is_needless).count();
    bounds.check(
        needless == 0,
        format!("{needless} witnesses while good mails were taken = 0"),
    );
}
