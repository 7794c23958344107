//! Features of PostgreSQL only: row-level security of organizations, and the roles that bypass it.

use insula_migrations::{Error, Upgrade, installation, missing, pending, status, up, upgrade};
use sqlx::ConnectOptions;

use super::home::Home;

const ACME: &str = "00000000-0000-0000-0000-00000000000a";
const OTHER: &str = "00000000-0000-0000-0000-00000000000b";
const AT: &str = "2026-01-01T00:00:00Z";

#[tokio::test]
async fn every_table_with_an_organization_is_walled_and_every_text_compares_bytes() {
    let Some(home) = Home::postgres().await else { return };
    up(&home.url(), None).await.unwrap();
    let open = home
        .lines(
            "SELECT relname::text FROM pg_class c WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
             AND (relname = 'organizations' OR EXISTS (
                 SELECT FROM pg_attribute WHERE attrelid = c.oid AND attname = 'organization_id'))
             AND NOT (relrowsecurity AND relforcerowsecurity AND (
                 SELECT count(*) FROM pg_policy WHERE polrelid = c.oid) = 2)",
        )
        .await;
    assert_eq!(open, Vec::<String>::new());
    let by_locale = home
        .lines(
            "SELECT concat(table_name, '.', column_name) FROM information_schema.columns
             WHERE table_schema = 'public' AND table_name <> 'seaql_migrations' AND data_type = 'text'
             AND collation_name IS DISTINCT FROM 'C'",
        )
        .await;
    assert_eq!(by_locale, Vec::<String>::new());
    home.leave().await;
}

