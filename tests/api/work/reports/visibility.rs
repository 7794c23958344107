//! Whose time a report contains: the caller's or all, but never that on invisible projects.

use insula_tests::{
    eventually,
    fixtures::time_entries::{TaskFixture, TimeEntryFixture, new_id},
};
use serde_json::json;

use super::{ACME, RecordedOrg, lines, report};

const RANGE: &str = "from=2026-03-01T00:00:00Z&to=2026-04-01T00:00:00Z";

#[tokio::test]
async fn without_the_permission_a_member_sees_their_own_time() {
    let acme = RecordedOrg::start().await;
    let (bob, bob_id) = acme.join("bob", "member").await;
    let (_, carols) = acme.join("carol", "member").await;
    let hour = || acme.work("2026-03-02T08:00:00Z", "2026-03-02T09:00:00Z");
    acme.insert_job(&[
        hour(),
        TimeEntryFixture { member: bob_id, ..hour() },
        TimeEntryFixture { member: carols.clone(), ..hour() },
    ])
    .await;
    let by_member = format!("{RANGE}&group_by=member");
    let all = ["all 10800 3", "ada 3600 1", "bob 3600 1", "carol 3600 1"];
    assert_eq!(acme.lines(&by_member).await, all);
    assert_eq!(lines(&report(&bob, &by_member).await), ["all 3600 1", "bob 3600 1"]);
    assert_eq!(lines(&report(&bob, &format!("{by_member}&member_id={carols}")).await), ["all 0 0"]);
    // Who has left is still the one who worked.
    acme.ada.delete(&format!("{ACME}/members/{carols}")).await.expect(204);
    assert_eq!(acme.lines(&by_member).await, all);
}

#[tokio::test]
async fn private_projects_are_invisible_to_other_members() {
    let acme = RecordedOrg::start().await;
    let (bob, bob_id) = acme.join("bob", "member").await;
    let role = json!({ "name": "Auditor", "permissions": ["reports:read", "time_entries:read_all"] });
    acme.ada.post(&format!("{ACME}/roles"), role).await.expect(201);
    acme.database.set_only_role(&acme.slug, &acme.email("bob"), "auditor").await;
    let (open, secret) = (
        acme.create_project("OPEN", "Project OPEN").await,
        acme.create_project("SECRET", "Project SECRET").await,
    );
    let hour = |project: &String, member: &String| TimeEntryFixture {
        project: Some(project.clone()),
        member: member.clone(),
        ..acme.work("2026-03-02T08:00:00Z", "2026-03-02T09:00:00Z")
    };
    let task = TaskFixture {
        id: new_id(),
        project: Some(secret.clone()),
        title: "Plot".to_owned(),
        ..TaskFixture::default()
    };
    acme.database.insert_tasks(&acme.slug, std::slice::from_ref(&task)).await;
    let plot = TimeEntryFixture { task: Some(task.id.clone()), ..hour(&secret, &bob_id) };
    acme.insert_job(&[hour(&open, &acme.member), hour(&secret, &acme.member), plot]).await;
    let by_project = format!("{RANGE}&group_by=project,task");
    let open_to_all = [
        "all 10800 3",
        "Project SECRET 7200 2",
        "Project SECRET / Plot 3600 1",
        "Project SECRET / - 3600 1",
        "Project OPEN 3600 1",
        "Project OPEN / - 3600 1",
    ];
    let mut sorted = acme.lines(&by_project).await;
    // Groups of as much time are in the order of their names, those without one last.
    assert_eq!(sorted, open_to_all);
    eventually("bob is an auditor", async || lines(&report(&bob, &by_project).await) == open_to_all).await;
    let own = acme.own_rows();
    let set = format!("UPDATE projects SET is_private = true WHERE code = 'SECRET' AND {own}");
    assert_eq!(acme.database.execute(&set).await, 1);
    // Members see their own old entries, without the name of a project they can no longer see.
    sorted = lines(&report(&bob, &by_project).await);
    assert_eq!(
        sorted,
        ["all 7200 2", "Project OPEN 3600 1", "Project OPEN / - 3600 1", "- 3600 1", "- / - 3600 1"]
    );
    let report_body = report(&bob, &by_project).await;
    assert_eq!(report_body["groups"][1]["key"], secret);
    let his_own = report(&bob, &format!("{RANGE}&project_id={secret}")).await;
    assert_eq!(lines(&his_own), ["all 3600 1"]);
    // Those who may change projects see all.
    assert_eq!(acme.lines(&by_project).await, open_to_all);
}

#[tokio::test]
async fn time_on_what_was_deleted_still_counts_under_its_name() {
    let acme = RecordedOrg::start().await;
    let engine = acme.create_project("ENGINE", "Project ENGINE").await;
    let task = TaskFixture {
        id: new_id(),
        project: Some(engine.clone()),
        title: "Build".to_owned(),
        ..TaskFixture::default()
    };
    acme.database.insert_tasks(&acme.slug, &[TaskFixture { is_deleted: true, ..task.clone() }]).await;
    let hour = acme.work("2026-03-02T08:00:00Z", "2026-03-02T09:00:00Z");
    acme.insert_job(&[TimeEntryFixture { project: Some(engine.clone()), task: Some(task.id), ..hour }]).await;
    acme.ada.delete(&format!("{ACME}/projects/{engine}")).await.expect(204);
    assert_eq!(
        acme.lines(&format!("{RANGE}&group_by=project,task")).await,
        ["all 3600 1", "Project ENGINE 3600 1", "Project ENGINE / Build 3600 1"]
    );
}

#[tokio::test]
async fn a_superuser_with_a_reason_sees_all_time_in_utc() {
    let acme = RecordedOrg::start().await;
    let (superuser, member) = (acme.superuser().await, acme.member.clone());
    let (started, ended) = (1_772_438_400, Some(1_772_442_000));
    let entry = TimeEntryFixture { id: new_id(), member, started, ended, ..TimeEntryFixture::default() };
    acme.insert_job(&[entry]).await;
    let path = format!("{ACME}/reports/summary?{RANGE}&group_by=day,member");
    superuser.get(&path).await.problem(404, "NOT_FOUND");
    let report_body = superuser.get(&path).header("x-platform-access", "Ticket 4711").await.expect(200);
    assert_eq!((&report_body["timezone"], &report_body["week_start"]), (&json!("UTC"), &json!("monday")));
    assert_eq!(lines(&report_body), ["all 3600 1", "2026-03-02 3600 1", "2026-03-02 / ada 3600 1"]);
}
