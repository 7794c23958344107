//! Purge deleted organizations after their grace period.

use sea_orm::ColumnTrait;

use crate::{
    Error, Result,
    base::{ids::OrgId, permissions::AuditOrigin},
    lifecycle::accounts,
    storage::db::Db,
    tenancy::organizations,
};

/// Removes all organizations whose grace period is over, with everything in them except their audit logs, and returns
/// their number. A failure for one does not stop the others, and is retried later.
///
/// # Errors
/// Errors of the database when it lists them; the last failure, if no organization was removed.
pub async fn purge(db: &Db) -> Result<u64> {
    let (mut purged, mut failure) = (0, None);
    for org in organizations::due(db).await? {
        match remove(db, org).await {
            Ok(()) => purged += 1,
            // The organization was restored, or another worker is purging it.
            Err(Error::NotFound(_) | Error::Unavailable { .. }) => {}
            Err(error) => {
                tracing::error!(%error, %org, "could not purge an organization");
                failure = Some(error);
            }
        }
    }
    match failure {
        Some(error) if purged == 0 => Err(error),
        _ => Ok(purged),
    }
}

async fn remove(db: &Db, org: OrgId) -> Result<()> {
    let tx = db.begin_global(AuditOrigin::WORKER).await?;
    #[expect(
        clippy::disallowed_methods,
        reason = "a deleted organization has no members who could remove it"
    )]
    let scope = tx.enter_org(org).await?;
    // Checked again under the lock, because it can have been restored.
    let due = organizations::Column::PurgeAfter.lte(scope.now());
    let organization =
        scope.find_deleted::<organizations::Entity>().filter(due).one_locked_to_delete().await?;
    accounts::erase(&scope, &organization.kind).await?;
    drop(scope);
    tx.commit().await
}
