//! Audit events: one per changed row, in the same transaction, and without secrets.

use insula_tests::{Client, PASSWORD, Server, SharedServer, TestDatabase, unique};
use serde_json::{Value, json};

const PROJECTS: &str = "/api/v1/organizations/{org}/projects";

/// The platform's log, as the database spells its owner.
const PLATFORM: &str = "00000000000000000000000000000000";

#[derive(Debug, PartialEq)]
struct Event {
    action: String,
    actor: String,
    organization: String,
    resource_id: String,
    outcome: String,
    session: String,
    details: Value,
}

/// The events that one request left.
async fn events(database: &TestDatabase, request: &str) -> Vec<Event> {
    let (actor, organization, session) =
        (database.hex("actor_id"), database.hex("organization_id"), database.hex("session_id"));
    let rows = database
        .texts(&format!(
            "SELECT action || '|' || actor_kind || ':' || {actor} || '|' || {organization} || '|' || resource_id
             || '|' || outcome || '|' || {session} || '|' || details
             FROM audit_events WHERE request_id = '{request}' ORDER BY occurred_at, id"
        ))
        .await;
    let event = |row: String| {
        let mut parts = row.splitn(7, '|').map(str::to_owned);
        let mut next = || parts.next().unwrap();
        Event {
            action: next(),
            actor: next(),
            organization: next(),
            resource_id: next(),
            outcome: next(),
            session: next(),
            details: serde_json::from_str(&next()).unwrap(),
        }
    };
    rows.into_iter().map(event).collect()
}

fn hex(id: &Value) -> String {
    id.as_str().unwrap().replace('-', "")
}

/// Ada, logged in, with her ids.
struct Ada {
    server: SharedServer,
    database: TestDatabase,
    client: Client,
    user: Value,
    session: Value,
    /// Begins the names of her requests.
    requests: String,
    /// A slug for her organization.
    slug: String,
}

impl Ada {
    async fn start() -> Self {
        Self::on(Server::shared().await).await
    }

    async fn on(server: SharedServer) -> Self {
        let (requests, slug, email) = (unique("request"), unique("acme"), server.email("ada"));
        let person = json!({ "email": email, "password": PASSWORD, "first_name": "Ada" });
        let named = |id: &str| server.client().with("x-request-id", &format!("{requests}-{id}"));
        let user = named("register").post("/api/v1/auth/register", person).await.expect(201)["id"].clone();
        let log_in = json!({ "email": email, "password": PASSWORD });
        let session = named("log-in").post("/api/v1/auth/login", log_in).await.expect(200);
        let client = server.client().in_organization(&slug);
        let client = client.bearer(session["access_token"].as_str().unwrap());
        Self {
            database: server.database().await,
            server,
            client,
            user,
            session: session["session_id"].clone(),
            requests,
            slug,
        }
    }

    /// Her requests carry this name.
    fn named(&self, request: &str) -> Client {
        self.client.with("x-request-id", &format!("{}-{request}", self.requests))
    }

    /// The events that this request of hers left.
    async fn events(&self, request: &str) -> Vec<Event> {
        events(&self.database, &format!("{}-{request}", self.requests)).await
    }

    /// An event of Ada.
    fn event(&self, action: &str, organization: &str, resource: &Value, details: Value) -> Event {
        Event {
            action: action.to_owned(),
            actor: format!("user:{}", hex(&self.user)),
            organization: organization.to_owned(),
            resource_id: resource.as_str().unwrap().to_owned(),
            outcome: "success".to_owned(),
            session: hex(&self.session),
            details,
        }
    }

    async fn total(&self) -> i64 {
        let events = format!(
            "SELECT count(*) FROM audit_events WHERE actor_kind NOT IN ('system', 'worker')
             AND (actor_id IN {users} OR request_id LIKE '{}-%' OR organization_id IN
                  (SELECT organization_id FROM members WHERE user_id IN {users}))",
            self.requests,
            users = self.server.own_users()
        );
        self.database.scalar(&events).await
    }
}

#[tokio::test]
async fn registrations_and_logins_are_in_the_platform_log() {
    let ada = Ada::start().await;
    let facts = json!({ "after": { "is_active": true, "is_superuser": false } });
    let registered =
        Event { session: String::new(), ..ada.event("user.registered", PLATFORM, &ada.user, facts) };
    let logged = ada.events("register").await;
    assert_eq!(logged[0], registered);
    // Including her personal organization: its name is personal data.
    let actions: Vec<_> = logged.iter().map(|event| (&*event.action, &event.details)).collect();
    let (kind, owner) = (
        json!({ "after": { "kind": "personal" } }),
        json!({ "after": { "user_id": ada.user, "roles": ["owner"] } }),
    );
    assert_eq!(actions[1..], [("organization.created", &kind), ("member.added", &owner)]);
    assert!(logged[1..].iter().all(|event| event.organization == hex(&json!(logged[1].resource_id))));
    let created = ada.event("session.created", PLATFORM, &ada.session, json!({ "after": { "amr": "pwd" } }));
    assert_eq!(ada.events("log-in").await, [Event { session: String::new(), ..created }]);
    assert_eq!(ada.total().await, 4);
}

#[tokio::test]
async fn a_registration_enqueues_one_welcome_email_by_id_only() {
    let ada = Ada::on(Server::start().await.into()).await;
    let jobs = ada.database.texts("SELECT kind || ' ' || payload FROM outbox").await;
    assert_eq!(jobs, [format!("send_welcome {}", json!({ "user": ada.user }))]);
}

