//! The AWS SDK against the sandbox over HTTP.

use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::retry::RetryConfig;
use aws_sdk_sqs::config::timeout::TimeoutConfig;
use aws_sdk_sqs::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_sqs::error::{ProvideErrorMetadata as _, SdkError};
use aws_sdk_sqs::operation::RequestId as _;
use aws_sdk_sqs::types::{
    DeleteMessageBatchRequestEntry, MessageSystemAttributeName, QueueAttributeName,
};
use sandbox::faults::{Fault, Rule};
use sandbox::{Running, Sandbox};
use tokio::time::Instant;

/// A sandbox with one queue and a client that never retries.
async fn start() -> (Running, Client, String) {
    let running = Sandbox::start().await;
    let client = client(&running, "eu-west-1");
    let created = client.create_queue().queue_name("q").send().await.unwrap();
    let url = created.queue_url().unwrap().to_owned();
    (running, client, url)
}

fn client(running: &Running, region: &str) -> Client {
    let timeouts = TimeoutConfig::builder()
        .operation_attempt_timeout(Duration::from_secs(5))
        .build();
    let config = aws_sdk_sqs::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region.to_owned()))
        .credentials_provider(Credentials::new("local", "local", None, None, "tests"))
        .endpoint_url(running.url())
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts)
        .build();
    Client::from_conf(config)
}

#[tokio::test]
async fn a_message_goes_round() {
    let (_running, client, url) = start().await;
    let sent = client
        .send_message()
        .queue_url(&url)
        .message_body("<&\u{1f600}>")
        .send()
        .await
        .unwrap();
    assert!(sent.request_id().is_some());
    let received = client
        .receive_message()
        .queue_url(&url)
        .wait_time_seconds(5)
        .max_number_of_messages(10)
        .message_system_attribute_names(MessageSystemAttributeName::All)
        .send()
        .await
        .unwrap();
    let message = &received.messages()[0];
    assert_eq!(message.body(), Some("<&\u{1f600}>"));
    assert_eq!(message.message_id(), sent.message_id());
    client
        .delete_message()
        .queue_url(&url)
        .receipt_handle(message.receipt_handle().unwrap())
        .send()
        .await
        .unwrap();
    let empty = client.receive_message().queue_url(&url).send().await;
    assert!(empty.unwrap().messages.is_none());
}

#[tokio::test]
async fn urls_name_the_host_and_arns_the_region_of_the_caller() {
    let (running, client, url) = start().await;
    assert_eq!(url, format!("{}/000000000000/q", running.url()));
    let attributes = client
        .get_queue_attributes()
        .queue_url(&url)
        .attribute_names(QueueAttributeName::QueueArn)
        .send()
        .await
        .unwrap();
    assert_eq!(
        attributes.attributes().unwrap()[&QueueAttributeName::QueueArn],
        "arn:aws:sqs:eu-west-1:000000000000:q"
    );
}

#[tokio::test]
async fn errors_are_the_sdk_s_own() {
    let (_running, client, url) = start().await;
    let error = client
        .receive_message()
        .queue_url(format!("{url}-gone"))
        .send()
        .await
        .unwrap_err()
        .into_service_error();
    assert!(error.is_queue_does_not_exist(), "{error:?}");
    assert_eq!(
        error.code(),
        Some("AWS.SimpleQueueService.NonExistentQueue")
    );
    let error = client
        .delete_message()
        .queue_url(&url)
        .receipt_handle("made up")
        .send()
        .await
        .unwrap_err()
        .into_service_error();
    assert!(error.is_receipt_handle_is_invalid(), "{error:?}");
    let error = client
        .receive_message()
        .queue_url(&url)
        .max_number_of_messages(11)
        .send()
        .await
        .unwrap_err();
    assert_eq!(error.code(), Some("InvalidParameterValue"));
    assert_eq!(error.raw_response().unwrap().status().as_u16(), 400);
}

#[tokio::test]
async fn an_injected_error_has_its_code_and_status_and_no_effect() {
    let (running, client, url) = start().await;
    let fault = Fault::error("InternalFailure", 500);
    running
        .sandbox
        .faults
        .set(vec![Rule::new("sqs:SendMessage", fault)]);
    let send = client.send_message().queue_url(&url).message_body("a");
    let error = send.send().await.unwrap_err();
    assert_eq!(error.code(), Some("InternalFailure"));
    assert_eq!(error.raw_response().unwrap().status().as_u16(), 500);
    assert!(running.sandbox.sqs.snapshot("q").is_empty());
    assert_eq!(running.sandbox.calls()["sqs:SendMessage"], 1);
}

#[tokio::test]
async fn a_delayed_call_is_answered_after_its_delay() {
    let (running, client, url) = start().await;
    let fault = Fault::Latency {
        min_ms: 80,
        max_ms: 80,
    };
    running.sandbox.faults.set(vec![Rule::new("sqs:*", fault)]);
    let start = Instant::now();
    let send = client.send_message().queue_url(&url).message_body("a");
    send.send().await.unwrap();
    assert!(start.elapsed() >= Duration::from_millis(80));
    assert_eq!(running.sandbox.sqs.snapshot("q").len(), 1);
}

