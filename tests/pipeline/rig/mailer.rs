//! The mail service.

use std::{
    collections::HashMap,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use organizer_notifier::{
    notification::Mail,
    ports::{CallError, MailPurpose, Mailer, SendFailure, SendFailureKind, Tags},
};
use tokio::time::{Instant, sleep};

use super::{Taken, lock};

/// One attempt to send, as it began.
#[derive(Clone, Debug)]
pub(crate) struct Send {
    pub(crate) at: Duration,
    /// The notification's id.
    pub(crate) key: String,
    /// Which attempt of this message it is, from 1.
    pub(crate) number: usize,
    /// How many sends are under way, this one included.
    pub(crate) under_way: usize,
}

/// What becomes of an attempt.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    /// How long the answer takes.
    after: Duration,
    answer: Answer,
    /// Whether the mail goes out, whatever the answer: at once, the answer is what takes time.
    mailed: bool,
}

#[derive(Clone, Copy, Debug)]
enum Answer {
    Accepted,
    Failed(SendFailureKind, &'static str),
    /// None within the send's timeout, which the client keeps.
    Timeout,
    /// None ever, although the port promises one.
    Never,
    Panic,
}

pub(crate) fn accept() -> Step {
    accept_after(Duration::ZERO)
}

pub(crate) fn accept_after(after: Duration) -> Step {
    Step {
        after,
        answer: Answer::Accepted,
        mailed: true,
    }
}

pub(crate) fn fail(kind: SendFailureKind) -> Step {
    slow_fail(Duration::ZERO, kind)
}

pub(crate) fn slow_fail(after: Duration, kind: SendFailureKind) -> Step {
    Step {
        after,
        answer: Answer::Failed(kind, "Scripted"),
        mailed: false,
    }
}

/// Refused with this code, which does not say whose fault it is.
pub(crate) fn refuse(code: &'static str) -> Step {
    Step {
        answer: Answer::Failed(SendFailureKind::Refused, code),
        ..fail(SendFailureKind::Refused)
    }
}

/// No answer within the timeout, and no mail.
pub(crate) fn hang() -> Step {
    Step {
        after: Duration::ZERO,
        answer: Answer::Timeout,
        mailed: false,
    }
}

impl Step {
    /// The mail goes out all the same.
    pub(crate) fn but_mailed(self) -> Self {
        Self {
            mailed: true,
            ..self
        }
    }

    /// Nothing ever comes back.
    pub(crate) fn stuck() -> Self {
        Self {
            answer: Answer::Never,
            ..hang()
        }
    }

    pub(crate) fn panic() -> Self {
        Self::panic_after(Duration::ZERO)
    }

    pub(crate) fn panic_after(after: Duration) -> Self {
        Self {
            after,
            answer: Answer::Panic,
            mailed: false,
        }
    }
}

type Script = Box<dyn FnMut(&Send) -> Step + std::marker::Send>;

pub(crate) struct TestMailer {
    start: Instant,
    timeout: Duration,
    script: Mutex<Script>,
    /// The answers to witnesses; without it they are answered as mails are.
    witness_script: Mutex<Option<Script>>,
    witnesses: Mutex<Vec<Send>>,
    sends: Mutex<Vec<Send>>,
    attempts: Mutex<HashMap<String, usize>>,
    mails: Mutex<Vec<(Duration, String)>>,
    last_html: Mutex<String>,
    under_way: AtomicUsize,
    when_taken: Mutex<WhenTaken>,
    taken: Mutex<Vec<Taken>>,
}

/// What else happens when a mail was taken.
type WhenTaken = Box<dyn FnMut(&Taken) + std::marker::Send>;

/// Counts a send as under way, until dropped.
struct UnderWay<'a>(&'a AtomicUsize);

impl TestMailer {
    pub(super) fn new(start: Instant, timeout: Duration) -> Self {
        Self {
            start,
            timeout,
            script: Mutex::new(Box::new(|_| accept())),
            witness_script: Mutex::default(),
            witnesses: Mutex::default(),
            sends: Mutex::default(),
            attempts: Mutex::default(),
            mails: Mutex::default(),
            last_html: Mutex::default(),
            under_way: AtomicUsize::new(0),
            when_taken: Mutex::new(Box::new(|_| {})),
            taken: Mutex::default(),
        }
    }

    /// From now on every attempt is answered so.
    pub(crate) fn script(&self, script: impl FnMut(&Send) -> Step + std::marker::Send + 'static) {
        *lock(&self.script) = Box::new(script);
    }

    /// From now on every witness is answered so.
    pub(crate) fn script_witnesses(
        &self,
        script: impl FnMut(&Send) -> Step + std::marker::Send + 'static,
    ) {
        *lock(&self.witness_script) = Some(Box::new(script));
    }

    /// From now on this happens for each mail that is taken, a witness too.
    pub(crate) fn when_taken(&self, then: impl FnMut(&Taken) + std::marker::Send + 'static) {
        *lock(&self.when_taken) = Box::new(then);
    }

