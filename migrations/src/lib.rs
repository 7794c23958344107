//! The schema of Insula, forward and back, on SQLite and PostgreSQL.
//!
//! Stands alone: it opens its own connections and knows neither entities nor the types of the core, because those
//! move on and a released migration must not. How to change the schema: `migrations/README.md`.
#![forbid(unsafe_code)]
#![expect(
    elided_lifetimes_in_paths,
    reason = "`MigrationTrait` is declared with them, and async-trait holds us to it"
)]

mod access;
mod column;
mod database;
mod error;
mod hats;
mod installation;
mod lock;
mod migrator;
mod schema;

mod m0001_hats;
mod m0002_users;
mod m0003_organizations;
mod m0004_members;
mod m0005_projects;
mod m0006_audit_events;
mod m0007_outbox;
mod m0008_idempotency_keys;
mod m0009_signing_keys;
mod m0010_one_time_tokens;
mod m0011_emails;
mod m0012_schedules;
mod m0013_role_permissions;
mod m0014_invitations;
mod m0015_owner_transfers;
mod m0016_slug_history;
mod m0017_organization_settings;
mod m0018_user_lists;
mod m0019_member_order;
mod m0020_audit_chain;
mod m0021_project_details;
mod m0022_tasks;
mod m0023_time_entries;
mod m0026_renamed_keys;
mod m0028_presented_tokens;

use database::{Database, Session};
pub use error::Error;
use sea_orm_migration::sea_orm::DbBackend;

/// What [`up`] did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Upgrade {
    /// The names of the migrations that it applied, oldest first.
    pub applied: Vec<String>,
    /// What it found lacking in a database that was there before, and put right; for people.
    pub repaired: Vec<String>,
}

/// Applies what is pending and returns the names applied, oldest first; several processes may call it at once.
///
/// As [`upgrade`].
///
/// # Errors
/// As [`upgrade`].
pub async fn up(url: &str, login: Option<&str>) -> Result<Vec<String>, Error> {
    Ok(upgrade(url, login).await?.applied)
}

/// Applies what is pending, then puts right what is lacking: roles, grants, policies, row security, triggers, the right to
/// use the schema. A dump that is restored where its roles are not there lacks them. Several processes may call it at once.
///
/// `login` is the PostgreSQL login of the running application where it differs from that of `url`: it is granted the
/// two roles of the installation. SQLite ignores it and creates the file, and its folder, when missing.
/// A schema that a newer program has migrated further counts as up to date.
///
/// # Errors
/// `Hats` when something is lacking that this login may not put right; `Database` when a statement failed: that
/// migration, and every one after it, is then not applied at all.
pub async fn upgrade(url: &str, login: Option<&str>) -> Result<Upgrade, Error> {
    let session = Session::open(&url.parse()?).await?;
    let outcome = migrator::up(session.connection(), login).await;
    session.close().await;
    let migrator::Done { applied, repaired } = outcome?;
    Ok(Upgrade { applied, repaired })
}

/// What [`upgrade`] would put right, for people; nothing while migrations are pending. Changes nothing.
///
/// # Errors
/// `Database` when the database does not respond.
pub async fn missing(url: &str, login: Option<&str>) -> Result<Vec<String>, Error> {
    let database: Database = url.parse()?;
    let Some(connection) = database.look().await? else { return Ok(Vec::new()) };
    let missing = migrator::missing(&connection, login).await;
    connection.close().await?;
    missing
}

/// The id of the installation in this database, in letters that any name may have. All processes of an installation see
/// the same one, and a copy of the database has another. Makes a SQLite file that is not there yet.
///
/// # Errors
/// `Database` when the database does not respond; `File` when the file cannot be opened.
pub async fn installation(url: &str) -> Result<String, Error> {
    installation::id(&url.parse()?).await
}

/// What installations of one PostgreSQL cluster may do to each other, in sentences that say what to run.
///
/// # Errors
/// `Database` when the database does not respond.
pub async fn shared(url: &str) -> Result<Vec<String>, Error> {
    let database: Database = url.parse()?;
    let Some(connection) = database.look().await? else { return Ok(Vec::new()) };
    let shared = match connection.get_database_backend() {
        DbBackend::Postgres => installation::shared(connection.get_postgres_connection_pool()).await,
        _ => Ok(Vec::new()),
    };
    connection.close().await?;
    shared
}

/// Reverts the newest `steps` migrations that are applied and returns their names, newest first.
///
/// # Errors
/// `Database` when a statement failed, or when a newer program has applied migrations that this one does not know.
pub async fn down(url: &str, steps: u32) -> Result<Vec<String>, Error> {
    let session = Session::open(&url.parse()?).await?;
    let outcome = migrator::down(session.connection(), steps).await;
    session.close().await;
    outcome
}

/// Drops every table of ours with all its rows, then does what [`up`] does.
///
/// On PostgreSQL "ours" are the tables that migrations make, and those that a role of an installation was granted; on
/// SQLite all tables of the file.
///
/// # Errors
/// As [`up`].
pub async fn fresh(url: &str, login: Option<&str>) -> Result<Vec<String>, Error> {
    let session = Session::open(&url.parse()?).await?;
    let outcome = migrator::fresh(session.connection(), login).await;
    session.close().await;
    outcome
}

/// Every migration in order with whether it is applied; those that only a newer program knows come last.
///
/// Takes no lock and changes nothing: it creates neither the bookkeeping table nor a missing SQLite file.
///
/// # Errors
/// `Database` when the database does not respond; `Unreadable` when the login may not read the bookkeeping table.
pub async fn status(url: &str) -> Result<Vec<(String, bool)>, Error> {
    let database: Database = url.parse()?;
    let Some(connection) = database.look().await? else {
        return Ok(migrator::status(&[]));
    };
    let applied = migrator::applied(&connection).await;
    connection.close().await?;
    Ok(migrator::status(&applied?))
}

/// Whether a migration is pending that [`up`] would apply.
///
/// # Errors
/// As [`status`].
pub async fn pending(url: &str) -> Result<bool, Error> {
    Ok(status(url).await?.iter().any(|(_, applied)| !applied))
}
