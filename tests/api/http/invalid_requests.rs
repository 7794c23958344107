//! Requests that are invalid before their body: paths, methods, headers and lines.

use std::collections::{BTreeMap, BTreeSet};

use insula_tests::{Client, Operation, OrgWithOwner, PASSWORD, Server};
use serde_json::json;

const ID: &str = "0190b3a0-7c1e-7d2a-9f00-3a5c6e7f8091";

/// An organization with one project, its owner, and the path of the project.
async fn with_project() -> (OrgWithOwner, Client, String) {
    project_in(OrgWithOwner::start().await).await
}

async fn project_in(acme: OrgWithOwner) -> (OrgWithOwner, Client, String) {
    let (ada, projects) = (acme.owner.clone(), acme.path("/projects"));
    let made = ada.post(&projects, json!({ "code": "P", "name": "P" })).await.expect(201);
    let path = format!("{projects}/{}", made["id"].as_str().unwrap());
    (acme, ada, path)
}

async fn operations(server: &Server) -> Vec<Operation> {
    Operation::all(&server.client().get("/api/v1/openapi.json").await.expect(200))
}

#[tokio::test]
async fn a_path_has_one_spelling() {
    let (server, ada, path) = with_project().await;
    let slug = &*server.slug;
    let token = format!("authorization: Bearer {}\r\n", ada.token());
    let project = server.raw_get(&path, &token).await.expect(200);
    let org_id = project["organization_id"].as_str().unwrap();
    let id = path.rsplit('/').next().unwrap();
    let (org, respelled) = (server.path(""), |from: &str, to: &str| path.replace(from, to));
    let mut accepted = Vec::new();
    for other in [
        format!("{path}/"),
        format!("/{path}"),
        respelled("/projects", "//projects"),
        respelled("/projects", "/./projects"),
        respelled("/projects", "/x/../projects"),
        format!("{path}/.."),
        format!("{path}/."),
        respelled("/projects/", "%2fprojects/"),
        respelled("/projects/", "%2Fprojects/"),
        respelled("/projects/", "/projects%2f"),
        respelled("/projects/", "\\projects/"),
        respelled("/projects/", "/%70rojects/"),
        respelled("/projects", "/Projects"),
        respelled("/projects", "/projects%00"),
        respelled("/projects", "/projects;x=1"),
        respelled(slug, &slug.to_uppercase()),
        respelled(slug, &org_id.to_uppercase()),
        respelled(slug, &org_id.replace('-', "")),
        respelled(slug, &slug.replace("acme", "acm%65")),
        respelled(slug, &format!("{slug}%00")),
        respelled(slug, "%zz"),
        respelled(slug, "%"),
        respelled(slug, "%c3%28"),
        respelled(slug, ""),
        respelled(slug, "."),
        respelled("/api/v1", "/api/V1"),
        respelled("/api/v1", "/API/v1"),
        respelled("/api/v1", ""),
        respelled("/api/v1", "/api/v2"),
        respelled(id, &id.to_uppercase()),
        respelled(id, &id.replace('-', "")),
        respelled(id, &format!("%7b{id}%7d")),
        respelled(id, &format!("urn:uuid:{id}")),
        respelled(id, &id[1..]),
        respelled(id, &format!("{id}%00")),
        respelled(id, "1"),
        respelled(id, "-1"),
        respelled(id, "null"),
        respelled(id, ID),
        format!("{org}/"),
        format!("{org}/nothing"),
        format!("{org}%20"),
        "/healthz/".to_owned(),
        "//healthz".to_owned(),
        "/Healthz".to_owned(),
        "/%68ealthz".to_owned(),
        "/docs/../healthz".to_owned(),
        "/docs/..%2f..%2fetc/passwd".to_owned(),
        "/docs/nothing".to_owned(),
        "/nothing".to_owned(),
        "/api".to_owned(),
        "/api/v1".to_owned(),
        "/api/v1/".to_owned(),
        "/.env".to_owned(),
    ] {
        match server.raw_get(&other, &token).await {
            reply if reply.status == 404 => drop(reply.problem(404, "NOT_FOUND")),
            reply => accepted.push((reply.status, other)),
        }
    }
    assert!(accepted.is_empty(), "{accepted:#?}");
}

