//! Sends witnesses: mails to SES's own simulator that tell whose fault a refusal is.
//!
//! A witness costs what a mail costs and counts against the rate. It is no message: no outcome and no
//! sum counts it, and it has a tag of its own.

use std::{
    hash::{BuildHasher, RandomState},
    sync::Arc,
};

use tokio::time::{Duration, Instant, sleep};
use tracing::{debug, warn};

use super::{
    breaker::Standing, drain::Drain, gates::Gates, rate::Limiter, report, worker::Delivering,
};
use crate::{
    notification::{Address, Composer, EventHash, MailKey},
    ports::{Account, AccountFacts, MailPurpose, Mailer, SendFailureKind, Tags},
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
    drain: Arc<Drain>,
    instruments: Arc<Instruments>,
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
            drain: Arc::clone(&way.drain),
            instruments: Arc::clone(&way.instruments),
            throttle: Throttle::default(),
        }
    }

    /// Runs until no send may start any more.
    pub(crate) async fn run(self) {
        let mut standing = (Standing::Unknown, None);
        let mut failing = false;
        let drained = async {
            self.drain.wait_begun().await;
            self.gates.mail.begin_drain();
            self.drain.wait_release(true).await;
        };
        tokio::select! {
            () = drained => {}
            () = async {
                loop {
                    self.send_one(&mut standing, &mut failing).await;
                }
            } => {}
        }
    }

    /// Waits until a witness is wanted, and sends it.
    async fn send_one(&self, standing: &mut (Standing, Option<Instant>), failing: &mut bool) {
        self.templates.usable().await;
        let pass = self.gates.mail.witness().await;
        if self.drain.has_begun() && !self.gates.mail.is_hurried() {
            sleep(DRAIN_RECHECK_EVERY).await;
            return;
        }
        let turn = tokio::select! {
            () = self.limiter.take(1) => true,
            () = pass.outdated() => false,
        };
        // The template may have changed while it waited.
        let template = self.templates.in_force();
        let Some((to, template)) = simulator()
            .zip(template)
            .filter(|_| turn && pass.is_wanted())
        else {
            return;
        };
        let mail = Box::new(self.composer.witness(&template.template, to));
        let id = random_id();
        let key = MailKey::new(&id, EventHash::of(&id));
        let tags = Tags {
            purpose: MailPurpose::Witness,
            ..Tags::of(&key)
        };
        let began = Instant::now();
        let result = self.mailer.send(mail, tags).await;
        let code = result.as_ref().err().map(|failure| &*failure.error.code);
        self.instruments.metrics.witnessed(code);
        match &result {
            Ok(email_id) => {
                *failing = false;
                debug!(notifier.email.id = email_id, "a witness was accepted");
                // Where nobody is suspected it proves nothing but that mails go.
                let standing = if self.gates.mail.has_suspects() {
                    self.standing(standing).await
                } else {
                    Standing::Good
                };
                self.gates.witnessed(pass, began, Ok(standing));
            }
            Err(failure) => {
                if failure.kind == SendFailureKind::Throttled {
                    self.limiter.throttled(began);
                }
                report::witness_failed(failure, !*failing);
                *failing = true;
                self.gates.witnessed(pass, began, Err(failure));
            }
        }
    }

    /// What an accepted witness proves, as the account says or said a moment ago.
    async fn standing(&self, known: &mut (Standing, Option<Instant>)) -> Standing {
        if known.1.is_none_or(|at| at.elapsed() >= STANDING_FOR) {
            let standing = match self.account.facts().await {
                Ok(facts) => standing_of(&facts),
                Err(failure) => {
                    if let Some(suppressed) = self.throttle.due() {
                        warn!(
                            error.r#type = failure.error.code,
                            notifier.suppressed = suppressed,
                            "the account cannot be asked whether a witness proves anything: {failure}"
                        );
                    }
                    Standing::Unknown
                }
            };
            *known = (standing, Some(Instant::now()));
        }
        known.0
    }
}

fn standing_of(facts: &AccountFacts) -> Standing {
    if facts.production_access && facts.is_within_quota() {
        Standing::Good
    } else {
        Standing::Limited
    }
}

/// An address of the simulator that takes each mail, a new one each time.
fn simulator() -> Option<Address> {
    let label = &random_id()[..8];
    Address::parse(&format!("success+{label}@simulator.amazonses.com")).ok()
}

/// A random id in the form of a notification's.
fn random_id() -> String {
    // The hasher's keys are random, which is enough for an id that nothing depends on.
    let random = || RandomState::new().hash_one(Instant::now().elapsed());
    let (high, low) = (random(), random());
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        high >> 32,
        high >> 16 & 0xffff,
        high & 0xffff,
        low >> 48,
        low & 0xffff_ffff_ffff
    )
}
