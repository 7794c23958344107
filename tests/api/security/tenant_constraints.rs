//! The constraints and row-level security of the database, tested without the checks of the program.
//!
//! Tables and references come from the catalogue, so new ones are tested automatically.

use insula_tests::{Client, Server, TestDatabase};
use serde_json::{Value, json};

const OURS: &str = "(SELECT id FROM organizations WHERE slug = 'ours')";
const THEIRS: &str = "(SELECT id FROM organizations WHERE slug = 'theirs')";

/// Two organizations, each with something in it.
async fn two_organizations() -> Server {
    let server = Server::start().await;
    let (database, member) = (server.database().await, server.client().register("mia@example.com").await);
    for (email, slug) in [("ada@example.com", "ours"), ("eve@example.com", "theirs")] {
        let owner: Client = server.client().register(email).await;
        let path = format!("/api/v1/organizations/{slug}");
        owner.create_organization(&format!("{slug}-once")).await;
        owner.patch(&format!("{path}-once"), json!({ "slug": slug })).await.expect(200);
        database.join(slug, "mia@example.com", "viewer").await;
        let mia = member.get(&format!("{path}/me/permissions")).await.expect(200);
        let offer = json!({ "member_id": mia["member_id"] });
        owner.post(&format!("{path}/transfer"), offer).await.expect(201);
        let draft = owner
            .post(&format!("/api/v1/organizations/{slug}/projects"), json!({ "code": "P", "name": "P" }));
        let project = draft.header("idempotency-key", "key-1").await.expect(201);
        tasks(&owner, slug, (&project["id"], &mia["member_id"])).await;
        time(&owner, slug).await;
        owner.invite(slug, "guest@example.com", &["viewer"]).await.expect(201);
        let role = json!({ "name": "Lead", "permissions": ["projects:read"] });
        owner.post(&format!("/api/v1/organizations/{slug}/roles"), role).await.expect(201);
    }
    server
}

/// Who worked on that, and up to when it is settled.
async fn time(owner: &Client, slug: &str) {
    let path = |rest: &str| format!("/api/v1/organizations/{slug}/{rest}");
    let until = json!({ "locked_until": "2026-01-01T00:00:00Z" });
    owner.put(&path("period-lock"), until).await.expect(200);
    let task = owner.get(&path("tasks")).await.expect(200)["data"][0].clone();
    let timer = json!({ "task_id": task["id"], "tags": task["tags"] });
    let started = owner.post(&path("timer/start"), timer).await.expect(201);
    assert_eq!(started["project_id"], task["project_id"]);
}

/// A task of a project, with its assignee.
async fn tasks(owner: &Client, slug: &str, (project, member): (&Value, &Value)) {
    let path = |rest: &str| format!("/api/v1/organizations/{slug}/{rest}");
    let team = path(&format!("projects/{}/members", project.as_str().unwrap()));
    owner.put(&team, json!({ "members": [member] })).await.expect(200);
    let tag = owner.post(&path("tags"), json!({ "name": "urgent" })).await.expect(201);
    let task = json!({ "title": "T", "project_id": project, "assignee_id": member, "tags": [tag["id"]] });
    owner.post(&path("tasks"), task).await.expect(201);
}

/// Tables with `organization_id`.
async fn tenant_tables(database: &TestDatabase) -> Vec<String> {
    let sql = match database {
        TestDatabase::Sqlite(_) => {
            "SELECT t.name FROM sqlite_master t JOIN pragma_table_info(t.name) c
             WHERE t.type = 'table' AND c.name = 'organization_id' ORDER BY 1"
        }
        TestDatabase::Postgres(_) => {
            "SELECT c.relname::text FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
             WHERE a.attname = 'organization_id' AND NOT a.attisdropped AND c.relkind IN ('r', 'p')
             AND c.relnamespace = 'public'::regnamespace ORDER BY 1"
        }
    };
    let tables = database.texts(sql).await;
    for known in ["audit_events", "member_roles", "members", "outbox", "projects", "roles"] {
        assert!(tables.iter().any(|table| table == known), "{known} is not among {tables:?}");
    }
    tables
}

