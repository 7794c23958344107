//! Repeated headers are refused where they matter, because a proxy may have used the other one.

use insula_tests::{Client, OrgWithOwner};
use serde_json::json;

/// What a request with these header lines is answered, and which header it names.
async fn ask(acme: &OrgWithOwner, who: &Client, method: &str, lines: &str) -> (u16, String) {
    let body = json!({ "code": "P", "name": "P" }).to_string();
    let head = format!(
        "{method} {} HTTP/1.1\r\nhost: a\r\nconnection: close\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n{lines}\r\n",
        acme.path("/projects"),
        who.token(),
        body.len()
    );
    let reply = acme.raw(format!("{head}{body}")).await;
    let named = reply.json()["errors"].as_array().map(|errors| {
        errors
            .iter()
            .map(|error| {
                assert_eq!(error["code"], "NOT_UNIQUE", "{error}");
                error["field"].as_str().unwrap().to_owned()
            })
            .collect::<Vec<_>>()
            .join(" ")
    });
    if reply.status == 400 {
        reply.problem(400, "BAD_REQUEST");
    }
    (reply.status, named.unwrap_or_default())
}

#[tokio::test]
async fn a_repeated_header_that_decides_something_is_refused() {
    let acme = OrgWithOwner::start().await;
    let (ada, superuser) = (&acme.owner, acme.superuser().await);
    let projects = format!("SELECT count(*) FROM projects WHERE {}", acme.own_rows());
    for (name, one, other) in [
        ("X-Platform-Access", "Ticket 4711", "Ticket 4712"),
        ("X-Platform-Access", "Ticket 4711", "Ticket 4711"),
        ("X-Platform-Access", "Ticket 4711", ""),
        ("X-CSRF-Token", "a", "b"),
        ("Idempotency-Key", "a", "b"),
        ("Origin", "https://a.example", "https://b.example"),
        ("Sec-Fetch-Site", "same-origin", "cross-site"),
        ("Access-Control-Request-Method", "GET", "POST"),
    ] {
        let lines = format!("{name}: {one}\r\n{}: {other}\r\n", name.to_lowercase());
        for who in [ada, &superuser] {
            for method in ["GET", "POST"] {
                assert_eq!(ask(&acme, who, method, &lines).await, (400, name.to_owned()), "{lines}");
            }
        }
    }
    // Nothing was looked at, and nothing written down.
    assert_eq!(acme.event_details("platform.access").await.len(), 0);
    assert_eq!(acme.database().await.scalar(&projects).await, 0);
    let both = "x-csrf-token: a\r\nidempotency-key: k\r\nx-csrf-token: a\r\nidempotency-key: k\r\n";
    assert_eq!(ask(&acme, ada, "POST", both).await, (400, "X-CSRF-Token Idempotency-Key".to_owned()));
    let once = "x-platform-access: Ticket 4711\r\nidempotency-key: k\r\n";
    assert_eq!(ask(&acme, &superuser, "POST", once).await.0, 201);
    assert_eq!(acme.event_details("platform.access").await.len(), 1);
}
