//! `healthcheck`: asks the daemon on this machine whether it lives.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::{OK, session};
use crate::config::Flags;

/// The time for the whole question and answer.
const TIMEOUT: Duration = Duration::from_secs(2);
/// The most of an answer that is read: its status line and a little more.
const ANSWER_MAX: u64 = 1024;

/// Returns the exit code of a daemon that lives, else an error.
pub(super) async fn healthcheck(flags: &Flags) -> anyhow::Result<u8> {
    let Some(listen) = session::load_health(flags)? else {
        bail!("health.listen is off: there is nobody to ask");
    };
    let address = reachable(listen);
    ask(address)
        .await
        .with_context(|| format!("http://{address}/livez"))?;
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
    let Ok(answer) = timeout(TIMEOUT, status_line(address)).await else {
        bail!("no answer within {} s", TIMEOUT.as_secs());
    };
    let status = match answer {
        Ok(status) => status,
        Err(error) => bail!("nobody listens or answers properly: {error}"),
    };
    let mut words = status.split(' ');
    let is_http = words
        .next()
        .is_some_and(|version| version.starts_with("HTTP/1."));
    ensure!(is_http, "the answer is not HTTP");
    let code = words.next().unwrap_or_default();
    ensure!(code == "200", "the answer is {}", code.escape_debug());
    Ok(())
}

async fn status_line(address: SocketAddr) -> io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET /livez HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(ANSWER_MAX).read_to_end(&mut answer).await?;
    let answer = String::from_utf8_lossy(&answer);
    Ok(answer.lines().next().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use tokio::{net::TcpListener, task::JoinHandle};

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
            request.starts_with("GET /livez HTTP/1.1\r\nHost: 127.0.0.1:"),
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
