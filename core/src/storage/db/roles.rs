//! What the two PostgreSQL roles of this installation are called. Roles belong to a whole cluster, so every installation
//! has its own; the policies of its tables name them.

use std::sync::{Arc, Mutex, PoisonError};

use sea_orm::{DbErr, RuntimeErr};
use sqlx::Row;

use super::{
    error::query,
    pools::Pools,
    session::{Session, within},
};
use crate::{Error, Result};

/// The two roles, as SQL spells them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Roles {
    /// Sees and changes the rows of one organization.
    pub(super) app: String,
    /// Reads all rows and changes none.
    pub(super) system: String,
}

/// The roles, once they were looked up. Cheap to clone; clones know the same.
#[derive(Clone, Default)]
pub(super) struct KnownRoles(Arc<Mutex<Option<Arc<Roles>>>>);

/// Reads the catalogue alone: a login may lack the right to use the schema before it takes on a role.
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
    /// What they are called; looked up the first time. On SQLite, which has no roles, nothing.
    ///
    /// # Errors
    /// `Misconfigured` where the database has none yet; whatever keeps it from answering.
    pub(super) async fn get(&self, pools: &Pools) -> Result<Arc<Roles>> {
        if let Some(known) = &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            return Ok(Arc::clone(known));
        }
        let found = Arc::new(look_up(pools).await?);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&found));
        Ok(found)
    }

    /// Makes the next one look again, if the database says that they are others by now.
    pub(super) fn doubt(&self, error: &Error) -> bool {
        let doubtful = is_of_a_role(error);
        if doubtful {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
        doubtful
    }
}

async fn look_up(pools: &Pools) -> Result<Roles> {
    let Pools::Postgres { pool, patience, health } = pools else { return Ok(Roles::default()) };
    let mut session = Session::begin(pool, health, Some(*patience), "BEGIN", false).await.map_err(query)?;
    let asked = sqlx::query(ROLES);
    let row = within(session.patience(), asked.fetch_optional(session.enter().map_err(query)?)).await;
    let row = session.left(row).map_err(query)?;
    let row = row.ok_or(Error::Misconfigured(
        "the roles and policies of this installation are missing in the database: run `insula migrate up`",
    ))?;
    Ok(Roles { app: row.get(0), system: row.get(1) })
}

/// Is the role not there (`invalid_parameter_value`), or may the login not use it (`insufficient_privilege`)?
fn is_of_a_role(error: &Error) -> bool {
    let Error::Storage(
        DbErr::Query(RuntimeErr::SqlxError(error)) | DbErr::Exec(RuntimeErr::SqlxError(error)),
    ) = error
    else {
        return false;
    };
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    matches!(code.as_deref(), Some("22023" | "42501"))
}
