//! The table over canned answers: what goes over the wire, and what its answers mean.

mod agreement;

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use aws_sdk_dynamodb::primitives::{DateTime, DateTimeFormat};
use aws_smithy_http_client::test_util::capture_request;
use aws_smithy_types::body::SdkBody;
use axum::http::Response;

use super::*;
use crate::testing::canned::{Answer, Canned, over};

const DAY: u64 = 86_400;

/// A table whose clock agrees with ours, as far as one that tells whole seconds can.
fn table(answer: &Answer) -> (DynamoTable, Canned) {
    let (table, canned) = untold(answer);
    let now = DateTime::from_secs(i64::try_from(now_ms() / 1000).unwrap());
    table
        .clock
        .learn(&now.fmt(DateTimeFormat::HttpDate).unwrap());
    (table, canned)
}

/// A table that has not told its time yet.
fn untold(answer: &Answer) -> (DynamoTable, Canned) {
    let canned = Canned::new(answer.clone());
    let keep = Duration::from_secs(28 * DAY);
    let table = DynamoTable::new(
        &canned.aws,
        "mails".to_owned(),
        keep,
        Duration::from_secs(1),
    );
    (table, canned)
}

fn refused(code: &str, item: &Value) -> Answer {
    let body = json!({
        "__type": format!("com.amazonaws.dynamodb.v20120810#{code}"),
        "message": "The conditional request failed",
        "Item": item,
    });
    Answer::new(400, "application/x-amz-json-1.0", &body.to_string())
}

fn failed(status: u16, code: &str) -> Answer {
    let body = json!({ "__type": format!("com.amazon.coral.service#{code}"), "message": "no" });
    Answer::new(status, "application/x-amz-json-1.0", &body.to_string())
}

fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(now.as_millis()).unwrap()
}

async fn claim(answer: &Answer) -> Result<Claimed, TableFailure> {
    let (table, _canned) = table(answer);
    let earlier = ["b".to_owned()];
    table
        .claim(Claim {
            key: "n#h",
            owner: "a",
            earlier: &earlier,
            lasts: Duration::from_secs(58),
        })
        .await
}

#[tokio::test]
async fn a_claim_is_written_where_nobody_has_one_or_one_that_ended_or_is_the_receipts_own() {
    let (table, canned) = table(&Answer::json(&json!({})));
    let before = now_ms();
    let earlier = ["b".to_owned()];
    let claimed = table
        .claim(Claim {
            key: "n#h",
            owner: "a",
            earlier: &earlier,
            lasts: Duration::from_secs(58),
        })
        .await;
    assert_eq!(claimed.unwrap(), Claimed::Ours { taken_over: false });
    let asked = canned.only();
    assert_eq!(asked.target, "DynamoDB_20120810.PutItem");
    let body = asked.body;
    assert_eq!(body["TableName"], "mails");
    assert_eq!(
        body["ConditionExpression"],
        "attribute_not_exists(id) OR expires < :now_s OR \
         (#state = :sending AND (#until < :now_ms OR #owner IN (:owner0, :owner1)))"
    );
    let item = &body["Item"];
    assert_eq!(item["id"], json!({ "S": "n#h" }));
    assert_eq!(item["state"], json!({ "S": "sending" }));
    assert_eq!(item["owner"], json!({ "S": "a" }));
    let number = |value: &Value| value["N"].as_str().unwrap().parse::<u64>().unwrap();
    let until = number(&item["until"]) - before;
    // A time that is cut off to a second is half a second off.
    assert!((57_500..63_000).contains(&until), "{until}");
    let expires = number(&item["expires"]) - before / 1000;
    assert!((28 * DAY..28 * DAY + 5).contains(&expires), "{expires}");
    let values = &body["ExpressionAttributeValues"];
    assert_eq!(values[":owner0"], json!({ "S": "a" }));
    assert_eq!(values[":owner1"], json!({ "S": "b" }));
    assert_eq!(number(&values[":now_s"]), number(&values[":now_ms"]) / 1000);
    assert_eq!(body["ReturnValues"], "ALL_OLD");
    assert_eq!(body["ReturnValuesOnConditionCheckFailure"], "ALL_OLD");
}

