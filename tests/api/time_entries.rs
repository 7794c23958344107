//! `O/time-entries`: create, read, update, delete, restore; permissions and audit events.

use insula_tests::{Client, Guild, Server, id};
use serde_json::{Value, json};

const MORNING: (&str, &str) = ("2026-03-02T08:00:00Z", "2026-03-02T11:30:00Z");

#[tokio::test]
async fn a_new_entry_tells_where_it_is_and_what_it_is() {
    let guild = Guild::start().await;
    let project = guild.project("ENGINE").await;
    let draft = json!({
        "project_code": "engine", "activity": " Design ", "notes": "one\ntwo", "billable": true,
        "started_at": "2026-03-02T08:00:00.75Z", "ended_at": "2026-03-02T12:30:00.5+01:00",
    });
    let made = guild.mia.post(&guild.path("/time-entries"), draft).await;
    let body = made.expect(201);
    let org = body["organization_id"].as_str().unwrap();
    let path = format!("/api/v1/organizations/{org}/time-entries/{}", id(&body));
    assert_eq!((made.header("location"), made.header("etag")), (Some(&*path), Some("\"1\"")));
    let shown = json!({
        "id": body["id"], "organization_id": org, "member_id": guild.member(&guild.mia).await,
        "project_id": project, "task_id": null, "activity": "Design", "notes": "one\ntwo",
        "started_at": "2026-03-02T08:00:00Z", "ended_at": "2026-03-02T11:30:00Z", "duration_seconds": 12_600,
        "billable": true, "tags": [], "source": "manual", "version": 1,
        "created_at": body["created_at"], "updated_at": body["created_at"],
    });
    assert_eq!(body, shown);
    let read = guild.mia.get(&path).await;
    assert_eq!((read.expect(200), read.header("etag")), (body, Some("\"1\"")));
    guild.mia.get(&path).header("if-none-match", "\"1\"").await.expect(304);
}

#[tokio::test]
async fn little_need_be_said() {
    let guild = Guild::start().await;
    let entry = guild.track(&guild.mia, MORNING, json!({})).await;
    for left_out in ["project_id", "task_id", "activity", "notes"] {
        assert_eq!(entry[left_out], Value::Null, "{left_out}");
    }
    assert_eq!((&entry["billable"], &entry["tags"]), (&json!(false), &json!([])));
    // A moment is time, too.
    let moment = guild.track(&guild.mia, (MORNING.0, MORNING.0), json!({})).await;
    assert_eq!(moment["duration_seconds"], 0);
}

#[tokio::test]
async fn a_patch_changes_what_it_names() {
    let guild = Guild::start().await;
    let (engine, mill) = (guild.project("ENGINE").await, guild.project("MILL").await);
    let before = guild.track(&guild.mia, MORNING, json!({ "project_id": engine, "notes": "x" })).await;
    let path = guild.path(&format!("/time-entries/{}", id(&before)));
    let change = async |patch: Value| guild.mia.patch(&path, patch).await.expect(200);

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
    assert_eq!(guild.mia.get(&path).await.expect(200), cleared);
    // What changes nothing leaves no trace.
    assert_eq!(change(json!({ "billable": false, "started_at": "2026-03-02T08:00:00.9Z" })).await, cleared);

    let stale = guild.mia.patch(&path, json!({ "notes": "y" })).header("if-match", "\"3\"");
    stale.await.problem(412, "PRECONDITION_FAILED");
    let reply = guild
        .mia
        .patch(&path, json!({ "started_at": null, "ended_at": null, "tags": null, "billable": null }))
        .await;
    reply.problem(422, "VALIDATION_FAILED");
    let never_null =
        ["billable", "ended_at", "started_at", "tags"].map(|field| format!("{field} NULL_NOT_ALLOWED"));
    assert_eq!(reply.faults(), never_null);

    let told = guild.events("time_entry.updated").await;
    assert_eq!(told.len(), 3);
    assert_eq!(told[0], json!({ "after": { "activity": "Review" }, "before": { "activity": null } }));
}

#[tokio::test]
async fn a_deleted_entry_is_gone_until_it_is_restored() {
    let guild = Guild::start().await;
    let project = guild.project("ENGINE").await;
    let before = guild.track(&guild.mia, MORNING, json!({ "project_id": project })).await;
    let path = guild.path(&format!("/time-entries/{}", id(&before)));
    let restore = || guild.mia.request("POST", &format!("{path}/restore"));
    restore().await.problem(404, "NOT_FOUND");
    guild.mia.delete(&path).header("if-match", "\"2\"").await.problem(412, "PRECONDITION_FAILED");
    guild.mia.delete(&path).await.expect(204);
    guild.mia.get(&path).await.problem(404, "NOT_FOUND");
    guild.mia.patch(&path, json!({ "notes": "x" })).await.problem(404, "NOT_FOUND");
    guild.mia.delete(&path).await.problem(404, "NOT_FOUND");
    assert_eq!(guild.mia.get(&guild.path("/time-entries")).await.expect(200)["data"], json!([]));
    let restored = restore().await.expect(200);
    assert_eq!((&restored["id"], &restored["version"]), (&before["id"], &json!(3)));
    assert_eq!(guild.mia.get(&path).await.expect(200), restored);

    // Nothing comes back to what is gone.
    guild.mia.delete(&path).await.expect(204);
    guild.owner.delete(&guild.path(&format!("/projects/{project}"))).await.expect(204);
    restore().await.problem(409, "PARENT_DELETED");
    guild.owner.request("POST", &guild.path(&format!("/projects/{project}/restore"))).await.expect(200);
    restore().await.expect(200);
}

