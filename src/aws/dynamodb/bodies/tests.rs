//! Our request body beside the SDK's own.

use aws_sdk_dynamodb::{
    Client,
    types::{
        AttributeValue, PutRequest, ReturnValue, ReturnValuesOnConditionCheckFailure, WriteRequest,
    },
};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{
    super::{EMAIL_ID, EXPIRES, ID},
    ClaimBody, OWNER, SENDING, SENT, STATE, SentMail, UNTIL, records,
};
use crate::testing::canned::{Answer, Canned};

/// What the SDK itself would send.
async fn by_the_sdk(claim: &ClaimBody<'_>) -> Value {
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let number = |number: i64| AttributeValue::N(number.to_string());
    let canned = Canned::new(Answer::json(&json!({})));
    let mut request = Client::new(&canned.aws.one_attempt(std::time::Duration::from_secs(1)))
        .put_item()
        .table_name(claim.table)
        .item("id", text(claim.key))
        .item(STATE, text(SENDING))
        .item(OWNER, text(claim.owner))
        .item(UNTIL, number(claim.until))
        .item(EXPIRES, number(claim.expires))
        .condition_expression(claim.condition())
        .expression_attribute_names("#state", STATE)
        .expression_attribute_names("#owner", OWNER)
        .expression_attribute_names("#until", UNTIL)
        .expression_attribute_values(":sending", text(SENDING))
        .expression_attribute_values(":now_ms", number(claim.now))
        .expression_attribute_values(":now_s", number(claim.now / 1000))
        .expression_attribute_values(":owner0", text(claim.owner))
        .return_values(ReturnValue::AllOld)
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
    for (place, owner) in (1..).zip(claim.earlier) {
        let name = format!(":owner{place}");
        request = request.expression_attribute_values(name, text(owner));
    }
    request.send().await.unwrap();
    canned.only().body
}

/// The same of a batch of records.
async fn records_by_the_sdk(table: &str, sent: &[SentMail], expires: i64) -> Value {
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let request = |mail: &SentMail| {
        let put = PutRequest::builder()
            .item(ID, text(&mail.key))
            .item(STATE, text(SENT))
            .item(EMAIL_ID, text(&mail.email_id))
            .item(EXPIRES, AttributeValue::N(expires.to_string()));
        let put = put.build().unwrap();
        WriteRequest::builder().put_request(put).build()
    };
    let canned = Canned::new(Answer::json(&json!({})));
    Client::new(&canned.aws.one_attempt(std::time::Duration::from_secs(1)))
        .batch_write_item()
        .request_items(table, sent.iter().map(request).collect())
        .send()
        .await
        .unwrap();
    canned.only().body
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(50))]

    #[test]
    fn a_claim_goes_as_the_sdk_would_write_it(
        texts in proptest::array::uniform3("(?s).{0,40}"),
        earlier in proptest::collection::vec("(?s).{0,20}", 0..12),
        times in any::<[i64; 3]>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let [table, key, owner] = &texts;
        let [now, until, expires] = times;
        // The SDK refuses a table without a name.
        let table = &format!("t{table}");
        let claim = ClaimBody { table, key, owner, earlier: &earlier, now, until, expires };
        let ours: Value = serde_json::from_slice(&claim.write()).unwrap();
        prop_assert_eq!(ours, runtime.block_on(by_the_sdk(&claim)));
    }

    #[test]
    fn records_go_as_the_sdk_would_write_them(
        table in "(?s).{1,20}",
        sent in proptest::collection::vec(("(?s).{0,40}", "(?s).{0,40}"), 1..26),
        expires in any::<i64>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let sent = sent.into_iter().map(|(key, email_id)| SentMail { key, email_id });
        let sent: Vec<_> = sent.collect();
        let ours: Value = serde_json::from_slice(&records(&table, &sent, expires)).unwrap();
        prop_assert_eq!(ours, runtime.block_on(records_by_the_sdk(&table, &sent, expires)));
    }
}
