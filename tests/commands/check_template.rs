//! What `check` finds out about the template.

use sandbox::faults::{Fault, Rule};

use crate::commands::stage::{Stage, TEMPLATE, directory, path};

#[tokio::test]
async fn a_template_that_is_not_there_is_told() {
    for (name, value) in [
        ("CODECOMMIT_REPO", "other"),
        ("NEW_EVENT_NOTIFICATION_EMAIL", "other.html"),
        ("NOTIFIER_TEMPLATE__REFERENCE", "other"),
    ] {
        let mut stage = Stage::right().await;
        stage.set(name, value);
        let done = stage.run(&["check"]).await;
        done.exits(1);
        let finding = done.finding("template");
        assert!(finding.starts_with("template failed GetFile: "), "{done}");
        assert!(finding.contains("other"), "{done}");
        assert!(
            finding.contains("→ check template.repository (CODECOMMIT_REPO), template.path"),
            "{done}"
        );
    }
}

#[tokio::test]
async fn a_refusal_that_is_definite_for_the_daemon_has_its_remedy() {
    for (code, remedy) in [
        ("InvalidPathException", "→ check template.repository"),
        ("FileTooLargeException", "→ check template.repository"),
        ("EncryptionKeyAccessDeniedException", "kms:Decrypt"),
        ("BlockedByPolicy", "→ give the role codecommit:GetFile"),
    ] {
        let stage = Stage::right().await;
        let fault = Fault::error(code, 403);
        let rule = Rule::new("codecommit:GetFile", fault);
        stage.aws.sandbox.faults.add(rule);
        let done = stage.run(&["check"]).await;
        done.exits(1);
        let finding = done.finding("template");
        assert!(finding.contains(remedy), "{done}");
        assert!(!finding.contains("read what AWS answered"), "{done}");
    }
}

#[tokio::test]
async fn a_missing_right_to_the_template_names_its_action() {
    let stage = Stage::right().await;
    let fault = Fault::error("AccessDeniedException", 400);
    let faults = &stage.aws.sandbox.faults;
    faults.add(Rule::new("codecommit:GetFile", fault));
    let done = stage.run(&["check"]).await;
    done.exits(1);
    let finding = done.finding("template");
    assert!(
        finding.starts_with("template failed codecommit:GetFile is not allowed"),
        "{done}"
    );
    assert!(finding.contains("→ give the role codecommit:GetFile on repository templates"));
}

#[tokio::test]
async fn the_age_of_the_template_is_no_right_that_is_needed() {
    let stage = Stage::right().await;
    let done = stage.run(&["check"]).await;
    let size = TEMPLATE.len();
    let found = done.finding("template");
    assert!(found.contains(&format!("{size} bytes, commit ")), "{done}");
    assert!(found.ends_with(" of today"), "{done}");
    let fault = Fault::error("AccessDeniedException", 400);
    let faults = &stage.aws.sandbox.faults;
    faults.add(Rule::new("codecommit:GetCommit", fault));
    let done = stage.run(&["check", "--strict"]).await;
    done.exits(0);
    let found = done.finding("template");
    assert!(found.contains("unknown without codecommit:GetCommit"));
}

#[tokio::test]
async fn a_file_that_is_no_template_is_told() {
    for (source, found, remedy) in [
        (
            &b"<p>caf\xe9</p>"[..],
            "the template is not UTF-8 (at byte 6)",
            "→ commit or upload a template",
        ),
        (
            b"<p></p>",
            "the template has no visible text",
            "→ commit or upload a template",
        ),
        (
            &[b'x'; 2048],
            "the file has 2048 bytes, and template.max_bytes allows 1024",
            "→ shorten the file",
        ),
    ] {
        let stage = Stage::right().await;
        stage.template(source);
        stage.template_fails(found, remedy).await;
    }
}

#[tokio::test]
async fn a_local_template_that_is_not_there_is_told() {
    let directory = directory(&[]);
    let file = format!("template.file={}", path(&directory, "none.html"));
    let mut stage = Stage::right().await;
    stage.set("CODECOMMIT_REPO", "");
    stage.set("NEW_EVENT_NOTIFICATION_EMAIL", "");
    let done = stage.run(&["check", "--set", &file]).await;
    done.exits(1);
    assert!(
        done.finding("template").contains("→ check template.file"),
        "{done}"
    );
}

#[tokio::test]
async fn misspelt_placeholders_are_a_warning() {
    let stage = Stage::right().await;
    stage.template(b"<p>{sumary} { uid } {Events} {unknown} p{color:red}</p>");
    let done = stage.run(&["check"]).await;
    done.exits(0);
    assert_eq!(
        done.finding("placeholders"),
        "placeholders warning these are no placeholders and are mailed as written: { uid } (did you mean {uid}?), \
         {Events} (did you mean {events}?), {sumary} (did you mean {summary}?), {unknown} → correct \
         them in the template or in email.subject, or declare them under message.placeholders"
    );
}

#[tokio::test]
async fn a_misspelt_placeholder_of_the_subject_is_a_warning() {
    let mut stage = Stage::right().await;
    stage.set("SUBJECT", "Your event {sumary}");
    let done = stage.run(&["check"]).await;
    done.exits(0);
    let finding = done.finding("placeholders");
    assert!(finding.contains("{sumary} (did you mean {summary}?)"));
}

#[tokio::test]
async fn placeholders_in_use_and_left_out_are_listed() {
    let stage = Stage::right().await;
    stage.template(b"<p>Hello {mailto}</p>");
    let done = stage.run(&["check", "--strict"]).await;
    done.exits(0);
    assert_eq!(
        done.finding("placeholders"),
        "placeholders ok {mailto}; not used: {events}"
    );
}

#[tokio::test]
async fn a_template_without_placeholders_is_a_warning() {
    let stage = Stage::right().await;
    stage.template(b"<p>Hello</p>");
    let done = stage.run(&["check"]).await;
    done.exits(0);
    let finding = done.finding("placeholders");
    assert!(finding.starts_with("placeholders warning the template names none"));
}
