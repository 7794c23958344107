//! Opens a connection to the mail server: DNS, TCP, TLS, greeting, login.

use std::{io, net::SocketAddr};

use insula_core::runtime::config::{SmtpTls, SmtpUrl};
use lettre::transport::smtp::{
    Error,
    authentication::{Credentials, DEFAULT_MECHANISMS, Mechanism},
    client::AsyncSmtpConnection,
    commands::Starttls,
    extension::Extension,
};
use tokio::{
    net::{TcpStream, lookup_host},
    time::timeout,
};
use tokio_rustls::client::TlsStream;

use super::{
    DeliveryFailure, OPEN_TIMEOUT, ReportStep, Smtp, Stage, deferred_failure, error_chain, failure_of, quit,
    replies::{Replies, Stream},
};

impl Smtp {
    /// Opens a connection that is ready for an e-mail.
    ///
    /// # Errors
    /// The failed step.
    pub(super) async fn open(&self, report: ReportStep<'_>) -> Result<AsyncSmtpConnection, DeliveryFailure> {
        let opened = timeout(OPEN_TIMEOUT, self.connect(report)).await;
        opened.unwrap_or_else(|_| {
            Err(deferred_failure(Stage::Connect, &format!("{} did not respond in time", self.server.host)))
        })
    }

    /// Opens a connection, logs in, and closes it. Returns the name and the capabilities of the server.
    ///
    /// # Errors
    /// The failed step.
    pub(crate) async fn check(&self, report: ReportStep<'_>) -> Result<String, DeliveryFailure> {
        let mut connection = self.open(report).await?;
        let server = connection.server_info();
        let mut capabilities: Vec<String> =
            [("8BITMIME", Extension::EightBitMime), ("SMTPUTF8", Extension::SmtpUtfEight)]
                .into_iter()
                .filter(|(_, extension)| server.supports_feature(*extension))
                .map(|(name, _)| name.to_owned())
                .collect();
        let mechanisms = [Mechanism::Plain, Mechanism::Login, Mechanism::Xoauth2].into_iter();
        let mechanisms = mechanisms.filter(|mechanism| server.supports_auth_mechanism(*mechanism));
        capabilities.extend(mechanisms.map(|mechanism| format!("AUTH {mechanism}")));
        let server = match capabilities.is_empty() {
            true => server.name().to_owned(),
            false => format!("{} with {}", server.name(), capabilities.join(", ")),
        };
        // The check is over, so how the connection ends does not matter.
        drop(timeout(OPEN_TIMEOUT, connection.quit()).await);
        Ok(server)
    }

    async fn connect(&self, report: ReportStep<'_>) -> Result<AsyncSmtpConnection, DeliveryFailure> {
        let SmtpUrl { host, port, .. } = &self.server;
        let place = format!("{host} port {port}");
        let found = lookup_host((host.as_str(), *port)).await;
        let addresses: Vec<SocketAddr> =
            found.map_err(|error| deferred_failure(Stage::Resolve, &format!("{host}: {error}")))?.collect();
        report(&format!("connecting to {place}"));
        let unreachable = |error| deferred_failure(Stage::Connect, &format!("{place}: {error}"));
        let stream = TcpStream::connect(&addresses[..]).await.map_err(unreachable)?;
        // An e-mail ends with a short write, which must not wait for more data.
        stream.set_nodelay(true).map_err(unreachable)?;
        let (connection, is_encrypted) = match self.server.tls {
            SmtpTls::Implicit => (self.greet(Replies::new(self.encrypt(stream).await?)).await?, true),
            SmtpTls::None => (self.greet(Replies::new(stream)).await?, false),
            SmtpTls::Required | SmtpTls::Opportunistic => self.start_tls(stream, unreachable).await?,
        };
        report(match is_encrypted {
            true => "connected, encrypted",
            false => "connected, not encrypted",
        });
        self.log_in(connection, is_encrypted, report).await
    }

    /// Uses TLS if the server offers it (RFC 3207). lettre would add TLS above the stream that normalizes replies. So
    /// its connection is dropped after the command, and a new one uses the same stream.
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
                    Err(quit(connection, deferred_failure(Stage::Tls, text)).await)
                }
                _ => Ok((connection, false)),
            };
        }
        if let Err(error) = connection.command(Starttls).await {
            return Err(quit(connection, failure_of(Stage::Tls, &error)).await);
        }
        // Drops plain-text bytes that it may have read ahead.
        drop(connection);
        let stream = self.encrypt(TcpStream::from_std(same).map_err(unreachable)?).await?;
        Ok((self.greet(Replies::after_greeting(stream)).await?, true))
    }

    async fn encrypt(&self, stream: TcpStream) -> Result<TlsStream<TcpStream>, DeliveryFailure> {
        let Some((tls, name)) = &self.tls else {
            return Err(deferred_failure(Stage::Tls, "TLS is disabled"));
        };
        let encrypted = tls.connect(name.clone(), stream).await;
        encrypted.map_err(|error| deferred_failure(Stage::Tls, &error_chain(&error)))
    }

    async fn log_in(
        &self,
        mut connection: AsyncSmtpConnection,
        is_encrypted: bool,
        report: ReportStep<'_>,
    ) -> Result<AsyncSmtpConnection, DeliveryFailure> {
        let Some((user, password)) = &self.server.login else { return Ok(connection) };
        // Unencrypted only to this machine, or if the operator allows it explicitly.
        if !(is_encrypted || self.server.tls == SmtpTls::None || self.server.is_local()) {
            let text = "refusing to send a password over an unencrypted connection";
            return Err(quit(connection, deferred_failure(Stage::LogIn, text)).await);
        }
        let credentials = Credentials::new(user.clone(), password.expose().clone());
        match connection.auth(DEFAULT_MECHANISMS, &credentials).await {
            Ok(_) => {
                report("logged in");
                Ok(connection)
            }
            Err(error) => Err(quit(connection, failure_of(Stage::LogIn, &error)).await),
        }
    }

    /// Reads the greeting and sends EHLO.
    async fn greet<S: Stream + 'static>(
        &self,
        replies: Replies<S>,
    ) -> Result<AsyncSmtpConnection, DeliveryFailure> {
        let greeted = AsyncSmtpConnection::connect_with_transport(Box::new(replies), &self.hello).await;
        greeted.map_err(|error| failure_of(if is_tls(&error) { Stage::Tls } else { Stage::Connect }, &error))
    }
}

/// Whether TLS failed, and not the connection. A server can reject the client after the handshake.
fn is_tls(error: &Error) -> bool {
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        if inner.downcast_ref::<io::Error>().map(io::Error::kind) == Some(io::ErrorKind::InvalidData) {
            return true;
        }
        cause = inner.source();
    }
    false
}
