//! The template, and what becomes of it with parameters: functions and conditions resolved.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::{Map, Value};

use crate::{text, yaml};

pub(crate) const TEMPLATE: &str = "deploy/cloudformation.yaml";

/// Parameters that have no default, and one of two of which one is needed.
const REQUIRED: &[(&str, &str)] = &[
    ("ImageTag", "1.0.0"),
    ("VpcId", "vpc-1"),
    ("SubnetIds", "subnet-1,subnet-2"),
    ("CodecommitRepo", "email-templates"),
    ("Sender", "Events <events@example.com>"),
    ("SenderIdentity", "example.com"),
];

/// As different from the defaults as can be.
pub(crate) const OTHERWISE: &[(&str, &str)] = &[
    (
        "SqsUrl",
        "https://sqs.eu-central-1.amazonaws.com/123456789012/created",
    ),
    ("DeadLetterQueueName", "dead"),
    ("KmsKeyArn", "arn:aws:kms:eu-central-1:123456789012:key/1"),
    ("ClusterName", "apps"),
    ("Capacity", "FARGATE_SPOT"),
    ("ReplyTo", "help@example.com"),
    ("ConfigurationSet", "notifications"),
    ("MaxSendRate", "14"),
    ("AlarmTopicArn", "arn:aws:sns:eu-central-1:123456789012:a"),
    ("Exporters", "otlp"),
    ("CollectorRepository", "collector"),
    ("ExtraSecurityGroupId", "sg-12"),
    ("Reputation", "off"),
    ("Feedback", "on"),
    ("LedgerTable", "create"),
    ("TemplateBucket", "mail-templates"),
];

/// The template, which is long, read once.
static READ: LazyLock<Value> = LazyLock::new(|| yaml::read(&text(TEMPLATE)));

/// A stack as it would be created.
pub(crate) struct Stack {
    template: Value,
    parameters: BTreeMap<String, String>,
}

impl Stack {
    /// With these parameters over the defaults.
    pub(crate) fn with(parameters: &[(&str, &str)]) -> Self {
        let template = READ.clone();
        let mut all = BTreeMap::new();
        for (name, parameter) in template["Parameters"].as_object().unwrap() {
            let default = match &parameter["Default"] {
                Value::String(text) => text.clone(),
                Value::Null => continue,
                other => other.to_string(),
            };
            all.insert(name.clone(), default);
        }
        for (name, value) in REQUIRED.iter().chain(parameters) {
            assert!(
                template["Parameters"][name].is_object(),
                "no parameter {name}"
            );
            all.insert((*name).to_owned(), (*value).to_owned());
        }
        Self {
            template,
            parameters: all,
        }
    }

    /// With the defaults, and as different from them as can be.
    pub(crate) fn both() -> [Self; 2] {
        [Self::with(&[]), Self::with(OTHERWISE)]
    }

    /// The template as it stands.
    pub(crate) fn raw(&self) -> &Value {
        &self.template
    }

    /// The properties of each resource that is created, by name and with its type.
    pub(crate) fn resources(&self) -> BTreeMap<String, (String, Value)> {
        let resources = self.template["Resources"].as_object().unwrap();
        let created = resources.iter().filter(|(_, resource)| {
            let condition = resource["Condition"].as_str();
            condition.is_none_or(|name| self.condition(name))
        });
        created
            .map(|(name, resource)| {
                let properties = self.resolve(&resource["Properties"]).unwrap_or_default();
                let kind = resource["Type"].as_str().unwrap().to_owned();
                (name.clone(), (kind, properties))
            })
            .collect()
    }

    /// The properties of one resource.
    pub(crate) fn resource(&self, name: &str) -> Value {
        let (_, properties) = self
            .resources()
            .remove(name)
            .unwrap_or_else(|| panic!("no {name}"));
        properties
    }

