//! Sends e-mails to a mail server (RFC 5321). Only this module uses lettre.
//!
//! The connection pool is here, because lettre's pool reuses connections after a cancelled delivery, and then reads
//! replies to one e-mail as those to the next.

mod connect;
mod message;
mod replies;
#[cfg(test)]
mod tests;
mod reply_class;

use std::{
    error::Error as StdError,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use insula_core::{
    runtime::{
        config::{Config, HostName, SmtpTls, SmtpUrl},
        telemetry::traces::{self, TraceSpan},
        tls::Authorities,
    },
    storage::emails::DeliveryStatus,
};
use lettre::transport::smtp::{
    Error,
    client::AsyncSmtpConnection,
    commands::{Data, Mail, Rcpt},
    extension::ClientId,
    response::{Response, Severity},
};
pub(crate) use message::{EncodedEmail, RenderedEmail, Sender, encode};
pub(crate) use reply_class::{DeliveryFailure, ServerState, Stage};
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout},
};
use tokio_rustls::{TlsConnector, rustls::pki_types::ServerName};

/// Maximum wait for a free connection, and again until a new one is logged in. The sum of all limits is less than the
/// limit of a job (45 s), which would end a delivery without an error message.
const OPEN_TIMEOUT: Duration = Duration::from_secs(10);
/// Maximum duration of the commands for sender and recipient.
const ENVELOPE_TIMEOUT: Duration = Duration::from_secs(8);
/// Maximum duration until the server accepts the e-mail. After a timeout, the server can get it twice.
const CONTENT_TIMEOUT: Duration = Duration::from_secs(15);
/// Maximum duration of QUIT.
const QUIT_TIMEOUT: Duration = Duration::from_secs(1);
/// Maximum age of an unused connection, which is less than the timeouts of servers.
const MAX_IDLE: Duration = Duration::from_secs(30);

/// Reports each step in words.
pub(crate) type ReportStep<'a> = &'a (dyn Fn(&str) + Sync);

/// A mail server and its connections.
pub(crate) struct Smtp {
    server: SmtpUrl,
    /// The server name for certificates, if TLS is used.
    tls: Option<(TlsConnector, ServerName<'static>)>,
    hello: ClientId,
    /// One permit per connection.
    slots: Semaphore,
    idle: Mutex<Vec<(AsyncSmtpConnection, Instant)>>,
}

impl Smtp {
    /// Makes no connection. `helo` is the host name for EHLO; `None`: the name of this machine.
    ///
    /// # Errors
    /// Why TLS is not possible.
    pub(crate) fn new(server: &SmtpUrl, helo: Option<&HostName>, config: &Config) -> Result<Self, String> {
        let tls = match server.tls {
            SmtpTls::None => None,
            _ => {
                let client = Arc::new(Authorities::load(config).client()?);
                let name = ServerName::try_from(server.host.clone()).map_err(|error| error.to_string())?;
                Some((TlsConnector::from(client), name))
            }
        };
        let hello = helo.map(|name| ClientId::Domain(name.as_str().to_owned())).unwrap_or_default();
        let connections = usize::try_from(config.mail_connections).unwrap_or(Semaphore::MAX_PERMITS);
        let slots = Semaphore::new(connections.min(Semaphore::MAX_PERMITS));
        Ok(Self { server: server.clone(), tls, hello, slots, idle: Mutex::default() })
    }

    /// The server and its protocol, without the password.
    pub(crate) fn describe(&self) -> String {
        let SmtpUrl { host, port, tls, login } = &self.server;
        let tls = match tls {
            SmtpTls::Implicit => "TLS from the start",
            SmtpTls::Required => "STARTTLS",
            SmtpTls::Opportunistic => "STARTTLS if the server offers it",
            SmtpTls::None => "not encrypted",
        };
        let login = login.as_ref().map(|(user, _)| format!(", as {user}")).unwrap_or_default();
        format!("the mail server {host}, port {port}, {tls}{login}")
    }

    /// Begins the span of sending one e-mail.
    pub(crate) fn span(&self) -> TraceSpan {
        traces::smtp(&self.server.host, self.server.port)
    }

    /// Sends an e-mail. Returns the final reply of the server.
    ///
    /// # Errors
    /// Why it failed, and whether to retry.
    pub(crate) async fn send(
        &self,
        email: &EncodedEmail,
        report: ReportStep<'_>,
    ) -> Result<String, DeliveryFailure> {
        // Held until the connection is stored or closed.
        let slot = timeout(OPEN_TIMEOUT, self.slots.acquire()).await;
        let _slot =
            slot.map_err(|_| deferred_failure(Stage::Connect, "no connection became available in time"))?;
        let started = Instant::now();
        let mut connection = match self.take_idle() {
            Some(mut idle) => match send_envelope(&mut idle, email, report).await {
                Ok(()) => return self.send_content(idle, email, report).await,
                // The server closed the connection meanwhile, before the e-mail was sent. A connection that hangs has
                // used up the time.
                Err(failure) if failure.stage == Stage::Sender && started.elapsed() < ENVELOPE_TIMEOUT => {
                    self.open(report).await?
                }
                Err(failure) => return Err(quit(idle, failure).await),
            },
            None => self.open(report).await?,
        };
        match send_envelope(&mut connection, email, report).await {
            Ok(()) => self.send_content(connection, email, report).await,
            Err(failure) => Err(quit(connection, failure).await),
        }
    }

