//! `X-Platform-Access`: how a superuser accesses an organization, and that its log records it.
//!
//! New operations of the document are covered automatically.

use insula_tests::{
    Browser, Client, DemoFixture, Operation, OrgWithOwner, PASSWORD, Reply, Server, TestDatabase, eventually,
    unique,
};
use serde_json::{Value, json};

use crate::security::isolation::{NOTHING, inside};

const HEADER: &str = "x-platform-access";
const REASON: &str = "Ticket 4711: Störung";
const ACME: &str = "/api/v1/organizations/{org}";
const PROJECTS: &str = "/api/v1/organizations/{org}/projects";

/// A superuser, and Ada's organization, of which the superuser is not a member.
async fn acme() -> (OrgWithOwner, Client, Client, TestDatabase) {
    with_superuser(OrgWithOwner::start().await).await
}

async fn with_superuser(acme: OrgWithOwner) -> (OrgWithOwner, Client, Client, TestDatabase) {
    let (superuser, ada, database) = (acme.superuser().await, acme.owner.clone(), acme.database().await);
    (acme, superuser, ada, database)
}

fn path(operation: &Operation, org: &str) -> String {
    operation.path_with(|name| if name == "org" { org } else { NOTHING }.to_owned())
}

/// What the logs of the users' organizations tell of superusers who entered: slug, kind of actor, and details.
async fn recorded_accesses(acme: &OrgWithOwner) -> Vec<(String, String, Value)> {
    let events = format!(
        "SELECT o.slug || '|' || e.actor_kind || '|' || e.details FROM audit_events e
         JOIN organizations o ON o.id = e.organization_id WHERE e.action = 'platform.access'
         AND o.id IN (SELECT organization_id FROM members WHERE user_id IN {}) ORDER BY e.occurred_at, e.id",
        acme.own_users()
    );
    let events = acme.database().await.texts(&events).await;
    let access = |event: &String| {
        let mut parts = event.splitn(3, '|').map(str::to_owned);
        let mut next = || parts.next().unwrap();
        (next(), next(), serde_json::from_str(&next()).unwrap())
    };
    events.iter().map(access).collect()
}

/// The accesses to the organizations of the users.
async fn count(acme: &OrgWithOwner) -> usize {
    recorded_accesses(acme).await.len()
}

/// The accesses to all organizations of a server.
async fn count_all(database: &TestDatabase) -> i64 {
    database.scalar("SELECT count(*) FROM audit_events WHERE action = 'platform.access'").await
}

fn access(acme: &OrgWithOwner, operation: &str, reason: &str) -> (String, String, Value) {
    let after = json!({ "operation": operation, "reason": reason });
    (acme.slug.clone(), "superuser".to_owned(), json!({ "after": after }))
}

/// SQL for the number of projects of the organization.
fn projects(acme: &OrgWithOwner) -> String {
    format!("SELECT count(*) FROM projects WHERE {}", acme.own_rows())
}

#[tokio::test]
async fn every_operation_takes_the_header_and_says_so() {
    let server = Server::shared().await;
    let document = server.client().get("/api/v1/openapi.json").await.expect(200);
    for operation in Operation::all(&document) {
        let parameters = &document["paths"][&operation.path][operation.method.to_lowercase()]["parameters"];
        let parameters = parameters.as_array().map(Vec::as_slice).unwrap_or_default();
        let header = parameters.iter().find(|parameter| parameter["name"] == "X-Platform-Access");
        let enters = operation.path.contains("{org}") || operation.id == "getMyContext";
        assert_eq!(header.is_some(), enters, "{}", operation.id);
        assert!(header.is_none_or(|header| header["in"] == "header" && header["required"] == false));
    }
}

