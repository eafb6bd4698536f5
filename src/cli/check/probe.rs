//! `check --feedback`: a mail to SES's simulator, and its events in the feedback queue.

use std::{
    io::{IsTerminal, stderr},
    time::{Duration, SystemTime},
};

use tokio::time::{Instant, sleep};

use super::{Target, feedback::Feedback, finding::Finding, mail};
use crate::{
    cli::output::eprint,
    notification::{Address, EventHash, MailKey},
    ports::{
        BATCH_MAX, ReceiveRequest, ReceivedMessage,
        events::{self, Fate, Letter},
    },
    random::{random_id, simulator_address},
    text::format_duration,
};

const CHECK: &str = "feedback";
/// So many times `feedback.patience` is waited: what comes later would be of no use to the daemon.
const PATIENCES: u32 = 2;
const RECEIVE_WAIT: Duration = Duration::from_secs(2);
/// What is received is soon seen again, if this process dies.
const VISIBILITY: Duration = Duration::from_secs(5);
/// What is not ours is given back at once, and then others have time to take it.
const BETWEEN_RECEIVES: Duration = Duration::from_millis(200);

/// When the events of the mail arrived, counted from its send.
#[derive(Default)]
struct Arrived {
    sent: Option<Duration>,
    delivered: Option<Duration>,
}

/// Sends a mail to the simulator and waits for its events, also beside running daemons.
pub(super) async fn probe(target: &Target<'_>, feedback: &Feedback) -> Finding {
    let Some(source) = &target.world.feedback else {
        return Finding::skipped(CHECK, "feedback.queue_url is not set");
    };
    if feedback.holds_dead_letters {
        return Finding::skipped(
            CHECK,
            "nothing was mailed, since no event belongs in this queue",
        );
    }
    let Ok(to) = Address::parse(&simulator_address()) else {
        return Finding::skipped(CHECK, "the simulator's address cannot be read");
    };
    let id = random_id();
    let key = MailKey::new(&id, EventHash::of(&id));
    let (began, at) = (Instant::now(), SystemTime::now());
    let sent = target
        .world
        .mailer
        .send(Box::new(mail::short(target, vec![to])), mail::tags(&key));
    if let Err(failure) = sent.await {
        return Finding::failed(
            CHECK,
            format!("the mail to SES's simulator was not sent: {failure}"),
        )
        .advising(
            "see what the other lines say; a role with a condition on ses:Recipients has to allow \
                 success+*@simulator.amazonses.com",
        );
    }
    let patience = target.settings.feedback.patience * PATIENCES;
    let mut arrived = Arrived::default();
    let mut told = Instant::now();
    let delivery = feedback.fates.is_empty() || feedback.fates.contains(&Fate::Delivered);
    while began.elapsed() < patience && !arrived.all(delivery) {
        if told.elapsed() >= progress_every() {
            told = Instant::now();
            eprint(&format_args!(
                "waiting for SES's events: {}, {} of {} gone",
                arrived.words(),
                format_duration(Duration::from_secs(began.elapsed().as_secs())),
                format_duration(patience)
            ));
        }
        if let Err(refused) = receive(source, &key, at, &mut arrived).await {
            return refused;
        }
    }
    judge(target, feedback, &arrived)
}

/// One receive: ours are taken, everything else is given back at once.
async fn receive(
    source: &events::Feedback,
    key: &MailKey,
    began: SystemTime,
    arrived: &mut Arrived,
) -> Result<(), Finding> {
    let request = ReceiveRequest {
        max_messages: BATCH_MAX,
        wait: RECEIVE_WAIT,
        visibility: VISIBILITY,
    };
    let received = source.queue.receive(request).await;
    let received = received.map_err(|failure| {
        Finding::refused(
            CHECK,
            "sqs:ReceiveMessage",
            "the feedback queue",
            &failure.error,
        )
    })?;
    let is_ours = |message: &ReceivedMessage| match (source.read)(&message.body) {
        Letter::Event(event) if event.key.as_ref() == Some(key) => Some(event.fate),
        _ => None,
    };
    let (mut taken, mut others) = (Vec::new(), Vec::new());
    for message in received {
        match is_ours(&message) {
            Some(fate) => {
                let at = message.sent_at.unwrap_or_else(SystemTime::now);
                arrived.note(fate, at.duration_since(began).unwrap_or_default());
                taken.push(message.receipt);
            }
            None => others.push((message.receipt, Duration::ZERO)),
        }
    }
    // What is neither deleted nor given back is seen again in seconds.
    drop(source.queue.delete(&taken).await);
    if !others.is_empty() {
        drop(source.queue.change_visibility(&others).await);
        sleep(BETWEEN_RECEIVES).await;
    }
    Ok(())
}

fn judge(target: &Target<'_>, feedback: &Feedback, arrived: &Arrived) -> Finding {
    let settings = &target.settings.feedback;
    let Some(sent) = arrived.sent else {
        let url = settings.queue_url.as_deref().unwrap_or_default();
        if arrived.delivered.is_some() {
            return Finding::failed(CHECK, format!("{}: SES publishes no send", arrived.words()))
                .advising("add SEND to the event destination's MatchingEventTypes");
        }
        let waited = format_duration(settings.patience * PATIENCES);
        let found = format!("no event came within {waited}");
        return Finding::failed(CHECK, found).advising(feedback.beyond_our_sight(url));
    };
    let words = arrived.words();
    if sent > settings.patience {
        let patience = format_duration(settings.patience);
        let found = format!("{words}, and feedback.patience is {patience}");
        return Finding::warning(CHECK, found)
            .advising("raise feedback.patience: events that come later settle nothing");
    }
    if arrived.delivered.is_none() {
        let advice = if feedback.fates.is_empty() || feedback.fates.contains(&Fate::Delivered) {
            "try again: SES may be slow to deliver"
        } else {
            "add DELIVERY to the event destination's MatchingEventTypes"
        };
        return Finding::warning(CHECK, words).advising(advice);
    }
    Finding::ok(CHECK, words)
}

impl Arrived {
    fn note(&mut self, fate: Fate, after: Duration) {
        let slot = match fate {
            Fate::Sent => &mut self.sent,
            Fate::Delivered => &mut self.delivered,
            _ => return,
        };
        slot.get_or_insert(after);
    }

    /// Whether nothing more is to come, be a delivery published or not.
    fn all(&self, delivery: bool) -> bool {
        self.sent.is_some() && (self.delivered.is_some() || !delivery)
    }

    /// `send after 0.8 s, no delivery yet`
    fn words(&self) -> String {
        let one = |name: &str, after: Option<Duration>| match after {
            Some(after) => format!("{name} after {:.1} s", after.as_secs_f64()),
            None => format!("no {name} yet"),
        };
        let (sent, delivered) = (one("send", self.sent), one("delivery", self.delivered));
        format!("{sent}, {delivered}")
    }
}

/// A line now and then, more often where a person looks on.
fn progress_every() -> Duration {
    Duration::from_secs(if stderr().is_terminal() { 3 } else { 20 })
}
