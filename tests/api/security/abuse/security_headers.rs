//! The security headers for browsers, on every kind of answer.

use insula_tests::{Builder, Reply, Server, TestEnv, eventually};
use serde_json::json;

use super::count;

const NOTHING: &str = "default-src 'none'; frame-ancestors 'none'";
const YEAR: &str = "max-age=31536000; includeSubDomains";

/// How it runs: its name, its settings, and whether users reach it by https.
fn installations() -> [(&'static str, Builder, bool); 4] {
    let production = || {
        Server::builder()
            .env("INSULA_ENVIRONMENT", "production")
            .env("INSULA_SECRET_KEY", "qTzv8Yp1mS4kXw7RbN0cEu3HdJ6LfGaV")
            .env("INSULA_PUBLIC_URL", "https://insula.example")
            .env("INSULA_MIGRATE_ON_START", "true")
            .env("INSULA_REQUIRE_SEPARATE_DATABASE_LOGIN", "false")
    };
    [
        ("development", Server::builder(), false),
        ("development, http", Server::builder().env("INSULA_PUBLIC_URL", "http://insula.example"), false),
        ("development, https", Server::builder().env("INSULA_PUBLIC_URL", "https://insula.example"), true),
        ("production", production().env("INSULA_TRUSTED_ORIGINS", "https://console.example"), true),
    ]
}

/// What every answer says.
fn check(place: &str, reply: &Reply, is_https: bool) {
    for (header, value) in [
        ("x-content-type-options", Some("nosniff")),
        ("x-frame-options", Some("DENY")),
        ("referrer-policy", Some("no-referrer")),
        ("cross-origin-resource-policy", Some("same-origin")),
        ("strict-transport-security", is_https.then_some(YEAR)),
        ("server", None),
        ("x-powered-by", None),
        ("access-control-allow-origin", None),
    ] {
        assert_eq!(reply.header(header), value, "{place}: {header}");
    }
    assert!(reply.header("x-request-id").is_some(), "{place}");
    let policies = reply.headers.get_all("content-security-policy").iter().count();
    assert_eq!(policies, 1, "{place}");
}

#[tokio::test]
async fn every_answer_keeps_browsers_in_bounds_everywhere() {
    let mut answers = 0;
    for (name, builder, is_https) in installations() {
        let server = builder.env("INSULA_LIMIT_RESET", "1/h").start().await;
        let (anybody, ada) = (server.client(), server.client().register("ada@example.com").await);
        ada.create_organization("acme").await;
        let projects = "/api/v1/organizations/acme/projects";
        let forgot = || anybody.post("/api/v1/auth/password/forgot", json!({ "email": "eve@example.com" }));
        forgot().await.expect(202);
        let made = ada.post(projects, json!({ "code": "P", "name": "P" })).await;
        let path = made.header("location").unwrap().to_owned();
        let tag = made.header("etag").unwrap().to_owned();
        let of_api = [
            (201, made),
            (200, ada.get(&path).await),
            (304, ada.get(&path).header("if-none-match", &tag).await),
            (400, ada.request("POST", projects).body("application/json", "{").await),
            (401, anybody.get(&path).await),
            (404, ada.get("/api/v1/nowhere").await),
            (405, ada.put(projects, json!({})).await),
            (409, ada.post(projects, json!({ "code": "P", "name": "P" })).await),
            (412, ada.delete(&path).header("if-match", "\"9\"").await),
            (413, ada.request("POST", projects).body("application/json", vec![b' '; (1 << 20) + 1]).await),
            (415, ada.request("POST", projects).body("text/plain", "x").await),
            (422, ada.post(projects, json!({})).await),
            (429, forgot().await),
            (204, ada.delete(&path).await),
        ];
        for (status, reply) in &of_api {
            let place = format!("{name}: {status}");
            assert_eq!(reply.status, *status, "{place}");
            check(&place, reply, is_https);
            assert_eq!(reply.header("cache-control"), Some("no-store"), "{place}");
            assert_eq!(reply.header("content-security-policy"), Some(NOTHING), "{place}");
            for (header, of) in [("www-authenticate", 401), ("allow", 405), ("retry-after", 429)] {
                assert_eq!(reply.header(header).is_some(), *status == of, "{place}: {header}");
            }
        }
        assert_eq!(of_api[6].1.header("allow"), Some("GET, HEAD, POST"));
        answers += of_api.len() + pages(name, &server, is_https).await;
    }
    count("answers", answers);
}

/// What is no part of the API; how much of it there is.
async fn pages(name: &str, server: &Server, is_https: bool) -> usize {
    let anybody = server.client();
    let shown =
        ["/", "/o/acme", "/developers", "/problems", "/problems/not-found", "/verify", "/reset", "/accept"];
    let documents = ["/docs/", "/redoc/"];
    let parts =
        ["/links/page.js", "/links/accept.js", "/links/links.js", "/links/links.css", "/docs/start.js"];
    for path in shown.iter().chain(&documents).chain(&parts) {
        let (place, reply) = (format!("{name}: {path}"), anybody.get(path).await);
        assert_eq!(reply.status, 200, "{place}");
        check(&place, &reply, is_https);
        assert_eq!(reply.header("cross-origin-opener-policy"), Some("same-origin"), "{place}");
        let policy = reply.header("content-security-policy").unwrap();
        for rule in ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"] {
            assert!(policy.contains(rule), "{place}: {policy}");
        }
        assert!(!policy.contains("unsafe") && !policy.contains('*'), "{place}: {policy}");
        if shown.contains(path) {
            assert!(policy.contains("require-trusted-types-for 'script'"), "{place}: {policy}");
        }
    }
    for path in ["/livez", "/healthz", "/health", "/readyz", "/version", "/.well-known/jwks.json", "/nowhere"]
    {
        let (place, reply) = (format!("{name}: {path}"), anybody.get(path).await);
        check(&place, &reply, is_https);
        assert_eq!(reply.header("content-security-policy"), Some(NOTHING), "{place}");
    }
    shown.len() + documents.len() + parts.len() + 7
}

