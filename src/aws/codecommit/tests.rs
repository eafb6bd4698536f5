//! The template over canned answers.

use aws_smithy_http_client::test_util::NeverClient;
use serde_json::json;
use tokio::time::Instant;

use super::{CodeCommitTemplate, TemplateAddress};
use crate::{
    ports::{TemplateFailureKind, TemplateSource},
    testing::canned::{Answer, Canned, over},
};

fn address(reference: Option<&str>) -> TemplateAddress {
    TemplateAddress {
        repository: "email-templates".to_owned(),
        path: "mails/new_event.html".to_owned(),
        reference: reference.map(ToOwned::to_owned),
    }
}

fn file() -> Answer {
    Answer::json(&json!({
        "commitId": "7b1c5ae9",
        "blobId": "d670460b",
        "filePath": "mails/new_event.html",
        "fileMode": "NORMAL",
        "fileSize": 9,
        "fileContent": "77u/PHA+aGk=",
    }))
}

#[tokio::test]
async fn a_fetch_names_repository_path_and_reference_and_brings_the_files_bytes() {
    let canned = Canned::new(file());
    let source = CodeCommitTemplate::new(&canned.aws, address(Some("refs/heads/main")));
    let fetched = source.fetch().await.unwrap();
    assert_eq!(fetched.bytes, b"\xef\xbb\xbf<p>hi");
    assert_eq!(fetched.version.commit_id, "7b1c5ae9");
    assert_eq!(fetched.version.blob_id, "d670460b");
    let asked = canned.only();
    assert_eq!(asked.target, "CodeCommit_20150413.GetFile");
    let expected = json!({
        "repositoryName": "email-templates",
        "commitSpecifier": "refs/heads/main",
        "filePath": "mails/new_event.html",
    });
    assert_eq!(asked.body, expected);
}

#[tokio::test]
async fn without_a_reference_codecommit_takes_the_default_branch() {
    let canned = Canned::new(file());
    CodeCommitTemplate::new(&canned.aws, address(None))
        .fetch()
        .await
        .unwrap();
    let expected =
        json!({ "repositoryName": "email-templates", "filePath": "mails/new_event.html" });
    assert_eq!(canned.only().body, expected);
}

#[tokio::test]
async fn the_location_says_where_the_template_is() {
    let canned = Canned::new(file());
    let location = |reference| {
        CodeCommitTemplate::new(&canned.aws, address(reference))
            .location()
            .to_owned()
    };
    let place = "repository email-templates, path mails/new_event.html, at";
    assert_eq!(location(Some("v1")), format!("{place} v1"));
    assert_eq!(location(None), format!("{place} its default branch"));
}

#[tokio::test(start_paused = true)]
async fn a_fetch_that_may_pass_is_tried_three_times_and_a_refused_one_once() {
    for (status, code, attempts) in [
        (500, "InternalFailure", 3),
        (400, "ThrottlingException", 3),
        (400, "FileDoesNotExistException", 1),
        (400, "AccessDeniedException", 1),
    ] {
        let canned = Canned::new(Answer::codecommit(status, code, "Because."));
        let source = CodeCommitTemplate::new(&canned.aws, address(None));
        assert!(source.fetch().await.is_err());
        assert_eq!(canned.asked().len(), attempts, "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn each_attempt_to_fetch_ends_in_time() {
    let never = NeverClient::new();
    let began = Instant::now();
    let fetched = CodeCommitTemplate::new(&over(never.clone()), address(None))
        .fetch()
        .await;
    let failure = fetched.err().unwrap();
    assert_eq!(failure.kind, TemplateFailureKind::Transient);
    assert_eq!(failure.error.code, "timeout");
    assert_eq!(never.num_calls(), 3);
    let elapsed = began.elapsed();
    assert!((30..=33).contains(&elapsed.as_secs()), "{elapsed:?}");
}
