//! The checker of histories (`tests/checker`): its own tests, and its verdict on what the local AWS writes.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use crate::history::Kept;

fn checker(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../checker")
        .join(file)
}

/// The exit code and everything that was said.
fn python(arguments: &[&Path]) -> (Option<i32>, String) {
    let ended = Command::new("python3")
        .arg("-B")
        .args(arguments)
        .output()
        .unwrap();
    let said = [ended.stdout, ended.stderr].concat();
    (
        ended.status.code(),
        String::from_utf8_lossy(&said).into_owned(),
    )
}

#[test]
fn each_of_its_rules_is_broken_and_kept_by_a_history() {
    let discover = ["-m", "unittest", "discover", "-s"].map(Path::new);
    let (code, said) = python(&[&discover[..], &[&checker("")]].concat());
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("\nOK"), "{said}");
    assert!(!said.contains("Ran 0 tests"), "{said}");
}

#[tokio::test]
async fn it_finds_nothing_wrong_with_an_honest_consumer() {
    let kept = Kept::start("honest").await;
    kept.sqs("SendMessage", json!({ "MessageBody": "x" })).await;
    let (message, handle) = kept.receive(30).await.unwrap();
    kept.mail(&message).await.unwrap();
    let delete = json!({ "ReceiptHandle": handle });
    kept.sqs("DeleteMessage", delete).await;
    let (code, said) = python(&[&checker("check.py"), &kept.file]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("1 notifications, 1 mailed"), "{said}");
}

#[tokio::test]
async fn it_finds_the_sins_of_one_that_deletes_first_and_forgets_a_mail() {
    let kept = Kept::start("sinful").await;
    for _ in 0..2 {
        let send = json!({ "MessageBody": "x" });
        kept.sqs("SendMessage", send).await;
    }
    for is_mailed in [false, true] {
        let (message, handle) = kept.receive(30).await.unwrap();
        let delete = json!({ "ReceiptHandle": handle });
        kept.sqs("DeleteMessage", delete).await;
        if is_mailed {
            kept.mail(&message).await.unwrap();
        }
    }
    let (code, said) = python(&[&checker("check.py"), &kept.file]);
    assert_eq!(code, Some(1), "{said}");
    for rule in ["lost", "early", "unheld"] {
        assert!(said.contains(&format!("BROKEN {rule}: ")), "{said}");
    }
    assert!(said.contains("3 of 20 rules broken"), "{said}");
}

#[tokio::test]
async fn it_refuses_what_is_no_history() {
    let kept = Kept::start("garbled").await;
    std::fs::write(&kept.file, "{\"kind\":\"call\",\"seq\":1}\n").unwrap();
    let (code, said) = python(&[&checker("check.py"), &kept.file]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("records are missing"), "{said}");
}
