//! What `check` reads, with the SDK's standard retries: it changes nothing.

use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sdk_sqs::types::QueueAttributeName;

use super::{
    AwsConfig,
    classify::{Failure, innermost, refusal_kind},
    sqs,
};
use crate::ports::{
    CallError,
    inspect::{Encryption, Inspect, QueueDetails, RefusalKind},
};

/// One attempt of any of these calls.
const ATTEMPT: Duration = Duration::from_secs(5);

/// A look around in AWS.
pub struct AwsInspector {
    credentials: Option<SharedCredentialsProvider>,
    sqs: aws_sdk_sqs::Client,
    /// For the receive that is meant to be refused, which is not worth a second attempt.
    receiving: aws_sdk_sqs::Client,
    ses: aws_sdk_sesv2::Client,
    codecommit: aws_sdk_codecommit::Client,
}

impl AwsInspector {
    /// Looks around with these credentials in this region.
    pub fn new(aws: &AwsConfig) -> Self {
        let config = aws.retried(ATTEMPT);
        Self {
            credentials: config.credentials_provider(),
            sqs: aws_sdk_sqs::Client::new(&config),
            receiving: aws_sdk_sqs::Client::new(&aws.one_attempt(ATTEMPT)),
            ses: aws_sdk_sesv2::Client::new(&config),
            codecommit: aws_sdk_codecommit::Client::new(&config),
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
        let Some(provider) = &self.credentials else {
            return Err(missing("nothing provides any".to_owned(), None));
        };
        match provider.provide_credentials().await {
            Ok(credentials) => Ok(credentials.expiry()),
            Err(error) => Err(missing(innermost(&error), Some(Box::new(error)))),
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
            .map_err(|error| Failure::new(OPERATION, error).error)?;
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
            .receiving
            .receive_message()
            .queue_url(url)
            .max_number_of_messages(0)
            .send()
            .await;
        let Err(error) = answer else {
            return Ok(());
        };
        let error = Failure::new("ReceiveMessage", error).error;
        match refusal_kind(&error) {
            RefusalKind::Other => Ok(()),
            _ => Err(error),
        }
    }

    async fn identity(&self, name: &str) -> Result<Option<bool>, Box<CallError>> {
        let asked = self.ses.get_email_identity().email_identity(name);
        let answer = asked.send().await;
        let answer = answer.map_err(|error| Failure::new("GetEmailIdentity", error).error);
        let identity = none_if_missing(answer)?;
        Ok(identity.map(|identity| identity.verified_for_sending_status))
    }

    async fn configuration_set(&self, name: &str) -> Result<Option<bool>, Box<CallError>> {
        let asked = self.ses.get_configuration_set();
        let answer = asked.configuration_set_name(name).send().await;
        let answer = answer.map_err(|error| Failure::new("GetConfigurationSet", error).error);
        let options = none_if_missing(answer)?.map(|set| set.sending_options);
        // Without options it was never switched off.
        Ok(options.map(|options| options.is_none_or(|options| options.sending_enabled)))
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
            .map_err(|error| Failure::new("GetCommit", error).error)?;
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
        Err(error) if refusal_kind(&error) == RefusalKind::NotFound => Ok(None),
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
