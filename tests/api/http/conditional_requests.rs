//! `If-Match` and `If-None-Match` behind proxies, which change entity tags.

use insula_tests::{Client, OrgWithOwner, Reply, Server};
use serde_json::json;

use crate::members::membership::{self, Team};

const PROJECTS: &str = "/api/v1/organizations/{org}/projects";
const SETTINGS: &str = "/api/v1/organizations/{org}/settings";
const LOCK: &str = "/api/v1/organizations/{org}/period-lock";

/// What compressing proxies make of a tag, and what a client may make of it.
fn spelled(version: i64) -> [String; 9] {
    [
        format!("\"{version}\""),
        format!("W/\"{version}\""),
        format!("\"{version}-gzip\""),
        format!("W/\"{version}-gzip\""),
        format!("\"{version}-br\""),
        format!("\"{version};gzip\""),
        format!("\"0\", W/\"{version}-br\""),
        format!("\"x,y\" ,\"{version}\", \"9\""),
        format!(",\"{version}\","),
    ]
}

/// None of them is ours, though some are the same number.
fn foreign(version: i64) -> [String; 8] {
    [
        format!("\"+{version}\""),
        format!("\"0{version}\""),
        format!("\"00{version}\""),
        format!("\" {version}\""),
        format!("\"{version}.0\""),
        format!("\"{version}-x\""),
        format!("W/\"{}\"", version + 1),
        format!("\"{}\", \"{}\", \"\"", version - 1, version + 1),
    ]
}

#[tokio::test]
async fn a_change_is_made_to_the_version_that_a_proxy_showed() {
    let (_server, owner) = OrgWithOwner::start_with_owner().await;
    let made = owner.post(PROJECTS, json!({ "code": "P", "name": "0" })).await;
    made.expect(201);
    let path = made.header("location").unwrap();
    let (mut version, mut settings) = (1, 1);
    for at in 0..spelled(0).len() {
        for stale in foreign(version) {
            let refused = owner.patch(path, json!({ "name": "x" })).header("if-match", &stale).await;
            refused.problem(412, "PRECONDITION_FAILED");
            owner.delete(path).header("if-match", &stale).await.problem(412, "PRECONDITION_FAILED");
        }
        let name = json!({ "name": format!("{version}") });
        let changed = owner.patch(path, name).header("if-match", &spelled(version)[at]).await;
        version += 1;
        assert_eq!(changed.expect(200)["version"], version, "{:?}", spelled(version - 1)[at]);
        // They need it, and were locked for those behind such a proxy.
        for stale in foreign(settings) {
            let refused =
                owner.patch(SETTINGS, json!({ "currency": "CHF" })).header("if-match", &stale).await;
            refused.problem(412, "PRECONDITION_FAILED");
        }
        let currency = json!({ "currency": if at % 2 == 0 { "USD" } else { "EUR" } });
        owner.patch(SETTINGS, currency).header("if-match", &spelled(settings)[at]).await.expect(200);
        settings += 1;
    }
    owner.delete(path).header("if-match", &format!("W/\"{version}-gzip\"")).await.expect(204);
}

#[tokio::test]
async fn what_is_unchanged_is_so_behind_a_proxy_too() {
    let (_server, owner) = OrgWithOwner::start_with_owner().await;
    let made = owner.post(PROJECTS, json!({ "code": "P", "name": "P" })).await;
    let path = made.header("location").unwrap();
    for same in spelled(1) {
        owner.get(path).header("if-none-match", &same).await.expect(304);
    }
    for other in foreign(1) {
        owner.get(path).header("if-none-match", &other).await.expect(200);
    }
    let document = "/api/v1/openapi.json";
    let tag = owner.get(document).await.header("etag").unwrap().to_owned();
    let coded = format!("W/{}-gzip\"", tag.trim_end_matches('"'));
    owner.get(document).header("if-none-match", &coded).await.expect(304);
}

#[tokio::test]
async fn a_member_and_a_role_are_changed_behind_a_proxy_too() {
    let adam = Team::start().await.adam;
    let path = membership::path(&adam, "mia").await;
    let tag = adam.get(&path).await.header("etag").unwrap().to_owned();
    let (member, user) = tag.trim_matches('"').split_once('.').unwrap();
    for stale in [format!("\"{member}\""), format!("\"{member}.0{user}\""), format!("\"+{member}.{user}\"")] {
        let refused = adam.patch(&path, json!({ "roles": ["viewer"] })).header("if-match", &stale).await;
        refused.problem(412, "PRECONDITION_FAILED");
    }
    let coded = format!("\"1.99\", W/\"{member}.{user}-gzip\"");
    adam.patch(&path, json!({ "roles": ["viewer"] })).header("if-match", &coded).await.expect(200);

    let made = adam
        .post(
            "/api/v1/organizations/{org}/roles",
            json!({ "name": "Clerk", "permissions": ["projects:read"] }),
        )
        .await;
    made.expect(201);
    let path = made.header("location").unwrap();
    adam.patch(path, json!({ "name": "Scribe" })).header("if-match", "\"+1\"").await.expect(412);
    adam.patch(path, json!({ "name": "Scribe" })).header("if-match", "W/\"1\"").await.expect(200);
}

/// PATCH of a project with these header lines.
async fn patch(server: &Server, who: &Client, path: &str, lines: &[u8]) -> Reply {
    let body = json!({ "name": "Changed" }).to_string();
    let head = format!(
        "PATCH {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n",
        who.token(),
        body.len()
    );
    server.raw([head.as_bytes(), lines, b"\r\n\r\n", body.as_bytes()].concat()).await
}

/// A condition is a list, which may be sent in several lines (RFC 9110 §5.3), and it never gets lost.
#[tokio::test]
async fn a_condition_counts_however_it_is_sent() {
    let (server, owner) = OrgWithOwner::start_with_owner().await;
    let made = owner.post(PROJECTS, json!({ "code": "P", "name": "P" })).await;
    let path = made.header("location").unwrap();
    for stale in [
        &b"if-match: \"7\"\r\nif-match: \"8\""[..],
        b"if-match: \"\xff\"",
        b"if-match: \"1\xe9\"",
        b"if-match: \"7\"\r\nif-match: \"\xff\"",
        "if-match: \"é\"".as_bytes(),
    ] {
        patch(&server, &owner, path, stale).await.problem(412, "PRECONDITION_FAILED");
    }
    for malformed in
        [&b"if-match: \xff"[..], b"if-match: \"1\"\r\nif-match: 1", b"if-match: \"1\"\r\nif-match: *"]
    {
        patch(&server, &owner, path, malformed).await.problem(422, "VALIDATION_FAILED");
    }
    patch(&server, &owner, path, b"if-match: \"7\"\r\nif-match: W/\"1\"").await.expect(200);
    patch(&server, &owner, path, b"if-match: \"\xff\"\r\nif-match: \"2\"").await.expect(200);
}

/// What was never locked has the version 0, which no tag of others is.
#[tokio::test]
async fn a_tag_that_is_none_of_ours_is_no_version() {
    let (_server, owner) = OrgWithOwner::start_with_owner().await;
    for foreign in ["\"x\"", "\"\"", "\"00\"", "\"-0\"", "W/\"x\""] {
        let lock =
            owner.put(LOCK, json!({ "locked_until": "2026-03-01T00:00:00Z" })).header("if-match", foreign);
        lock.await.problem(412, "PRECONDITION_FAILED");
    }
}
