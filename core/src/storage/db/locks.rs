//! Which rows are locked how, and in which order.
//!
//! # How
//!
//! | transaction that | lock | waits for transactions that |
//! |---|---|---|
//! | changes a row | `FOR NO KEY UPDATE` ([`CHANGE`]) | change or keep it |
//! | needs a row to stay as it is, without changing it | `FOR SHARE` ([`KEEP`]) | change it |
//! | deletes a row permanently | `FOR UPDATE` ([`DELETE`]) | change it, keep it or refer to it |
//! | inserts a row that refers to another | `FOR KEY SHARE`, by the foreign key | delete that one |
//!
//! `FOR UPDATE` for a mere change would conflict with the check of every foreign key. A transaction that locks an
//! organization and inserts a row that refers to a member would deadlock with one that locks that member and inserts a
//! row that refers to the organization. An UPDATE takes `FOR UPDATE` by itself if it changes a column of a unique index
//! that a foreign key could refer to. Unique indexes with a condition are not among these, so columns that can be
//! renamed have such an index.
//!
//! # In which order
//!
//! A transaction that locks several rows locks them in this order. It may leave out any of them:
//!
//! 1. the row of the request's idempotency key, when the transaction begins;
//! 2. organizations, in the order of their ids, including personal ones;
//! 3. tokens of invitation links, because the user is only known after the link was read;
//! 4. users, in the order of their ids, then their sessions, credentials and e-mailed tokens;
//! 5. members, in the order of their ids, also across organizations;
//! 6. other rows of the organization: time entries, tasks, projects, tags, roles,
//!    invitations, transfers; several of one kind in the order of their ids.
//!
//! Rows that are only inserted can come at any time: events, jobs, links. Other transactions only wait for their unique
//! keys, so check first whether a new name is taken ([`super::OrgTx::refuse_taken`]). Otherwise, two transactions that
//! exchange their names would deadlock in the index. Workers skip jobs that others hold (`SKIP LOCKED`), and only
//! processes that seal an audit chain lock its end.
//!
//! SQLite has one writer at a time and locks no rows.

use std::collections::BTreeSet;

use sea_orm::{
    ColumnTrait, QueryOrder, QuerySelect, Value,
    sea_query::{LockType, Order},
};

use super::{ScopedQuery, TenantTable, chunks::chunks};
use crate::{Error, Result};

/// For rows that are to be changed.
pub(super) const CHANGE: LockType = LockType::NoKeyUpdate;

/// For rows that must not change until the transaction ends.
pub(super) const KEEP: LockType = LockType::Share;

/// For rows that are to be deleted permanently.
pub(super) const DELETE: LockType = LockType::Update;

impl<E: TenantTable> ScopedQuery<'_, E>
where
    E::Model: Send + Sync,
{
    /// The row, locked against other writers until the transaction ends. Lock several rows in the order of
    /// `core/src/storage/db/locks.rs`.
    ///
    /// # Errors
    /// `NotFound` if there is none; `Unavailable` if another writer holds it for too long.
    pub async fn one_locked(self) -> Result<E::Model> {
        self.one_with_lock(CHANGE).await
    }

    /// The row, locked to delete it permanently. No new row can refer to it meanwhile.
    ///
    /// # Errors
    /// Those of [`ScopedQuery::one_locked`].
    pub async fn one_locked_to_delete(self) -> Result<E::Model> {
        self.one_with_lock(DELETE).await
    }

    async fn one_with_lock(self, lock: LockType) -> Result<E::Model> {
        let tx = self.tx;
        self.with_scope().lock(lock).one(tx).await?.ok_or(Error::NotFound(E::NAME))
    }

    /// All rows, locked in the order of their ids.
    ///
    /// # Errors
    /// `Unavailable` if another writer holds one for too long.
    pub async fn all_locked(self) -> Result<Vec<E::Model>> {
        self.all_with_lock(CHANGE).await
    }

    /// The rows with these ids, however many there are, locked in the order of their ids.
    ///
    /// # Errors
    /// Those of [`ScopedQuery::all_locked`].
    pub async fn all_locked_of<I: Ord + Into<Value>>(
        self,
        ids: impl IntoIterator<Item = I>,
    ) -> Result<Vec<E::Model>> {
        self.all_of_with_lock(ids, CHANGE).await
    }

    /// The rows with these ids, however many there are, which cannot change until the transaction ends.
    ///
    /// # Errors
    /// Those of [`ScopedQuery::all_locked`].
    pub async fn all_kept_of<I: Ord + Into<Value>>(
        self,
        ids: impl IntoIterator<Item = I>,
    ) -> Result<Vec<E::Model>> {
        self.all_of_with_lock(ids, KEEP).await
    }

    async fn all_of_with_lock<I: Ord + Into<Value>>(
        self,
        ids: impl IntoIterator<Item = I>,
        lock: LockType,
    ) -> Result<Vec<E::Model>> {
        let mut locked = Vec::new();
        for ids in chunks(ids.into_iter().collect::<BTreeSet<_>>()) {
            locked.extend(self.duplicate().filter(E::ID.is_in(ids)).all_with_lock(lock).await?);
        }
        Ok(locked)
    }

    async fn all_with_lock(self, lock: LockType) -> Result<Vec<E::Model>> {
        let tx = self.tx;
        Ok(self.with_scope().order_by(E::ID, Order::Asc).lock(lock).all(tx).await?)
    }
}
