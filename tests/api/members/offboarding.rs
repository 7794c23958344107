//! What stops at the end of a membership, for each way it can end.

use insula_tests::{OrgFixture, Server, TestDatabase, eventually, id};
use serde_json::{Value, json};

/// Gives Mia a running timer, a place in a private project, and three tasks, of which one is done.
async fn busy(org: &OrgFixture) -> TestDatabase {
    let mia = org.member(&org.mia).await;
    let project = json!({ "code": "SECRET", "name": "Secret", "is_private": true });
    let project = id(&org.owner.post(&org.path("/projects"), project).await.expect(201));
    let team = org.path(&format!("/projects/{project}/members"));
    org.owner.put(&team, json!({ "members": [mia] })).await.expect(200);
    for (title, status) in [("one", "todo"), ("two", "in_progress"), ("three", "done")] {
        let task = json!({ "title": title, "status": status, "assignee_id": mia });
        org.owner.post(&org.path("/tasks"), task).await.expect(201);
    }
    org.mia.post(&org.path("/timer/start"), json!({})).await.expect(201);
    org.server.database().await
}

/// What is left of it, and what the log of the organization says of its end.
async fn left(org: &OrgFixture, database: &TestDatabase) -> Value {
    let own = org.own_rows();
    let running = format!("SELECT count(*) FROM time_entries WHERE ended_at IS NULL AND {own}");
    let running = database.scalar(&running).await;
    let places = database.scalar(&format!("SELECT count(*) FROM project_members WHERE {own}")).await;
    let assigned = format!("SELECT title FROM tasks WHERE assignee_id IS NOT NULL AND {own}");
    let assigned = database.texts(&assigned).await;
    let versions = format!("SELECT CAST(sum(version) AS BIGINT) FROM tasks WHERE {own}");
    let versions = database.scalar(&versions).await;
    let recorded = format!(
        "SELECT action FROM audit_events WHERE {own}
         AND action IN ('member.left', 'member.removed', 'time_entry.stopped', 'task.updated', 'project.updated')
         AND occurred_at >= (SELECT max(occurred_at) FROM audit_events
             WHERE action IN ('member.left', 'member.removed') AND {own})
         ORDER BY occurred_at, id"
    );
    let entries =
        org.owner.get(&org.path("/time-entries")).await.expect(200)["data"].as_array().unwrap().len();
    json!({ "running": running, "places": places, "assigned": assigned, "versions": versions,
            "entries": entries, "recorded": database.texts(&recorded).await })
}

fn nothing_but_what_was_done(how: &str) -> Value {
    json!({ "running": 0, "places": 0, "assigned": ["three"], "versions": 5, "entries": 1,
            "recorded": [how, "time_entry.stopped", "task.updated", "task.updated", "project.updated"] })
}

#[tokio::test]
async fn removal_stops_the_timer() {
    let org = OrgFixture::start().await;
    let database = busy(&org).await;
    let mia = org.member(&org.mia).await;
    org.admin.delete(&org.path(&format!("/members/{mia}"))).await.expect(204);
    assert_eq!(left(&org, &database).await, nothing_but_what_was_done("member.removed"));
    org.mia.get(&org.path("/timer")).await.problem(404, "NOT_FOUND");
    // A returning member keeps their time entries and has no timer.
    database.set_only_role(&org.slug, &org.email("mia"), "member").await;
    assert_eq!(org.mia.get(&org.path("/timer")).await.expect(200)["running"], Value::Null);
    let list = org.mia.get(&org.path("/time-entries")).await.expect(200);
    assert_eq!(list["data"][0]["member_id"], mia);
}

#[tokio::test]
async fn leaving_stops_the_timer() {
    let org = OrgFixture::start().await;
    let database = busy(&org).await;
    org.mia.request("POST", &org.path("/leave")).await.expect(204);
    assert_eq!(left(&org, &database).await, nothing_but_what_was_done("member.left"));
}

