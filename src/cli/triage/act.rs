//! Redrives or deletes messages that were judged in this run and are still under their leases.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use tokio::time::sleep;

use super::{held::Held, stop::Stop};
use crate::{
    aws::classify,
    backoff::Backoff,
    cli::progress::Progress,
    ports::{
        BATCH_MAX, CallError, EntryFailureKind, QueueFailure, ReceiptHandle,
        dead_letters::{
            Attribute, AttributeValue, DeadLetter, Resend, ResendFailure, ResendFailureKind, Resent,
        },
    },
};

/// A lease must last so long for a batch to begin: what a send may take with its attempts, and the
/// deletes after it.
const NEEDED: Duration = Duration::from_mins(1);
/// A lease that ends sooner is renewed first.
const RENEWED_BELOW: Duration = Duration::from_mins(5);
/// A lease must last so long for a delete to be asked for.
const NEEDED_FOR_DELETE: Duration = Duration::from_secs(5);
/// How often a call is tried that has surely changed nothing, or that may be repeated.
const ATTEMPTS: u32 = 3;
/// The most bytes of one call that sends, unless one message alone has more. Some regions and queues take
/// no more at once.
const BATCH_BYTES_MAX: usize = 256 * 1024;

/// What was done with one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Done {
    /// Sent to the other queue and deleted here.
    Redriven,
    /// Deleted.
    Deleted,
    /// Not sent, and still here.
    NotSent(String),
    /// Nobody knows whether it was sent: it is here, and may be there.
    MaybeSent(String),
    /// It is here and there.
    InBoth(String),
    /// Still here.
    NotDeleted(String),
    /// Not touched, since its lease had ended: others may have it.
    LeaseEnded,
    /// Not touched, since the work ended before its turn.
    NotReached,
}

impl Done {
    /// Its name in JSON.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Redriven => "redriven",
            Self::Deleted => "deleted",
            Self::NotSent(_) => "not_sent",
            Self::MaybeSent(_) => "maybe_sent",
            Self::InBoth(_) => "in_both_queues",
            Self::NotDeleted(_) => "not_deleted",
            Self::LeaseEnded => "lease_ended",
            Self::NotReached => "not_reached",
        }
    }

    pub(super) fn is_good(&self) -> bool {
        matches!(self, Self::Redriven | Self::Deleted)
    }

    /// Why it was not done.
    pub(super) fn reason(&self) -> Option<&str> {
        match self {
            Self::NotSent(why)
            | Self::MaybeSent(why)
            | Self::InBoth(why)
            | Self::NotDeleted(why) => Some(why),
            Self::Redriven | Self::Deleted | Self::LeaseEnded | Self::NotReached => None,
        }
    }
}

/// Where the chosen messages go.
#[derive(Clone, Copy)]
pub(super) enum Way<'a> {
    /// To this queue.
    Redrive(&'a dyn Resend),
    /// Nowhere.
    Delete,
}

/// How an act ended.
pub(super) struct Acted {
    /// What was done with each message.
    pub(super) done: Vec<(String, Done)>,
    /// Whether a call that failed ended it, or a result that could not be written.
    pub(super) has_failed: bool,
}

/// Why no delete would work, where that is sure: a redrive without the right to delete would double
/// every message.
pub(super) async fn no_right_to_delete(held: &Held<'_>) -> Option<String> {
    let answer = held.queue().delete(&[ReceiptHandle::made_up()]).await;
    let failure = answer.err().filter(QueueFailure::is_definite)?;
    Some(format!(
        "messages cannot be deleted here: {}",
        told(&failure.error, "sqs:DeleteMessage", "the queue")
    ))
}

