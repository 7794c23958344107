//! The texts in which projects, tasks, tags and roles are searched, and an index for audit events of one request.

use sea_orm_migration::{
    prelude::*,
    sea_orm::{ConnectionTrait, FromQueryResult, sea_query::Table},
};

use crate::{column::text, schema::on_postgres, search_key::search_key};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// Each table with the columns that are searched, one on a line.
const TABLES: [(&str, &[&str]); 4] = [
    ("projects", &["code", "name"]),
    ("roles", &["key", "name"]),
    ("tags", &["name"]),
    ("tasks", &["title"]),
];
const COLUMN: &str = "search_key";
const REQUEST_INDEX: &str = "audit_events_organization_id_request_id_idx";
/// How many rows are read at a time.
const BATCH: u64 = 500;

#[derive(FromQueryResult)]
struct Row {
    id: uuid::Uuid,
    text: String,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (table, columns) in TABLES {
            // An older program adds rows without it. They are found after their next change.
            let mut column = text(COLUMN).definition(table, manager.get_database_backend());
            column.default("");
            manager.alter_table(Table::alter().table(table).add_column(column).to_owned()).await?;
            on_postgres(manager, &format!("ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY;")).await?;
            backfill(manager, table, columns).await?;
            on_postgres(manager, &format!("ALTER TABLE {table} FORCE ROW LEVEL SECURITY;")).await?;
        }
        // The names of users are searched with the same rule, which now also takes "ß" for "ss".
        let users =
            "UPDATE users SET search_key = replace(search_key, 'ß', 'ss') WHERE search_key LIKE '%ß%'";
        manager.get_connection().execute_unprepared(users).await?;
        let mut index = Index::create();
        index.name(REQUEST_INDEX).table("audit_events").col("organization_id").col("request_id");
        manager.create_index(index).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_index(Index::drop().name(REQUEST_INDEX).table("audit_events").to_owned()).await?;
        for (table, _) in TABLES {
            manager.alter_table(Table::alter().table(table).drop_column(COLUMN).to_owned()).await?;
        }
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

/// Fills the column of the existing rows, in the order of their ids.
async fn backfill(manager: &SchemaManager<'_>, table: &'static str, columns: &[&str]) -> Result<(), DbErr> {
    let (connection, backend) = (manager.get_connection(), manager.get_database_backend());
    let text = columns.join(" || '\n' || ");
    let mut last = uuid::Uuid::nil();
    loop {
        let mut batch = Query::select();
        batch
            .column("id")
            .expr_as(Expr::cust(text.clone()), "text")
            .from(table)
            .and_where(Expr::col("id").gt(last))
            .order_by("id", Order::Asc)
            .limit(BATCH);
        let rows = Row::find_by_statement(backend.build(&batch)).all(connection).await?;
        let Some(end) = rows.last() else { return Ok(()) };
        last = end.id;
        for row in rows {
            let mut update = Query::update();
            update.table(table).value(COLUMN, search_key(&row.text)).and_where(Expr::col("id").eq(row.id));
            connection.execute(&update).await?;
        }
    }
}