#[tokio::test]
async fn a_purge_stops_the_timer() {
    let org = OrgFixture::alone().await;
    let database = busy(&org).await;
    org.mia.delete("/api/v1/users/me").await.expect(202);
    let over = "UPDATE users SET purge_after = deleted_at WHERE deleted_at IS NOT NULL";
    assert_eq!(database.execute(over).await, 1);
    database.make_due("purge-accounts").await;
    let gone = "SELECT count(*) FROM members WHERE status = 'removed'";
    eventually("she is forgotten", async || database.scalar(gone).await == 1).await;
    // Her timer had stopped when she deleted her account.
    let mut expected = nothing_but_what_was_done("member.removed");
    expected["recorded"].as_array_mut().unwrap().retain(|action| action != "time_entry.stopped");
    assert_eq!(left(&org, &database).await, expected);
}

/// What the log of the organization says of timers that stopped, and who stopped them.
async fn stopped(org: &OrgFixture, database: &TestDatabase) -> Vec<String> {
    let recorded = format!(
        "SELECT e.action || ' by ' || u.email FROM audit_events e JOIN users u ON u.id = e.actor_id
         WHERE e.{} AND e.action = 'time_entry.stopped' ORDER BY e.id",
        org.own_rows()
    );
    database.texts(&recorded).await
}

/// The number of timers that run in the organizations of the members.
async fn running(org: &OrgFixture, database: &TestDatabase) -> i64 {
    let running = format!(
        "SELECT count(*) FROM time_entries WHERE ended_at IS NULL AND deleted_at IS NULL
         AND member_id IN (SELECT id FROM members WHERE user_id IN {})",
        org.own_users()
    );
    database.scalar(&running).await
}

/// A suspended member can be reactivated, so their tasks and projects stay.
#[tokio::test]
async fn suspension_stops_the_timer() {
    let org = OrgFixture::start().await;
    let database = busy(&org).await;
    org.max.post(&org.path("/timer/start"), json!({})).await.expect(201);
    let mia = org.path(&format!("/members/{}", org.member(&org.mia).await));
    org.admin.patch(&format!("{mia}?dry_run=true"), json!({ "status": "suspended" })).await.expect(200);
    org.admin.patch(&mia, json!({ "roles": ["member", "viewer"] })).await.expect(200);
    assert_eq!((running(&org, &database).await, stopped(&org, &database).await), (2, vec![]));
    org.admin.patch(&mia, json!({ "status": "suspended" })).await.expect(200);
    assert_eq!(
        (running(&org, &database).await, stopped(&org, &database).await),
        (1, vec![by(&org.email("adam"))])
    );
    let own = org.own_rows();
    assert_eq!(database.scalar(&format!("SELECT count(*) FROM project_members WHERE {own}")).await, 1);
    let assigned = format!("SELECT count(*) FROM tasks WHERE assignee_id IS NOT NULL AND {own}");
    assert_eq!(database.scalar(&assigned).await, 3);
    // The member is told why, and learns nothing else.
    let refused = org.mia.get(&org.path("/timer")).await.problem(403, "MEMBERSHIP_SUSPENDED");
    let body = org.owner.get(&org.path("")).await.expect(200);
    assert!(refused["message"].as_str().unwrap().contains(body["name"].as_str().unwrap()), "{refused}");
    let by_id = format!("/api/v1/organizations/{}/tasks", body["id"].as_str().unwrap());
    org.mia.get(&by_id).await.problem(403, "MEMBERSHIP_SUSPENDED");
    org.admin.patch(&mia, json!({ "status": "active" })).await.expect(200);
    assert_eq!(org.mia.get(&org.path("/timer")).await.expect(200)["running"], Value::Null);
}

fn by(email: &str) -> String {
    format!("time_entry.stopped by {email}")
}

