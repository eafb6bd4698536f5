//! Whether mail can be sent, and the sample mail of `--send-to`.

use super::{
    Target,
    finding::{Finding, Level},
};
use crate::{
    cli::{
        sample,
        verdict::{Verdict, masked},
    },
    notification::{Composer, Html, Mail, Template, mask},
    ports::{AccountCause, SendFailure, SendFailureKind},
};

/// The tag of every mail of this command. Its events carry it.
const TAG: &str = "check";
const ACTION: &str = "ses:SendEmail";

pub(super) async fn check_mail(target: &Target<'_>) -> Vec<Finding> {
    let mut findings = vec![check_right_to_send(target).await];
    findings.extend(check_configuration_set(target).await);
    findings
}

/// Tries the right to send with a mail to nobody, which SES has to refuse whoever asks.
async fn check_right_to_send(target: &Target<'_>) -> Finding {
    const CHECK: &str = "right to send";
    let nobody = Mail {
        from: target.settings.sender.header(),
        to: Vec::new(),
        reply_to: Vec::new(),
        subject: "check".to_owned(),
        html: Html::from("<p>check</p>"),
        text: "check\n".to_owned(),
    };
    match target.world.mailer.send(Box::new(nobody), TAG).await {
        Err(failure) if is_blocked(&failure) => blocked(CHECK, &failure),
        _ => Finding::ok(CHECK, "SES takes our requests"),
    }
}

async fn check_configuration_set(target: &Target<'_>) -> Option<Finding> {
    const CHECK: &str = "configuration set";
    let name = target.settings.email.configuration_set.as_deref()?;
    Some(match target.inspector.configuration_set(name).await {
        Ok(Some(true)) => Finding::ok(CHECK, name),
        Ok(Some(false)) => Finding::failed(CHECK, format!("sending is paused for {name}"))
            .advising(AccountCause::Paused.remedy()),
        Ok(None) => Finding::failed(CHECK, format!("{name} does not exist in {}", target.region))
            .advising(AccountCause::ConfigurationSetMissing.remedy()),
        Err(error) => Finding::unread(CHECK, "ses:GetConfigurationSet", name, &error),
    })
}

/// Sends the sample event's mail to somebody.
pub(super) async fn send_sample(
    target: &Target<'_>,
    composer: &Composer,
    template: &Template,
    to: &str,
) -> Finding {
    const CHECK: &str = "sample mail";
    let body = sample::body(target.settings, Some(to));
    let mail = match Verdict::of(&body, composer, template) {
        Verdict::Mail(mail) => mail,
        Verdict::Ignored(reason) | Verdict::Rejected(reason) => {
            return Finding::failed(CHECK, format!("not sent to {}: {reason}", mask(to)))
                .advising("give --send-to one usable address");
        }
    };
    let masked = masked(&mail).join(", ");
    match target.world.mailer.send(mail, TAG).await {
        Ok(id) => Finding::ok(CHECK, format!("one real mail was sent to {masked}: {id}")),
        Err(failure) if is_blocked(&failure) => blocked(CHECK, &failure),
        Err(failure) => Finding::failed(CHECK, format!("not sent to {masked}: {failure}"))
            .advising("SES's answer tells why"),
    }
}

/// Whether every mail would fail like this. SES must refuse a mail to nobody, and throttling is no
/// fault.
fn is_blocked(failure: &SendFailure) -> bool {
    match failure.kind {
        SendFailureKind::AccountWide(_)
        | SendFailureKind::Transient
        | SendFailureKind::OutcomeUnknown => true,
        SendFailureKind::Throttled
        | SendFailureKind::Rejected
        | SendFailureKind::UnknownClientError => false,
    }
}

fn blocked(check: &'static str, failure: &SendFailure) -> Finding {
    let on = "the sender's identity";
    let refused = || Finding::refused(Level::Failed, check, ACTION, on, &failure.error);
    let SendFailureKind::AccountWide(cause) = failure.kind else {
        return refused();
    };
    let finding = match cause {
        AccountCause::Credentials | AccountCause::AccessDenied => refused(),
        _ => Finding::failed(check, format!("SES refuses every mail: {failure}")),
    };
    finding.advising(cause.remedy())
}
