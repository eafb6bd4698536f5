//! The sending rate and the daily quota.

use std::time::Duration;

use sandbox::http::ServiceError;
use serde_json::json;

use super::{World, good};

/// An account that sends so fast, and as much as it likes.
fn with_rate(rate: f64) -> World {
    let world = World::new();
    world
        .ses
        .update_account(|account| account.max_send_rate = rate);
    world
}

impl World {
    /// Sends one mail to so many.
    async fn send_to_many(&self, recipients: u32) -> Result<(), ServiceError> {
        let many: Vec<String> = (0..recipients).map(|n| format!("a{n}@x.net")).collect();
        let sent = self.send_with("/Destination/ToAddresses", json!(many));
        sent.await.map(drop)
    }
}

#[tokio::test(start_paused = true)]
async fn a_burst_of_one_second_passes_and_the_next_mail_waits_for_its_share() {
    let world = with_rate(5.0);
    for _ in 0..5 {
        world.send_to_many(1).await.unwrap();
    }
    let refused = world.send_to_many(1).await.unwrap_err();
    assert_eq!(
        (refused.status, refused.code.as_str()),
        (429, "TooManyRequestsException")
    );
    assert_eq!(refused.message, "Maximum sending rate exceeded.");
    tokio::time::advance(Duration::from_millis(199)).await;
    assert!(world.send_to_many(1).await.is_err());
    tokio::time::advance(Duration::from_millis(1)).await;
    assert!(world.send_to_many(1).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_mail_takes_as_much_of_the_rate_as_it_has_recipients() {
    let world = with_rate(2.0);
    world.send_to_many(2).await.unwrap();
    let refused = world.send_to_many(2).await.unwrap_err();
    assert_eq!(refused.message, "Maximum sending rate exceeded.");
    tokio::time::advance(Duration::from_secs(1)).await;
    world.send_to_many(2).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_mail_of_many_recipients_puts_the_bucket_in_debt() {
    let world = with_rate(5.0);
    world.send_to_many(10).await.unwrap();
    tokio::time::advance(Duration::from_secs(1)).await;
    assert!(world.send_to_many(1).await.is_err());
    tokio::time::advance(Duration::from_millis(200)).await;
    assert!(world.send_to_many(1).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn the_daily_quota_counts_recipients_and_frees_after_a_day() {
    let world = with_rate(100.0);
    world
        .ses
        .update_account(|account| account.max_24_hour_send = 4.0);
    world.send_to_many(3).await.unwrap();
    world.send_to_many(2).await.unwrap();
    let refused = world.send_to_many(1).await.unwrap_err();
    assert!(refused.message.contains("Daily message quota exceeded"));
    let account = world.ses.call("GetAccount", json!({})).await.unwrap();
    assert_eq!(account["SendQuota"]["SentLast24Hours"], 5.0);
    tokio::time::advance(Duration::from_hours(24)).await;
    world.send_to_many(4).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_refused_mail_costs_no_quota() {
    let world = World::new();
    world
        .ses
        .update_account(|account| account.max_24_hour_send = 1.0);
    world
        .refused("/FromEmailAddress", json!("a@other.org"))
        .await;
    world.send(good()).await.unwrap();
    let refused = world.send(good()).await.unwrap_err();
    assert!(refused.message.contains("Daily message quota exceeded"));
    tokio::time::advance(Duration::from_hours(24)).await;
    world.send(good()).await.unwrap();
}