/// A foreign key: `member_roles.role_id` refers to `roles`, and perhaps to the organization too.
struct Reference {
    table: String,
    parent: String,
    columns: Vec<(String, String)>,
}

impl Reference {
    async fn all(database: &TestDatabase) -> Vec<Self> {
        let sql = match database {
            TestDatabase::Sqlite(_) => {
                r#"SELECT t.name || ' ' || f."table" || ' ' || group_concat(f."from" || '=' || f."to")
                   FROM sqlite_master t JOIN pragma_foreign_key_list(t.name) f WHERE t.type = 'table'
                   GROUP BY t.name, f.id"#
            }
            TestDatabase::Postgres(_) => {
                "SELECT concat_ws(' ', f.conrelid::regclass, f.confrelid::regclass, string_agg(a.attname || '=' || b.attname, ','))
                 FROM pg_constraint f CROSS JOIN unnest(f.conkey, f.confkey) AS k (here, there)
                 JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = k.here
                 JOIN pg_attribute b ON b.attrelid = f.confrelid AND b.attnum = k.there
                 WHERE f.contype = 'f' AND f.connamespace = 'public'::regnamespace GROUP BY f.oid, f.conrelid, f.confrelid"
            }
        };
        database.texts(sql).await.iter().map(|line| Self::read(line)).collect()
    }

    fn read(line: &str) -> Self {
        let words: Vec<_> = line.split(' ').map(str::to_owned).collect();
        let [table, parent, columns] = &words[..] else { panic!("{line}") };
        let pairs = columns.split(',').map(|pair| pair.split_once('=').unwrap());
        let columns = pairs.map(|(here, there)| (here.to_owned(), there.to_owned())).collect();
        Self { table: table.clone(), parent: parent.clone(), columns }
    }

    /// The column that names a row of the same organization; `None` where the organization is no part of the key.
    fn column(&self) -> Option<&str> {
        let (organization, others): (Vec<_>, Vec<_>) = self
            .columns
            .iter()
            .partition(|(here, there)| here == "organization_id" && there == "organization_id");
        match (&organization[..], &others[..]) {
            ([_], [(here, there)]) if there == "id" => Some(here),
            _ => None,
        }
    }
}

#[tokio::test]
async fn tables_of_organizations_refer_to_each_other_by_organization_too() {
    let server = Server::start().await;
    let database = server.database().await;
    let tables = tenant_tables(&database).await;
    let references = Reference::all(&database).await;
    let inner = references.iter().filter(|reference| tables.contains(&reference.parent));
    let inner: Vec<_> = inner.filter(|reference| tables.contains(&reference.table)).collect();
    assert!(inner.len() >= 2);
    for reference in inner {
        assert!(
            reference.column().is_some(),
            "{} -> {} {:?}",
            reference.table,
            reference.parent,
            reference.columns
        );
    }
}

#[tokio::test]
async fn a_reference_into_another_organization_cannot_be_stored() {
    let server = two_organizations().await;
    let database = server.database().await;
    let mut tried = Vec::new();
    for reference in Reference::all(&database).await {
        let Some(column) = reference.column() else { continue };
        let Reference { table, parent, .. } = &reference;
        let refer_to = |org: &str| {
            format!(
                "UPDATE {table} SET {column} = (SELECT id FROM {parent} WHERE organization_id = {org} LIMIT 1)
                 WHERE id = (SELECT id FROM {table} WHERE organization_id = {OURS} LIMIT 1) RETURNING 'stored'"
            )
        };
        assert_eq!(
            database.attempt(&[&refer_to(OURS)]).await,
            Ok(vec!["stored".to_owned()]),
            "{table}.{column}"
        );
        let refusal = database.attempt(&[&refer_to(THEIRS)]).await.unwrap_err();
        assert!(refusal.to_lowercase().contains("foreign key"), "{table}.{column}: {refusal}");
        tried.push(format!("{table}.{column}"));
    }
    tried.sort();
    assert!(tried.contains(&"member_roles.member_id".to_owned()), "{tried:?}");
    assert!(tried.contains(&"member_roles.role_id".to_owned()), "{tried:?}");
    assert!(tried.contains(&"owner_transfers.to_member_id".to_owned()), "{tried:?}");
}

