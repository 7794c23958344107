//! `/organizations/{org}/projects`: create, read, update, delete, restore; conditions and conflicts.

use chrono::DateTime;
use insula_tests::{Client, OrgWithOwner, Reply, unique};
use serde_json::{Value, json};

const PROJECTS: &str = "/api/v1/organizations/{org}/projects";

/// Makes a project; gives its path and body.
async fn make(owner: &Client, code: &str) -> (String, Value) {
    let made = owner.post(PROJECTS, json!({ "code": code, "name": "Engine", "color": "#1F6FEB" })).await;
    let body = made.expect(201);
    (format!("{PROJECTS}/{}", body["id"].as_str().unwrap()), body)
}

fn etag(reply: &Reply) -> &str {
    reply.header("etag").unwrap()
}

/// What the audit log knows of projects.
async fn events(acme: &OrgWithOwner) -> i64 {
    let events =
        format!("SELECT count(*) FROM audit_events WHERE resource = 'project' AND {}", acme.own_rows());
    acme.database().await.scalar(&events).await
}

#[tokio::test]
async fn a_new_project_has_its_location_and_content() {
    let (_server, owner) = OrgWithOwner::start_with_owner().await;
    let acme = owner.get("/api/v1/organizations/{org}").await.expect(200);
    let made = owner.post(PROJECTS, json!({ "code": "Eng", "name": "  Engine ", "color": "#1F6FEB" })).await;
    let body = made.expect(201);
    let (id, org) = (body["id"].as_str().unwrap(), acme["id"].as_str().unwrap());
    assert_eq!(made.header("location").unwrap(), format!("/api/v1/organizations/{org}/projects/{id}"));
    assert_eq!(etag(&made), "\"1\"");
    let members: Vec<_> = body.as_object().unwrap().keys().collect();
    let expected = [
        "archived_at",
        "code",
        "color",
        "created_at",
        "deleted_at",
        "estimate_seconds",
        "id",
        "is_private",
        "name",
        "organization_id",
        "updated_at",
        "version",
    ];
    assert_eq!(members, expected);
    assert_eq!(body["organization_id"], acme["id"]);
    assert_eq!(
        (&body["code"], &body["name"], &body["color"]),
        (&json!("Eng"), &json!("Engine"), &json!("#1f6feb"))
    );
    assert!(body["created_at"].as_str().unwrap().ends_with('Z'), "{body}");
    assert_eq!(body["created_at"], body["updated_at"]);
    assert_eq!(uuid::Uuid::parse_str(id).unwrap().get_version_num(), 7);

    let read = owner.get(made.header("location").unwrap()).await;
    assert_eq!((read.expect(200), etag(&read)), (body, "\"1\""));
}

#[tokio::test]
async fn a_color_may_be_left_out() {
    let (_server, owner) = OrgWithOwner::start_with_owner().await;
    for (code, body) in [
        ("A", json!({ "code": "A", "name": "A" })),
        ("B", json!({ "code": "B", "name": "B", "color": null })),
    ] {
        let made = owner.post(PROJECTS, body).await.expect(201);
        assert_eq!((&made["code"], &made["color"]), (&json!(code), &Value::Null));
    }
}

#[tokio::test]
async fn an_organization_is_named_by_id_or_slug() {
    let (_server, owner) = OrgWithOwner::start_with_owner().await;
    let (path, body) = make(&owner, "ENGINE").await;
    let by_id = path.replace("{org}", body["organization_id"].as_str().unwrap());
    assert_eq!(owner.get(&by_id).await.expect(200), owner.get(&path).await.expect(200));
}

#[tokio::test]
async fn known_content_is_not_sent_again() {
    let (server, owner) = OrgWithOwner::start_with_owner().await;
    let (path, _) = make(&owner, "ENGINE").await;
    for known in ["\"1\"", "W/\"1\"", "\"7\", \"1\"", "*"] {
        let reply = owner.get(&path).header("if-none-match", known).await;
        assert_eq!((reply.status, etag(&reply), reply.text()), (304, "\"1\"", ""), "{known}");
    }
    for other in ["\"2\"", "1", ""] {
        owner.get(&path).header("if-none-match", other).await.expect(200);
    }
    let stranger = server.stranger("eve").await;
    stranger.get(&path).header("if-none-match", "*").await.problem(404, "NOT_FOUND");
    server.client().get(&path).header("if-none-match", "*").await.problem(401, "UNAUTHENTICATED");
}

