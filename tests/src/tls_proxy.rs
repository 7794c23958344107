//! A proxy that accepts TLS with the certificate of its own authority, and forwards to a server without TLS.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::ring, pki_types::PrivateKeyDer},
};

/// A running proxy. It ends when it is dropped.
pub struct TlsProxy {
    address: String,
    authority: String,
    _work: JoinSet<()>,
}

impl TlsProxy {
    /// A proxy to `target` (host and port), which speaks HTTP/2 or HTTP/1.1 as the client prefers.
    pub async fn to(target: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address").to_string();
        let (acceptor, authority) = identity();
        let (target, mut work) = (target.to_owned(), JoinSet::new());
        work.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let (acceptor, target) = (acceptor.clone(), target.clone());
                connections.spawn(async move {
                    // A client that does not trust the authority closes the connection.
                    let Ok(mut client) = acceptor.accept(client).await else { return };
                    let mut server = TcpStream::connect(&target).await.expect("the server listens");
                    drop(copy_bidirectional(&mut client, &mut server).await);
                });
            }
        });
        Self { address, authority, _work: work }
    }

    /// Host and port of the proxy.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The certificate of its authority, as PEM.
    pub fn authority(&self) -> &str {
        &self.authority
    }
}

/// A certificate for 127.0.0.1, and the authority that signed it.
fn identity() -> (TlsAcceptor, String) {
    let mut params = CertificateParams::new(Vec::new()).expect("parameters");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key"));
    let authority = authority.expect("an authority");
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("parameters");
    let certificate = params.signed_by(&key, &*authority).expect("a certificate");
    let chain = vec![certificate.der().clone()];
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
    let config = ServerConfig::builder_with_provider(ring::default_provider().into());
    let config = config.with_safe_default_protocol_versions().expect("TLS").with_no_client_auth();
    let mut config = config.with_single_cert(chain, key).expect("a certificate and its key");
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    (TlsAcceptor::from(Arc::new(config)), authority.pem())
}
