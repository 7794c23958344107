//! Refused requests are recorded: those of a member in the organization's log, those of other users and failed logins in
//! the platform's. Repeated ones are counted.

use insula_tests::{Browser, Client, DemoFixture, PASSWORD, Server};
use serde_json::json;

use super::refusal_events::{Event, all, counts, denied, events, of_nobody, refused};
use crate::members::membership;

const ACME: &str = "/api/v1/organizations/acme";
const DEMO: &str = "/api/v1/organizations/demo";
const LOG_IN: &str = "/api/v1/auth/login";

/// An address without an account.
const TYPED: &str = "Nobody.Knows@example.com";

fn named(client: &Client, request: &str) -> Client {
    client.with("x-request-id", request)
}

#[tokio::test]
async fn a_refused_member_is_recorded_in_the_log_of_the_organization() {
    let demo = DemoFixture::start().await;
    let database = demo.server.database().await;
    let (olivia, adam, victor) =
        (demo.user("olivia").await, demo.user("adam").await, demo.user("victor").await);
    let roles = format!("{DEMO}/roles");
    let projects = format!("{DEMO}/projects");
    let draft = json!({ "code": "ENGINE", "name": "Engine" });
    named(&victor, "permission").post(&projects, draft.clone()).await.problem(403, "FORBIDDEN");
    let strong = json!({ "name": "Strong", "permissions": ["organization:delete"] });
    named(&adam, "escalation").post(&roles, strong).await.problem(403, "ESCALATION");
    let own = membership::path(&adam, "olivia").await;
    named(&adam, "owner").delete(&own).await.problem(403, "OWNER_PROTECTED");
    database.execute("UPDATE sessions SET auth_time = '2026-01-01T00:00:00Z'").await;
    named(&olivia, "recent").delete(DEMO).await.problem(403, "REAUTH_REQUIRED");
    database.execute("UPDATE organizations SET status = 'suspended' WHERE slug = 'demo'").await;
    named(&olivia, "suspended").post(&projects, draft.clone()).await.problem(403, "ORGANIZATION_SUSPENDED");
    database.execute("UPDATE organizations SET status = 'active' WHERE slug = 'demo'").await;

    let missing = json!({ "code": "FORBIDDEN", "permission": "projects:create" });
    for (request, name, operation, facts) in [
        ("permission", "victor", "createProject", missing),
        ("escalation", "adam", "createRole", json!({ "code": "ESCALATION" })),
        ("owner", "adam", "removeMember", json!({ "code": "OWNER_PROTECTED" })),
        ("recent", "olivia", "deleteOrganization", json!({ "code": "REAUTH_REQUIRED" })),
        ("suspended", "olivia", "createProject", json!({ "code": "ORGANIZATION_SUSPENDED" })),
    ] {
        let expected = denied("demo", &format!("{name}@demo.example"), operation, facts);
        assert_eq!(events(&database, request).await, [expected], "{request}");
    }
    // What else goes wrong within it is no refusal.
    let nothing = format!("{projects}/0190b3a0-7c1e-7d2a-9f00-3a5c6e7f8091");
    olivia.get(&nothing).await.problem(404, "NOT_FOUND");
    olivia.get(&format!("{projects}/nonsense")).await.problem(404, "NOT_FOUND");
    olivia.post(&projects, json!({ "code": "a b" })).await.expect(422);
    assert_eq!(all(&database).await, 5);
    // A superuser who enters is refused by the platform's rules: it is no matter of the organization's.
    database.execute("UPDATE organizations SET status = 'suspended' WHERE slug = 'demo'").await;
    let root = demo.user("root").await.with("x-platform-access", "Ticket 4711");
    named(&root, "operator").post(&projects, draft).await.problem(403, "ORGANIZATION_SUSPENDED");
    let facts = json!({ "code": "ORGANIZATION_SUSPENDED" });
    let expected = denied("PLATFORM", "root@demo.example", "createProject", facts);
    let expected = Event { actor: "superuser root@demo.example".to_owned(), ..expected };
    assert_eq!(events(&database, "operator").await, [expected]);
}

