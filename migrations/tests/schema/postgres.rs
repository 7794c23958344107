//! PostgreSQL only: row-level security between organizations, and the roles.

use insula_migrations::{Error, Upgrade, installation, missing, pending, status, up, upgrade};
use sqlx::ConnectOptions;

use super::test_database::TestDatabase;

const ACME: &str = "00000000-0000-0000-0000-00000000000a";
const OTHER: &str = "00000000-0000-0000-0000-00000000000b";
const AT: &str = "2026-01-01T00:00:00Z";

#[tokio::test]
async fn every_tenant_table_has_row_security_and_every_text_compares_bytes() {
    let Some(database) = TestDatabase::postgres().await else { return };
    up(&database.url(), None).await.unwrap();
    let unprotected = database
        .lines(
            "SELECT relname::text FROM pg_class c WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
             AND (relname = 'organizations' OR EXISTS (
                 SELECT FROM pg_attribute WHERE attrelid = c.oid AND attname = 'organization_id'))
             AND NOT (relrowsecurity AND relforcerowsecurity AND (
                 SELECT count(*) FROM pg_policy WHERE polrelid = c.oid) = 2)",
        )
        .await;
    assert_eq!(unprotected, Vec::<String>::new());
    let by_locale = database
        .lines(
            "SELECT concat(table_name, '.', column_name) FROM information_schema.columns
             WHERE table_schema = 'public' AND table_name <> 'seaql_migrations' AND data_type = 'text'
             AND collation_name IS DISTINCT FROM 'C'",
        )
        .await;
    assert_eq!(by_locale, Vec::<String>::new());
    database.remove().await;
}

