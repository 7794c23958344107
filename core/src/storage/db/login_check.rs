//! Whether the PostgreSQL login is fit for production: it wears the hats, owns nothing and passes no wall by itself.

use sqlx::Row;

use super::{Db, error::query, pools::Pools};
use crate::Result;

/// What makes a login too powerful.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExcessiveLogin {
    /// The login.
    pub login: String,
    /// What it may that it should not, for people.
    pub powers: Vec<&'static str>,
}

impl Db {
    /// `None` where the login has no power beyond the hats, and on SQLite, which has no logins.
    ///
    /// # Errors
    /// Whatever keeps the database from answering.
    pub async fn login_fault(&self) -> Result<Option<ExcessiveLogin>> {
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
        let named = ["is a superuser", "bypasses row-level security", "owns tables"];
        let powers: Vec<_> = named
            .into_iter()
            .enumerate()
            .filter(|(at, _)| row.get::<bool, _>(at + 1))
            .map(|(_, name)| name)
            .collect();
        Ok((!powers.is_empty()).then(|| ExcessiveLogin { login: row.get(0), powers }))
    }
}
