//! Every right over the database: the guards of the audit logs are taken away, and what they kept is changed.

use crate::Vault;

/// On both databases. An index that is not unique takes the place of the one that was.
const UNGUARDED: [&str; 3] = [
    "DROP INDEX audit_events_organization_seq_key",
    "CREATE INDEX audit_events_spare ON audit_events (organization_id, seq)",
    "DROP INDEX audit_checkpoints_organization_seq_kind_key",
];

/// On SQLite. What the connection writes need not outlast the machine.
const UNGUARDED_SQLITE: [&str; 4] = [
    "DROP TRIGGER audit_events_update_guard",
    "DROP TRIGGER audit_events_delete_guard",
    "PRAGMA ignore_check_constraints = ON",
    "PRAGMA synchronous = OFF",
];

/// On PostgreSQL.
const UNGUARDED_POSTGRES: [&str; 5] = [
    "DROP TRIGGER audit_events_guard ON audit_events",
    "DROP TRIGGER audit_events_truncate_guard ON audit_events",
    "ALTER TABLE audit_events DROP CONSTRAINT audit_events_actor_kind_check",
    "ALTER TABLE audit_events DROP CONSTRAINT audit_events_outcome_check",
    "ALTER TABLE audit_checkpoints DROP CONSTRAINT audit_checkpoints_kind_check",
];

impl Vault {
    /// Takes away whatever keeps a row of the audit logs as it is, or from being there twice.
    pub async fn unguard(&self) {
        let own = match self {
            Self::Sqlite(_) => &UNGUARDED_SQLITE[..],
            Self::Postgres(_) => &UNGUARDED_POSTGRES[..],
        };
        for sql in own.iter().chain(&UNGUARDED) {
            self.execute(sql).await;
        }
    }

    /// SQL for a text that is the SQL of a value: what was there can be put back.
    pub fn literal(&self, value: &str) -> String {
        match self {
            Self::Sqlite(_) => format!("quote({value})"),
            Self::Postgres(_) => format!("quote_nullable({value})"),
        }
    }

    /// The columns of a table, each with its type.
    pub async fn columns(&self, table: &str) -> Vec<(String, String)> {
        let sql = match self {
            Self::Sqlite(_) => format!("SELECT name || ' ' || type FROM pragma_table_info('{table}')"),
            Self::Postgres(_) => format!(
                "SELECT column_name || ' ' || data_type FROM information_schema.columns
                 WHERE table_name = '{table}' ORDER BY ordinal_position"
            ),
        };
        let columns = self.texts(&sql).await;
        let pair =
            |column: &String| column.split_once(' ').map(|(name, kind)| (name.to_owned(), kind.to_owned()));
        columns.iter().filter_map(pair).collect()
    }
}

impl Vault {
    /// Has the first `number` events of an organization happened long ago: none of them may be sealed yet. The guard is away
    /// for as long as that takes.
    pub async fn backdate(&self, slug: &str, number: u32) {
        let (away, back) = match self {
            Self::Sqlite(_) => {
                let guard = "SELECT sql FROM sqlite_master WHERE name = 'audit_events_update_guard'";
                ("DROP TRIGGER audit_events_update_guard".to_owned(), self.text(guard).await)
            }
            Self::Postgres(_) => {
                let guard =
                    |what: &str| format!("ALTER TABLE audit_events {what} TRIGGER audit_events_guard");
                (guard("DISABLE"), guard("ENABLE"))
            }
        };
        self.execute(&away).await;
        let log = format!("organization_id IN (SELECT id FROM organizations WHERE slug = '{slug}')");
        for second in 10..10 + number {
            let first = format!(
                "UPDATE audit_events SET occurred_at = '2020-01-01T00:00:{second}.000001+00:00' WHERE id =
                 (SELECT id FROM audit_events WHERE {log} AND seq IS NULL AND occurred_at > '2021-01-01T00:00:00+00:00'
                  ORDER BY occurred_at, id LIMIT 1)"
            );
            assert_eq!(self.execute(&first).await, 1);
        }
        self.execute(&back).await;
    }
}
