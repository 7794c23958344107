//! Lock, delete, restore and suspend organizations.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use sea_orm::{ActiveValue::Set, ColumnTrait, FromQueryResult, sea_query::Query};
use serde_json::json;

use super::{
    ACTIVE, Organization, SUSPENDED, TEAM,
    entity::{ActiveModel, Column, Entity},
    facts,
};
use crate::{
    Error, Result,
    base::{
        error::ErrorCode,
        ids::OrgId,
        permissions::{Platform, RequiredPermission, WritePermission},
    },
    storage::{
        audit::{Action, EventDetails},
        db::{Db, GlobalTx, OrgTx},
    },
};

/// Returns the organization, locked against other writers until the transaction ends.
///
/// # Errors
/// `ORGANIZATION_DELETED`; `NotFound` when it does not exist; `Unavailable` when another writer holds the lock
/// too long.
pub(crate) async fn lock<P: RequiredPermission>(tx: &OrgTx<P>) -> Result<Organization> {
    match tx.find::<Entity>().one_locked().await {
        Err(Error::NotFound(_)) if tx.find_deleted::<Entity>().exists().await? => {
            Err(ErrorCode::OrganizationDeleted.refuse())
        }
        found => found,
    }
}

/// Returns the deleted organization, locked like [`lock`].
///
/// # Errors
/// `NotFound` when it is not deleted, or was purged.
pub(crate) async fn lock_deleted<P: RequiredPermission>(tx: &OrgTx<P>) -> Result<Organization> {
    tx.find_deleted::<Entity>().one_locked().await
}

/// Locks these organizations, also deleted ones, in the order of their ids. Returns those that exist.
///
/// # Errors
/// `Unavailable` when another writer holds a lock too long.
pub(crate) async fn lock_each(tx: &GlobalTx, organizations: BTreeSet<OrgId>) -> Result<Vec<OrgId>> {
    let mut locked = Vec::new();
    for org in organizations {
        #[expect(
            clippy::disallowed_methods,
            reason = "a change of an account also changes its organizations"
        )]
        let scope = tx.enter_org(org).await?;
        match scope.find::<Entity>().including_deleted().one_locked().await {
            Ok(_) => locked.push(org),
            Err(Error::NotFound(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(locked)
}

/// Deletes the organization, which must be locked. It can be restored until `purge_after`.
pub(crate) async fn delete<P: WritePermission>(
    tx: &OrgTx<P>,
    before: Organization,
    purge_after: DateTime<Utc>,
) -> Result<()> {
    tx.update(ActiveModel {
        id: Set(before.id),
        version: Set(before.version + 1),
        deleted_at: Set(Some(tx.now())),
        purge_after: Set(Some(purge_after)),
        updated_at: Set(tx.now()),
        ..Default::default()
    })
    .await?;
    tx.record(Action::OrganizationDeleted, before.id, EventDetails::removed(facts(&before))).await
}

/// Restores the deleted organization, which must be locked.
pub(crate) async fn restore<P: WritePermission>(tx: &OrgTx<P>, before: Organization) -> Result<Organization> {
    let restored = tx
        .update(ActiveModel {
            id: Set(before.id),
            version: Set(before.version + 1),
            deleted_at: Set(None),
            purge_after: Set(None),
            updated_at: Set(tx.now()),
            ..Default::default()
        })
        .await?;
    tx.record(Action::OrganizationRestored, before.id, EventDetails::created(facts(&restored))).await?;
    Ok(restored)
}

/// Suspends the organization, which makes it read-only, or reactivates it. It does nothing if the status stays the same.
///
/// # Errors
/// Those of [`lock`].
pub(crate) async fn set_suspended(tx: &OrgTx<Platform>, is_suspended: bool) -> Result<Organization> {
    let before = lock(tx).await?;
    let (status, action) = match is_suspended {
        true => (SUSPENDED, Action::OrganizationSuspended),
        false => (ACTIVE, Action::OrganizationResumed),
    };
    if before.status == status {
        return Ok(before);
    }
    let after = tx
        .update(ActiveModel {
            id: Set(before.id),
            status: Set(status.to_owned()),
            version: Set(before.version + 1),
            updated_at: Set(tx.now()),
            ..Default::default()
        })
        .await?;
    let details =
        EventDetails::changed(json!({ "status": before.status }), json!({ "status": after.status }));
    tx.record(action, after.id, details).await?;
    Ok(after)
}

#[derive(FromQueryResult)]
struct DueOrganization {
    id: OrgId,
}

/// Returns the deleted teams whose grace period is over now. Personal organizations are purged with their accounts.
pub(crate) async fn due(db: &Db) -> Result<Vec<OrgId>> {
    #[expect(clippy::disallowed_methods, reason = "finds the organizations to purge; each is then entered")]
    let tx = db.unscoped().await?;
    let mut query = Query::select();
    query
        .column(Column::Id)
        .from(Entity)
        .and_where(Column::PurgeAfter.lte(tx.now()))
        .and_where(Column::Kind.eq(TEAM))
        .and_where(Column::DeletedAt.is_not_null());
    Ok(tx.rows::<DueOrganization>(&query).await?.into_iter().map(|due| due.id).collect())
}