/// PostgreSQL: the application's login with the database roles of the program.
struct DatabaseRoles {
    server: Server,
    database: TestDatabase,
    login: TestDatabase,
    tables: Vec<String>,
    /// Of the application, of the system.
    roles: [String; 2],
}

impl DatabaseRoles {
    /// `None` on SQLite, which has none. Every table has rows of both organizations.
    async fn new() -> Option<Self> {
        let server = two_organizations().await;
        let database = server.database().await;
        if let TestDatabase::Sqlite(_) = database {
            return None;
        }
        let tables = tenant_tables(&database).await;
        for table in &tables {
            for org in [OURS, THEIRS] {
                if database
                    .scalar(&format!("SELECT count(*) FROM {table} WHERE organization_id = {org}"))
                    .await
                    == 0
                {
                    database.execute(&copy(table, org)).await;
                }
            }
        }
        let login = TestDatabase::connect(server.test_env().database_url()).await;
        assert_eq!(
            login.text("SELECT rolsuper::text FROM pg_roles WHERE rolname = current_user").await,
            "false"
        );
        let roles = database.roles().await;
        Some(Self { server, database, login, tables, roles })
    }

    async fn org(&self, org: &str) -> String {
        self.database.text(&format!("SELECT {org}::text")).await
    }

    fn set_role(&self, number: usize) -> String {
        format!("SET LOCAL ROLE {}", self.roles[number])
    }

    /// As the program would ask it for the organization `ours`.
    async fn within_ours(&self, sql: &str) -> Result<Vec<String>, String> {
        let scope = format!("SET LOCAL insula.org = '{}'", self.org(OURS).await);
        self.login.attempt(&[&self.set_role(0), &scope, sql]).await
    }
}

/// Copies any row of a table into an organization, under a new id.
fn copy(table: &str, org: &str) -> String {
    format!(
        "INSERT INTO {table} SELECT (jsonb_populate_record(NULL::{table}, to_jsonb(any_row) ||
         jsonb_build_object('id', gen_random_uuid(), 'organization_id', {org}))).* FROM {table} any_row LIMIT 1"
    )
}

#[tokio::test]
async fn row_security_is_on_for_every_table_and_for_its_owner_too() {
    let Some(fixture) = DatabaseRoles::new().await else { return };
    for table in fixture.tables.iter().map(String::as_str).chain(["organizations"]) {
        let flags =
            "SELECT relrowsecurity::text || ' ' || relforcerowsecurity::text FROM pg_class WHERE relname";
        assert_eq!(fixture.database.text(&format!("{flags} = '{table}'")).await, "true true", "{table}");
    }
}

#[tokio::test]
async fn one_organization_sees_its_own_rows_alone() {
    let Some(fixture) = DatabaseRoles::new().await else { return };
    let ours = fixture.org(OURS).await;
    let columns = fixture.tables.iter().map(|table| (table.as_str(), "organization_id"));
    for (table, column) in columns.chain([("organizations", "id")]) {
        let seen = format!("SELECT DISTINCT {column}::text FROM {table}");
        assert_eq!(fixture.within_ours(&seen).await, Ok(vec![ours.clone()]), "{table}");
        for scope in ["SELECT 1", "SET LOCAL insula.org = ''"] {
            let unscoped = fixture.login.attempt(&[&fixture.set_role(0), scope, &seen]).await;
            assert_eq!(unscoped, Ok(vec![]), "{table} {scope}");
        }
    }
}

