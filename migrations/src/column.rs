//! The column types of migrations.
//!
//! Released migrations use these functions: add functions, but never change the meaning of one.

use sea_orm_migration::{
    sea_orm::DbBackend,
    sea_query::{ColumnDef, ColumnType, Expr, ExprTrait, Func},
};

/// A column. NOT NULL and without DEFAULT, unless a method changes that.
pub(crate) struct Column {
    pub(crate) name: &'static str,
    kind: fn(&mut ColumnDef) -> &mut ColumnDef,
    optional: bool,
    check: Option<Expr>,
    pub(crate) refers_to: Option<Reference>,
}

/// The row that the value of a column refers to.
#[derive(Clone, Copy)]
pub(crate) enum Reference {
    /// By id only, in a table that belongs to no organization.
    Global(&'static str),
    /// By `(organization_id, id)`, so that rows of other organizations cannot be referenced.
    SameOrganization(&'static str),
}

fn column(name: &'static str, kind: fn(&mut ColumnDef) -> &mut ColumnDef) -> Column {
    Column { name, kind, optional: false, check: None, refers_to: None }
}

/// Text of any length, compared by bytes on both databases.
pub(crate) fn text(name: &'static str) -> Column {
    column(name, ColumnDef::text)
}

/// A UUID.
pub(crate) fn uuid(name: &'static str) -> Column {
    column(name, ColumnDef::uuid)
}

/// A point in time in UTC.
pub(crate) fn instant(name: &'static str) -> Column {
    column(name, ColumnDef::timestamp_with_time_zone)
}

/// A boolean.
pub(crate) fn boolean(name: &'static str) -> Column {
    column(name, ColumnDef::boolean)
}

/// A 32-bit integer.
pub(crate) fn integer(name: &'static str) -> Column {
    column(name, ColumnDef::integer)
}

/// A 64-bit integer.
pub(crate) fn big_integer(name: &'static str) -> Column {
    column(name, ColumnDef::big_integer)
}

/// Bytes of any length.
pub(crate) fn bytes(name: &'static str) -> Column {
    column(name, ColumnDef::blob)
}

impl Column {
    /// Allows NULL.
    pub(crate) fn optional(self) -> Self {
        Self { optional: true, ..self }
    }

    /// Requires `least` to `most` characters, inclusive.
    pub(crate) fn length(self, least: u32, most: u32) -> Self {
        let length = Expr::expr(Func::char_length(Expr::col(self.name)));
        Self { check: Some(length.between(least, most)), ..self }
    }

    /// Requires one of these words. Not a PostgreSQL enum type, because row-level security prevents index use for
    /// those.
    pub(crate) fn one_of<const N: usize>(self, words: [&'static str; N]) -> Self {
        Self { check: Some(Expr::col(self.name).is_in(words)), ..self }
    }

    /// Requires at least the value of another column of the row.
    pub(crate) fn not_before(self, other: &'static str) -> Self {
        Self { check: Some(Expr::col(self.name).gte(Expr::col(other))), ..self }
    }

    /// References the id of a row of a table that belongs to no organization.
    pub(crate) fn references(self, table: &'static str) -> Self {
        Self { refers_to: Some(Reference::Global(table)), ..self }
    }

    /// References the id of a row of the same organization.
    pub(crate) fn within_organization(self, table: &'static str) -> Self {
        Self { refers_to: Some(Reference::SameOrganization(table)), ..self }
    }

    /// The definition in SQL, for the table `table`.
    pub(crate) fn definition(&self, table: &str, backend: DbBackend) -> ColumnDef {
        let mut definition = ColumnDef::new(self.name);
        (self.kind)(&mut definition);
        if !self.optional {
            definition.not_null();
        }
        if let Some(check) = &self.check {
            definition.check((format!("{table}_{}_check", self.name), check.clone()));
        }
        // SQLite compares bytes by default. PostgreSQL would use the locale of the machine.
        if backend == DbBackend::Postgres && definition.get_column_type() == Some(&ColumnType::Text) {
            definition.extra(r#"COLLATE "C""#);
        }
        definition
    }
}
