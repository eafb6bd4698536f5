//! What may stand between the program and what it asks: a server with a private CA, and a proxy.

use std::sync::{Arc, Mutex};

use sandbox::lock;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::{CancellationToken, DropGuard};

/// A server with a certificate of a CA that no machine knows, in front of one without TLS.
pub(crate) struct PrivateTls {
    pub(crate) port: u16,
    files: tempfile::TempDir,
    _serving: DropGuard,
}

impl PrivateTls {
    /// In front of the server at this URL; it speaks this protocol of ALPN.
    pub(crate) async fn before(url: &str, protocol: &str) -> Self {
        let tls = sandbox::tls::PrivateTls::new(protocol).unwrap();
        let acceptor = tls.acceptor().clone();
        let behind = url.trim_start_matches("http://").to_owned();
        let files = tempfile::tempdir().unwrap();
        std::fs::write(files.path().join("ca.pem"), tls.authority()).unwrap();
        let (port, serving) = serve(move |stream| {
            let (acceptor, behind) = (acceptor.clone(), behind.clone());
            async move {
                // A client that trusts nobody ends the handshake.
                if let Ok(mut near) = acceptor.accept(stream).await {
                    let mut far = TcpStream::connect(behind).await.unwrap();
                    drop(copy_bidirectional(&mut near, &mut far).await);
                }
            }
        })
        .await;
        Self {
            port,
            files,
            _serving: serving,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("https://localhost:{}", self.port)
    }

    /// The file of the CA's certificate.
    pub(crate) fn ca(&self) -> String {
        let file = self.files.path().join("ca.pem");
        file.to_str().unwrap().to_owned()
    }
}

/// A proxy that notes what it is asked for, and gives nobody a way.
pub(crate) struct Proxy {
    pub(crate) url: String,
    asked: Arc<Mutex<Vec<String>>>,
    _serving: DropGuard,
}

impl Proxy {
    pub(crate) async fn start() -> Self {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&asked);
        let (port, serving) = serve(move |stream| {
            let noted = Arc::clone(&noted);
            async move {
                let mut stream = BufReader::new(stream);
                let mut line = String::new();
                drop(stream.read_line(&mut line).await);
                lock(&noted).push(line.trim().to_owned());
                let refusal = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n";
                drop(stream.write_all(refusal).await);
            }
        })
        .await;
        Self {
            url: format!("http://127.0.0.1:{port}"),
            asked,
            _serving: serving,
        }
    }

    /// The first lines of all requests.
    pub(crate) fn asked(&self) -> Vec<String> {
        lock(&self.asked).clone()
    }
}

/// Answers each connection until the result is dropped.
async fn serve<F>(answer: impl Fn(TcpStream) -> F + Send + 'static) -> (u16, DropGuard)
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    tokio::spawn(stopped.run_until_cancelled_owned(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream));
        }
    }));
    (port, stop.drop_guard())
}
