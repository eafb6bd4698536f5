//! The AWS SDK against the tables over HTTP.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_dynamodb::error::{ProvideErrorMetadata as _, SdkError};
use aws_sdk_dynamodb::operation::RequestId as _;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::put_item::builders::PutItemFluentBuilder;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, KeysAndAttributes,
    PutRequest, ReturnConsumedCapacity, ReturnValue, ReturnValuesOnConditionCheckFailure,
    ScalarAttributeType, TableStatus, TimeToLiveSpecification, TimeToLiveStatus, WriteRequest,
};
use sandbox::faults::{Fault, Rule};
use sandbox::{Running, Sandbox};
use serde_json::json;

const CLAIM: &str = "attribute_not_exists(#id) OR #expires < :now OR #owner = :me \
                     OR (#state = :sending AND #until < :now_ms)";

/// A sandbox with the table `ledger`, and a client that never retries.
async fn start() -> (Running, Client) {
    let running = Sandbox::start().await;
    let client = client(&running);
    let created = client
        .create_table()
        .table_name("ledger")
        .attribute_definitions(
            AttributeDefinition::builder()
                .attribute_name("id")
                .attribute_type(ScalarAttributeType::S)
                .build()
                .unwrap(),
        )
        .key_schema(
            KeySchemaElement::builder()
                .attribute_name("id")
                .key_type(KeyType::Hash)
                .build()
                .unwrap(),
        )
        .billing_mode(BillingMode::PayPerRequest)
        .send()
        .await
        .unwrap();
    let description = created.table_description().unwrap();
    assert_eq!(
        description.table_arn(),
        Some("arn:aws:dynamodb:eu-west-1:000000000000:table/ledger")
    );
    (running, client)
}

fn client(running: &Running) -> Client {
    let timeouts = TimeoutConfig::builder()
        .operation_attempt_timeout(Duration::from_secs(5))
        .build();
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .credentials_provider(Credentials::new("local", "local", None, None, "tests"))
        .endpoint_url(running.url())
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts)
        .build();
    Client::from_conf(config)
}

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

