//! TLS before the services, with the certificate of an authority that no machine knows.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::{ServerConfig, crypto::aws_lc_rs, pki_types::PrivateKeyDer};
use tokio_rustls::server::TlsStream;

use super::connection::{Connection, ResettableListener, ResettableStream};

/// A client that takes longer for its handshake is let go.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Connections that wait to be taken over.
const BACKLOG: usize = 64;

/// A server's certificate for this machine, and the authority that gave it.
pub struct PrivateTls {
    authority: String,
    acceptor: TlsAcceptor,
}

impl PrivateTls {
    /// A new authority, whose server speaks this protocol of ALPN.
    ///
    /// # Errors
    ///
    /// If no key can be made.
    pub fn new(protocol: &str) -> anyhow::Result<Self> {
        let mut authority = CertificateParams::new(vec![])?;
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate()?;
        let pem = authority.self_signed(&key)?.pem();
        let issuer = Issuer::new(authority, key);
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let own = KeyPair::generate()?;
        let certificate = CertificateParams::new(names)?.signed_by(&own, &issuer)?;
        let key = PrivateKeyDer::try_from(own.serialize_der()).map_err(anyhow::Error::msg)?;
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)?;
        config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        Ok(Self {
            authority: pem,
            acceptor: TlsAcceptor::from(Arc::new(config)),
        })
    }

    /// The authority's certificate as PEM, for `SSL_CERT_FILE`.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// What makes a connection one over TLS.
    pub fn acceptor(&self) -> &TlsAcceptor {
        &self.acceptor
    }
}

/// Accepts connections over TLS; a client that is slow at its handshake keeps no other waiting.
pub struct TlsListener {
    opened: mpsc::Receiver<(TlsStream<ResettableStream>, SocketAddr)>,
    address: SocketAddr,
}

impl TlsListener {
    /// Must be called inside a tokio runtime.
    pub(super) fn before(mut listener: ResettableListener, tls: &PrivateTls) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let acceptor = tls.acceptor.clone();
        let (open, opened) = mpsc::channel(BACKLOG);
        tokio::spawn(async move {
            loop {
                let (stream, address) = tokio::select! {
                    accepted = listener.accept() => accepted,
                    () = open.closed() => return,
                };
                let (acceptor, open) = (acceptor.clone(), open.clone());
                tokio::spawn(async move {
                    // A client that trusts nobody ends the handshake itself.
                    if let Ok(Ok(stream)) = timeout(HANDSHAKE, acceptor.accept(stream)).await {
                        drop(open.send((stream, address)).await);
                    }
                });
            }
        });
        Ok(Self { opened, address })
    }
}

impl Listener for TlsListener {
    type Io = TlsStream<ResettableStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.opened.recv().await {
            Some(opened) => opened,
            // Its task ends only with this.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        Ok(self.address)
    }
}

impl Connected<IncomingStream<'_, TlsListener>> for Connection {
    fn connect_info(stream: IncomingStream<'_, TlsListener>) -> Self {
        stream.io().get_ref().0.connection().clone()
    }
}
