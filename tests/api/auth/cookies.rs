//! Tokens in cookies: no script can read them, and no other page can forge a request.

use std::sync::Arc;

use insula_tests::{Browser, Client, Server, SharedServer, set_cookies, unique};
use serde_json::json;
use tokio::sync::OnceCell;

const ME: &str = "/api/v1/users/me";
const ORGANIZATIONS: &str = "/api/v1/organizations";
const HTTPS: &str = "https://insula.example";

/// A server that users reach at `https://insula.example`, where Ada has an account.
async fn https() -> SharedServer {
    static SHARED: OnceCell<Arc<Server>> = OnceCell::const_new();
    let builder = Server::builder().env("INSULA_PUBLIC_URL", HTTPS);
    let server = SharedServer::start_once(&SHARED, builder).await;
    server.register("ada").await;
    server
}

/// The same with another setting.
async fn https_with(name: &str, value: &str) -> SharedServer {
    let server = Server::builder().env("INSULA_PUBLIC_URL", HTTPS).env(name, value).start().await;
    let server = SharedServer::from(server);
    server.register("ada").await;
    server
}

async fn ada(server: &SharedServer) -> Browser {
    Browser::log_in(&server.client(), HTTPS, &server.email("ada")).await.0
}

fn acme() -> serde_json::Value {
    json!({ "name": "Acme", "slug": unique("acme") })
}

#[tokio::test]
async fn cookies_are_named_and_kept_as_scheme_and_domain_allow() {
    let plain = Server::shared().await;
    plain.register("ada").await;
    let domain = https_with("INSULA_COOKIE_DOMAIN", "insula.example").await;
    for (server, origin, prefix, end) in [
        (&plain, plain.url(""), "", ""),
        (&https().await, HTTPS.to_owned(), "__Host-", "; Secure"),
        (&domain, HTTPS.to_owned(), "__Secure-", "; Domain=insula.example; Secure"),
    ] {
        let (browser, reply) = Browser::log_in(&server.client(), &origin, &server.email("ada")).await;
        let body = reply.json();
        assert_eq!(body["csrf_token"], browser.cookie("csrf"));
        assert!(body.get("access_token").is_none() && body.get("refresh_token").is_none(), "{body}");
        for (name, attributes) in [
            ("at", "; Max-Age=900; HttpOnly; SameSite=Lax; Path=/"),
            ("rt", "; Max-Age=604800; HttpOnly; SameSite=Strict; Path=/"),
            ("csrf", "; Max-Age=604800; SameSite=Strict; Path=/"),
            ("dt", "; Max-Age=2592000; HttpOnly; SameSite=Strict; Path=/"),
        ] {
            let expected = format!("{prefix}{name}={}{attributes}{end}", browser.cookie(name));
            assert!(set_cookies(&reply).contains(&expected), "{expected}\n{:?}", set_cookies(&reply));
        }
        browser.forged("GET", ME).await.expect(200);
    }
}

#[tokio::test]
async fn a_bearer_gets_no_cookies() {
    let server = https().await;
    let who = json!({ "email": server.email("ada"), "password": insula_tests::PASSWORD });
    let reply = server.client().post("/api/v1/auth/login", who).await;
    assert!(set_cookies(&reply).is_empty());
    assert!(reply.expect(200).get("csrf_token").is_none());
}

#[tokio::test]
async fn what_changes_something_needs_the_csrf_token_of_the_session() {
    let server = https().await;
    let (ada, other) = (ada(&server).await, ada(&server).await);
    let refused = async |request: insula_tests::Request| {
        let reply = request.await;
        reply.problem(403, "CSRF_FAILED");
        reply.faults()
    };
    let draft = acme();
    let create = || ada.forged("POST", ORGANIZATIONS).json(draft.clone());
    assert_eq!(refused(create()).await, ["X-CSRF-Token REQUIRED"]);
    for wrong in [other.cookie("csrf"), "", "x", ada.cookie("rt"), &ada.cookie("csrf")[1..]] {
        assert_eq!(refused(create().header("x-csrf-token", wrong)).await, ["X-CSRF-Token INVALID"]);
    }
    // It comes before everything a body could tell.
    refused(ada.forged("POST", ORGANIZATIONS).body("text/plain", "x")).await;
    refused(ada.forged("DELETE", "/api/v1/users/me/sessions")).await;
    refused(ada.forged("POST", "/api/v1/organizations/nowhere/projects").json(json!({}))).await;
    ada.post(ORGANIZATIONS, draft).await.expect(201);
    let teams = format!(
        "SELECT count(*) FROM organizations WHERE kind = 'team' AND id IN
         (SELECT organization_id FROM members WHERE user_id IN {})",
        server.own_users()
    );
    assert_eq!(server.database().await.scalar(&teams).await, 1);
}

