//! The PostgreSQL objects that `up` ensures besides tables: row-level security, policies, grants and the trigger that
//! protects the audit log. A dump restored where its roles do not exist lacks them. A manual change can remove them.

use sea_orm_migration::sea_orm::{
    SqlxError,
    sqlx::{self, AssertSqlSafe, PgPool, Row},
};

use crate::{
    Error,
    database_roles::{Repair, sqlstate},
    installation::{RoleNames, SchemaLocation, quoted},
    m0020_audit_chain as audit,
};

const ALL: &str = "SELECT,INSERT,UPDATE,DELETE";

/// Each table, its column with the organization (empty if rows belong to none), and the privileges of the application
/// role. A test compares this list with what the migrations create.
const TABLES: [(&str, &str, &str); 32] = [
    ("seaql_migrations", "", "SELECT"),
    ("users", "", ALL),
    ("credentials", "", ALL),
    ("sessions", "", ALL),
    ("signing_keys", "", ALL),
    ("one_time_tokens", "", ALL),
    ("schedules", "", ALL),
    ("queues", "", ALL),
    ("organizations", "id", ALL),
    ("members", "organization_id", ALL),
    ("roles", "organization_id", ALL),
    ("member_roles", "organization_id", ALL),
    ("projects", "organization_id", ALL),
    ("audit_events", "organization_id", "SELECT,INSERT,DELETE"),
    ("outbox", "organization_id", ALL),
    ("idempotency_keys", "organization_id", ALL),
    ("emails", "organization_id", ALL),
    ("role_permissions", "organization_id", ALL),
    ("invitations", "organization_id", ALL),
    ("invitation_roles", "organization_id", ALL),
    ("owner_transfers", "organization_id", ALL),
    ("slug_history", "organization_id", ALL),
    ("audit_personal", "organization_id", ALL),
    ("audit_heads", "organization_id", ALL),
    ("audit_checkpoints", "organization_id", ALL),
    ("project_members", "organization_id", ALL),
    ("tags", "organization_id", ALL),
    ("tasks", "organization_id", ALL),
    ("task_tags", "organization_id", ALL),
    ("time_entries", "organization_id", ALL),
    ("time_entry_tags", "organization_id", ALL),
    ("period_locks", "organization_id", ALL),
];

