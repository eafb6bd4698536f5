//! The way of SES's events in the stack: set, destination, topic, queue, daemon.

use serde_json::{Value, json};

use crate::stack::Stack;

/// The one statement of a policy that allows something.
fn statement(policy: &Value) -> Value {
    let statements = policy["PolicyDocument"]["Statement"].as_array().unwrap();
    let mut allowed = statements.iter().filter(|one| one["Effect"] == "Allow");
    let found = allowed.next().unwrap().clone();
    assert!(allowed.next().is_none(), "{policy}");
    found
}

#[test]
fn without_feedback_nothing_of_it_is_made() {
    for (name, _) in Stack::with(&[]).resources() {
        assert!(!name.starts_with("Feedback"), "{name}");
    }
    let variables = Stack::with(&[]).environment("daemon");
    assert_eq!(variables["NOTIFIER_FEEDBACK__QUEUE_URL"], "");
    assert_eq!(variables["NOTIFIER_EMAIL__CONFIGURATION_SET"], "");
}

#[test]
fn a_set_of_ones_own_is_used_and_none_is_made_beside_it() {
    for (given, set) in [("", "<FeedbackSet>"), ("mine", "mine")] {
        let stack = Stack::with(&[("Feedback", "on"), ("ConfigurationSet", given)]);
        let resources = stack.resources();
        assert_eq!(resources.contains_key("FeedbackSet"), given.is_empty());
        let destination = stack.resource("FeedbackDestination");
        assert_eq!(destination["ConfigurationSetName"], set);
        let variables = stack.environment("daemon");
        assert_eq!(variables["NOTIFIER_EMAIL__CONFIGURATION_SET"], set);
        let url = "https://sqs.eu-central-1.amazonaws.com/123456789012/FeedbackQueue";
        assert_eq!(variables["NOTIFIER_FEEDBACK__QUEUE_URL"], url);
        let arn = format!("arn:aws:ses:eu-central-1:123456789012:configuration-set/{set}");
        let topic = statement(&stack.resource("FeedbackTopicPolicy"));
        assert_eq!(topic["Condition"]["StringEquals"]["AWS:SourceArn"], arn);
        let role = stack.resource("SetRights").to_string();
        assert!(role.contains(&arn), "{role}");
    }
}

#[test]
fn events_are_published_and_let_in_all_the_way() {
    let stack = Stack::with(&[("Feedback", "on")]);
    let destination = &stack.resource("FeedbackDestination")["EventDestination"];
    assert_eq!(destination["Enabled"], true, "it is off by default");
    assert_eq!(
        destination["MatchingEventTypes"],
        json!([
            "send",
            "delivery",
            "bounce",
            "complaint",
            "reject",
            "deliveryDelay",
            "renderingFailure"
        ])
    );
    assert_eq!(destination["SnsDestination"]["TopicARN"], "<FeedbackTopic>");
    let topic = statement(&stack.resource("FeedbackTopicPolicy"));
    assert_eq!(topic["Principal"]["Service"], "ses.amazonaws.com");
    assert_eq!(topic["Action"], "sns:Publish");
    let queue = statement(&stack.resource("FeedbackQueuePolicy"));
    assert_eq!(queue["Principal"]["Service"], "sns.amazonaws.com");
    let source = &queue["Condition"]["ArnEquals"]["aws:SourceArn"];
    assert_eq!(source, "<FeedbackTopic>");
    let policy = stack.resource("FeedbackQueuePolicy");
    let clear = &policy["PolicyDocument"]["Statement"][0];
    assert_eq!(clear["Effect"], "Deny");
    assert_eq!(clear["Condition"]["Bool"]["aws:SecureTransport"], "false");
    let subscription = stack.resource("FeedbackSubscription");
    assert_eq!(subscription["Endpoint"], "<FeedbackQueue.Arn>");
    let raw = &stack.raw()["Resources"];
    assert_eq!(
        raw["FeedbackDestination"]["DependsOn"],
        "FeedbackTopicPolicy"
    );
    assert_eq!(
        raw["FeedbackSubscription"]["DependsOn"],
        "FeedbackQueuePolicy"
    );
    let queue = stack.resource("FeedbackQueue");
    assert!(queue["RedrivePolicy"].is_null());
    assert_eq!(queue["SqsManagedSseEnabled"], true);
}

#[test]
fn two_stacks_can_have_their_events_from_one_set() {
    // The name of a destination is unique in its set; without one CloudFormation makes one up.
    let stack = Stack::with(&[("Feedback", "on"), ("ConfigurationSet", "shared")]);
    let destination = &stack.resource("FeedbackDestination")["EventDestination"];
    assert!(destination["Name"].is_null(), "{destination}");
}
