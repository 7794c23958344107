//! Headers that try to redirect a request, or the readers of its e-mails, to another host.

use insula_tests::{Inbox, Server};
use serde_json::json;

use super::{acme, count, goes_on};

const PUBLIC: &str = "https://insula.example";

/// The first line's target, and the header lines that name a host.
const POISONED: &[(&str, &str, &str)] = &[
    ("a host of others", "", "host: evil.example\r\n"),
    ("a host with a port of others", "", "host: insula.example:evil.example\r\n"),
    ("an absolute target", "http://evil.example", "host: insula.example\r\n"),
    ("X-Forwarded-Host", "", "host: insula.example\r\nx-forwarded-host: evil.example\r\n"),
    ("X-Forwarded-Proto", "", "host: insula.example\r\nx-forwarded-proto: http\r\nx-forwarded-port: 81\r\n"),
    ("X-Forwarded-Prefix", "", "host: insula.example\r\nx-forwarded-prefix: //evil.example\r\n"),
    ("X-Forwarded-Server", "", "host: insula.example\r\nx-forwarded-server: evil.example\r\n"),
    ("X-Host", "", "host: insula.example\r\nx-host: evil.example\r\n"),
    ("Forwarded", "", "host: insula.example\r\nforwarded: for=1.2.3.4;host=evil.example;proto=http\r\n"),
    ("Referer", "", "host: insula.example\r\nreferer: https://evil.example/reset\r\n"),
    ("an empty host", "", "host:\r\n"),
    ("two hosts", "", "host: insula.example\r\nhost: evil.example\r\n"),
    ("no host", "", ""),
];

#[tokio::test]
async fn emailed_links_ignore_the_host_of_the_request() {
    let server = Server::builder().env("INSULA_PUBLIC_URL", PUBLIC).with_mail().start().await;
    let inbox = Inbox::of(&server).await;
    let ada = server.client().register("ada@example.com").await;
    server.database().await.execute("UPDATE users SET email_verified_at = created_at").await;
    ada.create_organization("acme").await;
    let bearer = format!("authorization: Bearer {}\r\n", ada.token());
    let mut complaints = Vec::new();
    for (at, (name, origin, lines)) in POISONED.iter().enumerate() {
        let is_refused = ["two hosts", "no host"].contains(name);
        let email = format!("p{at}@example.com");
        for (path, more, body, status) in [
            ("/auth/register", "", json!({ "email": email, "password": insula_tests::PASSWORD }), 201),
            ("/auth/password/forgot", "", json!({ "email": email }), 202),
            (
                "/organizations/acme/invitations",
                &*bearer,
                json!({ "email": email, "roles": ["viewer"] }),
                201,
            ),
        ] {
            let (body, status) = (body.to_string(), if is_refused { 400 } else { status });
            let head = format!("POST {origin}/api/v1{path} HTTP/1.1\r\n{lines}{more}connection: close\r\n");
            let length = body.len();
            let request =
                format!("{head}content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}");
            let reply = server.raw(request).await;
            if reply.status != status || reply.text().contains("evil") {
                complaints.push(format!("{name}: {path}: {}", reply.status));
            }
        }
    }
    count("hosts", POISONED.len() * 3);
    assert!(complaints.is_empty(), "{complaints:#?}");
    let mails = inbox.mails().await;
    let links: usize = mails.iter().map(|mail| mail.text.matches(&format!("{PUBLIC}/")).count()).sum();
    assert!(mails.len() >= 30 && links >= 30, "{} mails, {links} links", mails.len());
    for mail in mails {
        let (text, html) = (&mail.text, &mail.html);
        for part in [text, html] {
            assert!(!part.contains("evil") && !part.contains("http://"), "{part}");
        }
    }
}

#[tokio::test]
async fn a_request_is_what_its_first_line_says() {
    let (server, ada) = acme().await;
    let projects = "/api/v1/organizations/acme/projects";
    let made = ada.post(projects, json!({ "code": "P", "name": "P" })).await;
    made.expect(201);
    let path = made.header("location").unwrap();
    let overrides =
        ["x-http-method-override", "x-http-method", "x-method-override", "x-original-method", "_method"];
    for header in overrides {
        ada.get(path).header(header, "DELETE").await.expect(200);
        ada.post(path, json!({ "name": "Q" }))
            .header(header, "PATCH")
            .await
            .problem(405, "METHOD_NOT_ALLOWED");
        ada.post(projects, json!({})).header(header, "GET").await.problem(422, "VALIDATION_FAILED");
    }
    ada.get(&format!("{path}?_method=DELETE")).await.problem(422, "VALIDATION_FAILED");
    ada.post(&format!("{path}?_method=PATCH"), json!({})).await.problem(405, "METHOD_NOT_ALLOWED");
    let by_body = ada.post(projects, json!({ "code": "Q", "name": "Q", "_method": "DELETE" })).await;
    by_body.problem(422, "VALIDATION_FAILED");
    assert_eq!(by_body.faults(), ["_method UNKNOWN_FIELD"]);
    let form = ada.request("POST", path).body("application/x-www-form-urlencoded", "_method=DELETE").await;
    form.problem(405, "METHOD_NOT_ALLOWED");
    let rewrites =
        ["x-original-url", "x-rewrite-url", "x-original-uri", "x-forwarded-uri", "x-forwarded-path"];
    for header in rewrites {
        let probe = server.client().get("/livez").header(header, "/api/v1/users/me").await;
        assert_eq!(probe.expect(200), json!({ "status": "ok" }), "{header}");
        let me = server.client().get("/api/v1/users/me").header(header, "/livez").await;
        me.problem(401, "UNAUTHENTICATED");
    }
    count("overrides", overrides.len() * 3 + 4 + rewrites.len() * 2);
    ada.get(path).await.expect(200);
    goes_on(&ada).await;
}
