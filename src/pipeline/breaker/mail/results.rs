//! What the mail breaker makes of sends and witnesses that have ended.

use tokio::time::Instant;

use super::{
    DISTINCT_FAILURES_LIMIT, MailBreaker, Permission, Standing, Unanswered, Verdict,
    WitnessPermission,
    suspects::{Evidence, Refusal},
};
use crate::{
    pipeline::breaker::{MailCause, Said, Transition},
    ports::{AccountCause, SendFailure, SendFailureKind},
};

impl MailBreaker {
    /// Takes in how a send ended. `began`: when the send began.
    pub fn report(
        &mut self,
        permission: Permission,
        began: Instant,
        result: Result<(), &SendFailure>,
        now: Instant,
    ) -> Verdict {
        let mut at_fault = false;
        match result {
            Ok(()) => {
                self.suspects.end_try(&permission.key);
                self.witness.mail_accepted(began);
                self.accept(began, Evidence::Mail);
            }
            Err(failure) if self.concerns_message(&permission, failure, now) => {
                at_fault = self.judge(&permission, began, failure, now);
            }
            Err(_) => {
                self.suspects.end_try(&permission.key);
                // Another suspect may try in its place.
                self.wake_waiters |= !self.suspects.is_empty();
            }
        }
        let current = self.is_current(&permission);
        // An event may have closed the breaker while its probe was under way.
        let transition = if permission.is_probe && current {
            self.report_probe(&permission, result, now)
        } else {
            match &mut self.open {
                None if current => self.report_closed(permission, result, now),
                Some(open) if !permission.is_probe && permission.epoch + 1 == self.epoch => {
                    open.report_late(result, now)
                }
                _ => None,
            }
        };
        Verdict {
            transition,
            at_fault,
        }
    }

    /// Takes in that a send was accepted which was reported as one without an answer. `began`: when it
    /// began. As the probe of this opening it closes the breaker, unless the service has refused another
    /// since.
    pub fn hear(
        &mut self,
        unanswered: &Unanswered,
        began: Instant,
        now: Instant,
    ) -> Option<Transition<MailCause>> {
        self.witness.mail_accepted(began);
        self.accept(began, Evidence::Mail);
        match &mut self.open {
            None => {
                if unanswered.epoch == self.epoch {
                    self.failed.clear();
                }
                None
            }
            Some(open) if unanswered.is_probe && unanswered.epoch == self.epoch => {
                if open.has_no_word() {
                    self.close(now)
                } else {
                    None
                }
            }
            Some(open) if !unanswered.is_probe && unanswered.epoch + 1 == self.epoch => {
                open.report_late(Ok(()), now)
            }
            Some(_) => None,
        }
    }

    /// The same of a witness.
    pub fn hear_witness(
        &mut self,
        unanswered: &Unanswered,
        began: Instant,
        standing: Standing,
        now: Instant,
    ) -> Option<Transition<MailCause>> {
        self.wake_waiters = true;
        let is_its_probe = unanswered.is_probe && unanswered.epoch == self.epoch;
        let open = self.open.as_ref();
        if open.is_some_and(|open| !is_its_probe || !open.has_no_word()) {
            return None;
        }
        if self.witness.heard(standing) {
            self.accept(began, evidence(standing));
        }
        self.close(now)
    }

    /// Takes in how a witness ended. `began`: when its send began.
    pub fn report_witness(
        &mut self,
        permission: &WitnessPermission,
        began: Instant,
        result: Result<Standing, &SendFailure>,
        now: Instant,
    ) -> Option<Transition<MailCause>> {
        self.wake_waiters = true;
        match self.open.is_some() {
            true if permission.is_probe && self.is_witness_current(permission) => {
                self.report_witness_probe(began, result, now)
            }
            // The breaker opened meanwhile: what it is open for is newer.
            true => {
                self.witness.abandoned();
                None
            }
            false => self.report_witness_closed(began, result, now),
        }
    }

    /// Whether a failure may be the message's own fault. A role that may not send may only not send to
    /// this recipient.
    fn concerns_message(
        &self,
        permission: &Permission,
        failure: &SendFailure,
        now: Instant,
    ) -> bool {
        match failure.kind {
            SendFailureKind::Refused | SendFailureKind::RecipientNotVerified => true,
            SendFailureKind::AccountWide(AccountCause::AccessDenied) => {
                permission.evidence.is_some()
                    || permission.is_probe
                    || self.suspects.is_refuted(&failure.error.code, now)
                    || !self.is_open()
            }
            _ => false,
        }
    }

