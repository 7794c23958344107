//! What is done because time has passed: what has expired goes, keys take turns. Each is safe to repeat.

use sea_orm::{ColumnTrait, FromQueryResult, sea_query::Query};

use crate::{
    Result,
    access::Origin,
    db::Db,
    error::Code,
    idempotency,
    ids::OrgId,
    one_time_tokens,
    secret::MasterKey,
    sessions,
    signing_keys::{self, Schedule},
};

/// How many rows a sweep removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Sessions past their end.
    pub sessions: u64,
    /// Mailed tokens past their time.
    pub tokens: u64,
    /// Remembered answers past their time.
    pub answers: u64,
}

#[derive(FromQueryResult)]
struct Owner {
    organization_id: OrgId,
}

/// Removes expired sessions, mailed tokens and remembered answers.
///
/// # Errors
/// Whatever the database refuses; what was removed before stays removed.
pub async fn expire(db: &Db) -> Result<Swept> {
    let mut swept = Swept::default();
    let tx = db.begin_global(Origin::SYSTEM).await?;
    swept.sessions = tx.delete::<sessions::Entity>(sessions::Column::ExpiresAt.lte(tx.now())).await?;
    swept.tokens =
        tx.delete::<one_time_tokens::Entity>(one_time_tokens::Column::ExpiresAt.lte(tx.now())).await?;
    #[expect(clippy::disallowed_methods, reason = "when each would end was settled when it was made")]
    tx.commit_unaudited().await?;
    for org in owners_of_expired_answers(db).await? {
        let tx = db.begin_global(Origin::SYSTEM).await?;
        #[expect(clippy::disallowed_methods, reason = "cleaning up is nobody's right but the platform's")]
        let scope = tx.enter(org).await?;
        let expired = idempotency::Column::ExpiresAt.lte(scope.now());
        swept.answers += scope.delete::<idempotency::Entity>(expired).await?;
        drop(tx);
        #[expect(clippy::disallowed_methods, reason = "an answer given again is no change of its own")]
        scope.commit_unaudited().await?;
    }
    Ok(swept)
}

/// Does what is due with the keys that sign; makes the first one, so servers call it at start too.
///
/// # Errors
/// `Misconfigured` when a key opens neither with the master key nor with the previous one.
pub async fn advance_keys(db: &Db, master: &MasterKey, schedule: &Schedule) -> Result<()> {
    let tx = db.begin_global(Origin::SYSTEM).await?;
    match signing_keys::advance(&tx, master, schedule).await {
        Ok(()) => tx.commit().await,
        // Another process has just done it.
        Err(error) if error.code() == Code::Conflict => Ok(()),
        Err(error) => Err(error),
    }
}

async fn owners_of_expired_answers(db: &Db) -> Result<Vec<OrgId>> {
    #[expect(clippy::disallowed_methods, reason = "finds the organizations that have something to clean up")]
    let tx = db.unscoped().await?;
    let mut query = Query::select();
    query
        .distinct()
        .column(idempotency::Column::OrganizationId)
        .from(idempotency::Entity)
        .and_where(idempotency::Column::ExpiresAt.lte(tx.now()));
    Ok(tx.rows::<Owner>(&query).await?.into_iter().map(|owner| owner.organization_id).collect())
}
