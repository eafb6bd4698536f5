//! `healthcheck` against a listener that plays the daemon.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::commands::stage::{Done, run_bare};

async fn ask(listen: &str) -> Done {
    run_bare(&[("NOTIFIER_HEALTH__LISTEN", listen)], &["healthcheck"]).await
}

/// Answers one connection so, and gives its request's first line.
async fn daemon(answer: &'static str) -> (String, tokio::task::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let served = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 1024];
        let length = stream.read(&mut request).await.unwrap();
        stream.write_all(answer.as_bytes()).await.unwrap();
        let request = String::from_utf8_lossy(&request[..length]).into_owned();
        request.lines().next().unwrap().to_owned()
    });
    (address, served)
}

#[tokio::test]
async fn a_living_daemon_is_0_without_any_other_configuration() {
    let (address, served) = daemon("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let done = ask(&address).await;
    done.exits(0);
    assert_eq!(done.err, "");
    assert_eq!(served.await.unwrap(), "GET /livez HTTP/1.1");
}

#[tokio::test]
async fn a_sick_one_is_1() {
    let (address, _served) = daemon("HTTP/1.1 503 Service Unavailable\r\n\r\n").await;
    let done = ask(&address).await;
    done.exits(1);
    assert!(done.err.contains("/livez: the answer is 503"), "{done}");
}

#[tokio::test]
async fn nobody_there_is_1() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let done = ask(&address).await;
    done.exits(1);
    assert!(done.err.contains("nobody listens"), "{done}");
    ask("off").await.exits(1);
}

#[tokio::test]
#[expect(
    clippy::disallowed_methods,
    reason = "another process's time cannot be paused"
)]
async fn silence_is_1_after_two_seconds() {
    // The system accepts the connection, and nobody ever answers.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let began = Instant::now();
    let done = ask(&address).await;
    done.exits(1);
    assert!(done.err.contains("no answer within 2 s"), "{done}");
    assert!(began.elapsed() < Duration::from_secs(10));
}
