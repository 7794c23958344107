//! Abusive requests: each is refused or answered without internal details, and the server answers the next request.

mod addresses;
mod bodies;
mod credentials;
mod connections;
mod http2_frames;
mod framing;
mod request_lines;
mod host_headers;
mod early_refusals;
mod paths;
mod security_headers;
mod slow_clients;

use std::sync::atomic::{AtomicU32, Ordering};

use insula_tests::{Client, Reply, Server};
use serde_json::json;

/// Bytes that are sent, and the status of every answer to them; none where the server may hang up without a word.
struct Case {
    name: &'static str,
    sent: Vec<u8>,
    statuses: &'static [u16],
}

fn case(name: &'static str, sent: impl Into<Vec<u8>>, statuses: &'static [u16]) -> Case {
    Case { name, sent: sent.into(), statuses }
}

/// Sends them all, one after the other; complains of all at once.
async fn try_all(server: &Server, kind: &str, cases: &[Case]) {
    let mut complaints = Vec::new();
    for Case { name, sent, statuses } in cases {
        let replies = server.raw_all(sent).await;
        let answered: Vec<_> = replies.iter().map(|reply| reply.status).collect();
        if answered != *statuses {
            complaints.push(format!("{name}: {answered:?}, not {statuses:?}"));
        }
        complaints.extend(replies.iter().filter_map(|reply| Some(format!("{name}: {}", leak(reply)?))));
        server.client().get("/livez").await.expect(200);
    }
    count(kind, cases.len());
    assert!(complaints.is_empty(), "{complaints:#?}");
}

/// What an answer must not tell.
fn leak(reply: &Reply) -> Option<String> {
    let whole = format!("{:?} {}", reply.headers, String::from_utf8_lossy(&reply.body)).to_lowercase();
    let inside = [
        "panicked",
        "src/",
        ".rs",
        "sqlx",
        "sea_orm",
        "sea-orm",
        "select ",
        "insert ",
        "update \"",
        "sqlite",
        "postgres",
        "hyper",
        "poem",
        "tokio",
        "serde",
        "unwrap",
        "backtrace",
        "/home/",
        "/tmp/",
        ".cargo",
    ];
    let known = inside.iter().find(|word| whole.contains(*word)).map(|word| format!("tells {word}"));
    known.or_else(|| (reply.status >= 500).then(|| format!("is {}", reply.status)))
}

/// Prints how many cases of a kind were tested.
#[expect(clippy::print_stderr, reason = "the number of cases is a result")]
fn count(kind: &str, cases: usize) {
    eprintln!("abuse: {cases} cases of {kind}");
}

/// A server on which Ada owns the organization `acme`.
async fn acme() -> (Server, Client) {
    let server = Server::start().await;
    let ada = server.client().register("ada@example.com").await;
    ada.create_organization("acme").await;
    (server, ada)
}

/// That she can still read and write.
async fn goes_on(ada: &Client) {
    let projects = "/api/v1/organizations/acme/projects";
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let code = format!("NEXT-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    let made = ada.post(projects, json!({ "code": code, "name": "Next" })).await;
    made.expect(201);
    ada.get(made.header("location").unwrap()).await.expect(200);
}