#[tokio::test]
async fn a_claim_in_anothers_place_says_so() {
    let old = |owner: &str| {
        Answer::json(&json!({ "Attributes": {
            "id": { "S": "n#h" }, "state": { "S": "sending" }, "owner": { "S": owner },
        }}))
    };
    let taken_over = claim(&old("c")).await.unwrap();
    assert_eq!(taken_over, Claimed::Ours { taken_over: true });
    let renewed = claim(&old("b")).await.unwrap();
    assert_eq!(renewed, Claimed::Ours { taken_over: false });
}

#[tokio::test]
async fn a_refused_claim_tells_what_stands_there() {
    let code = "ConditionalCheckFailedException";
    let later = (now_ms() / 1000 + DAY).to_string();
    let sent = json!({
        "state": { "S": "sent" }, "email_id": { "S": "mail-1" }, "expires": { "N": later },
    });
    let email_id = Some("mail-1".to_owned());
    let claimed = claim(&refused(code, &sent)).await.unwrap();
    assert_eq!(claimed, Claimed::Sent { email_id });
    let until = (now_ms() + 30_000).to_string();
    let sending = json!({
        "state": { "S": "sending" }, "owner": { "S": "c" }, "until": { "N": until },
        "expires": { "N": later },
    });
    let Claimed::Sending { remaining } = claim(&refused(code, &sending)).await.unwrap() else {
        panic!("it is sending");
    };
    assert!((25..=30).contains(&remaining.as_secs()), "{remaining:?}");
    for other in [
        json!({}),
        json!({ "state": { "S": "done" } }),
        json!({ "state": { "N": "1" } }),
    ] {
        let claimed = claim(&refused(code, &other)).await.unwrap();
        assert_eq!(claimed, Claimed::Unreadable, "{other}");
    }
}

#[tokio::test]
async fn each_error_has_its_meaning() {
    use TableFailureKind as Kind;
    let cases = [
        (
            400,
            "ProvisionedThroughputExceededException",
            Kind::Throttled,
        ),
        (400, "ThrottlingException", Kind::Throttled),
        (400, "RequestLimitExceeded", Kind::Throttled),
        (400, "ResourceNotFoundException", Kind::NotFound),
        (400, "AccessDeniedException", Kind::AccessDenied),
        (400, "UnrecognizedClientException", Kind::AccessDenied),
        (400, "ExpiredTokenException", Kind::AccessDenied),
        (400, "ValidationException", Kind::Refused),
        (500, "InternalServerError", Kind::Transient),
        (503, "ServiceUnavailable", Kind::Transient),
    ];
    for (status, code, kind) in cases {
        let failure = claim(&failed(status, code)).await.unwrap_err();
        assert_eq!(failure.kind, kind, "{code}");
        assert_eq!(failure.error.code, code);
        let (table, canned) = table(&failed(status, code));
        table.look("n#h").await.unwrap_err();
        assert_eq!(canned.asked().len(), 1, "the ledger owns the retries");
    }
}

#[tokio::test]
async fn the_tables_clock_is_read_from_its_answers_and_claims_go_by_it() {
    let an_hour_ago = now_ms() / 1000 - 3600;
    let date = DateTime::from_secs(i64::try_from(an_hour_ago).unwrap());
    let date = date.fmt(DateTimeFormat::HttpDate).unwrap();
    let (table, canned) = untold(&Answer::json(&json!({})).with_header("date", &date));
    assert_eq!(table.clock(), None);
    table
        .claim(Claim {
            key: "n#h",
            owner: "a",
            earlier: &[],
            lasts: Duration::from_secs(58),
        })
        .await
        .unwrap();
    // It had to be asked for the time first.
    let asked: Vec<_> = canned
        .asked()
        .into_iter()
        .map(|asked| asked.target)
        .collect();
    assert_eq!(
        asked,
        ["DynamoDB_20120810.GetItem", "DynamoDB_20120810.PutItem"]
    );
    let Some(ClockDifference::Ahead(by)) = table.clock() else {
        panic!("{:?}", table.clock());
    };
    assert!((3595..=3601).contains(&by.as_secs()), "{by:?}");
    let until = canned.asked()[1].body["Item"]["until"]["N"].clone();
    let until: u64 = until.as_str().unwrap().parse().unwrap();
    let expected = (an_hour_ago + 58) * 1000;
    assert!(until.abs_diff(expected) < 5000, "{until} {expected}");
}

