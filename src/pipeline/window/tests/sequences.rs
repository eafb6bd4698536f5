//! How many messages may be held and how many mails may be under way, event by event.

use std::{sync::Arc, time::Duration};

use futures_util::FutureExt;
use tokio::{
    task::unconstrained,
    time::{Instant, advance},
};

use super::*;
use crate::{
    pipeline::breaker::{MailBreaker, MailGate, Pass, Transition},
    ports::{AccountCause, SendFailureKind},
    testing::breaker::{failure, settings},
};

/// Something that happens to a pool of 32.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Event {
    /// So many messages are received, or as many as may be held.
    Receive(usize),
    /// So many sends begin.
    Begin(usize),
    /// The mail service accepts the mail whose send began first.
    Accepted,
    /// The send that began first fails, and says nothing of the service.
    Rejected,
    /// A send is refused for the account's sake: the mail breaker opens. Sends that began before go on.
    Refused,
    /// The mail breaker's probe is accepted: it closes.
    ProbeAccepted,
    /// The template breaker closes.
    TemplateBack,
    /// The mail service accepts a mail whose send began before the breaker opened.
    LateAccepted,
    /// A message settles: its delete works.
    Deleted,
    /// A delete fails, and goes on failing.
    DeleteFails,
}

struct Pipeline {
    window: Arc<Window>,
    gate: Arc<MailGate>,
    held: Vec<Place>,
    /// Of those held, how many have no send begun yet.
    unsent: usize,
    sending: Vec<(Pass, Sending)>,
    late: Vec<(Pass, Sending)>,
}

impl Pipeline {
    fn new() -> Self {
        Self {
            window: Window::new(32),
            gate: MailGate::new(MailBreaker::new(settings(false), Instant::now())),
            held: Vec::new(),
            unsent: 0,
            sending: Vec::new(),
            late: Vec::new(),
        }
    }

    fn begin(&self) -> Option<(Pass, Sending)> {
        let pass = self.gate.pass("key").now_or_never()?;
        Some((pass, unconstrained(self.window.send()).now_or_never()?))
    }

    fn accepted(&self, pass: Pass, slot: Option<Sending>) {
        if let Some(Transition::Closed { .. }) = pass.report(Instant::now(), Ok(())).transition {
            self.window.shrink();
        }
        match slot {
            Some(slot) => slot.accepted(),
            None => self.window.grow(),
        }
    }

    async fn happens(&mut self, event: Event) {
        match event {
            Event::Receive(count) => {
                let received = self.window.try_hold(count);
                self.unsent += received.len();
                self.held.extend(received);
            }
            Event::Begin(count) => {
                for _ in 0..count {
                    let begun = self.begin().expect("one more may be under way");
                    self.sending.push(begun);
                    self.unsent -= 1;
                }
            }
            Event::Accepted => {
                let (pass, slot) = self.sending.remove(0);
                self.accepted(pass, Some(slot));
            }
            Event::Rejected => {
                let (pass, slot) = self.sending.remove(0);
                drop(slot);
                let throttled = failure(SendFailureKind::Throttled, "Code");
                drop(pass.report(Instant::now(), Err(&throttled)));
            }
            Event::Refused => {
                let (pass, slot) = self.begin().expect("one more may be under way");
                drop(slot);
                let refused = SendFailureKind::AccountWide(AccountCause::SenderNotVerified);
                let refused = failure(refused, "Code");
                drop(pass.report(Instant::now(), Err(&refused)));
                self.late.append(&mut self.sending);
            }
            Event::ProbeAccepted => {
                advance(Duration::from_mins(2)).await;
                let probe = self.gate.pass("key").await;
                assert!(probe.is_probe());
                self.accepted(probe, None);
            }
            Event::TemplateBack => self.window.shrink(),
            Event::LateAccepted => {
                let (pass, slot) = self.late.remove(0);
                self.accepted(pass, Some(slot));
            }
            Event::Deleted => {
                self.held[0].set_settling(true);
                drop(self.held.remove(0));
            }
            Event::DeleteFails => {
                self.held[0].set_settling(true);
                self.held[0].set_settling(false);
            }
        }
    }

