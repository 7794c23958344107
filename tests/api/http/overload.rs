//! More concurrent requests than allowed: refused at once with `Retry-After`; probes still work.

use insula_tests::{Reply, Server, eventually};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};

/// A request without its announced body.
const SLOW: &[u8] = b"POST /api/v1/auth/login HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{";

/// Requested without a login.
const ME: &str = "/api/v1/users/me";

async fn hold(server: &Server, number: usize) -> Vec<TcpStream> {
    let mut held = Vec::new();
    for _ in 0..number {
        let mut socket = server.connect().await;
        socket.write_all(SLOW).await.unwrap();
        held.push(socket);
    }
    held
}

/// The answer when all places are taken. A request that asks takes a place itself, for which one of those that are held may
/// have been refused: then another one is held.
async fn busy(server: &Server, held: &mut Vec<TcpStream>) -> Reply {
    let mut reply = None;
    eventually("all places are taken", async || {
        let asked = server.client().get(ME).await;
        let is_busy = asked.status == 503;
        if !is_busy {
            held.extend(hold(server, 1).await);
        }
        reply = is_busy.then_some(asked);
        is_busy
    })
    .await;
    reply.expect("it was waited for")
}

#[tokio::test]
async fn what_is_too_much_is_refused_at_once_and_probes_get_through() {
    let server = Server::builder().env("INSULA_MAX_REQUESTS", "4").start().await;
    server.client().get(ME).await.problem(401, "UNAUTHENTICATED");
    // Half of all places.
    let mut held = hold(&server, 2).await;
    let refused = busy(&server, &mut held).await;
    refused.problem(503, "UNAVAILABLE");
    assert_eq!(refused.header("retry-after"), Some("1"));
    for path in ["/livez", "/readyz", "/health", "/healthz", "/version", "/verify"] {
        assert_eq!(server.client().get(path).await.status, 200, "{path}");
    }
    let metrics = server.ops_client().await.get("/metrics").await;
    let shed = metrics.text().lines().find(|line| line.starts_with("insula_requests_shed_total"));
    assert!(shed.is_some_and(|line| !line.ends_with(" 0")), "{}", metrics.text());

    drop(held);
    eventually("there is a place again", async || server.client().get(ME).await.status == 401).await;
}

/// Loopback has more than one address.
#[tokio::test]
async fn one_ip_address_cannot_use_all_permits() {
    let server = Server::builder().env("INSULA_MAX_REQUESTS", "4").start().await;
    let mut held = hold(&server, 4).await;
    busy(&server, &mut held).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    let address = server.url("").trim_start_matches("http://").parse().unwrap();
    let mut other = socket.connect(address).await.unwrap();
    let ask = format!("GET {ME} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    other.write_all(ask.as_bytes()).await.unwrap();
    let mut answer = String::new();
    other.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
}
