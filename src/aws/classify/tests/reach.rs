//! How far a call came decides whether a mail may have gone, so every case here is a send.

use std::time::Duration;

use aws_credential_types::provider::{
    error::CredentialsError, future::ProvideCredentials as Provided,
};
use aws_sdk_sqs::config::{ProvideCredentials, SharedCredentialsProvider};
use aws_smithy_http_client::{proxy::ProxyConfig, test_util::NeverClient};
use sandbox::tls::PrivateTls;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
};

use crate::{
    aws::{AwsConfig, SesAccount, SesMailer, http::Http},
    ports::{
        Account, AccountCause, AccountFailureKind, Mailer, SendFailure,
        SendFailureKind::{AccountWide, OutcomeUnknown, Transient},
        Tags,
        obstacle::Obstacle,
    },
    testing::{
        canned::{
            SENDER, at_trusting, key, mail, over, over_to, ways_to, with_credentials,
            without_region,
        },
        wire::{next_request, read_request, serving},
    },
};

/// A role that cannot be assumed, a metadata service that is gone.
#[derive(Debug)]
struct Failing;

impl ProvideCredentials for Failing {
    fn provide_credentials<'a>(&'a self) -> Provided<'a>
    where
        Self: 'a,
    {
        Provided::ready(Err(CredentialsError::not_loaded("nothing gave any")))
    }
}

/// A metadata service that takes the question and never answers.
#[derive(Debug)]
struct Silent;

impl ProvideCredentials for Silent {
    fn provide_credentials<'a>(&'a self) -> Provided<'a>
    where
        Self: 'a,
    {
        Provided::new(std::future::pending())
    }
}

async fn send(aws: &AwsConfig) -> SendFailure {
    send_within(Duration::from_secs(10), aws).await
}

async fn send_within(timeout: Duration, aws: &AwsConfig) -> SendFailure {
    let mailer = SesMailer::new(aws, SENDER.to_owned(), None, "q", timeout);
    mailer
        .send(Box::new(mail()), Tags::of(&key("tag")))
        .await
        .unwrap_err()
}

/// The port of a server that speaks this protocol of ALPN over TLS, reads a request and ends the
/// connection, and its authority.
async fn over_tls(protocol: &str) -> (u16, String) {
    let tls = PrivateTls::new(protocol).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let acceptor = tls.acceptor().clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(mut stream) = acceptor.accept(stream).await {
                read_request(&mut stream).await;
            }
        }
    });
    (port, tls.authority().to_owned())
}

/// Answers one send as SES does.
async fn accept(stream: &mut TcpStream) {
    read_request(stream).await;
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 17\r\n\r\n{\"MessageId\":\"1\"}";
    stream.write_all(answer.as_bytes()).await.unwrap();
}

#[tokio::test]
async fn a_refused_connection_sent_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    for aws in ways_to(&format!("http://{address}")) {
        let failure = send(&aws).await;
        assert_eq!(failure.kind, Transient);
        assert_eq!(failure.error.code, "connection");
        assert!(failure.error.message.contains("refused"), "{failure}");
        assert_eq!(failure.error.obstacle, Some(Obstacle::Refused));
    }
}

#[tokio::test]
async fn a_host_that_does_not_resolve_was_sent_nothing() {
    for aws in ways_to("http://mail.invalid") {
        let failure = send(&aws).await;
        assert_eq!(failure.kind, Transient);
        assert_eq!(failure.error.code, "connection");
        assert_eq!(failure.error.obstacle, Some(Obstacle::Unresolved));
    }
}

#[tokio::test]
async fn a_tls_handshake_that_fails_sent_nothing() {
    let address = serving(async |mut stream: TcpStream| {
        let mut hello = [0; 64];
        stream.read_exact(&mut hello).await.unwrap();
        stream
            .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            .await
            .unwrap();
    })
    .await;
    for aws in ways_to(&format!("https://{address}")) {
        let failure = send(&aws).await;
        assert_eq!(failure.kind, Transient);
        assert_eq!(failure.error.code, "connection");
        assert_eq!(failure.error.obstacle, Some(Obstacle::NoTls));
    }
}

#[tokio::test]
async fn a_server_that_is_not_trusted_was_sent_nothing() {
    let address = over_tls("http/1.1").await.0;
    for aws in ways_to(&format!("https://localhost:{address}")) {
        let failure = send(&aws).await;
        assert_eq!(failure.kind, Transient);
        assert_eq!(failure.error.code, "connection");
        assert_eq!(failure.error.obstacle, Some(Obstacle::Untrusted));
    }
}

