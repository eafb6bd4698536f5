//! Receives messages and says what would become of each.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, SystemTime},
};

use serde::Serialize;
use tokio::time::{Instant, sleep};

use super::{
    held::Held,
    records::{Mailed, Records, Wanted},
    stop::Stop,
};
use crate::{
    backoff::Backoff,
    cli::{
        progress::Progress,
        verdict::{Kind, Verdict, masked},
    },
    notification::{Composer, MailKey, Template},
    ports::{
        BATCH_MAX, QueueFailure, QueueFailureKind, ReceiveRequest,
        dead_letters::{DeadLetter, DeadLetters},
    },
};

/// The scan ends after this time. So the first message is put back before it comes back by itself
/// and is seen twice.
const SCAN_TIME_MAX: Duration = Duration::from_mins(9);
/// How often a receive is tried.
const ATTEMPTS: u32 = 3;
/// A wait, however short, makes SQS ask all of its servers; without one it asks a few.
pub(super) const RECEIVE_WAIT: Duration = Duration::from_secs(1);

/// What a scan needs.
pub(super) struct Scanner<'a> {
    pub(super) letters: &'a dyn DeadLetters,
    pub(super) composer: &'a Composer,
    pub(super) template: &'a Template,
    pub(super) records: Records,
    /// How long the queue keeps a message; zero where that is not known.
    pub(super) retention: Duration,
    /// The most receives of a message.
    pub(super) limit: usize,
    /// About how many messages could be received when it began.
    pub(super) about: u64,
    /// The scan ends when all of these are found; it goes on where there are none.
    pub(super) wanted: BTreeSet<String>,
}

/// One message as the queue gave it.
pub(super) struct Judged {
    pub(super) id: String,
    pub(super) receive_count: u32,
    /// The time since it was first sent; `None` where the queue does not say.
    pub(super) age: Option<Duration>,
    /// The time until the queue forgets it.
    pub(super) left: Option<Duration>,
    pub(super) kind: Kind,
    /// The verdict on one line.
    pub(super) verdict: String,
    /// Why there would be no mail.
    pub(super) reason: Option<String>,
    /// The recipients, masked.
    pub(super) to: Vec<String>,
    pub(super) mailed: Mailed,
    /// The ARN of the queue that it was dead-lettered from.
    pub(super) came_from: Option<String>,
}

/// Why a scan ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum End {
    /// The queue had nothing more.
    Emptied,
    /// All that was looked for is found; there may be more.
    Found,
    /// The limit was reached; there may be more.
    Limit,
    /// It took too long; there may be more.
    OutOfTime,
    /// A signal came, or nobody reads the output any more.
    Interrupted,
    /// A receive failed, for this reason.
    Failed(#[serde(skip)] String),
}

/// What a scan found.
pub(super) struct Scan {
    pub(super) messages: Vec<Judged>,
    /// Those that were to be kept whole, by their ids.
    pub(super) letters: BTreeMap<String, DeadLetter>,
    /// So many may be hidden at most that we do not know: the answers to their receives were lost.
    pub(super) maybe_hidden: usize,
    pub(super) end: End,
}

/// What becomes of a message once it is judged.
pub(super) struct Take {
    /// Whether it is kept whole.
    pub(super) keep: bool,
    /// Whether the scan goes on.
    pub(super) go_on: bool,
}

