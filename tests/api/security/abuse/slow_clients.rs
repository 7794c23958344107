//! Slow clients: each is closed after 15 seconds and delays no other. One test, because they all wait concurrently.

use std::time::{Duration, Instant};

use insula_tests::{Server, concurrently};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{sleep, timeout},
};

use super::{acme, count, goes_on};

/// What 15 seconds are on a machine that has other things to do.
const CUT_WITHIN: Duration = Duration::from_secs(18);

/// What is sent at once, what is then sent once a second, and the expected status; 0 for none.
const PEERS: &[(&str, &str, &str, u16)] = &[
    ("says nothing", "", "", 0),
    ("a line without end", "GET /livez", "a", 0),
    ("half a line", "GET /livez HTTP/1.1", "", 0),
    ("headers without end", "GET /livez HTTP/1.1\r\nhost: a\r\n", "x: y\r\n", 0),
    ("a header without end", "GET /livez HTTP/1.1\r\nhost: a\r\nx: ", "y", 0),
    ("empty lines without end", "", "\r\n", 0),
    ("half a preface of HTTP/2", "PRI * HTTP/2.0\r\n", "", 0),
    ("HTTP/2 that asks nothing", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0", "", 0),
    ("half a greeting of TLS", "\x16\x03", "", 400),
    ("one request, then half a one", "GET /livez HTTP/1.1\r\nhost: a\r\n\r\nGET /", "a", 200),
    ("a body that does not come", "content-length: 100\r\n\r\n", "", 408),
    ("a body that drips", "content-length: 100\r\n\r\n{", " ", 408),
    ("chunks that drip", "transfer-encoding: chunked\r\n\r\n", "1\r\n \r\n", 408),
    ("a chunk that drips", "transfer-encoding: chunked\r\n\r\n64\r\n", " ", 408),
    ("the largest chunk there is", "transfer-encoding: chunked\r\n\r\nffffffffffffffff\r\n", " ", 408),
    ("the size of a chunk that drips", "transfer-encoding: chunked\r\n\r\n", "0", 408),
    ("an extension that drips", "transfer-encoding: chunked\r\n\r\n2;a=", "b", 408),
    ("trailers that drip", "transfer-encoding: chunked\r\n\r\n1\r\n \r\n0\r\n", "a: b\r\n", 408),
    ("who was told to go on", "expect: 100-continue\r\ncontent-length: 100\r\n\r\n", "", 100),
    (
        "a body that drips for nobody",
        "POST /nowhere HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\n",
        "x",
        404,
    ),
    (
        "a body that drips from a stranger",
        "POST /api/v1/organizations HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n",
        "x",
        401,
    ),
];

/// The time until the server closed, and the first status.
async fn endure(server: &Server, sent: &str, drop: &str) -> (Duration, u16) {
    let head = "POST /api/v1/auth/login HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n";
    let is_rest = ["content-length", "transfer-encoding", "expect"].iter().any(|line| sent.starts_with(line));
    let sent = if is_rest { format!("{head}{sent}") } else { sent.to_owned() };
    let started = Instant::now();
    let (mut reads, mut writes) = server.connect().await.into_split();
    writes.write_all(sent.as_bytes()).await.unwrap();
    let dripping = async {
        loop {
            sleep(Duration::from_secs(1)).await;
            // A closed server reads nothing.
            if !drop.is_empty() && writes.write_all(drop.as_bytes()).await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    };
    let mut answer = Vec::new();
    let reading = timeout(CUT_WITHIN, reads.read_to_end(&mut answer));
    tokio::select! { _ = reading => {}, () = dripping => {} }
    let answer = String::from_utf8_lossy(&answer).into_owned();
    (started.elapsed(), answer.get(9..12).and_then(|status| status.parse().ok()).unwrap_or_default())
}

/// How the answer to a request begins.
async fn ask(idle: &mut TcpStream) -> String {
    idle.write_all(b"GET /livez HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let mut answer = [0; 1024];
    let length = timeout(Duration::from_secs(30), idle.read(&mut answer)).await.unwrap().unwrap();
    String::from_utf8_lossy(&answer[..length]).get(..12).unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_slow_client_is_closed_in_15_seconds_and_delays_no_other() {
    let (server, ada) = acme().await;
    let server = std::sync::Arc::new(server);
    let mut idle = server.connect().await;
    assert_eq!(ask(&mut idle).await, "HTTP/1.1 200");
    let enduring = concurrently(PEERS.len(), |at| {
        let server = std::sync::Arc::clone(&server);
        async move {
            let (_, sent, drop, _) = PEERS[at];
            endure(&server, sent, drop).await
        }
    });
    let (peers, ()) = tokio::join!(enduring, async {
        sleep(Duration::from_secs(3)).await;
        goes_on(&ada).await;
    });
    count("slow peers", PEERS.len());
    let complaints: Vec<_> = PEERS
        .iter()
        .zip(peers)
        .filter(|((_, _, _, status), (took, received))| *took >= CUT_WITHIN || received != status)
        .map(|((name, ..), outcome)| format!("{name}: {outcome:?}"))
        .collect();
    assert!(complaints.is_empty(), "{complaints:#?}");
    // Who has asked and is silent is idle, not slow: balancers keep connections for longer than that.
    assert_eq!(ask(&mut idle).await, "HTTP/1.1 200");
    ada.get("/api/v1/users/me").await.expect(200);
}
