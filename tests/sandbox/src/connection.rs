//! Connections that a fault can reset instead of answering.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

use super::history::History;

/// Accepts connections without Nagle's delay whose [`Connection`] the handlers can reset.
pub struct ResettableListener {
    listener: TcpListener,
    history: Arc<History>,
    accepted: u64,
}

impl ResettableListener {
    /// The answers that are written whole stand in the history.
    pub fn new(listener: TcpListener, history: Arc<History>) -> Self {
        Self {
            listener,
            history,
            accepted: 0,
        }
    }
}

impl Listener for ResettableListener {
    type Io = ResettableStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            // The listener's own `accept` waits out a lack of file descriptors.
            let (stream, address) = Listener::accept(&mut self.listener).await;
            if stream.set_nodelay(true).is_ok() {
                self.accepted += 1;
                let connection = Connection {
                    number: self.accepted,
                    ..Connection::default()
                };
                let history = self.history.clone();
                let stream = ResettableStream {
                    stream,
                    connection,
                    history,
                };
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

/// The switch by which a handler resets the connection that its request came on.
#[derive(Debug, Clone, Default)]
pub struct Connection {
    /// Connections are counted from 1.
    pub number: u64,
    reset: Arc<AtomicBool>,
    /// The call whose answer is being written, as [`Noted::end`](super::history::Noted::end) numbers it.
    answering: Arc<AtomicU64>,
}

impl Connection {
    /// Makes the next write fail; the client sees a TCP reset in place of an answer.
    pub fn reset(&self) {
        self.reset.store(true, Ordering::Release);
    }

    /// The answer to this call follows.
    pub fn answering(&self, call: u64) {
        self.answering.store(call, Ordering::Release);
    }
}

impl Connected<IncomingStream<'_, ResettableListener>> for Connection {
    fn connect_info(stream: IncomingStream<'_, ResettableListener>) -> Self {
        stream.io().connection().clone()
    }
}

pub struct ResettableStream {
    stream: TcpStream,
    connection: Connection,
    history: Arc<History>,
}

impl ResettableStream {
    /// What resets it.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    fn check(&self) -> io::Result<()> {
        if self.connection.reset.load(Ordering::Acquire) {
            // With no time to linger, closing sends a reset and not an orderly end.
            self.stream.set_zero_linger()?;
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        Ok(())
    }
}

impl AsyncRead for ResettableStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for ResettableStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_write(context, buffer)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        // Hyper flushes once everything that it has is written.
        if let Poll::Ready(Ok(())) = flushed
            && self.connection.answering.load(Ordering::Acquire) != 0
        {
            let call = self.connection.answering.swap(0, Ordering::AcqRel);
            self.history.written(call);
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_write_vectored(context, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