impl Scanner<'_> {
    /// Receives until there is nothing more, the limit or a signal. `see` gets each message at once.
    pub(super) async fn scan(
        &mut self,
        held: &mut Held<'_>,
        stop: &mut Stop,
        progress: &mut Progress,
        mut see: impl AsyncFnMut(&Judged, &mut Stop) -> Take,
    ) -> Scan {
        let began = Instant::now();
        // Counted by receives, not by messages: one may come twice.
        let mut receive_count = 0;
        let mut seen = BTreeSet::new();
        let mut messages = Vec::new();
        let mut letters = BTreeMap::new();
        let mut goes_on = true;
        let mut failures = 0;
        let mut delays = Backoff::retries();
        let mut maybe_hidden = 0;
        let end = loop {
            if stop.is_told() || !goes_on {
                break End::Interrupted;
            }
            if !self.wanted.is_empty() && self.wanted.is_subset(&seen) {
                break End::Found;
            }
            let left = self.limit.saturating_sub(receive_count);
            if left == 0 {
                break End::Limit;
            }
            if began.elapsed() >= SCAN_TIME_MAX {
                break End::OutOfTime;
            }
            let request = ReceiveRequest {
                max_messages: left.min(BATCH_MAX),
                wait: RECEIVE_WAIT,
                visibility: super::held::HIDDEN_MAX,
            };
            let mark = Held::mark();
            let doing = format!("scanned {}", self.progress(messages.len()));
            // A signal does not end the receive: what it brings would stay hidden, and nobody would
            // put it back.
            let receive = self.letters.receive_whole(request);
            let received = match progress.during(&doing, receive).await {
                Ok(received) if received.is_empty() => break End::Emptied,
                Ok(received) => received,
                Err(failure) => {
                    failures += 1;
                    if may_have_taken(&failure) {
                        maybe_hidden += request.max_messages;
                    }
                    if !failure.is_definite() && failures < ATTEMPTS {
                        tokio::select! {
                            biased;
                            () = stop.told() => {}
                            () = progress.during(&doing, sleep(delays.next_delay())) => {}
                        }
                        continue;
                    }
                    break End::Failed(format!(
                        "the scan ended early, since the queue cannot be received from: {failure}"
                    ));
                }
            };
            failures = 0;
            delays.reset();
            receive_count += received.len();
            let mut new = Vec::new();
            for letter in received {
                let message = &letter.message;
                held.take(&message.id, message.receipt.clone(), mark);
                if seen.insert(message.id.clone()) {
                    new.push(letter);
                }
            }
            let all = self.judge(new).await;
            progress.erase();
            for (judged, letter) in all {
                let Take { keep, go_on } = see(&judged, stop).await;
                goes_on &= go_on;
                if keep {
                    letters.insert(judged.id.clone(), letter);
                }
                messages.push(judged);
            }
        };
        progress.erase();
        Scan {
            messages,
            letters,
            maybe_hidden,
            end,
        }
    }

    /// How many of how many, as far as the queue says.
    fn progress(&self, count: usize) -> String {
        let about = self.about.min(self.limit as u64);
        if about > count as u64 {
            format!("{count} of about {about} messages")
        } else {
            messages(count)
        }
    }

    async fn judge(&mut self, letters: Vec<DeadLetter>) -> Vec<(Judged, DeadLetter)> {
        let (mut judged, keys): (Vec<_>, Vec<_>) =
            letters.iter().map(|letter| self.judge_one(letter)).unzip();
        let wanted = keys.into_iter().zip(&letters).map(|(key, letter)| {
            let came_from = letter.came_from.as_deref();
            key.map(|key| Wanted { key, came_from })
        });
        let wanted: Vec<_> = wanted.collect();
        for (judged, mailed) in judged.iter_mut().zip(self.records.look(&wanted).await) {
            judged.mailed = mailed;
        }
        judged.into_iter().zip(letters).collect()
    }

    fn judge_one(&self, letter: &DeadLetter) -> (Judged, Option<MailKey>) {
        let message = &letter.message;
        let age = message
            .sent_at
            .map(|sent| SystemTime::now().duration_since(sent).unwrap_or_default());
        let left = |age| self.retention.saturating_sub(age);
        let (verdict, key) =
            Verdict::with_key(&message.id, &message.body, self.composer, self.template);
        let judged = Judged {
            id: message.id.clone(),
            receive_count: message.receive_count,
            age,
            left: age.map(left).filter(|_| !self.retention.is_zero()),
            kind: verdict.kind(),
            verdict: verdict.to_string(),
            reason: verdict.reason().map(str::to_owned),
            to: match &verdict {
                Verdict::Mail(mail) => masked(mail),
                Verdict::Ignored(_) | Verdict::Rejected(_) => Vec::new(),
            },
            mailed: Mailed::Unasked,
            came_from: letter.came_from.clone(),
        };
        (judged, key)
    }
}

/// Whether the queue may have given messages in an answer that was lost, and hides them now.
fn may_have_taken(failure: &QueueFailure) -> bool {
    failure.kind == QueueFailureKind::Transient && failure.error.obstacle.is_none()
}

/// So many messages, in words.
pub(super) fn messages(count: usize) -> String {
    match count {
        0 => "no messages".to_owned(),
        1 => "1 message".to_owned(),
        count => format!("{count} messages"),
    }
}

/// A message for tests.
#[cfg(test)]
pub(super) fn judged(id: &str, kind: Kind) -> Judged {
    Judged {
        id: id.to_owned(),
        receive_count: 1,
        age: None,
        left: None,
        kind,
        verdict: kind.name().to_owned(),
        reason: None,
        to: Vec::new(),
        mailed: Mailed::Unasked,
        came_from: None,
    }
}
