//! Deletion of accounts by their user or a superuser, restoring them in the grace period, and the purge.

use insula_tests::{Client, PASSWORD, Server, TestDatabase, concurrently, eventually};
use serde_json::{Value, json};

const ME: &str = "/api/v1/users/me";
const LOG_IN: &str = "/api/v1/auth/login";

struct Ada {
    server: Server,
    superuser: Client,
    client: Client,
    database: TestDatabase,
    /// Her account, as superusers see it.
    path: String,
}

impl Ada {
    async fn new() -> Self {
        let (server, superuser) = Server::with_superuser().await;
        let person = json!({ "email": "ada@example.com", "password": PASSWORD, "username": "ada", "first_name": "Ada" });
        let made = server.client().post("/api/v1/auth/register", person).await.expect(201);
        let client = server.client().log_in("ada@example.com", PASSWORD).await;
        let path = format!("/api/v1/admin/users/{}", made["id"].as_str().unwrap());
        Self { database: server.database().await, superuser, client, server, path }
    }

    async fn log_in(&self) -> u16 {
        let person = json!({ "email": "ada@example.com", "password": PASSWORD });
        self.server.client().post(LOG_IN, person).await.status
    }

    async fn account(&self) -> Value {
        self.superuser.get(&self.path).await.expect(200)
    }

    /// How many days she has from her deletion on.
    async fn days(&self) -> i64 {
        let days = match self.database {
            TestDatabase::Sqlite(_) => {
                "CAST(round(julianday(purge_after) - julianday(deleted_at)) AS INTEGER)"
            }
            TestDatabase::Postgres(_) => "extract(day FROM purge_after - deleted_at)::bigint",
        };
        self.database.scalar(&format!("SELECT {days} FROM users WHERE deleted_at IS NOT NULL")).await
    }

    async fn restore(&self) -> insula_tests::Reply {
        self.superuser.request("POST", &format!("{}/restore", self.path)).await
    }

    /// Lets her grace be over, and the worker work.
    async fn forgotten(&self) {
        let over = "UPDATE users SET purge_after = deleted_at WHERE deleted_at IS NOT NULL";
        assert_eq!(self.database.execute(over).await, 1);
        self.database.make_due("purge-accounts").await;
        eventually("the account is forgotten", async || self.superuser.get(&self.path).await.status == 404)
            .await;
    }
}

#[tokio::test]
async fn a_deleted_user_and_their_personal_organization_have_no_access_at_once() {
    let ada = Ada::new().await;
    let laptop = ada.server.client().log_in("ada@example.com", PASSWORD).await;
    ada.client.delete(ME).await.expect(202);
    for device in [&ada.client, &laptop] {
        device.get(ME).await.problem(401, "INVALID_TOKEN");
    }
    assert_eq!(ada.log_in().await, 401);
    assert!(ada.account().await["purge_after"].is_string());
    assert_eq!(ada.days().await, 14);
    let gone = "SELECT count(*) FROM organizations WHERE kind = 'personal' AND deleted_at IS NOT NULL AND purge_after > deleted_at";
    assert_eq!(ada.database.scalar(gone).await, 1);
    let mails = "SELECT count(*) FROM outbox WHERE kind = 'send_account_deleted'";
    assert_eq!(ada.database.scalar(mails).await, 1);
    for (action, number) in [("user.deleted", 1), ("organization.deleted", 1), ("session.revoked", 2)] {
        let events = format!("SELECT count(*) FROM audit_events WHERE action = '{action}'");
        assert_eq!(ada.database.scalar(&events).await, number, "{action}");
    }
}

#[tokio::test]
async fn a_superuser_restores_an_account_with_everything_but_its_sessions() {
    let ada = Ada::new().await;
    ada.client.create_organization("acme").await;
    ada.server.client().register("eve@example.com").await;
    ada.database.join("acme", "eve@example.com", "owner").await;
    let before = ada.client.get("/api/v1/users/me/organizations").await.outcome();
    ada.client.delete(ME).await.expect(202);
    let restored = ada.restore().await.expect(200);
    ada.superuser.delete(&ada.path).await.expect(204);
    assert_eq!(ada.days().await, 30);
    ada.restore().await.expect(200);
    assert_eq!((&restored["deleted_at"], &restored["purge_after"]), (&Value::Null, &Value::Null));
    ada.client.get(ME).await.problem(401, "INVALID_TOKEN");
    let again = ada.server.client().log_in("ada@example.com", PASSWORD).await;
    let after = again.get("/api/v1/users/me/organizations").await.outcome();
    let slugs = |answer: &(u16, Value)| -> Vec<Value> {
        answer.1["data"].as_array().unwrap().iter().map(|one| one["organization"]["slug"].clone()).collect()
    };
    assert_eq!((slugs(&after).len(), slugs(&after)), (2, slugs(&before)));
    again.get("/api/v1/organizations/acme").await.expect(200);
    // Once is enough.
    ada.restore().await.problem(404, "NOT_FOUND");
}

