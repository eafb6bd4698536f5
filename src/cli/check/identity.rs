//! Whether SES may send in the sender's name.

use super::{Target, finding::Finding};
use crate::{notification::Address, ports::AccountCause};

/// An address is covered by itself, with or without its label, or by its domain or one above it.
pub(super) async fn check_sender(target: &Target<'_>, sender: &Address) -> Finding {
    const CHECK: &str = "sender";
    let mut pending = None;
    for identity in covering(sender.as_str()) {
        match target.inspector.identity(&identity).await {
            Ok(Some(true)) if identity.contains('@') => {
                return Finding::ok(CHECK, format!("{sender} is verified"));
            }
            Ok(Some(true)) => {
                let found = format!("{sender} is verified by its domain {identity}");
                return Finding::ok(CHECK, found);
            }
            Ok(Some(false)) => pending = pending.or(Some(identity)),
            Ok(None) => {}
            Err(error) => {
                let on = "the sender's identity";
                return Finding::unread(CHECK, "ses:GetEmailIdentity", on, &error);
            }
        }
    }
    let region = target.region;
    if let Some(pending) = pending {
        let which = if pending.contains('@') {
            sender.to_string()
        } else {
            pending
        };
        let found = format!("{which} is known to SES in {region}, and not verified yet");
        return Finding::failed(CHECK, found)
            .advising("follow the link in SES's mail to it, or set the domain's DKIM records");
    }
    Finding::failed(
        CHECK,
        format!("{sender} is not verified in SES in {region}"),
    )
    .advising(AccountCause::SenderNotVerified.remedy())
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
