//! What one daemon of a schedule sees of the world, the queue and the table apart: it writes down
//! who asked, and lets the faults of the schedule happen.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use organizer_notifier::{
    aws::read_letter,
    notification::Mail,
    ports::{
        Account, AccountCause, AccountFacts, AccountFailure, AccountFailureKind, CallError,
        EntryFailure, Failure, MailPurpose, Mailer, Queue, QueueFacts, QueueFailure,
        QueueFailureKind, ReceiptHandle, ReceiveRequest, ReceivedMessage, SendFailure,
        SendFailureKind, Tags, TemplateFailure, TemplateFailureKind, TemplateFile, TemplateSource,
        TemplateVersion, World, events::Feedback,
    },
};
use serde_json::json;
use tokio::time::{sleep, timeout};

use super::{
    history::{Heard, Send, Told},
    plan::{Body, Rate, Trouble},
    stage::{Class, Stage, message_of_notification},
};
use crate::rig::{Taken, calls::failure, facts, in_envelope};

/// An event of a mail takes this long to arrive.
const EVENT_AFTER: Duration = Duration::from_secs(1);

pub(super) struct Ports {
    pub(super) stage: Arc<Stage>,
    pub(super) daemon: usize,
    is_killed: AtomicBool,
}

/// A send under way, until dropped.
struct UnderWay<'a>(&'a Stage, usize);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        let now = self.0.now();
        self.0.history().sends[self.1].ended = Some(now);
    }
}

/// The feedback queue as one daemon sees it.
struct Ears(Arc<Ports>);

impl Ports {
    pub(super) fn new(stage: &Arc<Stage>, daemon: usize) -> Arc<Self> {
        Arc::new(Self {
            stage: Arc::clone(stage),
            daemon,
            is_killed: AtomicBool::new(false),
        })
    }

    pub(super) fn world(self: &Arc<Self>) -> World {
        let schedule = &self.stage.schedule;
        World {
            queue: Arc::clone(self) as _,
            mailer: Arc::clone(self) as _,
            account: Arc::clone(self) as _,
            templates: Arc::clone(self) as _,
            table: schedule.has_table().then(|| Arc::clone(self) as _),
            feedback: schedule.reads_events().then(|| Feedback {
                queue: Arc::new(Ears(Arc::clone(self))),
                read: read_letter,
            }),
        }
    }

    /// Nothing of the process goes on.
    pub(super) fn kill(&self) {
        self.is_killed.store(true, Ordering::Relaxed);
    }

    /// Every call begins with this: one of a dead process never does, and one of a process that said
    /// that it ended is written down.
    pub(super) async fn alive(&self, call: &'static str) {
        if self.is_killed.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        let now = self.stage.now();
        let run = &mut self.stage.history().daemons[self.daemon];
        if run.ended.is_some() && run.called_after.is_none() {
            run.called_after = Some((now, call));
        }
    }

    fn told(&self, send: usize, told: Told) {
        let now = self.stage.now();
        self.stage.history().sends[send].told = Some((now, told));
    }

