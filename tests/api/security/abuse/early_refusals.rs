//! Refusals before the body is read, for clients that send head and body in two packets, such as those in Python. The
//! connection stays open, or the answer says that it closes.

use std::time::Duration;

use insula_tests::Server;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::sleep,
};

use super::{acme, count};

const NEXT: &str = "GET /livez HTTP/1.1\r\nhost: a\r\n\r\n";

/// The status of the next answer, and whether it is the last one; `None`: there is none.
async fn answer(socket: &mut TcpStream) -> Option<(u16, bool)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        // A reset is an error here, and fails the test.
        if socket.read(&mut byte).await.unwrap() == 0 {
            return None;
        }
        head.extend(byte);
    }
    let head = String::from_utf8(head).unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("0");
    socket.read_exact(&mut vec![0; length.parse().unwrap()]).await.unwrap();
    Some((head[9..12].parse().unwrap(), head.contains("connection: close")))
}

/// Sends head and body in two packets.
async fn send(socket: &mut TcpStream, head: &str, body: &str, pause: Duration) {
    let head = format!("{head}host: a\r\ncontent-length: {}\r\n\r\n", body.len());
    socket.write_all(head.as_bytes()).await.unwrap();
    sleep(pause).await;
    socket.write_all(body.as_bytes()).await.unwrap();
}

/// Every kind of refusal, in the order of the contract.
fn refusals(ada: &str, browser: &str) -> Vec<(&'static str, String, u16)> {
    const JSON: &str = "content-type: application/json\r\n";
    let post = |path: &str, lines: &str| format!("POST {path} HTTP/1.1\r\n{JSON}{lines}");
    let as_ada = format!("authorization: Bearer {ada}\r\n");
    let found = "/api/v1/organizations";
    vec![
        ("no such path", post("/nowhere", ""), 404),
        ("no such method", post("/livez", ""), 405),
        ("a header twice", post(found, "idempotency-key: a\r\nidempotency-key: b\r\n"), 400),
        ("not signed in", post(found, ""), 401),
        ("an expired token", post(found, "authorization: Bearer x\r\n"), 401),
        ("a page of others", post(found, &format!("cookie: at={browser}\r\n")), 403),
        ("no such organization", post("/api/v1/organizations/nowhere/projects", &as_ada), 404),
        ("no operator", post("/api/v1/admin/users", &as_ada), 403),
        ("no text of ours", format!("POST {found} HTTP/1.1\r\ncontent-type: text/plain\r\n{as_ada}"), 415),
        ("compressed", post(found, &format!("{as_ada}content-encoding: gzip\r\n")), 415),
        ("no body of its own", format!("DELETE {found}/nowhere HTTP/1.1\r\n{as_ada}"), 404),
        ("a body of a GET", format!("GET /api/v1/users/me HTTP/1.1\r\n{as_ada}"), 200),
        ("asked too often", post("/api/v1/auth/register", ""), 429),
    ]
}

#[tokio::test]
async fn a_refusal_keeps_the_connection_usable() {
    let server = Server::builder().env("INSULA_LIMIT_REGISTER", "1/h").start().await;
    let ada = server.client().register("ada@example.com").await;
    let (browser, _) =
        insula_tests::Browser::log_in(&server.client(), &server.url(""), "ada@example.com").await;
    let refusals = refusals(ada.token(), browser.cookie("at"));
    // What is smuggled would be answered twice.
    let long = "x".repeat(50_000);
    for (name, head, status) in &refusals {
        let mut socket = server.connect().await;
        for body in [NEXT, &long] {
            for pause in [0, 1, 60] {
                send(&mut socket, head, body, Duration::from_millis(pause)).await;
                assert_eq!(answer(&mut socket).await, Some((*status, false)), "{name}, after {pause} ms");
                socket.write_all(NEXT.as_bytes()).await.unwrap();
                assert_eq!(answer(&mut socket).await, Some((200, false)), "{name}, after {pause} ms");
            }
        }
    }
    count("refusals on connections that go on", refusals.len());
}

/// The case that was met: a token has expired, and the client refreshes on the same connection.
#[tokio::test]
async fn a_client_whose_token_has_expired_refreshes_on_the_same_connection() {
    let (server, ada) = acme().await;
    let person = json!({ "email": "ada@example.com", "password": insula_tests::PASSWORD });
    let session = server.client().post("/api/v1/auth/login", person).await.expect(200);
    drop(ada);
    let mut refresh = json!({ "refresh_token": session["refresh_token"] }).to_string();
    let mut socket = server.connect().await;
    let json = "content-type: application/json\r\n";
    for round in 0..50 {
        let expired =
            format!("POST /api/v1/organizations HTTP/1.1\r\n{json}authorization: Bearer expired\r\n");
        let body = json!({ "name": "Second", "slug": "second" }).to_string();
        send(&mut socket, &expired, &body, Duration::from_micros(round * 100)).await;
        assert_eq!(answer(&mut socket).await, Some((401, false)), "{round}");
        if round == 0 {
            send(
                &mut socket,
                &format!("POST /api/v1/auth/refresh HTTP/1.1\r\n{json}"),
                &refresh,
                Duration::ZERO,
            )
            .await;
            assert_eq!(answer(&mut socket).await, Some((200, false)));
            refresh.clear();
        }
    }
}