#[tokio::test]
async fn refused_strangers_are_in_no_log_of_an_organization() {
    let (server, superuser) = Server::with_superuser().await;
    let database = server.database().await;
    let ada = server.client().register("ada@example.com").await;
    let acme = ada.create_organization("acme").await.id;
    let eve = server.client().register("eve@example.com").await;
    let projects = format!("{ACME}/projects");
    named(&eve, "stranger").get(ACME).await.problem(404, "NOT_FOUND");
    named(&eve, "by-id")
        .get(&format!("/api/v1/organizations/{acme}/projects"))
        .await
        .problem(404, "NOT_FOUND");
    named(&superuser, "operator").post(&projects, json!({})).await.problem(404, "NOT_FOUND");
    let nowhere = "/api/v1/organizations/ak-me/members";
    named(&ada, "mistyped").get(nowhere).await.problem(404, "NOT_FOUND");
    let entering = named(&superuser, "entering").with("x-platform-access", "Ticket 4711");
    entering.get(nowhere).await.problem(404, "NOT_FOUND");
    database.execute("UPDATE members SET status = 'suspended' WHERE organization_id IN (SELECT id FROM organizations WHERE slug = 'acme')").await;
    named(&ada, "suspended").patch(ACME, json!({})).await.problem(403, "MEMBERSHIP_SUSPENDED");

    let there = json!({ "code": "NOT_FOUND", "organization": acme });
    let not_there = json!({ "code": "NOT_FOUND" });
    let suspended = json!({ "code": "MEMBERSHIP_SUSPENDED", "organization": acme });
    for (request, email, operation, facts) in [
        ("stranger", "eve@example.com", "getOrganization", &there),
        ("by-id", "eve@example.com", "listProjects", &there),
        ("operator", "root@example.com", "createProject", &there),
        ("mistyped", "ada@example.com", "listMembers", &not_there),
        ("suspended", "ada@example.com", "updateOrganization", &suspended),
    ] {
        let expected = denied("PLATFORM", email, operation, facts.clone());
        assert_eq!(events(&database, request).await, [expected], "{request}");
    }
    let entering = denied("PLATFORM", "root@example.com", "listMembers", not_there);
    let entering = Event { actor: "superuser root@example.com".to_owned(), ..entering };
    assert_eq!(events(&database, "entering").await, [entering]);
    // Requests without a login, and unknown paths, are not recorded as refusals.
    server.client().get(ACME).await.problem(401, "UNAUTHENTICATED");
    eve.get("/api/v1/organizations/acme/nonsense").await.problem(404, "NOT_FOUND");
    eve.get("/api/v1/nonsense").await.problem(404, "NOT_FOUND");
    assert_eq!(all(&database).await, 6);
    let logged = database.texts("SELECT details || coalesce(resource_id, '') FROM audit_events").await;
    assert!(!logged.iter().any(|text| text.contains("ak-me")), "input is not logged");
}

