//! Transactions inside one organization. They are not connections, so other modules cannot run their own SQL.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveModelBehavior, ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, ExecResult,
    FromQueryResult, IntoActiveModel, QueryFilter, StatementBuilder, UpdateMany, Value,
    sea_query::{Expr, IntoCondition, LockBehavior, OnConflict, Query, SelectStatement},
};

use super::{
    GlobalTx, ScopedQuery, TenantTable, chunks, locks,
    transaction::{DatabaseRole, OpenTransaction, Transaction},
};
use crate::{
    Error, Result,
    base::{
        error::{ErrorCode, FieldErrors},
        ids::{JobId, MemberId, OrgId},
        permissions::{
            ActorAccess, AuditOrigin, Authorized, Permission, RequiredPermission, WritePermission,
        },
    },
    runtime::{cluster::Invalidation, job_wakeup::JobRef},
};

/// A transaction inside one organization, with the permission `P`. It rolls back when it is dropped without
/// [`OrgTx::commit`].
#[must_use]
pub struct OrgTx<P> {
    open: Arc<OpenTransaction>,
    proof: Authorized<P>,
}

impl<P: RequiredPermission> OrgTx<P> {
    pub(super) fn new(open: Arc<OpenTransaction>, proof: Authorized<P>) -> Self {
        Self { open, proof }
    }

    /// The organization.
    pub fn org(&self) -> OrgId {
        self.proof.org()
    }

    /// Who acts, and in which request.
    pub fn origin(&self) -> &AuditOrigin {
        self.proof.origin()
    }

    /// The access of the actor.
    pub fn facts(&self) -> &ActorAccess {
        self.proof.facts()
    }

    /// The membership of the actor; `None` for the platform.
    pub fn member(&self) -> Option<MemberId> {
        self.facts().member
    }

    /// The membership of the actor, for operations that need one.
    ///
    /// # Errors
    /// `NOT_A_MEMBER` for superusers without a membership.
    pub fn own_member(&self) -> Result<MemberId> {
        self.member().ok_or(ErrorCode::NotAMember.refuse())
    }

    /// Does the actor also have this permission? For variants such as "own or all"; the operation requires `P`.
    pub fn may(&self, permission: Permission) -> bool {
        self.facts().held.contains(permission)
    }

    /// The instant of all changes in this transaction.
    pub fn now(&self) -> DateTime<Utc> {
        self.open.now
    }

    /// The connection, for modules here that build queries with the scope of the organization.
    pub(super) fn transaction(&self) -> &Transaction {
        &self.open.transaction
    }

    /// The current instant as SQL, so that processes with different clocks agree.
    pub(crate) fn sql_now(&self) -> Expr {
        self.open.sql_now()
    }

    /// Like [`OrgTx::sql_now`], `wait` later.
    pub(crate) fn sql_after(&self, wait: Duration) -> Expr {
        self.open.sql_after(wait)
    }

    /// The rows of `E` in the organization that are not deleted.
    pub(crate) fn find<E: TenantTable>(&self) -> ScopedQuery<'_, E>
    where
        E::Model: Send + Sync,
    {
        ScopedQuery::new(&self.open.transaction, self.org(), false)
    }

    /// The deleted rows of `E` in the organization. Only to restore and purge them.
    pub(crate) fn find_deleted<E: TenantTable>(&self) -> ScopedQuery<'_, E>
    where
        E::Model: Send + Sync,
    {
        ScopedQuery::new(&self.open.transaction, self.org(), true)
    }

    /// Runs a query across organizations in this transaction, which sees its changes. Use it only to find rows. The
    /// scope stays the same.
    pub(crate) async fn query_across_orgs<M: FromQueryResult + Send + Sync>(
        &self,
        query: &SelectStatement,
    ) -> Result<Vec<M>> {
        super::global_tx::query_as_system(&self.open, DatabaseRole::App(Some(self.org())), query).await
    }

    /// Checks that `id` in `field` is a row of `E` that is not deleted. A foreign key does not check soft deletion.
    ///
    /// # Errors
    /// `VALIDATION_FAILED` with the field.
    pub(crate) async fn require_existing<E: TenantTable>(
        &self,
        field: &str,
        id: impl Into<Value>,
    ) -> Result<()>
    where
        E::Model: Send + Sync,
    {
        let mut fields = FieldErrors::default();
        if !self.find::<E>().filter(E::ID.eq(id)).exists().await? {
            fields.add(field, "UNKNOWN_REFERENCE", format!("There is no such {}.", E::NAME));
        }
        fields.into_result()
    }

