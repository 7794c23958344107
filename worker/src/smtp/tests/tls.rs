//! TLS with a server whose certificate is signed by a private certificate authority.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::ring, pki_types::PrivateKeyDer},
};

use super::*;

/// A private certificate authority.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "Company Authority");
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn pem(&self) -> String {
        self.0.pem()
    }

    /// A server with a certificate for this name.
    fn acceptor(&self, name: &str) -> TlsAcceptor {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &*self.0).unwrap();
        let chain = vec![certificate.der().clone()];
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_provider(ring::default_provider().into());
        let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        TlsAcceptor::from(Arc::new(config.with_single_cert(chain, key).unwrap()))
    }
}

/// A server with implicit TLS or STARTTLS, which then replies in Latin-1.
struct TlsServer {
    port: u16,
    received: Arc<Mutex<Vec<String>>>,
    _tasks: JoinSet<()>,
}

impl TlsServer {
    async fn start(acceptor: TlsAcceptor, is_implicit: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let received = Arc::<Mutex<Vec<String>>>::default();
        let (stored, mut tasks) = (Arc::clone(&received), JoinSet::new());
        let answers = [("EHLO", "250-stub Grüße\r\n250 AUTH PLAIN"), ("BODY", "250 2.0.0 übernommen")];
        let answers: Arc<Answers> = Arc::new(answers.into());
        tasks.spawn(async move {
            let mut conversations = JoinSet::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                let (acceptor, answers, stored) =
                    (acceptor.clone(), Arc::clone(&answers), Arc::clone(&stored));
                conversations.spawn(async move {
                    if !is_implicit {
                        let plain = [
                            ("220 Gr\u{fc}\u{df} Gott", ""),
                            ("250-stub\r\n250 STARTTLS", "EHLO "),
                            ("220 go on", "STARTTLS"),
                        ];
                        for (reply, to) in plain {
                            let mut received_line = String::new();
                            if !to.is_empty() {
                                BufReader::with_capacity(1, &mut stream)
                                    .read_line(&mut received_line)
                                    .await
                                    .unwrap();
                            }
                            assert!(received_line.starts_with(to), "{received_line}");
                            let reply = reply.chars().chain(['\r', '\n']).map(|c| u8::try_from(c).unwrap());
                            stream.write_all(&reply.collect::<Vec<_>>()).await.unwrap();
                        }
                    }
                    if let Ok(stream) = acceptor.accept(stream).await {
                        converse(stream, is_implicit, answers, stored).await;
                    }
                });
            }
        });
        Self { port, received, _tasks: tasks }
    }
}

#[tokio::test]
async fn a_certificate_of_a_configured_authority_is_trusted() {
    let (ours, others) = (Authority::new(), Authority::new());
    for is_implicit in [true, false] {
        let scheme = if is_implicit { "smtps" } else { "smtp" };
        let tls = if is_implicit { "" } else { "?tls=required" };
        for (name, host) in [("localhost", "localhost"), ("127.0.0.1", "127.0.0.1")] {
            let server = TlsServer::start(ours.acceptor(name), is_implicit).await;
            let url = format!("{scheme}://ada:hunter2@{host}:{}{tls}", server.port);
            let bundle = format!("{}{}", others.pem(), ours.pem());
            let smtp = smtp_with(&url, &[("INSULA_CA", &bundle)]);
            for _ in 0..2 {
                assert_eq!(send(&smtp).await.unwrap(), "2.0.0 ?bernommen", "{url}");
            }
            assert_eq!(server.received.lock().unwrap().len(), 2);
            // Without the authority, with another one, and for another name: neither the password nor an e-mail is
            // sent.
            let wrong_name = TlsServer::start(ours.acceptor("mail.example"), is_implicit).await;
            let elsewhere = format!("{scheme}://ada:hunter2@{host}:{}{tls}", wrong_name.port);
            for (url, ca) in [(&url, None), (&url, Some(others.pem())), (&elsewhere, Some(ours.pem()))] {
                let ca = ca.as_deref().map(|ca| ("INSULA_CA", ca));
                let failure = send(&smtp_with(url, ca.as_slice())).await.unwrap_err();
                assert_eq!(
                    (failure.stage, failure.reached),
                    (Stage::Tls, ServerState::No),
                    "{}",
                    failure.text
                );
                assert!(failure.text.contains("certificate"), "{}", failure.text);
            }
            assert!(wrong_name.received.lock().unwrap().is_empty());
        }
    }
}

#[tokio::test]
async fn ehlo_contains_the_configured_host_name() {
    let stub = Stub::start(&[("EHLO app1.acme.example", "550 it was heard")]).await;
    let url = format!("smtp://127.0.0.1:{}", stub.port);
    assert!(send(&smtp_with(&url, &[])).await.is_ok());
    let failure = send(&smtp_with(&url, &[("INSULA_MAIL_HELO", "app1.acme.example")])).await.unwrap_err();
    assert!(failure.text.contains("it was heard"), "{}", failure.text);
}
