//! Deletion of accounts by their user or a superuser, restoring them in the grace period, and the purge.

use insula_tests::{Client, PASSWORD, Server, SharedServer, TestDatabase, concurrently, eventually, unique};
use serde_json::{Value, json};

const ME: &str = "/api/v1/users/me";
const LOG_IN: &str = "/api/v1/auth/login";

struct Ada {
    server: SharedServer,
    superuser: Client,
    client: Client,
    database: TestDatabase,
    username: String,
    /// Her account, as superusers see it.
    path: String,
    /// SQL for the id of her account.
    id: String,
}

impl Ada {
    async fn start() -> Self {
        Self::on(Server::shared().await).await
    }

    /// On a server whose schedules the test runs.
    async fn alone() -> Self {
        Self::on(Server::with_superuser().await.0.into()).await
    }

    async fn on(server: SharedServer) -> Self {
        let (superuser, database) = (server.superuser().await, server.database().await);
        let (email, username) = (server.email("ada"), unique("ada"));
        let person =
            json!({ "email": email, "password": PASSWORD, "username": username, "first_name": "Ada" });
        let made = server.client().post("/api/v1/auth/register", person).await.expect(201);
        let client = server.client().log_in(&email, PASSWORD).await;
        let id = made["id"].as_str().unwrap();
        let (path, id) = (format!("/api/v1/admin/users/{id}"), database.id(id));
        Self { database, superuser, client, server, username, path, id }
    }