/// Whatever comes of it: each request is one event, before it is looked at any further.
#[tokio::test]
async fn a_superuser_may_call_every_operation_and_the_log_shows_it() {
    let (server, superuser, ada, database) = acme().await;
    let stranger = server.stranger("eve").await;
    for (looks, operation) in inside(&server).await.into_iter().enumerate() {
        let path = path(&operation, "{org}");
        // Without the header, the superuser has no access, and the organization's log has no event.
        operation.broken_request(&superuser, &path).await.problem(404, "NOT_FOUND");
        // With it, a stranger is one still.
        operation.broken_request(&stranger, &path).header(HEADER, REASON).await.problem(404, "NOT_FOUND");
        assert_eq!(recorded_accesses(&server).await.len(), looks, "{}", operation.id);

        let reply = operation.broken_request(&superuser, &path).header(HEADER, REASON).await;
        // No ownership is offered here: that is a child, too.
        let has_child = operation.parameters().len() > 1
            || operation.path.ends_with("/transfer/cancel")
            || operation.path.ends_with("/transfer");
        let is_his = operation.permission.is_none();
        match reply.status {
            400 => assert!(operation.body.is_some()),
            404 => assert!(has_child, "{}: {}", operation.id, reply.text()),
            409 if is_his => drop(reply.problem(409, "NOT_A_MEMBER")),
            status => {
                assert!(operation.answers.contains(&status) && status < 500, "{} {status}", operation.id);
            }
        }
        assert!(![401, 403].contains(&reply.status), "{}: {}", operation.id, reply.text());
        assert_eq!(recorded_accesses(&server).await[looks..], [access(&server, &operation.id, REASON)]);
        // An operation that deletes the organization also works for the superuser.
        let back = "UPDATE organizations SET deleted_at = NULL, purge_after = NULL WHERE slug";
        database.execute(&format!("{back} = '{}'", server.slug)).await;
    }
    ada.get(ACME).await.expect(200);
}

#[tokio::test]
async fn a_superuser_has_the_permissions_of_an_owner_and_is_the_recorded_actor() {
    let (server, superuser, ada, database) = acme().await;
    let superuser = superuser.with(HEADER, REASON);
    let made = superuser.post(PROJECTS, json!({ "code": "ENGINE", "name": "Engine" })).await;
    let project = made.expect(201)["id"].as_str().unwrap().to_owned();
    let path = format!("{PROJECTS}/{project}");
    superuser.patch(&path, json!({ "name": "Motor" })).header("if-match", "\"1\"").await.expect(200);
    superuser.get(&path).header("if-none-match", "\"2\"").await.expect(304);
    superuser.request("HEAD", &path).await.expect(200);
    superuser.delete(&path).await.expect(204);
    assert_eq!(ada.get(PROJECTS).await.expect(200)["data"], json!([]));
    let operations = ["createProject", "updateProject", "getProject", "getProject", "deleteProject"];
    assert_eq!(
        recorded_accesses(&server).await,
        operations.map(|operation| access(&server, operation, REASON))
    );
    let events = format!(
        "SELECT action || ' ' || actor_kind FROM audit_events WHERE actor_id =
         (SELECT id FROM users WHERE email = '{}') AND action LIKE 'project.%' AND {}
         ORDER BY occurred_at, id",
        Server::SUPERUSER,
        server.own_rows()
    );
    let expected = ["project.created superuser", "project.updated superuser", "project.deleted superuser"];
    assert_eq!(database.texts(&events).await, expected);
}

#[tokio::test]
async fn a_superuser_is_not_a_member() {
    let (server, superuser, ada, database) = acme().await;
    let mine = format!("{ACME}/me/permissions");
    superuser.get(&mine).header(HEADER, REASON).await.problem(409, "NOT_A_MEMBER");
    // The same for a superuser who is a member. Without the header, the permissions of their roles apply.
    database.join(&server.slug, Server::SUPERUSER, "viewer").await;
    superuser.get(&mine).header(HEADER, REASON).await.problem(409, "NOT_A_MEMBER");
    eventually("the change is noticed", async || superuser.get(ACME).await.status == 200).await;
    assert_eq!(superuser.get(&mine).await.expect(200)["roles"][0]["key"], "viewer");
    let draft = json!({ "code": "ENGINE", "name": "Engine" });
    superuser.post(PROJECTS, draft.clone()).await.problem(403, "FORBIDDEN");
    superuser.post(PROJECTS, draft).header(HEADER, REASON).await.expect(201);
    // What was remembered of the one is no answer to the other.
    for _ in 0..3 {
        superuser.get(PROJECTS).await.expect(200);
        superuser.get(&mine).header(HEADER, REASON).await.problem(409, "NOT_A_MEMBER");
        assert_eq!(superuser.get(&mine).await.expect(200)["roles"][0]["key"], "viewer");
    }
    assert_eq!(count(&server).await, 6);
    ada.get(PROJECTS).await.expect(200);
}