    /// The newest unused connection that is not too old.
    fn take_idle(&self) -> Option<AsyncSmtpConnection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|(_, since)| since.elapsed() < MAX_IDLE);
        idle.pop().map(|(connection, _)| connection)
    }

    /// Sends the content. Without a reply, the result is unknown, and the e-mail is sent again.
    async fn send_content(
        &self,
        mut connection: AsyncSmtpConnection,
        email: &EncodedEmail,
        report: ReportStep<'_>,
    ) -> Result<String, DeliveryFailure> {
        let answer = match timeout(CONTENT_TIMEOUT, connection.message(&email.bytes)).await {
            Ok(answer) => answer,
            Err(_) => {
                return Err(deferred_failure(
                    Stage::Content,
                    "the server did not confirm the e-mail in time",
                ));
            }
        };
        match answer {
            Ok(answer) if answer.code().severity == Severity::PositiveCompletion => {
                report("the e-mail was accepted");
                let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
                idle.push((connection, Instant::now()));
                Ok(one_line(&answer.message().collect::<Vec<_>>().join(" ")))
            }
            // Out of sync: the next reply would belong to another command.
            Ok(answer) => Err(unexpected(Stage::Content, &answer)),
            Err(error) => Err(quit(connection, failure_of(Stage::Content, &error)).await),
        }
    }
}

/// Sends sender and recipient, until the server waits for the content.
async fn send_envelope(
    connection: &mut AsyncSmtpConnection,
    email: &EncodedEmail,
    report: ReportStep<'_>,
) -> Result<(), DeliveryFailure> {
    let mut stage = Stage::Sender;
    let commands = async {
        let sender = Mail::new(Some(email.from.clone()), vec![]);
        let answer = connection.command(sender).await.map_err(|error| failure_of(Stage::Sender, &error))?;
        expect(Stage::Sender, &answer, 250)?;
        report("the sender was accepted");
        stage = Stage::Recipient;
        let recipient = Rcpt::new(email.to.clone(), vec![]);
        let answer =
            connection.command(recipient).await.map_err(|error| failure_of(Stage::Recipient, &error))?;
        if !answer.has_code(251) {
            expect(Stage::Recipient, &answer, 250)?;
        }
        report("the recipient was accepted");
        let answer = connection.command(Data).await.map_err(|error| failure_of(Stage::Content, &error))?;
        expect(Stage::Content, &answer, 354)
    };
    match timeout(ENVELOPE_TIMEOUT, commands).await {
        Ok(outcome) => outcome,
        Err(_) => Err(deferred_failure(stage, "the server did not respond in time")),
    }
}

/// Sends QUIT, so that the server closes the connection without waiting.
async fn quit(mut connection: AsyncSmtpConnection, failure: DeliveryFailure) -> DeliveryFailure {
    // Errors do not matter here.
    drop(timeout(QUIT_TIMEOUT, connection.abort()).await);
    failure
}

fn expect(stage: Stage, answer: &Response, code: u16) -> Result<(), DeliveryFailure> {
    if answer.has_code(code) { Ok(()) } else { Err(unexpected(stage, answer)) }
}

fn unexpected(stage: Stage, answer: &Response) -> DeliveryFailure {
    let reached = reply_class::reached(stage, Some(answer.code().into()));
    DeliveryFailure { reached, ..deferred_failure(stage, &format!("unexpected response: {}", answer.code())) }
}

/// A failure that does not depend on the e-mail.
fn deferred_failure(stage: Stage, text: &str) -> DeliveryFailure {
    let reached = reply_class::reached(stage, None);
    DeliveryFailure { stage, status: DeliveryStatus::Deferred, text: one_line(text), reached }
}

fn failure_of(stage: Stage, error: &Error) -> DeliveryFailure {
    let (text, code) = (error_chain(error), error.status().map(u16::from));
    let (status, reached) =
        (reply_class::delivery_status(stage, code, &text), reply_class::reached(stage, code));
    DeliveryFailure { stage, status, text, reached }
}

/// The error and its causes, each once.
fn error_chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        cause = inner.source();
    }
    one_line(&text)
}

/// Removes control characters, and repeated spaces.
fn one_line(text: &str) -> String {
    let spaced: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    spaced.split_whitespace().collect::<Vec<_>>().join(" ")
}