    /// One container's definition.
    pub(crate) fn container(&self, name: &str) -> Option<Value> {
        let task = self.resource("TaskDefinition");
        let containers = task["ContainerDefinitions"].as_array().unwrap();
        containers
            .iter()
            .find(|found| found["Name"] == name)
            .cloned()
    }

    /// The daemon's variables.
    pub(crate) fn environment(&self, container: &str) -> BTreeMap<String, String> {
        let container = self.container(container).unwrap();
        let variables = container["Environment"].as_array().unwrap().iter();
        variables
            .map(|pair| {
                let text = |key: &str| pair[key].as_str().unwrap().to_owned();
                (text("Name"), text("Value"))
            })
            .collect()
    }

    /// A part of the template with functions and conditions resolved.
    pub(crate) fn resolved(&self, part: &Value) -> Value {
        self.resolve(part).unwrap()
    }

    fn condition(&self, name: &str) -> bool {
        self.holds(&self.template["Conditions"][name])
    }

    /// Whether a condition holds with these parameters.
    pub(crate) fn holds(&self, condition: &Value) -> bool {
        let (function, argument) = single(condition).unwrap();
        let all = || argument.as_array().unwrap().iter();
        match function {
            "Condition" => self.condition(argument.as_str().unwrap()),
            "Fn::Equals" => self.resolve(&argument[0]) == self.resolve(&argument[1]),
            "Fn::Not" => !self.holds(&argument[0]),
            "Fn::And" => all().all(|each| self.holds(each)),
            "Fn::Or" => all().any(|each| self.holds(each)),
            other => panic!("{other} is no condition"),
        }
    }

    /// Nothing for `AWS::NoValue`.
    fn resolve(&self, value: &Value) -> Option<Value> {
        if let Some((function, argument)) = single(value) {
            let inner = |at: usize| self.resolve(&argument[at]).unwrap();
            match function {
                "Ref" => return self.reference(argument.as_str().unwrap()),
                "Fn::GetAtt" => {
                    return Some(format!("<{}>", argument.as_str().unwrap()).into());
                }
                "Fn::If" => {
                    let chosen = if self.condition(argument[0].as_str().unwrap()) {
                        1
                    } else {
                        2
                    };
                    return self.resolve(&argument[chosen]);
                }
                "Fn::Sub" => return Some(self.substitute(argument)),
                "Fn::Split" => {
                    let (by, whole) = (inner(0), inner(1));
                    let parts = whole.as_str().unwrap().split(by.as_str().unwrap());
                    return Some(parts.collect());
                }
                "Fn::Join" => {
                    let parts = crate::strings(&inner(1));
                    return Some(parts.join(inner(0).as_str().unwrap()).into());
                }
                "Fn::Select" => {
                    let at = usize::try_from(inner(0).as_u64().unwrap()).unwrap();
                    return Some(inner(1)[at].clone());
                }
                "Fn::FindInMap" => {
                    let key = |at: usize| inner(at).as_str().unwrap().to_owned();
                    return Some(self.template["Mappings"][key(0)][key(1)][key(2)].clone());
                }
                other => assert!(!other.starts_with("Fn::"), "{other} is not known here"),
            }
        }
        Some(match value {
            Value::Array(items) => items.iter().filter_map(|item| self.resolve(item)).collect(),
            Value::Object(map) => {
                let pairs = map.iter();
                let pairs =
                    pairs.filter_map(|(key, value)| Some((key.clone(), self.resolve(value)?)));
                Value::Object(pairs.collect::<Map<_, _>>())
            }
            other => other.clone(),
        })
    }

