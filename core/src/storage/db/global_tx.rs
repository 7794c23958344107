//! The units of work outside of organizations: tables that none owns, and reads across all of them.

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

/// One transaction on the tables that no organization owns. Dropped without [`Tx::commit`] it rolls back.
#[must_use]
pub struct GlobalTx {
    open: Arc<OpenTransaction>,
    origin: AuditOrigin,
}

impl GlobalTx {
    pub(super) fn new(open: Arc<OpenTransaction>, origin: AuditOrigin) -> Self {
        Self { open, origin }
    }

    /// The one instant of everything this transaction does.
    pub fn now(&self) -> DateTime<Utc> {
        self.open.now
    }

    /// Who acts, and by which request.
    pub fn origin(&self) -> &AuditOrigin {
        &self.origin
    }

    /// Says who acts once it is known: a registration makes its own actor.
    /// `label`: his address, where it has been looked up.
    pub(crate) fn set_actor(&mut self, actor: Actor, label: Option<&str>) {
        self.origin.actor = actor;
        self.origin.label = label.map(str::to_owned);
    }

    /// The living rows of `E`.
    pub(crate) fn find<E: GlobalTable>(&self) -> GlobalQuery<'_, E> {
        GlobalQuery { open: &self.open, select: E::find(), deleted: false }
    }

    /// The deleted rows of `E`: the only other door, for restore and purge.
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

    /// Inserts a row unless one with the same unique `key` is there. Waits for another transaction that is inserting it.
    /// `true`: inserted.
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
        let is_new = insert.exec_without_returning(&self.open.transaction).await? > 0;
        if is_new {
            self.open.wrote();
        }
        Ok(is_new)
    }

    /// Changes the columns that are set in `row`, which names its id.
    pub(crate) async fn update<A>(&self, row: A) -> Result<<A::Entity as EntityTrait>::Model>
    where
        A: ActiveModelTrait + ActiveModelBehavior + Send,
        A::Entity: GlobalTable,
        <A::Entity as EntityTrait>::Model: IntoActiveModel<A>,
    {
        self.open.wrote();
        let row = row.update(&self.open.transaction).await?;
        if let Some(touch) = <A::Entity as GlobalTable>::INVALIDATES {
            self.open.touch(touch(&row));
        }
        Ok(row)
    }

    /// Sets one column of the rows that `condition` names. Touches nothing: for columns that decide nothing.
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

    /// Changes the columns that are set in `row` of every row that `condition` names, by one statement; gives those rows.
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
        if let Some(touch) = <A::Entity as GlobalTable>::INVALIDATES {
            changed.iter().for_each(|row| self.open.touch(touch(row)));
        }
        Ok(changed)
    }

    /// Deletes for good what `condition` names; gives their number.
    pub(crate) async fn delete<E: GlobalTable>(&self, condition: impl IntoCondition) -> Result<u64> {
        self.open.wrote();
        let delete = E::delete_many().filter(condition.into_condition());
        let deleted = delete.exec(&self.open.transaction).await?.rows_affected;
        if E::INVALIDATES.is_some() && deleted > 0 {
            self.open.touch(Invalidation::Everything);
        }
        Ok(deleted)
    }

    /// Steps into an organization on the same connection, as the platform. One at a time: on PostgreSQL the scope of an
    /// earlier one ends, and what it still did would be refused.
    pub(crate) async fn enter_org(&self, org: OrgId) -> Result<OrgTx<Platform>> {
        self.open.scope(org).await?;
        #[expect(clippy::disallowed_methods, reason = "the platform's own proof; `enter` itself is counted")]
        let proof = Authorized::from_lookup(org, self.origin.clone(), ActorAccess::platform());
        Ok(OrgTx::new(Arc::clone(&self.open), proof))
    }

    /// Steps into the platform's own scope, on the same connection: the log of what belongs to no organization, and its
    /// mails. No tenant's row is in it. An organization that was entered before is left.
    pub(crate) async fn platform(&self) -> Result<OrgTx<Platform>> {
        #[expect(clippy::disallowed_methods, reason = "no organization is entered")]
        self.enter_org(OrgId::PLATFORM).await
    }

    /// The rows of a query across organizations, read inside this transaction: what it has locked stays as it reads.
    /// It *finds*; what is changed is changed in an [`OrgTx`].
    pub(crate) async fn query_across_orgs<M: FromQueryResult + Send + Sync>(
        &self,
        query: &SelectStatement,
    ) -> Result<Vec<M>> {
        across(&self.open, DatabaseRole::App(None), query).await
    }

    /// Makes everything permanent, or nothing.
    ///
    /// # Errors
    /// In debug builds: a change without an audit event.
    pub async fn commit(self) -> Result<()> {
        self.open.commit().await
    }

    /// Commits a change that no audit log tells of, such as the removal of what has expired.
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
    /// Only rows that fulfil `condition`.
    pub fn filter(mut self, condition: impl IntoCondition) -> Self {
        self.select = self.select.filter(condition.into_condition());
        self
    }

    fn sealed(self) -> Select<E> {
        match E::DELETED {
            Some(column) if self.deleted => self.select.filter(column.is_not_null()),
            Some(column) => self.select.filter(column.is_null()),
            None => self.select,
        }
    }

    /// The first row, where there is one.
    ///
    /// # Errors
    /// Whatever the database refuses.
    pub async fn one(self) -> Result<Option<E::Model>> {
        let transaction = &self.open.transaction;
        Ok(self.sealed().one(transaction).await?)
    }

    /// The one row, where there is one, locked against other writers until the transaction ends.
    ///
    /// # Errors
    /// `Unavailable` when another writer holds it too long.
    pub async fn one_locked(self) -> Result<Option<E::Model>> {
        let transaction = &self.open.transaction;
        Ok(self.sealed().lock(locks::CHANGE).one(transaction).await?)
    }

    /// Every row. For sets that are small by their nature.
    ///
    /// # Errors
    /// Whatever the database refuses.
    pub async fn all(self) -> Result<Vec<E::Model>> {
        let transaction = &self.open.transaction;
        Ok(self.sealed().all(transaction).await?)
    }

    /// Every row, locked against other writers until the transaction ends, in the order of `id`: who locks several rows locks
    /// them in one order (`core/src/storage/db/locks.rs`). For sets that are small by their nature.
    ///
    /// # Errors
    /// `Unavailable` when another writer holds one too long.
    pub async fn all_locked(self, id: E::Column) -> Result<Vec<E::Model>> {
        let transaction = &self.open.transaction;
        Ok(self.sealed().order_by(id, Order::Asc).lock(locks::CHANGE).all(transaction).await?)
    }
}

