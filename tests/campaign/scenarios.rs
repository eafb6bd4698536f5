//! The scenarios: what goes wrong, and what it may cost.

mod ends;
mod feedback;
mod ledger;
mod outages;
mod queue;
mod rates;
mod refusals;
mod sends;
mod templates;

use std::pin::Pin;
use std::time::Duration;

use super::checker;
use super::verdict::{Bounds, Row, judge};
use super::world::{Plan, VISIBILITY, World};

/// One way for things to go wrong.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    run: Run,
    /// Whether its timing is measured, so that it does not share the machine with another.
    pub(crate) alone: bool,
}

type Run = for<'a> fn(&'a mut World) -> Running<'a>;
type Running<'a> = Pin<Box<dyn Future<Output = anyhow::Result<Bounds>> + Send + 'a>>;

macro_rules! scenarios {
    ($($name:literal $run:path, $alone:literal, $about:literal;)*) => {
        &[$(Scenario {
            name: $name,
            about: $about,
            run: |world| Box::pin($run(world)),
            alone: $alone,
        }),*]
    };
}

/// All of them.
pub(crate) const ALL: &[Scenario] = scenarios! {
    "throttled" sends::throttled, false, "10 % of sends answered 429, 5 % answered 500";
    "reset-before" sends::reset_before, false, "5 % of sends cut off before they take effect";
    "reset-after" sends::reset_after, false, "5 % of sends cut off after SES accepted the mail";
    "hanging" sends::hanging, false, "5 % of sends never answered";
    "late" sends::late, false, "every send answered after its timeout for 6 visibility timeouts";
    "events-reset" feedback::reset_after, false, "as reset-after, SES's events read, 0.3 to 2 s late";
    "events-lost" feedback::lost, false, "the same, a tenth of the events lost";
    "events-send" feedback::send_alone, false, "the same, no other event than Send";
    "events-mixed" feedback::disorder, false, "as events-reset, events doubled and out of order";
    "events-late" feedback::late, false, "every answer later than twice the timeout, SES's events read";
    "events-down" feedback::down, false, "as events-reset, the feedback queue down throughout";
    "events-deaf" feedback::deaf, false, "as events-reset, no event arrives";
    "events-sibling" feedback::sibling, false, "as events-reset, a sibling's events among ours";
    "table-sigkill" ledger::sigkill, false, "as sigkill, SES's events read, one table for all";
    "table-unheard" ledger::unheard, false, "as sigkill, one table for all, no events read";
    "table-doubled" ledger::doubled, false, "10 % of deliveries doubled, to three daemons on one table";
    "table-redriven" ledger::redriven, false, "every message comes again after all daemons were restarted";
    "table-siblings" ledger::siblings, false, "two queues' daemons on one topic, feedback queue and table, 5 % of sends cut off";
    "table-down" ledger::down, false, "the table down for 10 visibility timeouts in the middle";
    "table-everything" ledger::everything, true, "everything at once, SES's events read, one table for all";
    "flaky-settling" queue::flaky_settling, false, "10 % of deletes and renewals fail, renewals hang, sends take 3 s";
    "no-deletes" queue::no_deletes, false, "every delete fails for 20 visibility timeouts";
    "queue-down" queue::queue_down, false, "SQS down for 20 visibility timeouts";
    "doubled" queue::doubled, false, "10 % of deliveries doubled, at once and later, same and new ids";
    "poison" queue::poison, true, "5 % poison of five kinds";
    "stubborn" queue::stubborn, false, "one message answered 500 for ever, on a quiet queue";
    "refused" queue::refused, false, "one message answered with an unknown 400";
    "ses-down" outages::ses_down, false, "SES down for 20 visibility timeouts, three daemons restarted in the middle";
    "paused" outages::paused, false, "account paused for 20 visibility timeouts, three daemons restarted in the middle";
    "quota" outages::quota, false, "daily quota exhausted, restored 20 s later";
    "no-set-start" refusals::no_set_from_the_start, false, "every mail refused as of a missing configuration set for 20 visibility timeouts, three daemons restarted in it";
    "no-set-later" refusals::no_set_later, false, "the same after a tenth of the mails";
    "rejected-start" refusals::paused_from_the_start, false, "every mail refused with a MessageRejected that tells of a pause for 20 visibility timeouts, three daemons restarted in it";
    "rejected-later" refusals::paused_later, false, "the same after a tenth of the mails";
    "unheard-start" refusals::unheard_from_the_start, false, "every mail refused with a code that nobody knows for 20 visibility timeouts, three daemons restarted in it";
    "unheard-later" refusals::unheard_later, false, "the same after a tenth of the mails";
    "denied-start" refusals::no_simulator_from_the_start, false, "as unheard-start, and the role may not mail the simulator";
    "denied-later" refusals::no_simulator_later, false, "the same after a tenth of the mails";
    "mute-start" refusals::no_witness_from_the_start, false, "as unheard-start, and no witness is sent";
    "mute-later" refusals::no_witness_later, false, "the same after a tenth of the mails";
    "unasked-start" refusals::no_account_from_the_start, false, "as unheard-start, and the role may not ask the account";
    "unasked-later" refusals::no_account_later, false, "the same after a tenth of the mails";
    "bad" refusals::bad, false, "a quarter of all bad, of those a fifth before the first good one";
    "bad-unasked" refusals::bad_without_account, false, "a quarter of all bad, six of those first, and the role may not ask the account";
    "no-codecommit" templates::down_from_the_start, false, "CodeCommit down from the start for 20 s";
    "codecommit-lost" templates::down_later, false, "CodeCommit down after the first refresh";
    "template-missing" templates::missing, false, "template missing, added 15 s later";
    "template-bad" templates::bad, false, "template replaced by garbage, blank, a field that events lack, then mended";
    "rate-50" rates::shared, true, "50/s on one account, three daemons";
    "rate-1" rates::slow, false, "1/s with mails of 50 recipients";
    "sigterm" ends::sigterm, false, "SIGTERM every 2 s under load, three daemons in turn";
    "sigkill" ends::sigkill, false, "SIGKILL every 5 s under load, three daemons in turn";
    "everything" ends::everything, true, "everything at once, ten times the messages";
};

impl Scenario {
    /// Plays it from the first event to the last daemon's end.
    pub(crate) async fn play(&self, plan: Plan) -> anyhow::Result<Row> {
        let mut world = World::new(plan).await?;
        let bounds = (self.run)(&mut world).await?;
        let empty = world.settle(bounds.patience).await;
        world.stop_all().await?;
        let mut row = judge(self.name, &world, bounds, empty);
        if world.plan.history {
            let (history, verdict) = checker::verdict(&world).await?;
            match verdict {
                Ok(said) => row.held.push(said),
                Err(broken) => row
                    .failures
                    .push(format!("{}: {broken}", history.display())),
            }
        }
        Ok(row)
    }
}

/// Twenty visibility timeouts, one in the short form.
fn outage(world: &World) -> Duration {
    VISIBILITY * if world.plan.short { 1 } else { 20 }
}

/// How long the events of a scenario take to come, where they come at once.
fn release(world: &World) -> Duration {
    Duration::from_secs(if world.plan.short { 1 } else { 5 })
}
