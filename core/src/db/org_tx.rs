//! The unit of work inside one organization. Not a connection: a query of one's own cannot run on it.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveModelBehavior, ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, Value,
    sea_query::IntoCondition,
};

use super::{Scoped, TenantTable, transaction::Open};
use crate::{
    Error, Result,
    access::{Authorized, Grant, Origin, Permission, Write},
    cluster::Touch,
    error::{Code, Fields},
    ids::{MemberId, OrgId},
};

/// One transaction, inside one organization, on behalf of somebody who may do `P`.
/// Dropped without [`OrgTx::commit`] it rolls back.
#[must_use]
pub struct OrgTx<P> {
    open: Arc<Open>,
    proof: Authorized<P>,
}

impl<P: Grant> OrgTx<P> {
    pub(super) fn new(open: Arc<Open>, proof: Authorized<P>) -> Self {
        Self { open, proof }
    }

    /// The organization.
    pub fn org(&self) -> OrgId {
        self.proof.org()
    }

    /// Who acts, and by which request.
    pub fn origin(&self) -> &Origin {
        self.proof.origin()
    }

    /// The actor's membership; `None` for the platform.
    pub fn member(&self) -> Option<MemberId> {
        self.proof.member()
    }

    /// May the actor do this too? For variants such as "own or all"; the permission of the operation is `P`.
    pub fn may(&self, permission: Permission) -> bool {
        self.proof.held().contains(permission)
    }

    /// The one instant of everything this transaction does.
    pub fn now(&self) -> DateTime<Utc> {
        self.open.now
    }

    /// The living rows of `E` in the organization.
    pub(crate) fn find<E: TenantTable>(&self) -> Scoped<'_, E>
    where
        E::Model: Send + Sync,
    {
        Scoped::new(&self.open.transaction, self.org(), false)
    }

    /// The deleted rows of `E` in the organization: the only other door, for restore and purge.
    pub(crate) fn find_deleted<E: TenantTable>(&self) -> Scoped<'_, E>
    where
        E::Model: Send + Sync,
    {
        Scoped::new(&self.open.transaction, self.org(), true)
    }

    /// Checks that `id`, given in `field`, is a living row of `E`: a foreign key sees no soft deletion.
    ///
    /// # Errors
    /// `VALIDATION_FAILED` naming the field.
    pub(crate) async fn live<E: TenantTable>(&self, field: &str, id: impl Into<Value>) -> Result<()>
    where
        E::Model: Send + Sync,
    {
        let mut fields = Fields::default();
        if !self.find::<E>().filter(E::ID.eq(id)).exists().await? {
            fields.refuse(field, "UNKNOWN_REFERENCE", format!("There is no such {}.", E::NAME));
        }
        fields.finish()
    }
}

impl<P: Write> OrgTx<P> {
    /// Notes that rows of `E` change.
    fn wrote<E: TenantTable>(&self) {
        self.open.wrote();
        if E::DECIDES_ACCESS {
            self.open.touch(Touch::Org(self.org()));
        }
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

    /// Inserts several rows by one statement.
    pub(crate) async fn insert_many<A>(&self, mut rows: Vec<A>) -> Result<()>
    where
        A: ActiveModelTrait + Send,
        A::Entity: TenantTable,
    {
        for row in &mut rows {
            row.set(<A::Entity as TenantTable>::ORG, self.org().0.into());
        }
        self.wrote::<A::Entity>();
        A::Entity::insert_many(rows).exec_without_returning(&self.open.transaction).await?;
        Ok(())
    }

    /// Inserts a row unless one with the same `key` is there, which is unique *within* an organization.
    /// `true`: inserted.
    pub(crate) async fn insert_absent<A>(
        &self,
        mut row: A,
        key: &[<A::Entity as EntityTrait>::Column],
    ) -> Result<bool>
    where
        A: ActiveModelTrait + Send,
        A::Entity: TenantTable,
    {
        use sea_orm::sea_query::OnConflict;
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

    /// Deletes for good what `condition` names inside the organization; gives their number.
    pub(crate) async fn delete<E: TenantTable>(&self, condition: impl IntoCondition) -> Result<u64> {
        self.wrote::<E>();
        let delete = E::delete_many().filter(condition.into_condition()).filter(E::ORG.eq(self.org()));
        Ok(delete.exec(&self.open.transaction).await?.rows_affected)
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
    pub(crate) async fn commit_unaudited(self) -> Result<()> {
        self.open.commit_unaudited().await
    }
}

/// Refuses a change to a copy that is no longer the present one (RFC 9110 §13.1.1).
///
/// # Errors
/// `PRECONDITION_FAILED` when `expected` is given and another than `version`.
pub fn check_version(expected: Option<i64>, version: i64) -> Result<()> {
    match expected {
        Some(expected) if expected != version => Err(Code::PreconditionFailed.refuse()),
        _ => Ok(()),
    }
}
