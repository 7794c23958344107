//! `O/time-entries`: create, read, update, delete, restore; permissions and audit events.

use insula_tests::{Client, OrgFixture, id};
use serde_json::{Value, json};

const MORNING: (&str, &str) = ("2026-03-02T08:00:00Z", "2026-03-02T11:30:00Z");

#[tokio::test]
async fn a_new_entry_has_its_location_and_content() {
    let org = OrgFixture::start().await;
    let project = org.create_project("ENGINE").await;
    let draft = json!({
        "project_code": "engine", "activity": " Design ", "notes": "one\ntwo", "billable": true,
        "started_at": "2026-03-02T08:00:00.75Z", "ended_at": "2026-03-02T12:30:00.5+01:00",
    });
    let made = org.mia.post(&org.path("/time-entries"), draft).await;
    let body = made.expect(201);
    let organization_id = body["organization_id"].as_str().unwrap();
    let path = format!("/api/v1/organizations/{organization_id}/time-entries/{}", id(&body));
    assert_eq!((made.header("location"), made.header("etag")), (Some(&*path), Some("\"1\"")));
    let shown = json!({
        "id": body["id"], "organization_id": organization_id, "member_id": org.member(&org.mia).await,
        "project_id": project, "task_id": null, "activity": "Design", "notes": "one\ntwo",
        "started_at": "2026-03-02T08:00:00Z", "ended_at": "2026-03-02T11:30:00Z", "duration_seconds": 12_600,
        "billable": true, "tags": [], "source": "manual", "version": 1,
        "created_at": body["created_at"], "updated_at": body["created_at"], "deleted_at": null,
    });
    assert_eq!(body, shown);
    let read = org.mia.get(&path).await;
    assert_eq!((read.expect(200), read.header("etag")), (body, Some("\"1\"")));
    org.mia.get(&path).header("if-none-match", "\"1\"").await.expect(304);
}

#[tokio::test]
async fn little_need_be_said() {
    let org = OrgFixture::start().await;
    let entry = org.create_time_entry(&org.mia, MORNING, json!({})).await;
    for left_out in ["project_id", "task_id", "activity", "notes"] {
        assert_eq!(entry[left_out], Value::Null, "{left_out}");
    }
    assert_eq!((&entry["billable"], &entry["tags"]), (&json!(false), &json!([])));
    // A moment is time, too.
    let moment = org.create_time_entry(&org.mia, (MORNING.0, MORNING.0), json!({})).await;
    assert_eq!(moment["duration_seconds"], 0);
}

#[tokio::test]
async fn a_patch_changes_what_it_names() {
    let org = OrgFixture::start().await;
    let (engine, mill) = (org.create_project("ENGINE").await, org.create_project("MILL").await);
    let before =
        org.create_time_entry(&org.mia, MORNING, json!({ "project_id": engine, "notes": "x" })).await;
    let path = org.path(&format!("/time-entries/{}", id(&before)));
    let change = async |patch: Value| org.mia.patch(&path, patch).await.expect(200);

    let changed = change(json!({ "activity": "Review" })).await;
    assert_eq!(
        (&changed["activity"], &changed["notes"], &changed["project_id"], &changed["version"]),
        (&json!("Review"), &json!("x"), &json!(engine), &json!(2))
    );
    let moved = change(json!({ "project_code": "MILL", "ended_at": "2026-03-02T09:00:00Z" })).await;
    assert_eq!((&moved["project_id"], &moved["duration_seconds"]), (&json!(mill), &json!(3600)));
    let cleared = change(json!({ "project_id": null, "notes": null, "activity": null })).await;
    assert_eq!(
        (&cleared["project_id"], &cleared["notes"], &cleared["activity"]),
        (&Value::Null, &Value::Null, &Value::Null)
    );
    assert_eq!(org.mia.get(&path).await.expect(200), cleared);
    // What changes nothing leaves no trace.
    assert_eq!(change(json!({ "billable": false, "started_at": "2026-03-02T08:00:00.9Z" })).await, cleared);

    let stale = org.mia.patch(&path, json!({ "notes": "y" })).header("if-match", "\"3\"");
    stale.await.problem(412, "PRECONDITION_FAILED");
    let reply = org
        .mia
        .patch(&path, json!({ "started_at": null, "ended_at": null, "tags": null, "billable": null }))
        .await;
    reply.problem(422, "VALIDATION_FAILED");
    let never_null =
        ["billable", "ended_at", "started_at", "tags"].map(|field| format!("{field} NULL_NOT_ALLOWED"));
    assert_eq!(reply.faults(), never_null);

    let recorded = org.events("time_entry.updated").await;
    assert_eq!(recorded.len(), 3);
    assert_eq!(recorded[0], json!({ "after": { "activity": "Review" }, "before": { "activity": null } }));
}

