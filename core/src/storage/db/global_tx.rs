//! Transactions outside of organizations: tables that no organization owns, and reads across all organizations.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveModelBehavior, ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult,
    IntoActiveModel, QueryFilter, QueryOrder, QuerySelect, Select, Statement, Value,
    sea_query::{Expr, IntoCondition, OnConflict, Order, SelectStatement},
};

use super::{
    GlobalTable, OrgTx,
    keyset::{self, SortKey},
    locks,
    transaction::{DatabaseRole, OpenTransaction},
};
use crate::{
    Error, Result,
    base::{
        ids::OrgId,
        pagination::{Page, PageRequest},
        permissions::{Actor, ActorAccess, AuditOrigin, Authorized, Platform},
    },
    runtime::cluster::Invalidation,
};

/// A transaction on the tables that no organization owns. It rolls back when it is dropped without
/// [`GlobalTx::commit`].
#[must_use]
pub struct GlobalTx {
    open: Arc<OpenTransaction>,
    origin: AuditOrigin,
}

impl GlobalTx {
    pub(super) fn new(open: Arc<OpenTransaction>, origin: AuditOrigin) -> Self {
        Self { open, origin }
    }

    /// The instant of all changes in this transaction.
    pub fn now(&self) -> DateTime<Utc> {
        self.open.now
    }

    /// Who acts, and in which request.
    pub fn origin(&self) -> &AuditOrigin {
        &self.origin
    }

    /// Sets the actor when it becomes known, such as at registration. `label`: the e-mail address, if it is known.
    pub(crate) fn set_actor(&mut self, actor: Actor, label: Option<&str>) {
        self.origin.actor = actor;
        self.origin.label = label.map(str::to_owned);
    }

