//! Tests with a small mail server whose replies each test defines.

mod replies;
mod tls;

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use chrono::{DateTime, Utc};
use insula_core::{base::trace_context::TraceContext, runtime::config::Sources};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader},
    net::TcpListener,
    task::JoinSet,
};

use super::message::RenderedEmail;
use super::*;

/// Replies to commands that start with the key, in Latin-1. Other commands succeed. An empty reply closes the
/// connection.
type Answers = HashMap<&'static str, &'static str>;

/// A mail server on this machine. Dropping it stops it.
struct Stub {
    port: u16,
    connections: Arc<AtomicUsize>,
    received: Arc<Mutex<Vec<String>>>,
    _tasks: JoinSet<()>,
}

impl Stub {
    async fn start(answers: &[(&'static str, &'static str)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (connections, received) = <(Arc<AtomicUsize>, Arc<Mutex<Vec<String>>>)>::default();
        let answers: Arc<Answers> = Arc::new(answers.iter().copied().collect());
        let (counted, stored, mut tasks) = (Arc::clone(&connections), Arc::clone(&received), JoinSet::new());
        tasks.spawn(async move {
            let mut conversations = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                counted.fetch_add(1, Relaxed);
                conversations.spawn(converse(stream, true, Arc::clone(&answers), Arc::clone(&stored)));
            }
        });
        Self { port, connections, received, _tasks: tasks }
    }

    fn connections(&self) -> usize {
        self.connections.load(Relaxed)
    }

    fn received(&self) -> Vec<String> {
        self.received.lock().unwrap().clone()
    }

    fn smtp(&self) -> Smtp {
        smtp(&format!("smtp://127.0.0.1:{}", self.port))
    }
}

async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    sends_greeting: bool,
    answers: Arc<Answers>,
    received: Arc<Mutex<Vec<String>>>,
) {
    let mut stream = BufReader::new(stream);
    let answer = |line: &str, default: &'static str| {
        answers.iter().find(|(start, _)| line.starts_with(**start)).map_or(default, |(_, answer)| *answer)
    };
    let mut line = String::from("CONNECT");
    let mut next = answer("CONNECT", "220 stub");
    let mut is_silent = !sends_greeting;
    loop {
        if !std::mem::take(&mut is_silent) {
            let latin =
                next.chars().chain(['\r', '\n']).map(|c| u8::try_from(c).unwrap()).collect::<Vec<_>>();
            if next.is_empty() || stream.get_mut().write_all(&latin).await.is_err() {
                return;
            }
            stream.get_mut().flush().await.unwrap();
        }
        if line.starts_with("DATA") && next.starts_with("354") {
            let mut mail = String::new();
            while !mail.ends_with("\r\n.\r\n") {
                if stream.read_line(&mut mail).await.unwrap_or(0) == 0 {
                    return;
                }
            }
            next = answer("BODY", "250 2.0.0 taken");
            if next.starts_with("250") {
                received.lock().unwrap().push(mail);
            }
            line = "BODY".into();
            continue;
        }
        line.clear();
        if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
            return;
        }
        let default = match line.get(..4) {
            Some("EHLO") => "250-stub\r\n250-AUTH PLAIN LOGIN\r\n250 8BITMIME",
            Some("AUTH") => "235 2.7.0 welcome",
            Some("DATA") => "354 go on",
            Some("QUIT") => "221 bye",
            _ => "250 2.0.0 ok",
        };
        next = answer(&line, default);
    }
}

fn smtp(url: &str) -> Smtp {
    smtp_with(url, &[])
}

fn smtp_with(url: &str, values: &[(&str, &str)]) -> Smtp {
    let default = [("INSULA_SMTP_URL", url), ("INSULA_MAIL_CONNECTIONS", "4")];
    let config = Config::read(&Sources::only(&[&default[..], values].concat())).unwrap();
    Smtp::new(config.smtp_url.as_ref().unwrap(), config.mail_helo.as_ref(), &config).unwrap()
}

fn at() -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000, 0).unwrap()
}

fn encoded_email_of(subject: &str, to: &str) -> Result<EncodedEmail, String> {
    let text =
        RenderedEmail { subject: subject.into(), text: ".\nHello\n".into(), html: "<p>Hällo</p>\n".into() };
    let from = Sender::parse("Insula <no-reply@insula.example>").unwrap();
    encode(&from, to, &text, "<1@insula.example>", &TraceContext::random(), at())
}

