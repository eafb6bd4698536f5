//! What `check` reads, with the SDK's standard retries: it changes nothing.

use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_credential_types::provider::{
    ProvideCredentials, SharedCredentialsProvider, error::CredentialsError,
};
use aws_sdk_sesv2::{
    operation::get_email_identity::GetEmailIdentityOutput,
    types::{
        DkimSigningKeyLength, DkimStatus, EventType, MailFromDomainStatus, SuppressionListReason,
    },
};
use aws_sdk_sqs::types::QueueAttributeName;

use super::{
    AwsConfig,
    classify::{Failure, refusal_kind, without_credentials},
    sqs,
};
use crate::ports::{
    CallError, QueueFailure,
    events::Fate,
    inspect::{
        Encryption, EventDestination, EventTarget, IdentityDetails, Inspect, Proof, QueueDetails,
        RefusalKind, Signature, Suppression,
    },
};

/// One attempt of any of these calls.
const ATTEMPT: Duration = Duration::from_secs(5);

/// A look around in AWS.
pub struct AwsInspector {
    credentials: Option<SharedCredentialsProvider>,
    config: SdkConfig,
    sqs: aws_sdk_sqs::Client,
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
            ses: aws_sdk_sesv2::Client::new(&config),
            codecommit: aws_sdk_codecommit::Client::new(&config),
            config,
        }
    }
}

#[async_trait]
impl Inspect for AwsInspector {
    async fn credentials(&self) -> Result<Option<SystemTime>, Box<CallError>> {
        let given = match &self.credentials {
            Some(provider) => provider.provide_credentials().await,
            None => Err(CredentialsError::not_loaded(
                "there is no source of credentials",
            )),
        };
        let credentials = given.map_err(|error| Box::new(without_credentials(error)))?;
        Ok(credentials.expiry())
    }

    async fn queue(&self, url: &str) -> Result<QueueDetails, QueueFailure> {
        const OPERATION: &str = "GetQueueAttributes";
        let answer = self
            .sqs
            .get_queue_attributes()
            .queue_url(url)
            .attribute_names(QueueAttributeName::All)
            .customize()
            .config_override(sqs::settings(&self.config, url))
            .send()
            .await
            .map_err(|error| Failure::new(OPERATION, error).of_queue())?;
        let facts = sqs::facts(OPERATION, &answer)?;
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
            policy: attribute(QueueAttributeName::Policy).cloned(),
            waiting: count(QueueAttributeName::ApproximateNumberOfMessages),
            in_flight: count(QueueAttributeName::ApproximateNumberOfMessagesNotVisible),
        })
    }

    async fn identity(&self, name: &str) -> Result<Option<IdentityDetails>, Box<CallError>> {
        let asked = self.ses.get_email_identity().email_identity(name);
        let answer = asked.send().await;
        let answer = answer.map_err(|error| Failure::new("GetEmailIdentity", error).error);
        let identity = none_if_missing(answer)?;
        Ok(identity.map(|identity| identity_details(&identity)))
    }

    async fn configuration_set(&self, name: &str) -> Result<Option<bool>, Box<CallError>> {
        let asked = self.ses.get_configuration_set();
        let answer = asked.configuration_set_name(name).send().await;
        let answer = answer.map_err(|error| Failure::new("GetConfigurationSet", error).error);
        let options = none_if_missing(answer)?.map(|set| set.sending_options);
        // Without options it was never switched off.
        Ok(options.map(|options| options.is_none_or(|options| options.sending_enabled)))
    }

    async fn event_destinations(&self, set: &str) -> Result<Vec<EventDestination>, Box<CallError>> {
        const OPERATION: &str = "GetConfigurationSetEventDestinations";
        let asked = self.ses.get_configuration_set_event_destinations();
        let answer = asked.configuration_set_name(set).send().await;
        let answer = answer.map_err(|error| Failure::new(OPERATION, error).error)?;
        Ok(answer
            .event_destinations()
            .iter()
            .map(event_destination)
            .collect())
    }

    async fn suppression(&self, address: &str) -> Result<Option<Suppression>, Box<CallError>> {
        let asked = self.ses.get_suppressed_destination();
        let answer = asked.email_address(address).send().await;
        let answer = answer.map_err(|error| Failure::new("GetSuppressedDestination", error).error);
        let suppressed = none_if_missing(answer)?.and_then(|answer| answer.suppressed_destination);
        Ok(suppressed.map(|suppressed| Suppression {
            complained: suppressed.reason == SuppressionListReason::Complaint,
            since: SystemTime::try_from(suppressed.last_update_time).ok(),
        }))
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

fn identity_details(identity: &GetEmailIdentityOutput) -> IdentityDetails {
    let dkim = identity.dkim_attributes();
    let proof = match dkim.and_then(|dkim| dkim.status()) {
        Some(DkimStatus::Success) => Proof::Found,
        Some(DkimStatus::Pending) => Proof::Pending,
        Some(DkimStatus::NotStarted) | None => Proof::Unasked,
        Some(_) => Proof::Missing,
    };
    let key = dkim.and_then(|dkim| dkim.current_signing_key_length());
    let mail_from = identity.mail_from_attributes().and_then(|mail_from| {
        let domain = mail_from.mail_from_domain();
        let proof = match mail_from.mail_from_domain_status() {
            MailFromDomainStatus::Success => Proof::Found,
            MailFromDomainStatus::Pending => Proof::Pending,
            _ => Proof::Missing,
        };
        (!domain.is_empty()).then(|| (domain.to_owned(), proof))
    });
    IdentityDetails {
        verified: identity.verified_for_sending_status,
        configuration_set: identity.configuration_set_name().map(str::to_owned),
        signature: Signature {
            is_on: dkim.is_some_and(|dkim| dkim.signing_enabled),
            records: proof,
            is_weak: key == Some(&DkimSigningKeyLength::Rsa1024Bit),
        },
        mail_from,
        forwards_feedback: identity.feedback_forwarding_status,
    }
}

fn event_destination(destination: &aws_sdk_sesv2::types::EventDestination) -> EventDestination {
    let topic = destination.sns_destination();
    let bus = destination.event_bridge_destination();
    EventDestination {
        name: destination.name().to_owned(),
        enabled: destination.enabled,
        fates: destination
            .matching_event_types()
            .iter()
            .filter_map(fate)
            .collect(),
        target: match (topic, bus) {
            (Some(topic), _) => EventTarget::Topic(topic.topic_arn().to_owned()),
            (None, Some(bus)) => EventTarget::Bus(bus.event_bus_arn().to_owned()),
            (None, None) => EventTarget::Other,
        },
    }
}

fn fate(kind: &EventType) -> Option<Fate> {
    Some(match kind {
        EventType::Send => Fate::Sent,
        EventType::Delivery => Fate::Delivered,
        EventType::DeliveryDelay => Fate::Delayed,
        EventType::Bounce => Fate::Bounced,
        EventType::Complaint => Fate::Complained,
        EventType::Reject => Fate::Rejected,
        EventType::RenderingFailure => Fate::NotRendered,
        EventType::Open => Fate::Opened,
        EventType::Click => Fate::Clicked,
        EventType::Subscription => Fate::Subscribed,
        _ => return None,
    })
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