/// Reads with the eyes of the system, then puts `database_role` on again; the scope stays as it is.
pub(super) async fn across<M: FromQueryResult + Send + Sync>(
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

/// A read across organizations; it can change nothing.
#[must_use]
pub struct Unscoped {
    open: Arc<OpenTransaction>,
}

impl Unscoped {
    pub(super) fn new(open: Arc<OpenTransaction>) -> Self {
        Self { open }
    }

    /// The one instant of everything this transaction does.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.open.now
    }

    /// The present instant as SQL, which processes whose clocks differ agree on.
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
    /// `NotFound(name)` when there is none.
    pub(crate) async fn row<M: FromQueryResult + Send + Sync>(
        &self,
        query: &SelectStatement,
        name: &'static str,
    ) -> Result<M> {
        self.rows(query).await?.into_iter().next().ok_or(Error::NotFound(name))
    }

    /// Every row of `E` that `condition` names, whosever they are. For sets that are small by their nature.
    pub(crate) async fn all<E: EntityTrait>(&self, condition: impl IntoCondition) -> Result<Vec<E::Model>>
    where
        E::Model: Send + Sync,
    {
        let select = E::find().filter(condition.into_condition());
        Ok(select.all(&self.open.transaction).await?)
    }

    /// One page of the rows that `condition` names, whosever they are, by keyset.
    pub(crate) async fn page<K: SortKey>(
        &self,
        condition: impl IntoCondition,
        listing: PageRequest<K>,
    ) -> Result<Page<<K::Table as EntityTrait>::Model>>
    where
        <K::Table as EntityTrait>::Model: Send + Sync,
    {
        let select = K::Table::find().filter(condition.into_condition());
        keyset::page(select, &self.open.transaction, listing).await
    }
}