#[tokio::test]
async fn each_role_reads_and_writes_only_what_it_is_allowed_to() {
    let Some(database) = TestDatabase::postgres().await else { return };
    up(&database.url(), None).await.unwrap();
    let [app_role, system_role] = database.roles().await;
    let organization = |id: &str, slug: &str| {
        format!(
            "INSERT INTO organizations (id, slug, name, status, kind, version, created_at, updated_at)
                 VALUES ('{id}', '{slug}', 'x', 'active', 'team', 1, '{AT}', '{AT}')"
        )
    };
    let app = |sql: &str| format!("SET ROLE {app_role}; SET insula.org = '{ACME}'; {sql}");
    let system = |sql: &str| format!("SET ROLE {system_role}; {sql}");
    database.execute(&app(&organization(ACME, "acme"))).await.unwrap();
    database.execute(&app(&organization(OTHER, "other"))).await.unwrap_err();
    database.execute(&format!("SET ROLE {app_role}; {}", organization(OTHER, "other"))).await.unwrap_err();
    database.execute(&system(&organization(OTHER, "other"))).await.unwrap_err();
    database
        .execute(&format!(
            "SET ROLE {app_role}; SET insula.org = '{OTHER}'; {}",
            organization(OTHER, "other")
        ))
        .await
        .unwrap();

    // `execute` drops rows, so a division by zero reports an unexpected result.
    let assert_slugs = |slugs: &str| {
        format!(
            "SELECT 1 / (coalesce(string_agg(slug, ' ' ORDER BY slug), '') = '{slugs}')::int FROM organizations"
        )
    };
    database.execute(&app(&assert_slugs("acme"))).await.unwrap();
    database.execute(&format!("SET ROLE {app_role}; {}", assert_slugs(""))).await.unwrap();
    database.execute(&system(&assert_slugs("acme other"))).await.unwrap();

    let event = format!("INSERT INTO audit_events (id, organization_id, occurred_at, actor_kind, action, resource, outcome, details, schema_version)
                         VALUES (gen_random_uuid(), '{ACME}', '{AT}', 'user', 'a', 'r', 'success', '', 1)");
    database.execute(&app(&event)).await.unwrap();
    database.execute(&app("UPDATE audit_events SET action = 'b'")).await.unwrap_err();
    database.execute(&app("DELETE FROM audit_events")).await.unwrap_err();
    database.execute(&system("SELECT * FROM seaql_migrations")).await.unwrap();
    database.execute(&app("SELECT * FROM seaql_migrations")).await.unwrap();
    database.remove().await;
}

#[tokio::test]
async fn the_login_of_the_application_is_granted_the_roles() {
    let Some(database) = TestDatabase::postgres().await else { return };
    let login = format!("runs_{}", std::process::id());
    database.execute(&format!("CREATE ROLE {login} LOGIN NOINHERIT")).await.unwrap();
    // Twice: the second time, nothing is left to grant.
    for _ in 0..2 {
        up(&database.url(), Some(&login)).await.unwrap();
        let [app, system] = database.roles().await;
        let mut connection = database.options().username(&login).connect().await.unwrap();
        sqlx::raw_sql(sqlx::AssertSqlSafe(format!(
            "SET ROLE {app}; SELECT * FROM projects; SET ROLE {system}; SELECT * FROM projects"
        )))
        .execute(&mut connection)
        .await
        .unwrap();
        sqlx::raw_sql("RESET ROLE; SELECT * FROM projects").execute(&mut connection).await.unwrap_err();
        let url = database.options().username(&login).to_url_lossy().to_string();
        assert!(!pending(&url).await.unwrap(), "the login sees whether the schema is current");
    }
    let [app, system] = database.roles().await;
    database.execute(&format!("REVOKE {app}, {system} FROM {login}; DROP ROLE {login}")).await.unwrap();
    database.remove().await;
}

#[tokio::test]
async fn a_login_without_the_privilege_lists_the_statements_to_run() {
    let Some(database) = TestDatabase::postgres().await else { return };
    up(&database.url(), None).await.unwrap();
    let [app, system] = database.roles().await;
    let login = format!("owns \"{}", std::process::id());
    let quoted = format!("\"{}\"", login.replace('"', "\"\""));
    database.execute(&format!("CREATE ROLE {quoted} LOGIN")).await.unwrap();
    let url = database.options().username(&login).to_url_lossy().to_string();
    let Err(Error::DatabaseRoles { statements }) = up(&url, None).await else {
        panic!("up succeeded without the privilege")
    };
    assert_eq!(statements, [format!("GRANT {app} TO {quoted};"), format!("GRANT {system} TO {quoted};")]);

    database.execute(&statements.concat()).await.unwrap();
    assert_eq!(
        up(&url, None).await.unwrap(),
        Vec::<String>::new(),
        "the login sees that the schema is up to date"
    );
    database.execute(&format!("REVOKE {app}, {system} FROM {quoted}; DROP ROLE {quoted}")).await.unwrap();
    database.remove().await;
}

/// Breaks everything that `up` ensures.
const BROKEN: &str = "
    ALTER TABLE projects DISABLE ROW LEVEL SECURITY; ALTER TABLE tags NO FORCE ROW LEVEL SECURITY;
    DROP POLICY system_read ON tasks; DROP POLICY own_organization ON members;
    CREATE POLICY own_organization ON members USING (true);
    ALTER POLICY own_organization ON roles USING (true);
    REVOKE INSERT ON users FROM {app}; GRANT UPDATE ON audit_events TO {app}; GRANT DELETE ON projects TO {system};
    ALTER TABLE audit_events DISABLE TRIGGER audit_events_guard;
    DROP TRIGGER audit_events_truncate_guard ON audit_events;
    CREATE OR REPLACE FUNCTION audit_events_guard() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
    REVOKE USAGE ON SCHEMA public FROM PUBLIC";

#[tokio::test]
async fn missing_objects_are_reported_and_repaired() {
    let Some(database) = TestDatabase::postgres().await else { return };
    let url = database.url();
    up(&url, None).await.unwrap();
    assert_eq!(
        missing(&url, None).await.unwrap(),
        Vec::<String>::new(),
        "the list is what the migrations make"
    );
    let (schema, [app, system]) = (database.schema().await, database.roles().await);

    database.as_superuser(&BROKEN.replace("{app}", &app).replace("{system}", &system)).await;
    let reported = missing(&url, None).await.unwrap();
    for what in [
        "row security of projects is not enabled",
        "row security of tags is not forced",
        "the policy system_read of tasks",
        "the policy own_organization of members",
        "the policy own_organization of roles",
        "INSERT of users",
        "UPDATE of audit_events may be done by",
        "DELETE of projects may be done by",
        "the trigger audit_events_guard of audit_events",
        "the trigger audit_events_truncate_guard of audit_events",
        "the function audit_events_guard",
        "may not use the schema public",
    ] {
        assert!(reported.iter().any(|line| line.contains(what)), "{what}: {reported:#?}");
    }
    let done = upgrade(&url, None).await.unwrap();
    assert_eq!(done.applied, Vec::<String>::new());
    assert!(reported.iter().all(|line| done.repaired.contains(line)), "{done:?}");
    assert_eq!(missing(&url, None).await.unwrap(), Vec::<String>::new());
    assert_eq!(upgrade(&url, None).await.unwrap(), Upgrade::default());
    let again = database.schema().await;
    let without_order = |schema: &[String]| {
        // Grants can be in another order after a repair.
        schema
            .iter()
            .map(|line| {
                let mut letters: Vec<_> = line.split([',', '{', '}']).map(str::to_owned).collect();
                letters.sort();
                letters
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(without_order(&again), without_order(&schema));
    database.remove().await;
}

#[tokio::test]
async fn every_table_is_in_the_list_of_grants() {
    let Some(database) = TestDatabase::postgres().await else { return };
    up(&database.url(), None).await.unwrap();
    let [app, system] = database.roles().await;
    for table in database.tables().await {
        database.execute(&format!("REVOKE ALL ON {table} FROM {app}, {system}")).await.unwrap();
        let reported = missing(&database.url(), None).await.unwrap();
        assert!(
            reported.iter().any(|line| line.starts_with(&format!("SELECT of {table} for "))),
            "{table}: add it to access.rs"
        );
        upgrade(&database.url(), None).await.unwrap();
    }
    database.remove().await;
}

#[tokio::test]
async fn a_schema_other_than_public_works() {
    let Some(database) = TestDatabase::postgres().await else { return };
    let login = format!("in_schema_{}", std::process::id());
    database.execute(&format!("CREATE ROLE {login} LOGIN NOINHERIT; CREATE SCHEMA \"Time\"")).await.unwrap();
    let url = |user: Option<&str>| {
        let options = database.options().options([("search_path", "\"Time\"")]);
        let url = user.map_or(options.clone(), |user| options.username(user)).to_url_lossy();
        format!("{url}&options=-c%20search_path%3D%22Time%22")
    };
    upgrade(&url(None), Some(&login)).await.unwrap();
    assert!(!pending(&url(None)).await.unwrap() && !pending(&url(Some(&login))).await.unwrap());
    assert_eq!(missing(&url(Some(&login)), None).await.unwrap(), Vec::<String>::new());
    assert_eq!(database.tables().await, Vec::<String>::new(), "nothing is in public");
    let sql = "SELECT r.rolname::text FROM pg_policy p JOIN pg_roles r ON r.oid = p.polroles[1]
               JOIN pg_class c ON c.oid = p.polrelid WHERE c.relname = 'organizations' ORDER BY p.polname";
    let [app, system]: [String; 2] = database.lines(sql).await.try_into().unwrap();
    for role in [&app, &system] {
        database.execute(&format!("REVOKE USAGE ON SCHEMA \"Time\" FROM {role}")).await.unwrap();
    }
    assert_eq!(missing(&url(None), Some(&login)).await.unwrap().len(), 2);
    upgrade(&url(None), Some(&login)).await.unwrap();
    assert_eq!(missing(&url(None), Some(&login)).await.unwrap(), Vec::<String>::new());

    // A second installation in the same database has its own roles.
    upgrade(&database.url(), None).await.unwrap();
    let first = database
        .lines("SELECT DISTINCT roles[1]::text FROM pg_policies WHERE schemaname = 'Time' ORDER BY 1")
        .await;
    let second = database
        .lines("SELECT DISTINCT roles[1]::text FROM pg_policies WHERE schemaname = 'public' ORDER BY 1")
        .await;
    assert!(
        first.len() == 2 && second.len() == 2 && first.iter().all(|role| !second.contains(role)),
        "{first:?} {second:?}"
    );
    assert_ne!(installation(&database.url()).await.unwrap(), installation(&url(None)).await.unwrap());
    database.execute(&format!("REVOKE {app}, {system} FROM {login}; DROP ROLE {login}")).await.unwrap();
    database.remove().await;
}

#[tokio::test]
async fn a_missing_schema_is_a_clear_error() {
    let Some(database) = TestDatabase::postgres().await else { return };
    let url = format!("{}&options=-c%20search_path%3Dnowhere", database.url());
    assert!(matches!(up(&url, None).await, Err(Error::Schema)));
    database.remove().await;
}

#[tokio::test]
async fn an_unreachable_server_is_reported_at_once() {
    let began = std::time::Instant::now();
    for outcome in [
        status("postgres://a:hunter2@127.0.0.1:1/x").await.err(),
        up("postgres://a:hunter2@127.0.0.1:1/x", None).await.err(),
    ] {
        let reported = outcome.unwrap().to_string();
        assert!(reported.contains("127.0.0.1 port 1") && !reported.contains("hunter2"), "{reported}");
    }
    assert!(began.elapsed() < std::time::Duration::from_secs(5));
}
