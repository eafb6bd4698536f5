//! Verified senders: addresses and domains.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::http::ServiceError;
use super::super::outbox::is_simulated;
use super::{Ses, address, error, text};

/// The account's identities, by address or lower-case domain, with whether each is verified.
#[derive(Default)]
pub(super) struct Identities(BTreeMap<String, bool>);

impl Identities {
    /// Whether mail may be sent from an address: it is verified itself, with or without its
    /// `+label`, or its domain or one above it is.
    pub(super) fn cover(&self, address: &str) -> bool {
        let Some((local, domain)) = address.rsplit_once('@') else {
            return false;
        };
        let domain = domain.to_ascii_lowercase();
        let unlabelled = local.split_once('+').map_or(local, |(name, _label)| name);
        let verified = |name: &str| self.0.get(name).copied().unwrap_or(false);
        ancestors(&domain).any(verified)
            || verified(&key(address))
            || verified(&format!("{unlabelled}@{domain}"))
    }

    pub(super) fn cover_recipient(&self, address: &str) -> bool {
        // SES itself swallows mail to the simulator, so that it needs no verification.
        is_simulated(address) || self.cover(address)
    }
}

impl Ses {
    /// Verifies an address or a domain, known before or not.
    pub fn verify(&self, identity: &str) {
        self.state().identities.0.insert(key(identity), true);
    }

    pub(super) fn create_identity(&self, request: &Value) -> Result<Value, ServiceError> {
        let identity = text(request, "EmailIdentity")?;
        if identity.contains('@') {
            address::check(identity)?;
        } else {
            address::check_domain(identity)?;
        }
        let mut state = self.state();
        let verified = !state.account.identities_pending;
        if state.identities.0.contains_key(&key(identity)) {
            return Err(error(
                400,
                "AlreadyExistsException",
                format!("Email identity {identity} already exist."),
            ));
        }
        state.identities.0.insert(key(identity), verified);
        Ok(json!({
            "IdentityType": identity_type(identity),
            "VerifiedForSendingStatus": verified,
            "DkimAttributes": { "SigningEnabled": false, "Status": "NOT_STARTED" },
        }))
    }

    pub(super) fn get_identity(&self, request: &Value) -> Result<Value, ServiceError> {
        let identity = text(request, "EmailIdentity")?;
        let state = self.state();
        let verified = *state
            .identities
            .0
            .get(&key(identity))
            .ok_or_else(|| unknown(identity))?;
        Ok(json!({
            "IdentityType": identity_type(identity),
            "FeedbackForwardingStatus": true,
            "VerifiedForSendingStatus": verified,
            "VerificationStatus": status(verified),
            "DkimAttributes": { "SigningEnabled": false, "Status": "NOT_STARTED" },
            "MailFromAttributes": { "BehaviorOnMxFailure": "USE_DEFAULT_VALUE" },
            "Policies": {},
            "Tags": [],
        }))
    }

    pub(super) fn delete_identity(&self, request: &Value) -> Result<Value, ServiceError> {
        let identity = text(request, "EmailIdentity")?;
        let removed = self.state().identities.0.remove(&key(identity));
        removed.map(|_| json!({})).ok_or_else(|| unknown(identity))
    }

    pub(super) fn list_identities(&self) -> Value {
        let state = self.state();
        let identities: Vec<Value> = state
            .identities
            .0
            .iter()
            .map(|(name, verified)| {
                json!({
                    "IdentityType": identity_type(name),
                    "IdentityName": name,
                    "SendingEnabled": verified,
                    "VerificationStatus": status(*verified),
                })
            })
            .collect();
        json!({ "EmailIdentities": identities })
    }
}

/// Domains ignore case, local parts do not.
fn key(identity: &str) -> String {
    match identity.rsplit_once('@') {
        Some((local, domain)) => format!("{local}@{}", domain.to_ascii_lowercase()),
        None => identity.to_ascii_lowercase(),
    }
}

fn ancestors(domain: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(domain), |domain| {
        domain.split_once('.').map(|(_, parent)| parent)
    })
}

fn identity_type(identity: &str) -> &'static str {
    if identity.contains('@') {
        "EMAIL_ADDRESS"
    } else {
        "DOMAIN"
    }
}

fn status(verified: bool) -> &'static str {
    if verified { "SUCCESS" } else { "PENDING" }
}

fn unknown(identity: &str) -> ServiceError {
    error(
        404,
        "NotFoundException",
        format!("Email identity {identity} does not exist."),
    )
}
