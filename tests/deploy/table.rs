//! The table in which all tasks remember what was sent: made, found, or none.

use serde_json::json;

use crate::stack::Stack;

const VARIABLE: &str = "NOTIFIER_LEDGER__TABLE";

#[test]
fn without_a_table_nothing_of_it_is_made() {
    let stack = Stack::with(&[]);
    assert_eq!(stack.environment("daemon")[VARIABLE], "");
    let resources = stack.resources();
    assert!(!resources.contains_key("Table"));
    assert!(!resources.contains_key("TableAlarm"));
    assert!(!resources.contains_key("TableRights"));
}

#[test]
fn a_table_that_is_made_is_right_and_outlives_the_stack() {
    let stack = Stack::with(&[("LedgerTable", "create")]);
    let table = stack.resource("Table");
    assert_eq!(table["BillingMode"], "PAY_PER_REQUEST");
    let key = json!([{ "AttributeName": "id", "KeyType": "HASH" }]);
    assert_eq!(table["KeySchema"], key);
    let expiry = json!({ "AttributeName": "expires", "Enabled": true });
    assert_eq!(table["TimeToLiveSpecification"], expiry);
    let raw = &stack.raw()["Resources"]["Table"];
    assert_eq!(raw["DeletionPolicy"], "RetainExceptOnCreate");
    assert_eq!(raw["UpdateReplacePolicy"], "Retain");
    assert_eq!(stack.environment("daemon")[VARIABLE], "notifier-Table-1");
}

#[test]
fn a_table_that_exists_is_named_in_the_role_and_watched() {
    let stack = Stack::with(&[("LedgerTable", "mails")]);
    assert!(!stack.resources().contains_key("Table"));
    assert_eq!(stack.environment("daemon")[VARIABLE], "mails");
    let role = stack.resource("TableRights").to_string();
    let arn = "\"arn:aws:dynamodb:eu-central-1:123456789012:table/mails\"";
    assert!(role.contains(arn), "{role}");
    for metric in [0, 1] {
        let looked_at = &stack.resource("TableAlarm")["Metrics"][metric]["MetricStat"]["Metric"];
        let dimension = &looked_at["Dimensions"][0];
        assert_eq!(*dimension, json!({ "Name": "TableName", "Value": "mails" }));
    }
}
