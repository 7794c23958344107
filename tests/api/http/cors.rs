//! Cross-origin requests: only listed origins may send them and read the answers, with cookies.

use std::sync::Arc;

use insula_tests::{Browser, Client, OrgWithOwner, Reply, Server, SharedServer};
use reqwest::header::HeaderName;
use serde_json::json;
use tokio::sync::OnceCell;

const ME: &str = "/api/v1/users/me";
const PROJECTS: &str = "/api/v1/organizations/{org}/projects";
const CONSOLE: &str = "https://console.example";

/// Where two origins are listed, and Ada has an organization.
async fn start() -> OrgWithOwner {
    static SHARED: OnceCell<Arc<Server>> = OnceCell::const_new();
    let builder = Server::builder()
        .env("INSULA_PUBLIC_URL", "https://insula.example")
        .env("INSULA_TRUSTED_ORIGINS", "https://console.example, http://localhost:5173");
    OrgWithOwner::on_shared(SharedServer::start_once(&SHARED, builder).await).await
}

/// What a browser asks before a page of `origin` may send `method`.
async fn asked_before(client: &Client, origin: &str, method: &str, path: &str) -> Reply {
    let asked = client.request("OPTIONS", path).header("origin", origin);
    let asked = asked.header("access-control-request-method", method);
    asked.header("access-control-request-headers", "authorization,content-type,x-csrf-token").await
}

fn allowed(reply: &Reply) -> Vec<&str> {
    let names = reply.headers.keys().map(HeaderName::as_str);
    names.filter(|name| name.starts_with("access-control-")).collect()
}

fn readable<'a>(reply: &'a Reply) -> (Option<&'a str>, Option<&'a str>, bool) {
    let value = |name: &str| -> Option<&'a str> { reply.header(name) };
    let varies = reply.headers.get_all("vary").iter().any(|value| value == "Origin");
    (value("access-control-allow-origin"), value("access-control-allow-credentials"), varies)
}

#[tokio::test]
async fn a_listed_page_may_ask_what_a_path_has() {
    let server = start().await;
    for (origin, method, path, methods) in [
        (CONSOLE, "GET", ME, "DELETE, GET, HEAD, PATCH"),
        (CONSOLE, "PATCH", ME, "DELETE, GET, HEAD, PATCH"),
        ("http://localhost:5173", "POST", PROJECTS, "GET, HEAD, POST"),
        // Preflight answers do not tell whether a project exists.
        (
            CONSOLE,
            "DELETE",
            &*format!("{PROJECTS}/0190b3a0-7c1e-7d2a-9f00-3a5c6e7f8091"),
            "DELETE, GET, HEAD, PATCH",
        ),
        (CONSOLE, "POST", "/api/v1/auth/login", "POST"),
    ] {
        let reply = asked_before(&server.client(), origin, method, path).await;
        assert_eq!((reply.status, reply.text()), (204, ""), "{method} {path}");
        assert_eq!(readable(&reply), (Some(origin), Some("true"), true));
        assert_eq!(reply.header("access-control-allow-methods"), Some(methods));
        assert_eq!(reply.header("access-control-max-age"), Some("600"));
        let headers = reply.header("access-control-allow-headers").unwrap();
        for header in [
            "authorization",
            "content-type",
            "idempotency-key",
            "if-match",
            "if-none-match",
            "x-csrf-token",
            "x-platform-access",
        ] {
            assert!(headers.split(", ").any(|allowed| allowed == header), "{header}: {headers}");
        }
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
    }
}

#[tokio::test]
async fn another_page_reads_nothing() {
    let server = start().await;
    for origin in [
        "https://evil.example",
        "https://console.example.evil.example",
        "https://evilconsole.example",
        "https://sub.console.example",
        "https://console.example:8443",
        "https://console.example/",
        "https://CONSOLE.example",
        "http://console.example",
        "http://localhost",
        "https://insula.example",
        "null",
        "*",
        "",
    ] {
        let reply = asked_before(&server.client(), origin, "GET", ME).await;
        reply.problem(405, "METHOD_NOT_ALLOWED");
        assert!(allowed(&reply).is_empty(), "{origin}: {:?}", allowed(&reply));
        let reply = server.client().get(ME).header("origin", origin).await;
        reply.problem(401, "UNAUTHENTICATED");
        assert_eq!((allowed(&reply).len(), readable(&reply).2), (0, true), "{origin}");
    }
    let two = format!("origin: {CONSOLE}\r\norigin: https://evil.example\r\n");
    assert!(allowed(&server.raw_get(ME, &two).await).is_empty());
    for (method, path, status) in [
        ("PUT", ME, 405),
        ("get", ME, 405),
        ("", ME, 405),
        ("*", ME, 405),
        ("GET, PATCH", ME, 405),
        ("GET", "/api/v1/nowhere", 404),
        ("GET", "/api/v1//users/me", 404),
        ("GET", "/livez", 405),
        ("GET", "/nowhere", 404),
    ] {
        let reply = asked_before(&server.client(), CONSOLE, method, path).await;
        assert_eq!(reply.status, status, "{method} {path}");
        assert_eq!(reply.header("access-control-allow-methods"), None, "{method} {path}");
    }
    // Without the question it is a method like any other.
    let plain = server.client().request("OPTIONS", ME).header("origin", CONSOLE).await;
    plain.problem(405, "METHOD_NOT_ALLOWED");
}