#[tokio::test]
async fn what_changes_something_must_come_from_a_page_of_ours() {
    let server = https_with("INSULA_TRUSTED_ORIGINS", "https://console.example, https://admin.example").await;
    let ada = ada(&server).await;
    for foreign in
        ["https://evil.example", "http://insula.example", "null", "https://insula.example:8443", ""]
    {
        let page = ada.on_page_of(foreign);
        page.post(ORGANIZATIONS, acme())
            .header("sec-fetch-site", "cross-site")
            .await
            .problem(403, "CSRF_FAILED");
        let reply = page.post(ORGANIZATIONS, acme()).await;
        reply.problem(403, "CSRF_FAILED");
        assert_eq!(reply.faults(), ["Origin NOT_ALLOWED"]);
        // To look is harmless: no page of others can read the answer.
        page.forged("GET", ME).await.expect(200);
    }
    ada.on_page_of("https://console.example").post(ORGANIZATIONS, acme()).await.expect(201);
    let admin = ada.on_page_of("https://evil.example").request("DELETE", "/api/v1/users/me/sessions");
    // Browsers say so themselves; a page cannot.
    admin.header("sec-fetch-site", "same-origin").await.expect(204);
}

#[tokio::test]
async fn a_page_of_another_origin_cannot_log_in_or_register() {
    let server = https().await;
    let evil = server.client().with("origin", "https://evil.example");
    let who = json!({ "email": server.email("ada"), "password": insula_tests::PASSWORD });
    evil.post("/api/v1/auth/login", who.clone()).await.problem(403, "CSRF_FAILED");
    let new = json!({ "email": server.email("eve"), "password": insula_tests::PASSWORD });
    evil.post("/api/v1/auth/register", new).await.problem(403, "CSRF_FAILED");
    // A program says nothing of where it comes from, and keeps no cookies.
    let mut by_cookie = who;
    by_cookie["transport"] = json!("cookie");
    let reply = server.client().post("/api/v1/auth/login", by_cookie).await;
    reply.problem(403, "CSRF_FAILED");
    assert_eq!(reply.faults(), ["Origin REQUIRED"]);
}

#[tokio::test]
async fn where_header_and_cookie_are_sent_the_header_counts() {
    let server = https().await;
    let ada = ada(&server).await;
    let eve = server.register("eve").await;
    let both = ada.forged("GET", ME).bearer(eve.token());
    assert_eq!(both.await.expect(200)["email"], server.email("eve"));
    ada.forged("GET", ME).bearer("x").await.problem(401, "INVALID_TOKEN");
    // Then nothing else is needed.
    ada.forged("POST", ORGANIZATIONS).json(acme()).bearer(eve.token()).await.expect(201);
}

#[tokio::test]
async fn only_a_cookie_that_no_other_host_can_set_is_read() {
    let server = https().await;
    let token = ada(&server).await.cookie("at").to_owned();
    let cookie = |line: String| server.client().get(ME).header("cookie", &line);
    cookie(format!("__Host-at={token}")).await.expect(200);
    for name in ["at", "__Secure-at", "__host-at", "x__Host-at"] {
        cookie(format!("{name}={token}")).await.problem(401, "UNAUTHENTICATED");
    }
    cookie(format!("__Host-at={token}; __Host-at={token}")).await.problem(401, "UNAUTHENTICATED");
    cookie("__Host-at=x".to_owned()).await.problem(401, "INVALID_TOKEN");
}