    /// Whether a refused message is at fault. If not, it is a suspect.
    fn judge(
        &mut self,
        permission: &Permission,
        began: Instant,
        failure: &SendFailure,
        now: Instant,
    ) -> bool {
        self.wake_waiters = true;
        let key = &permission.key;
        // The simulator takes mail also where recipients have to be verified.
        let unverified = failure.kind == SendFailureKind::RecipientNotVerified;
        let unproven = permission.evidence == Some(Evidence::UnprovenWitness);
        let limit = self.settings.suspect_hold_max;
        let witnessed = permission.evidence.is_some()
            && !(unproven && unverified)
            && self.suspects.lie_together(key, began, limit, now)
            && (!unproven || self.trust_unproven(now));
        let unjudged = !permission.is_probe
            && self.witness.is_mute()
            && self.suspects.have_lasted(key, limit, now);
        if witnessed || unjudged {
            self.suspects
                .at_fault(key, witnessed.then_some(&*failure.error.code), now);
            return true;
        }
        let refusal = Refusal {
            cause: refusal_cause(failure.kind),
            said: Said::of(failure),
        };
        let counts = permission.evidence.is_none();
        self.suspects.refused(key, refusal, counts, now);
        false
    }

    /// Whether one more message may be rejected on the word of a witness whose account cannot be asked.
    fn trust_unproven(&mut self, now: Instant) -> bool {
        let trusted = self.witness.trust_unproven(now);
        if !trusted {
            self.suspects.distrust_unproven();
        }
        trusted
    }

    fn accept(&mut self, began: Instant, evidence: Evidence) {
        self.mailed = true;
        if !self.suspects.is_empty() {
            self.suspects.accepted(began, evidence);
            self.wake_waiters = true;
        }
    }

    fn report_closed(
        &mut self,
        permission: Permission,
        result: Result<(), &SendFailure>,
        now: Instant,
    ) -> Option<Transition<MailCause>> {
        let failure = match result {
            Ok(()) => {
                self.failed.clear();
                return None;
            }
            Err(failure) => failure,
        };
        match failure.kind {
            SendFailureKind::AccountWide(AccountCause::AccessDenied)
                if permission.evidence.is_some()
                    || self.suspects.is_refuted(&failure.error.code, now) =>
            {
                self.open_if_refused_alike(now)
            }
            SendFailureKind::AccountWide(cause) => {
                Some(self.open(MailCause::Account(cause), Said::of(failure), now))
            }
            SendFailureKind::Refused | SendFailureKind::RecipientNotVerified => {
                self.open_if_refused_alike(now)
            }
            SendFailureKind::Transient | SendFailureKind::OutcomeUnknown => {
                *self.failed.entry(permission.key).or_default() += 1;
                let all = self.failed.len() >= DISTINCT_FAILURES_LIMIT.min(self.room);
                let failures: usize = self.failed.values().sum();
                (all && failures >= DISTINCT_FAILURES_LIMIT)
                    .then(|| self.open(MailCause::Failing, Said::of(failure), now))
            }
            SendFailureKind::Throttled => None,
        }
    }

    fn report_probe(
        &mut self,
        permission: &Permission,
        result: Result<(), &SendFailure>,
        now: Instant,
    ) -> Option<Transition<MailCause>> {
        let failure = match result {
            Ok(()) => return self.close(now),
            Err(failure) => failure,
        };
        let delay = self.probes.next_delay();
        self.witness.try_again();
        let open = self.open.as_mut()?;
        debug_assert!(permission.is_probe);
        open.probing = false;
        open.receives.tried();
        // The message fares as the witnesses did: their word holds.
        if open.is_refused_with(&failure.error.code)
            && self.witness.is_refused_with(&failure.error.code)
        {
            open.witness_is_mute = false;
        }
        // A transient failure does not take back what the service refused.
        let cause = match failure.kind {
            SendFailureKind::AccountWide(cause) => Some(MailCause::Account(cause)),
            SendFailureKind::Transient | SendFailureKind::OutcomeUnknown
                if open.cause == MailCause::Starting =>
            {
                Some(MailCause::Failing)
            }
            _ => None,
        };
        let changed = cause.and_then(|cause| open.change(cause, Said::of(failure), now));
        // Who is unverified still is of the cause itself.
        if failure.kind == SendFailureKind::Refused {
            open.hear_witness_beside_account();
        }
        // The message may be at fault itself, and what the last witness was refused for be over, or what it
        // could not prove.
        let may_be_over = match failure.kind {
            SendFailureKind::Refused | SendFailureKind::RecipientNotVerified => {
                self.witness.was_refused_like_all() || self.witness.may_prove_more(now)
            }
            SendFailureKind::AccountWide(AccountCause::AccessDenied) => {
                self.witness.may_prove_more(now)
            }
            _ => false,
        };
        if may_be_over {
            open.hear_witness_again();
        }
        open.schedule(now + delay);
        changed
    }

