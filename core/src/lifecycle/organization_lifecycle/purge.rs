//! How an organization is removed for good when its grace is over.

use sea_orm::ColumnTrait;

use crate::{
    Result,
    base::{error::BatchResult, ids::OrgId, permissions::AuditOrigin},
    lifecycle::accounts,
    storage::db::Db,
    tenancy::organizations,
};

/// Removes every organization that was deleted and whose grace is over, with everything in it but its audit log; gives
/// their number. One that cannot be removed keeps no other from it, and is tried again.
///
/// # Errors
/// Whatever the database refuses when asked for them; and what kept the last one that could not be removed, once no other
/// is left.
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
    #[expect(clippy::disallowed_methods, reason = "what is deleted has nobody any more who could remove it")]
    let scope = tx.enter_org(org).await?;
    // Asked again, and locked: it may have been restored.
    let due = organizations::Column::PurgeAfter.lte(scope.now());
    let organization =
        scope.find_deleted::<organizations::Entity>().filter(due).one_locked_to_delete().await?;
    accounts::erase(&scope, &organization.kind).await?;
    drop(scope);
    tx.commit().await
}
