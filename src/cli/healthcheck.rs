//! `healthcheck`: asks the daemon on this machine whether it lives.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use anyhow::{Context, anyhow, bail, ensure};
use axum::{
    body::Body,
    http::{Request, StatusCode, header::HOST},
};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, time::timeout};

use super::OK;
use crate::config::{self, Flags};

/// The time for the whole question and answer.
const TIMEOUT: Duration = Duration::from_secs(2);
const PATH: &str = "/livez";

/// Returns the exit code of a daemon that lives, else an error.
pub(super) async fn healthcheck(flags: &Flags) -> anyhow::Result<u8> {
    let Some(listen) = config::load_health(flags, std::env::vars_os())? else {
        bail!("health.listen is off: there is nobody to ask");
    };
    let address = reachable(listen);
    ask(address)
        .await
        .with_context(|| format!("http://{address}{PATH}"))?;
    Ok(OK)
}

/// A daemon that listens on every interface is asked at this machine's own address.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

/// Fails unless the daemon there says that it is alive.
async fn ask(address: SocketAddr) -> anyhow::Result<()> {
    let Ok(status) = timeout(TIMEOUT, answer(address)).await else {
        bail!("no answer within {} s", TIMEOUT.as_secs());
    };
    let status = status?;
    ensure!(status == 200, "the answer is {}", status.as_u16());
    Ok(())
}

/// One request needs no pool of connections, and a client with one takes much longer to compile.
async fn answer(address: SocketAddr) -> anyhow::Result<StatusCode> {
    let stream = TcpStream::connect(address).await;
    let stream = stream.map_err(|error| anyhow!("nobody listens there: {error}"))?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let request = Request::get(PATH).header(HOST, address.to_string());
    let answer = sender.send_request(request.body(Body::empty())?).await;
    let answer = answer.map_err(|_| anyhow!("the answer is not HTTP"))?;
    Ok(answer.status())
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
        task::JoinHandle,
    };

    use super::*;

    /// Answers one request with these bytes, and gives the request.
    async fn answering(answer: &'static str) -> (SocketAddr, JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let served = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                request.push(stream.read_u8().await.unwrap());
            }
            stream.write_all(answer.as_bytes()).await.unwrap();
            String::from_utf8(request).unwrap()
        });
        (address, served)
    }

    #[tokio::test]
    async fn a_daemon_that_answers_200_is_alive() {
        let (address, served) = answering("HTTP/1.1 200 OK\r\n\r\nalive\n").await;
        ask(address).await.unwrap();
        let request = served.await.unwrap();
        assert!(
            request.starts_with("GET /livez HTTP/1.1\r\nhost: 127.0.0.1:"),
            "{request}"
        );
    }

    #[tokio::test]
    async fn any_other_answer_is_not() {
        for (answer, told) in [
            (
                "HTTP/1.1 503 Service Unavailable\r\n\r\n",
                "the answer is 503",
            ),
            ("SSH-2.0-OpenSSH_9.9\r\n", "the answer is not HTTP"),
            ("", "the answer is not HTTP"),
        ] {
            let (address, _served) = answering(answer).await;
            assert_eq!(ask(address).await.unwrap_err().to_string(), told);
        }
    }

    #[test]
    fn every_interface_includes_this_machines_own() {
        for (listen, asked) in [
            ("0.0.0.0:8973", "127.0.0.1:8973"),
            ("[::]:8973", "[::1]:8973"),
            ("10.0.0.7:80", "10.0.0.7:80"),
        ] {
            let asked: SocketAddr = asked.parse().unwrap();
            assert_eq!(reachable(listen.parse().unwrap()), asked);
        }
    }
}
