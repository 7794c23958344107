//! Slugs: renames, redirects from former slugs, and their reservation.

use insula_tests::{Client, OrgWithOwner, Reply, Server, TestDatabase, concurrently, eventually, unique};
use serde_json::json;

use crate::organizations::lifecycle::{ACME, personal};

/// Where a redirect leads.
fn moved(reply: &Reply) -> &str {
    assert_eq!((reply.status, reply.text()), (308, ""), "{}", reply.text());
    reply.header("location").unwrap()
}

#[tokio::test]
async fn a_former_slug_redirects_members_only() {
    let (acme, owner) = OrgWithOwner::start_with_owner().await;
    let (eve, stranger) = (acme.join("eve", "viewer").await, acme.stranger("bob").await);
    let (first, second, third) = (&*acme.slug, &*unique("beta"), &*unique("gamma"));
    let (project, path) =
        (json!({ "code": "P", "name": "P" }), format!("{ACME}/projects?limit=7&sort=-name"));
    // Remembered under its slug.
    for person in [&owner, &eve] {
        person.get(ACME).await.expect(200);
    }
    owner.patch(ACME, json!({ "slug": second })).await.expect(200);
    owner.patch(&format!("/api/v1/organizations/{second}"), json!({ "slug": third })).await.expect(200);
    for person in [&owner, &eve] {
        for old in [first, second] {
            let reply = person.get(&path.replace("{org}", old)).await;
            let new = format!("/api/v1/organizations/{third}/projects?limit=7&sort=-name");
            assert_eq!(moved(&reply), new);
        }
    }
    let reply = owner.post(&format!("{ACME}/projects"), project.clone()).await;
    owner.post(moved(&reply), project).await.expect(201);
    // Callers without permission get the same answer as strangers.
    let nowhere = stranger.get("/api/v1/organizations/nowhere").await.outcome();
    let recorded = async |person: &Client, slug: &str| {
        person.get(&format!("/api/v1/organizations/{slug}")).await.outcome()
    };
    for slug in [first, second, third] {
        assert_eq!(recorded(&stranger, slug).await, nowhere);
    }
    for status in ["suspended", "removed"] {
        let database = acme.database().await;
        let change = format!(
            "UPDATE members SET status = '{status}' WHERE user_id IN (SELECT id FROM users WHERE email = '{}') AND {}",
            acme.email("eve"),
            acme.own_rows()
        );
        database.execute(&change).await;
        eve.get(ACME).await.problem(404, "NOT_FOUND");
        assert_eq!(recorded(&eve, first).await, nowhere, "{status}");
    }
    acme.client().get(ACME).await.problem(401, "UNAUTHENTICATED");
}

#[tokio::test]
async fn a_superuser_with_a_reason_is_redirected_too() {
    let (acme, owner) = OrgWithOwner::start_with_owner().await;
    let (superuser, slug) = (acme.superuser().await, unique("beta"));
    owner.patch(ACME, json!({ "slug": slug })).await.expect(200);
    superuser.get(ACME).await.problem(404, "NOT_FOUND");
    let reply = superuser.get(ACME).header("x-platform-access", "ticket 7").await;
    assert_eq!(moved(&reply), format!("/api/v1/organizations/{slug}"));
}

#[tokio::test]
async fn a_former_slug_is_reserved_for_90_days() {
    let acme = OrgWithOwner::alone().await;
    let (owner, database, bob) = (&acme.owner, acme.database().await, acme.stranger("bob").await);
    bob.create_organization("bobs").await;
    owner.patch(ACME, json!({ "slug": "beta" })).await.expect(200);
    let refused = async || {
        let found = json!({ "name": "Mine", "slug": "acme" });
        bob.post("/api/v1/organizations", found).await.problem(409, "SLUG_TAKEN");
        bob.patch("/api/v1/organizations/bobs", json!({ "slug": "acme" })).await.problem(409, "SLUG_TAKEN");
    };
    refused().await;
    // Its own it may take back, and give up again.
    let beta = "/api/v1/organizations/beta";
    for (path, slug) in [(beta, "acme"), (ACME, "beta"), (beta, "acme"), (ACME, "beta")] {
        owner.patch(path, json!({ "slug": slug })).await.expect(200);
    }
    assert_eq!(database.texts("SELECT slug FROM slug_history ORDER BY slug").await, ["acme"]);
    let days = match database {
        TestDatabase::Sqlite(_) => "CAST(round(julianday(expires_at) - julianday(created_at)) AS INTEGER)",
        TestDatabase::Postgres(_) => "extract(day FROM expires_at - created_at)::bigint",
    };
    assert_eq!(database.scalar(&format!("SELECT {days} FROM slug_history")).await, 90);
    refused().await;
    database.execute("UPDATE slug_history SET expires_at = created_at").await;
    database.make_due("expire-slugs").await;
    let left = "SELECT count(*) FROM slug_history";
    eventually("it is forgotten", async || database.scalar(left).await == 0).await;
    owner.get(ACME).await.problem(404, "NOT_FOUND");
    bob.patch("/api/v1/organizations/bobs", json!({ "slug": "acme" })).await.expect(200);
    bob.get(ACME).await.expect(200);
}

