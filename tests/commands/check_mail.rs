//! What `check` finds out about sending.

use sandbox::faults::{Fault, Rule};
use serde_json::json;

use crate::commands::stage::{Done, Stage};

async fn check_with(stage: &Stage, operation: &str, code: &str) -> Done {
    let fault = Fault::error(code, 403);
    stage.aws.sandbox.faults.add(Rule::new(operation, fault));
    stage.run(&["check"]).await
}

#[tokio::test]
async fn a_sender_that_is_not_verified_is_told() {
    let mut stage = Stage::right().await;
    stage.set("SENDER", "Events <events@elsewhere.example>");
    let done = stage.run(&["check"]).await;
    done.exits(1);
    assert_eq!(
        done.finding("sender"),
        "sender failed e***@elsewhere.example is not verified in SES in us-east-1 → verify the \
         address or its domain in SES in this region, or correct email.sender"
    );
    assert!(!done.out.contains("events@"), "{done}");
}

#[tokio::test]
async fn a_sender_that_waits_for_its_verification_is_told() {
    let mut stage = Stage::right().await;
    stage.set("SENDER", "events@elsewhere.example");
    let ses = &stage.aws.sandbox.ses;
    ses.update_account(|account| account.identities_pending = true);
    let request = json!({ "EmailIdentity": "events@elsewhere.example" });
    ses.call("CreateEmailIdentity", request).await.unwrap();
    let done = stage.run(&["check"]).await;
    done.exits(1);
    let finding = done.finding("sender");
    assert!(finding.contains("e***@elsewhere.example is known to SES"));
    assert!(
        finding.contains("→ for an address, follow the link in SES's mail"),
        "{done}"
    );
}

#[tokio::test]
async fn a_sender_is_verified_by_itself_or_a_domain_above() {
    let mut stage = Stage::right().await;
    stage.set("SENDER", "events@mail.example.com");
    let done = stage.run(&["check", "--strict"]).await;
    done.exits(0);
    assert!(done.finding("sender").contains("by its domain example.com"));
    stage.aws.sandbox.ses.verify("events@mail.example.com");
    let done = stage.run(&["check", "--strict"]).await;
    assert_eq!(
        done.finding("sender"),
        "sender ok e***@mail.example.com is verified"
    );
}

#[tokio::test]
async fn rights_that_only_the_check_would_use_are_notes() {
    let mut stage = Stage::right().await;
    stage.set("NOTIFIER_EMAIL__CONFIGURATION_SET", "set");
    let denied = || Fault::error("AccessDeniedException", 403);
    let faults = &stage.aws.sandbox.faults;
    faults.add(Rule::new("ses:GetEmailIdentity", denied()));
    faults.add(Rule::new("ses:GetConfigurationSet", denied()));
    let request = json!({ "ConfigurationSetName": "set" });
    let ses = &stage.aws.sandbox.ses;
    ses.call("CreateConfigurationSet", request).await.unwrap();
    let done = stage.run(&["check", "--strict"]).await;
    done.exits(0);
    for (check, action) in [
        ("sender", "ses:GetEmailIdentity"),
        ("configuration set", "ses:GetConfigurationSet"),
    ] {
        let finding = done.finding(check);
        let found = format!("{check} note {action} is not allowed: ");
        assert!(finding.starts_with(&found), "{done}");
        assert!(
            finding.contains(&format!("→ give the role {action} on ")),
            "{done}"
        );
    }
}

#[tokio::test]
async fn an_account_that_may_not_be_read_is_a_warning_that_names_the_right() {
    let stage = Stage::right().await;
    let done = check_with(&stage, "ses:GetAccount", "AccessDeniedException").await;
    done.exits(0);
    let finding = done.finding("account");
    assert!(
        finding.starts_with("account warning ses:GetAccount is not allowed"),
        "{done}"
    );
    assert!(finding.contains("or set email.max_send_rate"), "{done}");
}

#[tokio::test]
async fn a_missing_right_to_send_names_its_action() {
    let stage = Stage::right().await;
    let done = check_with(&stage, "ses:SendEmail", "AccessDeniedException").await;
    done.exits(1);
    let finding = done.finding("right to send");
    assert!(
        finding.starts_with("right to send failed ses:SendEmail is not allowed"),
        "{done}"
    );
    assert!(finding.contains("→ give the role ses:SendEmail on the sender's identity"));
}

#[tokio::test]
async fn an_account_that_may_not_send_is_told() {
    let stage = Stage::right().await;
    let ses = &stage.aws.sandbox.ses;
    for (suspended, paused, found) in [
        (
            true,
            false,
            "account failed SES has shut down sending for the account",
        ),
        (
            false,
            true,
            "account failed sending is paused for the account",
        ),
    ] {
        ses.update_account(|account| {
            account.suspended = suspended;
            account.paused = paused;
        });
        let done = stage.run(&["check"]).await;
        done.exits(1);
        assert!(done.finding("account").starts_with(found), "{done}");
    }
}

