//! What `check` reads, with the SDK's standard retries: it changes nothing.

use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use aws_credential_types::provider::ProvideCredentials;
use aws_sdk_sqs::{
    config::{retry::RetryConfig, timeout::TimeoutConfig},
    types::QueueAttributeName,
};

use super::{AwsConfig, classify, sqs};
use crate::ports::{
    CallError,
    inspect::{Encryption, Inspect, QueueDetails, RefusalKind},
};

/// One attempt of any of these calls.
const ATTEMPT: Duration = Duration::from_secs(5);

/// A look around in AWS.
pub struct AwsInspector {
    aws: aws_config::SdkConfig,
    sqs: aws_sdk_sqs::Client,
    ses: aws_sdk_sesv2::Client,
    codecommit: aws_sdk_codecommit::Client,
}

impl AwsInspector {
    /// Looks around with these credentials in this region.
    #[must_use]
    pub fn new(aws: &AwsConfig) -> Self {
        let timeouts = TimeoutConfig::builder()
            .operation_attempt_timeout(ATTEMPT)
            .build();
        let aws = aws.0.to_builder().timeout_config(timeouts).build();
        Self {
            sqs: aws_sdk_sqs::Client::new(&aws),
            ses: aws_sdk_sesv2::Client::new(&aws),
            codecommit: aws_sdk_codecommit::Client::new(&aws),
            aws,
        }
    }
}

#[async_trait]
impl Inspect for AwsInspector {
    async fn credentials(&self) -> Result<Option<SystemTime>, Box<CallError>> {
        let missing = |message: String, source| {
            Box::new(CallError {
                operation: "credentials",
                code: "credentials".to_owned(),
                message,
                request_id: None,
                source,
            })
        };
        let Some(provider) = self.aws.credentials_provider() else {
            return Err(missing("nothing provides any".to_owned(), None));
        };
        match provider.provide_credentials().await {
            Ok(credentials) => Ok(credentials.expiry()),
            Err(error) => Err(missing(error.to_string(), Some(Box::new(error)))),
        }
    }

    async fn queue(&self, url: &str) -> Result<QueueDetails, Box<CallError>> {
        const OPERATION: &str = "GetQueueAttributes";
        let answer = self
            .sqs
            .get_queue_attributes()
            .queue_url(url)
            .attribute_names(QueueAttributeName::All)
            .send()
            .await
            .map_err(|error| classify::call_error(OPERATION, error))?;
        let facts = sqs::facts(OPERATION, &answer).map_err(|failure| failure.error)?;
        let attribute = |name| answer.attributes().and_then(|all| all.get(&name));
        let count = |name| {
            attribute(name)
                .and_then(|text| text.parse().ok())
                .unwrap_or(0)
        };
        let managed =
            attribute(QueueAttributeName::SqsManagedSseEnabled).is_some_and(|text| text == "true");
        let key = attribute(QueueAttributeName::KmsMasterKeyId).filter(|key| !key.is_empty());
        Ok(QueueDetails {
            facts,
            encryption: match key {
                Some(key) => Encryption::Key(key.clone()),
                None if managed => Encryption::Managed,
                None => Encryption::Off,
            },
            waiting: count(QueueAttributeName::ApproximateNumberOfMessages),
            in_flight: count(QueueAttributeName::ApproximateNumberOfMessagesNotVisible),
        })
    }

    /// Asks for no message, which SQS refuses to everybody who may ask: its least is one.
    async fn may_receive(&self, url: &str) -> Result<(), Box<CallError>> {
        let answer = self
            .sqs
            .receive_message()
            .queue_url(url)
            .max_number_of_messages(0)
            .customize()
            .config_override(
                aws_sdk_sqs::config::Config::builder().retry_config(RetryConfig::disabled()),
            )
            .send()
            .await;
        let Err(error) = answer else {
            return Ok(());
        };
        let error = classify::call_error("ReceiveMessage", error);
        match classify::refusal_kind(&error) {
            RefusalKind::Other => Ok(()),
            _ => Err(error),
        }
    }

    async fn identity(&self, name: &str) -> Result<Option<bool>, Box<CallError>> {
        let answer = self.ses.get_email_identity().email_identity(name);
        let answer = answer.send().await;
        none_if_missing(answer.map_err(|error| classify::call_error("GetEmailIdentity", error)))
            .map(|answer| answer.map(|identity| identity.verified_for_sending_status))
    }

    async fn configuration_set(&self, name: &str) -> Result<Option<bool>, Box<CallError>> {
        let answer = self
            .ses
            .get_configuration_set()
            .configuration_set_name(name);
        let answer = answer.send().await;
        let sends =
            |set: aws_sdk_sesv2::operation::get_configuration_set::GetConfigurationSetOutput| {
                // Without options it was never switched off.
                set.sending_options
                    .is_none_or(|options| options.sending_enabled)
            };
        none_if_missing(answer.map_err(|error| classify::call_error("GetConfigurationSet", error)))
            .map(|answer| answer.map(sends))
    }

    async fn commit_time(
        &self,
        repository: &str,
        commit_id: &str,
    ) -> Result<Option<SystemTime>, Box<CallError>> {
        let answer = self
            .codecommit
            .get_commit()
            .repository_name(repository)
            .commit_id(commit_id)
            .send()
            .await
            .map_err(|error| classify::call_error("GetCommit", error))?;
        let committer = answer.commit.and_then(|commit| commit.committer);
        Ok(committer
            .and_then(|who| who.date)
            .as_deref()
            .and_then(git_time))
    }
}

/// What is not there is an answer, not a failure.
fn none_if_missing<T>(answer: Result<T, Box<CallError>>) -> Result<Option<T>, Box<CallError>> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if classify::refusal_kind(&error) == RefusalKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Git's raw format: seconds since the epoch, then the time zone, which changes nothing.
fn git_time(date: &str) -> Option<SystemTime> {
    let seconds = date.split(' ').next()?.parse().ok()?;
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commits_time_is_read_as_git_writes_it() {
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_484_167_798);
        assert_eq!(git_time("1484167798 -0800"), Some(time));
        assert_eq!(git_time("2017-01-11"), None);
    }
}
