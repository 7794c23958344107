//! What ends with a membership, by each way it can end.

use insula_tests::{Guild, Server, Vault, eventually, id};
use serde_json::{Value, json};

/// Gives Mia a running timer, a place in a private project, and three tasks, of which one is done.
async fn busy(guild: &Guild) -> Vault {
    let mia = guild.member(&guild.mia).await;
    let project = json!({ "code": "SECRET", "name": "Secret", "is_private": true });
    let project = id(&guild.owner.post(&guild.path("/projects"), project).await.expect(201));
    let team = guild.path(&format!("/projects/{project}/members"));
    guild.owner.put(&team, json!({ "members": [mia] })).await.expect(200);
    for (title, status) in [("one", "todo"), ("two", "in_progress"), ("three", "done")] {
        let task = json!({ "title": title, "status": status, "assignee_id": mia });
        guild.owner.post(&guild.path("/tasks"), task).await.expect(201);
    }
    guild.mia.post(&guild.path("/timer/start"), json!({})).await.expect(201);
    guild.server.vault().await
}

/// What is left of it, and what the log of the organization says of its end.
async fn left(guild: &Guild, vault: &Vault) -> Value {
    let running = vault.scalar("SELECT count(*) FROM time_entries WHERE ended_at IS NULL").await;
    let places = vault.scalar("SELECT count(*) FROM project_members").await;
    let assigned = vault.texts("SELECT title FROM tasks WHERE assignee_id IS NOT NULL").await;
    let versions = vault.scalar("SELECT CAST(sum(version) AS BIGINT) FROM tasks").await;
    let told = "SELECT action FROM audit_events WHERE organization_id = (SELECT id FROM organizations WHERE slug = 'acme')
                AND action IN ('member.left', 'member.removed', 'time_entry.stopped', 'task.updated', 'project.updated')
                AND occurred_at >= (SELECT max(occurred_at) FROM audit_events WHERE action IN ('member.left', 'member.removed'))
                ORDER BY occurred_at, id";
    let entries =
        guild.owner.get(&guild.path("/time-entries")).await.expect(200)["data"].as_array().unwrap().len();
    json!({ "running": running, "places": places, "assigned": assigned, "versions": versions,
            "entries": entries, "told": vault.texts(told).await })
}

fn nothing_but_what_was_done(how: &str) -> Value {
    json!({ "running": 0, "places": 0, "assigned": ["three"], "versions": 5, "entries": 1,
            "told": [how, "time_entry.stopped", "task.updated", "task.updated", "project.updated"] })
}

#[tokio::test]
async fn who_is_removed_leaves_nothing_running() {
    let guild = Guild::alone().await;
    let vault = busy(&guild).await;
    let mia = guild.member(&guild.mia).await;
    guild.admin.delete(&guild.path(&format!("/members/{mia}"))).await.expect(204);
    assert_eq!(left(&guild, &vault).await, nothing_but_what_was_done("member.removed"));
    guild.mia.get(&guild.path("/timer")).await.problem(404, "NOT_FOUND");
    // A returning member keeps their time entries and has no timer.
    vault.appoint("acme", "mia@example.com", "member").await;
    assert_eq!(guild.mia.get(&guild.path("/timer")).await.expect(200)["running"], Value::Null);
    let list = guild.mia.get(&guild.path("/time-entries")).await.expect(200);
    assert_eq!(list["data"][0]["member_id"], mia);
}

#[tokio::test]
async fn who_leaves_leaves_nothing_running() {
    let guild = Guild::alone().await;
    let vault = busy(&guild).await;
    guild.mia.request("POST", &guild.path("/leave")).await.expect(204);
    assert_eq!(left(&guild, &vault).await, nothing_but_what_was_done("member.left"));
}

#[tokio::test]
async fn who_is_forgotten_leaves_nothing_running() {
    let guild = Guild::alone().await;
    let vault = busy(&guild).await;
    guild.mia.delete("/api/v1/users/me").await.expect(202);
    let over = "UPDATE users SET purge_after = deleted_at WHERE deleted_at IS NOT NULL";
    assert_eq!(vault.execute(over).await, 1);
    vault.due("purge-accounts").await;
    let gone = "SELECT count(*) FROM members WHERE status = 'removed'";
    eventually("she is forgotten", async || vault.scalar(gone).await == 1).await;
    // Her timer had stopped when she deleted her account.
    let mut expected = nothing_but_what_was_done("member.removed");
    expected["told"].as_array_mut().unwrap().retain(|action| action != "time_entry.stopped");
    assert_eq!(left(&guild, &vault).await, expected);
}

/// What the log of the organization says of timers that stopped, and who stopped them.
async fn stopped(vault: &Vault) -> Vec<String> {
    let told = "SELECT e.action || ' by ' || u.email FROM audit_events e JOIN users u ON u.id = e.actor_id
                WHERE e.organization_id = (SELECT id FROM organizations WHERE slug = 'acme')
                AND e.action = 'time_entry.stopped' ORDER BY e.id";
    vault.texts(told).await
}

async fn running(vault: &Vault) -> i64 {
    vault.scalar("SELECT count(*) FROM time_entries WHERE ended_at IS NULL AND deleted_at IS NULL").await
}

