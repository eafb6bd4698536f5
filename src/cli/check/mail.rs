//! Whether mail can be sent, and the sample mail of `--send-to`.

use super::{Target, finding::Finding};
use crate::{
    cli::{
        sample,
        verdict::{Verdict, masked},
    },
    notification::{Address, Composer, EventHash, Html, Mail, MailKey, Template, mask},
    ports::{AccountCause, MailPurpose, SendFailure, SendFailureKind, Tags},
};

const ACTION: &str = "ses:SendEmail";

pub(super) async fn check_mail(target: &Target<'_>) -> Vec<Finding> {
    let mut findings = vec![check_right_to_send(target).await];
    findings.extend(check_configuration_set(target).await);
    findings
}

/// Tries the right to send with a mail to nobody, which SES has to refuse for every role.
async fn check_right_to_send(target: &Target<'_>) -> Finding {
    const CHECK: &str = "right to send";
    let nobody = Box::new(short(target, Vec::new()));
    let sent = target.world.mailer.send(nobody, tags(&key())).await;
    let blocked = sent.err().and_then(|failure| blocked(CHECK, &failure));
    blocked.unwrap_or_else(|| Finding::ok(CHECK, "SES takes our requests"))
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

/// A mail that says nothing but what it is for.
pub(super) fn short(target: &Target<'_>, to: Vec<Address>) -> Mail {
    Mail {
        from: target.settings.sender.header(),
        to,
        reply_to: Vec::new(),
        subject: "check".to_owned(),
        html: Html::from("<p>check</p>"),
        text: "check\n".to_owned(),
    }
}

/// The key of every mail of this command that nobody waits for.
fn key() -> MailKey {
    MailKey::new("check", EventHash::of("check"))
}

/// The tags of a mail of this command, which no daemon takes for one of its own.
pub(super) fn tags(key: &MailKey) -> Tags<'_> {
    Tags {
        purpose: MailPurpose::Check,
        ..Tags::of(key)
    }
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
    match target.world.mailer.send(mail, tags(&key())).await {
        Ok(id) => Finding::ok(CHECK, format!("one real mail was sent to {masked}: {id}")),
        Err(failure) => blocked(CHECK, &failure).unwrap_or_else(|| {
            Finding::failed(CHECK, format!("not sent to {masked}: {failure}"))
                .advising("SES's answer says why")
        }),
    }
}

/// What is wrong where every mail would fail like this. SES must refuse a mail to nobody, and
/// throttling is no fault.
fn blocked(check: &'static str, failure: &SendFailure) -> Option<Finding> {
    let refused = Finding::refused(check, ACTION, "the sender's identity", &failure.error);
    match failure.kind {
        SendFailureKind::AccountWide(cause) => {
            let found = format!("SES refuses every mail: {failure}");
            Some(match cause {
                AccountCause::Credentials => refused,
                AccountCause::AccessDenied => refused.advising(cause.remedy()),
                _ => Finding::failed(check, found).advising(cause.remedy()),
            })
        }
        SendFailureKind::Transient | SendFailureKind::OutcomeUnknown => Some(refused),
        SendFailureKind::Throttled
        | SendFailureKind::Refused
        | SendFailureKind::RecipientNotVerified => None,
    }
}