    fn report_witness_probe(
        &mut self,
        began: Instant,
        result: Result<Standing, &SendFailure>,
        now: Instant,
    ) -> Option<Transition<MailCause>> {
        let open = self.open.as_mut()?;
        open.probing = false;
        let failure = match result {
            Ok(standing) => {
                let counts = self.witness.accepted(standing, now);
                let unclear = matches!(
                    open.cause,
                    MailCause::Refused
                        | MailCause::Account(
                            AccountCause::AccessDenied
                                | AccountCause::DailyQuota
                                | AccountCause::Sandbox
                        )
                );
                if unclear && !counts {
                    open.witness_is_mute = true;
                    open.schedule(now + self.probes.next_delay());
                    return None;
                }
                if counts {
                    self.accept(began, evidence(standing));
                }
                return self.close(now);
            }
            Err(failure) => failure,
        };
        open.schedule(now + self.probes.next_delay());
        match failure.kind {
            SendFailureKind::AccountWide(cause) if cause != AccountCause::AccessDenied => {
                self.witness.refused(&failure.error.code, false, now);
                open.change(MailCause::Account(cause), Said::of(failure), now)
            }
            SendFailureKind::AccountWide(_)
            | SendFailureKind::Refused
            | SendFailureKind::RecipientNotVerified => {
                let code = &failure.error.code;
                if open.is_unclear_start() {
                    self.witness.refused(code, false, now);
                    // A role may be forbidden to mail the simulator alone: the first message tells.
                    if failure.kind != SendFailureKind::Refused {
                        return self.close(now);
                    }
                    return open.change(MailCause::Refused, Said::of(failure), now);
                }
                let alike = open.is_refused_with(code) && !self.witness.is_own(code);
                self.witness.refused(code, !alike, now);
                open.witness_is_mute = !alike;
                // Nothing but witnesses was refused yet, and for long: one message tells.
                if alike && open.is_only_witnessed(now) {
                    open.witness_is_mute = true;
                    open.schedule(now);
                    open.receives.hasten(now);
                }
                None
            }
            SendFailureKind::Throttled => {
                self.witness.had_no_word(now);
                None
            }
            SendFailureKind::Transient | SendFailureKind::OutcomeUnknown => {
                let too_many = self.witness.had_no_word(now);
                if too_many && open.cause == MailCause::Starting {
                    open.change(MailCause::Failing, Said::of(failure), now)
                } else {
                    None
                }
            }
        }
    }

    fn report_witness_closed(
        &mut self,
        began: Instant,
        result: Result<Standing, &SendFailure>,
        now: Instant,
    ) -> Option<Transition<MailCause>> {
        let failure = match result {
            Ok(standing) => {
                if self.witness.accepted(standing, now) {
                    self.accept(began, evidence(standing));
                    return None;
                }
                return self.open_if_refused_alike(now);
            }
            Err(failure) => failure,
        };
        match failure.kind {
            SendFailureKind::AccountWide(cause) if cause != AccountCause::AccessDenied => {
                self.witness.refused(&failure.error.code, false, now);
                Some(self.open(MailCause::Account(cause), Said::of(failure), now))
            }
            SendFailureKind::Refused
                if self.suspects.know(&failure.error.code)
                    && !self.witness.is_own(&failure.error.code) =>
            {
                self.witness.refused(&failure.error.code, false, now);
                Some(self.open(MailCause::Refused, Said::of(failure), now))
            }
            SendFailureKind::AccountWide(_)
            | SendFailureKind::Refused
            | SendFailureKind::RecipientNotVerified => {
                self.witness.refused(&failure.error.code, true, now);
                self.open_if_refused_alike(now)
            }
            SendFailureKind::Throttled
            | SendFailureKind::Transient
            | SendFailureKind::OutcomeUnknown => {
                self.witness.had_no_word(now);
                self.open_if_refused_alike(now)
            }
        }
    }

    /// Opens where distinct messages in a row were refused alike and no witness tells whose fault it
    /// is, or the code was refuted before, so that its name alone no longer opens.
    fn open_if_refused_alike(&mut self, now: Instant) -> Option<Transition<MailCause>> {
        let verdict = self.witness.may_tell();
        let held_max = self.settings.waiting_max;
        let refusal = self.suspects.refused_alike(verdict, held_max, now)?;
        let opened = self.open(refusal.cause, refusal.said, now);
        if let Some(open) = &mut self.open {
            open.witness_is_mute |= self.witness.is_mute();
        }
        Some(opened)
    }
}

/// What every mail's refusal of this kind would mean.
fn refusal_cause(kind: SendFailureKind) -> MailCause {
    match kind {
        SendFailureKind::AccountWide(cause) => MailCause::Account(cause),
        SendFailureKind::RecipientNotVerified => MailCause::Account(AccountCause::Sandbox),
        _ => MailCause::Refused,
    }
}

/// What an accepted witness is worth.
fn evidence(standing: Standing) -> Evidence {
    match standing {
        Standing::Good => Evidence::Witness,
        Standing::Limited | Standing::Unknown => Evidence::UnprovenWitness,
    }
}