#[tokio::test]
async fn a_path_says_which_methods_it_has() {
    let server = Server::shared().await;
    let mut paths = BTreeMap::<String, BTreeSet<String>>::new();
    for operation in operations(&server).await {
        let methods = paths.entry(operation.path_with(|_| ID.to_owned())).or_default();
        methods.insert(operation.method);
    }
    for outside in [
        "/healthz",
        "/health",
        "/livez",
        "/readyz",
        "/version",
        "/.well-known/jwks.json",
        "/docs/",
        "/api/v1/openapi.json",
    ] {
        paths.entry(outside.to_owned()).or_default().insert("GET".to_owned());
    }
    for (path, mut methods) in paths {
        if methods.contains("GET") {
            methods.insert("HEAD".to_owned());
        }
        let allow = methods.iter().cloned().collect::<Vec<_>>().join(", ");
        let others = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW", "get"];
        for other in others.into_iter().filter(|other| !methods.contains(*other)) {
            let reply = server.client().request(other, &path).await;
            reply.problem(405, "METHOD_NOT_ALLOWED");
            assert_eq!(reply.header("allow"), Some(&*allow), "{other} {path}");
        }
    }
}

#[tokio::test]
async fn head_answers_as_get_does_without_a_body() {
    let (server, ada, path) = with_project().await;
    let list = path.rsplit_once('/').unwrap().0;
    for path in [
        &*path,
        list,
        "/api/v1/users/me",
        &*server.path(""),
        "/healthz",
        "/readyz",
        "/docs/",
        "/nowhere",
        "/api/v1/openapi.json",
    ] {
        let (get, head) = (ada.get(path).await, ada.request("HEAD", path).await);
        assert_eq!((head.status, head.text()), (get.status, ""), "{path}");
        for header in ["content-type", "etag", "cache-control", "content-security-policy"] {
            assert_eq!(head.header(header), get.header(header), "{path}");
        }
    }
}

#[tokio::test]
async fn an_unknown_parameter_is_refused_and_the_document_says_so() {
    let (server, _, path) = project_in(OrgWithOwner::alone().await).await;
    // Who may ask everything: others learn of what only superusers ask that they may not.
    server.database().await.execute("UPDATE users SET is_superuser = true").await;
    let ada = server.client().log_in("ada@example.com", PASSWORD).await;
    let id = path.rsplit('/').next().unwrap();
    let mut undocumented = Vec::new();
    for operation in operations(&server).await {
        let path = operation.path_with(|name| if name == "org" { &*server.slug } else { id }.to_owned());
        let reply = operation.request(&ada, &format!("{path}?surprise=1")).await;
        reply.problem(422, "VALIDATION_FAILED");
        // Nor is anything else wrong, but for what must be there.
        let faults: Vec<_> =
            reply.faults().into_iter().filter(|fault| !fault.ends_with(" REQUIRED")).collect();
        assert_eq!(faults, ["surprise UNKNOWN_FIELD"], "{}", operation.id);
        if !operation.answers.contains(&422) {
            undocumented.push(operation.id);
        }
    }
    assert_eq!(undocumented, Vec::<String>::new(), "these do not document 422");
}

#[tokio::test]
async fn a_request_keeps_a_sane_name_and_gets_one_otherwise() {
    let server = Server::shared().await;
    for path in ["/healthz", "/api/v1/users/me", "/nowhere"] {
        let named = |id: &str| server.client().get(path).header("x-request-id", id);
        for sane in ["a", "req-1.A_b", &*"x".repeat(128)] {
            assert_eq!(named(sane).await.header("x-request-id"), Some(sane));
        }
        for other in ["", "a b", "a/b", "<script>", "ä", "\"", &*"x".repeat(129)] {
            let reply = named(other).await;
            let given = reply.header("x-request-id").unwrap();
            assert!(
                given.len() == 32 && given.bytes().all(|byte| byte.is_ascii_hexdigit()),
                "{other:?} {given}"
            );
        }
    }
    let reply = server.client().get("/nowhere").header("x-request-id", "mine").await;
    assert_eq!(reply.problem(404, "NOT_FOUND")["request_id"], "mine");
}

