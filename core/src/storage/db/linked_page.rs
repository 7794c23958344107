//! A page of rows with the ids that another table links to each, with one statement.

use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, DbErr, FromQueryResult, QueryFilter, QueryResult, QuerySelect,
    QueryTrait,
    sea_query::{Expr, ExprTrait, Func, SubQueryStatement},
};
use uuid::Uuid;

use super::{ScopedQuery, SortKey, TenantTable, keyset};
use crate::{
    Error, Result,
    base::pagination::{Page, PageRequest},
};

/// The name of the column with the linked ids.
const LINKS: &str = "links";

impl<E: TenantTable> ScopedQuery<'_, E>
where
    E::Model: Send + Sync,
{
    /// One page of the list, by keyset, each row with the ids in `to` of the rows of `L` in the organization whose `from`
    /// is its id, sorted.
    ///
    /// # Errors
    /// Database errors.
    pub async fn page_with_links<L, K>(
        self,
        request: PageRequest<K>,
        from: L::Column,
        to: L::Column,
    ) -> Result<Page<(E::Model, Vec<Uuid>)>>
    where
        L: TenantTable,
        K: SortKey<Table = E>,
    {
        let (tx, org) = (self.tx, self.org);
        let links = L::find()
            .select_only()
            .expr(joined(to, tx.get_database_backend()))
            .filter(L::ORG.eq(org))
            .filter(from.into_expr().equals((E::default(), E::ID)));
        let links = Expr::from(SubQueryStatement::from(links.into_query()));
        let select = keyset::page_query(self.with_scope(), &request)?.expr_as(links, LINKS);
        let rows = select.into_model::<LinkedRow<E::Model>>().all(tx).await?;
        let rows = rows.into_iter().map(LinkedRow::parse).collect::<Result<Vec<_>>>()?;
        keyset::into_page(rows, &request, |(row, _)| row)
    }
}

/// The ids of a column as text, separated by commas.
fn joined(column: impl ColumnTrait, backend: DbBackend) -> Expr {
    match backend {
        DbBackend::Postgres => {
            let text = column.into_expr().cast_as("text");
            Func::cust("string_agg").arg(text).arg(Expr::cust("','")).into()
        }
        _ => Func::cust("group_concat").arg(Func::cust("hex").arg(column.into_expr())).into(),
    }
}

/// A row, and the ids as text; `None` without ids.
struct LinkedRow<M> {
    row: M,
    links: Option<String>,
}

impl<M: FromQueryResult> FromQueryResult for LinkedRow<M> {
    fn from_query_result(result: &QueryResult, prefix: &str) -> Result<Self, DbErr> {
        Ok(Self { row: M::from_query_result(result, prefix)?, links: result.try_get(prefix, LINKS)? })
    }
}

impl<M> LinkedRow<M> {
    fn parse(self) -> Result<(M, Vec<Uuid>)> {
        let ids = self.links.iter().flat_map(|links| links.split(',')).map(Uuid::parse_str);
        let ids = ids.collect::<Result<Vec<_>, _>>();
        let mut ids = ids.map_err(|_| Error::Internal("a linked id is not a UUID"))?;
        ids.sort_unstable();
        Ok((self.row, ids))
    }
}