fn encoded_email() -> EncodedEmail {
    encoded_email_of("Hello", "ada@example.com").unwrap()
}

async fn send(smtp: &Smtp) -> Result<String, DeliveryFailure> {
    smtp.send(&encoded_email(), &|_| {}).await
}

#[test]
fn an_email_has_two_parts_and_no_injected_headers() {
    let email = encoded_email_of("Grüße\r\nBcc: eve@example.com", "ada@example.com").unwrap();
    let mail = String::from_utf8(email.bytes).unwrap();
    let (head, body) = mail.split_once("\r\n\r\n").unwrap();
    for header in [
        "From: Insula <no-reply@insula.example>",
        "To: ada@example.com",
        "Message-ID: <1@insula.example>",
        "Auto-Submitted: auto-generated",
        "X-Auto-Response-Suppress: All",
        "Date: Mon, 21 Sep 2026 14:13:20 +0000",
        "MIME-Version: 1.0",
        "Content-Type: multipart/alternative;",
    ] {
        assert!(head.lines().any(|line| line.starts_with(header)), "{header}: {head}");
    }
    assert!(
        head.contains("Subject: =?utf-8?") && !head.lines().any(|line| line.starts_with("Bcc:")),
        "{head}"
    );
    assert!(body.find("text/plain").unwrap() < body.find("text/html").unwrap(), "{body}");
    for bad in [
        "",
        "ada",
        "ada@",
        "ada@example.com\r\nRCPT TO:<eve@example.com>",
        "ada@example.com, eve@example.com",
    ] {
        assert!(encoded_email_of("Hello", bad).is_err(), "{bad:?}");
    }
}

#[test]
fn a_sender_is_one_address_with_or_without_a_name() {
    for text in ["no-reply@insula.example", "Acme Ltd <hello@acme.example>"] {
        assert!(Sender::parse(text).is_ok(), "{text}");
    }
    for bad in ["", "Acme", "a@b.example, c@d.example", "Acme <hello@acme.example>\r\nBcc: eve@example.com"] {
        assert!(Sender::parse(bad).is_err(), "{bad:?}");
    }
}

#[tokio::test]
async fn an_accepted_email_is_sent_and_the_connection_is_reused() {
    let stub = Stub::start(&[]).await;
    let smtp = stub.smtp();
    for _ in 0..3 {
        assert_eq!(send(&smtp).await.unwrap(), "2.0.0 taken");
    }
    assert_eq!((stub.connections(), stub.received().len()), (1, 3));
    let mail = &stub.received()[0];
    assert!(mail.contains("Message-ID: <1@insula.example>\r\n") && mail.contains("\r\n..\r\n"), "{mail}");
}

#[tokio::test]
async fn the_reply_decides_between_deferred_and_bounced() {
    for (reply, stage, status) in [
        (("CONNECT", "421 busy"), Stage::Connect, DeliveryStatus::Deferred),
        (("CONNECT", "554 go away"), Stage::Connect, DeliveryStatus::Deferred),
        (("CONNECT", ""), Stage::Connect, DeliveryStatus::Deferred),
        (("EHLO", "550 who are you"), Stage::Connect, DeliveryStatus::Deferred),
        (("MAIL", "550 5.1.8 not from there"), Stage::Sender, DeliveryStatus::Deferred),
        (("MAIL", "530 5.7.0 log in first"), Stage::Sender, DeliveryStatus::Deferred),
        (("RCPT", "450 4.2.0 later"), Stage::Recipient, DeliveryStatus::Deferred),
        (("RCPT", "550 5.1.1 nobody"), Stage::Recipient, DeliveryStatus::Bounced),
        (("RCPT", "554 5.7.1 Relay access denied"), Stage::Recipient, DeliveryStatus::Deferred),
        (("RCPT", ""), Stage::Recipient, DeliveryStatus::Deferred),
        (("DATA", "451 later"), Stage::Content, DeliveryStatus::Deferred),
        (("DATA", "250 what?"), Stage::Content, DeliveryStatus::Deferred),
        (("BODY", "554 5.6.0 spam"), Stage::Content, DeliveryStatus::Bounced),
        (("BODY", "452 4.3.1 full"), Stage::Content, DeliveryStatus::Deferred),
        (("BODY", "354 go on"), Stage::Content, DeliveryStatus::Deferred),
        (("BODY", ""), Stage::Content, DeliveryStatus::Deferred),
    ] {
        let stub = Stub::start(&[reply]).await;
        let failure = send(&stub.smtp()).await.unwrap_err();
        assert_eq!((failure.stage, failure.status), (stage, status), "{reply:?}: {}", failure.text);
        assert!(!failure.text.is_empty() && !failure.text.contains('\n'), "{:?}", failure.text);
        assert!(stub.received().is_empty());
    }
}