#[tokio::test]
async fn one_organization_writes_its_own_rows_alone() {
    let Some(fixture) = DatabaseRoles::new().await else { return };
    let theirs = format!("'{}'::uuid", fixture.org(THEIRS).await);
    for table in &fixture.tables {
        let refusal =
            fixture.within_ours(&format!("{} RETURNING ''", copy(table, &theirs))).await.unwrap_err();
        assert!(refusal.contains("row-level security"), "{table}: {refusal}");
        // What is not seen is not changed; what is append only is refused altogether.
        for change in ["UPDATE {} SET id = id", "DELETE FROM {}"] {
            let change = change.replace("{}", table);
            let changed =
                fixture.within_ours(&format!("{change} WHERE organization_id = {theirs} RETURNING ''")).await;
            let is_refused = changed.as_ref().is_err_and(|refusal| refusal.contains("permission denied"));
            assert!(changed == Ok(vec![]) || is_refused, "{change}: {changed:?}");
        }
        let moved = format!("UPDATE {table} SET organization_id = {theirs} RETURNING ''");
        let refusal = fixture.within_ours(&moved).await.unwrap_err();
        assert!(
            ["row-level security", "permission denied"].iter().any(|why| refusal.contains(why)),
            "{refusal}"
        );
    }
}

#[tokio::test]
async fn the_audit_log_is_only_ever_added_to() {
    const GUARDED: &str = "the audit log is only ever added to";
    let server = two_organizations().await;
    let database = server.database().await;
    // One that is not sealed yet: how soon the others are is not ours to say.
    let unsealed = format!(
        "INSERT INTO audit_events (id, organization_id, occurred_at, actor_kind, action, resource, outcome, details,
         schema_version)
         SELECT {}, organization_id, occurred_at, actor_kind, action, resource, outcome, details, schema_version
         FROM audit_events LIMIT 1",
        database.new_id_sql()
    );
    // The owner of the table cannot do it either, until the trigger is dropped.
    for change in [
        "UPDATE audit_events SET details = '' WHERE action = 'project.created'",
        "UPDATE audit_events SET seq = 1, details = '' WHERE seq IS NULL",
        "DELETE FROM audit_events",
    ] {
        let refusal = database.attempt(&[&unsealed, change, "SELECT ''"]).await.unwrap_err();
        assert!(refusal.contains(GUARDED), "{change}: {refusal}");
    }
    let Some(fixture) = DatabaseRoles::new().await else { return };
    for (change, refused) in [
        ("UPDATE audit_events SET details = ''", "permission denied"),
        ("DELETE FROM audit_events", GUARDED),
        ("TRUNCATE audit_events", "permission denied"),
    ] {
        let refusal = fixture.within_ours(change).await.unwrap_err();
        assert!(refusal.contains(refused), "{change}: {refusal}");
    }
    let refusal = fixture.database.attempt(&["TRUNCATE audit_events", "SELECT ''"]).await.unwrap_err();
    assert!(refusal.contains(GUARDED), "{refusal}");
    // A copy of an event has no place in the chain, whether the event has one by now or not.
    let copy = copy("audit_events", OURS).replace("'id',", "'seq', NULL, 'id',");
    fixture.within_ours(&copy).await.unwrap();
}

#[tokio::test]
async fn the_system_reads_everything_and_writes_nothing() {
    let Some(fixture) = DatabaseRoles::new().await else { return };
    let as_system = async |sql: String| fixture.login.attempt(&[&fixture.set_role(1), &sql]).await;
    for table in &fixture.tables {
        let rows = format!("SELECT count(*)::text FROM {table}");
        assert_eq!(as_system(rows.clone()).await, Ok(vec![fixture.database.text(&rows).await]), "{table}");
    }
    for table in
        fixture.database.texts("SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'").await
    {
        for change in ["DELETE FROM {}", "INSERT INTO {} SELECT * FROM {} LIMIT 0", "TRUNCATE {}"] {
            let refusal = as_system(change.replace("{}", &table)).await.unwrap_err();
            assert!(refusal.contains("permission denied"), "{table}: {refusal}");
        }
        let may =
            format!("SELECT has_any_column_privilege('{}', '{table}', 'UPDATE')::text", fixture.roles[1]);
        assert_eq!(fixture.database.text(&may).await, "false", "{table}");
    }
    drop(fixture.server);
}
