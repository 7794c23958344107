//! Error codes of operations in organizations.

use insula_tests::{Client, PASSWORD, Server, TestDatabase};
use serde_json::json;

use super::{Met, organization};

/// What an organization, or one's place in it, can be like.
pub(super) async fn organizations(met: &mut Met, ada: &Client, database: &TestDatabase) {
    for (change, status, code) in [
        ("UPDATE organizations SET status = 'suspended' WHERE slug = 'SLUG'", 403, "ORGANIZATION_SUSPENDED"),
        ("UPDATE organizations SET deleted_at = created_at WHERE slug = 'SLUG'", 410, "ORGANIZATION_DELETED"),
        (
            "UPDATE members SET status = 'suspended' WHERE organization_id IN (SELECT id FROM organizations WHERE slug = 'SLUG')",
            403,
            "MEMBERSHIP_SUSPENDED",
        ),
        (
            "DELETE FROM member_roles WHERE organization_id IN (SELECT id FROM organizations WHERE slug = 'SLUG')",
            403,
            "FORBIDDEN",
        ),
    ] {
        let slug = code.to_lowercase().replace('_', "-");
        let (_, path) = organization(ada, &slug).await;
        assert!(database.execute(&change.replace("SLUG", &slug)).await > 0);
        met.note(&ada.patch(&path, json!({ "name": "x" })).await, status, code);
    }
}

/// What is about time.
pub(super) async fn time(met: &mut Met, ada: &Client) {
    ada.create_organization("clock").await;
    let at = |path: &str| format!("/api/v1/organizations/clock/{path}");
    met.note(&ada.request("POST", &at("timer/stop")).await, 409, "TIMER_NOT_RUNNING");
    let start = || ada.post(&at("timer/start"), json!({}));
    start().await.expect(201);
    met.note(&start().await, 409, "TIMER_RUNNING");
    let refuse = json!({ "time_entry_overlap": "refuse" });
    ada.patch(&at("settings"), refuse).header("if-match", "*").await.expect(200);
    let hour = json!({ "started_at": "2026-03-02T08:00:00Z", "ended_at": "2026-03-02T09:00:00Z" });
    let write = || ada.post(&at("time-entries"), hour.clone());
    write().await.expect(201);
    met.note(&write().await, 409, "TIME_ENTRY_OVERLAP");
    ada.put(&at("period-lock"), json!({ "locked_until": "2026-03-03T00:00:00Z" })).await.expect(200);
    met.note(&write().await, 409, "PERIOD_LOCKED");
}

/// What keeps users from inviting, and from joining.
pub(super) async fn invitations(met: &mut Met, server: &Server, ada: &Client) {
    ada.create_organization("host").await;
    met.note(&ada.invite("host", "ada@example.com", &[]).await, 409, "ALREADY_MEMBER");
    let made = ada.invite("host", "guest@example.com", &["admin"]).await.expect(201);
    met.note(&ada.invite("host", "guest@example.com", &[]).await, 409, "INVITATION_PENDING");
    let token = server.invitation_token("guest@example.com", 1).await;
    met.note(&ada.accept(&token, json!({})).await, 409, "INVITATION_EMAIL_MISMATCH");
    met.note(&server.client().accept("x", json!({})).await, 410, "INVITATION_EXPIRED");
    let mine = ada.get("/api/v1/users/me/organizations").await.expect(200);
    let personal = mine["data"][0]["organization"]["slug"].as_str().unwrap();
    met.note(&ada.invite(personal, "guest@example.com", &[]).await, 409, "PERSONAL_ORGANIZATION");

    let newcomer = json!({ "password": PASSWORD });
    let guest = server.client();
    guest.accept(&token, newcomer.clone()).await.expect(200);
    let path = format!("/api/v1/organizations/host/invitations/{}", made["id"].as_str().unwrap());
    met.note(&ada.delete(&path).await, 409, "INVITATION_CLOSED");
    let guest = guest.log_in("guest@example.com", PASSWORD).await;
    met.note(&guest.invite("host", "third@example.com", &["owner"]).await, 403, "OWNER_PROTECTED");
    guest.invite("host", "third@example.com", &["viewer"]).await.expect(201);
    let token = server.invitation_token("third@example.com", 1).await;
    server
        .database()
        .await
        .execute("UPDATE users SET is_active = false WHERE email = 'guest@example.com'")
        .await;
    met.note(&server.client().accept(&token, newcomer).await, 409, "INVITATION_UNSUPPORTED");
}
