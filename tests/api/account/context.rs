//! `/users/me/context`: all that a client needs before it shows its first page.

use insula_tests::{Browser, Client, OrgFixture, OrgWithOwner, unique};
use serde_json::{Value, json};

const CONTEXT: &str = "/api/v1/users/me/context";
const NOTHING: &str = "0190b3a0-7c1e-7d2a-9f00-3a5c6e7f8091";

async fn context(who: &Client, organization: &str) -> Value {
    who.get(&format!("{CONTEXT}?organization={organization}")).await.expect(200)
}

#[tokio::test]
async fn a_user_gets_what_the_single_operations_return() {
    let acme = OrgFixture::start().await;
    let owner = acme.owner.clone();
    owner.post("/api/v1/organizations/{org}/timer/start", json!({ "notes": "Oil it" })).await.expect(201);
    let lock = json!({ "locked_until": "2026-01-01T00:00:00Z" });
    owner.put("/api/v1/organizations/{org}/period-lock", lock).await.expect(200);
    let all = context(&owner, &acme.slug).await;
    let get = async |path: &str| owner.get(path).await.expect(200);
    assert_eq!(all["user"], get("/api/v1/users/me").await);
    assert_eq!(all["organizations"], get("/api/v1/users/me/organizations").await["data"]);
    let sessions = get("/api/v1/users/me/sessions").await;
    let current = sessions["data"].as_array().unwrap().iter().find(|session| session["is_current"] == true);
    assert_eq!(all["session"]["id"], current.unwrap()["id"]);
    assert_eq!((&all["session"]["is_current"], &all["csrf_token"]), (&json!(true), &Value::Null));
    let there = &all["organization"];
    assert_eq!(there["organization"], get("/api/v1/organizations/{org}").await);
    assert_eq!(there["settings"], get("/api/v1/organizations/{org}/settings").await);
    assert_eq!(there["period_lock"], get("/api/v1/organizations/{org}/period-lock").await);
    assert_eq!(there["timer"], get("/api/v1/organizations/{org}/timer").await["running"]);
    assert_eq!(there["timer"]["notes"], "Oil it");
    let mine = get("/api/v1/organizations/{org}/me/permissions").await;
    assert_eq!((&there["member_id"], &there["roles"]), (&mine["member_id"], &mine["roles"]));
    let permissions = mine["permissions"].as_array().unwrap().iter();
    let permissions: Vec<_> = permissions.map(|granted| granted["permission"].clone()).collect();
    assert_eq!(there["permissions"], json!(permissions));

    let id = there["organization"]["id"].as_str().unwrap();
    assert_eq!(context(&owner, id).await["organization"]["organization"], there["organization"]);
    assert_eq!(get(CONTEXT).await["organization"], Value::Null);
}

#[tokio::test]
async fn invitations_and_transfers_wait_there() {
    let server = OrgWithOwner::start().await;
    let (owner, eve) = (&server.owner, server.join("eve", "admin").await);
    let other = unique("second");
    owner.create_organization(&other).await;
    let sent = owner.invite(&other, &server.email("eve"), &["viewer"]).await.expect(201);
    let mine = eve.get(CONTEXT).await.expect(200);
    assert_eq!(mine["invitations"][0]["id"], sent["id"]);
    assert_eq!(mine["transfers"], json!([]));

    let to = context(&eve, &server.slug).await["organization"]["member_id"].clone();
    let transfer = "/api/v1/organizations/{org}/transfer";
    let offered = owner.post(transfer, json!({ "member_id": to })).await.expect(201);
    assert_eq!(eve.get(CONTEXT).await.expect(200)["transfers"], json!([offered]));
    // Only the recipient answers it.
    assert_eq!(owner.get(CONTEXT).await.expect(200)["transfers"], json!([]));
    let over = format!("UPDATE owner_transfers SET expires_at = created_at WHERE {}", server.own_rows());
    assert_eq!(server.database().await.execute(&over).await, 1);
    assert_eq!(eve.get(CONTEXT).await.expect(200)["transfers"], json!([]));
}