/// Does it, message by message, in the order of the ids. A call that fails as a whole ends it, since
/// the next would fail as well, or double more. `tell` gets what was done with each batch before the next
/// one goes, and says whether that may.
pub(super) async fn act(
    way: Way<'_>,
    ids: &[String],
    letters: &BTreeMap<String, DeadLetter>,
    held: &mut Held<'_>,
    stop: &mut Stop,
    progress: &mut Progress,
    mut tell: impl AsyncFnMut(&[(String, Done)], &mut Stop) -> bool,
) -> Acted {
    let verb = match way {
        Way::Redrive(_) => "redriven",
        Way::Delete => "deleted",
    };
    let mut done: Vec<(String, Done)> = Vec::with_capacity(ids.len());
    let mut good = 0;
    let mut rest = ids;
    let mut open: BTreeSet<&str> = ids.iter().map(String::as_str).collect();
    let mut has_failed = false;
    while !rest.is_empty() && !stop.is_told() {
        let (batch, after) = rest.split_at(batch_len(way, rest, letters));
        rest = after;
        let work = async {
            // Those whose turn comes later as well: it may come after their leases have ended.
            held.renew(|id| open.contains(id), RENEWED_BELOW).await;
            let of_batch = Step {
                way,
                letters,
                held: &mut *held,
            };
            of_batch.run(batch).await
        };
        let doing = format!("{verb} {good} of {} messages", ids.len());
        let (of_batch, goes_on) = progress.during(&doing, work).await;
        for id in batch {
            open.remove(id.as_str());
        }
        good += of_batch.iter().filter(|(_, done)| done.is_good()).count();
        progress.erase();
        let is_told = tell(&of_batch, stop).await;
        done.extend(of_batch);
        if !goes_on || !is_told {
            has_failed = true;
            break;
        }
    }
    progress.erase();
    let rest: Vec<_> = rest
        .iter()
        .map(|id| (id.clone(), Done::NotReached))
        .collect();
    tell(&rest, stop).await;
    done.extend(rest);
    Acted { done, has_failed }
}

/// How many of these go in one call.
fn batch_len(way: Way<'_>, ids: &[String], letters: &BTreeMap<String, DeadLetter>) -> usize {
    let most = ids.len().min(BATCH_MAX);
    if matches!(way, Way::Delete) {
        return most;
    }
    let mut bytes = 0;
    let fits = |id: &&String| {
        bytes += letters.get(*id).map_or(0, weight);
        bytes <= BATCH_BYTES_MAX
    };
    ids[..most].iter().take_while(fits).count().max(1)
}

/// What a message weighs in bytes, as SQS counts.
fn weight(letter: &DeadLetter) -> usize {
    let of = |attribute: &Attribute| {
        let value = match &attribute.value {
            AttributeValue::Text(text) => text.len(),
            AttributeValue::Bytes(bytes) => bytes.len(),
        };
        attribute.name.len() + attribute.data_type.len() + value
    };
    letter.message.body.len() + letter.attributes.iter().map(of).sum::<usize>()
}

/// One batch.
struct Step<'a, 'q> {
    way: Way<'a>,
    letters: &'a BTreeMap<String, DeadLetter>,
    held: &'a mut Held<'q>,
}

impl Step<'_, '_> {
    /// Returns what was done, and whether the next batch may go.
    async fn run(mut self, batch: &[String]) -> (Vec<(String, Done)>, bool) {
        let (ours, ended): (Vec<_>, Vec<_>) = batch
            .iter()
            .cloned()
            .partition(|id| self.held.receipt(id, NEEDED).is_some());
        let mut done: Vec<_> = ended.into_iter().map(|id| (id, Done::LeaseEnded)).collect();
        let (acted, goes_on) = match self.way {
            _ if ours.is_empty() => (Vec::new(), true),
            Way::Delete => {
                let deleted = self.delete(ours).await;
                let as_done = |(id, deleted)| match deleted {
                    Ok(()) => (id, Done::Deleted),
                    Err(why) => (id, Done::NotDeleted(why)),
                };
                may_go_on(deleted.into_iter().map(as_done).collect())
            }
            Way::Redrive(queue) => self.redrive(queue, ours).await,
        };
        done.extend(acted);
        (done, goes_on)
    }

