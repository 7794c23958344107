//! How a mail is handed over to a mail server (RFC 5321). The one room that knows lettre.
//!
//! Connections are kept here and not in lettre's pool: that one takes a connection back in whose middle a delivery was
//! cut off, and then reads the answers to one mail as those to the next.

mod message;
#[cfg(test)]
mod tests;
mod verdict;

use std::{
    error::Error as _,
    io,
    net::SocketAddr,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use insula_core::{
    config::{SmtpTls, SmtpUrl},
    emails::Status,
};
use lettre::transport::smtp::{
    Error,
    authentication::{Credentials, DEFAULT_MECHANISMS},
    client::{AsyncSmtpConnection, TlsParameters},
    commands::{Data, Mail, Rcpt},
    extension::ClientId,
    response::{Response, Severity},
};
pub(crate) use message::{Parcel, Sender, domain, pack};
use tokio::{
    net::{TcpStream, lookup_host},
    sync::Semaphore,
    time::{Instant, timeout},
};
pub(crate) use verdict::{Refusal, Stage};

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
    tls: Option<TlsParameters>,
    /// One for each connection there may be.
    slots: Semaphore,
    idle: Mutex<Vec<(AsyncSmtpConnection, Instant)>>,
}

impl Smtp {
    /// Prepares; connects to nobody yet.
    ///
    /// # Errors
    /// Why TLS is not possible.
    pub(crate) fn new(server: &SmtpUrl, connections: u32) -> Result<Self, String> {
        let tls = match server.tls {
            SmtpTls::None => None,
            _ => Some(TlsParameters::new(server.host.clone()).map_err(|fault| words(&fault))?),
        };
        let slots = Semaphore::new(usize::try_from(connections).unwrap_or(Semaphore::MAX_PERMITS));
        Ok(Self { server: server.clone(), tls, slots, idle: Mutex::default() })
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
    pub(crate) async fn send(&self, parcel: &Parcel, say: Say<'_>) -> Result<String, Refusal> {
        // Held until the connection is kept or closed.
        let slot = timeout(TO_OPEN, self.slots.acquire()).await;
        let _slot = slot.map_err(|_| refusal(Stage::Connect, "no connection became free in time"))?;
        let mut connection = match self.take() {
            Some(mut kept) => match address(&mut kept, parcel, say).await {
                Ok(()) => return self.hand_over(kept, parcel, say).await,
                // It was closed meanwhile. Nothing was handed over on it yet.
                Err(refused) if refused.stage == Stage::Sender => self.open(say).await?,
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

    async fn open(&self, say: Say<'_>) -> Result<AsyncSmtpConnection, Refusal> {
        let opened = timeout(TO_OPEN, self.connect(say)).await;
        opened.unwrap_or_else(|_| {
            Err(refusal(Stage::Connect, &format!("{} did not answer in time", self.server.host)))
        })
    }

    async fn connect(&self, say: Say<'_>) -> Result<AsyncSmtpConnection, Refusal> {
        let SmtpUrl { host, port, .. } = &self.server;
        let (hello, place) = (ClientId::default(), format!("{host} port {port}"));
        let found = lookup_host((host.as_str(), *port)).await;
        let addresses: Vec<SocketAddr> =
            found.map_err(|fault| refusal(Stage::Resolve, &format!("{host}: {fault}")))?.collect();
        say(&format!("connecting to {place}"));
        let connection = match (self.server.tls, &self.tls) {
            (SmtpTls::Implicit, Some(tls)) => {
                let tls = Some(tls.clone());
                AsyncSmtpConnection::connect_tokio1(&addresses[..], None, &hello, tls, None).await
            }
            _ => {
                let unreachable = |fault| refusal(Stage::Connect, &format!("{place}: {fault}"));
                let stream = TcpStream::connect(&addresses[..]).await.map_err(unreachable)?;
                // A mail ends with a short write of its own, which must not wait for anything.
                stream.set_nodelay(true).map_err(unreachable)?;
                AsyncSmtpConnection::connect_with_transport(Box::new(stream), &hello).await
            }
        };
        let mut connection = connection.map_err(|fault| {
            let stage = if is_tls(&fault) { Stage::Tls } else { Stage::Connect };
            refused(stage, &fault)
        })?;
        let offers_tls = connection.can_starttls();
        match (self.server.tls, &self.tls) {
            (SmtpTls::Required, _) if !offers_tls => {
                let text = "the server offers no STARTTLS";
                return Err(part(connection, refusal(Stage::Tls, text)).await);
            }
            (SmtpTls::Required | SmtpTls::Opportunistic, Some(tls)) if offers_tls => {
                let begun = connection.starttls(tls.clone(), &hello).await;
                begun.map_err(|fault| refused(Stage::Tls, &fault))?;
            }
            _ => {}
        }
        say(match connection.is_encrypted() {
            true => "connected, and encrypted",
            false => "connected, not encrypted",
        });
        match &self.server.login {
            Some(_) if !self.may_tell_password(&connection) => {
                let text = "a password is not told on a connection that is not encrypted";
                Err(part(connection, refusal(Stage::LogIn, text)).await)
            }
            Some((user, password)) => {
                let credentials = Credentials::new(user.clone(), password.expose().clone());
                match connection.auth(DEFAULT_MECHANISMS, &credentials).await {
                    Ok(_) => {
                        say("logged in");
                        Ok(connection)
                    }
                    Err(fault) => Err(part(connection, refused(Stage::LogIn, &fault)).await),
                }
            }
            None => Ok(connection),
        }
    }

    /// In clear only where nobody is between, or where the operator said so in as many words.
    fn may_tell_password(&self, connection: &AsyncSmtpConnection) -> bool {
        connection.is_encrypted() || self.server.tls == SmtpTls::None || self.server.is_local()
    }

    /// The mail itself. What becomes of it when no answer comes nobody knows: it is sent again.
    async fn hand_over(
        &self,
        mut connection: AsyncSmtpConnection,
        parcel: &Parcel,
        say: Say<'_>,
    ) -> Result<String, Refusal> {
        let answer = match timeout(TO_ACCEPT, connection.message(&parcel.bytes)).await {
            Ok(answer) => answer,
            Err(_) => {
                return Err(refusal(Stage::Content, "the server did not say in time whether it took it"));
            }
        };
        match answer {
            Ok(answer) if answer.code().severity == Severity::PositiveCompletion => {
                say("the mail was taken");
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
async fn address(connection: &mut AsyncSmtpConnection, parcel: &Parcel, say: Say<'_>) -> Result<(), Refusal> {
    let told = async {
        let sender = Mail::new(Some(parcel.from.clone()), vec![]);
        let answer = connection.command(sender).await.map_err(|fault| refused(Stage::Sender, &fault))?;
        expect(Stage::Sender, &answer, 250)?;
        say("the sender was accepted");
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
    let late = || refusal(Stage::Recipient, "the server did not answer in time");
    timeout(TO_ADDRESS, told).await.unwrap_or_else(|_| Err(late()))
}

/// Says good-bye, so that the server need not wonder.
async fn part(mut connection: AsyncSmtpConnection, why: Refusal) -> Refusal {
    // Whether it hears it changes nothing.
    drop(timeout(TO_PART, connection.abort()).await);
    why
}

fn expect(stage: Stage, answer: &Response, code: u16) -> Result<(), Refusal> {
    if answer.has_code(code) { Ok(()) } else { Err(unexpected(stage, answer)) }
}

fn unexpected(stage: Stage, answer: &Response) -> Refusal {
    refusal(stage, &format!("an unexpected answer: {}", answer.code()))
}

/// What keeps us from handing anything over, whatever the mail is.
fn refusal(stage: Stage, text: &str) -> Refusal {
    Refusal { stage, status: Status::Deferred, text: one_line(text) }
}

fn refused(stage: Stage, fault: &Error) -> Refusal {
    let text = words(fault);
    Refusal { stage, status: verdict::verdict(stage, fault.status().map(u16::from), &text), text }
}

/// Each cause once, from the outside in.
fn words(fault: &Error) -> String {
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

/// Did TLS fail, and not the connection below? What is no TLS at all counts, too.
fn is_tls(fault: &Error) -> bool {
    let mut cause = fault.source();
    while let Some(inner) = cause {
        let kind = inner.downcast_ref::<io::Error>().map(io::Error::kind);
        if fault.is_tls() || kind == Some(io::ErrorKind::InvalidData) {
            return true;
        }
        cause = inner.source();
    }
    false
}

/// Without what a terminal or a database might trip over.
fn one_line(text: &str) -> String {
    let spaced: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    spaced.split_whitespace().collect::<Vec<_>>().join(" ")
}