#[tokio::test]
async fn deactivation_stops_the_timers_in_all_organizations() {
    let org = OrgFixture::start().await;
    let (superuser, database) = (org.superuser().await, busy(&org).await);
    org.max.post(&org.path("/timer/start"), json!({})).await.expect(201);
    // In her own organization, too.
    let mine = org.mia.get("/api/v1/users/me").await.expect(200);
    let own = mine["default_organization_id"].as_str().unwrap();
    org.mia.post(&format!("/api/v1/organizations/{own}/timer/start"), json!({})).await.expect(201);
    let account = format!("/api/v1/admin/users/{}", id(&mine));
    for _ in 0..2 {
        superuser.request("POST", &format!("{account}/deactivate")).await.expect(200);
        assert_eq!(
            (running(&org, &database).await, stopped(&org, &database).await),
            (1, vec![by(Server::SUPERUSER)])
        );
    }
    let recorded = format!(
        "SELECT count(*) FROM audit_events WHERE action = 'time_entry.stopped' AND organization_id IN
         (SELECT organization_id FROM members WHERE user_id IN {})",
        org.own_users()
    );
    assert_eq!(database.scalar(&recorded).await, 2);
    superuser.request("POST", &format!("{account}/activate")).await.expect(200);
    assert_eq!(running(&org, &database).await, 1);
}

#[tokio::test]
async fn deletion_of_the_account_stops_the_timer() {
    let org = OrgFixture::start().await;
    let database = busy(&org).await;
    org.mia.delete("/api/v1/users/me").await.expect(202);
    assert_eq!(
        (running(&org, &database).await, stopped(&org, &database).await),
        (0, vec![by(&org.email("mia"))])
    );
}

/// Nobody could stop them.
#[tokio::test]
async fn suspension_and_deletion_of_an_organization_stop_all_timers() {
    let org = OrgFixture::start().await;
    let (superuser, database) = (org.superuser().await, org.database().await);
    let acme = org.owner.get(&org.path("")).await.expect(200);
    let acme = format!("/api/v1/admin/organizations/{}", id(&acme));
    let start = async || {
        for who in [&org.mia, &org.max] {
            who.post(&org.path("/timer/start"), json!({})).await.expect(201);
        }
        assert_eq!(running(&org, &database).await, 2);
    };
    start().await;
    superuser.request("POST", &format!("{acme}/suspend")).await.expect(200);
    assert_eq!(
        (running(&org, &database).await, stopped(&org, &database).await),
        (0, vec![by(Server::SUPERUSER); 2])
    );
    superuser.request("POST", &format!("{acme}/resume")).await.expect(200);
    start().await;
    org.owner.delete(&org.path("")).header("if-match", "*").await.expect(202);
    assert_eq!(running(&org, &database).await, 0);
    assert_eq!(stopped(&org, &database).await[2..], [by(&org.email("ada")), by(&org.email("ada"))]);
}

/// What was deleted while it ran comes back as something that is over, where nobody could stop it.
#[tokio::test]
async fn no_timer_is_restored_for_an_inactive_member() {
    let org = OrgFixture::start().await;
    let entry = id(&org.mia.post(&org.path("/timer/start"), json!({})).await.expect(201));
    let entry = org.path(&format!("/time-entries/{entry}"));
    let restore = || org.admin.request("POST", &format!("{entry}/restore"));
    org.admin.delete(&entry).await.expect(204);
    assert_eq!(restore().await.expect(200)["ended_at"], Value::Null);
    org.admin.delete(&entry).await.expect(204);
    let mia = org.path(&format!("/members/{}", org.member(&org.mia).await));
    org.admin.patch(&mia, json!({ "status": "suspended" })).await.expect(200);
    let restored = restore().await.expect(200);
    assert!(restored["ended_at"].is_string(), "{restored}");
}

/// A timer that was forgotten for months ends within one: no entry is longer than an entry may be anywhere.
#[tokio::test]
async fn a_stopped_timer_ends_at_most_31_days_after_its_start() {
    let org = OrgFixture::start().await;
    org.mia
        .post(&org.path("/timer/start"), json!({ "started_at": "2026-03-01T00:00:00Z" }))
        .await
        .expect(201);
    org.mia.request("POST", &org.path("/leave")).await.expect(204);
    let list = org.owner.get(&org.path("/time-entries")).await.expect(200);
    assert_eq!(list["data"][0]["ended_at"], "2026-04-01T00:00:00Z");
}
