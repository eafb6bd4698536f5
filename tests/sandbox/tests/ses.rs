//! SES v2: its checks, its limits, and what reaches the outbox.

mod address;
mod events;
mod quota;
mod raw;
mod route;
mod sdk;
mod suppression;

use std::sync::Arc;

use sandbox::clock::Clock;
use sandbox::http::ServiceError;
use sandbox::outbox::Outbox;
use sandbox::ses::Ses;
use sandbox::sns::Sns;
use sandbox::sqs::Sqs;
use serde_json::{Value, json};

struct World {
    ses: Ses,
    outbox: Arc<Outbox>,
}

impl World {
    fn new() -> Self {
        let outbox = Arc::new(Outbox::new());
        let clock = Arc::new(Clock::new());
        let sqs = Arc::new(Sqs::new(clock.clone()));
        let sns = Arc::new(Sns::new(sqs.clone(), clock.clone()));
        let ses = Ses::new(clock, outbox.clone(), sns, sqs);
        ses.verify("example.com");
        Self { ses, outbox }
    }

    async fn send(&self, request: Value) -> Result<Value, ServiceError> {
        self.ses.call("SendEmail", request).await
    }

    /// Sends a good request with one field of it replaced.
    async fn send_with(&self, pointer: &str, value: Value) -> Result<Value, ServiceError> {
        let mut request = good();
        let (parent, field) = pointer.rsplit_once('/').unwrap();
        request.pointer_mut(parent).unwrap()[field] = value;
        self.send(request).await
    }

    async fn refused(&self, pointer: &str, value: Value) -> (u16, String, String) {
        let refused = self.send_with(pointer, value).await.unwrap_err();
        (refused.status, refused.code, refused.message)
    }
}

fn good() -> Value {
    json!({
        "FromEmailAddress": "Calendar <noreply@example.com>",
        "Destination": { "ToAddresses": ["dana@example.net"] },
        "Content": { "Simple": {
            "Subject": { "Data": "Grüße", "Charset": "UTF-8" },
            "Body": { "Html": { "Data": "<p>é</p>", "Charset": "UTF-8" } },
        }},
    })
}

