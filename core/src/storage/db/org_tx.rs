//! The unit of work inside one organization. Not a connection: a query of one's own cannot run on it.

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

/// One transaction, inside one organization, on behalf of somebody who may do `P`.
/// Dropped without [`OrgTx::commit`] it rolls back.
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

    /// Who acts, and by which request.
    pub fn origin(&self) -> &AuditOrigin {
        self.proof.origin()
    }

    /// What was found out about the actor.
    pub fn facts(&self) -> &ActorAccess {
        self.proof.facts()
    }

    /// The actor's membership; `None` for the platform.
    pub fn member(&self) -> Option<MemberId> {
        self.facts().member
    }

    /// The membership of an actor who needs one.
    ///
    /// # Errors
    /// `NOT_A_MEMBER` for operators of the platform.
    pub fn own_member(&self) -> Result<MemberId> {
        self.member().ok_or(ErrorCode::NotAMember.refuse())
    }

    /// May the actor do this too? For variants such as "own or all"; the permission of the operation is `P`.
    pub fn may(&self, permission: Permission) -> bool {
        self.facts().held.contains(permission)
    }

    /// The one instant of everything this transaction does.
    pub fn now(&self) -> DateTime<Utc> {
        self.open.now
    }

    /// The connection, for those here who build queries that are inside the organization.
    pub(super) fn transaction(&self) -> &Transaction {
        &self.open.transaction
    }

    /// The present instant as SQL, which processes whose clocks differ agree on.
    pub(crate) fn sql_now(&self) -> Expr {
        self.open.sql_now()
    }

    /// As [`OrgTx::sql_now`], `wait` later.
    pub(crate) fn sql_after(&self, wait: Duration) -> Expr {
        self.open.sql_after(wait)
    }

    /// The living rows of `E` in the organization.
    pub(crate) fn find<E: TenantTable>(&self) -> ScopedQuery<'_, E>
    where
        E::Model: Send + Sync,
    {
        ScopedQuery::new(&self.open.transaction, self.org(), false)
    }

    /// The deleted rows of `E` in the organization: the only other door, for restore and purge.
    pub(crate) fn find_deleted<E: TenantTable>(&self) -> ScopedQuery<'_, E>
    where
        E::Model: Send + Sync,
    {
        ScopedQuery::new(&self.open.transaction, self.org(), true)
    }

    /// The rows of a query across organizations, read inside this transaction: what it has written counts. It *finds*, and
    /// the scope stays.
    pub(crate) async fn query_across_orgs<M: FromQueryResult + Send + Sync>(
        &self,
        query: &SelectStatement,
    ) -> Result<Vec<M>> {
        super::global_tx::across(&self.open, DatabaseRole::App(Some(self.org())), query).await
    }

    /// Checks that `id`, given in `field`, is a living row of `E`: a foreign key sees no soft deletion.
    ///
    /// # Errors
    /// `VALIDATION_FAILED` naming the field.
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

    /// Refuses a name that another living row of `E` has in `column`. To be asked before a row is renamed: two that exchange
    /// their names would otherwise wait for each other in the unique index, which decides where two want one name at once.
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
    /// Notes that rows of `E` change.
    fn wrote<E: TenantTable>(&self) {
        self.open.wrote();
        if E::AFFECTS_ACCESS {
            self.open.touch(Invalidation::Org(self.org()));
        }
    }

    /// The tables that no organization owns, in this transaction: mailed tokens, and the people they are for. To be
    /// dropped before the commit; whoever steps into another organization from there leaves this one.
    pub(crate) fn global(&self) -> GlobalTx {
        GlobalTx::new(Arc::clone(&self.open), self.origin().clone())
    }

    /// Inserts a row; its organization is the scope's, whatever it says itself.
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

    /// Inserts several rows, by as few statements as the databases take; nothing for none.
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

    /// Inserts a row unless one with the same `key` is there, which is unique *within* an organization.
    /// `true`: inserted.
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
        // Always with the organization: a conflict on a global key would touch another tenant's row.
        let conflict =
            OnConflict::columns(std::iter::once(org).chain(key.iter().copied())).do_nothing().to_owned();
        let insert = A::Entity::insert_many([row]).on_conflict(conflict);
        Ok(insert.exec_without_returning(&self.open.transaction).await? > 0)
    }

    /// Changes the columns that are set in `row`, which names its id.
    ///
    /// # Errors
    /// `NotFound` when the organization has no such row.
    pub(crate) async fn update<A>(&self, mut row: A) -> Result<<A::Entity as EntityTrait>::Model>
    where
        A: ActiveModelTrait,
        A::Entity: TenantTable + EntityTrait<ActiveModel = A>,
    {
        let (org, id) = (<A::Entity as TenantTable>::ORG, <A::Entity as TenantTable>::ID);
        let key = row.get(id).into_value().ok_or(Error::Broken("an update names no id"))?;
        // A row never changes its id or its organization.
        row.not_set(id);
        row.not_set(org);
        self.wrote::<A::Entity>();
        let update = A::Entity::update_many().set(row).filter(id.eq(key)).filter(org.eq(self.org()));
        let changed = update.exec_with_returning(&self.open.transaction).await?;
        changed.into_iter().next().ok_or(Error::NotFound(<A::Entity as TenantTable>::NAME))
    }

    /// Sets columns of the rows that `condition` names inside the organization, by one statement; gives their number.
    pub(crate) async fn update_where<E: TenantTable>(
        &self,
        columns: impl IntoIterator<Item = (E::Column, Expr)>,
        condition: impl IntoCondition,
    ) -> Result<u64> {
        self.wrote::<E>();
        let update = setting::<E>(columns).filter(condition.into_condition()).filter(E::ORG.eq(self.org()));
        Ok(update.exec(&self.open.transaction).await?.rows_affected)
    }

    /// As [`OrgTx::set_where`], but passes over what somebody else is changing at this moment; gives the changed rows.
    pub(crate) async fn update_skip_locked<E: TenantTable>(
        &self,
        columns: impl IntoIterator<Item = (E::Column, Expr)>,
        condition: impl IntoCondition,
    ) -> Result<Vec<E::Model>>
    where
        E::Model: Send + Sync,
    {
        self.wrote::<E>();
        let mut free = Query::select();
        free.column(E::ID)
            .from(E::default())
            .cond_where(condition.into_condition())
            .and_where(E::ORG.eq(self.org()))
            .lock_with_behavior(locks::CHANGE, LockBehavior::SkipLocked);
        let update = setting::<E>(columns).filter(E::ID.in_subquery(free)).filter(E::ORG.eq(self.org()));
        Ok(update.exec_with_returning(&self.open.transaction).await?)
    }

    /// Inserts rows; of those whose id is there already it overwrites `columns` instead.
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
        // Never by the id alone: another tenant's row would be overwritten.
        let conflict = OnConflict::columns([org, id]).update_columns(columns.iter().copied()).to_owned();
        for rows in chunks::rows::<A::Entity, _>(rows) {
            self.wrote::<A::Entity>();
            let insert = A::Entity::insert_many(rows).on_conflict(conflict.clone());
            insert.exec_without_returning(&self.open.transaction).await?;
        }
        Ok(())
    }

    /// Deletes for good what `condition` names inside the organization; gives their number.
    pub(crate) async fn delete<E: TenantTable>(&self, condition: impl IntoCondition) -> Result<u64> {
        self.wrote::<E>();
        let delete = E::delete_many().filter(condition.into_condition()).filter(E::ORG.eq(self.org()));
        Ok(delete.exec(&self.open.transaction).await?.rows_affected)
    }

    /// Runs a statement that changes rows of `E`, inside the organization: it says so itself.
    pub(super) async fn run<E: TenantTable, S: StatementBuilder>(&self, statement: &S) -> Result<ExecResult> {
        self.wrote::<E>();
        Ok(self.open.transaction.execute(statement).await?)
    }

    /// Tells workers of a job once this is committed.
    pub(crate) fn job_ref(&self, job: JobId) {
        self.open.job_ref(JobRef { org: self.org(), job });
    }

    pub(crate) fn recorded(&self) {
        self.open.recorded();
    }

    /// Makes everything permanent, or nothing.
    ///
    /// # Errors
    /// In debug builds: a change without an audit event.
    pub async fn commit(self) -> Result<()> {
        self.open.commit().await
    }

    /// Commits a change that no audit log tells of, such as the removal of what has expired.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "what cleans up commits the transaction it entered from")
    )]
    pub(crate) async fn commit_unaudited(self) -> Result<()> {
        self.open.commit_unaudited().await
    }
}

fn setting<E: EntityTrait>(columns: impl IntoIterator<Item = (E::Column, Expr)>) -> UpdateMany<E> {
    columns.into_iter().fold(E::update_many(), |update, (column, value)| update.col_expr(column, value))
}
