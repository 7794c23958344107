//! The ordered list, and what is done with it on a connection that nobody else migrates with.

use sea_orm_migration::{
    prelude::*,
    sea_orm::{DatabaseConnection, DbBackend, EntityTrait, QueryOrder, Statement, TransactionTrait},
    seaql_migrations,
};

use crate::{
    Error, access, hats,
    installation::{self, Place, Roles},
};

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
///
/// # Errors
/// `Unreadable` when the login may not read them, not even by the role of the system.
pub(crate) async fn applied(db: &DatabaseConnection) -> Result<Vec<String>, Error> {
    let backend = db.get_database_backend();
    let there = match backend {
        DbBackend::Postgres => take_role_to_read(db).await?,
        _ => {
            let sql = "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE name = 'seaql_migrations') AS there";
            is(db, sql).await?
        }
    };
    if !there {
        return Ok(Vec::new());
    }
    let rows =
        seaql_migrations::Entity::find().order_by_asc(seaql_migrations::Column::Version).all(db).await?;
    Ok(rows.into_iter().map(|row| row.version).collect())
}

/// Is there a bookkeeping table? The login of the application owns nothing and inherits nothing: it reads it by a role, on
/// this one connection. Asks the catalogue: who may not use a schema does not see what is in it.
async fn take_role_to_read(db: &DatabaseConnection) -> Result<bool, Error> {
    let place = Place::find(db.get_postgres_connection_pool()).await?;
    let ask = |then: &str| {
        let schema = place.schema.replace('\'', "''");
        format!(
            "SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE nspname = '{schema}' AND relname = 'seaql_migrations' {then}) AS there"
        )
    };
    let readable = "AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')";
    let there = is(db, &ask("")).await?;
    if there && !is(db, &ask(readable)).await? {
        let Some(Roles { system, .. }) = &place.present else { return Err(Error::Unreadable) };
        let taken = db.execute_unprepared(&format!("SET ROLE {}", access::quoted(system))).await;
        if taken.is_err() || !is(db, &ask(readable)).await? {
            return Err(Error::Unreadable);
        }
    }
    Ok(there)
}

/// The one truth value that a query answers with as `there`.
async fn is(db: &DatabaseConnection, sql: &str) -> Result<bool, DbErr> {
    let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), sql)).await?;
    Ok(row.map(|row| row.try_get("", "there")).transpose()?.unwrap_or(false))
}

/// What `up` did, in the order in which it did it.
#[derive(Debug, Default)]
pub(crate) struct Done {
    pub(crate) applied: Vec<String>,
    pub(crate) repaired: Vec<String>,
}

pub(crate) async fn up(db: &DatabaseConnection, login: Option<&str>) -> Result<Done, Error> {
    let place = match db.get_database_backend() {
        DbBackend::Postgres => Some(Place::find(db.get_postgres_connection_pool()).await?),
        _ => None,
    };
    let mut done = Done::default();
    if let Some(place) = &place {
        done.repaired = hats::fit(db.get_postgres_connection_pool(), &place.roles, login).await?;
        installation::tell(db, &place.roles).await?;
    }
    let (known, applied) = (known(), applied(db).await?);
    let is_new = applied.is_empty();
    done.applied = known.iter().filter(|name| !applied.contains(name)).cloned().collect();
    // Also spares a current schema the "IF NOT EXISTS", and lets an older program start on a newer schema.
    if !done.applied.is_empty() {
        Migrator::up(db, None).await?;
    }
    // What a newer program has changed is not ours to put right.
    if let Some(place) = place
        && applied.iter().all(|name| known.contains(name))
    {
        let pool = db.get_postgres_connection_pool();
        done.repaired.extend(access::repair(pool, &place).await?);
        access::retire(pool, &place).await;
    }
    if is_new {
        done.repaired.clear();
    }
    Ok(done)
}

/// What [`up`] would repair, in words; nothing while migrations are pending, since those are first.
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
    let place = Place::find(pool).await?;
    let mut lacks = hats::missing(pool, &place.roles, login).await?;
    lacks.extend(access::lacking(pool, &place).await?);
    Ok(lacks.into_iter().map(|lack| lack.what).collect())
}

pub(crate) async fn down(db: &DatabaseConnection, steps: u32) -> Result<Vec<String>, Error> {
    let steps_taken = usize::try_from(steps).unwrap_or(usize::MAX);
    if db.get_database_backend() == DbBackend::Postgres {
        let place = Place::find(db.get_postgres_connection_pool()).await?;
        installation::tell(db, place.present.as_ref().unwrap_or(&place.roles)).await?;
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
    let names = access::tables().iter().map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ");
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

/// The tables that we make, and those that a role of ours may use: of other branches and releases.
const GRANTED_TABLES: &str = "
    SELECT relname::text AS name FROM pg_class
    WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace
      AND (relname IN ($tables) OR EXISTS (
        SELECT FROM aclexplode(relacl) JOIN pg_roles ON oid = grantee
        WHERE rolname ~ '^insula_app(_[0-9a-f]{12})?$'))";
