//! A template in a bucket takes the place of the one in CodeCommit: in the role, for the daemon, and one of
//! them is needed.

use organizer_notifier::config::Repository;
use serde_json::{Value, json};

use crate::settings;
use crate::stack::Stack;

const VARIABLE: &str = "CODECOMMIT_REPO";

/// The statement of this name in the daemon's role.
fn statement(stack: &Stack, sid: &str) -> Option<Value> {
    let policy = stack.resource("TemplateRights");
    let statements = policy["PolicyDocument"]["Statement"].as_array().unwrap();
    statements.iter().find(|one| one["Sid"] == sid).cloned()
}

#[test]
fn without_a_bucket_the_template_comes_from_codecommit() {
    let stack = Stack::with(&[("KmsKeyArn", "arn:aws:kms:eu-central-1:123456789012:key/1")]);
    assert_eq!(stack.environment("daemon")[VARIABLE], "email-templates");
    let template = statement(&stack, "Template").unwrap();
    assert_eq!(template["Action"], "codecommit:GetFile");
    assert_eq!(
        template["Resource"],
        "arn:aws:codecommit:eu-central-1:123456789012:email-templates"
    );
    assert!(statement(&stack, "TemplateIsThere").is_none());
    let role = stack.resource("TemplateRights").to_string();
    assert!(!role.contains("s3"), "{role}");
    let key = stack.resource("QueueRights").to_string();
    assert!(
        key.contains("codecommit.eu-central-1.amazonaws.com"),
        "{key}"
    );
}

#[test]
fn with_a_bucket_the_role_may_read_its_object_and_nothing_of_codecommit() {
    for repository in ["none", "email-templates"] {
        let stack = Stack::with(&[
            ("CodecommitRepo", repository),
            ("TemplateBucket", "mail-templates"),
            ("NewEventNotificationEmail", "mails/new event.html"),
            ("KmsKeyArn", "arn:aws:kms:eu-central-1:123456789012:key/1"),
        ]);
        let environment = stack.environment("daemon");
        assert_eq!(environment[VARIABLE], "s3://mail-templates");
        let template = statement(&stack, "Template").unwrap();
        assert_eq!(template["Action"], "s3:GetObject");
        assert_eq!(
            template["Resource"],
            "arn:aws:s3:::mail-templates/mails/new event.html"
        );
        let is_there = statement(&stack, "TemplateIsThere").unwrap();
        assert_eq!(is_there["Action"], "s3:ListBucket");
        assert_eq!(is_there["Resource"], "arn:aws:s3:::mail-templates");
        assert_eq!(
            is_there["Condition"],
            json!({ "StringEquals": { "s3:prefix": "mails/new event.html" } })
        );
        let role = stack.resource("TemplateRights").to_string();
        assert!(!role.contains("codecommit"), "{role}");
        let key = stack.resource("QueueRights").to_string();
        assert!(key.contains("s3.eu-central-1.amazonaws.com"), "{key}");
    }
}

#[test]
fn the_daemon_takes_what_the_stack_gives_it() {
    let bucket = Repository::Bucket("mail-templates".to_owned());
    let stack = Stack::with(&[("TemplateBucket", "mail-templates")]);
    let given = |stack: &Stack| settings(&stack.environment("daemon")).template.repository;
    assert_eq!(given(&stack), bucket);
    let repository = Repository::CodeCommit("email-templates".to_owned());
    assert_eq!(given(&Stack::with(&[])), repository);
}

#[test]
fn a_stack_without_a_template_is_refused() {
    let stack = Stack::with(&[]);
    let rule = &stack.raw()["Rules"]["OneTemplate"];
    assert!(rule["RuleCondition"].is_null());
    let assert = &rule["Assertions"][0]["Assert"];
    for (repository, bucket, fits) in [
        ("none", "", false),
        ("email-templates", "", true),
        ("none", "mail-templates", true),
        ("email-templates", "mail-templates", true),
    ] {
        let stack = Stack::with(&[("CodecommitRepo", repository), ("TemplateBucket", bucket)]);
        assert_eq!(stack.holds(assert), fits, "{repository} {bucket}");
    }
}
