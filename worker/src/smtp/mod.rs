//! How a mail is handed over to a mail server (RFC 5321). The one room that knows lettre.
//!
//! Connections are kept here and not in lettre's pool: that one takes a connection back in whose middle a delivery was
//! cut off, and then reads the answers to one mail as those to the next.

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
        tls::Authorities,
    },
    storage::emails::Status,
};
use lettre::transport::smtp::{
    Error,
    client::AsyncSmtpConnection,
    commands::{Data, Mail, Rcpt},
    extension::ClientId,
    response::{Response, Severity},
};
pub(crate) use message::{EncodedEmail, RenderedEmail, Sender, pack};
pub(crate) use reply_class::{DeliveryFailure, Reached, Stage};
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout},
};
use tokio_rustls::{TlsConnector, rustls::pki_types::ServerName};

/// How long until a connection is free, and again until it is open and logged in. All of these together are less than a
/// job may take (45 s), which would otherwise cut them off without a word of why.
const TO_OPEN: Duration = Duration::from_secs(10);
/// How long the server may take to hear of sender and recipient.
const TO_ADDRESS: Duration = Duration::from_secs(8);
/// How long it may take to accept the mail. Where it takes longer it may get the mail twice.
const TO_ACCEPT: Duration = Duration::from_secs(15);
/// How long it may take to say good-bye.
const TO_PART: Duration = Duration::from_secs(1);
/// How long an unused connection is kept: shorter than servers wait.
const KEPT: Duration = Duration::from_secs(30);

/// Tells what is being done, in words.
pub(crate) type Say<'a> = &'a (dyn Fn(&str) + Sync);

/// A mail server, and connections to it.
pub(crate) struct Smtp {
    server: SmtpUrl,
    /// With which name it must prove who it is, where TLS is wanted.
    tls: Option<(TlsConnector, ServerName<'static>)>,
    hello: ClientId,
    /// One for each connection there may be.
    slots: Semaphore,
    idle: Mutex<Vec<(AsyncSmtpConnection, Instant)>>,
}

impl Smtp {
    /// Prepares; connects to nobody yet. `helo`: the name we give ourselves; `None`: that of this machine.
    ///
    /// # Errors
    /// Why TLS is not possible.
    pub(crate) fn new(server: &SmtpUrl, helo: Option<&HostName>, config: &Config) -> Result<Self, String> {
        let tls = match server.tls {
            SmtpTls::None => None,
            _ => {
                let client = Arc::new(Authorities::load(config).client()?);
                let name = ServerName::try_from(server.host.clone()).map_err(|fault| fault.to_string())?;
                Some((TlsConnector::from(client), name))
            }
        };
        let hello = helo.map(|name| ClientId::Domain(name.as_str().to_owned())).unwrap_or_default();
        let connections = usize::try_from(config.mail_connections).unwrap_or(Semaphore::MAX_PERMITS);
        let slots = Semaphore::new(connections.min(Semaphore::MAX_PERMITS));
        Ok(Self { server: server.clone(), tls, hello, slots, idle: Mutex::default() })
    }

    /// Which server, and how it is spoken with; no password.
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

    /// Hands a mail over; gives what the server said when it took it.
    ///
    /// # Errors
    /// Why it did not, and whether it is to be tried again.
    pub(crate) async fn send(&self, parcel: &EncodedEmail, say: Say<'_>) -> Result<String, DeliveryFailure> {
        // Held until the connection is kept or closed.
        let slot = timeout(TO_OPEN, self.slots.acquire()).await;
        let _slot = slot.map_err(|_| refusal(Stage::Connect, "no connection became available in time"))?;
        let started = Instant::now();
        let mut connection = match self.take() {
            Some(mut kept) => match address(&mut kept, parcel, say).await {
                Ok(()) => return self.hand_over(kept, parcel, say).await,
                // It was closed meanwhile. Nothing was handed over on it yet. One that hangs has used up the time.
                Err(refused) if refused.stage == Stage::Sender && started.elapsed() < TO_ADDRESS => {
                    self.open(say).await?
                }
                Err(refused) => return Err(part(kept, refused).await),
            },
            None => self.open(say).await?,
        };
        match address(&mut connection, parcel, say).await {
            Ok(()) => self.hand_over(connection, parcel, say).await,
            Err(refused) => Err(part(connection, refused).await),
        }
    }

