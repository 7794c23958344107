//! Checks the PostgreSQL login for production. It must be a member of the two roles, own no tables and not bypass
//! row-level security.

use sqlx::Row;

use super::{Db, error::query, pools::Pools};
use crate::Result;

/// A login with too many privileges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExcessiveLogin {
    /// Name of the login.
    pub login: String,
    /// The privileges that it must not have, for people.
    pub privileges: Vec<&'static str>,
}

impl Db {
    /// `None` if the login has no privileges except its roles, and on SQLite, which has no logins.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn excessive_login(&self) -> Result<Option<ExcessiveLogin>> {
        let Pools::Postgres { pool, .. } = &self.pools else { return Ok(None) };
        let row = sqlx::query(
            "SELECT rolname::text, rolsuper, rolbypassrls, \
             EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
                     WHERE c.relowner = r.oid AND c.relkind IN ('r', 'p') AND n.nspname = current_schema()) \
             FROM pg_roles r WHERE rolname = current_user",
        )
        .fetch_one(pool)
        .await
        .map_err(query)?;
        let names = ["is a superuser", "bypasses row-level security", "owns tables"];
        let privileges: Vec<_> = names
            .into_iter()
            .enumerate()
            .filter(|(at, _)| row.get::<bool, _>(at + 1))
            .map(|(_, name)| name)
            .collect();
        Ok((!privileges.is_empty()).then(|| ExcessiveLogin { login: row.get(0), privileges }))
    }
}
