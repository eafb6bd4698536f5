//! `SendEmail`: the request checked in SES's order, counted, and put into the outbox.

use std::collections::BTreeMap;
use std::time::{Duration, UNIX_EPOCH};

use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::super::http::ServiceError;
use super::super::outbox::StoredMail;
use super::content::{Content, NameValue, check_tags, pairs};
use super::destination::EventDestination;
use super::fate::Sent;
use super::{REGION_IN_TEXTS, Ses, State, address, bad_request, error, mime};

const MOST_RECIPIENTS: usize = 50;
/// The text of the refusal of a mail to nobody.
pub(crate) const NO_RECIPIENT: &str = "Destination must hold at least one address.";

/// The request, of right form but unchecked.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct SendEmail {
    from_email_address: Option<String>,
    #[serde(default)]
    destination: Destination,
    #[serde(default)]
    reply_to_addresses: Vec<String>,
    feedback_forwarding_email_address: Option<String>,
    content: Option<Content>,
    #[serde(default)]
    email_tags: Vec<NameValue>,
    configuration_set_name: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Destination {
    #[serde(rename = "ToAddresses")]
    to: Vec<String>,
    #[serde(rename = "CcAddresses")]
    cc: Vec<String>,
    #[serde(rename = "BccAddresses")]
    bcc: Vec<String>,
}

impl SendEmail {
    /// `None` for a body that is no such object; what is wrong with it, reading it as a tree of
    /// values tells.
    pub fn read(body: &[u8]) -> Option<Self> {
        // A list would do as well for serde.
        let object = body.trim_ascii_start().starts_with(b"{");
        object.then(|| serde_json::from_slice(body).ok()).flatten()
    }

    /// What it tells of its mail, of right content or not: addresses and subject.
    pub(crate) fn sketch(self) -> StoredMail {
        let mut mail = StoredMail {
            from: self.from_email_address.unwrap_or_default(),
            to: self.destination.to,
            cc: self.destination.cc,
            bcc: self.destination.bcc,
            ..StoredMail::default()
        };
        match self.content.map(|content| (content.simple, content.raw)) {
            Some((Some(simple), _)) => {
                let subject = simple.subject.and_then(|subject| subject.data);
                mail.subject = subject.unwrap_or_default();
            }
            Some((None, Some(raw))) => {
                // What cannot be read has been refused for it.
                let bytes = raw.decode().unwrap_or_default();
                mime::read_into(&mut mail, &bytes);
            }
            _ => {}
        }
        mail
    }
}

impl Ses {
    /// `SendEmail`: the message id, where every rule lets the mail pass.
    pub fn send_email(&self, request: SendEmail) -> Result<Value, ServiceError> {
        let mut mail = compose(request)?;
        let sender = address::mailbox(&mail.from)?;
        let recipients = recipients(&mail)?;
        for reply_to in &mail.reply_to {
            address::mailbox(reply_to)?;
        }
        let now = self.clock.now_millis();
        let id = message_id(now);
        let (events, fate) = {
            let mut state = self.state();
            let set = state.set_of(&mail, sender)?;
            state.admit(&mail, set.as_deref(), sender, &recipients)?;
            if let Some(history) = self.history.get() {
                history.note("mail", || mail.record(&id, set.as_deref(), &recipients));
            }
            let suppressed = recipients.iter().any(|one| state.is_suppressed(one));
            let fate = self.publisher.fate(&recipients, suppressed);
            state.suppress(&fate, &id, &recipients, now);
            (set.and_then(|set| state.events_of(set)), fate)
        };

        mail.id = id;
        mail.time_millis = now;
        mail.time =
            humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_millis(now)).to_string();
        let answer = json!({ "MessageId": mail.id });
        let sent = events.map(|events| (mail.sent(&events.set), events));
        self.outbox.add(mail);
        if let Some((sent, events)) = sent {
            self.publisher.publish(sent, fate, &events.destinations);
        }
        Ok(answer)
    }
}

/// What is needed for the events of a mail.
struct Events {
    set: String,
    destinations: Vec<EventDestination>,
}

impl StoredMail {
    /// What stands in the history of it.
    fn record(&self, id: &str, set: Option<&str>, recipients: &[&str]) -> Value {
        json!({
            "mail": id,
            "to": recipients,
            "simulated": self.is_simulated(),
            "subject": self.subject,
            "tags": self.tags.iter().cloned().collect::<BTreeMap<_, _>>(),
            "set": set,
        })
    }

    fn sent(&self, set: &str) -> Sent {
        let all = [&self.to, &self.cc, &self.bcc].into_iter().flatten();
        Sent {
            id: self.id.clone(),
            time: self.time.clone(),
            from: self.from.clone(),
            to: all.cloned().collect(),
            subject: self.subject.clone(),
            headers: self.headers.clone(),
            tags: self.tags.clone(),
            set: set.to_owned(),
        }
    }
}

impl State {
    /// The configuration set that a mail is sent with: the one that it names, else its identity's
    /// default.
    fn set_of(&mut self, mail: &StoredMail, sender: &str) -> Result<Option<String>, ServiceError> {
        if let Some(name) = &mail.configuration_set {
            self.configuration_set(name)?;
            return Ok(Some(name.clone()));
        }
        let Some(name) = self.identities.default_set(sender).map(str::to_owned) else {
            return Ok(None);
        };
        if !self.configuration_sets.contains_key(&name) {
            return Err(bad_request(format!(
                "Configuration set <{name}> does not exist."
            )));
        }
        Ok(Some(name))
    }