    /// The rows of `E` that are not deleted.
    pub(crate) fn find<E: GlobalTable>(&self) -> GlobalQuery<'_, E> {
        GlobalQuery { open: &self.open, select: E::find(), deleted: false }
    }

    /// The deleted rows of `E`. Only to restore and purge them.
    pub(crate) fn find_deleted<E: GlobalTable>(&self) -> GlobalQuery<'_, E> {
        GlobalQuery { open: &self.open, select: E::find(), deleted: true }
    }

    /// Inserts a row.
    pub(crate) async fn insert<A>(&self, row: A) -> Result<<A::Entity as EntityTrait>::Model>
    where
        A: ActiveModelTrait + ActiveModelBehavior + Send,
        A::Entity: GlobalTable,
        <A::Entity as EntityTrait>::Model: IntoActiveModel<A>,
    {
        self.open.wrote();
        Ok(row.insert(&self.open.transaction).await?)
    }

    /// Inserts a row unless one with the same unique `key` exists. Waits for another transaction that is inserting it.
    /// Returns `true` if the row was inserted.
    pub(crate) async fn insert_if_absent<A>(
        &self,
        row: A,
        key: &[<A::Entity as EntityTrait>::Column],
    ) -> Result<bool>
    where
        A: ActiveModelTrait + Send,
        A::Entity: GlobalTable,
    {
        let conflict = OnConflict::columns(key.iter().copied()).do_nothing().to_owned();
        let insert = A::Entity::insert_many([row]).on_conflict(conflict);
        let is_inserted = insert.exec_without_returning(&self.open.transaction).await? > 0;
        if is_inserted {
            self.open.wrote();
        }
        Ok(is_inserted)
    }

    /// Changes the columns that are set in `row`, whose id must be set.
    pub(crate) async fn update<A>(&self, row: A) -> Result<<A::Entity as EntityTrait>::Model>
    where
        A: ActiveModelTrait + ActiveModelBehavior + Send,
        A::Entity: GlobalTable,
        <A::Entity as EntityTrait>::Model: IntoActiveModel<A>,
    {
        self.open.wrote();
        let row = row.update(&self.open.transaction).await?;
        if let Some(invalidation) = <A::Entity as GlobalTable>::INVALIDATES {
            self.open.invalidate(invalidation(&row));
        }
        Ok(row)
    }

    /// Sets one column of the rows that match `condition`. Invalidates no caches, so the column must not affect access.
    pub(crate) async fn set<E: GlobalTable>(
        &self,
        column: E::Column,
        value: impl Into<Value>,
        condition: impl IntoCondition,
    ) -> Result<()> {
        self.open.wrote();
        let update = E::update_many().col_expr(column, Expr::value(value));
        update.filter(condition.into_condition()).exec(&self.open.transaction).await?;
        Ok(())
    }

    /// Changes the columns that are set in `row` for every row that matches `condition`, with one statement, and
    /// returns those rows.
    pub(crate) async fn update_where<A>(
        &self,
        row: A,
        condition: impl IntoCondition,
    ) -> Result<Vec<<A::Entity as EntityTrait>::Model>>
    where
        A: ActiveModelTrait,
        A::Entity: GlobalTable + EntityTrait<ActiveModel = A>,
    {
        let update = A::Entity::update_many().set(row).filter(condition.into_condition());
        let changed = update.exec_with_returning(&self.open.transaction).await?;
        if !changed.is_empty() {
            self.open.wrote();
        }
        if let Some(invalidation) = <A::Entity as GlobalTable>::INVALIDATES {
            changed.iter().for_each(|row| self.open.invalidate(invalidation(row)));
        }
        Ok(changed)
    }

    /// Permanently deletes the rows that match `condition`, and returns their number.
    pub(crate) async fn delete<E: GlobalTable>(&self, condition: impl IntoCondition) -> Result<u64> {
        self.open.wrote();
        let delete = E::delete_many().filter(condition.into_condition());
        let deleted = delete.exec(&self.open.transaction).await?.rows_affected;
        if E::INVALIDATES.is_some() && deleted > 0 {
            self.open.invalidate(Invalidation::Everything);
        }
        Ok(deleted)
    }

    /// Enters an organization on the same connection, as the platform. Use one scope at a time: on PostgreSQL it ends
    /// the scope of an earlier one, whose statements would then be refused.
    pub(crate) async fn enter_org(&self, org: OrgId) -> Result<OrgTx<Platform>> {
        self.open.scope(org).await?;
        #[expect(
            clippy::disallowed_methods,
            reason = "the platform's own proof; the callers of `enter_org` are counted"
        )]
        let proof = Authorized::from_lookup(org, self.origin.clone(), ActorAccess::platform());
        Ok(OrgTx::new(Arc::clone(&self.open), proof))
    }

    /// Enters the platform's own scope on the same connection, for its audit log and its e-mails. It contains no rows
    /// of organizations. It ends the scope of an organization that was entered before.
    pub(crate) async fn platform(&self) -> Result<OrgTx<Platform>> {
        #[expect(clippy::disallowed_methods, reason = "no organization is entered")]
        self.enter_org(OrgId::PLATFORM).await
    }

    /// Runs a query across organizations in this transaction, so that locked rows stay as they are read. Use it only to
    /// find rows, and change them in an [`OrgTx`].
    pub(crate) async fn query_across_orgs<M: FromQueryResult + Send + Sync>(
        &self,
        query: &SelectStatement,
    ) -> Result<Vec<M>> {
        query_as_system(&self.open, DatabaseRole::App(None), query).await
    }

    /// Commits all changes.
    ///
    /// # Errors
    /// In debug builds, a change without an audit event.
    pub async fn commit(self) -> Result<()> {
        self.open.commit().await
    }

    /// Commits a change without an audit event, such as the removal of expired rows.
    pub(crate) async fn commit_unaudited(self) -> Result<()> {
        self.open.commit_unaudited().await
    }
}

/// A query on a table that no organization owns.
#[must_use]
pub struct GlobalQuery<'tx, E: EntityTrait> {
    open: &'tx OpenTransaction,
    select: Select<E>,
    deleted: bool,
}