#[tokio::test]
async fn a_wrong_password_defers_the_email_and_is_not_shown() {
    let stub = Stub::start(&[("AUTH", "535 5.7.8 no")]).await;
    let url = |options| format!("smtp://ada:hunter2@127.0.0.1:{}{options}", stub.port);
    let failure = send(&smtp(&url(""))).await.unwrap_err();
    assert_eq!((failure.stage, failure.status), (Stage::LogIn, DeliveryStatus::Deferred));
    assert!(!failure.text.contains("hunter2") && !smtp(&url("")).describe().contains("hunter2"));
    // A server without required encryption gets no command.
    let failure = send(&smtp(&url("?tls=required"))).await.unwrap_err();
    assert_eq!((failure.stage, failure.status), (Stage::Tls, DeliveryStatus::Deferred));
    assert!(failure.text.contains("STARTTLS"), "{}", failure.text);
    let plain = Stub::start(&[]).await;
    let smtp = smtp(&format!("smtps://127.0.0.1:{}", plain.port));
    let failure = timeout(OPEN_TIMEOUT * 2, send(&smtp)).await.unwrap().unwrap_err();
    assert_eq!((failure.stage, failure.status), (Stage::Tls, DeliveryStatus::Deferred), "{}", failure.text);
}

#[tokio::test]
async fn an_unreachable_server_is_tried_again() {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let failure = send(&smtp(&format!("smtp://127.0.0.1:{port}"))).await.unwrap_err();
    assert_eq!((failure.stage, failure.status), (Stage::Connect, DeliveryStatus::Deferred));
    let failure = send(&smtp("smtp://nowhere.invalid?tls=none")).await.unwrap_err();
    assert_eq!(
        (failure.stage, failure.status),
        (Stage::Resolve, DeliveryStatus::Deferred),
        "{}",
        failure.text
    );
}

#[tokio::test]
async fn a_closed_connection_loses_no_email() {
    let stub = Stub::start(&[]).await;
    let smtp = stub.smtp();
    // A connection that the server closed is replaced within the same delivery.
    send(&smtp).await.unwrap();
    let mut closed = smtp.take_idle().unwrap();
    closed.abort().await;
    smtp.idle.lock().unwrap().push((closed, Instant::now()));
    send(&smtp).await.unwrap();
    assert_eq!((stub.connections(), stub.received().len()), (2, 2));
    // After the server stopped, a stored connection fails and a new one is tried.
    drop(stub);
    let failure = send(&smtp).await.unwrap_err();
    assert_eq!(
        (failure.stage, failure.status),
        (Stage::Connect, DeliveryStatus::Deferred),
        "{}",
        failure.text
    );
}

#[tokio::test]
async fn a_cancelled_delivery_leaves_no_reply_for_the_next() {
    let stub = Stub::start(&[]).await;
    let smtp = stub.smtp();
    // Cancelled at each step that waits.
    for polls in 1..40 {
        let mut delivery = Box::pin(send(&smtp));
        for _ in 0..polls {
            if poll_once(&mut delivery).await {
                break;
            }
        }
    }
    let before = stub.received().len();
    assert_eq!(send(&smtp).await.unwrap(), "2.0.0 taken");
    assert_eq!(stub.received().len(), before + 1);
}

/// Polls a future once more. Returns whether it is complete.
async fn poll_once<T>(future: &mut std::pin::Pin<Box<impl Future<Output = T>>>) -> bool {
    tokio::select! {
        biased;
        _ = future => true,
        () = tokio::time::sleep(Duration::from_micros(50)) => false,
    }
}

#[tokio::test]
async fn the_number_of_connections_is_limited() {
    let stub = Stub::start(&[]).await;
    let smtp = Arc::new(stub.smtp());
    let mut deliveries = JoinSet::new();
    for _ in 0..64 {
        let smtp = Arc::clone(&smtp);
        deliveries.spawn(async move { send(&smtp).await.map(drop) });
    }
    while let Some(sent) = deliveries.join_next().await {
        sent.unwrap().unwrap();
    }
    assert_eq!(stub.received().len(), 64);
    assert!(stub.connections() <= 4, "{}", stub.connections());
}