    /// How many more messages may be received, and of how many of those held a send may begin.
    fn free(&self) -> (usize, usize) {
        let begun: Vec<_> = std::iter::from_fn(|| self.begin()).take(64).collect();
        (self.window.free(), begun.len().min(self.unsent))
    }
}

type Step = (Event, usize, usize);

/// Plays the steps: after each, what may be received and what may be sent are as it says.
async fn play(steps: &[Step]) {
    let mut pipeline = Pipeline::new();
    let mut seen = Vec::new();
    for (event, _, _) in steps {
        pipeline.happens(*event).await;
        let (receivable, sendable) = pipeline.free();
        seen.push((*event, receivable, sendable));
    }
    assert_eq!(seen, steps);
}

/// From the start to full size.
const START: [Step; 10] = [
    (Event::Receive(10), 0, 1),
    (Event::Begin(1), 0, 0),
    (Event::Accepted, 1, 0),
    (Event::Deleted, 2, 0),
    (Event::Receive(10), 0, 2),
    (Event::Begin(2), 0, 0),
    (Event::Accepted, 2, 0),
    (Event::Accepted, 6, 0),
    (Event::Receive(10), 0, 6),
    (Event::Begin(6), 0, 0),
];

const FULL: [Step; 7] = [
    (Event::Accepted, 8, 0),
    (Event::Accepted, 30, 0),
    (Event::Receive(20), 10, 20),
    (Event::Begin(20), 10, 0),
    (Event::Deleted, 11, 0),
    (Event::Receive(20), 0, 8),
    (Event::Begin(8), 0, 0),
];

fn started_and(then: &[Step]) -> Vec<Step> {
    [&START[..], &FULL, then].concat()
}

#[tokio::test(start_paused = true)]
async fn at_the_start_one_is_held_and_each_success_doubles_how_many() {
    play(&started_and(&[])).await;
}

#[tokio::test(start_paused = true)]
async fn a_failure_changes_nothing() {
    play(&started_and(&[
        (Event::Rejected, 0, 1),
        (Event::Rejected, 0, 2),
    ]))
    .await;
    play(&[
        (Event::Receive(10), 0, 1),
        (Event::Begin(1), 0, 0),
        (Event::Rejected, 0, 0),
        (Event::Deleted, 1, 0),
    ])
    .await;
}

#[tokio::test(start_paused = true)]
async fn while_deletes_fail_nothing_is_held_ahead() {
    play(&started_and(&[
        (Event::DeleteFails, 0, 0),
        (Event::Accepted, 0, 1),
        (Event::Deleted, 1, 1),
    ]))
    .await;
}

#[tokio::test(start_paused = true)]
async fn after_the_mail_breaker_closed_two_go_and_each_success_doubles_how_many() {
    play(&started_and(&[
        (Event::Accepted, 0, 1),
        (Event::Refused, 0, 0),
        (Event::LateAccepted, 0, 0),
        (Event::ProbeAccepted, 0, 2),
        (Event::Begin(1), 0, 1),
        (Event::LateAccepted, 0, 1),
        (Event::Accepted, 0, 2),
        (Event::Deleted, 0, 2),
        (Event::Deleted, 0, 2),
        (Event::Begin(2), 0, 0),
        (Event::Rejected, 0, 0),
        (Event::Accepted, 0, 0),
        (Event::LateAccepted, 0, 0),
    ]))
    .await;
}

#[tokio::test(start_paused = true)]
async fn after_the_template_breaker_closed_nothing_is_received_until_few_are_held() {
    play(&started_and(&[
        (Event::TemplateBack, 0, 0),
        (Event::Deleted, 0, 0),
        (Event::Accepted, 0, 1),
        (Event::Deleted, 0, 1),
    ]))
    .await;
}
