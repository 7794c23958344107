//! The newest generation of which a token was presented. A generation is a refresh token and the access token issued with
//! it. Until a token of the newest generation is presented, the response that contained it may have been lost.

use sea_orm::{ColumnTrait, Condition};

use super::{Claims, Column, Entity};
use crate::{Result, base::permissions::AuditOrigin, storage::db::Db};

/// Stores that an access token was presented. `known`: the newest generation of its session that is stored already. It
/// writes only for the first token of a newer generation. After a failure, the next lookup tries again.
///
/// Call it after every lookup of a session by an access token, when the transaction of the lookup has ended.
pub(crate) async fn note_presented(db: &Db, claims: &Claims, known: i64) {
    if claims.generation > known
        && let Err(error) = write(db, claims).await
    {
        tracing::warn!(%error, session = %claims.session, "could not record that a new refresh token is in use");
    }
}

async fn write(db: &Db, claims: &Claims) -> Result<()> {
    let tx = db.begin_global(AuditOrigin::SYSTEM).await?;
    let older = Column::PresentedCounter.lt(claims.generation);
    let older = Condition::all().add(Column::Id.eq(claims.session)).add(older);
    tx.set::<Entity>(Column::PresentedCounter, claims.generation, older).await?;
    #[expect(clippy::disallowed_methods, reason = "the use of a token is no audit event")]
    tx.commit_unaudited().await
}