#[tokio::test]
async fn a_patch_changes_what_it_names() {
    let (_server, owner) = OrgWithOwner::start_with_owner().await;
    let (path, before) = make(&owner, "ENGINE").await;
    let changed = owner.patch(&path, json!({ "name": "Motor" })).await;
    let body = changed.expect(200);
    assert_eq!((&body["name"], etag(&changed)), (&json!("Motor"), "\"2\""));
    assert_eq!(
        (&body["code"], &body["color"], &body["created_at"]),
        (&before["code"], &before["color"], &before["created_at"])
    );
    let updated =
        |project: &Value| DateTime::parse_from_rfc3339(project["updated_at"].as_str().unwrap()).unwrap();
    assert!(updated(&body) > updated(&before));

    let cleared = owner.patch(&path, json!({ "color": null })).await.expect(200);
    assert_eq!(
        (&cleared["color"], &cleared["name"], &cleared["version"]),
        (&Value::Null, &json!("Motor"), &json!(3))
    );
    assert_eq!(owner.get(&path).await.expect(200), cleared);

    let respelled = owner.patch(&path, json!({ "code": "engine" })).await.expect(200);
    assert_eq!(respelled["code"], "engine");
}

#[tokio::test]
async fn what_must_be_there_cannot_be_cleared() {
    let (_server, owner) = OrgWithOwner::start_with_owner().await;
    let (path, before) = make(&owner, "ENGINE").await;
    let reply = owner.patch(&path, json!({ "name": null, "code": null, "color": null })).await;
    reply.problem(422, "VALIDATION_FAILED");
    assert_eq!(reply.faults(), ["code NULL_NOT_ALLOWED", "name NULL_NOT_ALLOWED"]);
    assert_eq!(owner.get(&path).await.expect(200), before);
}

#[tokio::test]
async fn a_patch_comes_in_either_of_two_media_types() {
    let (_server, owner) = OrgWithOwner::start_with_owner().await;
    let (path, _) = make(&owner, "ENGINE").await;
    for (version, media_type) in [(2, "application/json"), (3, "application/merge-patch+json")] {
        let body = json!({ "name": media_type }).to_string();
        let changed = owner.request("PATCH", &path).body(media_type, body).await.expect(200);
        assert_eq!(changed["version"], version);
    }
    for other in ["application/json-patch+json", "text/plain", "application/x-www-form-urlencoded"] {
        owner.request("PATCH", &path).body(other, "{}").await.problem(415, "UNSUPPORTED_MEDIA_TYPE");
    }
}

#[tokio::test]
async fn a_patch_that_changes_nothing_leaves_no_trace() {
    let (server, owner) = OrgWithOwner::start_with_owner().await;
    let (path, before) = make(&owner, "ENGINE").await;
    for same in [json!({}), json!({ "name": "Engine", "code": "ENGINE" }), json!({ "color": "#1f6feb" })] {
        let reply = owner.patch(&path, same).await;
        assert_eq!((reply.expect(200), etag(&reply)), (before.clone(), "\"1\""));
    }
    assert_eq!(events(&server).await, 1);
}

#[tokio::test]
async fn a_stale_copy_changes_nothing() {
    let (server, owner) = OrgWithOwner::start_with_owner().await;
    let (path, before) = make(&owner, "ENGINE").await;
    for stale in ["\"0\"", "\"2\"", "W/\"2\"", "\"+1\"", "\"001\"", "\"one\"", "\"\""] {
        owner
            .patch(&path, json!({ "name": "x" }))
            .header("if-match", stale)
            .await
            .problem(412, "PRECONDITION_FAILED");
        owner.delete(&path).header("if-match", stale).await.problem(412, "PRECONDITION_FAILED");
    }
    assert_eq!(owner.get(&path).await.expect(200), before);
    assert_eq!(events(&server).await, 1);
    owner.patch(&path, json!({ "name": "x" })).header("if-match", "\"1\"").await.expect(200);
    owner.patch(&path, json!({ "name": "y" })).header("if-match", "*").await.expect(200);
    owner.delete(&path).header("if-match", "\"3\"").await.expect(204);
}