/// A suspended member can be reactivated, so their tasks and projects stay.
#[tokio::test]
async fn the_timer_of_who_is_suspended_stops() {
    let guild = Guild::alone().await;
    let vault = busy(&guild).await;
    guild.max.post(&guild.path("/timer/start"), json!({})).await.expect(201);
    let mia = guild.path(&format!("/members/{}", guild.member(&guild.mia).await));
    guild.admin.patch(&format!("{mia}?dry_run=true"), json!({ "status": "suspended" })).await.expect(200);
    guild.admin.patch(&mia, json!({ "roles": ["member", "viewer"] })).await.expect(200);
    assert_eq!((running(&vault).await, stopped(&vault).await), (2, vec![]));
    guild.admin.patch(&mia, json!({ "status": "suspended" })).await.expect(200);
    assert_eq!((running(&vault).await, stopped(&vault).await), (1, vec![by("adam")]));
    assert_eq!(vault.scalar("SELECT count(*) FROM project_members").await, 1);
    assert_eq!(vault.scalar("SELECT count(*) FROM tasks WHERE assignee_id IS NOT NULL").await, 3);
    guild.admin.patch(&mia, json!({ "status": "active" })).await.expect(200);
    assert_eq!(guild.mia.get(&guild.path("/timer")).await.expect(200)["running"], Value::Null);
}

fn by(name: &str) -> String {
    format!("time_entry.stopped by {name}@example.com")
}

#[tokio::test]
async fn the_timers_of_who_is_shut_out_stop_everywhere() {
    let (server, operator) = Server::with_operator().await;
    let guild = Guild::on(server).await;
    let vault = busy(&guild).await;
    guild.max.post(&guild.path("/timer/start"), json!({})).await.expect(201);
    // In her own organization, too.
    let mine = guild.mia.get("/api/v1/users/me").await.expect(200);
    let own = mine["default_organization_id"].as_str().unwrap();
    guild.mia.post(&format!("/api/v1/organizations/{own}/timer/start"), json!({})).await.expect(201);
    let account = format!("/api/v1/admin/users/{}", id(&mine));
    for _ in 0..2 {
        operator.request("POST", &format!("{account}/deactivate")).await.expect(200);
        assert_eq!((running(&vault).await, stopped(&vault).await), (1, vec![by("root")]));
    }
    assert_eq!(
        vault.scalar("SELECT count(*) FROM audit_events WHERE action = 'time_entry.stopped'").await,
        2
    );
    operator.request("POST", &format!("{account}/activate")).await.expect(200);
    assert_eq!(running(&vault).await, 1);
}

#[tokio::test]
async fn the_timer_of_who_deletes_their_account_stops() {
    let guild = Guild::alone().await;
    let vault = busy(&guild).await;
    guild.mia.delete("/api/v1/users/me").await.expect(202);
    assert_eq!((running(&vault).await, stopped(&vault).await), (0, vec![by("mia")]));
}

/// Nobody could stop them.
#[tokio::test]
async fn all_timers_of_an_organization_that_stands_still_stop() {
    let (server, operator) = Server::with_operator().await;
    let guild = Guild::on(server).await;
    let vault = guild.server.vault().await;
    let acme = guild.owner.get(&guild.path("")).await.expect(200);
    let acme = format!("/api/v1/admin/organizations/{}", id(&acme));
    let start = async || {
        for who in [&guild.mia, &guild.max] {
            who.post(&guild.path("/timer/start"), json!({})).await.expect(201);
        }
        assert_eq!(running(&vault).await, 2);
    };
    start().await;
    operator.request("POST", &format!("{acme}/suspend")).await.expect(200);
    assert_eq!((running(&vault).await, stopped(&vault).await), (0, vec![by("root"); 2]));
    operator.request("POST", &format!("{acme}/resume")).await.expect(200);
    start().await;
    guild.owner.delete(&guild.path("")).header("if-match", "*").await.expect(202);
    assert_eq!(running(&vault).await, 0);
    assert_eq!(stopped(&vault).await[2..], [by("ada"), by("ada")]);
}

/// What was deleted while it ran comes back as something that is over, where nobody could stop it.
#[tokio::test]
async fn no_timer_comes_back_to_who_can_act_no_more() {
    let guild = Guild::alone().await;
    let entry = id(&guild.mia.post(&guild.path("/timer/start"), json!({})).await.expect(201));
    let entry = guild.path(&format!("/time-entries/{entry}"));
    let restore = || guild.admin.request("POST", &format!("{entry}/restore"));
    guild.admin.delete(&entry).await.expect(204);
    assert_eq!(restore().await.expect(200)["ended_at"], Value::Null);
    guild.admin.delete(&entry).await.expect(204);
    let mia = guild.path(&format!("/members/{}", guild.member(&guild.mia).await));
    guild.admin.patch(&mia, json!({ "status": "suspended" })).await.expect(200);
    let restored = restore().await.expect(200);
    assert!(restored["ended_at"].is_string(), "{restored}");
}

/// A timer that was forgotten for months ends within one: no entry is longer than an entry may be anywhere.
#[tokio::test]
async fn what_was_forgotten_ends_within_a_month() {
    let guild = Guild::alone().await;
    guild
        .mia
        .post(&guild.path("/timer/start"), json!({ "started_at": "2026-03-01T00:00:00Z" }))
        .await
        .expect(201);
    guild.mia.request("POST", &guild.path("/leave")).await.expect(204);
    let list = guild.owner.get(&guild.path("/time-entries")).await.expect(200);
    assert_eq!(list["data"][0]["ended_at"], "2026-04-01T00:00:00Z");
}
