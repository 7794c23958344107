//! Which rows are locked how, and in which order.
//!
//! # How
//!
//! | who | lock | waits for |
//! |---|---|---|
//! | changes a row | `FOR NO KEY UPDATE` ([`CHANGE`]) | others who change or keep it |
//! | needs a row to stay as it is, without changing it | `FOR SHARE` ([`KEEP`]) | those who change it |
//! | deletes a row for good | `FOR UPDATE` ([`DELETE`]) | everybody, also who refers to it |
//! | inserts a row that refers to another | `FOR KEY SHARE`, by the foreign key | those who delete that one |
//!
//! `FOR UPDATE` for a mere change would conflict with the check of every foreign key: whoever locks an organization and
//! inserts what refers to a member, and whoever locks that member and inserts what refers to the organization, would wait
//! for each other. An UPDATE takes `FOR UPDATE` by itself where it changes a column of a unique index that a foreign key
//! could refer to; unique indexes with a condition are none of these, so what may be renamed has such an index.
//!
//! # In which order
//!
//! Whoever locks several rows locks them in this order, and may leave out any of it:
//!
//! 1. the row of the request's idempotency key, when the transaction begins;
//! 2. organizations, in the order of their ids, also one that is somebody's own;
//! 3. mailed tokens of invitations, which whoever follows a link has before it is known who he is;
//! 4. users, in the order of their ids, then their sessions, credentials and mailed tokens;
//! 5. members, in the order of their ids, also across organizations;
//! 6. what belongs to the organization: time entries, tasks, projects, tags, roles, invitations, offers of ownership; several
//!    of one kind in the order of their ids.
//!
//! Rows that are only inserted come whenever they come: events, jobs, links. Nobody waits for them, but for their unique
//! keys: whoever renames something asks first whether the name is taken ([`super::OrgTx::refuse_taken`]). Otherwise two
//! that exchange their names would wait for each other in the index. Workers pass over jobs that others hold
//! (`SKIP LOCKED`), and the end of an audit chain is locked by those alone who seal it.
//!
//! On SQLite there is one writer at a time, and no row is locked.

use std::collections::BTreeSet;

use sea_orm::{
    ColumnTrait, QueryOrder, QuerySelect, Value,
    sea_query::{LockType, Order},
};

use super::{ScopedQuery, TenantTable, chunks::chunks};
use crate::{Error, Result};

/// Of rows that are to be changed.
pub(super) const CHANGE: LockType = LockType::NoKeyUpdate;

/// Of rows that must stay as they are until the transaction ends.
pub(super) const KEEP: LockType = LockType::Share;

/// Of rows that are to be deleted for good.
pub(super) const DELETE: LockType = LockType::Update;

impl<E: TenantTable> ScopedQuery<'_, E>
where
    E::Model: Send + Sync,
{
    /// The one row, locked against other writers until the transaction ends: to change it. In the order that
    /// `core/src/storage/db/locks.rs` tells.
    ///
    /// # Errors
    /// `NotFound` when there is none; `Unavailable` when another writer holds it too long.
    pub async fn one_locked(self) -> Result<E::Model> {
        self.one_under(CHANGE).await
    }

    /// The one row, locked to delete it for good: nobody begins to refer to it meanwhile.
    ///
    /// # Errors
    /// Those of [`Scoped::one_locked`].
    pub async fn one_locked_to_delete(self) -> Result<E::Model> {
        self.one_under(DELETE).await
    }

    async fn one_under(self, lock: LockType) -> Result<E::Model> {
        let tx = self.tx;
        self.with_scope().lock(lock).one(tx).await?.ok_or(Error::NotFound(E::NAME))
    }

    /// Every row, locked in the order of the ids: whoever locks several at once does it in one order.
    ///
    /// # Errors
    /// `Unavailable` when another writer holds one too long.
    pub async fn all_locked(self) -> Result<Vec<E::Model>> {
        self.all_under(CHANGE).await
    }

    /// The rows with these ids, however many they are, locked in the order of the ids.
    ///
    /// # Errors
    /// Those of [`Scoped::all_locked`].
    pub async fn all_locked_of<I: Ord + Into<Value>>(
        self,
        ids: impl IntoIterator<Item = I>,
    ) -> Result<Vec<E::Model>> {
        self.all_of_under(ids, CHANGE).await
    }

    /// The rows with these ids, however many they are; all of them stay as they are until the transaction ends.
    ///
    /// # Errors
    /// Those of [`Scoped::all_locked`].
    pub async fn all_kept_of<I: Ord + Into<Value>>(
        self,
        ids: impl IntoIterator<Item = I>,
    ) -> Result<Vec<E::Model>> {
        self.all_of_under(ids, KEEP).await
    }

    async fn all_of_under<I: Ord + Into<Value>>(
        self,
        ids: impl IntoIterator<Item = I>,
        lock: LockType,
    ) -> Result<Vec<E::Model>> {
        let mut locked = Vec::new();
        for ids in chunks(ids.into_iter().collect::<BTreeSet<_>>()) {
            locked.extend(self.duplicate().filter(E::ID.is_in(ids)).all_under(lock).await?);
        }
        Ok(locked)
    }

    async fn all_under(self, lock: LockType) -> Result<Vec<E::Model>> {
        let tx = self.tx;
        Ok(self.with_scope().order_by(E::ID, Order::Asc).lock(lock).all(tx).await?)
    }
}