/// The missing objects, each with the statement that creates it. `$1`, `$2`: the two roles; `$3`, `$4`, `$5`: the
/// columns of [`TABLES`]; `$6`: the schema; `$7`: columns of `audit_events` that can be updated.
const NEEDED_REPAIRS: &str = "
    WITH ours AS (
        SELECT c.oid, expected.name, format('%I.%I', n.nspname, c.relname) AS place, nullif(owner, '') AS owner,
               string_to_array(privileges, ',') AS privileges, c.relrowsecurity, c.relforcerowsecurity, c.relacl
        FROM unnest($3::text[], $4::text[], $5::text[]) AS expected (name, owner, privileges)
        JOIN pg_namespace n ON n.nspname = $6
        JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = expected.name AND c.relkind IN ('r', 'p')
    ), wanted AS (
        SELECT name, r.oid FROM unnest(ARRAY[$1, $2]) AS name LEFT JOIN pg_roles r ON r.rolname = name
    ), policies AS (
        SELECT ours.*, policy, command, role,
               CASE policy WHEN 'system_read' THEN 'true' ELSE own END AS reading,
               CASE policy WHEN 'system_read' THEN NULL ELSE own END AS writing
        FROM ours CROSS JOIN (VALUES ('own_organization', 'ALL', $1), ('system_read', 'SELECT', $2)) AS p (policy, command, role)
        CROSS JOIN LATERAL format('%I = nullif(current_setting(''insula.org'', true), '''')::uuid', owner) AS own
        WHERE owner IS NOT NULL
    ), grants AS (
        SELECT ours.oid, ours.name, place, $1 AS role, unnest(privileges) AS allowed FROM ours
        UNION ALL SELECT ours.oid, ours.name, place, $2, 'SELECT' FROM ours
    ), granted AS (
        SELECT ours.oid, place, name, r.rolname::text AS role, acl.privilege_type AS allowed
        FROM ours CROSS JOIN LATERAL aclexplode(relacl) AS acl JOIN pg_roles r ON r.oid = acl.grantee
    )
    SELECT 1 AS step, format('%s may not use the schema %s', name, $6) AS what,
           format('GRANT USAGE ON SCHEMA %I TO %I;', $6, name) AS statement
    FROM wanted WHERE CASE WHEN oid IS NULL THEN true ELSE NOT has_schema_privilege(oid, $6, 'USAGE') END
    UNION ALL
    SELECT 2, format('row security of %s is not enabled', name), format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY;', place)
    FROM ours WHERE owner IS NOT NULL AND NOT relrowsecurity
    UNION ALL
    SELECT 2, format('row security of %s is not forced', name), format('ALTER TABLE %s FORCE ROW LEVEL SECURITY;', place)
    FROM ours WHERE owner IS NOT NULL AND NOT relforcerowsecurity
    UNION ALL
    SELECT 3, format('the policy %s of %s for %s', policy, name, role),
           format('DROP POLICY IF EXISTS %I ON %s; CREATE POLICY %I ON %s FOR %s TO %I USING (%s)%s;',
                  policy, place, policy, place, command, role, reading, ' WITH CHECK (' || writing || ')')
    FROM policies WHERE NOT EXISTS (
        SELECT FROM pg_policy p JOIN pg_roles r ON p.polroles = ARRAY[r.oid] AND r.rolname = policies.role
        CROSS JOIN LATERAL (VALUES ('[()[:space:]]|::text')) AS noise (pattern)
        WHERE p.polrelid = policies.oid AND p.polname = policy AND p.polpermissive
          AND p.polcmd::text = CASE command WHEN 'ALL' THEN '*' ELSE 'r' END
          AND lower(regexp_replace(pg_get_expr(polqual, polrelid), pattern, '', 'g'))
              = lower(regexp_replace(reading, pattern, '', 'g'))
          AND lower(regexp_replace(pg_get_expr(polwithcheck, polrelid), pattern, '', 'g'))
              IS NOT DISTINCT FROM lower(regexp_replace(writing, pattern, '', 'g')))
    UNION ALL
    SELECT 4, format('%s of %s may be done by %s', allowed, name, role), format('REVOKE %s ON %s FROM %I;', allowed, place, role)
    FROM granted WHERE role IN ($1, $2)
      AND NOT EXISTS (SELECT FROM grants g WHERE g.oid = granted.oid AND g.role = granted.role AND g.allowed = granted.allowed)
    UNION ALL
    SELECT DISTINCT 4, format('%s may be used by %s, which is not of this installation', name, role),
           format('REVOKE ALL ON %s FROM %I;', place, role)
    FROM granted WHERE role ~ '^insula_(app|system)(_[0-9a-f]{12})?$' AND role NOT IN ($1, $2)
    UNION ALL
    SELECT 5, format('%s of %s for %s', allowed, grants.name, role), format('GRANT %s ON %s TO %I;', allowed, place, role)
    FROM grants JOIN wanted ON wanted.name = role
    WHERE CASE WHEN wanted.oid IS NULL THEN true ELSE NOT has_table_privilege(wanted.oid, grants.oid, allowed) END
    UNION ALL
    SELECT 6, format('UPDATE of %s of audit_events for %s', attname, wanted.name),
           format('GRANT UPDATE (%I) ON %s TO %I;', attname, place, wanted.name)
    FROM ours JOIN pg_attribute ON attrelid = ours.oid AND attname = ANY($7) JOIN wanted ON wanted.name = $1
    WHERE ours.name = 'audit_events' AND CASE WHEN wanted.oid IS NULL THEN true
        ELSE NOT has_column_privilege(wanted.oid, ours.oid, attnum, 'UPDATE') END
    ORDER BY step, what";

/// Maximum attempts when a repair collides with running transactions.
const ATTEMPTS: u32 = 5;

/// What the installation lacks. `database_roles` checks the roles themselves.
pub(crate) async fn needed_repairs(pool: &PgPool, location: &SchemaLocation) -> Result<Vec<Repair>, Error> {
    let column = |of: fn(&(&'static str, &'static str, &'static str)) -> &'static str| {
        TABLES.iter().map(of).collect::<Vec<_>>()
    };
    let RoleNames { app, system } = &location.roles;
    let rows = sqlx::query(NEEDED_REPAIRS)
        .bind(app)
        .bind(system)
        .bind(column(|table| table.0))
        .bind(column(|table| table.1))
        .bind(column(|table| table.2))
        .bind(&location.schema)
        .bind(audit::SEAL.to_vec())
        .fetch_all(pool)
        .await?;
    let mut repairs: Vec<_> =
        rows.iter().map(|row| Repair { what: row.get(1), statement: row.get(2) }).collect();
    repairs.extend(audit_guard_repairs(pool, &location.schema).await?);
    Ok(repairs)
}

/// The repairs of the function and the triggers that reject changes of the audit log.
async fn audit_guard_repairs(pool: &PgPool, schema: &str) -> Result<Vec<Repair>, Error> {
    let mut repairs = Vec::new();
    let function = audit::guard();
    let body = function.split("$guard$").nth(1).unwrap_or_default();
    let exists = "SELECT EXISTS (SELECT FROM pg_proc WHERE proname = 'audit_events_guard'
        AND pronamespace = (SELECT oid FROM pg_namespace WHERE nspname = $1)
        AND regexp_replace(prosrc, '\\s+', ' ', 'g') = regexp_replace($2, '\\s+', ' ', 'g'))";
    if !sqlx::query_scalar(exists).bind(schema).bind(body).fetch_one(pool).await? {
        repairs.push(Repair {
            what: "the function audit_events_guard".into(),
            statement: format!("{function};"),
        });
    }
    for (name, trigger) in audit::GUARDS {
        let exists = "SELECT EXISTS (SELECT FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
            JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_proc f ON f.oid = t.tgfoid
            WHERE nspname = $1 AND relname = 'audit_events' AND tgname = $2 AND tgenabled IN ('O', 'A')
              AND proname = 'audit_events_guard' AND pronamespace = n.oid)";
        if !sqlx::query_scalar(exists).bind(schema).bind(name).fetch_one(pool).await? {
            let statement = format!("DROP TRIGGER IF EXISTS {name} ON audit_events; {trigger};");
            repairs.push(Repair { what: format!("the trigger {name} of audit_events"), statement });
        }
    }
    Ok(repairs)
}

/// Runs all repairs in one transaction, so that no server sees half of them. Returns descriptions of the repairs.
///
/// # Errors
/// `DatabaseRoles` with the statements, if this login is not allowed to run them.
pub(crate) async fn repair(pool: &PgPool, location: &SchemaLocation) -> Result<Vec<String>, Error> {
    let (mut repaired, mut collisions) = (Vec::new(), 0);
    // Two rounds are normal: revoking a privilege of a table also revokes it from the columns.
    for _ in 0..ATTEMPTS {
        let repairs = needed_repairs(pool, location).await?;
        if repairs.is_empty() {
            return Ok(repaired);
        }
        match run(pool, &repairs).await {
            Ok(()) => repaired.extend(repairs.into_iter().map(|repair| repair.what)),
            Err(error) if sqlstate(&error).as_deref() == Some("42501") => {
                return Err(Error::DatabaseRoles {
                    statements: repairs.into_iter().map(|repair| repair.statement).collect(),
                });
            }
            // A deadlock with requests, or a lock timeout.
            Err(error)
                if matches!(sqlstate(&error).as_deref(), Some("40P01" | "55P03"))
                    && collisions < ATTEMPTS =>
            {
                collisions += 1;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Err(Error::DatabaseRoles {
        statements: needed_repairs(pool, location)
            .await?
            .into_iter()
            .map(|repair| repair.statement)
            .collect(),
    })
}

async fn run(pool: &PgPool, repairs: &[Repair]) -> Result<(), SqlxError> {
    let mut transaction = pool.begin().await?;
    for repair in repairs {
        sqlx::raw_sql(AssertSqlSafe(repair.statement.as_str())).execute(&mut *transaction).await?;
    }
    transaction.commit().await
}

/// Drops the roles that the installation used before, unless other objects still need them.
pub(crate) async fn drop_unused_roles(pool: &PgPool, location: &SchemaLocation) {
    let Some(old) = location.current_roles.as_ref().filter(|old| **old != location.roles) else { return };
    for role in [&old.app, &old.system] {
        let dropped = sqlx::raw_sql(AssertSqlSafe(format!("DROP ROLE {}", quoted(role)))).execute(pool).await;
        match dropped {
            Ok(_) => tracing::info!(role, "removed a database role that is no longer used"),
            Err(error) => {
                tracing::info!(role, %error, "kept a database role that this installation no longer uses, because something else needs it");
            }
        }
    }
}

/// The names of all tables in [`TABLES`].
pub(crate) fn table_names() -> Vec<&'static str> {
    TABLES.iter().map(|(name, ..)| *name).collect()
}
