//! SES's events: are they published, and do they reach the feedback queue?

use std::time::Duration;

use super::{
    Target,
    finding::{Finding, Level},
    policy,
};
use crate::{
    aws::classify::refusal_kind,
    ports::{
        ReceiptHandle,
        events::Fate,
        inspect::{EventDestination, EventTarget, QueueDetails, RefusalKind},
        is_same_queue, queue_name,
    },
    text::format_duration,
};

const SET: &str = "feedback set";
const EVENTS: &str = "feedback events";
const QUEUE: &str = "feedback queue";
const READ: &str = "sqs:GetQueueAttributes";
const SNS: &str = "sns.amazonaws.com";
/// What is wanted of a destination beside that a mail was sent, without which nothing is settled.
const WANTED: [Fate; 5] = [
    Fate::Delivered,
    Fate::Bounced,
    Fate::Complained,
    Fate::Rejected,
    Fate::Delayed,
];
/// An event that a person waits for is received again and again: a queue that gives up sooner
/// dead-letters it.
const RECEIVES_ENOUGH: u32 = 500;

/// What is found, and where SES publishes to, for whoever looks for an event.
#[derive(Default)]
pub(super) struct Feedback {
    pub(super) findings: Vec<Finding>,
    pub(super) target: Option<EventTarget>,
    /// The events that are published there.
    pub(super) fates: Vec<Fate>,
    /// Whether the queue holds dead letters, so that no event must reach it.
    pub(super) holds_dead_letters: bool,
}

/// Checks the way of events, where they are read. `default_set` is the sender's identity's.
pub(super) async fn check_feedback(target: &Target<'_>, default_set: Option<&str>) -> Feedback {
    let Some(url) = target.settings.feedback.queue_url.as_deref() else {
        return Feedback::default();
    };
    let own = target.settings.email.configuration_set.as_deref();
    let details = target.inspector.queue(url).await;
    let policy = details.as_ref().ok();
    let policy = policy.and_then(|details| details.policy.as_deref());
    let mut feedback = Feedback::default();
    match own.or(default_set) {
        None => feedback.findings.push(
            Finding::failed(
                SET,
                "no configuration set: SES publishes no events of our mails",
            )
            .advising(
                "set email.configuration_set to a set with an event destination, or make one the \
                 identity's default",
            ),
        ),
        Some(set) => {
            let whose = if own.is_some() {
                ""
            } else {
                ", the identity's default"
            };
            feedback.look_at_set(target, set, whose, policy).await;
        }
    }
    match details {
        Ok(details) => feedback.look_at_queue(target, url, &details).await,
        Err(failure) => {
            let on = named(url);
            let error = &failure.error;
            // The other ways to fail are those of the rights below, where the daemon needs them.
            let is_missing = refusal_kind(error) == RefusalKind::NotFound;
            feedback.findings.push(if is_missing {
                Finding::refused(QUEUE, READ, &on, error).advising(failure.feedback_remedy())
            } else {
                Finding::unread(QUEUE, READ, &on, error)
            });
            if !is_missing {
                feedback.findings.push(rights(target, url).await);
            }
        }
    }
    feedback
}

