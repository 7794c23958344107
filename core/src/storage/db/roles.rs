//! The names of the two PostgreSQL roles of this installation. Roles belong to a whole PostgreSQL cluster, so every
//! installation has its own roles, which the policies of its tables contain.

use std::sync::{Arc, Mutex, PoisonError};

use sea_orm::{DbErr, RuntimeErr};
use sqlx::Row;

use super::{
    error::query,
    pools::Pools,
    session::{DatabaseSession, within},
};
use crate::{Error, Result};

/// The two roles, quoted for SQL.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct QuotedRoles {
    /// Reads and changes the rows of one organization.
    pub(super) app: String,
    /// Reads all rows and changes none.
    pub(super) system: String,
}

/// The roles, after they were looked up. Cheap to clone; all clones share one value.
#[derive(Clone, Default)]
pub(super) struct KnownRoles(Arc<Mutex<Option<Arc<QuotedRoles>>>>);

/// Reads only the catalogue, because a login may lack the privilege to use the schema before it sets a role.
const ROLES: &str = r#"
    SELECT quote_ident(app.rolname), quote_ident(sys.rolname)
    FROM unnest(string_to_array(current_setting('search_path'), ',')) WITH ORDINALITY AS word (name, place)
    JOIN pg_namespace n ON n.nspname = CASE btrim(name)
        WHEN '"$user"' THEN current_user::text WHEN '""' THEN NULL ELSE (parse_ident(btrim(name)))[1] END
    JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = 'organizations'
    JOIN pg_policy a ON a.polrelid = c.oid AND a.polname = 'own_organization'
    JOIN pg_policy s ON s.polrelid = c.oid AND s.polname = 'system_read'
    JOIN pg_roles app ON app.oid = a.polroles[1] JOIN pg_roles sys ON sys.oid = s.polroles[1]
    ORDER BY place LIMIT 1"#;

impl KnownRoles {
    /// The roles. They are looked up the first time. On SQLite, which has no roles, the names are empty.
    ///
    /// # Errors
    /// `Misconfigured` if the database has no roles yet; other errors if it does not answer.
    pub(super) async fn get(&self, pools: &Pools) -> Result<Arc<QuotedRoles>> {
        if let Some(known) = &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            return Ok(Arc::clone(known));
        }
        let found = Arc::new(look_up(pools).await?);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&found));
        Ok(found)
    }

    /// Forgets the roles if the error means that they were changed. Returns whether it does.
    pub(super) fn forget_if_outdated(&self, error: &Error) -> bool {
        let is_outdated = is_role_error(error);
        if is_outdated {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
        is_outdated
    }
}

async fn look_up(pools: &Pools) -> Result<QuotedRoles> {
    let Pools::Postgres { pool, timeouts, health } = pools else { return Ok(QuotedRoles::default()) };
    let mut session =
        DatabaseSession::begin(pool, health, Some(*timeouts), "BEGIN", false).await.map_err(query)?;
    let asked = sqlx::query(ROLES);
    let row =
        within(session.statement_timeout(), asked.fetch_optional(session.start_statement().map_err(query)?))
            .await;
    let row = session.end_statement(row).map_err(query)?;
    let row = row.ok_or(Error::Misconfigured(
        "the roles and policies of this installation are missing in the database: run `insula migrate up`",
    ))?;
    Ok(QuotedRoles { app: row.get(0), system: row.get(1) })
}

/// Does the role not exist (`invalid_parameter_value`), or may the login not use it (`insufficient_privilege`)?
fn is_role_error(error: &Error) -> bool {
    let Error::Storage(
        DbErr::Query(RuntimeErr::SqlxError(error)) | DbErr::Exec(RuntimeErr::SqlxError(error)),
    ) = error
    else {
        return false;
    };
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    matches!(code.as_deref(), Some("22023" | "42501"))
}