    /// What a mail's events need, where they go anywhere.
    fn events_of(&self, set: String) -> Option<Events> {
        let destinations = &self.configuration_sets.get(&set)?.destinations;
        let enabled = destinations.iter().filter(|one| one.enabled);
        let destinations: Vec<_> = enabled.cloned().collect();
        (!destinations.is_empty()).then_some(Events { set, destinations })
    }

    /// What the account's standing says to a well-formed mail, its quota last, so that a
    /// refused mail costs none.
    fn admit(
        &mut self,
        mail: &StoredMail,
        set: Option<&str>,
        sender: &str,
        recipients: &[&str],
    ) -> Result<(), ServiceError> {
        if let Some(name) = set
            && !self.configuration_set(name)?.sending_enabled
        {
            return Err(paused(&format!("configuration set <{name}>")));
        }
        if self.account.suspended {
            return Err(error(
                400,
                "AccountSuspendedException",
                "Account has been permanently suspended from sending.",
            ));
        }
        if self.account.paused || !self.account.sending_enabled {
            return Err(paused("this account"));
        }
        if self.account.require_verified_identities {
            self.check_identities(sender, recipients)?;
        }
        let count = u32::try_from(recipients.len()).unwrap_or(u32::MAX);
        let (rate, most_in_a_day) = (self.account.max_send_rate, self.account.max_24_hour_send);
        // Mail to the simulator is outside the quota and counts against the rate.
        if mail.is_simulated() {
            return self.quota.take_rate(count, rate);
        }
        self.quota.take(count, rate, most_in_a_day)
    }

    fn check_identities(&self, sender: &str, recipients: &[&str]) -> Result<(), ServiceError> {
        let mut failed: Vec<&str> = Vec::new();
        if !self.identities.cover(sender) {
            failed.push(sender);
        }
        if !self.account.production_access {
            failed.extend(
                recipients
                    .iter()
                    .copied()
                    .filter(|recipient| !self.identities.cover_recipient(recipient)),
            );
        }
        failed.dedup();
        if failed.is_empty() {
            return Ok(());
        }
        Err(error(
            400,
            "MessageRejected",
            format!(
                "Email address is not verified. The following identities failed the check in \
                 region {REGION_IN_TEXTS}: {}",
                failed.join(", ")
            ),
        ))
    }
}

/// The mail that the request describes, its content and tags checked, its addresses not yet.
fn compose(request: SendEmail) -> Result<StoredMail, ServiceError> {
    check_tags(&request.email_tags)?;
    if let Some(feedback) = &request.feedback_forwarding_email_address {
        address::mailbox(feedback)?;
    }
    let mut mail = StoredMail {
        from: request.from_email_address.unwrap_or_default(),
        to: request.destination.to,
        cc: request.destination.cc,
        bcc: request.destination.bcc,
        reply_to: request.reply_to_addresses,
        tags: pairs(request.email_tags),
        configuration_set: request.configuration_set_name,
        ..StoredMail::default()
    };
    let content = request
        .content
        .ok_or_else(|| bad_request("Missing required field: Content."))?;
    match (content.simple, content.raw, content.template) {
        (Some(simple), None, None) => {
            let checked = simple.check()?;
            mail.subject = checked.subject;
            mail.html = checked.html;
            mail.text = checked.text;
            mail.headers = checked.headers;
            mail.attachments = checked.files.iter().map(|file| file.name.clone()).collect();
            mail.files = checked.files;
        }
        (None, Some(raw), None) => {
            let bytes = raw.decode()?;
            mime::read_into(&mut mail, &bytes);
            mail.raw = Some(bytes.into());
        }
        (None, None, Some(_template)) => {
            return Err(bad_request("The local SES does not render templates."));
        }
        (None, None, None) => return Err(bad_request("Content must not be empty.")),
        _ => {
            return Err(bad_request(
                "Content must be one of Simple, Raw and Template.",
            ));
        }
    }
    if mail.from.is_empty() {
        return Err(bad_request("Missing required field: FromEmailAddress."));
    }
    Ok(mail)
}

fn recipients(mail: &StoredMail) -> Result<Vec<&str>, ServiceError> {
    let given: Vec<&String> = [&mail.to, &mail.cc, &mail.bcc]
        .into_iter()
        .flatten()
        .collect();
    if given.is_empty() {
        return Err(bad_request(NO_RECIPIENT));
    }
    if given.len() > MOST_RECIPIENTS {
        return Err(bad_request(format!(
            "Recipient count exceeds {MOST_RECIPIENTS}."
        )));
    }
    given
        .into_iter()
        .map(|recipient| address::mailbox(recipient))
        .collect()
}

fn paused(whose: &str) -> ServiceError {
    error(
        400,
        "SendingPausedException",
        format!(
            "Sending paused for {whose}. For more information, please check the inbox of the \
             email address associated with your AWS account."
        ),
    )
}

/// An id that looks like SES's: the time, a random part, a running part that is always zero.
fn message_id(now_millis: u64) -> String {
    format!("0100{now_millis:012x}-{}-000000", Uuid::new_v4())
}