#[tokio::test]
async fn a_hat_sees_and_writes_what_it_may() {
    let Some(home) = Home::postgres().await else { return };
    up(&home.url(), None).await.unwrap();
    let [app_role, system_role] = home.roles().await;
    let organization = |id: &str, slug: &str| {
        format!(
            "INSERT INTO organizations (id, slug, name, status, kind, version, created_at, updated_at)
                 VALUES ('{id}', '{slug}', 'x', 'active', 'team', 1, '{AT}', '{AT}')"
        )
    };
    let app = |sql: &str| format!("SET ROLE {app_role}; SET insula.org = '{ACME}'; {sql}");
    let system = |sql: &str| format!("SET ROLE {system_role}; {sql}");
    home.execute(&app(&organization(ACME, "acme"))).await.unwrap();
    home.execute(&app(&organization(OTHER, "other"))).await.unwrap_err();
    home.execute(&format!("SET ROLE {app_role}; {}", organization(OTHER, "other"))).await.unwrap_err();
    home.execute(&system(&organization(OTHER, "other"))).await.unwrap_err();
    home.execute(&format!(
        "SET ROLE {app_role}; SET insula.org = '{OTHER}'; {}",
        organization(OTHER, "other")
    ))
    .await
    .unwrap();

    // `execute` throws rows away: a division by zero tells what was seen.
    let seen = |slugs: &str| {
        format!(
            "SELECT 1 / (coalesce(string_agg(slug, ' ' ORDER BY slug), '') = '{slugs}')::int FROM organizations"
        )
    };
    home.execute(&app(&seen("acme"))).await.unwrap();
    home.execute(&format!("SET ROLE {app_role}; {}", seen(""))).await.unwrap();
    home.execute(&system(&seen("acme other"))).await.unwrap();

    let event = format!("INSERT INTO audit_events (id, organization_id, occurred_at, actor_kind, action, resource, outcome, details, schema_version)
                         VALUES (gen_random_uuid(), '{ACME}', '{AT}', 'user', 'a', 'r', 'success', '', 1)");
    home.execute(&app(&event)).await.unwrap();
    home.execute(&app("UPDATE audit_events SET action = 'b'")).await.unwrap_err();
    home.execute(&app("DELETE FROM audit_events")).await.unwrap_err();
    home.execute(&system("SELECT * FROM seaql_migrations")).await.unwrap();
    home.execute(&app("SELECT * FROM seaql_migrations")).await.unwrap();
    home.leave().await;
}

#[tokio::test]
async fn the_login_of_the_application_is_given_the_hats() {
    let Some(home) = Home::postgres().await else { return };
    let login = format!("runs_{}", std::process::id());
    home.execute(&format!("CREATE ROLE {login} LOGIN NOINHERIT")).await.unwrap();
    // Twice: the second time there is nothing left to grant.
    for _ in 0..2 {
        up(&home.url(), Some(&login)).await.unwrap();
        let [app, system] = home.roles().await;
        let mut connection = home.options().username(&login).connect().await.unwrap();
        sqlx::raw_sql(sqlx::AssertSqlSafe(format!(
            "SET ROLE {app}; SELECT * FROM projects; SET ROLE {system}; SELECT * FROM projects"
        )))
        .execute(&mut connection)
        .await
        .unwrap();
        sqlx::raw_sql("RESET ROLE; SELECT * FROM projects").execute(&mut connection).await.unwrap_err();
        let url = home.options().username(&login).to_url_lossy().to_string();
        assert!(!pending(&url).await.unwrap(), "it sees whether the schema is current");
    }
    let [app, system] = home.roles().await;
    home.execute(&format!("REVOKE {app}, {system} FROM {login}; DROP ROLE {login}")).await.unwrap();
    home.leave().await;
}

#[tokio::test]
async fn a_login_that_may_not_grant_says_what_an_administrator_must_run() {
    let Some(home) = Home::postgres().await else { return };
    up(&home.url(), None).await.unwrap();
    let [app, system] = home.roles().await;
    let login = format!("owns \"{}", std::process::id());
    let quoted = format!("\"{}\"", login.replace('"', "\"\""));
    home.execute(&format!("CREATE ROLE {quoted} LOGIN")).await.unwrap();
    let url = home.options().username(&login).to_url_lossy().to_string();
    let Err(Error::Hats { statements }) = up(&url, None).await else { panic!("it may not grant") };
    assert_eq!(statements, [format!("GRANT {app} TO {quoted};"), format!("GRANT {system} TO {quoted};")]);

    home.execute(&statements.concat()).await.unwrap();
    assert_eq!(up(&url, None).await.unwrap(), Vec::<String>::new(), "it sees that the schema is up to date");
    home.execute(&format!("REVOKE {app}, {system} FROM {quoted}; DROP ROLE {quoted}")).await.unwrap();
    home.leave().await;
}

/// Everything that `up` promises, broken in every way.
const BROKEN: &str = "
    ALTER TABLE projects DISABLE ROW LEVEL SECURITY; ALTER TABLE tags NO FORCE ROW LEVEL SECURITY;
    DROP POLICY sweep ON tasks; DROP POLICY own_organization ON members;
    CREATE POLICY own_organization ON members USING (true);
    ALTER POLICY own_organization ON roles USING (true);
    REVOKE INSERT ON users FROM {app}; GRANT UPDATE ON audit_events TO {app}; GRANT DELETE ON projects TO {system};
    ALTER TABLE audit_events DISABLE TRIGGER audit_events_guard;
    DROP TRIGGER audit_events_truncate_guard ON audit_events;
    CREATE OR REPLACE FUNCTION audit_events_guard() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
    REVOKE USAGE ON SCHEMA public FROM PUBLIC";

#[tokio::test]
async fn what_is_promised_is_looked_for_and_repaired() {
    let Some(home) = Home::postgres().await else { return };
    let url = home.url();
    up(&url, None).await.unwrap();
    assert_eq!(
        missing(&url, None).await.unwrap(),
        Vec::<String>::new(),
        "the list is what the migrations make"
    );
    let (schema, [app, system]) = (home.schema().await, home.roles().await);

    home.as_superuser(&BROKEN.replace("{app}", &app).replace("{system}", &system)).await;
    let told = missing(&url, None).await.unwrap();
    for what in [
        "row security of projects is not enabled",
        "row security of tags is not forced",
        "the policy sweep of tasks",
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
        assert!(told.iter().any(|line| line.contains(what)), "{what}: {told:#?}");
    }
    let done = upgrade(&url, None).await.unwrap();
    assert_eq!(done.applied, Vec::<String>::new());
    assert!(told.iter().all(|line| done.repaired.contains(line)), "{done:?}");
    assert_eq!(missing(&url, None).await.unwrap(), Vec::<String>::new());
    assert_eq!(upgrade(&url, None).await.unwrap(), Upgrade::default());
    let again = home.schema().await;
    let without_order = |schema: &[String]| {
        // Grants may stand in another order after they were given again.
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
    home.leave().await;
}

#[tokio::test]
async fn every_table_is_on_the_list_of_what_is_promised() {
    let Some(home) = Home::postgres().await else { return };
    up(&home.url(), None).await.unwrap();
    let [app, system] = home.roles().await;
    for table in home.tables().await {
        home.execute(&format!("REVOKE ALL ON {table} FROM {app}, {system}")).await.unwrap();
        let told = missing(&home.url(), None).await.unwrap();
        assert!(
            told.iter().any(|line| line.starts_with(&format!("SELECT of {table} for "))),
            "{table}: add it to access.rs"
        );
        upgrade(&home.url(), None).await.unwrap();
    }
    home.leave().await;
}

#[tokio::test]
async fn another_schema_than_public_is_served_too() {
    let Some(home) = Home::postgres().await else { return };
    let login = format!("in_schema_{}", std::process::id());
    home.execute(&format!("CREATE ROLE {login} LOGIN NOINHERIT; CREATE SCHEMA \"Time\"")).await.unwrap();
    let url = |user: Option<&str>| {
        let options = home.options().options([("search_path", "\"Time\"")]);
        let url = user.map_or(options.clone(), |user| options.username(user)).to_url_lossy();
        format!("{url}&options=-c%20search_path%3D%22Time%22")
    };
    upgrade(&url(None), Some(&login)).await.unwrap();
    assert!(!pending(&url(None)).await.unwrap() && !pending(&url(Some(&login))).await.unwrap());
    assert_eq!(missing(&url(Some(&login)), None).await.unwrap(), Vec::<String>::new());
    assert_eq!(home.tables().await, Vec::<String>::new(), "nothing is in public");
    let sql = "SELECT r.rolname::text FROM pg_policy p JOIN pg_roles r ON r.oid = p.polroles[1]
               JOIN pg_class c ON c.oid = p.polrelid WHERE c.relname = 'organizations' ORDER BY p.polname";
    let [app, system]: [String; 2] = home.lines(sql).await.try_into().unwrap();
    for role in [&app, &system] {
        home.execute(&format!("REVOKE USAGE ON SCHEMA \"Time\" FROM {role}")).await.unwrap();
    }
    assert_eq!(missing(&url(None), Some(&login)).await.unwrap().len(), 2);
    upgrade(&url(None), Some(&login)).await.unwrap();
    assert_eq!(missing(&url(None), Some(&login)).await.unwrap(), Vec::<String>::new());

    // A second installation in the same database has roles of its own.
    upgrade(&home.url(), None).await.unwrap();
    let first = home
        .lines("SELECT DISTINCT roles[1]::text FROM pg_policies WHERE schemaname = 'Time' ORDER BY 1")
        .await;
    let second = home
        .lines("SELECT DISTINCT roles[1]::text FROM pg_policies WHERE schemaname = 'public' ORDER BY 1")
        .await;
    assert!(
        first.len() == 2 && second.len() == 2 && first.iter().all(|role| !second.contains(role)),
        "{first:?} {second:?}"
    );
    assert_ne!(installation(&home.url()).await.unwrap(), installation(&url(None)).await.unwrap());
    home.execute(&format!("REVOKE {app}, {system} FROM {login}; DROP ROLE {login}")).await.unwrap();
    home.leave().await;
}

#[tokio::test]
async fn a_schema_that_is_not_there_is_a_sentence() {
    let Some(home) = Home::postgres().await else { return };
    let url = format!("{}&options=-c%20search_path%3Dnowhere", home.url());
    assert!(matches!(up(&url, None).await, Err(Error::Schema)));
    home.leave().await;
}

#[tokio::test]
async fn a_server_that_is_away_is_named_at_once() {
    let began = std::time::Instant::now();
    for outcome in [
        status("postgres://a:hunter2@127.0.0.1:1/x").await.err(),
        up("postgres://a:hunter2@127.0.0.1:1/x", None).await.err(),
    ] {
        let told = outcome.unwrap().to_string();
        assert!(told.contains("127.0.0.1 port 1") && !told.contains("hunter2"), "{told}");
    }
    assert!(began.elapsed() < std::time::Duration::from_secs(5));
}