#[tokio::test]
async fn an_account_in_the_sandbox_or_on_probation_is_a_warning() {
    let stage = Stage::right().await;
    let ses = &stage.aws.sandbox.ses;
    ses.update_account(|account| account.enforcement_status = "PROBATION".to_owned());
    let done = stage.run(&["check"]).await;
    done.exits(0);
    assert!(
        done.finding("account")
            .starts_with("account warning under review (probation)")
    );
    ses.update_account(|account| account.production_access = false);
    let done = stage.run(&["check"]).await;
    done.exits(0);
    let finding = done.finding("account");
    assert!(
        finding.starts_with("account warning in the sandbox"),
        "{done}"
    );
    assert!(finding.contains("→ ask for production access"), "{done}");
}

#[tokio::test]
async fn the_daily_quota_is_watched() {
    let stage = Stage::right().await;
    for _ in 0..8 {
        let arguments = ["check", "--send-to", "dana@example.com"];
        stage.run(&arguments).await.exits(0);
    }
    let ses = &stage.aws.sandbox.ses;
    for (most, code, found) in [
        (100.0, 0, "daily quota ok 8 of 100 recipients"),
        (10.0, 0, "daily quota warning 8 of 10 recipients"),
        (
            8.0,
            1,
            "daily quota failed 8 of 8 recipients in 24 hours: it is used up",
        ),
    ] {
        ses.update_account(|account| account.max_24_hour_send = most);
        let done = stage.run(&["check"]).await;
        done.exits(code);
        assert!(done.finding("daily quota").starts_with(found), "{done}");
    }
}

#[tokio::test]
async fn a_rate_that_does_not_fit_is_told() {
    let stage = Stage::right().await;
    for (key, found) in [
        (
            "email.max_send_rate=50",
            "send rate warning email.max_send_rate is 50/s, and the account may send 14/s",
        ),
        ("email.max_send_rate=\"5\"", ""),
        ("email.max_send_rate=5", "send rate ok 5 recipients/s"),
        ("email.max_send_rate=unlimited", "send rate note unlimited"),
        (
            "concurrency=1",
            "send rate ok 14 recipients/s, of which concurrency 1 reaches about 10/s",
        ),
    ] {
        let done = stage.run(&["check", "--set", key]).await;
        if found.is_empty() {
            done.exits(64);
        } else {
            done.exits(0);
            assert!(done.finding("send rate").starts_with(found), "{done}");
        }
    }
}

#[tokio::test]
async fn a_configuration_set_is_looked_up() {
    let mut stage = Stage::right().await;
    stage.set("NOTIFIER_EMAIL__CONFIGURATION_SET", "set");
    let done = stage.run(&["check"]).await;
    done.exits(1);
    let finding = done.finding("configuration set");
    assert!(finding.starts_with("configuration set failed set does not exist in us-east-1"));
    let ses = &stage.aws.sandbox.ses;
    let request = json!({ "ConfigurationSetName": "set" });
    ses.call("CreateConfigurationSet", request).await.unwrap();
    let done = stage.run(&["check", "--strict"]).await;
    done.exits(0);
    assert_eq!(
        done.finding("configuration set"),
        "configuration set ok set"
    );
    let request = json!({ "ConfigurationSetName": "set", "SendingEnabled": false });
    let paused = ses.call("PutConfigurationSetSendingOptions", request).await;
    paused.unwrap();
    let done = stage.run(&["check"]).await;
    done.exits(1);
    let finding = done.finding("configuration set");
    assert!(finding.contains("sending is paused for set"), "{done}");
}

#[tokio::test]
async fn one_real_mail_is_sent_where_it_is_asked_for() {
    let stage = Stage::right().await;
    let arguments = ["check", "--send-to", "dana@example.com"];
    let done = stage.run(&arguments).await;
    done.exits(0);
    let finding = done.finding("sample mail");
    assert!(
        finding.starts_with("sample mail ok one real mail was sent to d***@example.com: "),
        "{done}"
    );
    let mails = stage.aws.sandbox.outbox.mails();
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].to, ["dana@example.com"]);
    assert_eq!(
        mails[0].subject,
        "Registered: Spring concert, rehearsal & party (sample-0001)"
    );
}

#[tokio::test]
async fn a_sample_mail_that_cannot_go_is_told() {
    let stage = Stage::right().await;
    let ses = &stage.aws.sandbox.ses;
    ses.update_account(|account| account.production_access = false);
    let arguments = ["check", "--send-to", "dana@elsewhere.example"];
    let done = stage.run(&arguments).await;
    done.exits(1);
    let finding = done.finding("sample mail");
    assert!(
        finding.starts_with("sample mail failed not sent to d***@elsewhere.example: SendEmail: "),
        "{done}"
    );
    assert!(!done.out.contains("dana@"), "{done}");
    let done = stage.run(&["check", "--send-to", "nobody"]).await;
    done.exits(1);
    assert!(
        done.finding("sample mail").contains("name@domain"),
        "{done}"
    );
}