#[tokio::test]
async fn an_account_is_not_restored_when_its_name_is_taken() {
    let ada = Ada::new().await;
    ada.client.delete(ME).await.expect(202);
    let heir = ada.server.client().register("ADA@example.com").await;
    ada.restore().await.problem(409, "EMAIL_TAKEN");
    heir.delete(ME).await.expect(202);
    let other = json!({ "email": "other@example.com", "password": PASSWORD, "username": "ADA" });
    ada.server.client().post("/api/v1/auth/register", other).await.expect(201);
    ada.restore().await.problem(409, "USERNAME_TAKEN");
    assert_eq!(ada.account().await["email"], "ada@example.com");
}

#[tokio::test]
async fn the_only_owner_cannot_delete_the_account_and_is_told_why() {
    let ada = Ada::new().await;
    for slug in ["zeta", "acme", "shared", "closed"] {
        ada.client.create_organization(slug).await;
    }
    ada.server.client().register("eve@example.com").await;
    ada.database.join("shared", "eve@example.com", "owner").await;
    ada.database.join("acme", "eve@example.com", "admin").await;
    ada.database.execute("UPDATE organizations SET deleted_at = created_at WHERE slug = 'closed'").await;
    for refused in [
        ada.client.delete(ME).await,
        ada.superuser.delete(&ada.path).await,
        ada.superuser.request("POST", &format!("{}/deactivate", ada.path)).await,
    ] {
        let problem = refused.problem(409, "LAST_OWNER");
        assert_eq!(problem["organizations"], json!(["acme", "zeta"]));
        assert!(problem["detail"].as_str().unwrap().ends_with("Organizations: acme, zeta."));
    }
    ada.client.get(ME).await.expect(200);
    // An owner who cannot act does not count.
    for slug in ["acme", "zeta"] {
        ada.database
            .execute(&format!("UPDATE organizations SET deleted_at = created_at WHERE slug = '{slug}'"))
            .await;
    }
    for (spoil, mend) in [
        (
            "UPDATE users SET is_active = false WHERE email = 'eve@example.com'",
            "UPDATE users SET is_active = true",
        ),
        (
            "UPDATE users SET deleted_at = created_at WHERE email = 'eve@example.com'",
            "UPDATE users SET deleted_at = NULL",
        ),
    ] {
        ada.database.execute(spoil).await;
        let problem = ada.client.delete(ME).await.problem(409, "LAST_OWNER");
        assert_eq!(problem["organizations"], json!(["shared"]));
        ada.database.execute(mend).await;
    }
    ada.client.delete(ME).await.expect(202);
}

/// Two owners leave at once, as often as it takes to believe it.
#[tokio::test]
async fn one_of_two_owners_who_leave_at_once_stays() {
    let server = Server::builder().env("INSULA_DATABASE_ACQUIRE_TIMEOUT", "60").start().await;
    let database = server.database().await;
    for round in 0..16 {
        let slug = format!("acme-{round}");
        let (a, b) = (format!("a{round}@example.com"), format!("b{round}@example.com"));
        let owners = [server.client().register(&a).await, server.client().register(&b).await];
        owners[0].create_organization(&slug).await;
        database.join(&slug, &b, "owner").await;
        let replies = concurrently(2, |number| {
            let delete = owners[number].delete(ME);
            async move { delete.await }
        });
        let mut statuses: Vec<_> = replies
            .await
            .iter()
            .map(|reply| {
                if reply.status == 409 {
                    assert_eq!(reply.problem(409, "LAST_OWNER")["organizations"], json!([slug]));
                }
                reply.status
            })
            .collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [202, 409], "round {round}");
        let active =
            format!("SELECT count(*) FROM users WHERE deleted_at IS NULL AND email IN ('{a}', '{b}')");
        assert_eq!(database.scalar(&active).await, 1);
    }
}

#[tokio::test]
async fn of_two_superusers_who_leave_at_once_one_stays() {
    let (server, root) = Server::with_superuser().await;
    let database = server.database().await;
    for round in 0..8 {
        let email = format!("second{round}@example.com");
        let second = json!({ "email": email, "password": PASSWORD, "is_superuser": true });
        let made = root.post("/api/v1/admin/users", second).await.expect(201);
        let path = format!("/api/v1/admin/users/{}", made["id"].as_str().unwrap());
        let second = server.client().log_in(&email, PASSWORD).await;
        let first = format!("/api/v1/admin/users/{}", root.get(ME).await.expect(200)["id"].as_str().unwrap());
        let deeds = [(&root, path), (&second, first)];
        let replies = concurrently(2, |number| {
            let (superuser, other) = &deeds[number];
            let deed = superuser.request("POST", &format!("{other}/deactivate"));
            async move { deed.await.status }
        });
        drop(replies.await);
        let left = "SELECT count(*) FROM users WHERE is_superuser AND is_active AND deleted_at IS NULL";
        assert_eq!(database.scalar(left).await, 1, "round {round}");
        database.execute("UPDATE users SET is_active = (email = 'root@example.com')").await;
        database.execute("UPDATE sessions SET revoked_at = NULL").await;
    }
}