#[tokio::test]
async fn a_listed_page_sends_cookies_and_reads_answers() {
    let server = start().await;
    let (ada, reply) = Browser::log_in(&server.client(), CONSOLE, &server.email("ada")).await;
    assert_eq!(readable(&reply), (Some(CONSOLE), Some("true"), true));
    let made = ada.post(PROJECTS, json!({ "code": "P", "name": "P" })).await;
    made.expect(201);
    let path = made.header("location").unwrap().to_owned();
    for (status, reply) in [
        (201, made),
        (200, ada.forged("GET", &path).await),
        (401, server.client().get(ME).header("origin", CONSOLE).await),
        (403, ada.forged("DELETE", &path).await),
        (404, ada.forged("GET", &format!("{path}x")).await),
        (422, ada.post(PROJECTS, json!({})).await),
        (413, ada.request("POST", PROJECTS).body("application/json", vec![b' '; (1 << 20) + 1]).await),
    ] {
        assert_eq!(reply.status, status);
        assert_eq!(readable(&reply), (Some(CONSOLE), Some("true"), true), "{status}");
        assert_eq!(
            reply.header("access-control-expose-headers"),
            Some(
                "Allow, Content-Disposition, ETag, Idempotency-Replayed, Link, Location, RateLimit, RateLimit-Policy, Retry-After, \
                 WWW-Authenticate, X-Insula-Version, X-Request-Id, X-Total-Count"
            )
        );
    }
    let document = server.client().get("/api/v1/openapi.json").header("origin", CONSOLE).await;
    assert_eq!(readable(&document), (Some(CONSOLE), Some("true"), true));
    // Pages and probes are for those who open them.
    for outside in ["/livez", "/verify", "/docs/", "/dev/mail"] {
        let reply = server.client().get(outside).header("origin", CONSOLE).await;
        assert_eq!((allowed(&reply).len(), readable(&reply).2), (0, false), "{outside}");
    }
}

/// What the document says of an answer is nothing to a page that cannot read it.
#[tokio::test]
async fn a_listed_page_reads_every_header_that_is_documented() {
    let server = start().await;
    let document = server.client().get("/api/v1/openapi.json").header("origin", CONSOLE).await;
    let exposed = document.header("access-control-expose-headers").unwrap().split(", ").collect::<Vec<_>>();
    let document = document.json();
    let paths =
        document["paths"].as_object().unwrap().values().flat_map(|path| path.as_object().unwrap().values());
    let answers = paths.flat_map(|operation| operation["responses"].as_object().unwrap().values());
    let shared = document["components"]["responses"].as_object().unwrap().values();
    let headers = answers.chain(shared).filter_map(|answer| answer["headers"].as_object());
    let mut names: Vec<_> = headers.flat_map(|headers| headers.keys()).collect();
    names.sort();
    names.dedup();
    assert!(names.len() >= 8, "{names:?}");
    for name in names {
        assert!(exposed.contains(&&**name), "{name}: {exposed:?}");
    }
    let ada = server.client().log_in(&server.email("ada"), insula_tests::PASSWORD).await;
    let export =
        ada.get("/api/v1/organizations/{org}/exports/audit-events.jsonl").header("origin", CONSOLE).await;
    assert!(export.header("content-disposition").is_some() && exposed.contains(&"Content-Disposition"));
}

#[tokio::test]
async fn without_a_list_there_is_no_such_page() {
    let server = Server::shared().await;
    for origin in [CONSOLE, &*server.url("")] {
        let reply = asked_before(&server.client(), origin, "GET", ME).await;
        reply.problem(405, "METHOD_NOT_ALLOWED");
        let read = server.client().get(ME).header("origin", origin).await;
        assert!(allowed(&reply).is_empty() && allowed(&read).is_empty());
        assert!(!readable(&read).2 && !readable(&reply).2);
    }
}

#[tokio::test]
async fn a_page_reads_that_it_asks_too_often() {
    let server = Server::builder()
        .env("INSULA_TRUSTED_ORIGINS", CONSOLE)
        .env("INSULA_LIMIT_ADDRESS", "1/h")
        .start()
        .await;
    let ask = || server.client().get(ME).header("origin", CONSOLE);
    ask().await;
    let refused = ask().await;
    refused.problem(429, "RATE_LIMITED");
    assert_eq!(readable(&refused), (Some(CONSOLE), Some("true"), true));
    assert!(refused.header("retry-after").is_some());
}

/// Preflight requests count towards the rate limit.
#[tokio::test]
async fn preflight_requests_are_counted_by_ip_address() {
    let listed = Server::builder().env("INSULA_TRUSTED_ORIGINS", CONSOLE);
    let server = listed.env("INSULA_LIMIT_ADDRESS", "2/h").start().await;
    for left in [1, 0] {
        let reply = asked_before(&server.client(), CONSOLE, "GET", ME).await;
        assert_eq!((reply.status, readable(&reply).0), (204, Some(CONSOLE)));
        let counted = reply.header("ratelimit").unwrap();
        assert!(counted.contains(&format!(r#""address";r={left};"#)), "{counted}");
    }
    let reply = asked_before(&server.client(), CONSOLE, "GET", ME).await;
    reply.problem(429, "RATE_LIMITED");
    assert_eq!((readable(&reply).0, reply.header("access-control-allow-methods")), (Some(CONSOLE), None));
    server.client().get(ME).await.problem(429, "RATE_LIMITED");
}