    async fn attempt(
        &self,
        send: usize,
        taken: Taken,
        wanted: bool,
    ) -> Result<String, SendFailure> {
        let stage = &self.stage;
        let id = taken.email_id.clone();
        let unknown = || Err(send_failure(SendFailureKind::OutcomeUnknown, "timeout"));
        let not = |kind, code| Err(send_failure(kind, code));
        match stage.trouble(Class::Send) {
            None if wanted => {
                take(stage, send, &taken);
                Ok(id)
            }
            None => not(SendFailureKind::Refused, "MessageRejected"),
            Some(Trouble::SendRefused) => not(SendFailureKind::Refused, "BadRequestException"),
            Some(Trouble::SendSlow(seconds)) => {
                take(stage, send, &taken);
                self.in_time(seconds, id).await
            }
            Some(Trouble::SendLate(seconds)) => {
                // The request is written, whether somebody waits for its answer or not.
                let longest = stage.longest_send;
                let stage = Arc::clone(stage);
                let taking = tokio::spawn(async move {
                    sleep(Duration::from_secs(seconds)).await;
                    take(&stage, send, &taken);
                });
                match timeout(longest, taking).await {
                    Ok(_) => Ok(id),
                    Err(_elapsed) => unknown(),
                }
            }
            Some(Trouble::SendThrottled) => not(SendFailureKind::Throttled, "TooManyRequests"),
            Some(Trouble::SendUnverified) => not(
                SendFailureKind::RecipientNotVerified,
                "MailFromDomainNotVerified",
            ),
            Some(Trouble::SendPaused) => not(
                SendFailureKind::AccountWide(AccountCause::Paused),
                "SendingPaused",
            ),
            Some(Trouble::SendQuota) => not(
                SendFailureKind::AccountWide(AccountCause::DailyQuota),
                "LimitExceeded",
            ),
            // Who sends witnesses is a part of the daemon, which ends where that panics.
            Some(Trouble::SendPanics) if stage.history().sends[send].message.is_some() => {
                panic!("the schedule says so")
            }
            Some(Trouble::SendPanics | Trouble::SendTransient) => {
                not(SendFailureKind::Transient, "InternalFailure")
            }
            Some(Trouble::SendHangs) => {
                sleep(stage.longest_send).await;
                unknown()
            }
            Some(Trouble::SendUnheard) => {
                take(stage, send, &taken);
                unknown()
            }
            Some(_) => {
                take(stage, send, &taken);
                sleep(stage.longest_send).await;
                unknown()
            }
        }
    }

    async fn in_time(&self, seconds: u64, id: String) -> Result<String, SendFailure> {
        let (after, longest) = (Duration::from_secs(seconds), self.stage.longest_send);
        sleep(after.min(longest)).await;
        if after < longest {
            Ok(id)
        } else {
            Err(send_failure(SendFailureKind::OutcomeUnknown, "timeout"))
        }
    }
}

/// The mail service takes the mail, and publishes that.
fn take(stage: &Arc<Stage>, send: usize, taken: &Taken) {
    let now = stage.now();
    stage.history().sends[send].mailed = Some(now);
    if !stage.schedule.reads_events() {
        return;
    }
    let mut event = taken.sent();
    let (mut after, mut times) = (EVENT_AFTER, 1);
    match stage.trouble(Class::Event) {
        None => {}
        Some(Trouble::EventLate(seconds)) => after += Duration::from_secs(seconds),
        Some(Trouble::EventDoubled) => times = 2,
        Some(Trouble::EventLost) => times = 0,
        Some(_) => {
            event = taken.event("Delivery", ("delivery", json!({})));
            after += Duration::from_secs(2);
        }
    }
    for _ in 0..times {
        let (queue, body) = (Arc::clone(&stage.feedback), in_envelope(&event));
        tokio::spawn(async move {
            sleep(after).await;
            queue.send(&body).await;
        });
    }
}

#[async_trait]
impl Mailer for Ports {
    async fn send(&self, mail: Box<Mail>, tags: Tags<'_>) -> Result<String, SendFailure> {
        self.alive("send").await;
        let schedule = &self.stage.schedule;
        let message = (tags.purpose == MailPurpose::Organizer)
            .then(|| message_of_notification(tags.key.notification_id(), schedule.messages.len()));
        let wanted = message.is_none_or(|message| {
            let message = schedule.messages.get(message);
            message.is_none_or(|message| message.body != Body::Unwanted)
        });
        let began = self.stage.now();
        let send = {
            let mut history = self.stage.history();
            history.sends.push(Send {
                daemon: self.daemon,
                message,
                began,
                recipients: mail.to.len(),
                mailed: None,
                told: None,
                ended: None,
            });
            history.sends.len() - 1
        };
        let _under_way = UnderWay(&self.stage, send);
        let taken = Taken {
            key: tags.key.clone(),
            purpose: tags.purpose,
            email_id: format!("mail-{send}-"),
        };
        let answer = self.attempt(send, taken, wanted).await;
        let told = match &answer {
            Ok(_) => Told::Accepted,
            Err(failed) => match failed.kind {
                SendFailureKind::OutcomeUnknown => Told::Unknown,
                SendFailureKind::Refused | SendFailureKind::RecipientNotVerified => Told::Refused,
                _ => Told::Not,
            },
        };
        self.told(send, told);
        answer
    }
}