/// Where what users work on is kept, beside the projects themselves.
const WORK: [&str; 7] =
    ["project_members", "tags", "tasks", "task_tags", "time_entries", "time_entry_tags", "period_locks"];

/// Puts a row into each of these tables of an organization.
async fn work(client: &Client, org: &str, project: &Value) {
    let at = |rest: &str| format!("/api/v1/organizations/{org}/{rest}");
    let me = client.get(&at("me/permissions")).await.expect(200)["member_id"].clone();
    let team = at(&format!("projects/{}/members", project.as_str().unwrap()));
    client.put(&team, json!({ "members": [me] })).await.expect(200);
    let tag = client.post(&at("tags"), json!({ "name": "mine" })).await.expect(201);
    let task = json!({ "title": "T", "project_id": project, "assignee_id": me, "tags": [tag["id"]] });
    let task = client.post(&at("tasks"), task).await.expect(201);
    let timer = json!({ "task_id": task["id"], "tags": [tag["id"]] });
    client.post(&at("timer/start"), timer).await.expect(201);
    let until = json!({ "locked_until": "2026-01-01T00:00:00Z" });
    client.put(&at("period-lock"), until).await.expect(200);
}

#[tokio::test]
async fn a_purged_account_leaves_no_personal_data() {
    let ada = Ada::new().await;
    let acme = ada.client.create_organization("acme").await;
    ada.server.client().register("eve@example.com").await;
    ada.database.join("acme", "eve@example.com", "owner").await;
    let mine = ada.client.get("/api/v1/users/me/organizations?limit=1").await.expect(200);
    let personal = mine["data"][0]["organization"]["id"].as_str().unwrap().to_owned();
    let projects = format!("/api/v1/organizations/{personal}/projects");
    let project = ada.client.post(&projects, json!({ "code": "P", "name": "P" }));
    let project = project.header("idempotency-key", "key-1").await.expect(201);
    work(&ada.client, &personal, &project["id"]).await;
    ada.client.delete(ME).await.expect(202);
    ada.database.insert_sent_email("ada@example.com").await;
    ada.database.insert_sent_email("eve@example.com").await;
    // Not before its time.
    ada.database.make_due("purge-accounts").await;
    let begun = "SELECT count(*) FROM schedules WHERE name = 'purge-accounts' AND next_run > created_at";
    eventually("it was looked for", async || ada.database.scalar(begun).await == 1).await;
    assert_eq!(ada.account().await["email"], "ada@example.com");
    ada.forgotten().await;
    // What became of her e-mails said who she was.
    let mailed = "SELECT DISTINCT \"to\" FROM emails WHERE message_id = '<a@test>'";
    assert_eq!(ada.database.texts(mailed).await, ["eve@example.com"]);

    ada.restore().await.problem(404, "NOT_FOUND");
    let user = ada.path.rsplit('/').next().unwrap();
    let row =
        "SELECT email || ' ' || email_canonical || coalesce(username, '') || coalesce(username_canonical, '')
        || coalesce(first_name, '') FROM users WHERE email LIKE '%deleted.invalid'";
    let nobody = format!("{user}@deleted.invalid");
    assert_eq!(ada.database.texts(row).await, [format!("{nobody} {nobody}")]);
    let (id, hers) = (user.replace('-', ""), personal.replace('-', ""));
    for table in ["credentials", "sessions"] {
        let user_id = ada.database.hex("user_id");
        let left = format!("SELECT count(*) FROM {table} WHERE {user_id} = '{id}'");
        assert_eq!(ada.database.scalar(&left).await, 0, "{table}");
    }
    let organization_id = ada.database.hex("organization_id");
    for table in
        WORK.iter().chain(&["members", "roles", "member_roles", "projects", "outbox", "idempotency_keys"])
    {
        let left = format!("SELECT count(*) FROM {table} WHERE {organization_id} = '{hers}'");
        assert_eq!(ada.database.scalar(&left).await, 0, "{table}");
    }
    assert_eq!(
        ada.database.scalar("SELECT count(*) FROM organizations WHERE deleted_at IS NOT NULL").await,
        0
    );
    // Her memberships have ended, and the records of her actions remain.
    let org = acme.id.replace('-', "");
    let statuses = format!("SELECT status FROM members WHERE {organization_id} = '{org}' ORDER BY status");
    assert_eq!(ada.database.texts(&statuses).await, ["active", "removed"]);
    let events = format!("SELECT count(*) FROM audit_events WHERE {organization_id} = '{hers}'");
    assert!(ada.database.scalar(&events).await >= 4);
    // Her address is free, for her too.
    ada.server.client().register("ada@example.com").await;
}
