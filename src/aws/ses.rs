//! Mailer and account over SES v2.

mod body;
mod events;

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_sesv2::{
    Client,
    config::{Builder, endpoint::Params, timeout::TimeoutConfig},
    operation::send_email::{SendEmail, SendEmailError, SendEmailInput, SendEmailOutput},
};

use self::body::BodyWriter;
pub use self::events::read_letter;
use super::{
    AwsConfig, call::Caller, classify::Failure, clock::ServiceClock, signing::Signing,
    user_agent::UserAgent,
};
use crate::{
    notification::Mail,
    ports::{
        Account, AccountFacts, AccountFailure, AccountFailureKind, CallError, EnforcementStatus,
        Mailer, SendFailure, SendFailureKind, Tags,
    },
    text::format_duration,
    timing::longest_send,
};

/// Shorter than any attempt: out of time while connecting is known not to have sent, and an attempt
/// out of time is not.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const ACCOUNT_TIMEOUT: Duration = Duration::from_secs(5);

/// `SendEmail`, one attempt a call: SES has no idempotency token, so a retry inside the SDK could
/// send a mail twice unseen. The worker owns the retries.
pub struct SesMailer {
    sending: Caller<SendEmailInput, SendEmailOutput, SendEmailError>,
    bodies: BodyWriter,
    sender: String,
    timeout: Duration,
}

impl SesMailer {
    /// SES should answer a send within `timeout`. The mailer waits as long again for a late answer;
    /// only then is the outcome unknown. `sender` is the bare address that mails come from, `queue` the
    /// name of the queue that they are about.
    pub fn new(
        aws: &AwsConfig,
        sender: String,
        configuration_set: Option<String>,
        queue: &str,
        timeout: Duration,
    ) -> Self {
        let clock = ServiceClock::default();
        let config = aws.one_attempt(longest_send(timeout));
        let user_agent = UserAgent::new(&config);
        let config = Builder::from(&config)
            .push_auth_scheme(Signing::new(clock.clone()))
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(CONNECT_TIMEOUT.min(timeout / 2))
                    .build(),
            );
        let client = Client::from_conf(config.build());
        let planned = move |planner| client.send_email().customize().interceptor(planner).send();
        Self {
            sending: Caller::new::<Params, _>(&SendEmail::new(), &clock, &user_agent, planned),
            bodies: BodyWriter::new(configuration_set, queue),
            sender,
            timeout,
        }
    }
}

#[async_trait]
impl Mailer for SesMailer {
    async fn send(&self, mail: Box<Mail>, tags: Tags<'_>) -> Result<String, SendFailure> {
        let body = self.bodies.write(&mail, tags);
        drop(mail);
        let input = SendEmailInput::builder().build();
        let answer = self.sending.call_with(input, body).await;
        let answer = answer.map_err(|error| {
            let mut failure = Failure::new("SendEmail", error);
            if failure.error.code == "timeout" {
                failure.error.message = format!(
                    "SES has not answered for {} (twice email.timeout)",
                    format_duration(longest_send(self.timeout))
                );
            }
            failure.of_send(&self.sender)
        })?;
        // An answer of success without an id is not SES's: a proxy or another service gave it, and the
        // mail may not exist.
        answer
            .message_id
            .filter(|id| !id.is_empty())
            .ok_or_else(|| {
                let error = incomplete("SendEmail", "MessageId");
                SendFailure::new(SendFailureKind::OutcomeUnknown, error)
            })
    }
}

/// `GetAccount`, with the SDK's standard retries: it changes nothing.
pub struct SesAccount {
    client: Client,
}

impl SesAccount {
    /// The account that our credentials belong to.
    pub fn new(aws: &AwsConfig) -> Self {
        Self {
            client: Client::new(&aws.retried(ACCOUNT_TIMEOUT)),
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
            .map_err(|error| Failure::new("GetAccount", error).of_account())?;
        let quota = answer.send_quota().ok_or_else(|| {
            let error = incomplete("GetAccount", "SendQuota");
            AccountFailure::new(AccountFailureKind::Transient, error)
        })?;
        Ok(AccountFacts {
            max_send_rate: quota.max_send_rate,
            // SES gives -1 for an unlimited daily quota.
            max_24_hour_send: Some(quota.max24_hour_send).filter(|daily| *daily >= 0.0),
            sent_last_24_hours: quota.sent_last24_hours,
            sending_enabled: answer.sending_enabled,
            enforcement_status: match answer.enforcement_status() {
                Some("SHUTDOWN") => EnforcementStatus::Shutdown,
                Some("PROBATION") => EnforcementStatus::Probation,
                _ => EnforcementStatus::Healthy,
            },
            production_access: answer.production_access_enabled,
        })
    }
}

/// An answer of success that lacks what the service always gives.
fn incomplete(operation: &'static str, field: &str) -> CallError {
    CallError {
        operation,
        code: "response".to_owned(),
        message: format!(
            "the answer has no {field}: perhaps it comes from a proxy, and not from \
                          SES"
        ),
        request_id: None,
        obstacle: None,
        source: None,
    }
}

#[cfg(test)]
mod tests;
