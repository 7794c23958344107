//! Purge deleted organizations after their grace period.

use sea_orm::ColumnTrait;

use crate::{
    Result,
    base::{error::BatchResult, ids::OrgId, permissions::AuditOrigin},
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
    let mut purged = BatchResult::default();
    for org in organizations::due(db).await? {
        if let Some(error) = purged.add(accounts::unless_taken(remove(db, org).await)) {
            tracing::error!(%error, %org, "could not purge an organization");
        }
    }
    purged.into_result()
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