#[tokio::test]
async fn a_malformed_if_match_is_named() {
    let (_server, owner) = OrgWithOwner::start_with_owner().await;
    let (path, before) = make(&owner, "ENGINE").await;
    for malformed in ["1", "\"1\", 2", "\"1\" \"2\"", "\"", ""] {
        for request in [owner.patch(&path, json!({ "name": "x" })), owner.delete(&path)] {
            let reply = request.header("if-match", malformed).await;
            let problem = reply.problem(422, "VALIDATION_FAILED");
            assert_eq!(problem["errors"][0]["field"], "If-Match", "{malformed:?}");
        }
    }
    assert_eq!(owner.get(&path).await.expect(200), before);
}

#[tokio::test]
async fn a_code_is_unique_in_its_organization_without_regard_to_case() {
    let (_server, owner) = OrgWithOwner::start_with_owner().await;
    make(&owner, "ENGINE").await;
    let (other, _) = make(&owner, "OTHER").await;
    for same in ["ENGINE", "engine", "Engine"] {
        owner.post(PROJECTS, json!({ "code": same, "name": "x" })).await.problem(409, "PROJECT_CODE_TAKEN");
        owner.patch(&other, json!({ "code": same })).await.problem(409, "PROJECT_CODE_TAKEN");
    }
    let elsewhere = PROJECTS.replace("{org}", &owner.create_organization(&unique("second")).await.slug);
    owner.post(&elsewhere, json!({ "code": "ENGINE", "name": "x" })).await.expect(201);
}

#[tokio::test]
async fn a_deleted_project_is_gone_until_it_is_restored() {
    let (_server, owner) = OrgWithOwner::start_with_owner().await;
    let (path, before) = make(&owner, "ENGINE").await;
    let restore = format!("{path}/restore");
    owner.request("POST", &restore).await.problem(404, "NOT_FOUND");

    let deleted = owner.delete(&path).await;
    assert_eq!((deleted.status, deleted.text()), (204, ""));
    for request in [owner.get(&path), owner.patch(&path, json!({ "name": "x" })), owner.delete(&path)] {
        request.await.problem(404, "NOT_FOUND");
    }
    assert_eq!(owner.get(PROJECTS).await.expect(200)["data"], json!([]));

    let restored = owner.request("POST", &restore).await;
    let body = restored.expect(200);
    assert_eq!((&body["id"], &body["name"], &body["version"]), (&before["id"], &before["name"], &json!(3)));
    assert_eq!(etag(&restored), "\"3\"");
    assert_eq!(owner.get(&path).await.expect(200), body);
}

#[tokio::test]
async fn a_project_whose_code_was_given_away_cannot_be_restored() {
    let (_server, owner) = OrgWithOwner::start_with_owner().await;
    let (path, _) = make(&owner, "ENGINE").await;
    owner.delete(&path).await.expect(204);
    let (heir, _) = make(&owner, "engine").await;
    owner.request("POST", &format!("{path}/restore")).await.problem(409, "PROJECT_CODE_TAKEN");
    owner.get(&path).await.problem(404, "NOT_FOUND");
    owner.delete(&heir).await.expect(204);
    owner.request("POST", &format!("{path}/restore")).await.expect(200);
}

#[tokio::test]
async fn a_suspended_organization_is_read_only() {
    let (server, owner) = OrgWithOwner::start_with_owner().await;
    let (path, before) = make(&owner, "ENGINE").await;
    let suspended = format!("UPDATE organizations SET status = 'suspended' WHERE slug = '{}'", server.slug);
    server.database().await.execute(&suspended).await;
    assert_eq!(owner.get(&path).await.expect(200), before);
    for request in [owner.patch(&path, json!({ "name": "x" })), owner.delete(&path)] {
        request.await.problem(403, "ORGANIZATION_SUSPENDED");
    }
    owner.post(PROJECTS, json!({ "code": "B", "name": "b" })).await.problem(403, "ORGANIZATION_SUSPENDED");
}
