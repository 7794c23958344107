//! Updates and deletes of many rows, with as few statements as possible.

use sea_orm::{
    ColumnTrait, Value,
    sea_query::{Alias, Expr, ExprTrait, IntoIden, Query, TableRef, ValueTuple},
};

use super::{
    OrgTx, TenantTable,
    chunks::{chunks, tuples},
};
use crate::{Result, base::permissions::WritePermission};

/// The name of a list of values. Both databases name its columns `column1`, `column2` and so on.
const EACH: &str = "each";

impl<P: WritePermission> OrgTx<P> {
    /// Sets columns of the rows with these ids in the organization, however many there are, and returns their number.
    pub(crate) async fn update_in_chunks<E: TenantTable>(
        &self,
        columns: impl IntoIterator<Item = (E::Column, Expr)>,
        ids: impl IntoIterator<Item = impl Into<Value>>,
    ) -> Result<u64> {
        let columns: Vec<_> = columns.into_iter().collect();
        let mut changed = 0;
        for ids in chunks(ids) {
            changed += self.update_where::<E>(columns.clone(), E::ID.is_in(ids)).await?;
        }
        Ok(changed)
    }

    /// Permanently deletes the rows whose `column` has one of these values, however many there are, and returns their
    /// number.
    pub(crate) async fn delete_in_chunks<E: TenantTable>(
        &self,
        column: E::Column,
        values: impl IntoIterator<Item = impl Into<Value>>,
    ) -> Result<u64> {
        let mut deleted = 0;
        for values in chunks(values) {
            deleted += self.delete::<E>(column.is_in(values)).await?;
        }
        Ok(deleted)
    }

    /// Sets `columns` of each row, given as its id and the values of the columns, and returns the number of changed
    /// rows.
    pub(crate) async fn update_each<E: TenantTable>(
        &self,
        columns: &[E::Column],
        rows: impl IntoIterator<Item = (Value, Vec<Value>)>,
    ) -> Result<u64> {
        let each = rows
            .into_iter()
            .map(|(id, values)| ValueTuple::Many(std::iter::once(id).chain(values).collect()));
        let mut changed = 0;
        for tuples in tuples(each, columns.len() + 1) {
            changed += self.set_tuples::<E>(columns, tuples).await?;
        }
        Ok(changed)
    }

    async fn set_tuples<E: TenantTable>(
        &self,
        columns: &[E::Column],
        tuples: Vec<ValueTuple>,
    ) -> Result<u64> {
        let mut update = Query::update();
        update.table(E::default()).from(TableRef::ValuesList(tuples, Alias::new(EACH).into_iden()));
        for (index, column) in columns.iter().enumerate() {
            update.value(*column, Expr::col((Alias::new(EACH), Alias::new(format!("column{}", index + 2)))));
        }
        update
            .and_where(Expr::col((E::default(), E::ID)).equals((Alias::new(EACH), Alias::new("column1"))))
            .and_where(Expr::col((E::default(), E::ORG)).eq(self.org()));
        Ok(self.run::<E, _>(&update).await?.rows_affected())
    }
}
