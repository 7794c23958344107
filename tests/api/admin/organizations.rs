//! `/admin/organizations`: list, create, update, suspend, delete and restore organizations.

use insula_tests::{Client, OrgWithOwner, Server, unique};
use serde_json::{Value, json};

const ORGANIZATIONS: &str = "/api/v1/admin/organizations";
const ACME: &str = "/api/v1/organizations/{org}";

/// A superuser, Ada, and the path of her organization as superusers see it.
async fn acme() -> (OrgWithOwner, Client, Client, String) {
    with_path(OrgWithOwner::start().await).await
}

async fn with_path(acme: OrgWithOwner) -> (OrgWithOwner, Client, Client, String) {
    let (superuser, ada) = (acme.superuser().await, acme.owner.clone());
    let id = ada.get(ACME).await.expect(200)["id"].as_str().unwrap().to_owned();
    (acme, superuser, ada, format!("{ORGANIZATIONS}/{id}"))
}

async fn slugs(superuser: &Client, query: &str) -> Vec<String> {
    let page = superuser.get(&format!("{ORGANIZATIONS}?{query}")).await.expect(200);
    let slugs = page["data"].as_array().unwrap().iter();
    slugs.map(|organization| organization["slug"].as_str().unwrap().to_owned()).collect()
}

/// What the logs of the user's organizations say of an action: who did it, and what.
async fn event_details(acme: &OrgWithOwner, action: &str) -> Vec<String> {
    let event_details = format!(
        "SELECT e.actor_kind || ' ' || e.action FROM audit_events e
         JOIN organizations o ON o.id = e.organization_id
         WHERE e.action = '{action}' AND o.kind = 'team'
         AND o.id IN (SELECT organization_id FROM members WHERE user_id IN {})
         ORDER BY e.occurred_at, e.id",
        acme.own_users()
    );
    acme.database().await.texts(&event_details).await
}

#[tokio::test]
async fn a_superuser_creates_an_organization_for_a_user() {
    let (server, superuser, ada, _) = acme().await;
    let (slug_by_id, slug_by_mail) = (unique("by-id"), unique("by-mail"));
    let me = ada.get("/api/v1/users/me").await.expect(200);
    let by_id = json!({ "name": "By id", "slug": slug_by_id, "owner_id": me["id"] });
    let made = superuser.post(ORGANIZATIONS, by_id).await;
    let body = made.expect(201);
    assert_eq!(made.header("location").unwrap(), format!("{ORGANIZATIONS}/{}", body["id"].as_str().unwrap()));
    assert_eq!(
        (made.header("etag"), &body["kind"], &body["deleted_at"]),
        (Some("\"1\""), &json!("team"), &Value::Null)
    );
    let by_email = json!({ "name": "By mail", "slug": slug_by_mail, "owner_email": server.email("ADA") });
    let make = || superuser.post(ORGANIZATIONS, by_email.clone()).header("idempotency-key", &slug_by_mail);
    let first = make().await.expect(201);
    assert_eq!(make().await.expect(201), first);
    for slug in [&slug_by_id, &slug_by_mail] {
        let mine = ada.get(&format!("/api/v1/organizations/{slug}/me/permissions")).await.expect(200);
        assert_eq!(mine["roles"][0]["key"], "owner");
    }
    assert_eq!(
        event_details(&server, "organization.created").await,
        ["user organization.created", "superuser organization.created", "superuser organization.created"]
    );
    let again = json!({ "name": "x", "slug": slug_by_id, "owner_id": me["id"] });
    superuser.post(ORGANIZATIONS, again).await.problem(409, "SLUG_TAKEN");
}

#[tokio::test]
async fn an_organization_is_created_for_one_user_who_can_own_it() {
    let (server, superuser, ada, _) = acme().await;
    let id = ada.get("/api/v1/users/me").await.expect(200)["id"].clone();
    let draft = |extra: Value| {
        let mut draft = json!({ "name": "x", "slug": unique("new-one") });
        draft.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        draft
    };
    let nobody = "0190b3a0-7c1e-7d2a-9f00-3a5c6e7f8091";
    for (extra, faults) in [
        (json!({}), vec!["owner_id REQUIRED"]),
        (json!({ "owner_id": id, "owner_email": server.email("ada") }), vec!["owner_email NOT_A_CHOICE"]),
        (json!({ "owner_id": nobody }), vec!["owner_id UNKNOWN_REFERENCE"]),
        (json!({ "owner_email": server.email("nobody") }), vec!["owner_email UNKNOWN_REFERENCE"]),
        (
            json!({ "owner_email": "nobody", "slug": "admin" }),
            vec!["owner_email INVALID_FORMAT", "slug RESERVED"],
        ),
        (json!({ "owner_id": id, "kind": "personal" }), vec!["kind UNKNOWN_FIELD"]),
    ] {
        let reply = superuser.post(ORGANIZATIONS, draft(extra)).await;
        reply.problem(422, "VALIDATION_FAILED");
        assert_eq!(reply.faults(), faults);
    }
    let deactivate = format!("UPDATE users SET is_active = false WHERE id IN {}", server.own_users());
    assert_eq!(server.database().await.execute(&deactivate).await, 1);
    let reply = superuser.post(ORGANIZATIONS, draft(json!({ "owner_id": id }))).await;
    assert_eq!((reply.status, reply.faults()), (422, vec!["owner_id UNKNOWN_REFERENCE".to_owned()]));
}

