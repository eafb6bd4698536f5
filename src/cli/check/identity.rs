//! Whether SES may send in the sender's name.

use super::{Target, feedback::Feedback, finding::Finding};
use crate::{
    notification::Address,
    ports::{
        AccountCause,
        inspect::{IdentityDetails, Proof},
    },
    text::format_duration,
};

/// What is found of the sender's identity, and what SES says of it. An address is covered by itself, with
/// or without its label, or by its domain or one above it.
pub(super) async fn check_sender(
    target: &Target<'_>,
    sender: &Address,
) -> (Vec<Finding>, Option<IdentityDetails>) {
    const CHECK: &str = "sender";
    let mut pending = None;
    for identity in covering(sender.as_str()) {
        match target.inspector.identity(&identity).await {
            Ok(Some(details)) if details.verified => {
                let found = if identity.contains('@') {
                    format!("{sender} is verified")
                } else {
                    format!("{sender} is verified by its domain {identity}")
                };
                let mut findings = vec![Finding::ok(CHECK, found), signature(&details)];
                findings.push(mail_from(&details));
                return (findings, Some(details));
            }
            Ok(Some(_)) => pending = pending.or(Some(identity)),
            Ok(None) => {}
            Err(error) => {
                let on = "the sender's identity";
                let finding = Finding::unread(CHECK, "ses:GetEmailIdentity", on, &error);
                return (vec![finding], None);
            }
        }
    }
    let region = target.region;
    let finding = if let Some(pending) = pending {
        let which = if pending.contains('@') {
            sender.to_string()
        } else {
            pending
        };
        let found = format!("{which} is known to SES in {region}, and not verified yet");
        Finding::failed(CHECK, found).advising(
            "for an address, follow the link in SES's mail to it; for a domain, set its \
                       DKIM records",
        )
    } else {
        let found = format!("{sender} is not verified in SES in {region}");
        Finding::failed(CHECK, found).advising(AccountCause::SenderNotVerified.remedy())
    };
    (vec![finding], None)
}

/// Without a signature of its domain a mail is likely to be taken for spam.
fn signature(details: &IdentityDetails) -> Finding {
    const CHECK: &str = "dkim";
    let records = "set the CNAME records that SES shows for the identity";
    let signature = details.signature;
    match signature.records {
        Proof::Found if !signature.is_on => {
            Finding::warning(CHECK, "the records are there, and signing is switched off")
                .advising("aws sesv2 put-email-identity-dkim-attributes --signing-enabled")
        }
        Proof::Found if signature.is_weak => {
            Finding::warning(CHECK, "signed with a key of 1024 bits").advising(
                "rotate it to 2048: aws sesv2 put-email-identity-dkim-signing-attributes \
                 --email-identity IDENTITY \
                 --signing-attributes-origin AWS_SES --signing-attributes \
                 NextSigningKeyLength=RSA_2048_BIT",
            )
        }
        Proof::Found => Finding::ok(CHECK, "signed in the sender's name"),
        Proof::Pending => {
            Finding::warning(CHECK, "SES has not found the records yet").advising(records)
        }
        Proof::Missing => {
            Finding::warning(CHECK, "SES does not find the records").advising(records)
        }
        Proof::Unasked => Finding::note(CHECK, "not signed in the sender's name")
            .advising("verify the sender's domain: its mails are signed then"),
    }
}

fn mail_from(details: &IdentityDetails) -> Finding {
    const CHECK: &str = "mail from";
    match &details.mail_from {
        None => Finding::ok(CHECK, "SES's own domain"),
        Some((domain, Proof::Found)) => Finding::ok(CHECK, domain.clone()),
        Some((domain, _)) => Finding::warning(
            CHECK,
            format!("SES does not find the MX record of {domain}"),
        )
        .advising("set the MX and SPF records that SES shows for the MAIL FROM domain"),
    }
}

/// Who learns of bounces. `feedback`: what was found of the events, where they are read.
pub(super) fn check_bounces(details: &IdentityDetails, feedback: Option<&Feedback>) -> Finding {
    const CHECK: &str = "bounces";
    const ADVICE: &str =
        "set up feedback (deploy/options.md, Feedback): then the log tells of each";
    if let Some(first) = feedback.and_then(Feedback::keeps_bounces_back) {
        return Finding::skipped(CHECK, format!("not known: see {first}"));
    }
    match (details.forwards_feedback, feedback.is_some()) {
        (true, false) => Finding::note(
            CHECK,
            "are mailed to the sender, where perhaps nobody reads",
        )
        .advising(ADVICE),
        (false, false) => Finding::note(CHECK, "nobody learns of them").advising(ADVICE),
        (true, true) => Finding::ok(CHECK, "are told by events, and mailed to the sender"),
        (false, true) => Finding::ok(CHECK, "are told by events"),
    }
}

/// Whether SES delivers to this address at all.
pub(super) async fn check_recipient(target: &Target<'_>, address: &Address) -> Finding {
    const CHECK: &str = "recipient";
    match target.inspector.suppression(address.as_str()).await {
        Ok(None) => Finding::ok(CHECK, format!("{address} is not suppressed")),
        Ok(Some(suppression)) => {
            let why = if suppression.complained {
                "its reader complained of a mail"
            } else {
                "a mail to it bounced"
            };
            let since = suppression.since.and_then(|since| since.elapsed().ok());
            let since = since.map(|age| format!(" {} ago", format_duration(age)));
            let found = format!(
                "SES does not deliver to {address}: {why}{}",
                since.unwrap_or_default()
            );
            Finding::failed(CHECK, found).advising(
                "if the address is right: aws sesv2 delete-suppressed-destination --email-address \
                 ADDRESS; then publish the event again, since SES does not deliver what it took before",
            )
        }
        Err(error) => {
            let on = "the suppression list";
            Finding::unread(CHECK, "ses:GetSuppressedDestination", on, &error)
        }
    }
}

/// The identities that would do, the most exact first.
fn covering(address: &str) -> Vec<String> {
    let Some((local, domain)) = address.rsplit_once('@') else {
        return vec![address.to_owned()];
    };
    let mut identities = vec![address.to_owned()];
    if let Some((name, _label)) = local.split_once('+') {
        identities.push(format!("{name}@{domain}"));
    }
    let mut above = Some(domain);
    // Nobody owns a domain of one label.
    while let Some(domain) = above.filter(|domain| domain.contains('.')) {
        identities.push(domain.to_owned());
        above = domain.split_once('.').map(|(_, parent)| parent);
    }
    identities
}

#[cfg(test)]
mod tests {
    use super::covering;

    #[test]
    fn an_address_is_covered_by_itself_its_domain_and_those_above() {
        assert_eq!(
            covering("events+new@mail.example.com"),
            [
                "events+new@mail.example.com",
                "events@mail.example.com",
                "mail.example.com",
                "example.com"
            ]
        );
    }
}
