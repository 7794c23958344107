//! The two PostgreSQL roles that transactions set with SET LOCAL ROLE, and the logins that can use them.
//!
//! Roles belong to the cluster, not to one database, so each installation has its own (`installation.rs`). No migration
//! creates them, because they outlive its transaction. Every `up` checks them.

use std::time::Duration;

use sea_orm_migration::sea_orm::{
    SqlxError,
    sqlx::{self, AssertSqlSafe, PgPool},
};

use crate::{Error, installation::RoleNames};

/// Something that an installation needs and lacks.
#[derive(Debug)]
pub(crate) struct Repair {
    /// A description for people.
    pub(crate) what: String,
    /// The SQL that creates it, complete enough to show to an administrator.
    pub(crate) statement: String,
}

/// The statements still needed, in order. `$1`: the two roles; `$2`: another login that needs them, besides the
/// migrating one.
///
/// Since PostgreSQL 16, membership is not enough to set a role: the creator of a role is a member without the SET
/// option.
const MISSING: &str = "
    WITH roles AS (
        SELECT role, EXISTS (SELECT FROM pg_roles WHERE rolname = role) AS present FROM unnest($1::text[]) AS role
    ), logins AS (
        SELECT DISTINCT login FROM unnest(ARRAY[current_user::text, $2]) AS login WHERE login IS NOT NULL
    ), membership AS (
        SELECT CASE WHEN current_setting('server_version_num')::int >= 160000 THEN 'SET' ELSE 'MEMBER' END AS kind
    )
    SELECT format('the role %s', role) AS what, format('CREATE ROLE %I NOLOGIN;', role) AS statement, 1 AS place
    FROM roles WHERE NOT present
    UNION ALL
    SELECT format('the role %s for the login %s', role, login), format('GRANT %I TO %I;', role, login), 2
    FROM roles, logins, membership
    WHERE CASE WHEN NOT EXISTS (SELECT FROM pg_roles WHERE rolname = login) THEN false
               WHEN present THEN NOT pg_has_role(login, role, kind)
               ELSE NOT (SELECT rolsuper FROM pg_roles WHERE rolname = login) END
    ORDER BY place, statement";

/// Maximum attempts of a statement that collides with the same statement of another migration in the cluster.
const ATTEMPTS: u32 = 100;

/// Missing roles, and missing grants of them to the connected login and to `login`.
pub(crate) async fn missing(
    pool: &PgPool,
    roles: &RoleNames,
    login: Option<&str>,
) -> Result<Vec<Repair>, Error> {
    let names = vec![roles.app.clone(), roles.system.clone()];
    let rows: Vec<(String, String, i32)> =
        sqlx::query_as(MISSING).bind(names).bind(login).fetch_all(pool).await?;
    Ok(rows.into_iter().map(|(what, statement, _)| Repair { what, statement }).collect())
}

/// Creates missing roles and grants them to the migrating login and to `login`. Returns descriptions of the changes.
///
/// Changes nothing if nothing is missing, so a normal start does not need the privilege to create roles.
pub(crate) async fn ensure(
    pool: &PgPool,
    roles: &RoleNames,
    login: Option<&str>,
) -> Result<Vec<String>, Error> {
    let (mut repaired, mut collisions) = (Vec::new(), 0);
    loop {
        let missing = missing(pool, roles, login).await?;
        // One at a time: the next missing statement depends on this one, and on what other processes changed meanwhile.
        let Some(Repair { statement, what }) = missing.first() else { return Ok(repaired) };
        match sqlx::query(AssertSqlSafe(statement.as_str())).execute(pool).await {
            Ok(_) => {
                tracing::info!(statement, "changed the database roles");
                repaired.push(what.clone());
            }
            Err(error) if is_permission_denied(&error) => {
                return Err(Error::DatabaseRoles {
                    statements: missing.into_iter().map(|repair| repair.statement).collect(),
                });
            }
            Err(error) if is_collision(&error) && collisions < ATTEMPTS => {
                collisions += 1;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

fn is_permission_denied(error: &SqlxError) -> bool {
    sqlstate(error).as_deref() == Some("42501")
}

/// Duplicate object, unique violation, and the "tuple concurrently updated" error, which has no code of its own.
fn is_collision(error: &SqlxError) -> bool {
    matches!(sqlstate(error).as_deref(), Some("42710" | "23505" | "XX000"))
}

pub(crate) fn sqlstate(error: &SqlxError) -> Option<String> {
    error.as_database_error()?.code().map(Into::into)
}
