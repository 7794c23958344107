//! `O/time-entries`: written down, read, changed, deleted, restored; by whom, and what they leave.

use insula_tests::{Client, Crew, Server, id};
use serde_json::{Value, json};

const MORNING: (&str, &str) = ("2026-03-02T08:00:00Z", "2026-03-02T11:30:00Z");

#[tokio::test]
async fn a_new_entry_tells_where_it_is_and_what_it_is() {
    let crew = Crew::start().await;
    let project = crew.project("ENGINE").await;
    let draft = json!({
        "project_code": "engine", "activity": " Design ", "notes": "one\ntwo", "billable": true,
        "started_at": "2026-03-02T08:00:00.75Z", "ended_at": "2026-03-02T12:30:00.5+01:00",
    });
    let made = crew.mia.post(&crew.at("time-entries"), draft).await;
    let body = made.expect(201);
    let org = body["organization_id"].as_str().unwrap();
    let path = format!("/api/v1/organizations/{org}/time-entries/{}", id(&body));
    assert_eq!((made.header("location"), made.header("etag")), (Some(&*path), Some("\"1\"")));
    let shown = json!({
        "id": body["id"], "organization_id": org, "member_id": crew.member(&crew.mia).await,
        "project_id": project, "task_id": null, "activity": "Design", "notes": "one\ntwo",
        "started_at": "2026-03-02T08:00:00Z", "ended_at": "2026-03-02T11:30:00Z", "duration_seconds": 12_600,
        "billable": true, "tags": [], "source": "manual", "version": 1,
        "created_at": body["created_at"], "updated_at": body["created_at"],
    });
    assert_eq!(body, shown);
    let read = crew.mia.get(&path).await;
    assert_eq!((read.expect(200), read.header("etag")), (body, Some("\"1\"")));
    crew.mia.get(&path).header("if-none-match", "\"1\"").await.expect(304);
}

#[tokio::test]
async fn little_need_be_said() {
    let crew = Crew::start().await;
    let entry = crew.track(&crew.mia, MORNING, json!({})).await;
    for left_out in ["project_id", "task_id", "activity", "notes"] {
        assert_eq!(entry[left_out], Value::Null, "{left_out}");
    }
    assert_eq!((&entry["billable"], &entry["tags"]), (&json!(false), &json!([])));
    // A moment is time, too.
    let moment = crew.track(&crew.mia, (MORNING.0, MORNING.0), json!({})).await;
    assert_eq!(moment["duration_seconds"], 0);
}

#[tokio::test]
async fn a_patch_changes_what_it_names() {
    let crew = Crew::start().await;
    let (engine, mill) = (crew.project("ENGINE").await, crew.project("MILL").await);
    let before = crew.track(&crew.mia, MORNING, json!({ "project_id": engine, "notes": "x" })).await;
    let path = crew.at(&format!("time-entries/{}", id(&before)));
    let change = async |patch: Value| crew.mia.patch(&path, patch).await.expect(200);

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
    assert_eq!(crew.mia.get(&path).await.expect(200), cleared);
    // What changes nothing leaves no trace.
    assert_eq!(change(json!({ "billable": false, "started_at": "2026-03-02T08:00:00.9Z" })).await, cleared);

    let stale = crew.mia.patch(&path, json!({ "notes": "y" })).header("if-match", "\"3\"");
    stale.await.problem(412, "PRECONDITION_FAILED");
    let reply = crew
        .mia
        .patch(&path, json!({ "started_at": null, "ended_at": null, "tags": null, "billable": null }))
        .await;
    reply.problem(422, "VALIDATION_FAILED");
    let never_null =
        ["billable", "ended_at", "started_at", "tags"].map(|field| format!("{field} NULL_NOT_ALLOWED"));
    assert_eq!(reply.faults(), never_null);

    let told =
        "SELECT details FROM audit_events WHERE action = 'time_entry.updated' ORDER BY occurred_at, id";
    let told = crew.server.vault().await.texts(told).await;
    assert_eq!(told.len(), 3);
    assert_eq!(
        told[0],
        json!({ "after": { "activity": "Review" }, "before": { "activity": null } }).to_string()
    );
}

#[tokio::test]
async fn a_deleted_entry_is_gone_until_it_is_restored() {
    let crew = Crew::start().await;
    let project = crew.project("ENGINE").await;
    let before = crew.track(&crew.mia, MORNING, json!({ "project_id": project })).await;
    let path = crew.at(&format!("time-entries/{}", id(&before)));
    let restore = || crew.mia.request("POST", &format!("{path}/restore"));
    restore().await.problem(404, "NOT_FOUND");
    crew.mia.delete(&path).header("if-match", "\"2\"").await.problem(412, "PRECONDITION_FAILED");
    crew.mia.delete(&path).await.expect(204);
    crew.mia.get(&path).await.problem(404, "NOT_FOUND");
    crew.mia.patch(&path, json!({ "notes": "x" })).await.problem(404, "NOT_FOUND");
    crew.mia.delete(&path).await.problem(404, "NOT_FOUND");
    assert_eq!(crew.mia.get(&crew.at("time-entries")).await.expect(200)["data"], json!([]));
    let restored = restore().await.expect(200);
    assert_eq!((&restored["id"], &restored["version"]), (&before["id"], &json!(3)));
    assert_eq!(crew.mia.get(&path).await.expect(200), restored);

    // Nothing comes back to what is gone.
    crew.mia.delete(&path).await.expect(204);
    crew.ada.delete(&crew.at(&format!("projects/{project}"))).await.expect(204);
    restore().await.problem(409, "PARENT_DELETED");
    crew.ada.request("POST", &crew.at(&format!("projects/{project}/restore"))).await.expect(200);
    restore().await.expect(200);
}