    /// The mail of this message that was taken last, as events name it.
    pub(crate) fn taken(&self, key: &str) -> Taken {
        let taken = lock(&self.taken);
        let mut of_key = taken
            .iter()
            .filter(|taken| taken.key.notification_id() == key);
        of_key.next_back().unwrap().clone()
    }

    fn take(&self, tags: Tags<'_>, number: usize) -> String {
        let email_id = format!("{}-{number}", tags.key.notification_id());
        let taken = Taken {
            key: tags.key.clone(),
            purpose: tags.purpose,
            email_id: email_id.clone(),
        };
        lock(&self.when_taken)(&taken);
        lock(&self.taken).push(taken);
        email_id
    }

    /// All witnesses, in order. They are in none of the other lists.
    pub(crate) fn witnesses(&self) -> Vec<Send> {
        lock(&self.witnesses).clone()
    }

    /// All attempts, in order.
    pub(crate) fn sends(&self) -> Vec<Send> {
        lock(&self.sends).clone()
    }

    /// The attempts of one message.
    pub(crate) fn sends_of(&self, key: &str) -> Vec<Send> {
        let sends = lock(&self.sends);
        sends
            .iter()
            .filter(|send| send.key == key)
            .cloned()
            .collect()
    }

    /// The mails that went out, as (when, which).
    pub(crate) fn mails(&self) -> Vec<(Duration, String)> {
        lock(&self.mails).clone()
    }

    pub(crate) fn times_mailed(&self, key: &str) -> usize {
        lock(&self.mails)
            .iter()
            .filter(|(_, mailed)| mailed == key)
            .count()
    }

    /// The HTML part of the last attempt.
    pub(crate) fn last_html(&self) -> String {
        lock(&self.last_html).clone()
    }

    pub(crate) fn under_way(&self) -> usize {
        self.under_way.load(Ordering::Relaxed)
    }

    fn note(&self, key: &str) -> Send {
        let mut attempts = lock(&self.attempts);
        let number = attempts.entry(key.to_owned()).or_default();
        *number += 1;
        let send = Send {
            at: self.start.elapsed(),
            key: key.to_owned(),
            number: *number,
            under_way: self.under_way(),
        };
        lock(&self.sends).push(send.clone());
        send
    }

    fn note_witness(&self, mail: &Mail) -> Send {
        let to = mail.to[0].as_str();
        assert!(to.ends_with("@simulator.amazonses.com"), "{to}");
        let mut witnesses = lock(&self.witnesses);
        let send = Send {
            at: self.start.elapsed(),
            key: "witness".to_owned(),
            number: witnesses.len() + 1,
            under_way: self.under_way(),
        };
        witnesses.push(send.clone());
        send
    }

    async fn answer(&self, step: Step, email_id: String) -> Result<String, SendFailure> {
        let answer = async {
            sleep(step.after).await;
            match step.answer {
                Answer::Accepted => Ok(email_id),
                Answer::Failed(kind, code) => Err(failure(kind, code)),
                Answer::Timeout => {
                    sleep(self.timeout).await;
                    Err(failure(SendFailureKind::OutcomeUnknown, "Scripted"))
                }
                Answer::Never => std::future::pending().await,
                Answer::Panic => panic!("the script says so"),
            }
        };
        if matches!(step.answer, Answer::Never) {
            return answer.await;
        }
        let timeout = tokio::time::timeout(self.timeout, answer).await;
        timeout.unwrap_or_else(|_| Err(failure(SendFailureKind::OutcomeUnknown, "Scripted")))
    }
}

#[async_trait]
impl Mailer for TestMailer {
    async fn send(&self, mail: Box<Mail>, tags: Tags<'_>) -> Result<String, SendFailure> {
        if tags.purpose == MailPurpose::Witness {
            let send = self.note_witness(&mail);
            let step = match &mut *lock(&self.witness_script) {
                Some(script) => script(&send),
                None => lock(&self.script)(&send),
            };
            let email_id = if step.mailed || matches!(step.answer, Answer::Accepted) {
                self.take(tags, send.number)
            } else {
                String::new()
            };
            return self.answer(step, email_id).await;
        }
        self.under_way.fetch_add(1, Ordering::Relaxed);
        let _under_way = UnderWay(&self.under_way);
        let send = self.note(tags.key.notification_id());
        *lock(&self.last_html) = mail.html.to_string();
        let step = lock(&self.script)(&send);
        let mut email_id = String::new();
        if step.mailed {
            email_id = self.take(tags, send.number);
            lock(&self.mails).push((send.at, send.key));
        }
        self.answer(step, email_id).await
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn failure(kind: SendFailureKind, code: &str) -> SendFailure {
    SendFailure {
        kind,
        error: Box::new(CallError {
            operation: "SendEmail",
            code: code.to_owned(),
            message: format!("{kind:?}"),
            request_id: None,
            obstacle: None,
            source: None,
        }),
    }
}
