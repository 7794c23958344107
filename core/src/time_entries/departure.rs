//! What becomes of the time of a member who goes: it stays, and what is running ends.

use super::{
    rules::latest_end,
    timer::{end, find},
};
use crate::{Result, access::Write, db::OrgTx, ids::MemberId};

/// Ends what is running of a member, whose row is locked.
pub(crate) async fn depart<P: Write>(tx: &OrgTx<P>, member: MemberId) -> Result<()> {
    match find(tx, member).await? {
        Some(running) => {
            let ended_at = latest_end(running.entry.started_at, tx.now());
            end(tx, running, ended_at).await.map(drop)
        }
        None => Ok(()),
    }
}