#[tokio::test]
async fn the_organizations_are_listed_filtered_and_sorted() {
    let (server, superuser) = Server::with_superuser().await;
    let ada = server.client().register("ada@example.com").await;
    for slug in ["beta", "acme-2", "acme", "gone", "still"] {
        ada.create_organization(slug).await;
    }
    ada.patch("/api/v1/organizations/acme", json!({ "name": "Zeta" })).await.expect(200);
    ada.delete("/api/v1/organizations/gone").await.expect(202);
    server
        .database()
        .await
        .execute("UPDATE organizations SET status = 'suspended' WHERE slug = 'still'")
        .await;
    let personal = slugs(&superuser, "kind=personal").await;
    assert_eq!(personal.len(), 1);
    for (query, expected) in [
        ("kind=team", vec!["still", "acme", "acme-2", "beta"]),
        ("kind=team&sort=created_at", vec!["beta", "acme-2", "acme", "still"]),
        ("kind=team&sort=slug", vec!["acme", "acme-2", "beta", "still"]),
        ("kind=team&sort=-slug", vec!["still", "beta", "acme-2", "acme"]),
        // Byte by byte: capital letters first.
        ("kind=team&sort=name", vec!["acme", "acme-2", "beta", "still"]),
        ("kind=team&sort=-name", vec!["still", "beta", "acme-2", "acme"]),
        ("kind=team&status=suspended", vec!["still"]),
        ("kind=team&status=active&sort=slug", vec!["acme", "acme-2", "beta"]),
        ("deleted=true", vec!["gone"]),
        ("deleted=false&kind=team&sort=slug", vec!["acme", "acme-2", "beta", "still"]),
        ("q=acme&sort=slug", vec!["acme", "acme-2"]),
        ("q=e-2", vec!["acme-2"]),
        ("q=zzz", vec![]),
    ] {
        assert_eq!(slugs(&superuser, query).await, expected, "{query}");
    }
    for wrong in ["q=%25", "q=A", "q=", "sort=status", "status=gone", "deleted=maybe", "owner=x"] {
        superuser.get(&format!("{ORGANIZATIONS}?{wrong}")).await.problem(422, "VALIDATION_FAILED");
    }
    // By pages, and a cursor of one list is none of another.
    let (mut walked, mut query) = (Vec::new(), "kind=team&sort=slug&limit=2".to_owned());
    loop {
        let page = superuser.get(&format!("{ORGANIZATIONS}?{query}")).await.expect(200);
        walked.extend(page["data"].as_array().unwrap().iter().map(|one| one["slug"].clone()));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        let other = format!("{ORGANIZATIONS}?sort=slug&limit=2&cursor={cursor}");
        superuser.get(&other).await.problem(422, "INVALID_CURSOR");
        query = format!("kind=team&sort=slug&limit=2&cursor={cursor}");
    }
    assert_eq!(walked, ["acme", "acme-2", "beta", "still"]);
}

#[tokio::test]
async fn a_superuser_updates_an_organization_and_its_log_shows_it() {
    let alone = OrgWithOwner::on(Server::with_superuser().await.0).await;
    let (server, superuser, ada, path) = with_path(alone).await;
    let looked = superuser.get(&path).await;
    superuser.get(&path).header("if-none-match", looked.header("etag").unwrap()).await.expect(304);
    let patch = json!({ "name": "Acme Inc.", "slug": "acme-inc", "description": "Of operators" });
    superuser
        .patch(&path, patch.clone())
        .header("if-match", "\"9\"")
        .await
        .problem(412, "PRECONDITION_FAILED");
    let changed = superuser.patch(&path, patch).await;
    assert_eq!((&changed.expect(200)["slug"], changed.header("etag")), (&json!("acme-inc"), Some("\"2\"")));
    assert_eq!(ada.get(ACME).await.header("location"), Some("/api/v1/organizations/acme-inc"));
    assert_eq!(event_details(&server, "organization.updated").await, ["superuser organization.updated"]);
    let wrong = superuser.patch(&path, json!({ "slug": "api" })).await;
    wrong.problem(422, "VALIDATION_FAILED");
    // One's own organization may be renamed, too.
    let mine = superuser.get(&format!("{ORGANIZATIONS}?kind=personal")).await.expect(200);
    let mine = format!("{ORGANIZATIONS}/{}", mine["data"][0]["id"].as_str().unwrap());
    superuser.patch(&mine, json!({ "slug": "adas" })).await.expect(200);
    superuser.delete(&mine).await.problem(409, "PERSONAL_ORGANIZATION");
}