#[tokio::test]
async fn other_refusals_are_in_the_platform_log() {
    let server = Server::start().await;
    let database = server.database().await;
    let ada = server.client().register("ada@example.com").await;
    named(&ada, "admin").get("/api/v1/admin/users").await.problem(403, "FORBIDDEN");
    let who = json!({ "email": "ada@example.com", "password": PASSWORD, "transport": "cookie" });
    let evil = server.client().with("origin", "https://evil.example");
    named(&evil, "foreign").post(LOG_IN, who).await.problem(403, "CSRF_FAILED");
    let (browser, _) = Browser::log_in(&server.client(), &server.url(""), "ada@example.com").await;
    let forged = browser.forged("PATCH", "/api/v1/users/me").header("x-request-id", "forged");
    forged.await.problem(403, "CSRF_FAILED");
    database.execute("UPDATE sessions SET auth_time = '2026-01-01T00:00:00Z'").await;
    named(&ada, "recent").delete("/api/v1/users/me").await.problem(403, "REAUTH_REQUIRED");

    let csrf = json!({ "code": "CSRF_FAILED" });
    let foreign = of_nobody(denied("PLATFORM", "", "logIn", csrf.clone()));
    // Only the token names the user; the account was not looked up.
    let forged = Event { label: String::new(), ..denied("PLATFORM", "ada@example.com", "updateMe", csrf) };
    let admin = denied("PLATFORM", "ada@example.com", "listUsers", json!({ "code": "FORBIDDEN" }));
    let recent = denied("PLATFORM", "ada@example.com", "deleteMe", json!({ "code": "REAUTH_REQUIRED" }));
    for (request, expected) in
        [("admin", admin), ("foreign", foreign), ("forged", forged), ("recent", recent)]
    {
        assert_eq!(events(&database, request).await, [expected], "{request}");
    }
    assert_eq!(all(&database).await, 4);
}

#[tokio::test]
async fn refusals_of_unverified_users_are_in_the_platform_log_only() {
    let (server, root) = Server::builder().with_mail().start_with_superuser().await;
    let database = server.database().await;
    root.create_organization("acme").await;
    database.execute("UPDATE users SET email_verified_at = NULL").await;
    named(&root, "inside").patch(ACME, json!({})).await.problem(403, "EMAIL_UNVERIFIED");
    named(&root, "outside").post("/api/v1/organizations", json!({})).await.problem(403, "EMAIL_UNVERIFIED");
    for (request, operation) in [("inside", "updateOrganization"), ("outside", "createOrganization")] {
        let facts = json!({ "code": "EMAIL_UNVERIFIED" });
        assert_eq!(
            events(&database, request).await,
            [denied("PLATFORM", "root@example.com", operation, facts)],
            "{request}"
        );
    }
}

#[tokio::test]
async fn a_failed_login_is_one_event_with_or_without_an_account() {
    let server = Server::start().await;
    let database = server.database().await;
    let ada = server.client().register("ada@example.com").await;
    let me = ada.get("/api/v1/users/me").await.expect(200);
    let id = me["id"].as_str().unwrap();
    let log_in = |request: &str, email: &str, password: &str| {
        named(&server.client(), request).post(LOG_IN, json!({ "email": email, "password": password }))
    };
    let secret = "Wrong-lantern-48-meadow";
    log_in("known", "ada@example.com", secret).await.problem(401, "INVALID_CREDENTIALS");
    log_in("unknown", TYPED, secret).await.problem(401, "INVALID_CREDENTIALS");
    log_in("other", "somebody-else@example.com", secret).await.problem(401, "INVALID_CREDENTIALS");
    // The account has no password any more but still exists.
    server.client().register("bob@example.com").await;
    database
        .execute("DELETE FROM credentials WHERE user_id IN (SELECT id FROM users WHERE email LIKE 'bob@%')")
        .await;
    log_in("none", "bob@example.com", secret).await.problem(401, "INVALID_CREDENTIALS");
    database.execute("UPDATE users SET is_active = false WHERE email = 'ada@example.com'").await;
    log_in("inactive", "ada@example.com", PASSWORD).await.problem(403, "INACTIVE_USER");

    assert_eq!(events(&database, "known").await, [refused("INVALID_CREDENTIALS", id)]);
    for unknown in ["unknown", "other"] {
        assert_eq!(events(&database, unknown).await, [refused("INVALID_CREDENTIALS", "")], "{unknown}");
    }
    let none = events(&database, "none").await;
    assert!(none.len() == 1 && none[0].of.len() == id.len(), "{none:?}");
    assert_eq!(events(&database, "inactive").await, [refused("INACTIVE_USER", id)], "once, and as a log-in");
    // The second time neither is written, however the name is spelled.
    for (email, again) in [("ada@example.com", " Ada@Example.com"), (TYPED, "nobody.knows@EXAMPLE.com")] {
        for email in [email, again.trim()] {
            log_in("again", email, secret).await.problem(401, "INVALID_CREDENTIALS");
        }
    }
    assert_eq!(events(&database, "again").await, []);
    assert_eq!(all(&database).await, 5);

    let _env = server.test_env().clone();
    server.terminate().await;
    let counts: Vec<_> = counts(&database).await.into_iter().map(|event| (event.of, event.details)).collect();
    let twice = json!({ "after": { "code": "INVALID_CREDENTIALS", "repeated": 2 } });
    assert!(counts.len() == 2 && counts.contains(&(id.to_owned(), twice.clone())), "{counts:?}");
    assert!(counts.contains(&(String::new(), twice)), "{counts:?}");
    let texts = "SELECT details || coalesce(resource_id, '') || action FROM audit_events
                 UNION ALL SELECT coalesce(ip, '') || coalesce(user_agent, '') || coalesce(label, '') FROM audit_personal";
    for text in database.texts(texts).await {
        for word in [secret, PASSWORD, "obody", "somebody-else"] {
            assert!(!text.contains(word), "{text}");
        }
    }
}