    /// Refuses a name that another row of `E` has in `column`, unless that row is deleted. Check it before a row is
    /// renamed: two transactions that exchange their names would otherwise deadlock in the unique index. The index
    /// decides if two transactions want a name at the same time.
    ///
    /// # Errors
    /// `code`.
    pub(crate) async fn refuse_taken<E: TenantTable>(
        &self,
        column: E::Column,
        name: impl Into<Value>,
        code: ErrorCode,
    ) -> Result<()>
    where
        E::Model: Send + Sync,
    {
        match self.find::<E>().filter(column.eq(name)).exists().await? {
            true => Err(code.refuse()),
            false => Ok(()),
        }
    }
}

impl<P: WritePermission> OrgTx<P> {
    /// Records that rows of `E` change.
    pub(super) fn wrote<E: TenantTable>(&self) {
        self.open.wrote();
        if E::AFFECTS_ACCESS {
            self.open.invalidate(Invalidation::Org(self.org()));
        }
    }

    /// The tables that no organization owns, in this transaction, such as e-mailed tokens and users. Drop it before the
    /// commit. Entering another organization from it ends this scope.
    pub(crate) fn global(&self) -> GlobalTx {
        GlobalTx::new(Arc::clone(&self.open), self.origin().clone())
    }

    /// Inserts a row. Its organization is always the one of the scope.
    pub(crate) async fn insert<A>(&self, mut row: A) -> Result<<A::Entity as EntityTrait>::Model>
    where
        A: ActiveModelTrait + ActiveModelBehavior + Send,
        A::Entity: TenantTable,
        <A::Entity as EntityTrait>::Model: IntoActiveModel<A>,
    {
        row.set(<A::Entity as TenantTable>::ORG, self.org().0.into());
        self.wrote::<A::Entity>();
        Ok(row.insert(&self.open.transaction).await?)
    }

    /// Inserts several rows with as few statements as possible; does nothing for an empty list.
    pub(crate) async fn insert_many<A>(&self, mut rows: Vec<A>) -> Result<()>
    where
        A: ActiveModelTrait + Send,
        A::Entity: TenantTable,
    {
        for row in &mut rows {
            row.set(<A::Entity as TenantTable>::ORG, self.org().0.into());
        }
        for rows in chunks::rows::<A::Entity, _>(rows) {
            self.wrote::<A::Entity>();
            A::Entity::insert_many(rows).exec_without_returning(&self.open.transaction).await?;
        }
        Ok(())
    }

    /// Inserts a row unless one with the same `key` exists, which is unique *within* an organization. Returns `true` if
    /// the row was inserted.
    pub(crate) async fn insert_if_absent<A>(
        &self,
        mut row: A,
        key: &[<A::Entity as EntityTrait>::Column],
    ) -> Result<bool>
    where
        A: ActiveModelTrait + Send,
        A::Entity: TenantTable,
    {
        let org = <A::Entity as TenantTable>::ORG;
        row.set(org, self.org().0.into());
        self.wrote::<A::Entity>();
        // The key always includes the organization, because a conflict on a global key would affect another
        // organization's row.
        let conflict =
            OnConflict::columns(std::iter::once(org).chain(key.iter().copied())).do_nothing().to_owned();
        let insert = A::Entity::insert_many([row]).on_conflict(conflict);
        Ok(insert.exec_without_returning(&self.open.transaction).await? > 0)
    }

    /// Changes the columns that are set in `row`, whose id must be set.
    ///
    /// # Errors
    /// `NotFound` if the organization has no such row.
    pub(crate) async fn update<A>(&self, mut row: A) -> Result<<A::Entity as EntityTrait>::Model>
    where
        A: ActiveModelTrait,
        A::Entity: TenantTable + EntityTrait<ActiveModel = A>,
    {
        let (org, id) = (<A::Entity as TenantTable>::ORG, <A::Entity as TenantTable>::ID);
        let key = row.get(id).into_value().ok_or(Error::Internal("an update names no id"))?;
        // The id and the organization of a row never change.
        row.not_set(id);
        row.not_set(org);
        self.wrote::<A::Entity>();
        let update = A::Entity::update_many().set(row).filter(id.eq(key)).filter(org.eq(self.org()));
        let changed = update.exec_with_returning(&self.open.transaction).await?;
        changed.into_iter().next().ok_or(Error::NotFound(<A::Entity as TenantTable>::NAME))
    }

