//! `/organizations/{org}`: update, rename, delete, restore, leave.

use insula_tests::{
    Client, OrgWithOwner, PASSWORD, Reply, Server, TestDatabase, concurrently, eventually, unique,
};
use serde_json::{Value, json};

pub(crate) const ACME: &str = "/api/v1/organizations/{org}";

pub(crate) async fn personal(person: &Client) -> String {
    let mine = person.get("/api/v1/users/me/organizations?limit=1").await.expect(200);
    format!("/api/v1/organizations/{}", mine["data"][0]["organization"]["slug"].as_str().unwrap())
}

fn version(reply: &Reply) -> (Value, &str) {
    (reply.expect(200)["version"].clone(), reply.header("etag").unwrap())
}

/// How many rows of an organization a table holds.
async fn rows(database: &TestDatabase, table: &str, id: &str) -> i64 {
    let column = database.hex(if table == "organizations" { "id" } else { "organization_id" });
    let id = id.replace('-', "");
    database.scalar(&format!("SELECT count(*) FROM {table} WHERE {column} = '{id}'")).await
}

#[tokio::test]
async fn an_organization_is_described_and_renamed() {
    let (acme, owner) = OrgWithOwner::start_with_owner().await;
    let before = owner.get(ACME).await.expect(200);
    let changed = owner.patch(ACME, json!({ "name": " Acme Inc. ", "description": "We build." })).await;
    assert_eq!(version(&changed), (json!(2), "\"2\""));
    let body = changed.json();
    assert_eq!((&body["name"], &body["description"]), (&json!("Acme Inc."), &json!("We build.")));
    assert_eq!((&body["slug"], &body["id"]), (&before["slug"], &before["id"]));
    assert_eq!(owner.get(ACME).await.expect(200), body);
    let cleared = owner.patch(ACME, json!({ "description": null })).header("if-match", "\"2\"").await;
    assert_eq!((&cleared.expect(200)["description"], &cleared.json()["version"]), (&Value::Null, &json!(3)));
    // Nothing changes, and leaves no trace.
    for same in [json!({}), json!({ "name": "Acme Inc.", "slug": acme.slug, "description": null })] {
        assert_eq!(version(&owner.patch(ACME, same).await), (json!(3), "\"3\""));
    }
    owner
        .patch(ACME, json!({ "name": "x" }))
        .header("if-match", "\"2\"")
        .await
        .problem(412, "PRECONDITION_FAILED");
    let recorded = acme.event_details("organization.updated").await;
    let first = json!({
        "after": { "description": "We build.", "name": "Acme Inc." },
        "before": { "description": null, "name": acme.slug },
    });
    assert_eq!((recorded.len(), &recorded[0]), (2, &first.to_string()));
}

#[tokio::test]
async fn every_wrong_field_of_a_patch_is_named() {
    let (_server, owner) = OrgWithOwner::start_with_owner().await;
    for (patch, faults) in [
        (
            json!({ "name": null, "slug": null, "kind": "personal" }),
            vec!["kind UNKNOWN_FIELD", "name NULL_NOT_ALLOWED", "slug NULL_NOT_ALLOWED"],
        ),
        (
            json!({ "name": "\u{7}", "slug": "admin", "description": "two\nlines" }),
            vec!["description INVALID_FORMAT", "name INVALID_FORMAT", "slug RESERVED"],
        ),
        (json!({ "description": "a".repeat(501) }), vec!["description TOO_LONG"]),
        (json!({ "slug": "Acme" }), vec!["slug INVALID_FORMAT"]),
        (json!({ "status": "suspended" }), vec!["status UNKNOWN_FIELD"]),
    ] {
        let reply = owner.patch(ACME, patch).await;
        reply.problem(422, "VALIDATION_FAILED");
        assert_eq!(reply.faults(), faults);
    }
    assert_eq!(owner.get(ACME).await.expect(200)["version"], 1);
}

