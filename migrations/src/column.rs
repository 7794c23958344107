//! The words in which a migration spells a column.
//!
//! Released migrations are spelled with these words: add words, never change what one means.

use sea_orm_migration::{
    sea_orm::DbBackend,
    sea_query::{ColumnDef, ColumnType, Expr, ExprTrait, Func},
};

/// A column; NOT NULL and without DEFAULT unless said otherwise.
pub(crate) struct Column {
    pub(crate) name: &'static str,
    kind: fn(&mut ColumnDef) -> &mut ColumnDef,
    optional: bool,
    check: Option<Expr>,
    pub(crate) refers_to: Option<Reference>,
}

/// What the value of a column names a row of.
#[derive(Clone, Copy)]
pub(crate) enum Reference {
    /// By id alone, to a table that no organization owns.
    Global(&'static str),
    /// By `(organization_id, id)`, so that a row of another organization cannot be referred to.
    SameOrganization(&'static str),
}

fn column(name: &'static str, kind: fn(&mut ColumnDef) -> &mut ColumnDef) -> Column {
    Column { name, kind, optional: false, check: None, refers_to: None }
}

/// Text of any length, compared byte by byte on both databases.
pub(crate) fn text(name: &'static str) -> Column {
    column(name, ColumnDef::text)
}

/// An id.
pub(crate) fn uuid(name: &'static str) -> Column {
    column(name, ColumnDef::uuid)
}

/// A point in time, UTC.
pub(crate) fn instant(name: &'static str) -> Column {
    column(name, ColumnDef::timestamp_with_time_zone)
}

/// True or false.
pub(crate) fn boolean(name: &'static str) -> Column {
    column(name, ColumnDef::boolean)
}

/// A 32-bit number.
pub(crate) fn integer(name: &'static str) -> Column {
    column(name, ColumnDef::integer)
}

/// A 64-bit number.
pub(crate) fn big_integer(name: &'static str) -> Column {
    column(name, ColumnDef::big_integer)
}

/// Bytes of any length.
pub(crate) fn bytes(name: &'static str) -> Column {
    column(name, ColumnDef::blob)
}

impl Column {
    /// May be NULL.
    pub(crate) fn optional(self) -> Self {
        Self { optional: true, ..self }
    }

    /// Between `least` and `most` characters, both included.
    pub(crate) fn length(self, least: u32, most: u32) -> Self {
        let length = Expr::expr(Func::char_length(Expr::col(self.name)));
        Self { check: Some(length.between(least, most)), ..self }
    }

    /// One of these words. Not an enum type of PostgreSQL: row-level security keeps those from using an index.
    pub(crate) fn one_of<const N: usize>(self, words: [&'static str; N]) -> Self {
        Self { check: Some(Expr::col(self.name).is_in(words)), ..self }
    }

    /// Not less than the value of another column of the row.
    pub(crate) fn not_before(self, other: &'static str) -> Self {
        Self { check: Some(Expr::col(self.name).gte(Expr::col(other))), ..self }
    }

    /// The id of a row of a table that no organization owns.
    pub(crate) fn references(self, table: &'static str) -> Self {
        Self { refers_to: Some(Reference::Global(table)), ..self }
    }

    /// The id of a row of the same organization.
    pub(crate) fn within_organization(self, table: &'static str) -> Self {
        Self { refers_to: Some(Reference::SameOrganization(table)), ..self }
    }

    /// As SQL has it, in the table named `table`.
    pub(crate) fn definition(&self, table: &str, backend: DbBackend) -> ColumnDef {
        let mut definition = ColumnDef::new(self.name);
        (self.kind)(&mut definition);
        if !self.optional {
            definition.not_null();
        }
        if let Some(check) = &self.check {
            definition.check((format!("{table}_{}_check", self.name), check.clone()));
        }
        // SQLite compares bytes by itself; PostgreSQL would ask the locale of the machine.
        if backend == DbBackend::Postgres && definition.get_column_type() == Some(&ColumnType::Text) {
            definition.extra(r#"COLLATE "C""#);
        }
        definition
    }
}
