//! `DynamoDB` through the real SDK.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region, retry::RetryConfig};
use aws_sdk_dynamodb::error::ProvideErrorMetadata as _;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::{
    AttributeValue, KeysAndAttributes, ReturnValuesOnConditionCheckFailure, TableStatus,
    TimeToLiveStatus,
};
use sandbox::Sandbox;
use sandbox::faults::{Fault, Rule};

fn client(endpoint: &str) -> Client {
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new(
            "AKIDEXAMPLE",
            "secret",
            None,
            None,
            "test",
        ))
        .retry_config(RetryConfig::disabled())
        .endpoint_url(endpoint);
    Client::from_conf(config.build())
}

fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

#[tokio::test]
async fn the_sdk_makes_a_table_and_claims_in_it() {
    let running = Sandbox::start().await;
    running.sandbox.make_table("mails").unwrap();
    let client = client(running.url());
    let table = client.describe_table().table_name("mails").send().await;
    let table = table.unwrap().table.unwrap();
    assert_eq!(table.table_status(), Some(&TableStatus::Active));
    let live = client.describe_time_to_live().table_name("mails").send();
    let live = live.await.unwrap().time_to_live_description.unwrap();
    assert_eq!(live.attribute_name(), Some("expires"));
    assert_eq!(live.time_to_live_status(), Some(&TimeToLiveStatus::Enabled));
    let claim = |owner: &'static str| {
        client
            .put_item()
            .table_name("mails")
            .item("id", text("a"))
            .item("owner", text(owner))
            .condition_expression("attribute_not_exists(#id)")
            .expression_attribute_names("#id", "id")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
    };
    claim("one").await.unwrap();
    let refused = claim("other").await.unwrap_err().into_service_error();
    let PutItemError::ConditionalCheckFailedException(refused) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(refused.item().unwrap()["owner"], text("one"));
    let key = std::collections::HashMap::from([("id".to_owned(), text("a"))]);
    let keys = KeysAndAttributes::builder().keys(key).build().unwrap();
    let found = client.batch_get_item().request_items("mails", keys).send();
    let found = found.await.unwrap().responses.unwrap();
    assert_eq!(found["mails"][0]["owner"], text("one"));
}

#[tokio::test]
async fn faults_and_another_clock_reach_the_sdk() {
    let running = Sandbox::start().await;
    running.sandbox.make_table("mails").unwrap();
    let client = client(running.url());
    let look = || {
        client
            .get_item()
            .table_name("mails")
            .key("id", text("a"))
            .send()
    };
    look().await.unwrap();
    let throttled = Fault::error("ProvisionedThroughputExceededException", 400);
    running.sandbox.faults.add(Rule {
        count: Some(1),
        ..Rule::new("dynamodb:GetItem", throttled)
    });
    let refused = look().await.unwrap_err();
    assert_eq!(
        refused.code(),
        Some("ProvisionedThroughputExceededException")
    );
    running.sandbox.dynamodb.set_clock_ahead(3_600_000);
    let date = |refused: &aws_sdk_dynamodb::error::SdkError<_>| {
        let date = refused.raw_response().unwrap().headers().get("date");
        date.unwrap().to_owned()
    };
    running.sandbox.faults.add(Rule::new(
        "dynamodb:GetItem",
        Fault::error("InternalServerError", 500),
    ));
    let later = date(&look().await.unwrap_err());
    running.sandbox.dynamodb.set_clock_ahead(0);
    let now = date(&look().await.unwrap_err());
    assert_ne!(later, now);
}
