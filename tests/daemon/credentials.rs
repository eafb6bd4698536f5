//! Credentials of a container, from an endpoint that is slow and refuses now and then.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use axum::{Json, Router, http::StatusCode, routing::get};
use sandbox::faults::{Fault, Rule};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep};

use crate::daemon::process::Daemon;
use crate::daemon::world::World;

const HELD: usize = 3;
/// As slow as an endpoint may be.
const SLOW: Duration = Duration::from_secs(5);
const LIFE: Duration = Duration::from_secs(14);

#[tokio::test]
async fn credentials_that_come_late_or_at_the_second_try_cost_no_lease() {
    let world = World::new().await;
    let asked = Arc::new(AtomicUsize::new(0));
    let endpoint = endpoint(Arc::clone(&asked)).await;
    world.set_fault(Rule {
        body_contains: Some("uid-".to_owned()),
        ..Rule::new(
            "ses:SendEmail",
            Fault::error("InternalServiceErrorException", 500),
        )
    });
    for number in 0..HELD {
        world.publish_numbered(number).await;
    }
    let mut daemon = Daemon::started(
        &world,
        &[
            ("AWS_ACCESS_KEY_ID", ""),
            ("AWS_SECRET_ACCESS_KEY", ""),
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", &endpoint),
            ("NOTIFIER_QUEUE__VISIBILITY_TIMEOUT", "5s"),
            ("NOTIFIER_EMAIL__TIMEOUT", "1s"),
        ],
    )
    .await;
    daemon.line("credentials cannot be renewed: ").await;
    daemon.line("credentials are renewed again after ").await;
    // Beyond the end of the first ones.
    let renewed = Instant::now();
    daemon
        .until("the end of the first credentials", || {
            renewed.elapsed() > SLOW
        })
        .await;
    world.aws().faults.set(vec![]);
    daemon
        .until("all mails", || world.mails().len() == HELD)
        .await;
    daemon.signal("INT").await;
    let ended = daemon.ended(Duration::from_secs(10)).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(!ended.stderr.contains("lease lost"), "{}", ended.stderr);
    assert!(
        ended.last_line().message().contains(" = 3 sent"),
        "{}",
        ended.stderr
    );
    assert!(asked.load(Ordering::Relaxed) >= 3);
}

/// What ECS offers a task, refusing the second request.
async fn endpoint(asked: Arc<AtomicUsize>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let answer = move || answer(asked.fetch_add(1, Ordering::Relaxed));
    let router = Router::new().route("/credentials", get(answer));
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}/credentials")
}

async fn answer(before: usize) -> Result<Json<Value>, StatusCode> {
    if before == 1 {
        return Err(StatusCode::FORBIDDEN);
    }
    sleep(SLOW).await;
    let end = humantime::format_rfc3339_seconds(SystemTime::now() + LIFE);
    Ok(Json(json!({
        "AccessKeyId": "local",
        "SecretAccessKey": "local",
        "Token": "local",
        "Expiration": end.to_string(),
    })))
}
