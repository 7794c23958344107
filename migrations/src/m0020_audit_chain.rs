//! The tamper-evident audit log. Each event is sealed into the hash chain of its organization and never changed again.
//! Personal data is in a separate table, so that a user can be anonymized.

use sea_orm_migration::{
    prelude::*,
    sea_orm::DbBackend,
    sea_query::{Index, Table},
};

use crate::{
    column::{Column, big_integer, instant, text},
    schema::{self, NewTable},
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const EVENTS: &str = "audit_events";

/// Columns that are written when an event is sealed.
pub(crate) const SEAL: [&str; 3] = ["seq", "prev_hash", "hash"];

/// Columns that never change.
const FACTS: [&str; 15] = [
    "id",
    "organization_id",
    "occurred_at",
    "actor_kind",
    "actor_id",
    "action",
    "resource",
    "resource_id",
    "outcome",
    "details",
    "session_id",
    "request_id",
    "trace_id",
    "schema_version",
    "personal_hash",
];

/// Name and columns of the indexes for searches in a log.
const INDEXES: [(&str, &[&str]); 2] = [
    ("audit_events_actor_id_occurred_at_id_idx", &["actor_id", "occurred_at", "id"]),
    (
        "audit_events_organization_id_resource_id_occurred_at_id_idx",
        &["organization_id", "resource_id", "occurred_at", "id"],
    ),
];
const UNSEALED: &str = "audit_events_unsealed_idx";
const ORDER: &str = "audit_events_organization_seq_key";

fn columns() -> [Column; 4] {
    [
        text("personal_hash").optional(),
        big_integer("seq").optional(),
        text("prev_hash").optional(),
        text("hash").optional(),
    ]
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in columns() {
            let column = column.definition(EVENTS, manager.get_database_backend());
            manager.alter_table(Table::alter().table(EVENTS).add_column(column).to_owned()).await?;
        }
        for (name, columns) in INDEXES {
            let mut index = Index::create();
            index.name(name).table(EVENTS);
            for column in columns {
                index.col(*column);
            }
            manager.create_index(index).await?;
        }
        let mut order = Index::create();
        order.name(ORDER).table(EVENTS).col("organization_id").col("seq").unique();
        manager.create_index(order).await?;
        let mut unsealed = Index::create();
        unsealed.name(UNSEALED).table(EVENTS).col("organization_id").col("occurred_at").col("id");
        unsealed.and_where(Expr::col("seq").is_null());
        manager.create_index(unsealed).await?;

        // The id of a row is the id of its event. The row is removed when the user is anonymized.
        NewTable::platform(manager, "audit_personal")
            .column(text("salt"))
            .column(text("ip").optional().length(0, 45))
            .column(text("user_agent").optional().length(0, 500))
            .column(text("label").optional())
            .index(&["organization_id", "ip"])
            .create()
            .await?;
        // The id of a row is the id of the organization.
        NewTable::platform(manager, "audit_heads")
            .column(big_integer("last_seq"))
            .column(text("last_hash"))
            .column(instant("sealed_at"))
            .column(text("signature"))
            .column(text("key_id"))
            .column(big_integer("pruned_seq"))
            .column(big_integer("checkpointed_seq"))
            .column(instant("checkpointed_at"))
            .timestamps()
            .unique("audit_heads_organization_id_id_key", &["organization_id", "id"])
            .create()
            .await?;
        NewTable::platform(manager, "audit_checkpoints")
            .column(text("kind").one_of(["periodic", "pruning"]))
            .column(big_integer("seq"))
            .column(text("hash"))
            .column(text("signature"))
            .column(text("key_id"))
            .column(instant("created_at"))
            .unique("audit_checkpoints_organization_seq_kind_key", &["organization_id", "seq", "kind"])
            .create()
            .await?;
        match manager.get_database_backend() {
            DbBackend::Postgres => guard_on_postgres(manager).await,
            _ => guard_on_sqlite(manager).await,
        }
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        match manager.get_database_backend() {
            DbBackend::Postgres => {
                schema::on_postgres(
                    manager,
                    "DROP TRIGGER audit_events_guard ON audit_events;
                     DROP TRIGGER audit_events_truncate_guard ON audit_events;
                     DROP FUNCTION audit_events_guard();
                     REVOKE ALL ON audit_events FROM insula_app;
                     GRANT SELECT, INSERT ON audit_events TO insula_app",
                )
                .await?;
            }
            _ => {
                for trigger in ["audit_events_update_guard", "audit_events_delete_guard"] {
                    connection.execute_unprepared(&format!("DROP TRIGGER {trigger}")).await?;
                }
            }
        }
        for table in ["audit_checkpoints", "audit_heads", "audit_personal"] {
            schema::drop_table(manager, table).await?;
        }
        for name in INDEXES.map(|(name, _)| name).into_iter().chain([UNSEALED, ORDER]) {
            manager.drop_index(Index::drop().name(name).table(EVENTS).to_owned()).await?;
        }
        for column in columns() {
            manager.alter_table(Table::alter().table(EVENTS).drop_column(column.name).to_owned()).await?;
        }
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

/// The trigger function. A sealed event never changes, and an unsealed one changes only by its seal. Only events that a
/// signed checkpoint announced are removed. This also applies to the owner of the table.
pub(crate) fn guard() -> String {
    let changed = FACTS.map(|fact| format!("NEW.{fact} IS DISTINCT FROM OLD.{fact}")).join(" OR ");
    format!(
        "CREATE OR REPLACE FUNCTION audit_events_guard() RETURNS trigger LANGUAGE plpgsql AS $guard$
         BEGIN
             IF TG_OP = 'UPDATE' THEN
                 IF OLD.seq IS NULL AND NOT ({changed}) THEN RETURN NEW; END IF;
             ELSIF TG_OP = 'DELETE' THEN
                 IF EXISTS (SELECT FROM audit_heads h
                            WHERE h.organization_id = OLD.organization_id AND OLD.seq <= h.pruned_seq)
                 THEN RETURN OLD; END IF;
             END IF;
             RAISE EXCEPTION 'the audit log is only ever added to';
         END $guard$"
    )
}

/// Name and definition of the triggers that call [`guard`].
pub(crate) const GUARDS: [(&str, &str); 2] = [
    (
        "audit_events_guard",
        "CREATE TRIGGER audit_events_guard BEFORE UPDATE OR DELETE ON audit_events
             FOR EACH ROW EXECUTE FUNCTION audit_events_guard()",
    ),
    (
        "audit_events_truncate_guard",
        "CREATE TRIGGER audit_events_truncate_guard BEFORE TRUNCATE ON audit_events
             FOR EACH STATEMENT EXECUTE FUNCTION audit_events_guard()",
    ),
];

async fn guard_on_postgres(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let (guard, seal) = (guard(), SEAL.join(", "));
    let [row, truncate] = GUARDS.map(|(_, trigger)| trigger);
    let sql = format!(
        "{guard}; {row}; {truncate};
         GRANT UPDATE ({seal}) ON audit_events TO insula_app;
         GRANT DELETE ON audit_events TO insula_app"
    );
    schema::on_postgres(manager, &sql).await
}

/// The triggers that do the same on SQLite.
async fn guard_on_sqlite(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let changed = FACTS.map(|fact| format!("NEW.{fact} IS NOT OLD.{fact}")).join(" OR ");
    let refuse = "SELECT RAISE(ABORT, 'the audit log is only ever added to')";
    for sql in [
        format!(
            "CREATE TRIGGER audit_events_update_guard BEFORE UPDATE ON audit_events
             WHEN OLD.seq IS NOT NULL OR {changed} BEGIN {refuse}; END"
        ),
        format!(
            "CREATE TRIGGER audit_events_delete_guard BEFORE DELETE ON audit_events
             WHEN OLD.seq IS NULL OR NOT EXISTS (SELECT 1 FROM audit_heads h
                 WHERE h.organization_id = OLD.organization_id AND OLD.seq <= h.pruned_seq)
             BEGIN {refuse}; END"
        ),
    ] {
        manager.get_connection().execute_unprepared(&sql).await?;
    }
    Ok(())
}