/// Which send a letter in the feedback queue tells of.
fn send_in(body: &str) -> Option<usize> {
    let (_, rest) = body.split_once("mail-")?;
    rest.split_once('-')?.0.parse().ok()
}

#[async_trait]
impl Queue for Ears {
    async fn describe(&self) -> Result<QueueFacts, QueueFailure> {
        self.0.stage.feedback.describe().await
    }

    async fn may_receive(&self) -> Result<(), QueueFailure> {
        Ok(())
    }

    async fn receive(&self, request: ReceiveRequest) -> Result<Vec<ReceivedMessage>, QueueFailure> {
        let stage = &self.0.stage;
        self.0.alive("receive of events").await;
        if stage.trouble(Class::Feedback).is_some() {
            return Err(failure(QueueFailureKind::Transient));
        }
        let letters = stage.feedback.receive(request).await?;
        let at = stage.now();
        let mut history = stage.history();
        for send in letters.iter().filter_map(|letter| send_in(&letter.body)) {
            let daemon = self.0.daemon;
            history.heard.push(Heard { at, daemon, send });
        }
        Ok(letters)
    }

    async fn delete(
        &self,
        receipts: &[ReceiptHandle],
    ) -> Result<Vec<Result<(), EntryFailure>>, QueueFailure> {
        self.0.alive("delete of events").await;
        self.0.stage.feedback.delete(receipts).await
    }

    async fn change_visibility(
        &self,
        changes: &[(ReceiptHandle, Duration)],
    ) -> Result<Vec<Result<(), EntryFailure>>, QueueFailure> {
        self.0.alive("change of events").await;
        self.0.stage.feedback.change_visibility(changes).await
    }
}

#[async_trait]
impl TemplateSource for Ports {
    async fn fetch(&self) -> Result<TemplateFile, TemplateFailure> {
        self.alive("fetch").await;
        let failed = |kind| Err(Failure::new(kind, call_error("GetFile", "Scripted")));
        let mut file: &[u8] = b"<p>Your event {summary}</p>";
        match self.stage.trouble(Class::Fetch) {
            None => {}
            Some(Trouble::FetchFails) => return failed(TemplateFailureKind::Transient),
            Some(Trouble::FetchDenied) => return failed(TemplateFailureKind::AccessDenied),
            Some(Trouble::FetchSlow(seconds)) => sleep(Duration::from_secs(seconds)).await,
            Some(Trouble::FetchGarbage) => file = b"\xff\xfe\x00",
            Some(_) => file = b"<p>Your event {summary}, {uid}</p>",
        }
        Ok(TemplateFile {
            bytes: file.to_vec(),
            version: TemplateVersion {
                commit_id: "commit".to_owned(),
                blob_id: String::from_utf8_lossy(file).into_owned(),
            },
            modified: None,
        })
    }

    fn location(&self) -> &'static str {
        "templates/created.html"
    }
}

#[async_trait]
impl Account for Ports {
    async fn facts(&self) -> Result<AccountFacts, AccountFailure> {
        self.alive("account").await;
        let failed = |kind| Err(Failure::new(kind, call_error("GetAccount", "Scripted")));
        let rate = match self.stage.schedule.rate {
            Rate::Account(rate) => f64::from(rate),
            _ => 50.0,
        };
        match self.stage.trouble(Class::Account) {
            Some(Trouble::AccountDenied) => failed(AccountFailureKind::AccessDenied),
            Some(Trouble::AccountFails) => failed(AccountFailureKind::Transient),
            trouble => Ok(AccountFacts {
                production_access: trouble.is_none(),
                ..facts(rate)
            }),
        }
    }
}

fn send_failure(kind: SendFailureKind, code: &str) -> SendFailure {
    Failure::new(kind, call_error("SendEmail", code))
}

pub(super) fn call_error(operation: &'static str, code: &str) -> CallError {
    CallError {
        operation,
        code: code.to_owned(),
        message: "the schedule says so".to_owned(),
        request_id: None,
        obstacle: None,
        source: None,
    }
}
