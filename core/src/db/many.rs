//! Changes of many rows, each another one, by one statement.

use sea_orm::{
    Value,
    sea_query::{Alias, Expr, ExprTrait, IntoIden, Query, TableRef, ValueTuple},
};

use super::{OrgTx, TenantTable};
use crate::{Result, access::Write};

/// The rows of a list of values; both databases call its columns `column1`, `column2` and so on.
const EACH: &str = "each";

impl<P: Write> OrgTx<P> {
    /// Sets `columns` of each row, which is given by its id and the values of its columns; gives the number of rows changed.
    pub(crate) async fn set_each<E: TenantTable>(
        &self,
        columns: &[E::Column],
        rows: impl IntoIterator<Item = (Value, Vec<Value>)>,
    ) -> Result<u64> {
        let tuples = rows
            .into_iter()
            .map(|(id, values)| ValueTuple::Many(std::iter::once(id).chain(values).collect()));
        let tuples: Vec<_> = tuples.collect();
        if tuples.is_empty() {
            return Ok(0);
        }
        let mut update = Query::update();
        update.table(E::default()).from(TableRef::ValuesList(tuples, Alias::new(EACH).into_iden()));
        for (place, column) in columns.iter().enumerate() {
            update.value(*column, Expr::col((Alias::new(EACH), Alias::new(format!("column{}", place + 2)))));
        }
        update
            .and_where(Expr::col((E::default(), E::ID)).equals((Alias::new(EACH), Alias::new("column1"))))
            .and_where(Expr::col((E::default(), E::ORG)).eq(self.org()));
        Ok(self.run::<E, _>(&update).await?.rows_affected())
    }
}