#[tokio::test]
async fn every_answer_keeps_browsers_in_bounds() {
    let (_server, ada, path) = with_project().await;
    for path in [&*path, "/healthz", "/nowhere", "/docs/", "/api/v1/openapi.json"] {
        let reply = ada.get(path).await;
        for (header, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(reply.header(header), Some(value), "{path}");
        }
        let policy = reply.header("content-security-policy").unwrap();
        assert!(
            policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
            "{policy}"
        );
        assert!(!policy.contains("unsafe"), "{policy}");
        assert!(reply.header("access-control-allow-origin").is_none(), "{path}");
        assert!(reply.header("server").is_none(), "{path}");
    }
    assert_eq!(ada.get(&path).await.header("cache-control"), Some("no-store"));
}

#[tokio::test]
async fn no_answer_leads_to_the_host_that_a_client_names() {
    let (_server, ada, path) = with_project().await;
    let poisoned = ["x-forwarded-host", "x-forwarded-proto", "forwarded", "x-original-url", "x-rewrite-url"]
        .iter()
        .fold(ada.with("host", "evil.example"), |caller, header| caller.with(header, "evil.example"));
    let list = path.rsplit_once('/').unwrap().0;
    let made = poisoned.post(list, json!({ "code": "Q", "name": "Q" })).await;
    made.expect(201);
    assert!(made.header("location").unwrap().starts_with("/api/v1/"));
    let page = poisoned.get(&format!("{list}?limit=1")).await;
    assert!(page.header("link").unwrap().starts_with("</api/v1/"));
    for reply in [made, page] {
        assert!(!format!("{:?} {}", reply.headers, reply.text()).contains("evil"));
    }
}

#[tokio::test]
async fn a_head_over_its_bounds_is_refused() {
    let server = Server::shared().await;
    for headers in [format!("x-long: {}\r\n", "x".repeat(70_000)), "x-many: 1\r\n".repeat(101)] {
        let reply = server.raw_get("/healthz", &headers).await;
        assert_eq!((reply.status, reply.text()), (431, ""));
    }
    server.raw_get("/healthz", &"x-many: 1\r\n".repeat(90)).await.expect(200);
}

#[tokio::test]
async fn what_is_no_request_is_refused_without_a_word() {
    let server = Server::shared().await;
    let head = "POST /api/v1/auth/login HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n";
    for garbage in [
        "NONSENSE\r\n\r\n".to_owned(),
        "GET /healthz HTTP/9.9\r\n\r\n".to_owned(),
        "GET /healthz HTTP/1.1\r\nbad header\r\n\r\n".to_owned(),
        "GET /healthz HTTP/1.1\r\n name: folded\r\n\r\n".to_owned(),
        "GET /health\tz HTTP/1.1\r\nhost: x\r\n\r\n".to_owned(),
        format!("{head}content-length: -1\r\n\r\n"),
        format!("{head}content-length: 1, 2\r\n\r\n"),
        format!("{head}content-length: 1\r\ncontent-length: 2\r\n\r\n{{"),
        format!("{head}transfer-encoding: gzip\r\n\r\n"),
    ] {
        let reply = server.raw(&garbage).await;
        assert_eq!((reply.status, reply.text()), (400, ""), "{garbage}");
    }
    // Framed twice: either refused, or read as one request and never as two.
    let smuggled = format!(
        "{head}content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\n\r\n"
    );
    let reply = server.raw(smuggled).await;
    assert_eq!(reply.status, 400);
    assert!(!reply.text().contains("HTTP/1.1"), "{}", reply.text());
}
