//! The queue over SQS.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_sqs::{
    Client,
    config::{Builder, endpoint::Params},
    error::BuildError,
    operation::{
        change_message_visibility_batch::{
            ChangeMessageVisibilityBatch, ChangeMessageVisibilityBatchError,
            ChangeMessageVisibilityBatchInput, ChangeMessageVisibilityBatchOutput,
        },
        delete_message_batch::{
            DeleteMessageBatch, DeleteMessageBatchError, DeleteMessageBatchInput,
            DeleteMessageBatchOutput,
        },
        get_queue_attributes::GetQueueAttributesOutput,
        receive_message::{
            ReceiveMessage, ReceiveMessageError, ReceiveMessageInput, ReceiveMessageOutput,
        },
    },
    types::{
        BatchResultErrorEntry, ChangeMessageVisibilityBatchRequestEntry,
        DeleteMessageBatchRequestEntry, Message, MessageSystemAttributeName, QueueAttributeName,
    },
};
use serde::Deserialize;

use super::{
    AwsConfig,
    call::Caller,
    classify::{Failure, entry_failure, refusal_kind},
    clock::ServiceClock,
    http::host,
    signing::Signing,
    surroundings,
    user_agent::UserAgent,
};
use crate::ports::{
    CallError, EntryFailure, Queue, QueueFacts, QueueFailure, QueueFailureKind, ReceiptHandle,
    ReceiveRequest, ReceivedMessage, Redrive, inspect::RefusalKind,
};

/// SQS answers a long poll when its wait is over; what takes this much longer is a dead connection.
pub(super) const RECEIVE_SLACK: Duration = Duration::from_secs(10);
/// Attributes and the right to receive are asked for only at boot, where the SDK's own retries fit.
const DESCRIBE_TIMEOUT: Duration = Duration::from_secs(5);

/// One SQS queue.
///
/// Receives, deletes and visibility changes are tried once: poller, settler and lease keeper own
/// their retries. Reading the attributes is retried by the SDK.
pub struct SqsQueue {
    describing: Client,
    receiving: Caller<ReceiveMessageInput, ReceiveMessageOutput, ReceiveMessageError>,
    deleting: Caller<DeleteMessageBatchInput, DeleteMessageBatchOutput, DeleteMessageBatchError>,
    changing: Caller<
        ChangeMessageVisibilityBatchInput,
        ChangeMessageVisibilityBatchOutput,
        ChangeMessageVisibilityBatchError,
    >,
    url: String,
}

impl SqsQueue {
    /// The queue at `url`, received from with waits of at most `wait`; a delete or a visibility
    /// change may take `settle_timeout`.
    pub fn new(aws: &AwsConfig, url: String, wait: Duration, settle_timeout: Duration) -> Self {
        let clock = ServiceClock::default();
        let often = |config: &SdkConfig| {
            let signing = Signing::new(clock.clone());
            let settings = client_settings(config, &url).push_auth_scheme(signing);
            Client::from_conf(settings.build())
        };
        let receiving = often(&aws.one_attempt(wait + RECEIVE_SLACK));
        let config = aws.one_attempt(settle_timeout);
        let settling = often(&config);
        let user_agent = UserAgent::new(&config);
        macro_rules! caller {
            ($client:ident, $operation:expr, $call:ident) => {{
                let client = $client.clone();
                Caller::new::<Params, _>(&$operation, &clock, &user_agent, move |planner| {
                    client.$call().customize().interceptor(planner).send()
                })
            }};
        }
        Self {
            describing: client(&aws.retried(DESCRIBE_TIMEOUT), &url),
            receiving: caller!(receiving, ReceiveMessage::new(), receive_message),
            deleting: caller!(settling, DeleteMessageBatch::new(), delete_message_batch),
            changing: caller!(
                settling,
                ChangeMessageVisibilityBatch::new(),
                change_message_visibility_batch
            ),
            url,
        }
    }
}

/// A client for the queue at `url`.
pub(super) fn client(config: &SdkConfig, url: &str) -> Client {
    Client::from_conf(client_settings(config, url).build())
}

fn client_settings(config: &SdkConfig, url: &str) -> Builder {
    let settings = Builder::from(config);
    match asked_at(config, url) {
        Some(endpoint) => settings.endpoint_url(endpoint),
        None => settings,
    }
}

/// What a call about the queue at `url` needs besides the client's own settings.
pub(super) fn settings(config: &SdkConfig, url: &str) -> Builder {
    let mut settings = Builder::new();
    if let Some(endpoint) = asked_at(config, url) {
        settings.set_endpoint_url(Some(endpoint));
    }
    settings
}

/// Where the queue is asked, if not where the SDK would ask. The SDK asks the region's public endpoint
/// whatever the URL says. In a subnet without a way there, a queue is given by the URL of a VPC endpoint,
/// or of one for IPv6.
fn asked_at(config: &SdkConfig, url: &str) -> Option<String> {
    let is_other = config.use_fips() == Some(true) || config.use_dual_stack() == Some(true);
    let is_set = || surroundings::endpoint(config, "SQS").is_some();
    own_endpoint(url).filter(|_| !is_other && !is_set())
}