/// What each kind of answer says of content in each mode; what a proxy in front says is its own affair.
#[tokio::test]
async fn how_much_a_page_may_do_is_a_setting() {
    const PAGE: &str = "default-src 'none'; script-src 'self'; ";
    let relaxed =
        ["style-src 'self' 'unsafe-inline'", "img-src 'self' data: https:", "frame-ancestors 'self'"];
    for mode in ["strict", "relaxed", "disabled"] {
        let server = Server::builder().env("INSULA_CSP_MODE", mode).start().await;
        let anybody = server.client();
        for path in ["/", "/verify", "/accept", "/links/page.js", "/docs/", "/docs/start.js"] {
            let (place, reply) = (format!("{mode}: {path}"), anybody.get(path).await);
            assert_eq!(reply.header("cross-origin-opener-policy"), Some("same-origin"), "{place}");
            let Some(policy) = reply.header("content-security-policy") else {
                assert_eq!(mode, "disabled", "{place}");
                continue;
            };
            assert!(mode != "disabled" && policy.starts_with(PAGE), "{place}: {policy}");
            assert!(!policy.contains("script-src 'self' ") && !policy.contains('*'), "{place}: {policy}");
            for rule in relaxed {
                assert_eq!(policy.contains(rule), mode == "relaxed", "{place}: {policy}");
            }
            let trusts = policy.contains("require-trusted-types-for 'script'");
            assert_eq!(trusts, mode == "strict" && !path.starts_with("/docs"), "{place}: {policy}");
        }
        for path in ["/livez", "/api/v1/nowhere", "/nowhere"] {
            let policy = anybody.get(path).await.header("content-security-policy").map(str::to_owned);
            assert_eq!(policy.as_deref(), (mode != "disabled").then_some(NOTHING), "{mode}: {path}");
        }
        // The mailbox of development frames what strangers wrote: that is kept in bounds in every mode.
        anybody.register("ada@example.com").await;
        let kept = async || anybody.get("/dev/mail").header("accept", "application/json").await.expect(200);
        eventually("a mail is kept", async || kept().await["data"][0].is_object()).await;
        let mail = format!("/dev/mail/{}", kept().await["data"][0]["id"].as_str().unwrap());
        let mail = anybody.get(&mail).await;
        assert!(mail.header("content-security-policy").unwrap().contains("sandbox allow-popups"), "{mode}");
        let folder = anybody.get("/dev/mail").header("accept", "text/html").await;
        assert_eq!(folder.header("content-security-policy").is_some(), mode != "disabled");
    }
    let place = TestEnv::new().await;
    let refused = place.insula(&["config", "check"], &[("INSULA_CSP_MODE", "lax")]);
    assert_eq!(refused.status.code(), Some(78));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("INSULA_CSP_MODE") && said.contains("`strict`, `relaxed` or `disabled`"), "{said}");
}