#[tokio::test]
async fn a_deleted_entry_is_gone_until_it_is_restored() {
    let org = OrgFixture::start().await;
    let project = org.create_project("ENGINE").await;
    let before = org.create_time_entry(&org.mia, MORNING, json!({ "project_id": project })).await;
    let path = org.path(&format!("/time-entries/{}", id(&before)));
    let restore = || org.mia.request("POST", &format!("{path}/restore"));
    restore().await.problem(404, "NOT_FOUND");
    org.mia.delete(&path).header("if-match", "\"2\"").await.problem(412, "PRECONDITION_FAILED");
    org.mia.delete(&path).await.expect(204);
    org.mia.get(&path).await.problem(404, "NOT_FOUND");
    org.mia.patch(&path, json!({ "notes": "x" })).await.problem(404, "NOT_FOUND");
    org.mia.delete(&path).await.problem(404, "NOT_FOUND");
    assert_eq!(org.mia.get(&org.path("/time-entries")).await.expect(200)["data"], json!([]));
    let restored = restore().await.expect(200);
    assert_eq!((&restored["id"], &restored["version"]), (&before["id"], &json!(3)));
    assert_eq!(org.mia.get(&path).await.expect(200), restored);

    // Nothing comes back to what is gone.
    org.mia.delete(&path).await.expect(204);
    org.owner.delete(&org.path(&format!("/projects/{project}"))).await.expect(204);
    restore().await.problem(409, "PARENT_DELETED");
    org.owner.request("POST", &org.path(&format!("/projects/{project}/restore"))).await.expect(200);
    restore().await.expect(200);
}

/// Time outlives the project it was spent on.
#[tokio::test]
async fn time_on_a_deleted_project_stays() {
    let org = OrgFixture::start().await;
    let project = org.create_project("ENGINE").await;
    let entry = org.create_time_entry(&org.mia, MORNING, json!({ "project_id": project })).await;
    org.owner.delete(&org.path(&format!("/projects/{project}"))).await.expect(204);
    let path = org.path(&format!("/time-entries/{}", id(&entry)));
    assert_eq!(org.mia.get(&path).await.expect(200)["project_id"], project);
    org.mia.patch(&path, json!({ "notes": "still mine" })).await.expect(200);
}