/// The endpoint of a queue whose URL has one of AWS's hosts, but not the usual one. The hosts of old, such
/// as `eu-west-2.queue.amazonaws.com`, are public even where the endpoint has a private name.
fn own_endpoint(url: &str) -> Option<String> {
    let host = host(url)?;
    let name = host.strip_suffix(".cn").unwrap_or(host);
    let labels: Vec<_> = name.split('.').collect();
    let is_own = matches!(
        labels[..],
        [_, "sqs", _, "vpce", "amazonaws", "com" | "eu"]
            | ["sqs" | "sqs-fips", _, "api", "aws"]
            | ["sqs", _, "api", "amazonwebservices", "com"]
            | ["sqs-fips", _, "amazonaws", "com"]
    );
    let scheme = url.split_once("://")?.0;
    let (_, rest) = url.split_once(host)?;
    let port = rest.split('/').next()?;
    is_own.then(|| format!("{scheme}://{host}{port}"))
}

#[async_trait]
impl Queue for SqsQueue {
    async fn describe(&self) -> Result<QueueFacts, QueueFailure> {
        const OPERATION: &str = "GetQueueAttributes";
        let answer = self
            .describing
            .get_queue_attributes()
            .queue_url(&self.url)
            .attribute_names(QueueAttributeName::All)
            .send()
            .await
            .map_err(|error| Failure::new(OPERATION, error).of_queue())?;
        facts(OPERATION, &answer)
    }

    /// Asks for no message, which SQS refuses to everybody who may ask: its least is one. What an emulator
    /// gives all the same can be received by others at once.
    async fn may_receive(&self) -> Result<(), QueueFailure> {
        let answer = self
            .describing
            .receive_message()
            .queue_url(&self.url)
            .max_number_of_messages(0)
            .wait_time_seconds(0)
            .visibility_timeout(0)
            .send()
            .await;
        let Err(error) = answer else {
            return Ok(());
        };
        let is_refusal = error
            .raw_response()
            .is_some_and(|response| response.status().is_client_error());
        let failure = Failure::new("ReceiveMessage", error).of_queue();
        let is_of_number = refusal_kind(&failure.error) == RefusalKind::Other
            && failure.kind == QueueFailureKind::Transient;
        if is_refusal && is_of_number {
            Ok(())
        } else {
            Err(failure)
        }
    }

    async fn receive(&self, request: ReceiveRequest) -> Result<Vec<ReceivedMessage>, QueueFailure> {
        let input = ReceiveMessageInput::builder()
            .queue_url(&self.url)
            .max_number_of_messages(to_i32(request.max_messages))
            .wait_time_seconds(to_i32(request.wait.as_secs()))
            .visibility_timeout(to_i32(request.visibility.as_secs()))
            .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount)
            .message_system_attribute_names(MessageSystemAttributeName::SentTimestamp)
            .message_system_attribute_names(MessageSystemAttributeName::AwsTraceHeader)
            .message_attribute_names("traceparent")
            .message_attribute_names("tracestate")
            .build();
        let answer = self.receiving.call(input).await;
        let answer = answer.map_err(|error| Failure::new("ReceiveMessage", error).of_queue())?;
        Ok(answer
            .messages
            .unwrap_or_default()
            .into_iter()
            .filter_map(received)
            .collect())
    }

    async fn delete(
        &self,
        receipts: &[ReceiptHandle],
    ) -> Result<Vec<Result<(), EntryFailure>>, QueueFailure> {
        const OPERATION: &str = "DeleteMessageBatch";
        let entries = entries(OPERATION, receipts, |id, receipt| {
            DeleteMessageBatchRequestEntry::builder()
                .id(id)
                .receipt_handle(&receipt.0)
                .build()
        })?;
        if entries.is_empty() {
            return Ok(Vec::new());
        }
        let input = DeleteMessageBatchInput::builder()
            .queue_url(&self.url)
            .set_entries(Some(entries))
            .build();
        let answer = self.deleting.call(input).await;
        let answer = answer.map_err(|error| Failure::new(OPERATION, error).of_queue())?;
        let done = answer.successful.iter().map(|entry| entry.id.as_str());
        Ok(by_position(receipts.len(), done, &answer.failed))
    }

    async fn change_visibility(
        &self,
        changes: &[(ReceiptHandle, Duration)],
    ) -> Result<Vec<Result<(), EntryFailure>>, QueueFailure> {
        const OPERATION: &str = "ChangeMessageVisibilityBatch";
        let entries = entries(OPERATION, changes, |id, (receipt, timeout)| {
            ChangeMessageVisibilityBatchRequestEntry::builder()
                .id(id)
                .receipt_handle(&receipt.0)
                .visibility_timeout(to_i32(timeout.as_secs()))
                .build()
        })?;
        if entries.is_empty() {
            return Ok(Vec::new());
        }
        let input = ChangeMessageVisibilityBatchInput::builder()
            .queue_url(&self.url)
            .set_entries(Some(entries))
            .build();
        let answer = self.changing.call(input).await;
        let answer = answer.map_err(|error| Failure::new(OPERATION, error).of_queue())?;
        let done = answer.successful.iter().map(|entry| entry.id.as_str());
        Ok(by_position(changes.len(), done, &answer.failed))
    }
}

