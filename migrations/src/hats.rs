//! The two PostgreSQL roles that transactions put on with SET LOCAL ROLE, and who may wear them.
//!
//! Roles belong to the cluster, not to one database: other databases may be making or wearing the same ones right now.
//! Therefore they are no part of any migration's transaction, and every `up` looks after them.

use std::time::Duration;

use sea_orm_migration::sea_orm::{
    SqlxError,
    sqlx::{self, AssertSqlSafe, PgPool},
};

use crate::Error;

/// The statements still needed, in order, complete enough to be shown to an administrator.
///
/// Since PostgreSQL 16 being a member is not enough to put a role on: whoever creates one is its member without SET.
const MISSING: &str = "
    WITH hats AS (
        SELECT hat, EXISTS (SELECT FROM pg_roles WHERE rolname = hat) AS made
        FROM unnest(ARRAY['insula_app', 'insula_system']) AS hat
    ), wearers AS (
        SELECT DISTINCT wearer FROM unnest(ARRAY[current_user::text, $1]) AS wearer WHERE wearer IS NOT NULL
    ), right_to_wear AS (
        SELECT CASE WHEN current_setting('server_version_num')::int >= 160000 THEN 'SET' ELSE 'MEMBER' END AS kind
    )
    SELECT format('CREATE ROLE %I NOLOGIN;', hat) AS statement, 1 AS place FROM hats WHERE NOT made
    UNION ALL
    SELECT format('GRANT %I TO %I;', hat, wearer), 2 FROM hats, wearers, right_to_wear
    WHERE CASE WHEN made THEN NOT pg_has_role(wearer, hat, kind)
               ELSE NOT (SELECT rolsuper FROM pg_roles WHERE rolname = wearer) END
    ORDER BY place, statement";

/// How often a statement is tried that collides with the same one of another database's migration.
const ATTEMPTS: u32 = 100;

/// Makes the hats where they are missing and grants them to the migrating login and to `login`.
///
/// Changes nothing where nothing is missing, so an ordinary start needs no right to create roles.
pub(crate) async fn fit(pool: &PgPool, login: Option<&str>) -> Result<(), Error> {
    let mut collisions = 0;
    loop {
        let missing: Vec<String> = sqlx::query_scalar(MISSING).bind(login).fetch_all(pool).await?;
        // One at a time: what is missing next depends on it, and on what others did meanwhile.
        let Some(statement) = missing.first() else { return Ok(()) };
        match sqlx::query(AssertSqlSafe(statement.as_str())).execute(pool).await {
            Ok(_) => tracing::info!(statement, "changed the roles of the cluster"),
            Err(error) if refused(&error) => return Err(Error::Hats { statements: missing }),
            Err(error) if collided(&error) && collisions < ATTEMPTS => {
                collisions += 1;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

fn refused(error: &SqlxError) -> bool {
    sqlstate(error).as_deref() == Some("42501")
}

/// Duplicate object, unique violation, and the "tuple concurrently updated" that has no code of its own.
fn collided(error: &SqlxError) -> bool {
    matches!(sqlstate(error).as_deref(), Some("42710" | "23505" | "XX000"))
}

fn sqlstate(error: &SqlxError) -> Option<String> {
    error.as_database_error()?.code().map(Into::into)
}