#[tokio::test]
async fn a_member_sees_only_what_they_may_read() {
    let acme = OrgFixture::start().await;
    let reader = acme.join_with_permissions("rita", &["time_entries:read"]).await;
    let there = context(&reader, &acme.slug).await["organization"].take();
    assert_eq!(there["permissions"], json!(["time_entries:read"]));
    assert_eq!((&there["settings"], &there["timer"]), (&Value::Null, &Value::Null));
    assert_eq!(there["period_lock"]["version"], 0);
    let powerless = acme.join_with_permissions("pat", &["organization:read"]).await;
    let there = context(&powerless, &acme.slug).await["organization"].take();
    assert_eq!((&there["period_lock"], &there["timer"]), (&Value::Null, &Value::Null));
    assert!(there["settings"].is_object(), "{there}");
}

#[tokio::test]
async fn the_organization_of_others_is_not_found() {
    let server = OrgWithOwner::start().await;
    let eve = server.stranger("eve").await;
    let id = server.database().await.organization_id(&server.slug).await;
    let ask = async |organization: &str| eve.get(&format!("{CONTEXT}?organization={organization}")).await;
    let unknown = ask(NOTHING).await;
    unknown.problem(404, "NOT_FOUND");
    for organization in [&*server.slug, &id, "nowhere", "*"] {
        assert_eq!(ask(organization).await.outcome(), unknown.outcome(), "{organization}");
    }
    // Without it, there is nothing about the organization.
    assert!(!eve.get(CONTEXT).await.text().contains(&server.slug));
    ask("").await.problem(422, "VALIDATION_FAILED");
    server.client().get(CONTEXT).await.problem(401, "UNAUTHENTICATED");
}

#[tokio::test]
async fn a_former_slug_leads_to_the_organization() {
    let server = OrgWithOwner::alone().await;
    let owner = &server.owner;
    let id = context(owner, &server.slug).await["organization"]["organization"]["id"].clone();
    owner.patch("/api/v1/organizations/{org}", json!({ "slug": "renamed" })).await.expect(200);
    let there = context(owner, &server.slug).await["organization"]["organization"].take();
    assert_eq!((&there["id"], &there["slug"]), (&id, &json!("renamed")));
    server
        .stranger("eve")
        .await
        .get(&format!("{CONTEXT}?organization={}", server.slug))
        .await
        .problem(404, "NOT_FOUND");
    owner.delete("/api/v1/organizations/renamed").header("if-match", "*").await.expect(202);
    owner.get(&format!("{CONTEXT}?organization=renamed")).await.problem(410, "ORGANIZATION_DELETED");
}

#[tokio::test]
async fn a_superuser_needs_a_reason_and_is_recorded() {
    let server = OrgWithOwner::start().await;
    let superuser = server.superuser().await;
    let path = format!("{CONTEXT}?organization={}", server.slug);
    superuser.get(&path).await.problem(404, "NOT_FOUND");
    let there = superuser.get(&path).header("x-platform-access", "Ticket 4711").await.expect(200);
    let there = &there["organization"];
    assert_eq!((&there["member_id"], &there["roles"]), (&Value::Null, &json!([])));
    assert_eq!(there["timer"], Value::Null);
    let all = superuser.get("/api/v1/permissions").await.expect(200);
    assert_eq!(there["permissions"].as_array().unwrap().len(), all["data"].as_array().unwrap().len());
    assert!(there["settings"].is_object() && there["period_lock"].is_object(), "{there}");
    let recorded = server.event_details("platform.access").await;
    assert_eq!(recorded.len(), 1);
    assert!(recorded[0].contains("getMyContext") && recorded[0].contains("Ticket 4711"), "{recorded:?}");
}

#[tokio::test]
async fn only_a_session_in_cookies_gets_a_csrf_token() {
    let server = OrgWithOwner::start().await;
    let (browser, _) = Browser::log_in(&server.client(), &server.url(""), &server.email("ada")).await;
    let all = browser.forged("GET", CONTEXT).await.expect(200);
    let token = all["csrf_token"].as_str().unwrap();
    browser
        .forged("POST", "/api/v1/auth/logout")
        .header("origin", &server.url(""))
        .header("x-csrf-token", token)
        .await
        .expect(204);
}
