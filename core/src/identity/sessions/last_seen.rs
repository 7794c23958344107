//! When sessions were last used.

use sea_orm::ColumnTrait;

use super::{Column, Entity};
use crate::{
    Result,
    base::{ids::SessionId, permissions::AuditOrigin},
    storage::db::{Db, chunks},
};

/// Notes that these sessions were used a moment ago.
pub(crate) async fn seen(db: &Db, sessions: impl IntoIterator<Item = SessionId>) -> Result<()> {
    let tx = db.begin_global(AuditOrigin::SYSTEM).await?;
    for sessions in chunks(sessions) {
        tx.set::<Entity>(Column::LastSeenAt, tx.now(), Column::Id.is_in(sessions)).await?;
    }
    #[expect(clippy::disallowed_methods, reason = "to be seen is no change of one's own")]
    tx.commit_unaudited().await
}
