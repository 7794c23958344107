//! What distinguishes this installation from others on the same servers: an id, and the PostgreSQL roles named after
//! it.

use std::{fs::File, os::unix::fs::MetadataExt, time::UNIX_EPOCH};

use sea_orm_migration::sea_orm::{
    ConnectionTrait, DbBackend, DbErr, Statement,
    sqlx::{self, PgPool, Row},
};

use crate::{Error, database::Database};

/// The two roles that transactions use. Roles belong to a whole cluster, so each installation has its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RoleNames {
    /// Reads and changes the rows of one organization.
    pub(crate) app: String,
    /// Reads all rows and changes none.
    pub(crate) system: String,
}

impl RoleNames {
    /// The names for a new installation.
    fn of(id: &str) -> Self {
        Self { app: format!("insula_app_{id}"), system: format!("insula_system_{id}") }
    }

    /// Whether these are the names that earlier versions used for all installations of a cluster.
    pub(crate) fn are_legacy(&self) -> bool {
        self.app == "insula_app" || self.system == "insula_system"
    }
}

/// Stores the names of the two roles in the session, for [`with_own_roles`].
pub(crate) async fn set_role_names(
    connection: &impl ConnectionTrait,
    roles: &RoleNames,
) -> Result<(), DbErr> {
    for (setting, role) in [("insula.app_role", &roles.app), ("insula.system_role", &roles.system)] {
        let sql = "SELECT set_config($1, $2, false)";
        let values = [setting.into(), role.as_str().into()];
        connection.execute_raw(Statement::from_sql_and_values(DbBackend::Postgres, sql, values)).await?;
    }
    Ok(())
}

/// Replaces the role names in the statements of a migration by those of this installation.
pub(crate) async fn with_own_roles(connection: &impl ConnectionTrait, sql: &str) -> Result<String, DbErr> {
    let query =
        "SELECT current_setting('insula.app_role') AS app, current_setting('insula.system_role') AS sys";
    let row = connection.query_one_raw(Statement::from_string(DbBackend::Postgres, query)).await?;
    let row =
        row.ok_or_else(|| DbErr::Custom("the names of the roles are not set in this session".into()))?;
    let (app, system): (String, String) = (row.try_get("", "app")?, row.try_get("", "sys")?);
    Ok(sql.replace("insula_app", &quoted(&app)).replace("insula_system", &quoted(&system)))
}

/// The schema of an installation in a PostgreSQL database, and the roles that use it.
#[derive(Debug)]
pub(crate) struct SchemaLocation {
    pub(crate) schema: String,
    /// The roles that the policies name; `None` before the first migration, and in a dump restored without them.
    pub(crate) current_roles: Option<RoleNames>,
    /// The roles that the installation must have.
    pub(crate) roles: RoleNames,
}

/// Schema, id, and the roles of the policies on `organizations`. Reads only the catalogue, because a login can lack
/// access to the schema before it sets a role. The schema is the first in the search path that has these tables,
/// otherwise the first that exists.
const LOCATION: &str = r#"
    WITH path AS (
        SELECT n.oid, n.nspname, place
        FROM unnest(string_to_array(current_setting('search_path'), ',')) WITH ORDINALITY AS word (name, place)
        JOIN pg_namespace n ON n.nspname = CASE btrim(name)
            WHEN '"$user"' THEN current_user::text WHEN '""' THEN NULL ELSE (parse_ident(btrim(name)))[1] END
    ), home AS (
        SELECT oid, nspname FROM path ORDER BY NOT EXISTS (
            SELECT FROM pg_class WHERE relnamespace = path.oid AND relname = 'seaql_migrations'), place LIMIT 1
    )
    SELECT nspname::text, app.rolname::text, sys.rolname::text,
           substr(encode(sha256(convert_to(concat_ws('/', $1::text,
               (SELECT oid FROM pg_database WHERE datname = current_database()), home.oid), 'UTF8')), 'hex'), 1, 12)
    FROM home
    LEFT JOIN pg_class c ON c.relnamespace = home.oid AND c.relname = 'organizations'
    LEFT JOIN pg_policy a ON a.polrelid = c.oid AND a.polname = 'own_organization'
    LEFT JOIN pg_policy s ON s.polrelid = c.oid AND s.polname = 'system_read'
    LEFT JOIN pg_roles app ON app.oid = a.polroles[1]
    LEFT JOIN pg_roles sys ON sys.oid = s.polroles[1]"#;

/// Whether policies of another database, or of another schema of this one, name a role.
const IS_SHARED: &str = "
    SELECT EXISTS (
        SELECT FROM pg_shdepend d
        LEFT JOIN pg_policy p ON d.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
            AND d.classid = 'pg_policy'::regclass AND p.oid = d.objid
        LEFT JOIN pg_class c ON c.oid = p.polrelid
        WHERE d.refclassid = 'pg_authid'::regclass AND d.deptype = 'r'
          AND d.refobjid IN (SELECT oid FROM pg_roles WHERE rolname = ANY($1))
          AND (c.oid IS NULL OR c.relnamespace <> (SELECT oid FROM pg_namespace WHERE nspname = $2)))";

