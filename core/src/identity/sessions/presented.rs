//! Which tokens of a session were presented. A generation is one pair of refresh token and access token; as long as nothing
//! of the newest one was presented, the answer that carried it may have been lost.

use sea_orm::{ColumnTrait, Condition};

use super::{Claims, Column, Entity};
use crate::{Result, base::permissions::AuditOrigin, storage::db::Db};

/// Notes that an access token was presented. `known`: the highest generation of its session that was noted before; for any
/// but the first token of a newer one this does nothing. What cannot be noted is noted by the next look-up.
///
/// To be called after every look-up of a session by an access token, when its transaction has ended.
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
    #[expect(clippy::disallowed_methods, reason = "that a token is used is no event")]
    tx.commit_unaudited().await
}