#[tokio::test]
async fn what_the_sdk_tries_again_it_corrects_itself_and_the_clock_is_read_all_the_same() {
    let answer = Response::builder()
        .status(400)
        .header("date", "Fri, 27 Nov 2026 03:30:00 GMT")
        .header("x-amzn-requestid", "1")
        .body(SdkBody::from("{}"));
    let (client, asked) = capture_request(Some(answer.unwrap()));
    let second = Duration::from_secs(1);
    let table = DynamoTable::new(&over(client), "mails".to_owned(), second, second);
    table.describe().await.unwrap_err();
    let asked = asked.expect_request();
    // The SDK's own interceptors are all there, that of the clock among them.
    assert!(asked.headers().get("amz-sdk-request").is_some());
    assert!(table.clock().is_some());
}

#[tokio::test]
async fn records_go_in_one_call_and_what_it_did_not_take_is_told() {
    let left = json!({ "PutRequest": { "Item": {
        "id": { "S": "two" }, "state": { "S": "sent" },
    }}});
    let answer = Answer::json(&json!({ "UnprocessedItems": { "mails": [left] } }));
    let (table, canned) = table(&answer);
    let mails = ["one", "two"].map(|key| SentMail {
        key: key.to_owned(),
        email_id: format!("id of {key}"),
    });
    assert_eq!(table.record(&mails).await.unwrap(), [1]);
    let asked = canned.only();
    assert_eq!(asked.target, "DynamoDB_20120810.BatchWriteItem");
    let put = &asked.body["RequestItems"]["mails"][0]["PutRequest"]["Item"];
    assert_eq!(put["id"], json!({ "S": "one" }));
    assert_eq!(put["state"], json!({ "S": "sent" }));
    assert_eq!(put["email_id"], json!({ "S": "id of one" }));
    assert!(put["owner"].is_null(), "a record is nobody's claim");
}

#[tokio::test]
async fn a_look_at_many_keeps_their_order_and_forgets_what_has_expired() {
    let item = |id: &str, expires: u64| {
        json!({
            "id": { "S": id }, "state": { "S": "sent" }, "email_id": { "S": "mail" },
            "expires": { "N": expires.to_string() },
        })
    };
    let now = now_ms() / 1000;
    let items = [item("c", now + DAY), item("a", now - DAY)];
    let (table, canned) = table(&Answer::json(&json!({ "Responses": { "mails": items } })));
    let keys = ["a", "b", "c"].map(str::to_owned);
    let found = table.look_at_all(&keys).await.unwrap();
    let email_id = Some("mail".to_owned());
    assert_eq!(found, [None, None, Some(Known::Sent { email_id })]);
    assert!(canned.only().body["RequestItems"]["mails"]["ConsistentRead"].is_null());
}

#[tokio::test]
async fn a_claim_is_taken_back_where_it_stands_and_else_nothing_is_wrong() {
    let answer = refused("ConditionalCheckFailedException", &json!({}));
    let (table, canned) = table(&answer);
    let owners = ["a", "b"].map(str::to_owned);
    table.drop_claim("n#h", &owners).await.unwrap();
    let body = canned.only().body;
    assert_eq!(
        body["ConditionExpression"],
        "#state = :sending AND #owner IN (:owner0, :owner1)"
    );
    assert_eq!(body["Key"], json!({ "id": { "S": "n#h" } }));
}

#[test]
fn only_a_text_named_id_is_the_right_key() {
    let table = |schema: &[(&str, KeyType)], kind: ScalarAttributeType| {
        let mut table = TableDescription::builder();
        for (name, part) in schema {
            let key = aws_sdk_dynamodb::types::KeySchemaElement::builder()
                .attribute_name(*name)
                .key_type(part.clone());
            let attribute = aws_sdk_dynamodb::types::AttributeDefinition::builder()
                .attribute_name(*name)
                .attribute_type(kind.clone());
            table = table
                .key_schema(key.build().unwrap())
                .attribute_definitions(attribute.build().unwrap());
        }
        wrong_key(&table.build())
    };
    let (text, number) = (ScalarAttributeType::S, ScalarAttributeType::N);
    assert_eq!(table(&[("id", KeyType::Hash)], text.clone()), None);
    let wrong = table(&[("id", KeyType::Hash)], number).unwrap();
    assert_eq!(wrong, "id (N, HASH)");
    let wrong = table(&[("pk", KeyType::Hash), ("sk", KeyType::Range)], text).unwrap();
    assert_eq!(wrong, "pk (S, HASH) and sk (S, RANGE)");
}
