//! `Idempotency-Key`: a repeated request has one effect and one answer.

use std::collections::HashSet;

use insula_tests::{Client, OrgWithOwner, Reply, Request, Server, concurrently, unique};
use serde_json::{Value, json};

const PROJECTS: &str = "/api/v1/organizations/{org}/projects";

fn create(caller: &Client, key: &str, code: &str) -> Request {
    caller.post(PROJECTS, json!({ "code": code, "name": "Engine" })).header("idempotency-key", key)
}

/// All of an answer that is promised to come again.
fn answer(reply: &Reply) -> (u16, Option<&str>, Option<&str>, Option<&str>, &str) {
    let [kind, location, tag] = ["content-type", "location", "etag"].map(|name| reply.header(name));
    (reply.status, kind, location, tag, reply.text())
}

/// How many rows of the organization a table has.
async fn rows(acme: &OrgWithOwner, table: &str) -> i64 {
    let rows = format!("SELECT count(*) FROM {table} WHERE {}", acme.own_rows());
    acme.database().await.scalar(&rows).await
}

#[tokio::test]
async fn the_same_request_gets_the_same_answer() {
    let (acme, owner) = OrgWithOwner::start_with_owner().await;
    let first = create(&owner, "key-1", "ENGINE").await;
    let made = first.expect(201);
    assert_eq!(first.header("idempotency-replayed"), None);
    let path = first.header("location").unwrap();
    owner.patch(path, json!({ "name": "Motor" })).await.expect(200);
    for _ in 0..3 {
        let again = create(&owner, "key-1", "ENGINE").await;
        assert_eq!(answer(&again), answer(&first), "whatever became of it since");
        assert_ne!(again.header("x-request-id"), first.header("x-request-id"));
        assert_eq!(again.header("idempotency-replayed"), Some("true"));
    }
    assert_eq!(rows(&acme, "projects").await, 1);

    owner.delete(path).await.expect(204);
    assert_eq!(create(&owner, "key-1", "ENGINE").await.expect(201), made);
    owner.get(path).await.problem(404, "NOT_FOUND");
}

#[tokio::test]
async fn another_body_under_the_same_key_is_refused() {
    let (acme, owner) = OrgWithOwner::start_with_owner().await;
    create(&owner, "key-1", "ENGINE").await.expect(201);
    create(&owner, "key-1", "OTHER").await.problem(422, "IDEMPOTENCY_MISMATCH");
    let respelled = owner.request("POST", PROJECTS).header("idempotency-key", "key-1");
    let respelled = respelled.body("application/json", "{ \"code\": \"ENGINE\", \"name\": \"Engine\" }");
    respelled.await.problem(422, "IDEMPOTENCY_MISMATCH");
    assert_eq!(rows(&acme, "projects").await, 1);
}

#[tokio::test]
async fn another_key_is_another_request() {
    let (acme, owner) = OrgWithOwner::start_with_owner().await;
    create(&owner, "key-1", "ENGINE").await.expect(201);
    create(&owner, "key-2", "ENGINE").await.problem(409, "PROJECT_CODE_TAKEN");
    create(&owner, "KEY-1", "OTHER").await.expect(201);
    assert_eq!(rows(&acme, "projects").await, 2);
}

#[tokio::test]
async fn a_refusal_is_not_kept() {
    let (acme, owner) = OrgWithOwner::start_with_owner().await;
    let taken = create(&owner, "key-0", "ENGINE").await.expect(201);
    create(&owner, "key-1", "ENGINE").await.problem(409, "PROJECT_CODE_TAKEN");
    create(&owner, "key-1", "a b").await.problem(422, "VALIDATION_FAILED");
    assert_eq!(rows(&acme, "idempotency_keys").await, 1);
    owner.delete(&format!("{PROJECTS}/{}", taken["id"].as_str().unwrap())).await.expect(204);
    create(&owner, "key-1", "ENGINE").await.expect(201);
}

#[tokio::test]
async fn a_key_is_forgotten_after_its_time() {
    let (acme, owner) = OrgWithOwner::start_with_owner().await;
    create(&owner, "key-1", "ENGINE").await.expect(201);
    let over = format!("UPDATE idempotency_keys SET expires_at = created_at WHERE {}", acme.own_rows());
    assert_eq!(acme.database().await.execute(&over).await, 1);
    create(&owner, "key-1", "OTHER").await.expect(201);
    assert_eq!(rows(&acme, "projects").await, 2);
}