impl Feedback {
    /// The row that tells what keeps bounces from being read, if anything does.
    pub(super) fn keeps_bounces_back(&self) -> Option<&'static str> {
        let is_bad = |finding: &&Finding| matches!(finding.level, Level::Failed | Level::Skipped);
        if let Some(bad) = self.findings.iter().find(is_bad) {
            return Some(bad.check);
        }
        // Without the right to look nothing is known of the destination.
        if self.fates.is_empty() {
            return Some(SET);
        }
        (!self.fates.contains(&Fate::Bounced)).then_some(EVENTS)
    }

    async fn look_at_set(
        &mut self,
        target: &Target<'_>,
        set: &str,
        whose: &str,
        policy: Option<&str>,
    ) {
        const READ: &str = "ses:GetConfigurationSetEventDestinations";
        let destinations = match target.inspector.event_destinations(set).await {
            Ok(destinations) => destinations,
            Err(error) => {
                // Of a set that is not there another line tells.
                let finding = match refusal_kind(&error) {
                    RefusalKind::NotFound => {
                        Finding::skipped(SET, format!("the configuration set {set} does not exist"))
                    }
                    _ => Finding::unread(SET, READ, set, &error),
                };
                self.findings.push(finding);
                return;
            }
        };
        let reaches = |one: &&EventDestination| one.target != EventTarget::Other;
        let Some(destination) = chosen(&destinations, policy) else {
            let found = match destinations.iter().find(reaches) {
                Some(off) => format!("the event destination {} of {set} is off", off.name),
                None => format!("{set} has no event destination to SNS or EventBridge"),
            };
            let finding = Finding::failed(SET, found).advising(
                "give it one that is enabled and publishes to a topic that the feedback queue is \
                 subscribed to (deploy/options.md, Feedback)",
            );
            self.findings.push(finding);
            return;
        };
        let found = format!(
            "{set}{whose}, by its event destination {}",
            destination.name
        );
        self.findings.push(Finding::ok(SET, found));
        self.findings.push(types(destination));
        self.target = Some(destination.target.clone());
        self.fates.clone_from(&destination.fates);
    }

    async fn look_at_queue(&mut self, target: &Target<'_>, url: &str, details: &QueueDetails) {
        let name = queue_name(url);
        let dead = &target.inspector.queue(&target.settings.queue.url).await;
        let dead = dead.as_ref().ok();
        let dead = dead.and_then(|details| details.facts.redrive.as_ref());
        if dead.is_some_and(|redrive| is_same_queue(url, &redrive.dead_letter_queue)) {
            let found = format!("{name} is the dead-letter queue of queue.url");
            let finding = Finding::failed(QUEUE, found)
                .advising("give SES's events a queue of their own (feedback.queue_url)");
            self.findings.push(finding);
            self.holds_dead_letters = true;
            return;
        }
        self.findings.push(rights(target, url).await);
        self.findings.extend(self.way_in(name, details));
        if let Some(redrive) = &details.facts.redrive
            && redrive.max_receive_count < RECEIVES_ENOUGH
        {
            let found = format!(
                "{name} dead-letters after {} receives, and an event that a person waits for is \
                 received more often",
                redrive.max_receive_count
            );
            let finding = Finding::warning(QUEUE, found).advising(format!(
                "take its redrive policy away, or raise maxReceiveCount to {RECEIVES_ENOUGH}"
            ));
            self.findings.push(finding);
        }
        let others = if target.settings.ledger.table.is_some() {
            "learn of it by the table"
        } else {
            "do not learn of it"
        };
        let found = format!(
            "{name}: {} waiting, retention {}; an event reaches one task alone, and the others {others}",
            details.waiting,
            format_duration(details.facts.retention)
        );
        self.findings.push(Finding::ok(QUEUE, found));
    }

    /// Whether the queue's policy lets the events in.
    fn way_in(&self, name: &str, details: &QueueDetails) -> Option<Finding> {
        // A rule of the bus has an ARN that is not known here.
        let EventTarget::Topic(arn) = self.target.as_ref()? else {
            return None;
        };
        if is_let_in(details.policy.as_deref(), arn) {
            return None;
        }
        let finding = Finding::failed(
            QUEUE,
            format!("the policy of {name} does not let {arn} send: events are lost on the way"),
        );
        Some(finding.advising(format!(
            "allow sqs:SendMessage to {SNS} where aws:SourceArn is {arn}"
        )))
    }

    /// What to look at where no event comes, although nothing that was checked is wrong.
    pub(super) fn beyond_our_sight(&self, url: &str) -> String {
        match &self.target {
            Some(EventTarget::Topic(topic)) => format!(
                "see whether the queue is subscribed: `aws sns list-subscriptions-by-topic \
                 --topic-arn {topic}`; if not: `aws sns subscribe --topic-arn {topic} --protocol sqs \
                 --notification-endpoint ARN-OF-{}`; a filter policy of the subscription can hold \
                 events back, too",
                queue_name(url)
            ),
            Some(EventTarget::Bus(bus)) => format!(
                "see whether a rule of {bus} for the source aws.ses has the queue as its target, and \
                 whether the queue's policy lets events.amazonaws.com send"
            ),
            Some(EventTarget::Other) | None => {
                "fix what the other rows name, then try again".to_owned()
            }
        }
    }
}