impl<E: GlobalTable> GlobalQuery<'_, E>
where
    E::Model: Send + Sync,
{
    /// Only rows that match `condition`.
    pub fn filter(mut self, condition: impl IntoCondition) -> Self {
        self.select = self.select.filter(condition.into_condition());
        self
    }

    fn with_deleted_filter(self) -> Select<E> {
        match E::DELETED {
            Some(column) if self.deleted => self.select.filter(column.is_not_null()),
            Some(column) => self.select.filter(column.is_null()),
            None => self.select,
        }
    }

    /// The first row; `None` if there is none.
    ///
    /// # Errors
    /// Database errors.
    pub async fn one(self) -> Result<Option<E::Model>> {
        let transaction = &self.open.transaction;
        Ok(self.with_deleted_filter().one(transaction).await?)
    }

    /// The row, locked against other writers until the transaction ends; `None` if there is none.
    ///
    /// # Errors
    /// `Unavailable` if another writer holds it for too long.
    pub async fn one_locked(self) -> Result<Option<E::Model>> {
        let transaction = &self.open.transaction;
        Ok(self.with_deleted_filter().lock(locks::CHANGE).one(transaction).await?)
    }

    /// All rows. Only for small sets.
    ///
    /// # Errors
    /// Database errors.
    pub async fn all(self) -> Result<Vec<E::Model>> {
        let transaction = &self.open.transaction;
        Ok(self.with_deleted_filter().all(transaction).await?)
    }

    /// All rows, locked against other writers until the transaction ends, in the order of `id`. Several rows must be
    /// locked in one order (`core/src/storage/db/locks.rs`). Only for small sets.
    ///
    /// # Errors
    /// `Unavailable` if another writer holds one for too long.
    pub async fn all_locked(self, id: E::Column) -> Result<Vec<E::Model>> {
        let transaction = &self.open.transaction;
        Ok(self.with_deleted_filter().order_by(id, Order::Asc).lock(locks::CHANGE).all(transaction).await?)
    }
}

/// Runs a query with the system role, then sets `database_role` again. The scope stays the same.
pub(super) async fn query_as_system<M: FromQueryResult + Send + Sync>(
    open: &OpenTransaction,
    database_role: DatabaseRole,
    query: &SelectStatement,
) -> Result<Vec<M>> {
    open.set_role(DatabaseRole::System).await?;
    let rows = rows(open, query).await?;
    open.set_role(database_role).await?;
    Ok(rows)
}

async fn rows<M: FromQueryResult + Send + Sync>(
    open: &OpenTransaction,
    query: &SelectStatement,
) -> Result<Vec<M>> {
    let statement: Statement = open.transaction.get_database_backend().build(query);
    Ok(M::find_by_statement(statement).all(&open.transaction).await?)
}

/// A read across organizations. It cannot change anything.
#[must_use]
pub struct Unscoped {
    open: Arc<OpenTransaction>,
}

impl Unscoped {
    pub(super) fn new(open: Arc<OpenTransaction>) -> Self {
        Self { open }
    }

    /// The instant of this transaction.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.open.now
    }

    /// The current instant as SQL, so that processes with different clocks agree.
    pub(crate) fn sql_now(&self) -> Expr {
        self.open.sql_now()
    }

    /// The rows of a query.
    pub(crate) async fn rows<M: FromQueryResult + Send + Sync>(
        &self,
        query: &SelectStatement,
    ) -> Result<Vec<M>> {
        rows(&self.open, query).await
    }

    /// The first row of a query.
    ///
    /// # Errors
    /// `NotFound(name)` if there is none.
    pub(crate) async fn row<M: FromQueryResult + Send + Sync>(
        &self,
        query: &SelectStatement,
        name: &'static str,
    ) -> Result<M> {
        self.rows(query).await?.into_iter().next().ok_or(Error::NotFound(name))
    }

    /// All rows of `E` that match `condition`, in all organizations. Only for small sets.
    pub(crate) async fn all<E: EntityTrait>(&self, condition: impl IntoCondition) -> Result<Vec<E::Model>>
    where
        E::Model: Send + Sync,
    {
        let select = E::find().filter(condition.into_condition());
        Ok(select.all(&self.open.transaction).await?)
    }

    /// One page of the rows that match `condition`, in all organizations, by keyset.
    pub(crate) async fn page<K: SortKey>(
        &self,
        condition: impl IntoCondition,
        request: PageRequest<K>,
    ) -> Result<Page<<K::Table as EntityTrait>::Model>>
    where
        <K::Table as EntityTrait>::Model: Send + Sync,
    {
        let select = K::Table::find().filter(condition.into_condition());
        keyset::page(select, &self.open.transaction, request).await
    }
}
