//! A query inside one organization, whatever else it asks: the scope is added last, on every table named.

use sea_orm::{
    ColumnTrait, Condition, EntityTrait, FromQueryResult, JoinType, PaginatorTrait, PartialModelTrait,
    QueryFilter, QueryOrder, QuerySelect, Related, Select, SelectExt, SelectTwo, Value,
    sea_query::{Expr, ExprTrait, IntoCondition, Order},
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

/// A query that will run inside the organization, whatever else it asks.
#[must_use]
pub struct ScopedQuery<'tx, E: EntityTrait> {
    pub(super) tx: &'tx Transaction,
    org: OrgId,
    select: Select<E>,
    /// Only those that were deleted, or only those that live; `None`: both.
    deleted: Option<bool>,
}

impl<'tx, E: TenantTable> ScopedQuery<'tx, E>
where
    E::Model: Send + Sync,
{
    pub(super) fn new(tx: &'tx Transaction, org: OrgId, deleted: bool) -> Self {
        Self { tx, org, select: E::find(), deleted: Some(deleted) }
    }

    /// Deleted rows, too: what was done still names them.
    pub fn including_deleted(self) -> Self {
        Self { deleted: None, ..self }
    }

    /// Only rows that fulfil `condition`; it is joined to the scope by AND, so no OR inside widens it.
    pub fn filter(mut self, condition: impl IntoCondition) -> Self {
        self.select = self.select.filter(condition.into_condition());
        self
    }

    /// Only rows with this value, where one is given.
    pub fn filter_some<V: Into<Value>>(self, column: E::Column, value: Option<V>) -> Self {
        match value {
            Some(value) => self.filter(column.eq(value)),
            None => self,
        }
    }

    /// Adds the row of `R` in the same organization that this one refers to; a row without one stays, and so does one
    /// whose `R` was deleted (left join: the scope goes into ON).
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

    /// Only rows whose `column` stands in `theirs` of a row of `R` in the same organization that fulfils `condition`. By a
    /// subquery that is scoped like the query itself.
    pub fn where_in<R: TenantTable>(
        self,
        column: E::Column,
        theirs: R::Column,
        condition: impl IntoCondition,
    ) -> Self {
        let theirs = subquery::<R>(self.org, theirs, condition, R::DELETED);
        self.filter(column.in_subquery(theirs))
    }

    /// Adds the person that each row refers to. People belong to no organization; rows do.
    pub fn with<R: GlobalTable>(self) -> ScopedWith<'tx, E, R>
    where
        E: Related<R>,
        R::Model: Send + Sync,
    {
        let tx = self.tx;
        ScopedWith { tx, select: self.with_scope().find_also_related(R::default()) }
    }

    pub(super) fn with_scope(self) -> Select<E> {
        let lives = E::DELETED.zip(self.deleted).map(|(column, deleted)| match deleted {
            true => column.is_not_null(),
            false => column.is_null(),
        });
        self.select.filter(Condition::all().add(E::ORG.eq(self.org)).add_option(lives))
    }

    /// Every row. For sets that are small by their nature; lists are pages.
    ///
    /// # Errors
    /// Whatever the database refuses.
    pub async fn all(self) -> Result<Vec<E::Model>> {
        let tx = self.tx;
        Ok(self.with_scope().all(tx).await?)
    }

    /// The rows whose `column` is one of these values, however many they are.
    ///
    /// # Errors
    /// Whatever the database refuses.
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

    /// The same query once more.
    pub(super) fn duplicate(&self) -> Self {
        Self { select: self.select.clone(), ..*self }
    }

    /// The first `limit` rows, ordered by `column`. For work done in batches; lists are pages.
    ///
    /// # Errors
    /// Whatever the database refuses.
    pub async fn first(self, column: E::Column, limit: u64) -> Result<Vec<E::Model>> {
        let tx = self.tx;
        Ok(self.with_scope().order_by(column, Order::Asc).limit(limit).all(tx).await?)
    }

    /// Of the last row, ordered by `column`, the columns that `V` names; `None`: there is no row.
    ///
    /// # Errors
    /// Whatever the database refuses.
    pub async fn last_as<V: PartialModelTrait + Send + Sync>(self, column: E::Column) -> Result<Option<V>> {
        let tx = self.tx;
        let last = self.with_scope().order_by(column, Order::Desc).limit(1);
        Ok(last.into_partial_model::<V>().one(tx).await?)
    }

    /// Of each group of rows with the same value in `by`, that value and the greatest one in `of`, which `V` calls `greatest`.
    ///
    /// # Errors
    /// Whatever the database refuses.
    pub async fn greatest<V: FromQueryResult + Send + Sync>(
        self,
        by: E::Column,
        of: E::Column,
    ) -> Result<Vec<V>> {
        let tx = self.tx;
        let groups = self.with_scope().select_only().column(by).column_as(of.max(), "greatest").group_by(by);
        Ok(groups.into_model::<V>().all(tx).await?)
    }

    /// The one row.
    ///
    /// # Errors
    /// `NotFound` when there is none.
    pub async fn one(self) -> Result<E::Model> {
        let tx = self.tx;
        self.with_scope().one(tx).await?.ok_or(Error::NotFound(E::NAME))
    }

    /// How many rows there are.
    ///
    /// # Errors
    /// Whatever the database refuses.
    pub async fn count(self) -> Result<u64> {
        let tx = self.tx;
        Ok(self.with_scope().count(tx).await?)
    }

    /// Is there any row?
    ///
    /// # Errors
    /// Whatever the database refuses.
    pub async fn exists(self) -> Result<bool> {
        let tx = self.tx;
        Ok(self.with_scope().exists(tx).await?)
    }

    /// Only the columns that `V` names, nested ones from joined tables too, ordered by `column`.
    ///
    /// # Errors
    /// Whatever the database refuses.
    pub async fn select_as<V: PartialModelTrait + Send + Sync>(self, column: E::Column) -> Result<Vec<V>> {
        let tx = self.tx;
        Ok(self.with_scope().order_by(column, Order::Asc).into_partial_model::<V>().all(tx).await?)
    }

    /// One page of the list, by keyset.
    ///
    /// # Errors
    /// Whatever the database refuses.
    pub async fn page<K: SortKey<Table = E>>(self, listing: PageRequest<K>) -> Result<Page<E::Model>> {
        let tx = self.tx;
        keyset::page(self.with_scope(), tx, listing).await
    }
}

