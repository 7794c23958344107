//! Many connections: idle ones delay no client, and no peer can use all of them.

use std::time::Duration;

use insula_tests::{Server, concurrently, eventually};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

use super::{acme, count, goes_on};

const GET: &[u8] = b"GET /livez HTTP/1.1\r\nhost: a\r\n\r\n";

/// As many as a test may open beside the others; the server has as many again.
fn affordable(wish: usize) -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let most = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    wish.min(most.unwrap_or(1024) / 4)
}

#[tokio::test]
async fn two_thousand_idle_connections_delay_no_client() {
    let concurrency = affordable(2000);
    let server = Server::builder().env("INSULA_MAX_CONNECTIONS_PER_PEER", "5000").start().await;
    let ada = server.client().register("ada@example.com").await;
    let server = std::sync::Arc::new(server);
    let held = concurrently(20, |_| {
        let server = std::sync::Arc::clone(&server);
        async move {
            let mut held = Vec::new();
            for _ in 0..concurrency / 20 {
                let mut socket = server.connect().await;
                socket.write_all(GET).await.unwrap();
                let mut answer = [0; 12];
                socket.read_exact(&mut answer).await.unwrap();
                assert_eq!(&answer, b"HTTP/1.1 200");
                held.push(socket);
            }
            held
        }
    });
    let held = held.await;
    for _ in 0..20 {
        server.client().get("/livez").await.expect(200);
        ada.get("/api/v1/users/me").await.expect(200);
    }
    count("idle connections", held.iter().map(Vec::len).sum());
}

/// For one peer and for all, who here are one.
#[tokio::test]
async fn the_number_of_connections_is_limited() {
    for cap in ["INSULA_MAX_CONNECTIONS_PER_PEER", "INSULA_MAX_CONNECTIONS"] {
        let server = Server::builder().env(cap, "3").start().await;
        let mut held = Vec::new();
        for _ in 0..3 {
            let mut socket = server.connect().await;
            socket.write_all(GET).await.unwrap();
            assert_ne!(socket.read(&mut [0; 1024]).await.unwrap(), 0);
            held.push(socket);
        }
        let is_served = async || {
            let mut socket = server.connect().await;
            drop(socket.write_all(GET).await);
            socket.read(&mut [0; 1024]).await.is_ok_and(|read| read > 0)
        };
        assert!(!is_served().await && !is_served().await, "{cap}");
        held.pop();
        eventually("a slot is free again", is_served).await;
        // Those that were there first were not touched.
        for socket in &mut held {
            socket.write_all(GET).await.unwrap();
            assert_ne!(socket.read(&mut [0; 1024]).await.unwrap(), 0, "{cap}");
        }
    }
}

/// Peers that go away in the middle, or never take what they asked for.
#[tokio::test]
async fn clients_that_disconnect_or_do_not_read_free_their_connection() {
    let (server, ada) = acme().await;
    let login = "POST /api/v1/auth/login HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n";
    let leaving = [
        ("in a head", "GET /livez HTTP/1.1\r\nhost".to_owned()),
        ("in a body", format!("{login}content-length: 100\r\n\r\n{{")),
        ("in a chunk", format!("{login}transfer-encoding: chunked\r\n\r\n5\r\n{{")),
        ("before the last chunk", format!("{login}transfer-encoding: chunked\r\n\r\n2\r\n{{}}\r\n")),
        ("after a request", String::from_utf8_lossy(GET).into_owned()),
    ];
    for (name, sent) in &leaving {
        let mut socket = server.connect().await;
        socket.write_all(sent.as_bytes()).await.unwrap();
        socket.shutdown().await.unwrap();
        let mut answer = Vec::new();
        let answered = timeout(Duration::from_secs(5), socket.read_to_end(&mut answer)).await;
        assert!(answered.is_ok(), "{name}");
        assert!(!answer.starts_with(b"HTTP/1.1 5"), "{name}: {}", String::from_utf8_lossy(&answer));
        // At once, without a farewell.
        let mut socket = server.connect().await;
        socket.write_all(sent.as_bytes()).await.unwrap();
        drop(socket);
    }
    // Asks for megabytes upon megabytes and takes none.
    let mut deaf = server.connect().await;
    let ask = b"GET /api/v1/openapi.json HTTP/1.1\r\nhost: a\r\n\r\n".repeat(1000);
    let pushing = async { while deaf.write_all(&ask).await.is_ok() {} };
    assert!(
        timeout(Duration::from_secs(2), pushing).await.is_err(),
        "the server takes what it cannot answer"
    );
    count("peers that leave", leaving.len() * 2 + 1);
    goes_on(&ada).await;
}
