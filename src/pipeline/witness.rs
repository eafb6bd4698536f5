//! Sends witnesses: mails to SES's own simulator that tell whose fault a refusal is.
//!
//! A witness costs what a mail costs and counts against the rate. It is no message: no outcome and no
//! sum counts it, and it has a tag of its own.

use std::sync::Arc;

use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Duration, Instant, sleep, timeout},
};
use tracing::{debug, warn};

use super::{
    breaker::{Standing, UnansweredPass},
    drain::Drain,
    gates::Gates,
    rate::Limiter,
    report,
    worker::Delivering,
};
use crate::{
    feedback::Hearing,
    mutex::Mutex,
    notification::{Address, Composer, EventHash, MailKey},
    ports::{Account, AccountFacts, MailPurpose, Mailer, SendFailureKind, Tags},
    random::{random_id, simulator_address},
    telemetry::{Instruments, throttle::Throttle},
    template_store::TemplateStore,
};

/// What the account said of itself counts for this long.
const STANDING_FOR: Duration = Duration::from_secs(10);
/// How often a drain looks whether a suspect on its last receive wants a witness.
const DRAIN_RECHECK_EVERY: Duration = Duration::from_millis(100);

/// What sends witnesses, whenever the mail gate wants one.
pub(crate) struct Witnesses {
    composer: Composer,
    templates: Arc<TemplateStore>,
    gates: Arc<Gates>,
    limiter: Arc<Limiter>,
    mailer: Arc<dyn Mailer>,
    account: Arc<dyn Account>,
    hearing: Option<Arc<Hearing>>,
    drain: Arc<Drain>,
    instruments: Arc<Instruments>,
    /// What the account said of itself last, and when.
    standing: Mutex<(Standing, Option<Instant>)>,
    /// For the line on an account that cannot be asked.
    throttle: Throttle,
}

impl Witnesses {
    /// Witnesses go the way that messages go, and ask this account what they prove.
    pub(crate) fn new(way: &Delivering, account: Arc<dyn Account>) -> Self {
        Self {
            composer: way.composer.clone(),
            templates: Arc::clone(&way.templates),
            gates: Arc::clone(&way.gates),
            limiter: Arc::clone(&way.limiter),
            mailer: Arc::clone(&way.mailer),
            account,
            hearing: way.hearing.clone(),
            standing: Mutex::new((Standing::Unknown, None)),
            drain: Arc::clone(&way.drain),
            instruments: Arc::clone(&way.instruments),
            throttle: Throttle::default(),
        }
    }

    /// Runs until no send may start any more.
    pub(crate) async fn run(self) {
        let drained = async {
            self.drain.wait_begun().await;
            self.gates.mail.begin_drain();
            self.drain.wait_release(true).await;
        };
        let (unanswered, waiting) = mpsc::unbounded_channel();
        let sending = async {
            let mut failing = false;
            loop {
                if let Some(sent) = self.send_one(&mut failing).await {
                    // The other end is listened to below.
                    drop(unanswered.send(sent));
                }
            }
        };
        tokio::select! {
            () = drained => {}
            () = sending => {}
            () = self.hear_all(waiting) => {}
        }
    }