    /// Sends first and deletes afterwards: a crash in between leaves a message twice, never nowhere.
    async fn redrive(
        &mut self,
        queue: &dyn Resend,
        ids: Vec<String>,
    ) -> (Vec<(String, Done)>, bool) {
        let (ids, letters): (Vec<_>, Vec<_>) = ids
            .into_iter()
            .filter_map(|id| {
                let letter = self.letters.get(&id)?;
                Some((id, letter))
            })
            .unzip();
        let resent = match resend(queue, &letters).await {
            Ok(resent) => resent,
            Err(failure) => {
                let why = told(&failure.error, "sqs:SendMessage", "the queue to redrive to");
                let each = |id| match failure.kind {
                    ResendFailureKind::Unknown => (id, Done::MaybeSent(why.clone())),
                    ResendFailureKind::NotSent | ResendFailureKind::Throttled => {
                        (id, Done::NotSent(why.clone()))
                    }
                };
                return (ids.into_iter().map(each).collect(), false);
            }
        };
        let mut resent = resent.into_iter();
        let mut done = Vec::with_capacity(ids.len());
        let mut sent = Vec::new();
        for id in ids {
            match resent.next() {
                Some(Resent::Yes) => sent.push(id),
                Some(Resent::No(failure)) => done.push((id, Done::NotSent(failure.to_string()))),
                Some(Resent::Maybe(failure)) => {
                    done.push((id, Done::MaybeSent(failure.to_string())));
                }
                Some(Resent::Unknown) | None => {
                    let why = "the queue did not say whether it took the message";
                    done.push((id, Done::MaybeSent(why.to_owned())));
                }
            }
        }
        if sent.is_empty() {
            // The next batch would be doubled as well.
            let is_unsure = |(_, done): &(_, _)| matches!(done, Done::MaybeSent(_));
            let goes_on = !done.iter().all(is_unsure);
            return (done, goes_on);
        }
        let deleted = self.delete(sent).await.into_iter();
        let deleted = deleted.map(|(id, deleted)| match deleted {
            Ok(()) => (id, Done::Redriven),
            Err(why) => (id, Done::InBoth(why)),
        });
        let (deleted, goes_on) = may_go_on(deleted.collect());
        done.extend(deleted);
        (done, goes_on)
    }

    /// Deletes these under their leases. A delete may be repeated.
    async fn delete(&mut self, ids: Vec<String>) -> Vec<(String, Result<(), String>)> {
        let mut delays = Backoff::retries();
        let mut done = Vec::with_capacity(ids.len());
        let mut pending = ids;
        let mut last = String::new();
        for attempt in 1..=ATTEMPTS {
            if attempt > 1 {
                sleep(delays.next_delay()).await;
            }
            let (ready, ended): (Vec<_>, Vec<_>) = pending
                .into_iter()
                .map(|id| {
                    let receipt = self.held.receipt(&id, NEEDED_FOR_DELETE).cloned();
                    (id, receipt)
                })
                .partition(|(_, receipt)| receipt.is_some());
            done.extend(ended.into_iter().map(|(id, _)| {
                let why = "its lease ended before it was deleted";
                (id, Err(why.to_owned()))
            }));
            let (ids, receipts): (Vec<_>, Vec<_>) = ready.into_iter().unzip();
            let receipts: Vec<_> = receipts.into_iter().flatten().collect();
            pending = Vec::new();
            if receipts.is_empty() {
                break;
            }
            match self.held.queue().delete(&receipts).await {
                Ok(answers) => {
                    for (id, answer) in ids.into_iter().zip(answers) {
                        match answer {
                            Ok(()) => {
                                self.held.forget(&id);
                                done.push((id, Ok(())));
                            }
                            Err(failure) if failure.kind == EntryFailureKind::Transient => {
                                last = failure.to_string();
                                pending.push(id);
                            }
                            Err(failure) => done.push((id, Err(failure.to_string()))),
                        }
                    }
                }
                Err(failure) => {
                    last = told(&failure.error, "sqs:DeleteMessage", "the queue");
                    pending = ids;
                    if failure.is_definite() {
                        break;
                    }
                }
            }
        }
        done.extend(pending.into_iter().map(|id| (id, Err(last.clone()))));
        done
    }
}

/// Whether the next batch may go: not where none of this one could be deleted.
fn may_go_on(done: Vec<(String, Done)>) -> (Vec<(String, Done)>, bool) {
    let goes_on = done.iter().any(|(_, done)| done.is_good());
    (done, goes_on)
}

/// Sends in one attempt, and again only where it is known that nothing was taken and that may pass.
async fn resend(queue: &dyn Resend, letters: &[&DeadLetter]) -> Result<Vec<Resent>, ResendFailure> {
    let mut delays = Backoff::retries();
    let mut attempts = 1;
    loop {
        match queue.resend(letters).await {
            Err(failure) if failure.kind == ResendFailureKind::Throttled && attempts < ATTEMPTS => {
                attempts += 1;
                sleep(delays.next_delay()).await;
            }
            answer => return answer,
        }
    }
}

/// What a call said, and what to do about it.
fn told(error: &CallError, action: &str, on: &str) -> String {
    format!(
        "{error}; {}",
        classify::refusal_kind(error).remedy(action, on)
    )
}

#[cfg(test)]
mod tests;