#[tokio::test]
async fn every_access_is_recorded() {
    let (server, superuser, _, database) = acme().await;
    for number in 1..=4 {
        superuser.get(ACME).header(HEADER, "again and again").await.expect(200);
        assert_eq!(count(&server).await, number);
    }
    // The header gives no lasting access.
    superuser.get(ACME).await.problem(404, "NOT_FOUND");
    // The same request twice is one project, and two looks.
    for _ in 0..2 {
        let draft = json!({ "code": "ENGINE", "name": "Engine" });
        let made =
            superuser.post(PROJECTS, draft).header(HEADER, REASON).header("idempotency-key", &server.slug);
        made.await.expect(201);
    }
    assert_eq!(database.scalar(&projects(&server)).await, 1);
    assert_eq!(count(&server).await, 6);
    // By an id, and by the cookies of a browser.
    let id = superuser.get(ACME).header(HEADER, REASON).await.expect(200)["id"].as_str().unwrap().to_owned();
    superuser.get(&format!("/api/v1/organizations/{id}")).header(HEADER, REASON).await.expect(200);
    let (browser, _) = Browser::log_in(&server.client(), &server.url(""), Server::SUPERUSER).await;
    browser.request("GET", ACME).header(HEADER, REASON).await.expect(200);
    assert_eq!(count(&server).await, 9);
}

#[tokio::test]
async fn an_invalid_reason_is_named_and_changes_nothing() {
    let (server, superuser, _, database) = acme().await;
    let raw = |reason: Vec<u8>| {
        let (server, token) = (&server, superuser.token().to_owned());
        async move {
            let head = format!(
                "GET {} HTTP/1.1\r\nhost: insula\r\nconnection: close\r\nauthorization: Bearer {token}\r\n",
                server.path("")
            );
            let request = [head.as_bytes(), b"x-platform-access: ", &reason, b"\r\n\r\n"].concat();
            server.raw(request).await
        }
    };
    let mut replies: Vec<(String, Reply)> = Vec::new();
    for reason in ["", "a", "ab", &"x".repeat(201), "see\u{202e}gol", "\u{200b}\u{200b}\u{200b}"] {
        let draft = json!({ "code": "ENGINE", "name": "Engine" });
        replies.push((reason.to_owned(), superuser.get(ACME).header(HEADER, reason).await));
        replies.push((reason.to_owned(), superuser.post(PROJECTS, draft).header(HEADER, reason).await));
    }
    for reason in [&b"St\xf6rung"[..], b"why\tnot"] {
        replies.push((format!("{reason:?}"), raw(reason.to_vec()).await));
    }
    for (reason, reply) in replies {
        let problem = reply.problem(422, "VALIDATION_FAILED");
        assert_eq!(problem["errors"][0]["field"], "X-Platform-Access", "{reason:?}");
    }
    assert_eq!((count(&server).await, database.scalar(&projects(&server)).await), (0, 0));
    for reason in ["abc", &"ö".repeat(200)] {
        superuser.get(ACME).header(HEADER, reason).await.expect(200);
    }
    // An organization that is not there is not there first.
    superuser.get("/api/v1/organizations/nowhere").header(HEADER, "").await.problem(404, "NOT_FOUND");
    // Nobody else's is read.
    let eve = server.stranger("eve").await;
    let mine = eve.create_organization(&unique("mine")).await.slug;
    eve.get(&format!("/api/v1/organizations/{mine}")).header(HEADER, "").await.expect(200);
    assert_eq!(count(&server).await, 2);
}

#[tokio::test]
async fn an_access_that_cannot_be_recorded_is_refused() {
    let builder = Server::builder().env("INSULA_DATABASE_ACQUIRE_TIMEOUT", "2");
    let (alone, _) = builder.start_with_superuser().await;
    let (server, superuser, ada, database) = with_superuser(OrgWithOwner::on(alone).await).await;
    // On SQLite its one writer is busy; on PostgreSQL the log alone is.
    let held = match &database {
        TestDatabase::Sqlite(_) => database.hold("UPDATE projects SET id = id").await,
        TestDatabase::Postgres(_) => database.hold("LOCK TABLE audit_events IN EXCLUSIVE MODE").await,
    };
    let draft = json!({ "code": "ENGINE", "name": "Engine" });
    for request in [superuser.get(ACME), superuser.get(PROJECTS), superuser.post(PROJECTS, draft)] {
        let reply = request.header(HEADER, REASON).await;
        reply.problem(503, "UNAVAILABLE");
        assert_eq!(reply.header("retry-after"), Some("1"));
    }
    // Requests that need no record still work.
    ada.get(PROJECTS).await.expect(200);
    held.rollback().await;
    assert_eq!((count_all(&database).await, database.scalar(&projects(&server)).await), (0, 0));
    database.execute("ALTER TABLE audit_events RENAME TO elsewhere").await;
    let reply = superuser.get(ACME).header(HEADER, REASON).await;
    reply.problem(503, "UNAVAILABLE");
    database.execute("ALTER TABLE elsewhere RENAME TO audit_events").await;
    superuser.get(ACME).header(HEADER, REASON).await.expect(200);
}

