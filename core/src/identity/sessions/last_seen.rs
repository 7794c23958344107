//! The time of the last use of a session.

use sea_orm::ColumnTrait;

use super::{Column, Entity};
use crate::{
    Result,
    base::{ids::SessionId, permissions::AuditOrigin},
    storage::db::{Db, chunks},
};

/// Stores that these sessions were used just now.
pub(crate) async fn record_last_seen(db: &Db, sessions: impl IntoIterator<Item = SessionId>) -> Result<()> {
    let tx = db.begin_global(AuditOrigin::SYSTEM).await?;
    for sessions in chunks(sessions) {
        tx.set::<Entity>(Column::LastSeenAt, tx.now(), Column::Id.is_in(sessions)).await?;
    }
    #[expect(clippy::disallowed_methods, reason = "the use of a session is no audit event")]
    tx.commit_unaudited().await
}