#[tokio::test]
async fn repeated_refusals_are_counted_in_one_event() {
    let demo = DemoFixture::start().await;
    let database = demo.server.database().await;
    let (victor, mia) = (demo.user("victor").await, demo.user("mia").await);
    let projects = format!("{DEMO}/projects");
    for number in 0..50 {
        let draft = json!({ "code": format!("P{number}"), "name": "P" });
        victor.post(&projects, draft).await.problem(403, "FORBIDDEN");
        let nowhere = format!("/api/v1/organizations/guess-{number}");
        mia.get(&nowhere).await.problem(404, "NOT_FOUND");
    }
    assert_eq!(all(&database).await, 2, "of each one");
    // Another operation, another user: others.
    mia.post(&projects, json!({})).await.problem(403, "FORBIDDEN");
    victor.delete(DEMO).await.problem(403, "FORBIDDEN");
    assert_eq!(all(&database).await, 4);
    assert_eq!(counts(&database).await, []);

    let _env = demo.server.test_env().clone();
    assert!(demo.server.terminate().await.status.success());
    let counted = |event: Event| Event { is_by_session: false, address: String::new(), ..event };
    let facts = |code: &str| json!({ "code": code, "repeated": 49 });
    let victors = counted(denied("demo", "victor@demo.example", "createProject", facts("FORBIDDEN")));
    let mias = counted(denied("PLATFORM", "mia@demo.example", "getOrganization", facts("NOT_FOUND")));
    let counts = counts(&database).await;
    assert!(counts.len() == 2 && counts.contains(&victors) && counts.contains(&mias), "{counts:#?}");
    assert_eq!(all(&database).await, 6);
}

#[tokio::test]
async fn what_cannot_be_written_is_refused_all_the_same_and_counted() {
    let demo = DemoFixture::start().await;
    let database = demo.server.database().await;
    let victor = demo.user("victor").await;
    database.execute("ALTER TABLE audit_events RENAME TO elsewhere").await;
    for _ in 0..3 {
        let draft = json!({ "code": "ENGINE", "name": "Engine" });
        victor.post(&format!("{DEMO}/projects"), draft).await.problem(403, "FORBIDDEN");
    }
    assert!(demo.server.log().contains("could not record a refusal yet"), "{}", demo.server.log());
    database.execute("ALTER TABLE elsewhere RENAME TO audit_events").await;
    assert_eq!(all(&database).await, 0);
    let _env = demo.server.test_env().clone();
    demo.server.terminate().await;
    let details = counts(&database).await.into_iter().map(|event| event.details).collect::<Vec<_>>();
    assert_eq!(
        details,
        [json!({ "after": { "code": "FORBIDDEN", "operation": "createProject", "repeated": 3 } })]
    );
}