#[tokio::test]
async fn a_server_that_ends_the_handshake_with_an_alert_was_sent_nothing() {
    // No protocol of ours.
    let (port, authority) = over_tls("h3").await;
    let failure = send(&at_trusting(
        &authority,
        &format!("https://localhost:{port}"),
    ))
    .await;
    assert_eq!(failure.kind, Transient);
    assert_eq!(failure.error.code, "connection");
    assert!(failure.error.message.contains("alert"), "{failure}");
}

#[tokio::test]
async fn over_tls_a_connection_that_ends_after_the_request_may_have_sent() {
    let (port, authority) = over_tls("http/1.1").await;
    let failure = send(&at_trusting(
        &authority,
        &format!("https://localhost:{port}"),
    ))
    .await;
    assert_eq!(failure.kind, OutcomeUnknown);
    assert_eq!(failure.error.code, "connection");
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_not_made_in_time_sent_nothing() {
    // Taken by the kernel, but nobody answers the handshake.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    for timeout in [1, 3, 10, 60].map(Duration::from_secs) {
        for aws in ways_to(&format!("https://{address}")) {
            let failure = send_within(timeout, &aws).await;
            assert_eq!(failure.kind, Transient, "{timeout:?}");
            assert_eq!(failure.error.code, "connection");
            assert_eq!(failure.error.obstacle, Some(Obstacle::NoConnection));
        }
    }
}

#[tokio::test]
async fn a_connection_that_ends_after_the_request_may_have_sent() {
    let address = serving(async |mut stream: TcpStream| read_request(&mut stream).await).await;
    for aws in ways_to(&format!("http://{address}")) {
        let failure = send(&aws).await;
        assert_eq!(failure.kind, OutcomeUnknown);
        assert_eq!(failure.error.code, "connection");
    }
}

#[tokio::test]
async fn a_connection_that_is_reset_after_the_request_may_have_sent() {
    let address = serving(async |mut stream: TcpStream| {
        read_request(&mut stream).await;
        stream.set_zero_linger().unwrap();
    })
    .await;
    for aws in ways_to(&format!("http://{address}")) {
        let failure = send(&aws).await;
        assert_eq!(failure.kind, OutcomeUnknown);
        assert_eq!(failure.error.code, "connection");
    }
}

#[tokio::test]
async fn a_kept_connection_that_ends_after_the_second_request_may_have_sent() {
    let address = serving(async |mut stream: TcpStream| {
        accept(&mut stream).await;
        read_request(&mut stream).await;
    })
    .await;
    for aws in ways_to(&format!("http://{address}")) {
        let mailer = SesMailer::new(&aws, SENDER.to_owned(), None, "q", Duration::from_secs(10));
        let key = key("tag");
        let send = || mailer.send(Box::new(mail()), Tags::of(&key));
        assert_eq!(send().await.unwrap(), "1");
        assert_eq!(send().await.unwrap_err().kind, OutcomeUnknown);
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_may_have_sent_where_it_said_so() {
    for (status, kind) in [("200 OK", OutcomeUnknown), ("503 Unavailable", Transient)] {
        let address = serving(move |mut stream: TcpStream| async move {
            read_request(&mut stream).await;
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 17\r\n\r\n{{\"Mess");
            stream.write_all(answer.as_bytes()).await.unwrap();
        })
        .await;
        for aws in ways_to(&format!("http://{address}")) {
            assert_eq!(send(&aws).await.kind, kind, "{status}");
        }
    }
}

#[tokio::test]
async fn an_answer_that_stands_still_after_its_headers_ends_with_the_time_and_may_have_sent() {
    let address = serving(async |mut stream: TcpStream| {
        read_request(&mut stream).await;
        let begun = "HTTP/1.1 200 OK\r\ncontent-length: 17\r\n\r\n{";
        stream.write_all(begun.as_bytes()).await.unwrap();
        // Until the client goes away.
        drop(stream.read(&mut [0]).await);
    })
    .await;
    for aws in ways_to(&format!("http://{address}")) {
        let failure = send_within(Duration::from_millis(100), &aws).await;
        assert_eq!(failure.kind, OutcomeUnknown);
        assert_eq!(failure.error.code, "timeout");
    }
}

#[tokio::test]
async fn an_answer_with_a_header_that_is_no_text_is_read_all_the_same() {
    let address = serving(async |mut stream: TcpStream| {
        read_request(&mut stream).await;
        let answer =
            b"HTTP/1.1 200 OK\r\ndate: \xff\r\ncontent-length: 17\r\n\r\n{\"MessageId\":\"1\"}";
        stream.write_all(answer).await.unwrap();
    })
    .await;
    for aws in ways_to(&format!("http://{address}")) {
        let mailer = SesMailer::new(&aws, SENDER.to_owned(), None, "q", Duration::from_secs(10));
        let key = key("tag");
        let sent = mailer.send(Box::new(mail()), Tags::of(&key)).await;
        assert_eq!(sent.unwrap(), "1");
    }
}

#[tokio::test]
async fn a_kept_connection_that_the_server_ended_was_sent_nothing() {
    for (stays, way) in [(true, 0), (true, 1), (false, 0), (false, 1)] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (ended, both_ended) = oneshot::channel();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let listener = stays.then_some(listener);
            accept(&mut stream).await;
            stream.shutdown().await.unwrap();
            assert!(!next_request(&mut stream).await);
            ended.send(()).unwrap();
            let mut requests = 1;
            if let Some(listener) = listener {
                let (mut stream, _) = listener.accept().await.unwrap();
                accept(&mut stream).await;
                requests += 1;
                assert!(!next_request(&mut stream).await);
            }
            requests
        });
        let aws = &ways_to(&format!("http://{address}"))[way];
        let mailer = SesMailer::new(aws, SENDER.to_owned(), None, "q", Duration::from_secs(10));
        let key = key("tag");
        let send = || mailer.send(Box::new(mail()), Tags::of(&key));
        assert_eq!(send().await.unwrap(), "1");
        both_ended.await.unwrap();
        if stays {
            assert_eq!(send().await.unwrap(), "1");
        } else {
            let failure = send().await.unwrap_err();
            assert_eq!(failure.kind, Transient);
            assert_eq!(failure.error.code, "connection");
            assert_eq!(failure.error.obstacle, Some(Obstacle::Refused));
        }
        drop(mailer);
        assert_eq!(server.await.unwrap(), if stays { 2 } else { 1 });
    }
}

