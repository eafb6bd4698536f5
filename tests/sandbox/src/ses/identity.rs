//! Verified senders: addresses and domains.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::http::ServiceError;
use super::super::outbox::is_simulated;
use super::{Ses, address, error, text};

/// The account's identities, by address or lower-case domain.
#[derive(Default)]
pub(super) struct Identities(BTreeMap<String, Identity>);

/// What SES knows of an identity.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Whether mail may be sent from it.
    pub verified: bool,
    /// The configuration set of mails that name none.
    pub configuration_set: Option<String>,
    /// Whether its mails are signed.
    pub dkim_enabled: bool,
    /// `PENDING`, `SUCCESS`, `FAILED`, `TEMPORARY_FAILURE` or `NOT_STARTED`.
    pub dkim_status: String,
    /// `RSA_1024_BIT` or `RSA_2048_BIT`.
    pub dkim_key_length: String,
    /// The domain of its MAIL FROM, where it has one of its own.
    pub mail_from_domain: Option<String>,
    /// `PENDING`, `SUCCESS`, `FAILED` or `TEMPORARY_FAILURE`.
    pub mail_from_status: String,
    /// Whether bounces and complaints are mailed to the sender.
    pub forwards_feedback: bool,
}

impl Identity {
    /// A domain is verified by the records of its signature, an address by a mail.
    fn of(name: &str, verified: bool) -> Self {
        let status = match (name.contains('@'), verified) {
            (true, _) => "NOT_STARTED",
            (false, true) => "SUCCESS",
            (false, false) => "PENDING",
        };
        Self {
            verified,
            configuration_set: None,
            dkim_enabled: !name.contains('@'),
            dkim_status: status.to_owned(),
            dkim_key_length: "RSA_2048_BIT".to_owned(),
            mail_from_domain: None,
            mail_from_status: "PENDING".to_owned(),
            forwards_feedback: true,
        }
    }

    fn dkim(&self) -> Value {
        let mut dkim = json!({ "SigningEnabled": self.dkim_enabled, "Status": self.dkim_status });
        if self.dkim_status != "NOT_STARTED" {
            dkim["CurrentSigningKeyLength"] = json!(self.dkim_key_length);
        }
        dkim
    }

    fn mail_from(&self) -> Value {
        let mut mail_from = json!({ "BehaviorOnMxFailure": "USE_DEFAULT_VALUE" });
        if let Some(domain) = &self.mail_from_domain {
            mail_from["MailFromDomain"] = json!(domain);
            mail_from["MailFromDomainStatus"] = json!(self.mail_from_status);
        }
        mail_from
    }
}

impl Identities {
    /// Whether mail may be sent from an address: it is verified itself, with or without its
    /// `+label`, or its domain or one above it is.
    pub(super) fn cover(&self, address: &str) -> bool {
        let Some((local, domain)) = address.rsplit_once('@') else {
            return false;
        };
        let domain = domain.to_ascii_lowercase();
        let unlabelled = local.split_once('+').map_or(local, |(name, _label)| name);
        let verified = |name: &str| self.0.get(name).is_some_and(|one| one.verified);
        ancestors(&domain).any(verified)
            || verified(&key(address))
            || verified(&format!("{unlabelled}@{domain}"))
    }

    /// The default configuration set of the identity that a sender's mail is sent with: the address's
    /// own, else its domain's.
    pub(super) fn default_set(&self, address: &str) -> Option<&str> {
        let (_, domain) = address.rsplit_once('@')?;
        let domain = domain.to_ascii_lowercase();
        let own = self.0.get(&key(address));
        let of_domain = || ancestors(&domain).find_map(|name| self.0.get(name));
        own.or_else(of_domain)?.configuration_set.as_deref()
    }

    pub(super) fn cover_recipient(&self, address: &str) -> bool {
        // SES itself swallows mail to the simulator, so that it needs no verification.
        is_simulated(address) || self.cover(address)
    }
}

impl Ses {
    /// Verifies an address or a domain, known before or not.
    pub fn verify(&self, identity: &str) {
        let identity = key(identity);
        let mut state = self.state();
        let new = || Identity::of(&identity, true);
        let known = state.identities.0.entry(identity.clone());
        known.or_insert_with(new).verified = true;
    }

    /// Changes what SES knows of an identity, which is verified where it was not known.
    pub fn update_identity(&self, identity: &str, change: impl FnOnce(&mut Identity)) {
        let identity = key(identity);
        let mut state = self.state();
        let new = || Identity::of(&identity, true);
        change(
            state
                .identities
                .0
                .entry(identity.clone())
                .or_insert_with(new),
        );
    }

    /// Changes an identity as one operation says.
    fn put_identity(
        &self,
        request: &Value,
        change: impl FnOnce(&mut Identity),
    ) -> Result<Value, ServiceError> {
        let identity = text(request, "EmailIdentity")?;
        let mut state = self.state();
        let known = state.identities.0.get_mut(&key(identity));
        change(known.ok_or_else(|| unknown(identity))?);
        Ok(json!({}))
    }

    pub(super) fn put_identity_set(&self, request: &Value) -> Result<Value, ServiceError> {
        let set = request["ConfigurationSetName"].as_str().map(str::to_owned);
        if let Some(set) = &set {
            self.state().configuration_set(set)?;
        }
        self.put_identity(request, |known| known.configuration_set = set)
    }

    pub(super) fn put_identity_feedback(&self, request: &Value) -> Result<Value, ServiceError> {
        let forwards = request["EmailForwardingEnabled"].as_bool().unwrap_or(false);
        self.put_identity(request, |known| known.forwards_feedback = forwards)
    }

    pub(super) fn put_identity_mail_from(&self, request: &Value) -> Result<Value, ServiceError> {
        let domain = request["MailFromDomain"].as_str().map(str::to_owned);
        self.put_identity(request, |known| known.mail_from_domain = domain)
    }

    pub(super) fn put_identity_dkim(&self, request: &Value) -> Result<Value, ServiceError> {
        let enabled = request["SigningEnabled"].as_bool().unwrap_or(false);
        self.put_identity(request, |known| known.dkim_enabled = enabled)
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
        let mut created = Identity::of(&key(identity), verified);
        if let Some(set) = request["ConfigurationSetName"].as_str() {
            state.configuration_set(set)?;
            created.configuration_set = Some(set.to_owned());
        }
        let dkim = created.dkim();
        state.identities.0.insert(key(identity), created);
        Ok(json!({
            "IdentityType": identity_type(identity),
            "VerifiedForSendingStatus": verified,
            "DkimAttributes": dkim,
        }))
    }

    pub(super) fn get_identity(&self, request: &Value) -> Result<Value, ServiceError> {
        let identity = text(request, "EmailIdentity")?;
        let state = self.state();
        let known = state.identities.0.get(&key(identity));
        let known = known.ok_or_else(|| unknown(identity))?;
        let mut shown = json!({
            "IdentityType": identity_type(identity),
            "FeedbackForwardingStatus": known.forwards_feedback,
            "VerifiedForSendingStatus": known.verified,
            "VerificationStatus": status(known.verified),
            "DkimAttributes": known.dkim(),
            "MailFromAttributes": known.mail_from(),
            "Policies": {},
            "Tags": [],
        });
        if let Some(set) = &known.configuration_set {
            shown["ConfigurationSetName"] = json!(set);
        }
        Ok(shown)
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
            .map(|(name, Identity { verified, .. })| {
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
