//! The ordered list of migrations, and the operations on it. The caller holds the lock.

use sea_orm_migration::{
    prelude::*,
    sea_orm::{DatabaseConnection, DbBackend, EntityTrait, QueryOrder, Statement, TransactionTrait},
    seaql_migrations,
};

use crate::{
    Error, access, database_roles,
    installation::{self, RoleNames, SchemaLocation},
};

struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(crate::m0001_database_roles::Migration),
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
            Box::new(crate::m0029_user_search::Migration),
            Box::new(crate::m0030_search_keys::Migration),
        ]
    }
}

/// The names of the migrations that this program knows, in order.
fn known() -> Vec<String> {
    Migrator::migrations().iter().map(|migration| migration.name().to_owned()).collect()
}

pub(crate) fn status(applied: &[String]) -> Vec<(String, bool)> {
    let known = known();
    let newer: Vec<_> =
        applied.iter().filter(|name| !known.contains(name)).map(|name| (name.clone(), true)).collect();
    known.into_iter().map(|name| (name.clone(), applied.contains(&name))).chain(newer).collect()
}

/// The names of the applied migrations, in order; empty before the first migration.
///
/// # Errors
/// `Unreadable` when the login is not allowed to read them, even with the system role.
pub(crate) async fn applied(db: &DatabaseConnection) -> Result<Vec<String>, Error> {
    let backend = db.get_database_backend();
    let exists = match backend {
        DbBackend::Postgres => set_role_to_read(db).await?,
        _ => {
            let sql = "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE name = 'seaql_migrations') AS there";
            query_bool(db, sql).await?
        }
    };
    if !exists {
        return Ok(Vec::new());
    }
    let rows =
        seaql_migrations::Entity::find().order_by_asc(seaql_migrations::Column::Version).all(db).await?;
    Ok(rows.into_iter().map(|row| row.version).collect())
}

/// Whether the table of applied migrations exists. The login of the application owns and inherits nothing, so it reads
/// the table with a role that is set on this connection. The query uses the catalogue, because a login without access
/// to a schema cannot see its tables.
async fn set_role_to_read(db: &DatabaseConnection) -> Result<bool, Error> {
    let location = SchemaLocation::find(db.get_postgres_connection_pool()).await?;
    let query = |then: &str| {
        let schema = location.schema.replace('\'', "''");
        format!(
            "SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE nspname = '{schema}' AND relname = 'seaql_migrations' {then}) AS there"
        )
    };
    let readable = "AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')";
    let exists = query_bool(db, &query("")).await?;
    if exists && !query_bool(db, &query(readable)).await? {
        let Some(RoleNames { system, .. }) = &location.current_roles else { return Err(Error::Unreadable) };
        let role_set = db.execute_unprepared(&format!("SET ROLE {}", installation::quoted(system))).await;
        if role_set.is_err() || !query_bool(db, &query(readable)).await? {
            return Err(Error::Unreadable);
        }
    }
    Ok(exists)
}

/// Runs a query that returns one boolean named `there`.
async fn query_bool(db: &DatabaseConnection, sql: &str) -> Result<bool, DbErr> {
    let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), sql)).await?;
    Ok(row.map(|row| row.try_get("", "there")).transpose()?.unwrap_or(false))
}

/// What `up` did.
#[derive(Debug, Default)]
pub(crate) struct UpOutcome {
    pub(crate) applied: Vec<String>,
    pub(crate) repaired: Vec<String>,
}

