//! Queries inside one organization. The scope is added last, on every table of the query.

use std::collections::HashMap;

use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, FromQueryResult, JoinType, PaginatorTrait,
    PartialModelTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait, Related, Select, SelectExt,
    SelectTwo, Value,
    prelude::Uuid,
    sea_query::{Expr, ExprTrait, IntoCondition, Order, UnionType},
};

use super::{
    GlobalTable, TenantTable,
    chunks::chunks,
    keyset::{self, SortKey},
    subquery::subquery,
    transaction::Transaction,
};
use crate::{
    Error, Result,
    base::{
        ids::OrgId,
        pagination::{Page, PageRequest},
    },
};

/// A query that is restricted to the organization, whatever its conditions are.
#[must_use]
pub struct ScopedQuery<'tx, E: EntityTrait> {
    pub(super) tx: &'tx Transaction,
    pub(super) org: OrgId,
    select: Select<E>,
    /// Only deleted rows, or only rows that are not deleted; `None` for both.
    deleted: Option<bool>,
}

impl<'tx, E: TenantTable> ScopedQuery<'tx, E>
where
    E::Model: Send + Sync,
{
    pub(super) fn new(tx: &'tx Transaction, org: OrgId, deleted: bool) -> Self {
        Self { tx, org, select: E::find(), deleted: Some(deleted) }
    }

    /// Includes deleted rows, to which other rows still refer.
    pub fn including_deleted(self) -> Self {
        Self { deleted: None, ..self }
    }

    /// Only rows that match `condition`. It is combined with the scope by AND, so an OR in it cannot widen the scope.
    pub fn filter(mut self, condition: impl IntoCondition) -> Self {
        self.select = self.select.filter(condition.into_condition());
        self
    }

    /// Only rows with this value; no filter for `None`.
    pub fn filter_some<V: Into<Value>>(self, column: E::Column, value: Option<V>) -> Self {
        match value {
            Some(value) => self.filter(column.eq(value)),
            None => self,
        }
    }

    /// Joins the row of `R` in the same organization that a row refers to. Rows without one, or whose `R` was deleted,
    /// stay in the result (left join: the scope is in ON).
    pub fn join<R: TenantTable>(mut self) -> Self
    where
        E: Related<R>,
    {
        let (org, deleted) = (self.org, R::DELETED);
        let on = <E as Related<R>>::to().on_condition(move |_, right| {
            let scope = Condition::all().add(Expr::col((right.clone(), R::ORG)).eq(org));
            scope.add_option(deleted.map(|column| Expr::col((right, column)).is_null()))
        });
        self.select = self.select.join(JoinType::LeftJoin, on);
        self
    }

    /// Only rows whose `column` equals `theirs` of a row of `R` in the same organization that matches `condition`. The
    /// subquery has the same scope.
    pub fn where_in<R: TenantTable>(
        self,
        column: E::Column,
        theirs: R::Column,
        condition: impl IntoCondition,
    ) -> Self {
        let theirs = subquery::<R>(self.org, theirs, condition, R::DELETED);
        self.filter(column.in_subquery(theirs))
    }

    /// Joins the user that each row refers to. Users belong to no organization.
    pub fn with<R: GlobalTable>(self) -> ScopedWith<'tx, E, R>
    where
        E: Related<R>,
        R::Model: Send + Sync,
    {
        let tx = self.tx;
        ScopedWith { tx, select: self.with_scope().find_also_related(R::default()) }
    }

    pub(super) fn with_scope(self) -> Select<E> {
        let is_visible = E::DELETED.zip(self.deleted).map(|(column, deleted)| match deleted {
            true => column.is_not_null(),
            false => column.is_null(),
        });
        self.select.filter(Condition::all().add(E::ORG.eq(self.org)).add_option(is_visible))
    }

    /// All rows. Only for small sets; lists have pages.
    ///
    /// # Errors
    /// Database errors.
    pub async fn all(self) -> Result<Vec<E::Model>> {
        let tx = self.tx;
        Ok(self.with_scope().all(tx).await?)
    }

    /// The rows whose `column` has one of these values, however many there are.
    ///
    /// # Errors
    /// Database errors.
    pub async fn all_of(
        self,
        column: E::Column,
        values: impl IntoIterator<Item = impl Into<Value>>,
    ) -> Result<Vec<E::Model>> {
        let mut found = Vec::new();
        for values in chunks(values) {
            found.extend(self.duplicate().filter(column.is_in(values)).all().await?);
        }
        Ok(found)
    }

    /// A copy of the query.
    pub(super) fn duplicate(&self) -> Self {
        Self { select: self.select.clone(), ..*self }
    }

    /// The first `limit` rows, ordered by `column`. For work in batches; lists have pages.
    ///
    /// # Errors
    /// Database errors.
    pub async fn first(self, column: E::Column, limit: u64) -> Result<Vec<E::Model>> {
        let tx = self.tx;
        Ok(self.with_scope().order_by(column, Order::Asc).limit(limit).all(tx).await?)
    }

    /// The columns of `V` of the last row, ordered by `column`; `None` if there is no row.
    ///
    /// # Errors
    /// Database errors.
    pub async fn last_as<V: PartialModelTrait + Send + Sync>(self, column: E::Column) -> Result<Option<V>> {
        let tx = self.tx;
        let last = self.with_scope().order_by(column, Order::Desc).limit(1);
        Ok(last.into_partial_model::<V>().one(tx).await?)
    }

    /// For each condition, the greatest number in `column` of the rows that match it; `None` without rows. It is one
    /// statement. It reads one row per condition if an index has the columns of the condition, then `column`.
    ///
    /// # Errors
    /// Database errors.
    pub async fn greatest_of_each(
        self,
        column: E::Column,
        conditions: impl IntoIterator<Item = impl IntoCondition>,
    ) -> Result<Vec<Option<i64>>> {
        let mut selects = (0_i64..).zip(conditions).map(|(number, condition)| {
            let rows = self.duplicate().filter(condition).with_scope().select_only();
            let select = rows.expr_as(Expr::val(number), "number").column_as(column.max(), "greatest");
            select.into_query()
        });
        let Some(mut query) = selects.next() else { return Ok(Vec::new()) };
        for select in selects {
            query.union(UnionType::All, select);
        }
        let statement = self.tx.get_database_backend().build(&query);
        let mut found = Greatest::find_by_statement(statement).all(self.tx).await?;
        found.sort_by_key(|greatest| greatest.number);
        Ok(found.into_iter().map(|greatest| greatest.greatest).collect())
    }

    /// The row.
    ///
    /// # Errors
    /// `NotFound` if there is none.
    pub async fn one(self) -> Result<E::Model> {
        let tx = self.tx;
        self.with_scope().one(tx).await?.ok_or(Error::NotFound(E::NAME))
    }

    /// The number of rows.
    ///
    /// # Errors
    /// Database errors.
    pub async fn count(self) -> Result<u64> {
        let tx = self.tx;
        Ok(self.with_scope().count(tx).await?)
    }

    /// The number of rows for each id in `column`.
    ///
    /// # Errors
    /// Database errors.
    pub async fn count_by(self, column: E::Column) -> Result<HashMap<Uuid, u64>> {
        let tx = self.tx;
        let rows =
            self.with_scope().select_only().column_as(column, "key").column_as(E::ID.count(), "number");
        let counts: Vec<KeyCount> = rows.group_by(column).into_model().all(tx).await?;
        Ok(counts.into_iter().map(|count| (count.key, count.number.unsigned_abs())).collect())
    }

    /// Is there any row?
    ///
    /// # Errors
    /// Database errors.
    pub async fn exists(self) -> Result<bool> {
        let tx = self.tx;
        Ok(self.with_scope().exists(tx).await?)
    }

    /// Only the columns of `V`, including nested ones of joined tables, ordered by `column`.
    ///
    /// # Errors
    /// Database errors.
    pub async fn select_as<V: PartialModelTrait + Send + Sync>(self, column: E::Column) -> Result<Vec<V>> {
        let tx = self.tx;
        Ok(self.with_scope().order_by(column, Order::Asc).into_partial_model::<V>().all(tx).await?)
    }

    /// One page of the list, by keyset.
    ///
    /// # Errors
    /// Database errors.
    pub async fn page<K: SortKey<Table = E>>(self, request: PageRequest<K>) -> Result<Page<E::Model>> {
        let tx = self.tx;
        keyset::page(self.with_scope(), tx, request).await
    }
}