#[tokio::test]
async fn the_state_of_the_organization_applies_to_superusers_too() {
    let (server, superuser, _, database) = acme().await;
    let superuser = superuser.with(HEADER, REASON);
    let draft = json!({ "code": "ENGINE", "name": "Engine" });
    let update = |change: &str| format!("UPDATE organizations SET {change} WHERE slug = '{}'", server.slug);
    database.execute(&update("status = 'suspended'")).await;
    superuser.get(PROJECTS).await.expect(200);
    superuser.post(PROJECTS, draft.clone()).await.problem(403, "ORGANIZATION_SUSPENDED");
    database.execute(&update("status = 'active', deleted_at = created_at")).await;
    superuser.get(PROJECTS).await.problem(410, "ORGANIZATION_DELETED");
    superuser.post(PROJECTS, draft).await.problem(410, "ORGANIZATION_DELETED");
    assert_eq!(
        recorded_accesses(&server).await,
        [access(&server, "listProjects", REASON)],
        "an access that showed nothing is not recorded"
    );
}

#[tokio::test]
async fn a_former_superuser_is_a_stranger_at_once() {
    let (server, superuser, _, _) = acme().await;
    let draft = json!({ "email": server.email("second"), "password": PASSWORD, "is_superuser": true });
    let made = superuser.post("/api/v1/admin/users", draft).await.expect(201);
    let user = format!("/api/v1/admin/users/{}", made["id"].as_str().unwrap());
    let second = server.client().log_in(&server.email("second"), PASSWORD).await;
    second.get(ACME).header(HEADER, REASON).await.expect(200);
    superuser.patch(&user, json!({ "is_superuser": false })).await.expect(200);
    second.get(ACME).header(HEADER, REASON).await.problem(404, "NOT_FOUND");
    superuser.patch(&user, json!({ "is_superuser": true })).await.expect(200);
    second.get(ACME).header(HEADER, REASON).await.expect(200);
    superuser.request("POST", &format!("{user}/deactivate")).await.expect(200);
    second.get(ACME).header(HEADER, REASON).await.problem(401, "INVALID_TOKEN");
    server.client().get(ACME).header(HEADER, REASON).await.problem(401, "UNAUTHENTICATED");
    assert_eq!(count(&server).await, 2);
}

#[tokio::test]
async fn a_superuser_with_an_unverified_address_has_no_access() {
    let (server, superuser) = Server::builder().with_mail().start_with_superuser().await;
    let database = server.database().await;
    superuser.post("/api/v1/organizations", json!({ "name": "Acme", "slug": "acme" })).await.expect(201);
    database.execute("UPDATE users SET email_verified_at = NULL").await;
    superuser.get("/api/v1/organizations/acme").header(HEADER, REASON).await.problem(403, "EMAIL_UNVERIFIED");
    superuser
        .get("/api/v1/organizations/nowhere")
        .header(HEADER, REASON)
        .await
        .problem(403, "EMAIL_UNVERIFIED");
    assert_eq!(count_all(&database).await, 0);
}

/// Who has left, and what was deleted.
async fn bring_back(database: &TestDatabase) {
    database.execute("UPDATE members SET status = 'active', removed_at = NULL").await;
    database.execute("UPDATE organizations SET deleted_at = NULL, purge_after = NULL").await;
}

/// The demo members: the header gives no permissions to users who are not superusers.
#[tokio::test]
async fn a_member_gains_and_loses_nothing_by_the_header() {
    let demo = DemoFixture::start().await;
    let database = demo.server.database().await;
    for name in ["olivia", "adam", "mia", "victor"] {
        let caller = demo.user(name).await;
        for operation in inside(&demo.server).await {
            let path = path(&operation, DemoFixture::SLUG);
            // What the log shows changes once more when it is sealed, which takes up to a second.
            if path.contains("audit") {
                database.wait_until_sealed().await;
            }
            let plain = operation.broken_request(&caller, &path).await.outcome();
            bring_back(&database).await;
            let with = operation.broken_request(&caller, &path).header(HEADER, REASON).await.outcome();
            bring_back(&database).await;
            assert_eq!(plain, with, "{name} {}", operation.id);
        }
    }
    assert_eq!(count_all(&database).await, 0);
}
