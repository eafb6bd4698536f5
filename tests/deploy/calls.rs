//! What the sources call in AWS.

use std::collections::{BTreeMap, BTreeSet};

use crate::sources;

/// Adapters that only the operator's commands use; their rights are the operator's.
const OPERATORS: &[&str] = &["src/aws/dead_letters.rs", "src/aws/inspect.rs"];

/// The IAM actions of the calls that the running daemon makes.
pub(crate) fn daemon() -> BTreeSet<String> {
    actions(|path| !OPERATORS.contains(&path))
}

/// Those that only the operator's commands need.
pub(crate) fn operator() -> BTreeSet<String> {
    let all = actions(|path| OPERATORS.contains(&path));
    all.difference(&daemon()).cloned().collect()
}

fn actions(wanted: impl Fn(&str) -> bool) -> BTreeSet<String> {
    let files = sources("src/aws");
    let files = files.iter().filter(|(path, _)| wanted(path));
    files.flat_map(|(path, code)| called(path, code)).collect()
}

/// The actions that a file's calls need. A call is the method of a field that is a client, or what a field
/// that is a caller is made for. Those are planned by calls of a client that end before they are made.
fn called(path: &str, code: &str) -> BTreeSet<String> {
    let dense: String = code.split_whitespace().collect();
    let mut found = BTreeSet::new();
    let mut calls = 0;
    for (field, service) in clients(code) {
        for rest in dense.split(&format!("self.{field}.")).skip(1) {
            let operation = rest.split("()").next().unwrap();
            found.insert(action(&service, operation));
            calls += 1;
        }
    }
    let planned = callers(code);
    let sent = dense.matches(".send()").count();
    let plans = dense.matches(".interceptor(planner).send()").count();
    assert_eq!(
        (calls, planned.is_empty()),
        (sent - plans, plans == 0),
        "{path}: a call is made in a way that is not seen here"
    );
    found.extend(planned);
    found
}

/// The actions of the fields that are callers. The service is that of the file's client.
fn callers(code: &str) -> BTreeSet<String> {
    let dense: String = code.split_whitespace().collect();
    let mut found = BTreeSet::new();
    for rest in dense.split("Caller<").skip(1) {
        let input = rest.split(',').next().unwrap();
        // The type's own file says it of all inputs.
        if input == "I" {
            continue;
        }
        let operation = input.strip_suffix("Input").unwrap();
        let operation = operation.strip_suffix("Batch").unwrap_or(operation);
        let service = service(code).unwrap();
        found.insert(format!("{}:{operation}", prefix(&service)));
    }
    found
}

/// The service whose crate is the first that is named.
fn service(text: &str) -> Option<String> {
    let rest = text.split("aws_sdk_").nth(1)?;
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric())?;
    Some(rest[..end].to_owned())
}

fn prefix(service: &str) -> &str {
    if service == "sesv2" { "ses" } else { service }
}

/// The fields that are clients, with their services.
fn clients(code: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for line in code.lines() {
        let Some((field, kind)) = line.trim().trim_end_matches(',').split_once(": ") else {
            continue;
        };
        let imported = code
            .split("use aws_sdk_")
            .nth(1)
            .map(|rest| format!("aws_sdk_{rest}"));
        if kind == "Client" {
            found.insert(field.to_owned(), service(&imported.unwrap()).unwrap());
        } else if kind.starts_with("aws_sdk_") && kind.ends_with("::Client") {
            found.insert(field.to_owned(), service(kind).unwrap());
        }
    }
    found
}

/// The action of an operation. A batch has none of its own: its single operation's counts.
fn action(service: &str, operation: &str) -> String {
    let words = operation.trim_end_matches("_batch").split('_');
    let name = words.map(|word| word[..1].to_uppercase() + &word[1..]);
    format!("{}:{}", prefix(service), name.collect::<String>())
}

#[test]
fn calls_are_found_however_they_are_broken_into_lines() {
    let code = "use aws_sdk_sqs::{\n  Client,\n};\nstruct A {\n    client: Client,\n    ses: aws_sdk_sesv2::Client,\n}\n\
        self\n  .client\n  .delete_message_batch()\n  .send()\n  .await; self.ses.get_account().send().await";
    let expected = ["ses:GetAccount", "sqs:DeleteMessage"].map(str::to_owned);
    assert_eq!(called("x.rs", code), BTreeSet::from(expected));
}

#[test]
fn what_a_caller_is_made_for_is_a_call_and_its_plan_is_none() {
    let code = "use aws_sdk_sqs::{\n  Client,\n};\nstruct A {\n    client: Client,\n    \
        changing: Caller<\n        ChangeMessageVisibilityBatchInput,\n O, E>,\n}\n\
        client.change_message_visibility_batch().customize().interceptor(planner).send()";
    let expected = ["sqs:ChangeMessageVisibility"].map(str::to_owned);
    assert_eq!(called("x.rs", code), BTreeSet::from(expected));
}

#[test]
#[should_panic(expected = "a call is made in a way that is not seen here")]
fn a_client_that_is_no_field_is_not_overlooked() {
    called(
        "x.rs",
        "use aws_sdk_sqs::Client;\nclient.purge_queue().send()",
    );
}