#[tokio::test]
async fn the_creation_of_an_organization_records_it_and_its_owner() {
    let ada = Ada::start().await;
    let acme = ada.named("found").create_organization(&ada.slug).await;
    let logged = ada.events("found").await;
    let member =
        ada.client.get("/api/v1/organizations/{org}/me/permissions").await.expect(200)["member_id"].clone();
    let organization = hex(&acme.body["id"]);
    let facts = json!({ "after": { "slug": ada.slug, "name": ada.slug, "kind": "team" } });
    let joined = json!({ "after": { "user_id": ada.user, "roles": ["owner"] } });
    assert_eq!(
        logged,
        [
            ada.event("organization.created", &organization, &acme.body["id"], facts),
            ada.event("member.added", &organization, &member, joined),
        ]
    );
}

#[tokio::test]
async fn changes_of_a_project_are_recorded_with_before_and_after() {
    let ada = Ada::start().await;
    let acme = hex(&ada.client.create_organization(&ada.slug).await.body["id"]);
    let draft = json!({ "code": "ENGINE", "name": "Engine", "color": "#1f6feb" });
    let made = ada.named("create").post(PROJECTS, draft.clone()).await.expect(201);
    let path = format!("{PROJECTS}/{}", made["id"].as_str().unwrap());
    ada.named("change")
        .patch(&path, json!({ "name": "Motor", "color": null, "code": "ENGINE" }))
        .await
        .expect(200);
    ada.named("delete").delete(&path).await.expect(204);
    ada.named("restore").request("POST", &format!("{path}/restore")).await.expect(200);

    let now = json!({ "code": "ENGINE", "name": "Motor", "color": null });
    // What a draft leaves out is a fact, too.
    let recorded = |project: &Value| {
        let mut facts = json!({ "is_private": false, "estimate_seconds": null });
        facts.as_object_mut().unwrap().extend(project.as_object().unwrap().clone());
        facts
    };
    for (request, action, details) in [
        ("create", "project.created", json!({ "after": recorded(&draft) })),
        (
            "change",
            "project.updated",
            json!({ "before": { "name": "Engine", "color": "#1f6feb" }, "after": { "name": "Motor", "color": null } }),
        ),
        ("delete", "project.deleted", json!({ "before": recorded(&now) })),
        ("restore", "project.restored", json!({ "after": recorded(&now) })),
    ] {
        assert_eq!(ada.events(request).await, [ada.event(action, &acme, &made["id"], details)]);
    }
}

#[tokio::test]
async fn a_request_without_a_name_is_logged_under_the_one_it_was_given() {
    let ada = Ada::start().await;
    ada.client.create_organization(&ada.slug).await;
    let made = ada.client.post(PROJECTS, json!({ "code": "ENGINE", "name": "Engine" })).await;
    made.expect(201);
    assert_eq!(events(&ada.database, made.header("x-request-id").unwrap()).await.len(), 1);
}

#[tokio::test]
async fn what_changes_nothing_leaves_no_event() {
    let ada = Ada::on(Server::start().await.into()).await;
    ada.client.create_organization(&ada.slug).await;
    let create = || {
        let draft = json!({ "code": "ENGINE", "name": "Engine" });
        ada.client.post(PROJECTS, draft).header("idempotency-key", "key-1")
    };
    let path = format!("{PROJECTS}/{}", create().await.expect(201)["id"].as_str().unwrap());
    let before = ada.total().await;
    create().await.expect(201);
    ada.client.patch(&path, json!({ "name": "Engine" })).await.expect(200);
    ada.client.patch(&path, json!({ "name": "x" })).header("if-match", "\"9\"").await.expect(412);
    ada.client.delete(&path).header("if-match", "\"9\"").await.expect(412);
    ada.client.post(PROJECTS, json!({ "code": "engine", "name": "x" })).await.expect(409);
    ada.client.post(PROJECTS, json!({ "code": "a b", "name": "x" })).await.expect(422);
    ada.client.post("/api/v1/organizations", json!({ "slug": ada.slug, "name": "x" })).await.expect(409);
    ada.client.request("POST", &format!("{path}/restore")).await.expect(404);
    for read in [&*path, PROJECTS, "/api/v1/users/me", "/api/v1/organizations/{org}"] {
        ada.client.get(read).await.expect(200);
    }
    let again = json!({ "email": ada.server.email("ada"), "password": PASSWORD });
    ada.server.client().post("/api/v1/auth/register", again).await.expect(409);
    assert_eq!(ada.total().await, before);
    assert_eq!(ada.database.scalar("SELECT count(*) FROM outbox").await, 1);
}

#[tokio::test]
async fn no_secret_and_no_address_stands_in_the_log_or_the_outbox() {
    let ada = Ada::on(Server::start().await.into()).await;
    ada.client.create_organization(&ada.slug).await;
    let database = &ada.database;
    let hash = database.text("SELECT secret_hash FROM credentials").await;
    let mut texts =
        database.texts("SELECT details || coalesce(resource_id, '') || action FROM audit_events").await;
    texts.extend(database.texts("SELECT payload || actor || coalesce(last_error, '') FROM outbox").await);
    assert!(texts.len() >= 5);
    for secret in [PASSWORD, ada.client.token(), &hash, "ada@example.com", "argon2"] {
        assert!(!texts.iter().any(|text| text.contains(secret)), "{secret}");
    }
}