/// Time outlives the project it was spent on.
#[tokio::test]
async fn time_on_a_deleted_project_stays() {
    let crew = Crew::start().await;
    let project = crew.project("ENGINE").await;
    let entry = crew.track(&crew.mia, MORNING, json!({ "project_id": project })).await;
    crew.ada.delete(&crew.at(&format!("projects/{project}"))).await.expect(204);
    let path = crew.at(&format!("time-entries/{}", id(&entry)));
    assert_eq!(crew.mia.get(&path).await.expect(200)["project_id"], project);
    crew.mia.patch(&path, json!({ "notes": "still mine" })).await.expect(200);
}

#[tokio::test]
async fn people_see_and_change_their_own_time_and_admins_everybodys() {
    let crew = Crew::start().await;
    let entry = crew.track(&crew.mia, MORNING, json!({})).await;
    let path = crew.at(&format!("time-entries/{}", id(&entry)));
    let listed = async |who: &Client, query: &str| {
        let list = who.get(&crew.at(&format!("time-entries{query}"))).await.expect(200);
        list["data"].as_array().unwrap().len()
    };
    // The others' time does not exist for whoever sees his own alone.
    crew.victor.get(&path).await.problem(404, "NOT_FOUND");
    crew.server.vault().await.appoint("acme", "victor@example.com", "member").await;
    for asked in [
        crew.victor.get(&path),
        crew.victor.patch(&path, json!({ "notes": "x" })),
        crew.victor.patch(&path, json!({ "notes": 7 })),
        crew.victor.delete(&path),
    ] {
        asked.await.problem(404, "NOT_FOUND");
    }
    let mia = crew.member(&crew.mia).await;
    assert_eq!(listed(&crew.victor, "").await + listed(&crew.victor, &format!("?member_id={mia}")).await, 0);
    assert_eq!(listed(&crew.mia, "?member_id=me").await, 1);
    assert_eq!(listed(&crew.adam, &format!("?member_id={mia}")).await, 1);
    assert_eq!(listed(&crew.adam, "?member_id=me").await, 0);

    let of_mia = json!({ "member_id": mia, "started_at": MORNING.0, "ended_at": MORNING.1 });
    let refused = crew.victor.post(&crew.at("time-entries"), of_mia.clone()).await;
    assert_eq!(refused.problem(403, "FORBIDDEN")["permission"], "time_entries:manage_all");
    assert_eq!(crew.adam.post(&crew.at("time-entries"), of_mia).await.expect(201)["member_id"], mia);
    crew.adam.patch(&path, json!({ "notes": "corrected" })).await.expect(200);
    crew.adam.delete(&path).await.expect(204);
    crew.victor.request("POST", &format!("{path}/restore")).await.problem(404, "NOT_FOUND");
    crew.adam.request("POST", &format!("{path}/restore")).await.expect(200);
}

/// To see is not to change.
#[tokio::test]
async fn who_sees_everybodys_time_changes_his_own_alone() {
    let crew = Crew::start().await;
    let role = json!({ "name": "Payroll", "permissions": [
        "time_entries:read", "time_entries:read_all", "time_entries:update", "time_entries:delete",
    ] });
    crew.ada.post(&crew.at("roles"), role).await.expect(201);
    crew.server.vault().await.appoint("acme", "victor@example.com", "payroll").await;
    let entry = crew.track(&crew.mia, MORNING, json!({})).await;
    let path = crew.at(&format!("time-entries/{}", id(&entry)));
    crew.victor.get(&path).await.expect(200);
    for asked in [crew.victor.patch(&path, json!({ "notes": "x" })), crew.victor.delete(&path)] {
        let refused = asked.await.problem(403, "FORBIDDEN");
        assert_eq!(refused["permission"], "time_entries:manage_all");
        assert_eq!(refused["roles_that_grant"], json!(["owner", "admin"]));
    }
}

#[tokio::test]
async fn an_operator_names_whose_time_it_is() {
    let (server, operator) = Server::with_operator().await;
    let crew = Crew::on(server).await;
    let operator = operator.with("x-platform-access", "ticket 7");
    let draft = json!({ "started_at": MORNING.0, "ended_at": MORNING.1 });
    operator.post(&crew.at("time-entries"), draft.clone()).await.problem(409, "NOT_A_MEMBER");
    for asked in [
        operator.get(&crew.at("time-entries?member_id=me")),
        operator.get(&crew.at("timer")),
        operator.post(&crew.at("timer/start"), json!({})),
        operator.request("POST", &crew.at("timer/stop")),
    ] {
        asked.await.problem(409, "NOT_A_MEMBER");
    }
    let mut of_mia = draft;
    of_mia["member_id"] = json!(crew.member(&crew.mia).await);
    operator.post(&crew.at("time-entries"), of_mia).await.expect(201);
    assert_eq!(operator.get(&crew.at("time-entries")).await.expect(200)["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_repeated_request_is_done_once() {
    let crew = Crew::start().await;
    let draft = json!({ "started_at": MORNING.0, "ended_at": MORNING.1 });
    let ask = || crew.mia.post(&crew.at("time-entries"), draft.clone()).header("idempotency-key", "k");
    let first = ask().await.expect(201);
    assert_eq!(ask().await.expect(201), first);
    assert_eq!(crew.server.vault().await.scalar("SELECT count(*) FROM time_entries").await, 1);
}
