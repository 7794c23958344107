//! What only PostgreSQL has: the walls between organizations, and the roles that see through them.

use insula_migrations::{Error, pending, up};
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
    let organization = |id: &str, slug: &str| {
        format!(
            "INSERT INTO organizations (id, slug, name, status, kind, version, created_at, updated_at)
                 VALUES ('{id}', '{slug}', 'x', 'active', 'team', 1, '{AT}', '{AT}')"
        )
    };
    let app = |sql: &str| format!("SET ROLE insula_app; SET insula.org = '{ACME}'; {sql}");
    let system = |sql: &str| format!("SET ROLE insula_system; {sql}");
    home.execute(&app(&organization(ACME, "acme"))).await.unwrap();
    home.execute(&app(&organization(OTHER, "other"))).await.unwrap_err();
    home.execute(&format!("SET ROLE insula_app; {}", organization(OTHER, "other"))).await.unwrap_err();
    home.execute(&system(&organization(OTHER, "other"))).await.unwrap_err();
    home.execute(&format!(
        "SET ROLE insula_app; SET insula.org = '{OTHER}'; {}",
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
    home.execute(&format!("SET ROLE insula_app; {}", seen(""))).await.unwrap();
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
        let mut connection = home.options().username(&login).connect().await.unwrap();
        sqlx::raw_sql(
            "SET ROLE insula_app; SELECT * FROM projects; SET ROLE insula_system; SELECT * FROM projects",
        )
        .execute(&mut connection)
        .await
        .unwrap();
        sqlx::raw_sql("RESET ROLE; SELECT * FROM projects").execute(&mut connection).await.unwrap_err();
        let url = home.options().username(&login).to_url_lossy().to_string();
        assert!(!pending(&url).await.unwrap(), "it sees whether the schema is current");
    }
    home.execute(&format!("REVOKE insula_app, insula_system FROM {login}; DROP ROLE {login}")).await.unwrap();
    home.leave().await;
}

#[tokio::test]
async fn a_login_that_may_not_grant_says_what_an_administrator_must_run() {
    let Some(home) = Home::postgres().await else { return };
    up(&home.url(), None).await.unwrap();
    let login = format!("owns \"{}", std::process::id());
    let quoted = format!("\"{}\"", login.replace('"', "\"\""));
    home.execute(&format!("CREATE ROLE {quoted} LOGIN")).await.unwrap();
    let url = home.options().username(&login).to_url_lossy().to_string();
    let Err(Error::Hats { statements }) = up(&url, None).await else { panic!("it may not grant") };
    assert_eq!(
        statements,
        [format!("GRANT insula_app TO {quoted};"), format!("GRANT insula_system TO {quoted};")]
    );

    home.execute(&statements.concat()).await.unwrap();
    assert_eq!(up(&url, None).await.unwrap(), Vec::<String>::new(), "it sees that the schema is up to date");
    home.execute(&format!("REVOKE insula_app, insula_system FROM {quoted}; DROP ROLE {quoted}"))
        .await
        .unwrap();
    home.leave().await;
}
