//! What `up` promises on PostgreSQL besides tables: row security, policies, grants and the guard of the audit log.
//! A dump that is restored where its roles do not exist lacks them; so does a database that was changed by hand.

use sea_orm_migration::sea_orm::{
    SqlxError,
    sqlx::{self, AssertSqlSafe, PgPool, Row},
};

use crate::{
    Error,
    hats::{Lack, sqlstate},
    installation::{Place, Roles},
    m0020_audit_chain as audit,
};

const ALL: &str = "SELECT,INSERT,UPDATE,DELETE";

/// Every table, the column that says whose a row is (empty: nobody's), and what the role of the application may do.
/// A test compares this with what the migrations made.
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

/// What is lacking, with the statement that puts it right. `$1`, `$2`: our roles; `$3`, `$4`, `$5`: the columns of
/// [`TABLES`]; `$6`: the schema; `$7`: columns of `audit_events` that may be updated.
const LACKING: &str = "
    WITH ours AS (
        SELECT c.oid, expected.name, format('%I.%I', n.nspname, c.relname) AS place, nullif(owner, '') AS owner,
               string_to_array(rights, ',') AS rights, c.relrowsecurity, c.relforcerowsecurity, c.relacl
        FROM unnest($3::text[], $4::text[], $5::text[]) AS expected (name, owner, rights)
        JOIN pg_namespace n ON n.nspname = $6
        JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = expected.name AND c.relkind IN ('r', 'p')
    ), wanted AS (
        SELECT name, r.oid FROM unnest(ARRAY[$1, $2]) AS name LEFT JOIN pg_roles r ON r.rolname = name
    ), policies AS (
        SELECT ours.*, policy, command, role,
               CASE policy WHEN 'sweep' THEN 'true' ELSE own END AS reading, CASE policy WHEN 'sweep' THEN NULL ELSE own END AS writing
        FROM ours CROSS JOIN (VALUES ('own_organization', 'ALL', $1), ('sweep', 'SELECT', $2)) AS p (policy, command, role)
        CROSS JOIN LATERAL format('%I = nullif(current_setting(''insula.org'', true), '''')::uuid', owner) AS own
        WHERE owner IS NOT NULL
    ), grants AS (
        SELECT ours.oid, ours.name, place, $1 AS role, unnest(rights) AS allowed FROM ours
        UNION ALL SELECT ours.oid, ours.name, place, $2, 'SELECT' FROM ours
    ), given AS (
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
    FROM given WHERE role IN ($1, $2)
      AND NOT EXISTS (SELECT FROM grants g WHERE g.oid = given.oid AND g.role = given.role AND g.allowed = given.allowed)
    UNION ALL
    SELECT DISTINCT 4, format('%s may be used by %s, which is not of this installation', name, role),
           format('REVOKE ALL ON %s FROM %I;', place, role)
    FROM given WHERE role ~ '^insula_(app|system)(_[0-9a-f]{12})?$' AND role NOT IN ($1, $2)
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

/// How often everything is tried again that collides with running transactions.
const ATTEMPTS: u32 = 5;

/// What the installation lacks; the roles themselves are looked after elsewhere.
pub(crate) async fn lacking(pool: &PgPool, place: &Place) -> Result<Vec<Lack>, Error> {
    let column = |of: fn(&(&'static str, &'static str, &'static str)) -> &'static str| {
        TABLES.iter().map(of).collect::<Vec<_>>()
    };
    let Roles { app, system } = &place.roles;
    let rows = sqlx::query(LACKING)
        .bind(app)
        .bind(system)
        .bind(column(|table| table.0))
        .bind(column(|table| table.1))
        .bind(column(|table| table.2))
        .bind(&place.schema)
        .bind(audit::SEAL.to_vec())
        .fetch_all(pool)
        .await?;
    let mut lacks: Vec<_> = rows.iter().map(|row| Lack { what: row.get(1), statement: row.get(2) }).collect();
    lacks.extend(guards_lacking(pool, &place.schema).await?);
    Ok(lacks)
}

/// The function and the triggers that keep the audit log from being changed.
async fn guards_lacking(pool: &PgPool, schema: &str) -> Result<Vec<Lack>, Error> {
    let mut lacks = Vec::new();
    let function = audit::guard();
    let body = function.split("$guard$").nth(1).unwrap_or_default();
    let there = "SELECT EXISTS (SELECT FROM pg_proc WHERE proname = 'audit_events_guard'
        AND pronamespace = (SELECT oid FROM pg_namespace WHERE nspname = $1)
        AND regexp_replace(prosrc, '\\s+', ' ', 'g') = regexp_replace($2, '\\s+', ' ', 'g'))";
    if !sqlx::query_scalar(there).bind(schema).bind(body).fetch_one(pool).await? {
        lacks
            .push(Lack { what: "the function audit_events_guard".into(), statement: format!("{function};") });
    }
    for (name, trigger) in audit::GUARDS {
        let there = "SELECT EXISTS (SELECT FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
            JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_proc f ON f.oid = t.tgfoid
            WHERE nspname = $1 AND relname = 'audit_events' AND tgname = $2 AND tgenabled IN ('O', 'A')
              AND proname = 'audit_events_guard' AND pronamespace = n.oid)";
        if !sqlx::query_scalar(there).bind(schema).bind(name).fetch_one(pool).await? {
            let statement = format!("DROP TRIGGER IF EXISTS {name} ON audit_events; {trigger};");
            lacks.push(Lack { what: format!("the trigger {name} of audit_events"), statement });
        }
    }
    Ok(lacks)
}

/// Puts right what is lacking, all at once, so that no server sees half of it; gives what it did.
///
/// # Errors
/// `Hats` with the statements, when this login may not run them.
pub(crate) async fn repair(pool: &PgPool, place: &Place) -> Result<Vec<String>, Error> {
    let (mut repaired, mut collisions) = (Vec::new(), 0);
    // Twice is the rule: what is revoked from a table is revoked from its columns, too.
    for _ in 0..ATTEMPTS {
        let lacks = lacking(pool, place).await?;
        if lacks.is_empty() {
            return Ok(repaired);
        }
        match run(pool, &lacks).await {
            Ok(()) => repaired.extend(lacks.into_iter().map(|lack| lack.what)),
            Err(error) if sqlstate(&error).as_deref() == Some("42501") => {
                return Err(Error::Hats {
                    statements: lacks.into_iter().map(|lack| lack.statement).collect(),
                });
            }
            // A deadlock with requests, or a lock that was not to be had in time.
            Err(error)
                if matches!(sqlstate(&error).as_deref(), Some("40P01" | "55P03"))
                    && collisions < ATTEMPTS =>
            {
                collisions += 1;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Err(Error::Hats {
        statements: lacking(pool, place).await?.into_iter().map(|lack| lack.statement).collect(),
    })
}

async fn run(pool: &PgPool, lacks: &[Lack]) -> Result<(), SqlxError> {
    let mut transaction = pool.begin().await?;
    for lack in lacks {
        sqlx::raw_sql(AssertSqlSafe(lack.statement.as_str())).execute(&mut *transaction).await?;
    }
    transaction.commit().await
}

/// Removes roles that the installation had before, unless something else still needs them.
pub(crate) async fn retire(pool: &PgPool, place: &Place) {
    let Some(old) = place.present.as_ref().filter(|old| **old != place.roles) else { return };
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

/// A name as SQL spells it.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Every table that is promised something.
pub(crate) fn tables() -> Vec<&'static str> {
    TABLES.iter().map(|(name, ..)| *name).collect()
}
