//! How an organization ends, comes back, and stands still.

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
        audit::{Action, Details},
        db::{Db, GlobalTx, OrgTx},
    },
};

/// The organization, locked against other writers until the transaction ends.
///
/// # Errors
/// `ORGANIZATION_DELETED`; `NotFound` when there is none; `Unavailable` when another writer holds it too long.
pub(crate) async fn lock<P: RequiredPermission>(tx: &OrgTx<P>) -> Result<Organization> {
    match tx.find::<Entity>().one_locked().await {
        Err(Error::NotFound(_)) if tx.find_deleted::<Entity>().exists().await? => {
            Err(ErrorCode::OrganizationDeleted.refuse())
        }
        found => found,
    }
}

/// The organization that was deleted, locked likewise.
///
/// # Errors
/// `NotFound` when it was not, or is no more.
pub(crate) async fn lock_deleted<P: RequiredPermission>(tx: &OrgTx<P>) -> Result<Organization> {
    tx.find_deleted::<Entity>().one_locked().await
}

/// Locks these organizations, living or deleted, in the order of their ids; gives those that there are.
///
/// # Errors
/// `Unavailable` when another writer holds one too long.
pub(crate) async fn lock_each(tx: &GlobalTx, organizations: BTreeSet<OrgId>) -> Result<Vec<OrgId>> {
    let mut locked = Vec::new();
    for org in organizations {
        #[expect(clippy::disallowed_methods, reason = "locks what a change of an account will change, too")]
        let scope = tx.enter_org(org).await?;
        match scope.find::<Entity>().including_deleted().one_locked().await {
            Ok(_) => locked.push(org),
            Err(Error::NotFound(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(locked)
}

/// Deletes the organization, which is locked; until `purge_after` it can be restored.
pub(crate) async fn remove<P: WritePermission>(
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
    tx.record(Action::OrganizationDeleted, before.id, Details::removed(facts(&before))).await
}

/// Brings the deleted organization, which is locked, back.
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
    tx.record(Action::OrganizationRestored, before.id, Details::created(facts(&restored))).await?;
    Ok(restored)
}

/// Lets the organization only be read, or lets it be changed again. One that is so already stays so, without a trace.
///
/// # Errors
/// Those of [`lock`].
pub(crate) async fn suspend(tx: &OrgTx<Platform>, is_suspended: bool) -> Result<Organization> {
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
    let details = Details::changed(json!({ "status": before.status }), json!({ "status": after.status }));
    tx.record(action, after.id, details).await?;
    Ok(after)
}

#[derive(FromQueryResult)]
struct Due {
    id: OrgId,
}

/// The teams whose grace is over at the instant of the query. What is one person's own goes with his account.
pub(crate) async fn due(db: &Db) -> Result<Vec<OrgId>> {
    #[expect(clippy::disallowed_methods, reason = "finds the organizations to remove; each is then entered")]
    let tx = db.unscoped().await?;
    let mut query = Query::select();
    query
        .column(Column::Id)
        .from(Entity)
        .and_where(Column::PurgeAfter.lte(tx.now()))
        .and_where(Column::Kind.eq(TEAM))
        .and_where(Column::DeletedAt.is_not_null());
    Ok(tx.rows::<Due>(&query).await?.into_iter().map(|due| due.id).collect())
}