#[tokio::test]
async fn a_key_belongs_to_one_organization() {
    let (acme, owner) = OrgWithOwner::start_with_owner().await;
    let other = owner.create_organization(&unique("second")).await;
    let first = create(&owner, "key-1", "ENGINE").await.expect(201);
    let elsewhere = PROJECTS.replace("{org}", &other.slug);
    let second = owner.post(&elsewhere, json!({ "code": "ENGINE", "name": "Engine" }));
    let second = second.header("idempotency-key", "key-1").await.expect(201);
    assert_ne!(first["organization_id"], second["organization_id"]);
    let elsewhere = owner.get(&elsewhere).await.expect(200)["data"].as_array().unwrap().len();
    assert_eq!((rows(&acme, "projects").await, elsewhere), (1, 1));
}

#[tokio::test]
async fn a_key_belongs_to_one_user() {
    let (acme, owner) = OrgWithOwner::start_with_owner().await;
    let admin = acme.join("adam", "admin").await;
    let mut made = HashSet::new();
    for (caller, code) in [(&owner, "O1"), (&admin, "A1")] {
        made.insert(create(caller, "key-1", code).await.expect(201)["id"].to_string());
    }
    assert_eq!(made.len(), 2);
}

/// Permissions are checked each time, also for a stored answer.
#[tokio::test]
async fn an_answer_is_not_given_again_to_who_may_no_longer_ask() {
    let (acme, owner) = OrgWithOwner::start_with_owner().await;
    create(&owner, "key-1", "ENGINE").await.expect(201);
    let (database, own) = (acme.database().await, acme.own_rows());
    database.execute(&format!("DELETE FROM member_roles WHERE {own}")).await;
    create(&owner, "key-1", "ENGINE").await.problem(403, "FORBIDDEN");
    database.execute(&format!("UPDATE members SET status = 'removed' WHERE {own}")).await;
    create(&owner, "key-1", "ENGINE").await.problem(404, "NOT_FOUND");
}

#[tokio::test]
async fn sixty_four_at_once_do_it_once() {
    let (acme, owner) = OrgWithOwner::start_with_owner().await;
    let replies = concurrently(64, |_| {
        let request = create(&owner, "key-1", "ENGINE");
        async move { request.await }
    });
    let mut answers = HashSet::new();
    for reply in replies.await {
        let reply = match reply.status {
            201 => reply,
            // Documented for a request that waited too long: the client retries.
            409 => {
                reply.problem(409, "IDEMPOTENCY_IN_FLIGHT");
                create(&owner, "key-1", "ENGINE").await
            }
            _ => {
                reply.problem(503, "UNAVAILABLE");
                assert!(reply.header("retry-after").is_some());
                create(&owner, "key-1", "ENGINE").await
            }
        };
        reply.expect(201);
        answers.insert(format!("{:?}", answer(&reply)));
    }
    assert_eq!(answers.len(), 1, "{answers:#?}");
    for table in ["projects", "idempotency_keys"] {
        assert_eq!(rows(&acme, table).await, 1, "{table}");
    }
    let events =
        format!("SELECT count(*) FROM audit_events WHERE resource = 'project' AND {}", acme.own_rows());
    assert_eq!(acme.database().await.scalar(&events).await, 1);
}

#[tokio::test]
async fn a_malformed_key_is_named() {
    let (acme, owner) = OrgWithOwner::start_with_owner().await;
    for malformed in ["", "a b", "ä", "\t", &*"x".repeat(256)] {
        let problem = create(&owner, malformed, "ENGINE").await.problem(422, "VALIDATION_FAILED");
        assert_eq!(problem["errors"][0]["field"], "Idempotency-Key", "{malformed:?}");
    }
    assert_eq!(rows(&acme, "projects").await, 0);
    for (sound, code) in [("x", "P1"), ("!", "P2"), (&*"~".repeat(255), "P3")] {
        create(&owner, sound, code).await.expect(201);
    }
}

#[tokio::test]
async fn where_it_means_nothing_it_is_ignored() {
    let (_server, owner) = OrgWithOwner::start_with_owner().await;
    let made = create(&owner, "key-1", "ENGINE").await;
    made.expect(201);
    let path = made.header("location").unwrap();
    for key in ["key-1", "a b"] {
        owner.get(path).header("idempotency-key", key).await.expect(200);
        for name in ["Motor", "Engine"] {
            let changed = owner.patch(path, json!({ "name": name })).header("idempotency-key", key);
            assert_eq!(changed.await.expect(200)["name"], name);
        }
    }
}

#[tokio::test]
async fn two_creations_with_one_key_create_one_organization() {
    let server = Server::shared().await;
    let (ada, slug) = (server.register("ada").await, unique("acme"));
    let found = || {
        let body = json!({ "name": "Acme", "slug": slug });
        ada.post("/api/v1/organizations", body).header("idempotency-key", "key-1")
    };
    let first: Value = found().await.expect(201);
    assert_eq!(found().await.expect(201), first);
}
