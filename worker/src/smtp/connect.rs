//! How a connection to the mail server is opened: name, TCP, TLS, greeting, log-in.

use std::{io, net::SocketAddr};

use insula_core::runtime::config::{SmtpTls, SmtpUrl};
use lettre::transport::smtp::{
    Error,
    authentication::{Credentials, DEFAULT_MECHANISMS},
    client::AsyncSmtpConnection,
    commands::Starttls,
};
use tokio::{
    net::{TcpStream, lookup_host},
    time::timeout,
};
use tokio_rustls::client::TlsStream;

use super::{
    DeliveryFailure, Say, Smtp, Stage, TO_OPEN, part, refusal, refused,
    replies::{Replies, Stream},
    words,
};

impl Smtp {
    /// A connection on which a mail can be handed over.
    ///
    /// # Errors
    /// What is in the way.
    pub(super) async fn open(&self, say: Say<'_>) -> Result<AsyncSmtpConnection, DeliveryFailure> {
        let opened = timeout(TO_OPEN, self.connect(say)).await;
        opened.unwrap_or_else(|_| {
            Err(refusal(Stage::Connect, &format!("{} did not respond in time", self.server.host)))
        })
    }

    async fn connect(&self, say: Say<'_>) -> Result<AsyncSmtpConnection, DeliveryFailure> {
        let SmtpUrl { host, port, .. } = &self.server;
        let place = format!("{host} port {port}");
        let found = lookup_host((host.as_str(), *port)).await;
        let addresses: Vec<SocketAddr> =
            found.map_err(|fault| refusal(Stage::Resolve, &format!("{host}: {fault}")))?.collect();
        say(&format!("connecting to {place}"));
        let unreachable = |fault| refusal(Stage::Connect, &format!("{place}: {fault}"));
        let stream = TcpStream::connect(&addresses[..]).await.map_err(unreachable)?;
        // A mail ends with a short write of its own, which must not wait for anything.
        stream.set_nodelay(true).map_err(unreachable)?;
        let (connection, is_encrypted) = match self.server.tls {
            SmtpTls::Implicit => (self.greet(Replies::new(self.encrypt(stream).await?)).await?, true),
            SmtpTls::None => (self.greet(Replies::new(stream)).await?, false),
            SmtpTls::Required | SmtpTls::Opportunistic => self.start_tls(stream, unreachable).await?,
        };
        say(match is_encrypted {
            true => "connected, encrypted",
            false => "connected, not encrypted",
        });
        self.log_in(connection, is_encrypted, say).await
    }

    /// Encrypted where the server offers it (RFC 3207). lettre would put TLS above what mends the replies; so its
    /// connection is given up after the command, and a new one is made on the same stream.
    async fn start_tls(
        &self,
        stream: TcpStream,
        unreachable: impl Fn(io::Error) -> DeliveryFailure,
    ) -> Result<(AsyncSmtpConnection, bool), DeliveryFailure> {
        let stream = stream.into_std().map_err(&unreachable)?;
        let same = stream.try_clone().map_err(&unreachable)?;
        let stream = TcpStream::from_std(stream).map_err(&unreachable)?;
        let mut connection = self.greet(Replies::new(stream)).await?;
        if !connection.can_starttls() {
            return match self.server.tls {
                SmtpTls::Required => {
                    let text = "the server does not offer STARTTLS";
                    Err(part(connection, refusal(Stage::Tls, text)).await)
                }
                _ => Ok((connection, false)),
            };
        }
        if let Err(fault) = connection.command(Starttls).await {
            return Err(part(connection, refused(Stage::Tls, &fault)).await);
        }
        // What it may have read ahead was said in clear, and is forgotten with it.
        drop(connection);
        let stream = self.encrypt(TcpStream::from_std(same).map_err(unreachable)?).await?;
        Ok((self.greet(Replies::after_greeting(stream)).await?, true))
    }

    async fn encrypt(&self, stream: TcpStream) -> Result<TlsStream<TcpStream>, DeliveryFailure> {
        let Some((tls, name)) = &self.tls else { return Err(refusal(Stage::Tls, "TLS is disabled")) };
        let encrypted = tls.connect(name.clone(), stream).await;
        encrypted.map_err(|fault| refusal(Stage::Tls, &words(&fault)))
    }

    async fn log_in(
        &self,
        mut connection: AsyncSmtpConnection,
        is_encrypted: bool,
        say: Say<'_>,
    ) -> Result<AsyncSmtpConnection, DeliveryFailure> {
        let Some((user, password)) = &self.server.login else { return Ok(connection) };
        // In clear only where nobody is between, or where the operator said so in as many words.
        if !(is_encrypted || self.server.tls == SmtpTls::None || self.server.is_local()) {
            let text = "refusing to send a password over an unencrypted connection";
            return Err(part(connection, refusal(Stage::LogIn, text)).await);
        }
        let credentials = Credentials::new(user.clone(), password.expose().clone());
        match connection.auth(DEFAULT_MECHANISMS, &credentials).await {
            Ok(_) => {
                say("logged in");
                Ok(connection)
            }
            Err(fault) => Err(part(connection, refused(Stage::LogIn, &fault)).await),
        }
    }

    /// Hears the greeting and says EHLO.
    async fn greet<S: Stream + 'static>(
        &self,
        replies: Replies<S>,
    ) -> Result<AsyncSmtpConnection, DeliveryFailure> {
        let greeted = AsyncSmtpConnection::connect_with_transport(Box::new(replies), &self.hello).await;
        greeted.map_err(|fault| refused(if is_tls(&fault) { Stage::Tls } else { Stage::Connect }, &fault))
    }
}

/// Did TLS fail, and not the connection below? A server may find fault with us only after the handshake.
fn is_tls(fault: &Error) -> bool {
    let mut cause = std::error::Error::source(fault);
    while let Some(inner) = cause {
        if inner.downcast_ref::<io::Error>().map(io::Error::kind) == Some(io::ErrorKind::InvalidData) {
            return true;
        }
        cause = inner.source();
    }
    false
}