    /// Sets columns of the rows in the organization that match `condition`, with one statement, and returns their
    /// number.
    pub(crate) async fn update_where<E: TenantTable>(
        &self,
        columns: impl IntoIterator<Item = (E::Column, Expr)>,
        condition: impl IntoCondition,
    ) -> Result<u64> {
        self.wrote::<E>();
        let update = setting::<E>(columns).filter(condition.into_condition()).filter(E::ORG.eq(self.org()));
        Ok(update.exec(&self.open.transaction).await?.rows_affected)
    }

    /// Like [`OrgTx::update_where`], but skips rows that another transaction is changing, and returns the changed rows.
    pub(crate) async fn update_skip_locked<E: TenantTable>(
        &self,
        columns: impl IntoIterator<Item = (E::Column, Expr)>,
        condition: impl IntoCondition,
    ) -> Result<Vec<E::Model>>
    where
        E::Model: Send + Sync,
    {
        self.wrote::<E>();
        let mut unlocked = Query::select();
        unlocked
            .column(E::ID)
            .from(E::default())
            .cond_where(condition.into_condition())
            .and_where(E::ORG.eq(self.org()))
            .lock_with_behavior(locks::CHANGE, LockBehavior::SkipLocked);
        let update = setting::<E>(columns).filter(E::ID.in_subquery(unlocked)).filter(E::ORG.eq(self.org()));
        Ok(update.exec_with_returning(&self.open.transaction).await?)
    }

    /// Inserts rows. For rows whose id exists, it overwrites `columns` instead.
    pub(crate) async fn upsert<A>(
        &self,
        mut rows: Vec<A>,
        columns: &[<A::Entity as EntityTrait>::Column],
    ) -> Result<()>
    where
        A: ActiveModelTrait + Send,
        A::Entity: TenantTable,
    {
        let (org, id) = (<A::Entity as TenantTable>::ORG, <A::Entity as TenantTable>::ID);
        for row in &mut rows {
            row.set(org, self.org().0.into());
        }
        // Never by the id alone, because another organization's row would be overwritten.
        let conflict = OnConflict::columns([org, id]).update_columns(columns.iter().copied()).to_owned();
        for rows in chunks::rows::<A::Entity, _>(rows) {
            self.wrote::<A::Entity>();
            let insert = A::Entity::insert_many(rows).on_conflict(conflict.clone());
            insert.exec_without_returning(&self.open.transaction).await?;
        }
        Ok(())
    }

    /// Permanently deletes the rows in the organization that match `condition`, and returns their number.
    pub(crate) async fn delete<E: TenantTable>(&self, condition: impl IntoCondition) -> Result<u64> {
        self.wrote::<E>();
        let delete = E::delete_many().filter(condition.into_condition()).filter(E::ORG.eq(self.org()));
        Ok(delete.exec(&self.open.transaction).await?.rows_affected)
    }

    /// Runs a statement that changes rows of `E`. The statement must restrict itself to the organization.
    pub(super) async fn run<E: TenantTable, S: StatementBuilder>(&self, statement: &S) -> Result<ExecResult> {
        self.wrote::<E>();
        Ok(self.open.transaction.execute(statement).await?)
    }

    /// Notifies workers of a job once this is committed.
    pub(crate) fn job_ref(&self, job: JobId) {
        self.open.job_ref(JobRef { org: self.org(), job });
    }

    pub(crate) fn recorded(&self) {
        self.open.recorded();
    }

    /// Commits all changes.
    ///
    /// # Errors
    /// `Internal` for a dry run; in debug builds, a change without an audit event.
    pub async fn commit(self) -> Result<()> {
        if self.proof.is_dry_run() {
            return Err(Error::Internal("a dry run is never committed"));
        }
        self.open.commit().await
    }

    /// Commits a change without an audit event, such as the removal of expired rows.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "cleanup commits the transaction from which it entered the organization")
    )]
    pub(crate) async fn commit_unaudited(self) -> Result<()> {
        self.open.commit_unaudited().await
    }
}

fn setting<E: EntityTrait>(columns: impl IntoIterator<Item = (E::Column, Expr)>) -> UpdateMany<E> {
    columns.into_iter().fold(E::update_many(), |update, (column, value)| update.col_expr(column, value))
}