#[tokio::test]
async fn resets_close_the_connection_before_or_after_the_effect() {
    let (running, client, url) = start().await;
    for (fault, effects) in [(Fault::ResetBefore, 0), (Fault::ResetAfter, 1)] {
        running
            .sandbox
            .faults
            .set(vec![Rule::new("sqs:SendMessage", fault)]);
        let send = client.send_message().queue_url(&url).message_body("a");
        let error = send.send().await.unwrap_err();
        let SdkError::DispatchFailure(failure) = &error else {
            panic!("{error:?}");
        };
        assert!(failure.is_io(), "{failure:?}");
        assert_eq!(running.sandbox.sqs.snapshot("q").len(), effects);
    }
    running.sandbox.faults.clear();
    let send = client.send_message().queue_url(&url).message_body("b");
    send.send().await.unwrap();
}

#[tokio::test]
async fn a_late_answer_leaves_the_effect_behind_when_nobody_waits_for_it() {
    let (running, client, url) = start().await;
    let late = Fault::AnswerLate { after_ms: 60_000 };
    running
        .sandbox
        .faults
        .set(vec![Rule::new("sqs:SendMessage", late)]);
    let timeouts = TimeoutConfig::builder()
        .operation_attempt_timeout(Duration::from_millis(100))
        .build();
    let hurried = aws_sdk_sqs::config::Builder::new().timeout_config(timeouts);
    let request = client.send_message().queue_url(&url).message_body("a");
    let answer = request.customize().config_override(hurried).send().await;
    let error = answer.unwrap_err();
    assert!(matches!(error, SdkError::TimeoutError(_)), "{error:?}");
    assert_eq!(running.sandbox.sqs.snapshot("q").len(), 1);
}

#[tokio::test]
async fn a_hung_call_ends_in_the_caller_s_timeout_and_in_the_sandbox_s_end() {
    let (running, client, url) = start().await;
    let rule = Rule::new("sqs:ReceiveMessage", Fault::Hang);
    running.sandbox.faults.set(vec![rule]);
    let timeouts = TimeoutConfig::builder()
        .operation_attempt_timeout(Duration::from_millis(50))
        .build();
    let hurried = aws_sdk_sqs::config::Builder::new().timeout_config(timeouts);
    let receive = client.receive_message().queue_url(&url);
    let error = receive
        .clone()
        .customize()
        .config_override(hurried)
        .send()
        .await
        .unwrap_err();
    assert!(matches!(error, SdkError::TimeoutError(_)), "{error:?}");
    let (sandbox, hung) = (running.sandbox.clone(), tokio::spawn(receive.send()));
    while sandbox.calls()["sqs:ReceiveMessage"] < 2 {
        tokio::task::yield_now().await;
    }
    drop(running);
    let error = hung.await.unwrap().unwrap_err();
    assert!(matches!(error, SdkError::DispatchFailure(_)), "{error:?}");
}

#[tokio::test]
async fn entries_of_a_batch_fail_on_demand_and_the_others_take_effect() {
    let (running, client, url) = start().await;
    for body in ["a", "b"] {
        let send = client.send_message().queue_url(&url).message_body(body);
        send.send().await.unwrap();
    }
    let receive = client
        .receive_message()
        .queue_url(&url)
        .max_number_of_messages(2);
    let messages = receive.send().await.unwrap().messages.unwrap();
    let delete = || {
        let entries = messages.iter().enumerate().map(|(number, message)| {
            DeleteMessageBatchRequestEntry::builder()
                .id(format!("e{number}"))
                .receipt_handle(message.receipt_handle().unwrap())
                .build()
                .unwrap()
        });
        let entries = entries.collect();
        client
            .delete_message_batch()
            .queue_url(&url)
            .set_entries(Some(entries))
    };
    let fault = Fault::EntryError {
        code: "InternalError".to_owned(),
        message: "Later.".to_owned(),
    };
    running.sandbox.faults.set(vec![
        Rule {
            count: Some(1),
            body_contains: Some("\"e0\"".to_owned()),
            ..Rule::new("sqs:DeleteMessageBatch", fault.clone())
        },
        Rule {
            count: Some(1),
            body_contains: Some("\"e1\"".to_owned()),
            ..Rule::new("sqs:DeleteMessageBatch", fault)
        },
    ]);
    let both = delete().send().await.unwrap();
    assert_eq!((both.successful().len(), both.failed().len()), (0, 2));
    assert_eq!(both.failed()[0].code(), "InternalError");
    assert!(!both.failed()[0].sender_fault());
    assert_eq!(running.sandbox.sqs.snapshot("q").len(), 2);
    let none = delete().send().await.unwrap();
    assert_eq!((none.successful().len(), none.failed().len()), (2, 0));
    assert!(running.sandbox.sqs.snapshot("q").is_empty());
}
