//! Inserts into two tables, with one statement if the database can do that.

use sea_orm::{
    ActiveModelTrait, ConnectionTrait, DbBackend, EntityTrait, Iterable, QueryTrait,
    sea_query::{Alias, CommonTableExpression},
};

use super::{OrgTx, TenantTable, chunks};
use crate::{Result, base::permissions::WritePermission};

/// The name of the first insert in the statement.
const FIRST: &str = "first";

impl<P: WritePermission> OrgTx<P> {
    /// Inserts rows of two tables that do not refer to each other; does nothing for empty lists. PostgreSQL gets one
    /// statement, unless it would have too many values. SQLite, which has no round trips, always gets two.
    pub(crate) async fn insert_both<A, B>(&self, first: Vec<A>, second: Vec<B>) -> Result<()>
    where
        A: ActiveModelTrait + Send,
        A::Entity: TenantTable,
        B: ActiveModelTrait + Send,
        B::Entity: TenantTable,
    {
        let values = first.len() * <A::Entity as EntityTrait>::Column::iter().count()
            + second.len() * <B::Entity as EntityTrait>::Column::iter().count();
        let is_one = !first.is_empty() && !second.is_empty() && values <= chunks::MAX_LIST_VALUES;
        if !is_one || self.transaction().get_database_backend() != DbBackend::Postgres {
            self.insert_many(first).await?;
            return self.insert_many(second).await;
        }
        let first = A::Entity::insert_many(self.owned(first)).into_query();
        let mut statement = B::Entity::insert_many(self.owned(second)).into_query();
        statement
            .with_cte(CommonTableExpression::new().table_name(Alias::new(FIRST)).query(first).to_owned());
        self.wrote::<A::Entity>();
        self.run::<B::Entity, _>(&statement).await?;
        Ok(())
    }

    /// The rows, in the organization of the scope.
    fn owned<A>(&self, mut rows: Vec<A>) -> Vec<A>
    where
        A: ActiveModelTrait,
        A::Entity: TenantTable,
    {
        for row in &mut rows {
            row.set(<A::Entity as TenantTable>::ORG, self.org().0.into());
        }
        rows
    }
}