    fn reference(&self, name: &str) -> Option<Value> {
        let known = match name {
            "AWS::NoValue" => return None,
            "AWS::AccountId" => "123456789012",
            "AWS::Partition" => "aws",
            "AWS::Region" => "eu-central-1",
            "AWS::URLSuffix" => "amazonaws.com",
            "AWS::StackName" => "notifier",
            "DeadLetterQueue" => "https://sqs.eu-central-1.amazonaws.com/123456789012/Dead",
            "Table" => "notifier-Table-1",
            "Queue" => "https://sqs.eu-central-1.amazonaws.com/123456789012/Queue",
            "FeedbackQueue" => "https://sqs.eu-central-1.amazonaws.com/123456789012/FeedbackQueue",
            _ => {
                let Some(value) = self.parameters.get(name) else {
                    assert!(self.template["Resources"][name].is_object(), "no {name}");
                    return Some(format!("<{name}>").into());
                };
                value
            }
        };
        Some(known.into())
    }

    fn substitute(&self, argument: &Value) -> Value {
        let text = argument.as_str().or_else(|| argument[0].as_str()).unwrap();
        let mut pieces = text.split("${");
        let mut whole = pieces.next().unwrap().to_owned();
        for piece in pieces {
            let (name, rest) = piece.split_once('}').unwrap();
            let value = match argument.get(1).and_then(|own| own.get(name)) {
                Some(own) => self.resolve(own).unwrap(),
                None if name.contains('.') => format!("<{name}>").into(),
                None => self.reference(name).unwrap(),
            };
            whole.push_str(value.as_str().unwrap());
            whole.push_str(rest);
        }
        whole.into()
    }
}

/// The one entry of a mapping that has no other.
fn single(value: &Value) -> Option<(&str, &Value)> {
    let map = value.as_object().filter(|map| map.len() == 1)?;
    map.iter().next().map(|(key, value)| (key.as_str(), value))
}

#[test]
fn every_parameter_is_used_and_has_its_place_in_the_console() {
    let stack = Stack::with(&[]);
    let mut rest = stack.raw().clone();
    let groups = rest["Metadata"].take().to_string();
    let parameters = rest["Parameters"].take();
    let rest = rest.to_string();
    for name in parameters.as_object().unwrap().keys() {
        let used = rest.contains(&format!("{{\"Ref\":\"{name}\"}}"))
            || rest.contains(&format!("${{{name}}}"));
        assert!(used, "{name} is not used");
        assert!(
            groups.contains(&format!("\"{name}\"")),
            "{name} is in no group"
        );
        assert!(
            parameters[name]["Description"].is_string(),
            "{name} has no description"
        );
    }
}

#[test]
fn every_condition_is_used() {
    let stack = Stack::with(&[]);
    let whole = stack.raw().to_string();
    for name in stack.raw()["Conditions"].as_object().unwrap().keys() {
        let uses = whole.matches(&format!("\"{name}\"")).count();
        assert!(uses > 1, "{name} is not used");
    }
}

#[test]
fn the_template_fits_into_one_call() {
    // More than this must lie in a bucket first, and the guide deploys the file as it is.
    let size = text(TEMPLATE).len();
    assert!(size <= 51_200, "{size} bytes");
}

#[test]
fn what_holds_messages_outlives_the_stack_but_not_a_first_try_that_failed() {
    let stack = Stack::with(&[]);
    let raw = &stack.raw()["Resources"];
    for name in ["Queue", "DeadLetterQueue", "Table"] {
        assert_eq!(
            raw[name]["DeletionPolicy"], "RetainExceptOnCreate",
            "{name}"
        );
        assert_eq!(raw[name]["UpdateReplacePolicy"], "Retain", "{name}");
    }
    // The policy goes by a creation that is taken back alone: what a deleted one leaves has to be found.
    let page = text("deploy/README.md");
    let (_, failed) = page
        .split_once("\n### If the first deployment fails\n")
        .unwrap();
    let told = failed.split("\n### ").next().unwrap();
    let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(told.contains("`aws sqs list-queues --queue-name-prefix organizer-notifier-`"));
    // The log says why the first try failed.
    assert_eq!(raw["LogGroup"]["DeletionPolicy"], "Retain");
    assert!(
        raw["LogGroup"]["Properties"]["LogGroupName"].is_null(),
        "a name that stays would be in the way of the next stack of this name"
    );
}