#[tokio::test(start_paused = true)]
async fn a_domain_verifies_its_addresses_and_subdomains_but_no_sibling() {
    let world = World::new();
    for from in ["a@example.com", "a@EXAMPLE.com", "a@mail.example.com"] {
        world
            .send_with("/FromEmailAddress", json!(from))
            .await
            .unwrap();
    }
    world.ses.verify("only@example.org");
    for from in ["only@example.org", "only+label@Example.org"] {
        world
            .send_with("/FromEmailAddress", json!(from))
            .await
            .unwrap();
    }
    for from in ["a@badexample.com", "a@com", "other@example.org"] {
        let refused = world.refused("/FromEmailAddress", json!(from)).await;
        assert_eq!(
            (refused.0, refused.1.as_str()),
            (400, "MessageRejected"),
            "{from}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_sandboxed_account_mails_verified_recipients_only() {
    let world = World::new();
    let settings = json!({ "production_access": false });
    world.ses.call("PutSandboxAccount", settings).await.unwrap();
    let to = "/Destination/ToAddresses";
    let refused = world
        .refused(to, json!(["a@example.com", "b@x.net", "c@y.net"]))
        .await;
    assert_eq!(refused.1, "MessageRejected");
    assert!(
        refused.2.ends_with("US-EAST-1: b@x.net, c@y.net"),
        "{}",
        refused.2
    );
    let simulator = json!(["success@simulator.amazonses.com"]);
    world.send_with(to, simulator).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_simulator_is_outside_the_daily_quota_and_within_the_rate() {
    let world = World::new();
    world.ses.update_account(|account| {
        account.max_24_hour_send = 1.0;
        account.max_send_rate = 3.0;
    });
    let to = "/Destination/ToAddresses";
    let one = || json!(["success+label@simulator.amazonses.com"]);
    world.send_with(to, one()).await.unwrap();
    world
        .send_with(to, json!(["dana@example.com"]))
        .await
        .unwrap();
    let over = world.refused(to, json!(["dana@example.com"])).await;
    assert_eq!(over.2, "Daily message quota exceeded.");
    world.send_with(to, one()).await.unwrap();
    let too_fast = world.refused(to, one()).await;
    assert_eq!(too_fast.2, "Maximum sending rate exceeded.");
}

#[tokio::test(start_paused = true)]
async fn requests_that_break_a_rule_are_bad_requests() {
    let world = World::new();
    let many: Vec<String> = (0..51).map(|n| format!("a{n}@x.net")).collect();
    let header = |name: &str, value: &str| json!([{ "Name": name, "Value": value }]);
    let sixteen = json!(vec![json!({ "Name": "A", "Value": "b" }); 16]);
    let tag = |name: &str, value: &str| json!([{ "Name": name, "Value": value }]);
    let html = "/Content/Simple/Body/Html";
    let headers = "/Content/Simple/Headers";
    for (pointer, value) in [
        ("/FromEmailAddress", json!("")),
        ("/FromEmailAddress", json!("noreply")),
        ("/Destination/ToAddresses", json!([])),
        ("/Destination/ToAddresses", json!(many)),
        ("/Destination/ToAddresses", json!(["dänä@x.net"])),
        ("/Destination/CcAddresses", json!(["a@x.net,"])),
        ("/ReplyToAddresses", json!(["<>"])),
        ("/Content/Simple", Value::Null),
        ("/Content/Simple/Body", json!({})),
        ("/Content/Simple/Subject/Data", json!("two\r\nBcc: lines")),
        ("/Content/Simple/Subject", json!({ "Data": "Grüße" })),
        (html, json!({ "Data": "é" })),
        (html, json!({ "Data": "é", "Charset": "US-ASCII" })),
        (html, json!({ "Data": "x", "Charset": "klingon" })),
        (html, json!({ "Data": "x".repeat(31 << 20) })),
        (headers, header("A:b", "x")),
        (headers, header("A", "é")),
        (headers, header("A", "x\r\nB: y")),
        (headers, header("A", &"x".repeat(996))),
        (headers, sixteen),
        ("/EmailTags", tag("a b", "x")),
        ("/EmailTags", tag("a", "dana@example.com")),
        ("/EmailTags", tag("a", "")),
        ("/EmailTags", tag("a", &"x".repeat(257))),
        ("/Content/Template", json!({ "TemplateName": "t" })),
    ] {
        let told = value.to_string();
        let refused = world.refused(pointer, value).await;
        let told: String = told.chars().take(80).collect();
        assert_eq!(
            (refused.0, refused.1.as_str()),
            (400, "BadRequestException"),
            "{pointer} {told}"
        );
    }
    assert!(world.outbox.mails().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_unknown_configuration_set_is_not_found_and_a_stopped_one_pauses() {
    let world = World::new();
    let refused = world
        .refused("/ConfigurationSetName", json!("events"))
        .await;
    assert_eq!((refused.0, refused.1.as_str()), (404, "NotFoundException"));
    assert_eq!(refused.2, "Configuration set <events> does not exist.");
    let name = json!({ "ConfigurationSetName": "events" });
    world
        .ses
        .call("CreateConfigurationSet", name.clone())
        .await
        .unwrap();
    world
        .send_with("/ConfigurationSetName", json!("events"))
        .await
        .unwrap();
    world
        .ses
        .call("PutConfigurationSetSendingOptions", name)
        .await
        .unwrap();
    let refused = world
        .refused("/ConfigurationSetName", json!("events"))
        .await;
    assert_eq!(refused.1, "SendingPausedException");
}

#[tokio::test(start_paused = true)]
async fn account_settings_change_one_by_one_and_unknown_ones_are_refused() {
    let world = World::new();
    let change = json!({ "max_send_rate": 5.0, "enforcement_status": "PROBATION" });
    world.ses.call("PutSandboxAccount", change).await.unwrap();
    let account = world.ses.call("GetAccount", json!({})).await.unwrap();
    assert_eq!(account["SendQuota"]["MaxSendRate"], 5.0);
    assert_eq!(account["EnforcementStatus"], "PROBATION");
    assert_eq!(account["ProductionAccessEnabled"], true);
    let unknown = json!({ "max_rate": 5.0 });
    let refused = world
        .ses
        .call("PutSandboxAccount", unknown)
        .await
        .unwrap_err();
    assert!(refused.message.contains("max_rate"));
}

#[tokio::test(start_paused = true)]
async fn mail_to_the_simulator_is_refused_where_every_mail_is() {
    let to = "/Destination/ToAddresses";
    for name in ["success", "bounce", "complaint"] {
        let simulator = || json!([format!("{name}+1@simulator.amazonses.com")]);
        let world = World::new();
        world.send_with(to, simulator()).await.unwrap();
        world.ses.update_account(|account| account.paused = true);
        let paused = world.refused(to, simulator()).await;
        assert_eq!(paused.1, "SendingPausedException");
        world.ses.update_account(|account| {
            account.paused = false;
            account.suspended = true;
        });
        let suspended = world.refused(to, simulator()).await;
        assert_eq!(suspended.1, "AccountSuspendedException");
        world
            .ses
            .update_account(|account| account.suspended = false);
        let mut request = good();
        request["Destination"]["ToAddresses"] = simulator();
        request["FromEmailAddress"] = json!("a@other.org");
        let unverified = world.send(request.clone()).await.unwrap_err();
        assert_eq!(unverified.code, "MessageRejected");
        request["FromEmailAddress"] = good()["FromEmailAddress"].clone();
        request["ConfigurationSetName"] = json!("none");
        let missing = world.send(request).await.unwrap_err();
        assert_eq!(missing.code, "NotFoundException");
    }
}