/// The number of rows with one id of [`ScopedQuery::count_by`].
#[derive(FromQueryResult)]
struct KeyCount {
    key: Uuid,
    number: i64,
}

/// The answer to one condition of [`ScopedQuery::greatest_of_each`].
#[derive(FromQueryResult)]
struct Greatest {
    number: i64,
    greatest: Option<i64>,
}

/// A query inside one organization, each row with the user that it refers to.
#[must_use]
pub struct ScopedWith<'tx, E: EntityTrait, R: EntityTrait> {
    tx: &'tx Transaction,
    select: SelectTwo<E, R>,
}

impl<E: TenantTable, R: GlobalTable> ScopedWith<'_, E, R>
where
    E::Model: Send + Sync,
    R::Model: Send + Sync,
{
    /// Only rows that match `condition`, which may contain columns of both tables.
    pub fn filter(self, condition: impl IntoCondition) -> Self {
        Self { select: self.select.filter(condition.into_condition()), ..self }
    }

    /// All rows, each with its user. Only for small sets; lists have pages.
    ///
    /// # Errors
    /// Database errors.
    pub async fn all(self) -> Result<Vec<(E::Model, R::Model)>> {
        let found = self.select.all(self.tx).await?;
        Ok(found.into_iter().filter_map(|(row, other)| Some((row, other?))).collect())
    }

    /// The rows whose `column` has one of these values, however many there are, each with its user.
    ///
    /// # Errors
    /// Database errors.
    pub async fn all_of(
        self,
        column: impl ColumnTrait,
        values: impl IntoIterator<Item = impl Into<Value>>,
    ) -> Result<Vec<(E::Model, R::Model)>> {
        let mut found = Vec::new();
        for values in chunks(values) {
            let one = Self { tx: self.tx, select: self.select.clone() };
            found.extend(one.filter(column.is_in(values)).all().await?);
        }
        Ok(found)
    }

    /// The row, with its user.
    ///
    /// # Errors
    /// `NotFound` if there is none.
    pub async fn one(self) -> Result<(E::Model, R::Model)> {
        let found = self.select.one(self.tx).await?;
        found.and_then(|(row, other)| Some((row, other?))).ok_or(Error::NotFound(E::NAME))
    }

    /// The number of rows.
    ///
    /// # Errors
    /// Database errors.
    pub async fn count(self) -> Result<u64> {
        Ok(self.select.count(self.tx).await?)
    }

    /// One page of the list, by keyset.
    ///
    /// # Errors
    /// Database errors.
    pub async fn page<K: SortKey<Table = E>>(
        self,
        request: PageRequest<K>,
    ) -> Result<Page<(E::Model, R::Model)>> {
        keyset::page_with(self.select, self.tx, request).await
    }
}