/// A query inside one organization, each row with what no organization owns: the person it refers to.
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
    /// Only rows that fulfil `condition`, which may name columns of either.
    pub fn filter(self, condition: impl IntoCondition) -> Self {
        Self { select: self.select.filter(condition.into_condition()), ..self }
    }

    /// Every row, each with its person. For sets that are small by their nature; lists are pages.
    ///
    /// # Errors
    /// Whatever the database refuses.
    pub async fn all(self) -> Result<Vec<(E::Model, R::Model)>> {
        let found = self.select.all(self.tx).await?;
        Ok(found.into_iter().filter_map(|(row, other)| Some((row, other?))).collect())
    }

    /// Those whose `column` is one of these values, however many they are, each with its person.
    ///
    /// # Errors
    /// Whatever the database refuses.
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

    /// The one row, with its person.
    ///
    /// # Errors
    /// `NotFound` when there is none.
    pub async fn one(self) -> Result<(E::Model, R::Model)> {
        let found = self.select.one(self.tx).await?;
        found.and_then(|(row, other)| Some((row, other?))).ok_or(Error::NotFound(E::NAME))
    }

    /// How many rows there are.
    ///
    /// # Errors
    /// Whatever the database refuses.
    pub async fn count(self) -> Result<u64> {
        Ok(self.select.count(self.tx).await?)
    }

    /// One page of the list, by keyset.
    ///
    /// # Errors
    /// Whatever the database refuses.
    pub async fn page<K: SortKey<Table = E>>(
        self,
        listing: PageRequest<K>,
    ) -> Result<Page<(E::Model, R::Model)>> {
        keyset::page_with(self.select, self.tx, listing).await
    }
}
