//! The database schema of Insula, up and down, for SQLite and PostgreSQL.
//!
//! This crate depends on no other crate of the workspace and opens its own connections. Entities and core types change,
//! but a released migration must not. `migrations/README.md` describes how to change the schema.
#![forbid(unsafe_code)]
#![expect(
    elided_lifetimes_in_paths,
    reason = "`MigrationTrait` is declared with them, and async-trait holds us to it"
)]

mod error;
mod database;
mod lock;
mod session;
mod installation;
mod database_roles;
mod column;
mod schema;
mod search_key;

mod m0001_database_roles;
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
mod m0029_user_search;
mod m0030_search_keys;

mod access;
mod migrator;

use database::Database;
pub use error::Error;
use sea_orm_migration::sea_orm::DbBackend;
use session::MigrationSession;

/// The result of [`upgrade`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Upgrade {
    /// The names of the applied migrations, oldest first.
    pub applied: Vec<String>,
    /// Descriptions of what the existing database lacked and `upgrade` repaired.
    pub repaired: Vec<String>,
}

/// Applies pending migrations and returns their names, oldest first. Several processes can call it at once.
///
/// See [`upgrade`].
///
/// # Errors
/// As [`upgrade`].
pub async fn up(url: &str, login: Option<&str>) -> Result<Vec<String>, Error> {
    Ok(upgrade(url, login).await?.applied)
}

/// Applies pending migrations, then creates what is missing: roles, grants, policies, row-level security, triggers and
/// access to the schema. A dump restored where its roles do not exist lacks them. Several processes can call it at
/// once.
///
/// `login` is the PostgreSQL login of the running application, if it differs from that of `url`. It is granted the two
/// roles of the installation. SQLite ignores it, and creates a missing file and its folder. A schema that a newer
/// program migrated further counts as up to date.
///
/// # Errors
/// `DatabaseRoles` if this login is not allowed to create what is missing. `Database` if a statement failed: that
/// migration and all later ones are then not applied.
pub async fn upgrade(url: &str, login: Option<&str>) -> Result<Upgrade, Error> {
    let session = MigrationSession::open(&url.parse()?).await?;
    let outcome = migrator::up(session.connection(), login).await;
    session.close().await;
    let migrator::UpOutcome { applied, repaired } = outcome?;
    Ok(Upgrade { applied, repaired })
}

/// What [`upgrade`] would repair, as descriptions; empty while migrations are pending. Changes nothing.
///
/// # Errors
/// `Database` when the database does not respond.
pub async fn missing(url: &str, login: Option<&str>) -> Result<Vec<String>, Error> {
    let database: Database = url.parse()?;
    let Some(connection) = database.connect_existing().await? else { return Ok(Vec::new()) };
    let missing = migrator::missing(&connection, login).await;
    connection.close().await?;
    missing
}

/// The id of the installation in this database, in letters that are valid in any name. All processes of an installation
/// get the same id, and a copy of the database gets another one. Creates a missing SQLite file.
///
/// # Errors
/// `Database` when the database does not respond; `File` when the file cannot be opened.
pub async fn installation(url: &str) -> Result<String, Error> {
    installation::id(&url.parse()?).await
}

/// Conflicts between installations of one PostgreSQL cluster, as sentences that name the statements to run.
///
/// # Errors
/// `Database` when the database does not respond.
pub async fn shared(url: &str) -> Result<Vec<String>, Error> {
    let database: Database = url.parse()?;
    let Some(connection) = database.connect_existing().await? else { return Ok(Vec::new()) };
    let shared = match connection.get_database_backend() {
        DbBackend::Postgres => installation::shared(connection.get_postgres_connection_pool()).await,
        _ => Ok(Vec::new()),
    };
    connection.close().await?;
    shared
}

/// Reverts the newest `steps` applied migrations and returns their names, newest first.
///
/// # Errors
/// `Database` if a statement failed, or if a newer program applied migrations that this one does not know.
pub async fn down(url: &str, steps: u32) -> Result<Vec<String>, Error> {
    let session = MigrationSession::open(&url.parse()?).await?;
    let outcome = migrator::down(session.connection(), steps).await;
    session.close().await;
    outcome
}

/// Drops every table of the installation with all rows, then does what [`up`] does.
///
/// On PostgreSQL these are the tables that migrations create, and those that a role of an installation can access. On
/// SQLite, all tables of the file.
///
/// # Errors
/// As [`up`].
pub async fn fresh(url: &str, login: Option<&str>) -> Result<Vec<String>, Error> {
    let session = MigrationSession::open(&url.parse()?).await?;
    let outcome = migrator::fresh(session.connection(), login).await;
    session.close().await;
    outcome
}

/// Every migration in order, and whether it is applied. Migrations that only a newer program knows come last.
///
/// Takes no lock and changes nothing: it creates neither the table of applied migrations nor a missing SQLite file.
///
/// # Errors
/// `Database` when the database does not respond; `Unreadable` when the login is not allowed to read the applied
/// migrations.
pub async fn status(url: &str) -> Result<Vec<(String, bool)>, Error> {
    let database: Database = url.parse()?;
    let Some(connection) = database.connect_existing().await? else {
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