/// What the attributes say.
pub(super) fn facts(
    operation: &'static str,
    answer: &GetQueueAttributesOutput,
) -> Result<QueueFacts, QueueFailure> {
    let attribute = |name| answer.attributes().and_then(|all| all.get(&name));
    let seconds = |name| {
        let text = attribute(name).map_or("0", String::as_str);
        text.parse().map(Duration::from_secs).unwrap_or_default()
    };
    let redrive = match attribute(QueueAttributeName::RedrivePolicy) {
        Some(policy) if !policy.is_empty() => {
            let unread = "the redrive policy cannot be read".to_owned();
            Some(redrive(policy).map_err(|error| failed(operation, "response", unread, error))?)
        }
        _ => None,
    };
    Ok(QueueFacts {
        redrive,
        retention: seconds(QueueAttributeName::MessageRetentionPeriod),
        default_visibility: seconds(QueueAttributeName::VisibilityTimeout),
    })
}

/// A delivery in our terms. One without a handle could neither be settled nor renewed, so it is
/// none; SQS always gives one.
pub(super) fn received(message: Message) -> Option<ReceivedMessage> {
    let system = message.attributes.unwrap_or_default();
    let number = |name| system.get(&name).and_then(|text| text.parse::<u64>().ok());
    let receive_count = number(MessageSystemAttributeName::ApproximateReceiveCount).unwrap_or(1);
    let sent_at = number(MessageSystemAttributeName::SentTimestamp)
        .map(|millis| SystemTime::UNIX_EPOCH + Duration::from_millis(millis));
    let mut trace_carriers = BTreeMap::new();
    if let Some(header) = system.get(&MessageSystemAttributeName::AwsTraceHeader) {
        trace_carriers.insert("AWSTraceHeader".to_owned(), header.clone());
    }
    for (name, value) in message.message_attributes.unwrap_or_default() {
        if let Some(text) = value.string_value {
            trace_carriers.insert(name, text);
        }
    }
    let receipt = message.receipt_handle?;
    Some(ReceivedMessage {
        // SQS always gives an id; the receipt handle distinguishes messages as well.
        id: message.message_id.unwrap_or_else(|| receipt.clone()),
        receipt: ReceiptHandle(receipt),
        body: message.body.unwrap_or_default(),
        receive_count: u32::try_from(receive_count.max(1)).unwrap_or(u32::MAX),
        sent_at,
        trace_carriers,
    })
}

/// The entries of a batch. Their ids are their positions.
fn entries<T, E>(
    operation: &'static str,
    items: &[T],
    entry: impl Fn(String, &T) -> Result<E, BuildError>,
) -> Result<Vec<E>, QueueFailure> {
    let numbered = items.iter().enumerate();
    numbered
        .map(|(position, item)| entry(position.to_string(), item))
        .collect::<Result<_, _>>()
        .map_err(|error| failed(operation, "request", error.to_string(), error))
}

/// The answers of a batch in the order of its entries, whose ids are their positions. An entry of
/// which the answer says nothing counts as failed, so that it is tried again.
fn by_position<'a>(
    entries: usize,
    done: impl Iterator<Item = &'a str>,
    failed: &[BatchResultErrorEntry],
) -> Vec<Result<(), EntryFailure>> {
    let unanswered = entry_failure("Unanswered", "the answer names no such entry", false);
    let mut answers = vec![Err(unanswered); entries];
    let mut set = |id: &str, answer| {
        let position = id.parse::<usize>().ok();
        if let Some(slot) = position.and_then(|position| answers.get_mut(position)) {
            *slot = answer;
        }
    };
    for id in done {
        set(id, Ok(()));
    }
    for entry in failed {
        let message = entry.message.as_deref().unwrap_or_default();
        let failure = entry_failure(&entry.code, message, entry.sender_fault);
        set(&entry.id, Err(failure));
    }
    answers
}

fn redrive(policy: &str) -> Result<Redrive, serde_json::Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Policy {
        dead_letter_target_arn: String,
        max_receive_count: serde_json::Value,
    }
    let policy: Policy = serde_json::from_str(policy)?;
    // SQS keeps the number as it was given, which may be a string.
    let text = policy.max_receive_count.to_string();
    let max_receive_count = serde_json::from_str(text.trim_matches('"'))?;
    Ok(Redrive {
        max_receive_count,
        dead_letter_queue: policy.dead_letter_target_arn,
    })
}

/// A call that failed on our side of it.
fn failed(
    operation: &'static str,
    code: &str,
    message: String,
    error: impl std::error::Error + Send + Sync + 'static,
) -> QueueFailure {
    QueueFailure {
        kind: QueueFailureKind::Transient,
        error: Box::new(CallError {
            operation,
            code: code.to_owned(),
            message,
            request_id: None,
            obstacle: None,
            source: Some(Box::new(error)),
        }),
    }
}

pub(super) fn to_i32(number: impl TryInto<i32>) -> i32 {
    number.try_into().unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests;