#[tokio::test]
async fn a_deleted_organization_is_gone_for_its_members_until_it_is_restored() {
    let (acme, owner) = OrgWithOwner::start_with_owner().await;
    let (eve, stranger) = (acme.join("eve", "viewer").await, acme.stranger("bob").await);
    let database = acme.database().await;
    owner.delete(ACME).header("if-match", "\"7\"").await.problem(412, "PRECONDITION_FAILED");
    eve.delete(ACME).await.problem(403, "FORBIDDEN");
    owner.delete(ACME).await.expect(202);
    for person in [&owner, &eve] {
        for path in [ACME.to_owned(), format!("{ACME}/projects"), format!("{ACME}/me/permissions")] {
            person.get(&path).await.problem(410, "ORGANIZATION_DELETED");
        }
        person.request("POST", &format!("{ACME}/leave")).await.problem(410, "ORGANIZATION_DELETED");
    }
    owner.delete(ACME).await.problem(410, "ORGANIZATION_DELETED");
    stranger.get(ACME).await.problem(404, "NOT_FOUND");
    let listed = owner.get("/api/v1/users/me/organizations").await.expect(200);
    assert_eq!(listed["data"].as_array().unwrap().len(), 1);
    stranger
        .post("/api/v1/organizations", json!({ "name": "x", "slug": acme.slug }))
        .await
        .problem(409, "SLUG_TAKEN");
    let days = match database {
        TestDatabase::Sqlite(_) => "CAST(round(julianday(purge_after) - julianday(deleted_at)) AS INTEGER)",
        TestDatabase::Postgres(_) => "extract(day FROM purge_after - deleted_at)::bigint",
    };
    let days = format!("SELECT {days} FROM organizations WHERE slug = '{}'", acme.slug);
    assert_eq!(database.scalar(&days).await, 30);

    let restore = |person: &Client| person.request("POST", &format!("{ACME}/restore"));
    restore(&eve).await.problem(403, "FORBIDDEN");
    restore(&stranger).await.problem(404, "NOT_FOUND");
    let restored = restore(&owner).await;
    assert_eq!(version(&restored), (json!(3), "\"3\""));
    assert_eq!(owner.get(ACME).await.expect(200), restored.json());
    eve.get(ACME).await.expect(200);
    // Once is enough.
    assert_eq!(version(&restore(&owner).await), (json!(3), "\"3\""));
    for action in ["organization.deleted", "organization.restored"] {
        assert_eq!(acme.event_details(action).await.len(), 1, "{action}");
    }
}

#[tokio::test]
async fn deletion_needs_a_recent_login() {
    let (acme, owner) = OrgWithOwner::start_with_owner().await;
    acme.database().await.backdate_logins(&acme.own_users()).await;
    owner.delete(ACME).await.problem(403, "REAUTH_REQUIRED");
    owner.post("/api/v1/auth/reauthenticate", json!({ "password": PASSWORD })).await.expect(204);
    owner.delete(ACME).await.expect(202);
}

#[tokio::test]
async fn what_was_deleted_long_ago_is_removed_with_everything_but_its_log() {
    let org = OrgWithOwner::alone().await;
    let (owner, database) = (&org.owner, org.database().await);
    let eve = org.join("eve", "viewer").await;
    let acme = owner.get(ACME).await.expect(200)["id"].as_str().unwrap().to_owned();
    let project = owner.post(&format!("{ACME}/projects"), json!({ "code": "P", "name": "P" }));
    project.header("idempotency-key", "key-1").await.expect(201);
    let member = eve.get(&format!("{ACME}/me/permissions")).await.expect(200)["member_id"].clone();
    owner.post(&format!("{ACME}/transfer"), json!({ "member_id": member })).await.expect(201);
    owner.patch(ACME, json!({ "slug": "beta" })).await.expect(200);
    let beta = "/api/v1/organizations/beta";
    owner.delete(beta).await.expect(202);
    // Not before its time.
    database.make_due("purge-organizations").await;
    let begun = "SELECT count(*) FROM schedules WHERE name = 'purge-organizations' AND next_run > created_at";
    eventually("it was looked for", async || database.scalar(begun).await == 1).await;
    owner.get(beta).await.problem(410, "ORGANIZATION_DELETED");

    let over = "UPDATE organizations SET purge_after = deleted_at WHERE deleted_at IS NOT NULL";
    assert_eq!(database.execute(over).await, 1);
    owner.request("POST", &format!("{beta}/restore")).await.problem(410, "ORGANIZATION_DELETED");
    database.make_due("purge-organizations").await;
    eventually("it is removed", async || owner.get(beta).await.status == 404).await;
    for table in [
        "organizations",
        "members",
        "roles",
        "member_roles",
        "projects",
        "outbox",
        "idempotency_keys",
        "owner_transfers",
        "slug_history",
    ] {
        assert_eq!(rows(&database, table, &acme).await, 0, "{table}");
    }
    assert!(rows(&database, "audit_events", &acme).await >= 6);
    let last = json!({ "before": { "kind": "team" } }).to_string();
    assert_eq!(org.event_details("organization.purged").await, [last]);
    // Its names are anybody's, and what else they have stays.
    for slug in ["acme", "beta"] {
        eve.create_organization(slug).await;
    }
    owner.get(&personal(owner).await).await.expect(200);
}

#[tokio::test]
async fn an_organization_without_owners_is_not_restored() {
    let (acme, owner) = OrgWithOwner::start_with_owner().await;
    let (superuser, eve) = (acme.superuser().await, acme.join("eve", "admin").await);
    let id = owner.get(ACME).await.expect(200)["id"].as_str().unwrap().to_owned();
    owner.delete(ACME).await.expect(202);
    owner.delete("/api/v1/users/me").await.expect(202);
    let restore = format!("/api/v1/admin/organizations/{id}/restore");
    superuser.request("POST", &restore).await.problem(409, "LAST_OWNER");
    eve.get(ACME).await.problem(410, "ORGANIZATION_DELETED");
    let mend =
        format!("UPDATE users SET deleted_at = NULL, purge_after = NULL WHERE id IN {}", acme.own_users());
    acme.database().await.execute(&mend).await;
    superuser.request("POST", &restore).await.expect(200);
    eve.get(ACME).await.expect(200);
}