#[tokio::test]
async fn members_see_and_update_their_own_time_and_admins_all() {
    let org = OrgFixture::start().await;
    let entry = org.create_time_entry(&org.mia, MORNING, json!({})).await;
    let path = org.path(&format!("/time-entries/{}", id(&entry)));
    let listed = async |who: &Client, query: &str| {
        let list = who.get(&org.path(&format!("/time-entries{query}"))).await.expect(200);
        list["data"].as_array().unwrap().len()
    };
    // Entries of others do not exist for members who can only see their own.
    org.viewer.get(&path).await.problem(404, "NOT_FOUND");
    org.server.database().await.set_only_role(&org.slug, &org.email("victor"), "member").await;
    for asked in [
        org.viewer.get(&path),
        org.viewer.patch(&path, json!({ "notes": "x" })),
        org.viewer.patch(&path, json!({ "notes": 7 })),
        org.viewer.delete(&path),
    ] {
        asked.await.problem(404, "NOT_FOUND");
    }
    let mia = org.member(&org.mia).await;
    assert_eq!(listed(&org.viewer, "").await + listed(&org.viewer, &format!("?member_id={mia}")).await, 0);
    assert_eq!(listed(&org.mia, "?member_id=me").await, 1);
    assert_eq!(listed(&org.admin, &format!("?member_id={mia}")).await, 1);
    assert_eq!(listed(&org.admin, "?member_id=me").await, 0);

    let of_mia = json!({ "member_id": mia, "started_at": MORNING.0, "ended_at": MORNING.1 });
    let refused = org.viewer.post(&org.path("/time-entries"), of_mia.clone()).await;
    assert_eq!(refused.problem(403, "FORBIDDEN")["permission"], "time_entries:manage_all");
    assert_eq!(org.admin.post(&org.path("/time-entries"), of_mia).await.expect(201)["member_id"], mia);
    org.admin.patch(&path, json!({ "notes": "corrected" })).await.expect(200);
    org.admin.delete(&path).await.expect(204);
    org.viewer.request("POST", &format!("{path}/restore")).await.problem(404, "NOT_FOUND");
    org.admin.request("POST", &format!("{path}/restore")).await.expect(200);
}

/// To see is not to change.
#[tokio::test]
async fn permission_to_read_all_time_updates_only_own_time() {
    let org = OrgFixture::start().await;
    let role = json!({ "name": "Payroll", "permissions": [
        "time_entries:read", "time_entries:read_all", "time_entries:update", "time_entries:delete",
    ] });
    org.owner.post(&org.path("/roles"), role).await.expect(201);
    org.server.database().await.set_only_role(&org.slug, &org.email("victor"), "payroll").await;
    let entry = org.create_time_entry(&org.mia, MORNING, json!({})).await;
    let path = org.path(&format!("/time-entries/{}", id(&entry)));
    org.viewer.get(&path).await.expect(200);
    for asked in [org.viewer.patch(&path, json!({ "notes": "x" })), org.viewer.delete(&path)] {
        let refused = asked.await.problem(403, "FORBIDDEN");
        assert_eq!(refused["permission"], "time_entries:manage_all");
        assert_eq!(refused["roles_that_grant"], json!(["owner", "admin"]));
    }
}

#[tokio::test]
async fn a_superuser_must_name_the_member() {
    let org = OrgFixture::start().await;
    let superuser = org.superuser().await.with("x-platform-access", "ticket 7");
    let draft = json!({ "started_at": MORNING.0, "ended_at": MORNING.1 });
    superuser.post(&org.path("/time-entries"), draft.clone()).await.problem(409, "NOT_A_MEMBER");
    for asked in [
        superuser.get(&org.path("/time-entries?member_id=me")),
        superuser.get(&org.path("/timer")),
        superuser.post(&org.path("/timer/start"), json!({})),
        superuser.request("POST", &org.path("/timer/stop")),
    ] {
        asked.await.problem(409, "NOT_A_MEMBER");
    }
    let mut of_mia = draft;
    of_mia["member_id"] = json!(org.member(&org.mia).await);
    superuser.post(&org.path("/time-entries"), of_mia).await.expect(201);
    assert_eq!(
        superuser.get(&org.path("/time-entries")).await.expect(200)["data"].as_array().unwrap().len(),
        1
    );
}

#[tokio::test]
async fn a_repeated_request_is_done_once() {
    let org = OrgFixture::start().await;
    let draft = json!({ "started_at": MORNING.0, "ended_at": MORNING.1 });
    let ask = || org.mia.post(&org.path("/time-entries"), draft.clone()).header("idempotency-key", "k");
    let first = ask().await.expect(201);
    assert_eq!(ask().await.expect(201), first);
    assert_eq!(
        org.server
            .database()
            .await
            .scalar(&format!("SELECT count(*) FROM time_entries WHERE {}", org.own_rows()))
            .await,
        1
    );
}
