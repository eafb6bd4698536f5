//! Servers of one test, over loopback sockets.

use tokio::{
    io::{AsyncRead, AsyncReadExt},
    net::{TcpListener, TcpStream},
};

/// Takes the connections of one client, one after the other, and does this with each.
pub(crate) async fn serving<F>(serve: impl Fn(TcpStream) -> F + Send + 'static) -> String
where
    F: Future<Output = ()> + Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            serve(stream).await;
        }
    });
    address.to_string()
}

/// Reads one whole request.
pub(crate) async fn read_request(stream: &mut (impl AsyncRead + Unpin)) {
    assert!(next_request(stream).await, "the request is whole");
}

/// Reads one whole request; false where the client ended the connection before it.
pub(crate) async fn next_request(stream: &mut (impl AsyncRead + Unpin)) -> bool {
    let mut request = Vec::new();
    loop {
        if stream.read_buf(&mut request).await.unwrap() == 0 {
            assert!(request.is_empty(), "the request is whole");
            return false;
        }
        let text = String::from_utf8_lossy(&request).to_ascii_lowercase();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        // The request for a tunnel has no body.
        if length.map_or(0, |length| length.parse().unwrap()) <= body.len() {
            return true;
        }
    }
}
