//! Mailer and account over SES v2.

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_sesv2::{
    Client,
    config::{IdentityCache, retry::RetryConfig, timeout::TimeoutConfig},
    error::BuildError,
    types::{Body, Content, Destination, EmailContent, Message, MessageHeader, MessageTag},
};

use super::{AwsConfig, classify};
use crate::{
    notification::{Address, Mail},
    ports::{
        Account, AccountFacts, AccountFailure, CallError, Mailer, SendFailure, SendFailureKind,
    },
};

/// The tag under which a configuration set's events carry the notification's id.
const TAG: &str = "notification-id";
/// The longest tag value that SES takes.
const TAG_LENGTH: usize = 256;
/// Shorter than any attempt: out of time while connecting is known not to have sent, and an attempt
/// out of time is not.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const ACCOUNT_TIMEOUT: Duration = Duration::from_secs(5);
/// Credentials that take longer to come are none. Waiting for them is part of an attempt, and ends
/// well before it: an attempt out of time would count as one that may have sent. Sends that wait
/// for the same credentials each count from their own start.
const CREDENTIALS_TIMEOUT: Duration = Duration::from_secs(5);
/// An answer that comes late is still an answer. This many timeouts are listened for one before its
/// outcome counts as unknown, since an attempt after that may mail a second time.
const LISTENED: u32 = 2;

/// `SendEmail`, one attempt a call: SES has no idempotency token, so a retry inside the SDK could
/// send a mail twice unseen. The worker owns the retries.
pub struct SesMailer {
    client: Client,
    sender: String,
    configuration_set: Option<String>,
}

impl SesMailer {
    /// A send is answered within `timeout`; a late answer is listened for as long again, and only
    /// then is the outcome unknown. `sender` is the bare address that mails come from.
    #[must_use]
    pub fn new(
        aws: &AwsConfig,
        sender: String,
        configuration_set: Option<String>,
        timeout: Duration,
    ) -> Self {
        let config = aws_sdk_sesv2::config::Builder::from(&aws.0)
            .retry_config(RetryConfig::disabled())
            .identity_cache(
                IdentityCache::lazy()
                    .load_timeout(CREDENTIALS_TIMEOUT.min(timeout / 3))
                    .build(),
            )
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(CONNECT_TIMEOUT.min(timeout / 2))
                    .operation_attempt_timeout(timeout * LISTENED)
                    .build(),
            );
        Self {
            client: Client::from_conf(config.build()),
            sender,
            configuration_set,
        }
    }
}

#[async_trait]
impl Mailer for SesMailer {
    async fn send(&self, mail: &Mail, tag: &str) -> Result<String, SendFailure> {
        const OPERATION: &str = "SendEmail";
        let content = content(mail).map_err(|error| SendFailure {
            kind: SendFailureKind::Rejected,
            error: Box::new(CallError {
                operation: OPERATION,
                code: "request".to_owned(),
                message: error.to_string(),
                request_id: None,
                source: Some(Box::new(error)),
            }),
        })?;
        let to = mail
            .to
            .iter()
            .map(Address::as_str)
            .map(ToOwned::to_owned)
            .collect();
        let answer = self
            .client
            .send_email()
            .from_email_address(&mail.from)
            .destination(Destination::builder().set_to_addresses(Some(to)).build())
            .set_reply_to_addresses((!mail.reply_to.is_empty()).then(|| mail.reply_to.clone()))
            .set_configuration_set_name(self.configuration_set.clone())
            .set_email_tags(message_tag(tag).map(|tag| vec![tag]))
            .content(content)
            .send()
            .await
            .map_err(|error| classify::send_failure(OPERATION, error, &self.sender))?;
        Ok(answer.message_id.unwrap_or_default())
    }
}

/// `GetAccount`, with the SDK's standard retries: it changes nothing.
pub struct SesAccount {
    client: Client,
}

impl SesAccount {
    /// The account that our credentials belong to.
    #[must_use]
    pub fn new(aws: &AwsConfig) -> Self {
        let config = aws_sdk_sesv2::config::Builder::from(&aws.0).timeout_config(
            TimeoutConfig::builder()
                .operation_attempt_timeout(ACCOUNT_TIMEOUT)
                .build(),
        );
        Self {
            client: Client::from_conf(config.build()),
        }
    }
}

#[async_trait]
impl Account for SesAccount {
    async fn facts(&self) -> Result<AccountFacts, AccountFailure> {
        let answer = self
            .client
            .get_account()
            .send()
            .await
            .map_err(|error| classify::account_failure("GetAccount", error))?;
        let quota = answer.send_quota();
        // SES gives -1 for an unlimited daily quota.
        let daily = quota
            .map(|quota| quota.max24_hour_send)
            .filter(|daily| *daily >= 0.0);
        Ok(AccountFacts {
            max_send_rate: quota.map_or(0.0, |quota| quota.max_send_rate),
            max_24_hour_send: daily,
            sent_last_24_hours: quota.map_or(0.0, |quota| quota.sent_last24_hours),
            sending_enabled: answer.sending_enabled,
            enforcement_status: answer.enforcement_status.clone().unwrap_or_default(),
            production_access: answer.production_access_enabled,
        })
    }
}

fn content(mail: &Mail) -> Result<EmailContent, BuildError> {
    // Without a charset SES reads 7-bit ASCII.
    let utf8 = |data: &str| Content::builder().data(data).charset("UTF-8").build();
    let body = Body::builder()
        .html(utf8(&mail.html)?)
        .text(utf8(&mail.text)?)
        .build();
    // RFC 3834: nobody's out-of-office should answer a confirmation.
    let automatic = MessageHeader::builder()
        .name("Auto-Submitted")
        .value("auto-generated")
        .build()?;
    let message = Message::builder()
        .subject(utf8(&mail.subject)?)
        .body(body)
        .headers(automatic)
        .build();
    Ok(EmailContent::builder().simple(message).build())
}

/// SES takes letters, digits, `_` and `-` alone in a tag. An empty one tells nothing.
fn message_tag(value: &str) -> Option<MessageTag> {
    if value.is_empty() {
        return None;
    }
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let value: String = value
        .chars()
        .map(|c| if fits(c) { c } else { '-' })
        .take(TAG_LENGTH)
        .collect();
    MessageTag::builder().name(TAG).value(value).build().ok()
}

#[cfg(test)]
mod tests;