/// One restores the organization while its only owner deletes their account: only one succeeds.
#[tokio::test]
async fn restoring_races_with_the_deletion_of_the_last_owner() {
    let server = Server::shared().await;
    let (superuser, database) = (server.superuser().await, server.database().await);
    let mut slugs = Vec::new();
    for round in 0..8 {
        let owner = server.register(&format!("ada{round}")).await;
        let slug = unique("acme");
        let acme = owner.create_organization(&slug).await.id;
        slugs.push(format!("'{slug}'"));
        owner.delete(&format!("/api/v1/organizations/{acme}")).await.expect(202);
        let replies = concurrently(2, |number| {
            let request = match number {
                0 => superuser.request("POST", &format!("/api/v1/admin/organizations/{acme}/restore")),
                _ => owner.delete("/api/v1/users/me"),
            };
            async move { request.await.status }
        });
        let replies = replies.await;
        assert!([[200, 409], [409, 202]].iter().any(|fine| replies == fine), "round {round}: {replies:?}");
    }
    let orphaned = format!(
        "SELECT count(*) FROM organizations o WHERE o.slug IN ({}) AND o.deleted_at IS NULL AND NOT EXISTS (
         SELECT 1 FROM members m JOIN users u ON u.id = m.user_id
         WHERE m.organization_id = o.id AND u.deleted_at IS NULL)",
        slugs.join(", ")
    );
    assert_eq!(database.scalar(&orphaned).await, 0);
}

#[tokio::test]
async fn a_suspended_organization_can_be_read_and_not_changed() {
    let (acme, owner) = OrgWithOwner::start_with_owner().await;
    let suspend = format!("UPDATE organizations SET status = 'suspended' WHERE slug = '{}'", acme.slug);
    acme.database().await.execute(&suspend).await;
    assert_eq!(owner.get(ACME).await.expect(200)["status"], "suspended");
    for request in [
        owner.patch(ACME, json!({ "name": "x" })),
        owner.delete(ACME),
        owner.request("POST", &format!("{ACME}/leave")),
        owner.request("POST", &format!("{ACME}/restore")),
        owner.patch(&format!("{ACME}/settings"), json!({})),
        owner.request("POST", &format!("{ACME}/transfer/accept")),
    ] {
        request.await.problem(403, "ORGANIZATION_SUSPENDED");
    }
    owner.get(&format!("{ACME}/settings")).await.expect(200);
}

#[tokio::test]
async fn a_member_who_leaves_is_a_stranger_at_once() {
    let (acme, owner) = OrgWithOwner::start_with_owner().await;
    let (database, own) = (acme.database().await, acme.own_rows());
    let eve = acme.join("eve", "admin").await;
    eve.get(ACME).await.expect(200);
    let left = eve.request("POST", &format!("{ACME}/leave")).await;
    assert_eq!((left.status, left.text()), (204, ""));
    eve.get(ACME).await.problem(404, "NOT_FOUND");
    eve.request("POST", &format!("{ACME}/leave")).await.problem(404, "NOT_FOUND");
    let row = format!("SELECT status || ' ' || version FROM members WHERE removed_at IS NOT NULL AND {own}");
    assert_eq!(database.texts(&row).await, ["removed 2"]);
    let held = format!(
        "SELECT count(*) FROM member_roles r JOIN members m ON m.id = r.member_id
         WHERE m.status = 'removed' AND m.{own}"
    );
    assert_eq!(database.scalar(&held).await, 0);
    let recorded = acme.event_details("member.left").await;
    assert_eq!(recorded.len(), 1);
    assert!(recorded[0].contains("\"status\":\"active\""), "{recorded:?}");
    owner.request("POST", &format!("{ACME}/leave")).await.problem(409, "LAST_OWNER");
    owner.get(ACME).await.expect(200);
}

#[tokio::test]
async fn a_superuser_cannot_leave_without_membership() {
    let (acme, _) = OrgWithOwner::start_with_owner().await;
    let access = acme.superuser().await.with("x-platform-access", "ticket 7");
    access.request("POST", &format!("{ACME}/leave")).await.problem(409, "NOT_A_MEMBER");
}

#[tokio::test]
async fn one_of_two_owners_who_leave_at_once_stays() {
    let server = Server::shared().await;
    let database = server.database().await;
    let owners = [server.register("ada").await, server.register("eve").await];
    for round in 0..16 {
        let slug = unique("acme");
        owners[0].create_organization(&slug).await;
        database.join(&slug, &server.email("eve"), "owner").await;
        let replies = concurrently(2, |number| {
            let leave = owners[number].request("POST", &format!("/api/v1/organizations/{slug}/leave"));
            async move { leave.await.status }
        });
        let mut statuses = replies.await;
        statuses.sort_unstable();
        assert_eq!(statuses, [204, 409], "round {round}");
    }
}