#[test]
fn a_stack_at_zero_tasks_receives_nothing_and_one_that_scales_begins_with_a_task() {
    let none = Stack::with(&[("MinTasks", "0"), ("MaxTasks", "0")]);
    assert_eq!(none.resource("Service")["DesiredCount"], 0);
    assert!(
        !none.resources().contains_key("NoTaskAlarm"),
        "nobody is to run"
    );
    let some = Stack::with(&[]);
    assert!(some.resource("Service")["DesiredCount"].is_null());
    assert!(some.resources().contains_key("NoTaskAlarm"));
    let rule = &some.raw()["Rules"]["NoneAtAllOrOneAtLeast"];
    assert!(rule["RuleCondition"].is_null());
    for (least, most, fits) in [
        ("0", "0", true),
        ("0", "2", false),
        ("1", "0", false),
        ("1", "2", true),
    ] {
        let stack = Stack::with(&[("MinTasks", least), ("MaxTasks", most)]);
        let fitting = stack.holds(&rule["Assertions"][0]["Assert"]);
        assert_eq!(fitting, fits, "{least} to {most}");
    }
}

#[test]
fn a_created_queue_takes_messages_from_its_topic_alone_and_nothing_in_the_clear() {
    let topic = "arn:aws:sns:eu-central-1:123456789012:events";
    let stack = Stack::with(&[("TopicArn", topic)]);
    let policy = stack.resource("QueuePolicy")["PolicyDocument"]["Statement"].clone();
    assert_eq!(policy[0]["Effect"], "Deny");
    assert_eq!(
        policy[0]["Condition"]["Bool"]["aws:SecureTransport"],
        "false"
    );
    assert_eq!(policy[1]["Principal"]["Service"], "sns.amazonaws.com");
    assert_eq!(policy[1]["Condition"]["ArnEquals"]["aws:SourceArn"], topic);
    let subscription = stack.resource("Subscription");
    assert_eq!(subscription["Region"], "eu-central-1");
    assert_eq!(
        subscription["RedrivePolicy"]["deadLetterTargetArn"],
        "<DeadLetterQueue.Arn>"
    );
    let alone = Stack::with(&[]).resource("QueuePolicy")["PolicyDocument"]["Statement"].clone();
    assert_eq!(alone.as_array().unwrap().len(), 1);
}

#[test]
fn a_topic_of_another_region_is_subscribed_there_and_without_a_dead_letter_queue() {
    // SNS refuses a subscription whose dead-letter queue is in another region than the subscription itself.
    let topic = "arn:aws:sns:eu-west-1:123456789012:events";
    let subscription = Stack::with(&[("TopicArn", topic)]).resource("Subscription");
    assert_eq!(subscription["Region"], "eu-west-1");
    assert!(subscription["RedrivePolicy"].is_null(), "{subscription}");
    assert!(
        !Stack::with(&[]).resources().contains_key("Subscription"),
        "no topic has no region"
    );
    let told = text("deploy/README.md");
    let row = told.lines().find(|line| line.starts_with("| `TopicArn` |"));
    assert!(row.unwrap().contains("another region"));
}

#[test]
fn a_cluster_is_named_and_not_given_by_its_arn() {
    let stack = Stack::with(&[]);
    let pattern = &stack.raw()["Parameters"]["ClusterName"]["AllowedPattern"];
    assert_eq!(*pattern, "|[A-Za-z0-9_-]{1,255}");
}

#[test]
fn redrives_are_counted_as_the_parameter_says() {
    let counts = |stack: Stack| stack.resource("Queue")["RedrivePolicy"]["maxReceiveCount"].clone();
    assert_eq!(counts(Stack::with(&[])), "5");
    assert_eq!(counts(Stack::with(&[("MaxReceiveCount", "2")])), "2");
}