#[tokio::test]
async fn a_suspended_organization_is_read_only_until_it_is_resumed() {
    let (server, superuser, ada, path) = acme().await;
    let projects = format!("{ACME}/projects");
    ada.get(&projects).await.expect(200);
    let act = |what: &str| superuser.request("POST", &format!("{path}/{what}"));
    assert_eq!(act("resume").await.expect(200)["version"], 1);
    assert_eq!(act("suspend").await.expect(200)["status"], "suspended");
    assert_eq!(act("suspend").await.expect(200)["version"], 2);
    let project = json!({ "code": "P", "name": "P" });
    ada.post(&projects, project.clone()).await.problem(403, "ORGANIZATION_SUSPENDED");
    ada.get(&projects).await.expect(200);
    assert_eq!(act("resume").await.expect(200)["status"], "active");
    ada.post(&projects, project).await.expect(201);
    for action in ["organization.suspended", "organization.resumed"] {
        assert_eq!(event_details(&server, action).await, [format!("superuser {action}")]);
    }
}

#[tokio::test]
async fn a_superuser_deletes_and_restores_an_organization() {
    let (server, superuser, ada, path) = acme().await;
    superuser.delete(&path).header("if-match", "\"9\"").await.problem(412, "PRECONDITION_FAILED");
    superuser.delete(&path).await.expect(202);
    ada.get(ACME).await.problem(410, "ORGANIZATION_DELETED");
    let gone = superuser.get(&path).await.expect(200);
    assert!(gone["deleted_at"].is_string() && gone["purge_after"].is_string(), "{gone}");
    superuser.delete(&path).await.problem(410, "ORGANIZATION_DELETED");
    superuser.patch(&path, json!({ "name": "x" })).await.problem(410, "ORGANIZATION_DELETED");
    for what in ["suspend", "resume"] {
        superuser.request("POST", &format!("{path}/{what}")).await.problem(410, "ORGANIZATION_DELETED");
    }
    let restore = || superuser.request("POST", &format!("{path}/restore"));
    let restored = restore().await.expect(200);
    assert_eq!((&restored["deleted_at"], &restored["purge_after"]), (&Value::Null, &Value::Null));
    assert_eq!(restore().await.expect(200), restored);
    ada.get(ACME).await.expect(200);
    for action in ["organization.deleted", "organization.restored"] {
        assert_eq!(event_details(&server, action).await, [format!("superuser {action}")]);
    }
}

/// What went with its user's account comes back with it, and not by itself.
#[tokio::test]
async fn a_personal_organization_is_not_restored_without_its_owner() {
    let (server, superuser) = Server::with_superuser().await;
    server.client().register("ada@example.com").await.delete("/api/v1/users/me").await.expect(202);
    let page = superuser.get(&format!("{ORGANIZATIONS}?deleted=true")).await.expect(200);
    let path = format!("{ORGANIZATIONS}/{}", page["data"][0]["id"].as_str().unwrap());
    superuser.request("POST", &format!("{path}/restore")).await.problem(409, "PERSONAL_ORGANIZATION");
}

#[tokio::test]
async fn an_unknown_organization_is_not_found() {
    let superuser = Server::shared().await.superuser().await;
    for id in ["0190b3a0-7c1e-7d2a-9f00-3a5c6e7f8091", "00000000-0000-0000-0000-000000000000", "acme"] {
        let path = format!("{ORGANIZATIONS}/{id}");
        for (method, path) in [
            ("GET", path.clone()),
            ("DELETE", path.clone()),
            ("POST", format!("{path}/suspend")),
            ("POST", format!("{path}/resume")),
            ("POST", format!("{path}/restore")),
        ] {
            superuser.request(method, &path).await.problem(404, "NOT_FOUND");
        }
        for patch in [json!({ "name": "x" }), json!({ "name": null }), json!({})] {
            superuser.patch(&path, patch).await.problem(404, "NOT_FOUND");
        }
    }
}