pub(crate) async fn up(db: &DatabaseConnection, login: Option<&str>) -> Result<UpOutcome, Error> {
    let location = match db.get_database_backend() {
        DbBackend::Postgres => Some(SchemaLocation::find(db.get_postgres_connection_pool()).await?),
        _ => None,
    };
    let mut outcome = UpOutcome::default();
    if let Some(location) = &location {
        outcome.repaired =
            database_roles::ensure(db.get_postgres_connection_pool(), &location.roles, login).await?;
        installation::set_role_names(db, &location.roles).await?;
    }
    let (known, applied) = (known(), applied(db).await?);
    let is_new = applied.is_empty();
    outcome.applied = known.iter().filter(|name| !applied.contains(name)).cloned().collect();
    // Also skips the "IF NOT EXISTS" on a current schema, and lets an older program start on a newer schema.
    if !outcome.applied.is_empty() {
        Migrator::up(db, None).await?;
    }
    // Changes by a newer program are not repaired.
    if let Some(location) = location
        && applied.iter().all(|name| known.contains(name))
    {
        let pool = db.get_postgres_connection_pool();
        outcome.repaired.extend(access::repair(pool, &location).await?);
        access::drop_unused_roles(pool, &location).await;
    }
    if is_new {
        outcome.repaired.clear();
    }
    Ok(outcome)
}

/// What [`up`] would repair, as descriptions; empty while migrations are pending, because they come first.
pub(crate) async fn missing(db: &DatabaseConnection, login: Option<&str>) -> Result<Vec<String>, Error> {
    if db.get_database_backend() != DbBackend::Postgres {
        return Ok(Vec::new());
    }
    let known = known();
    match applied(db).await {
        Ok(applied) if applied.len() != known.len() || applied.iter().any(|name| !known.contains(name)) => {
            return Ok(Vec::new());
        }
        // A login that cannot read it lacks privileges.
        Ok(_) | Err(Error::Unreadable) => {}
        Err(error) => return Err(error),
    }
    db.execute_unprepared("RESET ROLE").await?;
    let pool = db.get_postgres_connection_pool();
    let location = SchemaLocation::find(pool).await?;
    let mut repairs = database_roles::missing(pool, &location.roles, login).await?;
    repairs.extend(access::needed_repairs(pool, &location).await?);
    Ok(repairs.into_iter().map(|repair| repair.what).collect())
}

pub(crate) async fn down(db: &DatabaseConnection, steps: u32) -> Result<Vec<String>, Error> {
    let steps_taken = usize::try_from(steps).unwrap_or(usize::MAX);
    if db.get_database_backend() == DbBackend::Postgres {
        let location = SchemaLocation::find(db.get_postgres_connection_pool()).await?;
        installation::set_role_names(db, location.current_roles.as_ref().unwrap_or(&location.roles)).await?;
    }
    let reverted: Vec<String> = applied(db).await?.into_iter().rev().take(steps_taken).collect();
    if !reverted.is_empty() {
        Migrator::down(db, Some(steps)).await?;
    }
    Ok(reverted)
}

pub(crate) async fn fresh(db: &DatabaseConnection, login: Option<&str>) -> Result<Vec<String>, Error> {
    let transaction = db.begin().await?;
    let backend = transaction.get_database_backend();
    let names = access::table_names().iter().map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ");
    let (tables, cascade) = match backend {
        DbBackend::Postgres => (GRANTED_TABLES.replace("$tables", &names), " CASCADE"),
        // In any order: this connection does not enforce foreign keys.
        _ => (
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'".to_owned(),
            "",
        ),
    };
    for row in transaction.query_all_raw(Statement::from_string(backend, tables)).await? {
        let name: String = row.try_get("", "name")?;
        transaction.execute_unprepared(&format!(r#"DROP TABLE "{name}"{cascade}"#)).await?;
    }
    transaction.commit().await?;
    Ok(up(db, login).await?.applied)
}

/// The tables that the migrations create, and those that a role of an installation can access, such as tables of other
/// branches and releases.
const GRANTED_TABLES: &str = "
    SELECT relname::text AS name FROM pg_class
    WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace
      AND (relname IN ($tables) OR EXISTS (
        SELECT FROM aclexplode(relacl) JOIN pg_roles ON oid = grantee
        WHERE rolname ~ '^insula_app(_[0-9a-f]{12})?$'))";
