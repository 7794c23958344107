//! The common parts of tables: keys, timestamps, names of constraints, row-level security.
//!
//! Released migrations use these functions: add functions, but never change the meaning of one.

use sea_orm_migration::{
    prelude::{DbErr, SchemaManager},
    sea_orm::{ConnectionTrait, DbBackend},
    sea_query::{self, ConditionalStatement, Expr, ExprTrait, ForeignKey, Index, IndexCreateStatement},
};

use crate::column::{Column, Reference, big_integer, instant, uuid};

/// A new table with its indexes and, on PostgreSQL, its policies and grants.
pub(crate) struct NewTable<'a> {
    manager: &'a SchemaManager<'a>,
    name: &'static str,
    columns: Vec<Column>,
    indexes: Vec<IndexCreateStatement>,
    /// The column with the organization. Row-level security hides the rows of others; `None`: no row-level security.
    organization_column: Option<&'static str>,
    /// Privileges of `insula_app`.
    grants: &'static str,
}

impl<'a> NewTable<'a> {
    /// A table that belongs to no organization: an id, grants, no row-level security.
    pub(crate) fn global(manager: &'a SchemaManager<'a>, name: &'static str) -> Self {
        let grants = "SELECT, INSERT, UPDATE, DELETE";
        Self {
            manager,
            name,
            columns: vec![uuid("id")],
            indexes: Vec::new(),
            organization_column: None,
            grants,
        }
    }

    /// A table whose rows belong to an organization, with row-level security and a key `(organization_id, id)` to refer
    /// to.
    pub(crate) fn tenant(manager: &'a SchemaManager<'a>, name: &'static str) -> Self {
        Self::global(manager, name)
            .row_security("organization_id")
            .column(uuid("organization_id").references("organizations"))
            .unique(&format!("{name}_organization_id_id_key"), &["organization_id", "id"])
    }

    /// Like `tenant`, but the organization can also be the platform (the nil UUID), so there is no foreign key.
    pub(crate) fn platform(manager: &'a SchemaManager<'a>, name: &'static str) -> Self {
        Self::global(manager, name).row_security("organization_id").column(uuid("organization_id"))
    }

    /// Limits reads and writes to rows whose `column` is the organization of the transaction.
    pub(crate) fn row_security(self, column: &'static str) -> Self {
        Self { organization_column: Some(column), ..self }
    }

    /// Allows only SELECT and INSERT.
    pub(crate) fn append_only(self) -> Self {
        Self { grants: "SELECT, INSERT", ..self }
    }

    pub(crate) fn column(mut self, column: Column) -> Self {
        self.columns.push(column);
        self
    }

    /// Adds the number of changes of a row, which is its ETag.
    pub(crate) fn version(self) -> Self {
        self.column(big_integer("version"))
    }

    /// Adds the time of deletion; deleted rows stay in the table.
    pub(crate) fn deleted_at(self) -> Self {
        self.column(instant("deleted_at").optional())
    }

    /// Adds the times of creation and last change. The program sets them, never a DEFAULT.
    pub(crate) fn timestamps(self) -> Self {
        self.column(instant("created_at")).column(instant("updated_at"))
    }

    /// Makes `columns` unique. The application turns the name into an error code.
    pub(crate) fn unique(mut self, name: &str, columns: &[&'static str]) -> Self {
        let mut index = index(self.name, name, columns);
        index.unique();
        self.indexes.push(index);
        self
    }

    /// Like `unique`, among the rows that are not deleted.
    pub(crate) fn unique_not_deleted(self, name: &str, columns: &[&'static str]) -> Self {
        self.unique_where(name, columns, Expr::col("deleted_at").is_null())
    }

    /// Like `unique`, among the rows that satisfy `condition`.
    pub(crate) fn unique_where(mut self, name: &str, columns: &[&'static str], condition: Expr) -> Self {
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
        // Inside CREATE TABLE: SQLite cannot add a foreign key later. NO ACTION is the default of both databases.
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
        if let Some(column) = self.organization_column {
            on_postgres(self.manager, &row_security(self.name, column)).await?;
        }
        on_postgres(self.manager, &grants(self.name, self.grants)).await
    }
}

/// Drops a table with its indexes, policies and grants.
pub(crate) async fn drop_table(manager: &SchemaManager<'_>, name: &'static str) -> Result<(), DbErr> {
    manager.drop_table(sea_query::Table::drop().table(name).to_owned()).await
}

/// Runs statements on PostgreSQL; does nothing on SQLite.
///
/// Migrations write `insula_app` and `insula_system`. This function inserts the names of the roles of this
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

/// FORCE applies the policies to the owner of the table too. `nullif`: after a first SET LOCAL, an unset setting is '',
/// not NULL.
fn row_security(table: &str, column: &str) -> String {
    let own = format!("{column} = nullif(current_setting('insula.org', true), '')::uuid");
    format!(
        "ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
         ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
         CREATE POLICY own_organization ON {table} TO insula_app USING ({own}) WITH CHECK ({own});
         CREATE POLICY system_read ON {table} FOR SELECT TO insula_system USING (true)"
    )
}

fn grants(table: &str, privileges: &str) -> String {
    format!("GRANT {privileges} ON {table} TO insula_app; GRANT SELECT ON {table} TO insula_system")
}