/// Another host of the domain may have set it, in whatever bytes. A user who is locked out by it cannot remove it.
#[tokio::test]
async fn a_cookie_of_another_host_does_not_block_the_login() {
    let server = https().await;
    let ada = ada(&server).await;
    let csrf = ada.cookie("csrf");
    for neighbour in [
        "name=Jürgen".as_bytes(),
        b"name=J\xfcrgen",
        b"J\xfcrgen",
        b"=; ;;\xff=\xff",
        b"__Host-at=J\xfcrgen",
        b"__Host-rt=\"a b\"",
    ] {
        let token = |name: &str| format!("__Host-{name}={}", ada.cookie(name));
        let mine = format!("{}; {}", token("at"), token("rt"));
        for cookies in
            [[neighbour, b"; ", mine.as_bytes()].concat(), [mine.as_bytes(), b";", neighbour].concat()]
        {
            let ask = async |line: &str| {
                let head = format!(
                    "{line} HTTP/1.1\r\nhost: a\r\nconnection: close\r\norigin: {HTTPS}\r\nx-csrf-token: {csrf}\r\n\
                     content-length: 0\r\ncookie: "
                );
                server.raw([head.as_bytes(), &cookies, b"\r\n\r\n"].concat()).await.status
            };
            let shown = String::from_utf8_lossy(&cookies);
            assert_eq!(ask(&format!("GET {ME}")).await, 200, "{shown}");
            assert_eq!(ask("DELETE /api/v1/users/me/sessions").await, 204, "{shown}");
            // Again and again within the grace of a refresh.
            assert_eq!(ask("POST /api/v1/auth/refresh").await, 200, "{shown}");
        }
    }
}

#[tokio::test]
async fn a_browser_refreshes_by_its_cookie() {
    let server = https().await;
    let mut ada = ada(&server).await;
    let old = ada.clone();
    // Without Origin, for any user.
    let bare = server.client().request("POST", "/api/v1/auth/refresh");
    bare.header("cookie", &format!("__Host-rt={}", ada.cookie("rt"))).await.problem(403, "CSRF_FAILED");
    let evil = ada.on_page_of("https://evil.example");
    evil.forged("POST", "/api/v1/auth/refresh").await.problem(403, "CSRF_FAILED");

    let reply = ada.forged("POST", "/api/v1/auth/refresh").await;
    assert!(reply.expect(200).get("refresh_token").is_none());
    ada.keep(&reply);
    for name in ["at", "rt", "csrf"] {
        assert_ne!(ada.cookie(name), old.cookie(name), "{name}");
    }
    // An old page of the same session can still act, and a second tab that refreshes gets the same successor.
    old.post(ORGANIZATIONS, acme()).await.expect(201);
    let mut tab = old.clone();
    tab.keep(&old.forged("POST", "/api/v1/auth/refresh").json(json!({})).await);
    assert_eq!(tab.cookie("rt"), ada.cookie("rt"));
}

#[tokio::test]
async fn a_page_that_lost_its_csrf_token_gets_another() {
    let server = https().await;
    let mut ada = ada(&server).await;
    let old = ada.cookie("csrf").to_owned();
    let reply = ada.forged("GET", "/api/v1/auth/csrf").await;
    let csrf_token = reply.expect(200)["csrf_token"].clone();
    ada.keep(&reply);
    assert!(csrf_token == ada.cookie("csrf") && csrf_token != old.as_str());
    ada.post(ORGANIZATIONS, acme()).await.expect(201);
    server.client().get("/api/v1/auth/csrf").await.problem(401, "UNAUTHENTICATED");
}

#[tokio::test]
async fn a_logout_deletes_the_cookies() {
    let server = https().await;
    for path in ["/api/v1/auth/logout", "/api/v1/auth/logout-all"] {
        let mut ada = ada(&server).await;
        let before = ada.clone();
        ada.forged("POST", path).await.problem(403, "CSRF_FAILED");
        let reply = ada.request("POST", path).await;
        reply.expect(204);
        ada.keep(&reply);
        // What stays opens nothing; by that the browser is known again.
        assert_eq!((before.cookies(), ada.cookies()), (4, 1));
        ada.forged("GET", ME).await.problem(401, "UNAUTHENTICATED");
        assert!(!ada.cookie("dt").is_empty());
        before.forged("GET", ME).await.problem(401, "INVALID_TOKEN");
        before.forged("POST", "/api/v1/auth/refresh").await.problem(401, "INVALID_TOKEN");
    }
    let bearer: Client = server.client().log_in(&server.email("ada"), insula_tests::PASSWORD).await;
    assert!(set_cookies(&bearer.request("POST", "/api/v1/auth/logout").await).is_empty());
}
