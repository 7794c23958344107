//! What the tables have in common: keys, times, names of constraints, row-level security.
//!
//! Released migrations are spelled with these words: add words, never change what one means.

use sea_orm_migration::{
    prelude::{DbErr, SchemaManager},
    sea_orm::{ConnectionTrait, DbBackend},
    sea_query::{self, ConditionalStatement, Expr, ExprTrait, ForeignKey, Index, IndexCreateStatement},
};

use crate::column::{Column, Reference, big_integer, instant, uuid};

/// A new table with its indexes and, on PostgreSQL, its policies and grants.
pub(crate) struct Table<'a> {
    manager: &'a SchemaManager<'a>,
    name: &'static str,
    columns: Vec<Column>,
    indexes: Vec<IndexCreateStatement>,
    /// The column that names the organization; rows of others are invisible.
    fence: Option<&'static str>,
    /// What `insula_app` may do.
    rights: &'static str,
}

impl<'a> Table<'a> {
    /// A table that no organization owns: an id, grants, no row-level security.
    pub(crate) fn global(manager: &'a SchemaManager<'a>, name: &'static str) -> Self {
        let rights = "SELECT, INSERT, UPDATE, DELETE";
        Self { manager, name, columns: vec![uuid("id")], indexes: Vec::new(), fence: None, rights }
    }

    /// A table whose rows belong to an organization: fenced, and fit to be referred to by `(organization_id, id)`.
    pub(crate) fn tenant(manager: &'a SchemaManager<'a>, name: &'static str) -> Self {
        Self::global(manager, name)
            .fenced_by("organization_id")
            .column(uuid("organization_id").references("organizations"))
            .unique(&format!("{name}_organization_id_id_key"), &["organization_id", "id"])
    }

    /// As `tenant`, but the organization may also be the platform itself, the nil UUID: no foreign key.
    pub(crate) fn platform(manager: &'a SchemaManager<'a>, name: &'static str) -> Self {
        Self::global(manager, name).fenced_by("organization_id").column(uuid("organization_id"))
    }

    /// Rows are seen and written only in the scope of the organization that `column` names.
    pub(crate) fn fenced_by(self, column: &'static str) -> Self {
        Self { fence: Some(column), ..self }
    }

    /// Rows are added and read, never changed or removed.
    pub(crate) fn append_only(self) -> Self {
        Self { rights: "SELECT, INSERT", ..self }
    }

    pub(crate) fn column(mut self, column: Column) -> Self {
        self.columns.push(column);
        self
    }

    /// Counts the changes of a row: its ETag.
    pub(crate) fn version(self) -> Self {
        self.column(big_integer("version"))
    }

    /// Deleted rows stay, with the instant of their deletion.
    pub(crate) fn deleted_at(self) -> Self {
        self.column(instant("deleted_at").optional())
    }

    /// When a row was made and last changed; the program says so, never a DEFAULT.
    pub(crate) fn timestamps(self) -> Self {
        self.column(instant("created_at")).column(instant("updated_at"))
    }

    /// No two rows alike in `columns`. The application turns the name into an error code.
    pub(crate) fn unique(mut self, name: &str, columns: &[&'static str]) -> Self {
        let mut index = index(self.name, name, columns);
        index.unique();
        self.indexes.push(index);
        self
    }

    /// As `unique`, among the rows that are not deleted.
    pub(crate) fn unique_living(self, name: &str, columns: &[&'static str]) -> Self {
        self.unique_among(name, columns, Expr::col("deleted_at").is_null())
    }

    /// As `unique`, among the rows that fulfil `condition`.
    pub(crate) fn unique_among(mut self, name: &str, columns: &[&'static str], condition: Expr) -> Self {
        let mut index = index(self.name, name, columns);
        index.unique().and_where(condition);
        self.indexes.push(index);
        self
    }

    pub(crate) fn index(mut self, columns: &[&'static str]) -> Self {
        let name = format!("{}_{}_idx", self.name, columns.join("_"));
        self.indexes.push(index(self.name, &name, columns));
        self
    }

    pub(crate) async fn create(self) -> Result<(), DbErr> {
        let mut table = sea_query::Table::create();
        table.table(self.name);
        for column in &self.columns {
            let mut definition = column.definition(self.name, self.manager.get_database_backend());
            if column.name == "id" {
                definition.primary_key();
            }
            table.col(definition);
        }
        // Inside CREATE TABLE: SQLite cannot add a foreign key later. NO ACTION, the default of both.
        for column in &self.columns {
            let mut key = ForeignKey::create();
            match column.refers_to {
                None => continue,
                Some(Reference::Global(other)) => key
                    .name(format!("{}_{}_fkey", self.name, column.name))
                    .from(self.name, column.name)
                    .to(other, "id"),
                Some(Reference::SameOrganization(other)) => key
                    .name(format!("{}_organization_id_{}_fkey", self.name, column.name))
                    .from(self.name, ("organization_id", column.name))
                    .to(other, ("organization_id", "id")),
            };
            table.foreign_key(&mut key);
        }
        self.manager.create_table(table).await?;
        for index in self.indexes {
            self.manager.create_index(index).await?;
        }
        if let Some(column) = self.fence {
            on_postgres(self.manager, &fence(self.name, column)).await?;
        }
        on_postgres(self.manager, &grants(self.name, self.rights)).await
    }
}

/// Drops a table with its indexes, policies and grants.
pub(crate) async fn drop_table(manager: &SchemaManager<'_>, name: &'static str) -> Result<(), DbErr> {
    manager.drop_table(sea_query::Table::drop().table(name).to_owned()).await
}

/// Runs statements that only PostgreSQL knows; does nothing on SQLite.
///
/// Migrations call the two roles `insula_app` and `insula_system`; here they get the names that they have in this
/// installation.
pub(crate) async fn on_postgres(manager: &SchemaManager<'_>, sql: &str) -> Result<(), DbErr> {
    if manager.get_database_backend() == DbBackend::Postgres {
        let connection = manager.get_connection();
        let sql = crate::installation::with_own_roles(connection, sql).await?;
        connection.execute_unprepared(&sql).await?;
    }
    Ok(())
}

fn index(table: &'static str, name: &str, columns: &[&'static str]) -> IndexCreateStatement {
    let mut index = Index::create();
    index.name(name).table(table);
    for column in columns {
        index.col(*column);
    }
    index
}

/// FORCE, or the owner of the table would pass. `nullif`: after a first SET LOCAL an unset scope reads '', not NULL.
fn fence(table: &str, column: &str) -> String {
    let own = format!("{column} = nullif(current_setting('insula.org', true), '')::uuid");
    format!(
        "ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
         ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
         CREATE POLICY own_organization ON {table} TO insula_app USING ({own}) WITH CHECK ({own});
         CREATE POLICY sweep ON {table} FOR SELECT TO insula_system USING (true)"
    )
}

fn grants(table: &str, rights: &str) -> String {
    format!("GRANT {rights} ON {table} TO insula_app; GRANT SELECT ON {table} TO insula_system")
}