impl SchemaLocation {
    /// # Errors
    /// `Schema` when no schema of the search path exists.
    pub(crate) async fn find(pool: &PgPool) -> Result<Self, Error> {
        let row = sqlx::query(LOCATION).bind(cluster(pool).await?).fetch_optional(pool).await?;
        let row = row.ok_or(Error::Schema)?;
        let (schema, app, system): (String, Option<String>, Option<String>) =
            (row.get(0), row.get(1), row.get(2));
        let current_roles = app.zip(system).map(|(app, system)| RoleNames { app, system });
        let own = RoleNames::of(row.get(3));
        let roles = match &current_roles {
            // A renamed database keeps its roles, and so does a database moved to a newer server.
            Some(roles)
                if *roles == own || !(roles.are_legacy() || is_shared(pool, roles, &schema).await?) =>
            {
                roles.clone()
            }
            _ => own,
        };
        Ok(Self { schema, current_roles, roles })
    }
}

async fn is_shared(pool: &PgPool, roles: &RoleNames, schema: &str) -> Result<bool, Error> {
    let names = vec![roles.app.clone(), roles.system.clone()];
    Ok(sqlx::query_scalar(IS_SHARED).bind(names).bind(schema).fetch_one(pool).await?)
}

/// A name as a quoted SQL identifier.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The unique identifier of the cluster; `None` if the login is not allowed to read it.
async fn cluster(pool: &PgPool) -> Result<Option<String>, Error> {
    let is_allowed = "SELECT has_function_privilege('pg_control_system()', 'EXECUTE')";
    if !sqlx::query_scalar(is_allowed).fetch_one(pool).await? {
        return Ok(None);
    }
    let identifier = "SELECT system_identifier::text FROM pg_control_system()";
    Ok(Some(sqlx::query_scalar(identifier).fetch_one(pool).await?))
}

/// The id of the installation in a database. It is the same for all processes, and different in each copy.
pub(crate) async fn id(database: &Database) -> Result<String, Error> {
    if let Database::Sqlite(options) = database {
        let path = options.get_filename();
        database.create_folder()?;
        let file = File::options().create(true).append(true).open(path).and_then(|file| file.metadata());
        let file = file.map_err(|source| Error::File { path: path.into(), source })?;
        // Not the path: processes can use different paths for the same file.
        let created = file.created().ok().and_then(|created| created.duration_since(UNIX_EPOCH).ok());
        return Ok(format!("{:x}-{:x}", file.ino(), created.unwrap_or_default().as_nanos()));
    }
    let Some(connection) = database.connect_existing().await? else { return Err(Error::Url) };
    let pool = connection.get_postgres_connection_pool();
    let row = sqlx::query(LOCATION).bind(cluster(pool).await?).fetch_optional(pool).await?;
    let id = row.ok_or(Error::Schema)?.get(3);
    connection.close().await?;
    Ok(id)
}

/// Roles in this cluster that a login or database can use but should not, as sentences.
///
/// $1: roles of this installation.
const SHARED: &str = "
    WITH used AS (
        SELECT r.oid, r.rolname::text AS role, string_agg(DISTINCT quote_literal(b.datname), ', ') AS databases
        FROM pg_shdepend d JOIN pg_roles r ON r.oid = d.refobjid JOIN pg_database b ON b.oid = d.dbid
        WHERE d.refclassid = 'pg_authid'::regclass AND d.deptype = 'r' AND r.rolname ~ '^insula_(app|system)'
          AND b.datname <> current_database() GROUP BY r.oid, r.rolname
    )
    SELECT format('the database %s uses the role %I of this installation: run `insula migrate up` there', databases, role)
    FROM used WHERE role = ANY($1)
    UNION ALL
    SELECT format('the login %I may also use %s roles of other installations, such as %I of the database %s: give each '
                  'installation a login of its own, or run REVOKE %I FROM %I;',
                  current_user, count(*), min(role), (array_agg(databases ORDER BY role))[1], min(role), current_user)
    FROM used WHERE role <> ALL($1) AND pg_has_role(oid, 'MEMBER')
      AND NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) HAVING count(*) > 0
    ORDER BY 1";

pub(crate) async fn shared(pool: &PgPool) -> Result<Vec<String>, Error> {
    let roles = SchemaLocation::find(pool).await?.current_roles;
    let names = roles.map_or_else(Vec::new, |roles| vec![roles.app, roles.system]);
    Ok(sqlx::query_scalar(SHARED).bind(names).fetch_all(pool).await?)
}
