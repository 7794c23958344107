//! The two PostgreSQL roles that transactions put on with SET LOCAL ROLE, and who may wear them.
//!
//! Roles belong to the cluster, not to one database, so each installation has its own (`installation.rs`). They are no part
//! of any migration's transaction, and every `up` looks after them.

use std::time::Duration;

use sea_orm_migration::sea_orm::{
    SqlxError,
    sqlx::{self, AssertSqlSafe, PgPool},
};

use crate::{Error, installation::Roles};

/// Something that an installation needs and does not have.
#[derive(Debug)]
pub(crate) struct Lack {
    /// For people.
    pub(crate) what: String,
    /// The SQL that puts it right, complete enough to be shown to an administrator.
    pub(crate) statement: String,
}

/// The statements still needed, in order. `$1`: our roles; `$2`: who may use them besides the migrating login.
///
/// Since PostgreSQL 16 being a member is not enough to put a role on: whoever creates one is its member without SET.
const MISSING: &str = "
    WITH hats AS (
        SELECT hat, EXISTS (SELECT FROM pg_roles WHERE rolname = hat) AS made FROM unnest($1::text[]) AS hat
    ), wearers AS (
        SELECT DISTINCT wearer FROM unnest(ARRAY[current_user::text, $2]) AS wearer WHERE wearer IS NOT NULL
    ), right_to_wear AS (
        SELECT CASE WHEN current_setting('server_version_num')::int >= 160000 THEN 'SET' ELSE 'MEMBER' END AS kind
    )
    SELECT format('the role %s', hat) AS what, format('CREATE ROLE %I NOLOGIN;', hat) AS statement, 1 AS place
    FROM hats WHERE NOT made
    UNION ALL
    SELECT format('the role %s for the login %s', hat, wearer), format('GRANT %I TO %I;', hat, wearer), 2
    FROM hats, wearers, right_to_wear
    WHERE CASE WHEN NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wearer) THEN false
               WHEN made THEN NOT pg_has_role(wearer, hat, kind)
               ELSE NOT (SELECT rolsuper FROM pg_roles WHERE rolname = wearer) END
    ORDER BY place, statement";

/// How often a statement is tried that collides with the same one of another database's migration.
const ATTEMPTS: u32 = 100;

/// What is lacking of the roles themselves, and of the right of the connected login and of `login` to use them.
pub(crate) async fn missing(pool: &PgPool, roles: &Roles, login: Option<&str>) -> Result<Vec<Lack>, Error> {
    let names = vec![roles.app.clone(), roles.system.clone()];
    let rows: Vec<(String, String, i32)> =
        sqlx::query_as(MISSING).bind(names).bind(login).fetch_all(pool).await?;
    Ok(rows.into_iter().map(|(what, statement, _)| Lack { what, statement }).collect())
}

/// Makes the hats where they are missing and grants them to the migrating login and to `login`; gives what it did.
///
/// Changes nothing where nothing is missing, so an ordinary start needs no right to create roles.
pub(crate) async fn fit(pool: &PgPool, roles: &Roles, login: Option<&str>) -> Result<Vec<String>, Error> {
    let (mut done, mut collisions) = (Vec::new(), 0);
    loop {
        let missing = missing(pool, roles, login).await?;
        // One at a time: what is missing next depends on it, and on what others did meanwhile.
        let Some(Lack { statement, what }) = missing.first() else { return Ok(done) };
        match sqlx::query(AssertSqlSafe(statement.as_str())).execute(pool).await {
            Ok(_) => {
                tracing::info!(statement, "changed the database roles");
                done.push(what.clone());
            }
            Err(error) if refused(&error) => {
                return Err(Error::Hats {
                    statements: missing.into_iter().map(|lack| lack.statement).collect(),
                });
            }
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

pub(crate) fn sqlstate(error: &SqlxError) -> Option<String> {
    error.as_database_error()?.code().map(Into::into)
}