/// The destination that events reach the queue by. A set can have several, for others too: rather one
/// whose topic the queue lets in, and rather one that tells what was sent.
fn chosen<'a>(
    destinations: &'a [EventDestination],
    policy: Option<&str>,
) -> Option<&'a EventDestination> {
    let on = |one: &&EventDestination| one.enabled && one.target != EventTarget::Other;
    destinations.iter().filter(on).min_by_key(|one| {
        let kept_out = match &one.target {
            EventTarget::Topic(arn) => !is_let_in(policy, arn),
            EventTarget::Bus(_) | EventTarget::Other => false,
        };
        (kept_out, !one.fates.contains(&Fate::Sent))
    })
}

fn is_let_in(policy: Option<&str>, topic: &str) -> bool {
    policy::lets_in(policy.unwrap_or_default(), SNS, topic)
}

/// Whether a destination publishes what is wanted.
fn types(destination: &EventDestination) -> Finding {
    let name = &destination.name;
    if !destination.fates.contains(&Fate::Sent) {
        let found =
            format!("{name} does not publish send: a send without an answer cannot be settled");
        return Finding::failed(EVENTS, found).advising("add SEND to its MatchingEventTypes");
    }
    let missing: Vec<_> = WANTED
        .iter()
        .filter(|fate| !destination.fates.contains(fate))
        .map(|fate| fate.name())
        .collect();
    if missing.is_empty() {
        return Finding::ok(
            EVENTS,
            "send, delivery, bounce and what else can become of a mail",
        );
    }
    let missing = missing.join(", ");
    Finding::warning(EVENTS, format!("{name} does not publish {missing}")).advising(
        "add these types to its MatchingEventTypes: without them nobody learns of such \
                   mails",
    )
}

/// How the feedback queue is called where it cannot be used.
fn named(url: &str) -> String {
    format!("{} (feedback.queue_url)", queue_name(url))
}

/// The rights that reading events needs, tried without touching one.
async fn rights(target: &Target<'_>, url: &str) -> Finding {
    const CHECK: &str = "feedback rights";
    let made_up = [ReceiptHandle::made_up()];
    let Some(feedback) = &target.world.feedback else {
        return Finding::skipped(CHECK, "the queue is not read");
    };
    let hidden = [(ReceiptHandle::made_up(), Duration::ZERO)];
    let (received, deleted, changed) = tokio::join!(
        feedback.queue.may_receive(),
        feedback.queue.delete(&made_up),
        feedback.queue.change_visibility(&hidden),
    );
    let tried = [
        ("sqs:ReceiveMessage", received.err()),
        ("sqs:DeleteMessage", deleted.err()),
        ("sqs:ChangeMessageVisibility", changed.err()),
    ];
    let refused = tried.into_iter().filter_map(|(action, failure)| {
        let failure = failure?;
        let finding = Finding::failed_call(CHECK, action, &named(url), &failure);
        Some(match refusal_kind(&failure.error) {
            RefusalKind::Denied | RefusalKind::Unreachable(None) => finding,
            _ => finding.advising(failure.feedback_remedy()),
        })
    });
    Finding::tried(CHECK, refused, "may receive, change visibility and delete")
}
