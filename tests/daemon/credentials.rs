//! Credentials of a container, from an endpoint that is slow and refuses now and then.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use axum::{Json, Router, http::StatusCode, routing::get};
use sandbox::faults::{Fault, Rule};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep};

use crate::daemon::output::outcomes;
use crate::daemon::process::Daemon;
use crate::daemon::world::World;

const HELD: usize = 3;
/// As slow as an endpoint may be.
const SLOW: Duration = Duration::from_secs(5);
const LIFE: Duration = Duration::from_secs(14);
const SHORT: Duration = Duration::from_secs(10);

#[tokio::test]
async fn credentials_that_come_late_or_at_the_second_try_cost_no_lease() {
    let world = World::new().await;
    let asked = Arc::new(AtomicUsize::new(0));
    let asks = Arc::clone(&asked);
    let endpoint = endpoint(move || {
        let before = asks.fetch_add(1, Ordering::Relaxed);
        async move {
            if before == 1 {
                return Err(StatusCode::FORBIDDEN);
            }
            sleep(SLOW).await;
            Ok(LIFE)
        }
    })
    .await;
    let mut daemon = holding(&world, &endpoint).await;
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

#[tokio::test]
async fn an_endpoint_away_beyond_the_end_costs_a_held_message_its_lease_and_no_mail_and_is_told() {
    let world = World::new().await;
    let is_away = Arc::new(AtomicBool::new(false));
    let away = Arc::clone(&is_away);
    let endpoint = endpoint(move || {
        let gone = away.load(Ordering::Relaxed);
        async move {
            if gone {
                Err(StatusCode::FORBIDDEN)
            } else {
                Ok(SHORT)
            }
        }
    })
    .await;
    let mut daemon = holding(&world, &endpoint).await;
    // Before a first success one message is held, and no more.
    daemon
        .line("a send failed, and its message is held: ")
        .await;
    is_away.store(true, Ordering::Relaxed);
    daemon
        .line("credentials have expired and cannot be renewed: ")
        .await;
    daemon.line("lost its lease before it was sent").await;
    world.aws().faults.set(vec![]);
    is_away.store(false, Ordering::Relaxed);
    daemon
        .until("all mails", || world.queued().is_empty())
        .await;
    daemon.signal("INT").await;
    let ended = daemon.ended(Duration::from_secs(10)).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let lost = outcomes(&ended.lines);
    let lost = lost.iter().filter(|line| line.outcome() == "lost");
    assert_eq!(lost.count(), 1, "{}", ended.stderr);
    assert_eq!(world.mails().len(), HELD, "each once");
    assert!(world.dead().is_empty());
}

#[tokio::test]
async fn a_stop_does_not_wait_for_credentials_that_never_come() {
    let world = World::new().await;
    let endpoint = endpoint(std::future::pending).await;
    let mut variables = of_a_container(&endpoint).to_vec();
    // It heeds signals once it has said that this one beats CIS's.
    variables.push(("NOTIFIER_EMAIL__SUBJECT", "{summary}"));
    let mut daemon = Daemon::start(&world, &variables);
    daemon.line("is overridden by").await;
    daemon.signal("TERM").await;
    let ended = daemon.ended(Duration::from_secs(5)).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let last = ended.last_line().message();
    assert_eq!(
        last,
        "SIGTERM while starting: stopped, nothing was received"
    );
}

#[tokio::test]
async fn a_profile_that_gives_none_is_told_by_our_own_lines_and_read_again_once_it_is_corrected() {
    let world = World::new().await;
    let files = tempfile::tempdir().unwrap();
    let file = files.path().join("config");
    std::fs::write(
        &file,
        "[default]\nrole_arn = r\ncredential_source = Nowhere\n",
    )
    .unwrap();
    let variables = [
        ("AWS_ACCESS_KEY_ID", ""),
        ("AWS_SECRET_ACCESS_KEY", ""),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("AWS_CONFIG_FILE", file.to_str().unwrap()),
    ];
    let mut daemon = Daemon::start(&world, &variables);
    daemon
        .line("profile referenced `Nowhere` provider but that provider is not supported")
        .await;
    let keys = "[default]\naws_access_key_id = local\naws_secret_access_key = local\n";
    std::fs::write(&file, keys).unwrap();
    daemon.line("started: queue ").await;
    daemon.signal("INT").await;
    let ended = daemon.ended(Duration::from_secs(10)).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(!ended.stderr.contains("already taken"), "{}", ended.stderr);
    assert!(
        !ended.stderr.contains("\"target\":\"aws_"),
        "{}",
        ended.stderr
    );
}

/// A daemon of a container that holds its messages under leases of 5 s, since SES fails.
async fn holding(world: &World, endpoint: &str) -> Daemon {
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
    Daemon::started(world, &of_a_container(endpoint)).await
}

fn of_a_container(endpoint: &str) -> [(&str, &str); 5] {
    [
        ("AWS_ACCESS_KEY_ID", ""),
        ("AWS_SECRET_ACCESS_KEY", ""),
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", endpoint),
        ("NOTIFIER_QUEUE__VISIBILITY_TIMEOUT", "5s"),
        ("NOTIFIER_EMAIL__TIMEOUT", "1s"),
    ]
}

/// What ECS offers a task: credentials of the life that is answered.
async fn endpoint<F>(answer: impl Fn() -> F + Clone + Send + Sync + 'static) -> String
where
    F: Future<Output = Result<Duration, StatusCode>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let answer = move || {
        let life = answer();
        async move { life.await.map(credentials) }
    };
    let router = Router::new().route("/credentials", get(answer));
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}/credentials")
}

fn credentials(life: Duration) -> Json<Value> {
    let end = humantime::format_rfc3339_seconds(SystemTime::now() + life);
    Json(json!({
        "AccessKeyId": "local",
        "SecretAccessKey": "local",
        "Token": "local",
        "Expiration": end.to_string(),
    }))
}