/// Slugs of active and deleted organizations and former slugs share one namespace.
#[tokio::test]
async fn one_of_concurrent_renames_to_one_slug_succeeds() {
    let server = Server::shared().await;
    let (ada, wanted) = (server.register("ada").await, unique("wanted"));
    let mut slugs = Vec::new();
    for _ in 0..16 {
        slugs.push(ada.create_organization(&unique("org")).await.slug);
    }
    let replies = concurrently(32, |number| {
        let request = match slugs.get(number) {
            Some(slug) => ada.patch(&format!("/api/v1/organizations/{slug}"), json!({ "slug": wanted })),
            None => ada.post("/api/v1/organizations", json!({ "name": "x", "slug": wanted })),
        };
        async move { request.await }
    });
    let mut won = 0;
    for reply in replies.await {
        match reply.status {
            200 | 201 => won += 1,
            _ => drop(reply.problem(409, "SLUG_TAKEN")),
        }
    }
    assert_eq!(won, 1);
    let database = server.database().await;
    let named = format!("SELECT count(*) FROM organizations WHERE slug = '{wanted}'");
    assert_eq!(database.scalar(&named).await, 1);
}

/// While one gives a slug up, others want it: it is never anybody else's.
#[tokio::test]
async fn a_slug_is_taken_during_its_rename() {
    let server = Server::shared().await;
    let (ada, database) = (server.register("ada").await, server.database().await);
    for round in 0..8 {
        let (old, new) = (unique("old"), unique("new"));
        ada.create_organization(&old).await;
        let other = ada.create_organization(&unique("other")).await.id;
        let replies = concurrently(9, |number| {
            let request = match number {
                0 => ada.patch(&format!("/api/v1/organizations/{old}"), json!({ "slug": new })),
                1..5 => ada.patch(&format!("/api/v1/organizations/{other}"), json!({ "slug": old })),
                _ => ada.post("/api/v1/organizations", json!({ "name": "x", "slug": old })),
            };
            async move { request.await }
        });
        let replies = replies.await;
        replies[0].expect(200);
        for refused in &replies[1..] {
            refused.problem(409, "SLUG_TAKEN");
        }
        let there = format!("SELECT count(*) FROM organizations WHERE slug = '{old}'");
        assert_eq!(database.scalar(&there).await, 0, "round {round}");
    }
}

#[tokio::test]
async fn a_personal_organization_can_be_renamed_without_personal_data() {
    let (acme, owner) = OrgWithOwner::start_with_owner().await;
    let (mine, slug) = (personal(&owner).await, unique("adas-den"));
    let renamed = owner.patch(&mine, json!({ "slug": slug, "name": "Ada's den" })).await.expect(200);
    assert_eq!((&renamed["kind"], &renamed["slug"]), (&json!("personal"), &json!(slug)));
    let den = &format!("/api/v1/organizations/{slug}");
    assert_eq!(moved(&owner.get(&mine).await), den);
    let recorded = format!(
        "SELECT details FROM audit_events WHERE action = 'organization.updated' AND actor_id IN {}",
        acme.own_users()
    );
    let recorded = acme.database().await.texts(&recorded).await;
    assert_eq!(recorded, [json!({ "after": { "changed": ["slug", "name"] }, "before": {} }).to_string()]);
    owner.delete(den).await.problem(409, "PERSONAL_ORGANIZATION");
    owner.request("POST", &format!("{den}/leave")).await.problem(409, "PERSONAL_ORGANIZATION");
}