fn number(value: u64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

fn key(id: &str) -> HashMap<String, AttributeValue> {
    HashMap::from([("id".to_owned(), text(id))])
}

/// Claims a mail for an owner at a time, as several tasks would.
fn claim(client: &Client, owner: &str, now: u64) -> PutItemFluentBuilder {
    client
        .put_item()
        .table_name("ledger")
        .item("id", text("mail"))
        .item("state", text("sending"))
        .item("owner", text(owner))
        .item("until", number((now + 60) * 1000))
        .item("expires", number(now + 1000))
        .condition_expression(CLAIM)
        .expression_attribute_names("#id", "id")
        .expression_attribute_names("#expires", "expires")
        .expression_attribute_names("#owner", "owner")
        .expression_attribute_names("#state", "state")
        .expression_attribute_names("#until", "until")
        .expression_attribute_values(":now", number(now))
        .expression_attribute_values(":me", text(owner))
        .expression_attribute_values(":sending", text("sending"))
        .expression_attribute_values(":now_ms", number(now * 1000))
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
}

#[tokio::test]
async fn one_of_two_claims_wins_and_the_loser_sees_whose_it_is() {
    let (running, client) = start().await;
    claim(&client, "one", 1000).send().await.unwrap();
    claim(&client, "one", 1010).send().await.unwrap();
    let refused = claim(&client, "two", 1020).send().await.unwrap_err();
    assert!(refused.request_id().is_some());
    let refused = refused.into_service_error();
    let PutItemError::ConditionalCheckFailedException(refused) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(refused.message(), Some("The conditional request failed"));
    let held = refused.item().unwrap();
    assert_eq!(held["owner"], text("one"));
    assert_eq!(held["until"], number(1_070_000));
    // Past its end it is free.
    claim(&client, "two", 1071).send().await.unwrap();
    let items = running.sandbox.dynamodb.items("ledger");
    assert_eq!(items.len(), 1);
    assert_eq!(items[0]["owner"], json!({ "S": "two" }));
    assert_eq!(running.sandbox.calls()["dynamodb:PutItem"], 4);
}

#[tokio::test]
async fn an_item_is_deleted_by_its_owner_alone() {
    let (_running, client) = start().await;
    claim(&client, "one", 1000).send().await.unwrap();
    let delete = |owner: &str| {
        client
            .delete_item()
            .table_name("ledger")
            .set_key(Some(key("mail")))
            .condition_expression("#owner = :me")
            .expression_attribute_names("#owner", "owner")
            .expression_attribute_values(":me", text(owner))
            .return_values(ReturnValue::AllOld)
    };
    let refused = delete("two").send().await.unwrap_err().into_service_error();
    assert!(refused.is_conditional_check_failed_exception());
    let deleted = delete("one").send().await.unwrap();
    assert_eq!(deleted.attributes().unwrap()["state"], text("sending"));
    let got = client
        .get_item()
        .table_name("ledger")
        .set_key(Some(key("mail")))
        .consistent_read(true)
        .return_consumed_capacity(ReturnConsumedCapacity::Total)
        .send()
        .await
        .unwrap();
    assert!(got.item().is_none());
    assert_eq!(got.consumed_capacity().unwrap().capacity_units(), Some(1.0));
}

#[tokio::test]
async fn batches_write_and_read() {
    let (_running, client) = start().await;
    let puts = (0..25).map(|index| {
        let put = PutRequest::builder()
            .item("id", text(&format!("mail-{index}")))
            .item("state", text("sent"));
        let put = put.build().unwrap();
        WriteRequest::builder().put_request(put).build()
    });
    let written = client
        .batch_write_item()
        .request_items("ledger", puts.collect())
        .send()
        .await
        .unwrap();
    assert!(written.unprocessed_items().unwrap().is_empty());
    let keys = KeysAndAttributes::builder()
        .consistent_read(true)
        .set_keys(Some(vec![key("mail-7"), key("mail-30"), key("mail-3")]))
        .build()
        .unwrap();
    let read = client
        .batch_get_item()
        .request_items("ledger", keys)
        .send()
        .await
        .unwrap();
    assert!(read.unprocessed_keys().unwrap().is_empty());
    let mut ids: Vec<_> = read.responses().unwrap()["ledger"]
        .iter()
        .map(|item| item["id"].as_s().unwrap().clone())
        .collect();
    ids.sort_unstable();
    assert_eq!(ids, ["mail-3", "mail-7"]);
    let scanned = client.scan().table_name("ledger").send().await.unwrap();
    assert_eq!(scanned.count(), 25);
}

#[tokio::test]
async fn a_table_tells_its_status_and_its_time_to_live() {
    let (_running, client) = start().await;
    let described = client.describe_table().table_name("ledger").send().await;
    let described = described.unwrap();
    let status = described.table().unwrap().table_status();
    assert_eq!(status, Some(&TableStatus::Active));
    let specification = TimeToLiveSpecification::builder()
        .enabled(true)
        .attribute_name("expires");
    client
        .update_time_to_live()
        .table_name("ledger")
        .time_to_live_specification(specification.build().unwrap())
        .send()
        .await
        .unwrap();
    let told = client
        .describe_time_to_live()
        .table_name("ledger")
        .send()
        .await
        .unwrap();
    let told = told.time_to_live_description().unwrap();
    assert_eq!(told.attribute_name(), Some("expires"));
    assert_eq!(told.time_to_live_status(), Some(&TimeToLiveStatus::Enabled));
    let missing = client.describe_table().table_name("other").send().await;
    let missing = missing.unwrap_err().into_service_error();
    assert!(missing.is_resource_not_found_exception());
}

#[tokio::test]
async fn injected_errors_are_the_sdk_s_own() {
    let (running, client) = start().await;
    let strike = async |code: &str, status| {
        let rule = Rule::new("dynamodb:PutItem", Fault::error(code, status));
        running.sandbox.faults.set(vec![rule]);
        let refused = claim(&client, "one", 1000).send().await.unwrap_err();
        refused.into_service_error()
    };
    let throttled = strike("ProvisionedThroughputExceededException", 400).await;
    assert!(throttled.is_provisioned_throughput_exceeded_exception());
    assert!(
        strike("ThrottlingException", 400)
            .await
            .is_throttling_exception()
    );
    assert!(
        strike("RequestLimitExceeded", 400)
            .await
            .is_request_limit_exceeded()
    );
    assert!(
        strike("InternalServerError", 500)
            .await
            .is_internal_server_error()
    );
    let denied = strike("AccessDeniedException", 400).await;
    assert_eq!(denied.code(), Some("AccessDeniedException"));
    assert_eq!(denied.message(), Some("Injected by the sandbox."));
    assert!(running.sandbox.dynamodb.items("ledger").is_empty());
}

#[tokio::test]
async fn a_reset_after_the_effect_leaves_the_item() {
    let (running, client) = start().await;
    running
        .sandbox
        .faults
        .set(vec![Rule::new("dynamodb:*", Fault::ResetAfter)]);
    let broken = claim(&client, "one", 1000).send().await.unwrap_err();
    assert!(matches!(broken, SdkError::DispatchFailure(_)), "{broken:?}");
    assert_eq!(running.sandbox.dynamodb.items("ledger").len(), 1);
}