    /// Waits until a witness is wanted, and sends it. Returns one that had no answer and may have an
    /// event.
    async fn send_one(&self, failing: &mut bool) -> Option<Unanswered> {
        self.templates.usable().await;
        let pass = self.gates.mail.witness().await;
        if self.drain.has_begun() && !self.gates.mail.is_hurried() {
            sleep(DRAIN_RECHECK_EVERY).await;
            return None;
        }
        let turn = tokio::select! {
            () = self.limiter.take(1) => true,
            () = pass.outdated() => false,
        };
        // The template may have changed while it waited.
        let template = self.templates.in_force();
        let (to, template) = Address::parse(&simulator_address())
            .ok()
            .zip(template)
            .filter(|_| turn && pass.is_wanted())?;
        let mail = Box::new(self.composer.witness(&template.template, to));
        let id = random_id();
        let key = MailKey::new(&id, EventHash::of(&id));
        let tags = Tags {
            purpose: MailPurpose::Witness,
            ..Tags::of(&key)
        };
        let hearing = self.hearing.as_ref();
        let mut event = hearing.map(|hearing| hearing.expect_witness(&key));
        let began = Instant::now();
        let result = self.mailer.send(mail, tags).await;
        let code = result.as_ref().err().map(|failure| &*failure.error.code);
        self.instruments.metrics.witnessed(code);
        match &result {
            Ok(email_id) => {
                *failing = false;
                debug!(notifier.email.id = email_id, "a witness was accepted");
                // An event that came before the answer is not due any more.
                let is_heard = event.as_mut().is_some_and(|event| event.try_recv().is_ok());
                if let Some(hearing) = hearing
                    && !is_heard
                {
                    hearing.accepted();
                }
                let standing = self.proves().await;
                self.gates.witnessed(pass, began, Ok(standing));
                None
            }
            Err(failure) => {
                if failure.kind == SendFailureKind::Throttled {
                    self.limiter.throttled(began);
                }
                report::witness_failed(failure, !*failing);
                *failing = true;
                let unanswered = event
                    .filter(|_| failure.kind == SendFailureKind::OutcomeUnknown)
                    .zip(pass.unanswered());
                self.gates.witnessed(pass, began, Err(failure));
                let (event, pass) = unanswered?;
                Some(Unanswered { pass, event, began })
            }
        }
    }

    /// Waits for the events of witnesses that had no answer, each for as long as an event may take.
    async fn hear_all(&self, mut arriving: mpsc::UnboundedReceiver<Unanswered>) {
        let mut waits = FuturesUnordered::new();
        loop {
            tokio::select! {
                Some(sent) = arriving.recv() => waits.push(self.hear(sent)),
                Some(()) = waits.next(), if !waits.is_empty() => {}
            }
        }
    }

    async fn hear(&self, sent: Unanswered) {
        let patience = self.hearing.as_ref().map(|hearing| hearing.patience());
        let event = timeout(patience.unwrap_or_default(), sent.event).await;
        if let Ok(Ok(email_id)) = event {
            debug!(
                notifier.email.id = email_id,
                "a witness was accepted, as an event of SES's shows"
            );
            let standing = self.proves().await;
            self.gates.heard_of_witness(sent.pass, sent.began, standing);
        }
    }

    /// What an accepted witness proves. Where nobody is suspected it proves nothing but that mails go.
    async fn proves(&self) -> Standing {
        if self.gates.mail.has_suspects() {
            self.standing().await
        } else {
            Standing::Good
        }
    }

    /// What the account says, or said a moment ago.
    async fn standing(&self) -> Standing {
        let (known, at) = *self.standing.lock();
        if at.is_some_and(|at| at.elapsed() < STANDING_FOR) {
            return known;
        }
        let standing = match self.account.facts().await {
            Ok(facts) => standing_of(&facts),
            Err(failure) => {
                if let Some(suppressed) = self.throttle.due() {
                    warn!(
                        error.r#type = failure.error.code,
                        notifier.suppressed = suppressed,
                        "the state of the SES account cannot be read, so an accepted test mail \
                         to SES's simulator proves little: {failure}"
                    );
                }
                Standing::Unknown
            }
        };
        *self.standing.lock() = (standing, Some(Instant::now()));
        standing
    }
}

/// A witness that had no answer.
struct Unanswered {
    pass: UnansweredPass,
    /// The mail service's id of it, once an event has told.
    event: oneshot::Receiver<String>,
    began: Instant,
}

fn standing_of(facts: &AccountFacts) -> Standing {
    if facts.production_access && facts.is_within_quota() {
        Standing::Good
    } else {
        Standing::Limited
    }
}
