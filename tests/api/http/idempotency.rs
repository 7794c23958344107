//! `Idempotency-Key`: a repeated request has one effect and one answer.

use std::collections::HashSet;

use insula_tests::{Client, DemoFixture, Reply, Request, Server, concurrently};
use serde_json::{Value, json};

const PROJECTS: &str = "/api/v1/organizations/acme/projects";

async fn acme() -> (Server, Client) {
    // Many at once wait for one writer here, on whatever machine this is.
    let server = Server::builder().env("INSULA_DATABASE_ACQUIRE_TIMEOUT", "60").start().await;
    let owner = server.client().register("ada@example.com").await;
    owner.create_organization("acme").await;
    (server, owner)
}

fn create(caller: &Client, key: &str, code: &str) -> Request {
    caller.post(PROJECTS, json!({ "code": code, "name": "Engine" })).header("idempotency-key", key)
}

/// All of an answer that is promised to come again.
fn answer(reply: &Reply) -> (u16, Option<&str>, Option<&str>, Option<&str>, &str) {
    let [kind, location, tag] = ["content-type", "location", "etag"].map(|name| reply.header(name));
    (reply.status, kind, location, tag, reply.text())
}

async fn projects(server: &Server) -> i64 {
    server.database().await.scalar("SELECT count(*) FROM projects").await
}

#[tokio::test]
async fn the_same_request_gets_the_same_answer() {
    let (server, owner) = acme().await;
    let first = create(&owner, "key-1", "ENGINE").await;
    let made = first.expect(201);
    let path = first.header("location").unwrap();
    owner.patch(path, json!({ "name": "Motor" })).await.expect(200);
    for _ in 0..3 {
        let again = create(&owner, "key-1", "ENGINE").await;
        assert_eq!(answer(&again), answer(&first), "whatever became of it since");
        assert_ne!(again.header("x-request-id"), first.header("x-request-id"));
    }
    assert_eq!(projects(&server).await, 1);

    owner.delete(path).await.expect(204);
    assert_eq!(create(&owner, "key-1", "ENGINE").await.expect(201), made);
    owner.get(path).await.problem(404, "NOT_FOUND");
}

#[tokio::test]
async fn another_body_under_the_same_key_is_refused() {
    let (server, owner) = acme().await;
    create(&owner, "key-1", "ENGINE").await.expect(201);
    create(&owner, "key-1", "OTHER").await.problem(422, "IDEMPOTENCY_MISMATCH");
    let respelled = owner.request("POST", PROJECTS).header("idempotency-key", "key-1");
    let respelled = respelled.body("application/json", "{ \"code\": \"ENGINE\", \"name\": \"Engine\" }");
    respelled.await.problem(422, "IDEMPOTENCY_MISMATCH");
    assert_eq!(projects(&server).await, 1);
}

#[tokio::test]
async fn another_key_is_another_request() {
    let (server, owner) = acme().await;
    create(&owner, "key-1", "ENGINE").await.expect(201);
    create(&owner, "key-2", "ENGINE").await.problem(409, "PROJECT_CODE_TAKEN");
    create(&owner, "KEY-1", "OTHER").await.expect(201);
    assert_eq!(projects(&server).await, 2);
}

#[tokio::test]
async fn a_refusal_is_not_kept() {
    let (server, owner) = acme().await;
    let taken = create(&owner, "key-0", "ENGINE").await.expect(201);
    create(&owner, "key-1", "ENGINE").await.problem(409, "PROJECT_CODE_TAKEN");
    create(&owner, "key-1", "a b").await.problem(422, "VALIDATION_FAILED");
    assert_eq!(server.database().await.scalar("SELECT count(*) FROM idempotency_keys").await, 1);
    owner.delete(&format!("{PROJECTS}/{}", taken["id"].as_str().unwrap())).await.expect(204);
    create(&owner, "key-1", "ENGINE").await.expect(201);
}

#[tokio::test]
async fn a_key_is_forgotten_after_its_time() {
    let (server, owner) = acme().await;
    create(&owner, "key-1", "ENGINE").await.expect(201);
    server.database().await.execute("UPDATE idempotency_keys SET expires_at = created_at").await;
    create(&owner, "key-1", "OTHER").await.expect(201);
    assert_eq!(projects(&server).await, 2);
}

#[tokio::test]
async fn a_key_belongs_to_one_organization() {
    let (server, owner) = acme().await;
    owner.create_organization("second").await;
    let first = create(&owner, "key-1", "ENGINE").await.expect(201);
    let second =
        owner.post(&PROJECTS.replace("acme", "second"), json!({ "code": "ENGINE", "name": "Engine" }));
    let second = second.header("idempotency-key", "key-1").await.expect(201);
    assert_ne!(first["organization_id"], second["organization_id"]);
    assert_eq!(projects(&server).await, 2);
}

#[tokio::test]
async fn a_key_belongs_to_one_user() {
    let demo = DemoFixture::start().await;
    let path = "/api/v1/organizations/demo/projects";
    let mut made = HashSet::new();
    for (person, code) in [("olivia", "O1"), ("adam", "A1")] {
        let caller = demo.user(person).await;
        let body = json!({ "code": code, "name": "Engine" });
        let reply = caller.post(path, body).header("idempotency-key", "key-1").await;
        made.insert(reply.expect(201)["id"].to_string());
    }
    assert_eq!(made.len(), 2);
}

/// Permissions are checked each time, also for a stored answer.
#[tokio::test]
async fn an_answer_is_not_given_again_to_who_may_no_longer_ask() {
    let (server, owner) = acme().await;
    create(&owner, "key-1", "ENGINE").await.expect(201);
    server.database().await.execute("DELETE FROM member_roles").await;
    create(&owner, "key-1", "ENGINE").await.problem(403, "FORBIDDEN");
    server.database().await.execute("UPDATE members SET status = 'removed'").await;
    create(&owner, "key-1", "ENGINE").await.problem(404, "NOT_FOUND");
}

#[tokio::test]
async fn sixty_four_at_once_do_it_once() {
    let (server, owner) = acme().await;
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
    let database = server.database().await;
    for table in ["projects", "idempotency_keys"] {
        assert_eq!(database.scalar(&format!("SELECT count(*) FROM {table}")).await, 1, "{table}");
    }
    assert_eq!(database.scalar("SELECT count(*) FROM audit_events WHERE resource = 'project'").await, 1);
}

#[tokio::test]
async fn a_malformed_key_is_named() {
    let (server, owner) = acme().await;
    for malformed in ["", "a b", "ä", "\t", &*"x".repeat(256)] {
        let problem = create(&owner, malformed, "ENGINE").await.problem(422, "VALIDATION_FAILED");
        assert_eq!(problem["errors"][0]["field"], "Idempotency-Key", "{malformed:?}");
    }
    assert_eq!(projects(&server).await, 0);
    for (sound, code) in [("x", "P1"), ("!", "P2"), (&*"~".repeat(255), "P3")] {
        create(&owner, sound, code).await.expect(201);
    }
}

#[tokio::test]
async fn where_it_means_nothing_it_is_ignored() {
    let (_server, owner) = acme().await;
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
    let server = Server::start().await;
    let ada = server.client().register("ada@example.com").await;
    let found = || {
        let body = json!({ "name": "Acme", "slug": "acme" });
        ada.post("/api/v1/organizations", body).header("idempotency-key", "key-1")
    };
    let first: Value = found().await.expect(201);
    assert_eq!(found().await.expect(201), first);
}