    /// The last one that was kept, if it was not kept for too long.
    fn take(&self) -> Option<AsyncSmtpConnection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|(_, since)| since.elapsed() < KEPT);
        idle.pop().map(|(connection, _)| connection)
    }

    /// The mail itself. What becomes of it when no answer comes nobody knows: it is sent again.
    async fn hand_over(
        &self,
        mut connection: AsyncSmtpConnection,
        parcel: &EncodedEmail,
        say: Say<'_>,
    ) -> Result<String, DeliveryFailure> {
        let answer = match timeout(TO_ACCEPT, connection.message(&parcel.bytes)).await {
            Ok(answer) => answer,
            Err(_) => {
                return Err(refusal(Stage::Content, "the server did not confirm the e-mail in time"));
            }
        };
        match answer {
            Ok(answer) if answer.code().severity == Severity::PositiveCompletion => {
                say("the e-mail was accepted");
                let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
                idle.push((connection, Instant::now()));
                Ok(one_line(&answer.message().collect::<Vec<_>>().join(" ")))
            }
            // Out of step: whatever it says next is about something else.
            Ok(answer) => Err(unexpected(Stage::Content, &answer)),
            Err(fault) => Err(part(connection, refused(Stage::Content, &fault)).await),
        }
    }
}

/// Tells the server from whom and to whom, until it waits for the mail.
async fn address(
    connection: &mut AsyncSmtpConnection,
    parcel: &EncodedEmail,
    say: Say<'_>,
) -> Result<(), DeliveryFailure> {
    let mut stage = Stage::Sender;
    let told = async {
        let sender = Mail::new(Some(parcel.from.clone()), vec![]);
        let answer = connection.command(sender).await.map_err(|fault| refused(Stage::Sender, &fault))?;
        expect(Stage::Sender, &answer, 250)?;
        say("the sender was accepted");
        stage = Stage::Recipient;
        let recipient = Rcpt::new(parcel.to.clone(), vec![]);
        let answer =
            connection.command(recipient).await.map_err(|fault| refused(Stage::Recipient, &fault))?;
        if !answer.has_code(251) {
            expect(Stage::Recipient, &answer, 250)?;
        }
        say("the recipient was accepted");
        let answer = connection.command(Data).await.map_err(|fault| refused(Stage::Content, &fault))?;
        expect(Stage::Content, &answer, 354)
    };
    match timeout(TO_ADDRESS, told).await {
        Ok(told) => told,
        Err(_) => Err(refusal(stage, "the server did not respond in time")),
    }
}

/// Says good-bye, so that the server need not wonder.
async fn part(mut connection: AsyncSmtpConnection, why: DeliveryFailure) -> DeliveryFailure {
    // Whether it hears it changes nothing.
    drop(timeout(TO_PART, connection.abort()).await);
    why
}

fn expect(stage: Stage, answer: &Response, code: u16) -> Result<(), DeliveryFailure> {
    if answer.has_code(code) { Ok(()) } else { Err(unexpected(stage, answer)) }
}

fn unexpected(stage: Stage, answer: &Response) -> DeliveryFailure {
    let reached = reply_class::reached(stage, Some(answer.code().into()));
    DeliveryFailure { reached, ..refusal(stage, &format!("unexpected response: {}", answer.code())) }
}

/// What keeps us from handing anything over, whatever the mail is.
fn refusal(stage: Stage, text: &str) -> DeliveryFailure {
    let reached = reply_class::reached(stage, None);
    DeliveryFailure { stage, status: Status::Deferred, text: one_line(text), reached }
}

fn refused(stage: Stage, fault: &Error) -> DeliveryFailure {
    let (text, code) = (words(fault), fault.status().map(u16::from));
    let (status, reached) = (reply_class::verdict(stage, code, &text), reply_class::reached(stage, code));
    DeliveryFailure { stage, status, text, reached }
}

/// Each cause once, from the outside in.
fn words(fault: &dyn StdError) -> String {
    let mut text = fault.to_string();
    let mut cause = fault.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        cause = inner.source();
    }
    one_line(&text)
}

/// Without what a terminal or a database might trip over.
fn one_line(text: &str) -> String {
    let spaced: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    spaced.split_whitespace().collect::<Vec<_>>().join(" ")
}
