//! 64 concurrent requests: all are answered, and of those for the same thing one succeeds.

use std::collections::{BTreeMap, HashSet};

use insula_tests::{OrgWithOwner, Reply, Server, concurrently, unique};
use serde_json::json;

const N: usize = 64;
const PROJECTS: &str = "/api/v1/organizations/{org}/projects";

/// How often each answer came: its status and its code.
fn tally(replies: &[Reply]) -> BTreeMap<String, usize> {
    let mut tally = BTreeMap::new();
    for reply in replies {
        let code = reply.json()["error"].as_str().unwrap_or_default().to_owned();
        *tally.entry(format!("{} {code}", reply.status).trim().to_owned()).or_default() += 1;
    }
    tally
}

fn expected<const M: usize>(answers: [(&str, usize); M]) -> BTreeMap<String, usize> {
    answers.into_iter().map(|(answer, number)| (answer.to_owned(), number)).collect()
}

#[tokio::test]
async fn writers_of_different_things_all_succeed() {
    // Writers wait as long as it takes: what is raced here is who wins, not how fast the machine is.
    let server = Server::builder().env("INSULA_DATABASE_ACQUIRE_TIMEOUT", "60").start().await;
    let server = OrgWithOwner::on(server).await;
    let owner = &server.owner;
    let replies = concurrently(N, |number| {
        let body = json!({ "code": format!("P{number}"), "name": "Engine" });
        let owner = owner.clone();
        async move { owner.post(PROJECTS, body).await }
    });
    let replies = replies.await;
    assert_eq!(tally(&replies), expected([("201", N)]));
    let ids: HashSet<_> = replies.iter().map(|reply| reply.json()["id"].to_string()).collect();
    assert_eq!(ids.len(), N);
    assert_eq!(server.database().await.scalar("SELECT count(*) FROM projects").await, 64);
    assert!(!server.log().contains("is locked"), "{}", server.log());
}

#[tokio::test]
async fn one_of_concurrent_creations_with_one_code_succeeds() {
    let (server, owner) = OrgWithOwner::start_with_owner().await;
    let replies = concurrently(N, |number| {
        let code = ["engine", "ENGINE", "Engine"][number % 3];
        let owner = owner.clone();
        async move { owner.post(PROJECTS, json!({ "code": code, "name": "Engine" })).await }
    });
    assert_eq!(tally(&replies.await), expected([("201", 1), ("409 PROJECT_CODE_TAKEN", N - 1)]));
    let (database, own) = (server.database().await, server.own_rows());
    assert_eq!(database.scalar(&format!("SELECT count(*) FROM projects WHERE {own}")).await, 1);
    let events = format!("SELECT count(*) FROM audit_events WHERE resource = 'project' AND {own}");
    assert_eq!(database.scalar(&events).await, 1);
}

#[tokio::test]
async fn one_of_concurrent_updates_of_one_version_succeeds() {
    let (server, owner) = OrgWithOwner::start_with_owner().await;
    let made = owner.post(PROJECTS, json!({ "code": "ENGINE", "name": "Engine" })).await;
    made.expect(201);
    let path = made.header("location").unwrap();
    let replies = concurrently(N, |number| {
        let patch = owner.patch(path, json!({ "name": format!("Engine {number}") }));
        async move { patch.header("if-match", "\"1\"").await }
    });
    let replies = replies.await;
    assert_eq!(tally(&replies), expected([("200", 1), ("412 PRECONDITION_FAILED", N - 1)]));
    let winner = replies.iter().find(|reply| reply.status == 200).unwrap().json();
    assert_eq!(owner.get(path).await.expect(200), winner);
    assert_eq!(winner["version"], 2);
    assert_eq!(server.event_details("project.updated").await.len(), 1);
}

#[tokio::test]
async fn changes_without_a_condition_are_all_made_one_after_the_other() {
    let (server, owner) = OrgWithOwner::start_with_owner().await;
    let made = owner.post(PROJECTS, json!({ "code": "ENGINE", "name": "Engine" })).await;
    made.expect(201);
    let path = made.header("location").unwrap();
    let replies = concurrently(N, |number| {
        let patch = owner.patch(path, json!({ "name": format!("Engine {number}") }));
        async move { patch.await }
    });
    let replies = replies.await;
    assert_eq!(tally(&replies), expected([("200", N)]));
    let versions: HashSet<_> =
        replies.iter().map(|reply| reply.json()["version"].as_i64().unwrap()).collect();
    assert_eq!(versions, (2..).take(N).collect());
    assert_eq!(server.event_details("project.updated").await.len(), 64);
}

#[tokio::test]
async fn one_of_concurrent_organizations_with_one_slug_is_created() {
    let server = Server::shared().await;
    let (ada, slug) = (server.register("ada").await, unique("acme"));
    let replies = concurrently(N, |number| {
        let body = json!({ "name": format!("Acme {number}"), "slug": slug });
        let ada = ada.clone();
        async move { ada.post("/api/v1/organizations", body).await }
    });
    assert_eq!(tally(&replies.await), expected([("201", 1), ("409 SLUG_TAKEN", N - 1)]));
    let database = server.database().await;
    // Hers alone, and this one.
    let own = format!(
        "(SELECT organization_id FROM members WHERE user_id IN {users}
          UNION SELECT id FROM organizations WHERE slug = '{slug}')",
        users = server.own_users()
    );
    for (table, rows) in [("organizations", 2), ("members", 2), ("roles", 8), ("member_roles", 2)] {
        let id = if table == "organizations" { "id" } else { "organization_id" };
        let counted = format!("SELECT count(*) FROM {table} WHERE {id} IN {own}");
        assert_eq!(database.scalar(&counted).await, rows, "{table}");
    }
}

#[tokio::test]
async fn one_of_concurrent_deletions_succeeds() {
    let (server, owner) = OrgWithOwner::start_with_owner().await;
    let made = owner.post(PROJECTS, json!({ "code": "ENGINE", "name": "Engine" })).await;
    made.expect(201);
    let path = made.header("location").unwrap();
    let replies = concurrently(N, |_| {
        let delete = owner.delete(path);
        async move { delete.await }
    });
    assert_eq!(tally(&replies.await), expected([("204", 1), ("404 NOT_FOUND", N - 1)]));
    assert_eq!(server.event_details("project.deleted").await.len(), 1);
}