#[tokio::test]
async fn a_proxy_that_refuses_the_tunnel_sent_nothing() {
    let proxy = serving(async |mut stream: TcpStream| {
        read_request(&mut stream).await;
        let answer = "HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n";
        stream.write_all(answer.as_bytes()).await.unwrap();
    })
    .await;
    let proxy = ProxyConfig::all(format!("http://{proxy}")).unwrap();
    let client = Http::trusting(Vec::new()).unwrap().proxied(proxy);
    let failure = send(&over_to(client, "https://mail.example")).await;
    assert_eq!(failure.kind, Transient);
    assert_eq!(failure.error.code, "connection");
    assert_eq!(failure.error.obstacle, Some(Obstacle::Proxy));
}

#[tokio::test(start_paused = true)]
async fn a_send_that_is_not_answered_in_time_may_have_sent() {
    let failure = send(&over(NeverClient::new())).await;
    assert_eq!(failure.kind, OutcomeUnknown);
    assert_eq!(failure.error.code, "timeout");
    assert_eq!(failure.error.obstacle, None, "it reached the service");
}

#[tokio::test]
async fn without_credentials_nothing_is_sent_and_no_mail_can_be() {
    for provider in [None, Some(SharedCredentialsProvider::new(Failing))] {
        let aws = with_credentials(provider);
        let failure = send(&aws).await;
        assert_eq!(
            failure.kind,
            AccountWide(AccountCause::Credentials),
            "{failure}"
        );
        assert_eq!(failure.error.code, "credentials");
        assert_eq!(failure.error.obstacle, Some(Obstacle::NoCredentials));
        let failure = SesAccount::new(&aws).facts().await.unwrap_err();
        assert_eq!(failure.kind, AccountFailureKind::AccessDenied);
    }
}

#[tokio::test(start_paused = true)]
async fn credentials_that_do_not_come_in_time_sent_nothing_and_no_mail_can_be() {
    let failure = send(&with_credentials(Some(SharedCredentialsProvider::new(
        Silent,
    ))))
    .await;
    assert_eq!(failure.kind, AccountWide(AccountCause::Credentials));
    assert_eq!(failure.error.code, "credentials");
    assert_eq!(failure.error.obstacle, Some(Obstacle::CredentialsSource));
}

#[tokio::test]
async fn without_a_region_nothing_is_sent() {
    let failure = send(&without_region()).await;
    assert_eq!(failure.kind, Transient);
    assert_eq!(failure.error.code, "request");
}