/// Time outlives the project it was spent on.
#[tokio::test]
async fn time_on_a_deleted_project_stays() {
    let guild = Guild::start().await;
    let project = guild.project("ENGINE").await;
    let entry = guild.track(&guild.mia, MORNING, json!({ "project_id": project })).await;
    guild.owner.delete(&guild.path(&format!("/projects/{project}"))).await.expect(204);
    let path = guild.path(&format!("/time-entries/{}", id(&entry)));
    assert_eq!(guild.mia.get(&path).await.expect(200)["project_id"], project);
    guild.mia.patch(&path, json!({ "notes": "still mine" })).await.expect(200);
}

#[tokio::test]
async fn people_see_and_change_their_own_time_and_admins_everybodys() {
    let guild = Guild::start().await;
    let entry = guild.track(&guild.mia, MORNING, json!({})).await;
    let path = guild.path(&format!("/time-entries/{}", id(&entry)));
    let listed = async |who: &Client, query: &str| {
        let list = who.get(&guild.path(&format!("/time-entries{query}"))).await.expect(200);
        list["data"].as_array().unwrap().len()
    };
    // Entries of others do not exist for members who can only see their own.
    guild.viewer.get(&path).await.problem(404, "NOT_FOUND");
    guild.server.vault().await.appoint(&guild.slug, &guild.email("victor"), "member").await;
    for asked in [
        guild.viewer.get(&path),
        guild.viewer.patch(&path, json!({ "notes": "x" })),
        guild.viewer.patch(&path, json!({ "notes": 7 })),
        guild.viewer.delete(&path),
    ] {
        asked.await.problem(404, "NOT_FOUND");
    }
    let mia = guild.member(&guild.mia).await;
    assert_eq!(
        listed(&guild.viewer, "").await + listed(&guild.viewer, &format!("?member_id={mia}")).await,
        0
    );
    assert_eq!(listed(&guild.mia, "?member_id=me").await, 1);
    assert_eq!(listed(&guild.admin, &format!("?member_id={mia}")).await, 1);
    assert_eq!(listed(&guild.admin, "?member_id=me").await, 0);

    let of_mia = json!({ "member_id": mia, "started_at": MORNING.0, "ended_at": MORNING.1 });
    let refused = guild.viewer.post(&guild.path("/time-entries"), of_mia.clone()).await;
    assert_eq!(refused.problem(403, "FORBIDDEN")["permission"], "time_entries:manage_all");
    assert_eq!(guild.admin.post(&guild.path("/time-entries"), of_mia).await.expect(201)["member_id"], mia);
    guild.admin.patch(&path, json!({ "notes": "corrected" })).await.expect(200);
    guild.admin.delete(&path).await.expect(204);
    guild.viewer.request("POST", &format!("{path}/restore")).await.problem(404, "NOT_FOUND");
    guild.admin.request("POST", &format!("{path}/restore")).await.expect(200);
}

/// To see is not to change.
#[tokio::test]
async fn who_sees_everybodys_time_changes_his_own_alone() {
    let guild = Guild::start().await;
    let role = json!({ "name": "Payroll", "permissions": [
        "time_entries:read", "time_entries:read_all", "time_entries:update", "time_entries:delete",
    ] });
    guild.owner.post(&guild.path("/roles"), role).await.expect(201);
    guild.server.vault().await.appoint(&guild.slug, &guild.email("victor"), "payroll").await;
    let entry = guild.track(&guild.mia, MORNING, json!({})).await;
    let path = guild.path(&format!("/time-entries/{}", id(&entry)));
    guild.viewer.get(&path).await.expect(200);
    for asked in [guild.viewer.patch(&path, json!({ "notes": "x" })), guild.viewer.delete(&path)] {
        let refused = asked.await.problem(403, "FORBIDDEN");
        assert_eq!(refused["permission"], "time_entries:manage_all");
        assert_eq!(refused["roles_that_grant"], json!(["owner", "admin"]));
    }
}

#[tokio::test]
async fn an_operator_names_whose_time_it_is() {
    let (server, operator) = Server::with_operator().await;
    let guild = Guild::on(server).await;
    let operator = operator.with("x-platform-access", "ticket 7");
    let draft = json!({ "started_at": MORNING.0, "ended_at": MORNING.1 });
    operator.post(&guild.path("/time-entries"), draft.clone()).await.problem(409, "NOT_A_MEMBER");
    for asked in [
        operator.get(&guild.path("/time-entries?member_id=me")),
        operator.get(&guild.path("/timer")),
        operator.post(&guild.path("/timer/start"), json!({})),
        operator.request("POST", &guild.path("/timer/stop")),
    ] {
        asked.await.problem(409, "NOT_A_MEMBER");
    }
    let mut of_mia = draft;
    of_mia["member_id"] = json!(guild.member(&guild.mia).await);
    operator.post(&guild.path("/time-entries"), of_mia).await.expect(201);
    assert_eq!(
        operator.get(&guild.path("/time-entries")).await.expect(200)["data"].as_array().unwrap().len(),
        1
    );
}

#[tokio::test]
async fn a_repeated_request_is_done_once() {
    let guild = Guild::start().await;
    let draft = json!({ "started_at": MORNING.0, "ended_at": MORNING.1 });
    let ask = || guild.mia.post(&guild.path("/time-entries"), draft.clone()).header("idempotency-key", "k");
    let first = ask().await.expect(201);
    assert_eq!(ask().await.expect(201), first);
    assert_eq!(
        guild
            .server
            .vault()
            .await
            .scalar(&format!("SELECT count(*) FROM time_entries WHERE {}", guild.own()))
            .await,
        1
    );
}
