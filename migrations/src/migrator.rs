//! The ordered list, and what is done with it on a connection that nobody else migrates with.

use sea_orm_migration::{
    prelude::*,
    sea_orm::{DatabaseConnection, DbBackend, EntityTrait, QueryOrder, Statement, TransactionTrait},
    seaql_migrations,
};

use crate::{Error, hats};

struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(crate::m0001_hats::Migration),
            Box::new(crate::m0002_users::Migration),
            Box::new(crate::m0003_organizations::Migration),
            Box::new(crate::m0004_members::Migration),
            Box::new(crate::m0005_projects::Migration),
            Box::new(crate::m0006_audit_events::Migration),
            Box::new(crate::m0007_outbox::Migration),
            Box::new(crate::m0008_idempotency_keys::Migration),
            Box::new(crate::m0009_signing_keys::Migration),
            Box::new(crate::m0010_one_time_tokens::Migration),
            Box::new(crate::m0011_emails::Migration),
            Box::new(crate::m0012_schedules::Migration),
            Box::new(crate::m0013_role_permissions::Migration),
            Box::new(crate::m0014_invitations::Migration),
            Box::new(crate::m0015_owner_transfers::Migration),
            Box::new(crate::m0016_slug_history::Migration),
            Box::new(crate::m0017_organization_settings::Migration),
            Box::new(crate::m0018_user_lists::Migration),
            Box::new(crate::m0019_member_order::Migration),
            Box::new(crate::m0020_audit_chain::Migration),
            Box::new(crate::m0021_project_details::Migration),
            Box::new(crate::m0022_tasks::Migration),
            Box::new(crate::m0023_time_entries::Migration),
            Box::new(crate::m0026_renamed_keys::Migration),
            Box::new(crate::m0028_presented_tokens::Migration),
        ]
    }
}

/// The names this program knows, in order.
fn known() -> Vec<String> {
    Migrator::migrations().iter().map(|migration| migration.name().to_owned()).collect()
}

pub(crate) fn status(applied: &[String]) -> Vec<(String, bool)> {
    let known = known();
    let newer: Vec<_> =
        applied.iter().filter(|name| !known.contains(name)).map(|name| (name.clone(), true)).collect();
    known.into_iter().map(|name| (name.clone(), applied.contains(&name))).chain(newer).collect()
}

/// The names the database remembers, in order; none when it has no bookkeeping table yet.
pub(crate) async fn applied(db: &DatabaseConnection) -> Result<Vec<String>, DbErr> {
    // Not information_schema, which hides what the login may not read: that must be an error, not "nothing applied".
    let backend = db.get_database_backend();
    let sql = match backend {
        DbBackend::Postgres => "SELECT to_regclass('seaql_migrations') IS NOT NULL AS there",
        _ => "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE name = 'seaql_migrations') AS there",
    };
    let row = db.query_one_raw(Statement::from_string(backend, sql)).await?;
    if !row.map(|row| row.try_get("", "there")).transpose()?.unwrap_or(false) {
        return Ok(Vec::new());
    }
    if backend == DbBackend::Postgres {
        wear_hat_to_read(db).await?;
    }
    let rows =
        seaql_migrations::Entity::find().order_by_asc(seaql_migrations::Column::Version).all(db).await?;
    Ok(rows.into_iter().map(|row| row.version).collect())
}

/// The login of the application owns nothing and inherits nothing: it reads under a hat, on this one connection.
async fn wear_hat_to_read(db: &DatabaseConnection) -> Result<(), DbErr> {
    let sql = "SELECT has_table_privilege('seaql_migrations', 'SELECT') AS readable";
    let row = db.query_one_raw(Statement::from_string(DbBackend::Postgres, sql)).await?;
    if !row.map(|row| row.try_get("", "readable")).transpose()?.unwrap_or(false) {
        db.execute_unprepared("SET ROLE insula_system").await?;
    }
    Ok(())
}

pub(crate) async fn up(db: &DatabaseConnection, login: Option<&str>) -> Result<Vec<String>, Error> {
    if db.get_database_backend() == DbBackend::Postgres {
        hats::fit(db.get_postgres_connection_pool(), login).await?;
    }
    let applied = applied(db).await?;
    let pending: Vec<String> = known().into_iter().filter(|name| !applied.contains(name)).collect();
    // Also spares a current schema the "IF NOT EXISTS", and lets an older program start on a newer schema.
    if !pending.is_empty() {
        Migrator::up(db, None).await?;
    }
    Ok(pending)
}

pub(crate) async fn down(db: &DatabaseConnection, steps: u32) -> Result<Vec<String>, Error> {
    let steps_taken = usize::try_from(steps).unwrap_or(usize::MAX);
    let reverted: Vec<String> = applied(db).await?.into_iter().rev().take(steps_taken).collect();
    if !reverted.is_empty() {
        Migrator::down(db, Some(steps)).await?;
    }
    Ok(reverted)
}

pub(crate) async fn fresh(db: &DatabaseConnection, login: Option<&str>) -> Result<Vec<String>, Error> {
    let transaction = db.begin().await?;
    let backend = transaction.get_database_backend();
    let (tables, cascade) = match backend {
        DbBackend::Postgres => (GRANTED_TABLES, " CASCADE"),
        // In any order: this connection does not enforce foreign keys.
        _ => ("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'", ""),
    };
    for row in transaction.query_all_raw(Statement::from_string(backend, tables)).await? {
        let name: String = row.try_get("", "name")?;
        transaction.execute_unprepared(&format!(r#"DROP TABLE "{name}"{cascade}"#)).await?;
    }
    transaction.commit().await?;
    up(db, login).await
}

/// What `insula_app` may use is ours, tables of other branches and releases included, and nothing else is.
const GRANTED_TABLES: &str = "
    SELECT relname::text AS name FROM pg_class
    WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace
      AND (relname = 'seaql_migrations' OR EXISTS (
        SELECT FROM aclexplode(relacl) JOIN pg_roles ON oid = grantee WHERE rolname = 'insula_app'))";