    async fn log_in(&self) -> u16 {
        let person = json!({ "email": self.server.email("ada"), "password": PASSWORD });
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
        self.database.scalar(&format!("SELECT {days} FROM users WHERE id = {}", self.id)).await
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
    let ada = Ada::start().await;
    let laptop = ada.server.client().log_in(&ada.server.email("ada"), PASSWORD).await;
    ada.client.delete(ME).await.expect(202);
    for device in [&ada.client, &laptop] {
        device.get(ME).await.problem(401, "INVALID_TOKEN");
    }
    assert_eq!(ada.log_in().await, 401);
    assert!(ada.account().await["purge_after"].is_string());
    assert_eq!(ada.days().await, 14);
    let gone = format!(
        "SELECT count(*) FROM organizations WHERE kind = 'personal' AND deleted_at IS NOT NULL
         AND purge_after > deleted_at AND id IN (SELECT organization_id FROM members WHERE user_id = {})",
        ada.id
    );
    assert_eq!(ada.database.scalar(&gone).await, 1);
    let mails = format!(
        "SELECT count(*) FROM outbox WHERE kind = 'send_account_deleted' AND payload LIKE '%{}%'",
        ada.path.rsplit('/').next().unwrap()
    );
    assert_eq!(ada.database.scalar(&mails).await, 1);
    for (action, number) in [("user.deleted", 1), ("organization.deleted", 1), ("session.revoked", 2)] {
        let events =
            format!("SELECT count(*) FROM audit_events WHERE action = '{action}' AND actor_id = {}", ada.id);
        assert_eq!(ada.database.scalar(&events).await, number, "{action}");
    }
}

#[tokio::test]
async fn a_superuser_restores_an_account_with_everything_but_its_sessions() {
    let ada = Ada::start().await;
    let slug = ada.client.create_organization(&unique("acme")).await.slug;
    ada.server.register("eve").await;
    ada.database.join(&slug, &ada.server.email("eve"), "owner").await;
    let before = ada.client.get("/api/v1/users/me/organizations").await.outcome();
    ada.client.delete(ME).await.expect(202);
    let restored = ada.restore().await.expect(200);
    ada.superuser.delete(&ada.path).await.expect(204);
    assert_eq!(ada.days().await, 30);
    ada.restore().await.expect(200);
    assert_eq!((&restored["deleted_at"], &restored["purge_after"]), (&Value::Null, &Value::Null));
    ada.client.get(ME).await.problem(401, "INVALID_TOKEN");
    let again = ada.server.client().log_in(&ada.server.email("ada"), PASSWORD).await;
    let after = again.get("/api/v1/users/me/organizations").await.outcome();
    let slugs = |answer: &(u16, Value)| -> Vec<Value> {
        answer.1["data"].as_array().unwrap().iter().map(|one| one["organization"]["slug"].clone()).collect()
    };
    assert_eq!((slugs(&after).len(), slugs(&after)), (2, slugs(&before)));
    again.get(&format!("/api/v1/organizations/{slug}")).await.expect(200);
    // Once is enough.
    ada.restore().await.problem(404, "NOT_FOUND");
}

#[tokio::test]
async fn an_account_is_not_restored_when_its_name_is_taken() {
    let ada = Ada::start().await;
    ada.client.delete(ME).await.expect(202);
    let heir = ada.server.register("ADA").await;
    ada.restore().await.problem(409, "EMAIL_TAKEN");
    heir.delete(ME).await.expect(202);
    let other = json!({ "email": ada.server.email("other"), "password": PASSWORD, "username": ada.username.to_uppercase() });
    ada.server.client().post("/api/v1/auth/register", other).await.expect(201);
    ada.restore().await.problem(409, "USERNAME_TAKEN");
    assert_eq!(ada.account().await["email"], ada.server.email("ada"));
}

#[tokio::test]
async fn the_only_owner_cannot_delete_the_account_and_is_told_why() {
    let ada = Ada::start().await;
    let slugs = ["zeta", "acme", "shared", "closed"].map(unique);
    for slug in &slugs {
        ada.client.create_organization(slug).await;
    }
    let ([zeta, acme, shared, closed], eve) = (&slugs, &ada.server.email("eve"));
    ada.server.register("eve").await;
    ada.database.join(shared, eve, "owner").await;
    ada.database.join(acme, eve, "admin").await;
    let delete =
        |slug: &str| format!("UPDATE organizations SET deleted_at = created_at WHERE slug = '{slug}'");
    ada.database.execute(&delete(closed)).await;
    for refused in [
        ada.client.delete(ME).await,
        ada.superuser.delete(&ada.path).await,
        ada.superuser.request("POST", &format!("{}/deactivate", ada.path)).await,
    ] {
        let problem = refused.problem(409, "LAST_OWNER");
        assert_eq!(problem["organizations"], json!([acme, zeta]));
        assert!(problem["detail"].as_str().unwrap().ends_with(&format!("Organizations: {acme}, {zeta}.")));
    }
    ada.client.get(ME).await.expect(200);
    // An owner who cannot act does not count.
    for slug in [acme, zeta] {
        ada.database.execute(&delete(slug)).await;
    }
    for (spoil, mend) in
        [("is_active = false", "is_active = true"), ("deleted_at = created_at", "deleted_at = NULL")]
    {
        let update = |change: &str| format!("UPDATE users SET {change} WHERE email = '{eve}'");
        ada.database.execute(&update(spoil)).await;
        let problem = ada.client.delete(ME).await.problem(409, "LAST_OWNER");
        assert_eq!(problem["organizations"], json!([shared]));
        ada.database.execute(&update(mend)).await;
    }
    ada.client.delete(ME).await.expect(202);
}

/// Two owners leave at once, as often as it takes to believe it.
#[tokio::test]
async fn one_of_two_owners_who_leave_at_once_stays() {
    let server = Server::shared().await;
    let database = server.database().await;
    for round in 0..16 {
        let slug = unique("acme");
        let (a, b) = (server.email(&format!("a{round}")), server.email(&format!("b{round}")));
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
    let ada = Ada::alone().await;
    let acme = ada.client.create_organization("acme").await;
    ada.server.register("eve").await;
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
    let found_by = "SELECT count(*) FROM users WHERE search_key LIKE '%ada@example.com%'";
    assert_eq!(ada.database.scalar(found_by).await, 1);
    ada.forgotten().await;
    assert_eq!(ada.database.scalar(found_by).await, 0);
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
    ada.server.register("ada").await;
}
