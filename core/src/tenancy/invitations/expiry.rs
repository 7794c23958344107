//! Invitations whose time is over.

use std::collections::BTreeMap;

use sea_orm::{
    ColumnTrait, Condition, FromQueryResult, Order,
    sea_query::{Expr, ExprTrait, Query},
};
use serde_json::json;

use super::{Column, Entity, InvitationStatus};
use crate::{
    Result,
    base::{
        ids::{InvitationId, OrgId},
        permissions::{AuditOrigin, WritePermission},
    },
    storage::{
        audit::{Action, Details},
        db::{Db, OrgTx},
    },
};

/// Most invitations that one transaction ends.
const BATCH: u64 = 1_000;

/// Writes down that the time of those that `condition` names is over, where it is; gives their number.
pub(super) async fn expire<P: WritePermission>(tx: &OrgTx<P>, condition: Condition) -> Result<u64> {
    let overdue = Condition::all()
        .add(Column::Status.eq(InvitationStatus::Pending))
        .add(Column::ExpiresAt.lte(tx.now()))
        .add(condition);
    let expired = [
        (Column::Status, Expr::value(InvitationStatus::Expired.as_str())),
        (Column::Version, Expr::col(Column::Version).add(1)),
        (Column::UpdatedAt, Expr::value(tx.now())),
    ];
    let expired = tx.update_skip_locked::<Entity>(expired, overdue).await?;
    let facts = |status: InvitationStatus| json!({ "status": status.as_str() });
    let details = Details::changed(facts(InvitationStatus::Pending), facts(InvitationStatus::Expired));
    let ids = expired.iter().map(|invitation| invitation.id);
    tx.record_all(Action::InvitationExpired, ids, &details).await?;
    Ok(expired.len() as u64)
}

#[derive(FromQueryResult)]
struct Overdue {
    organization_id: OrgId,
    id: InvitationId,
}

/// Ends invitations whose time is over, in every organization: at most one batch; gives their number.
///
/// # Errors
/// Whatever the database refuses; what was ended before stays ended.
pub async fn expire_overdue(db: &Db) -> Result<u64> {
    let mut query = Query::select();
    query
        .columns([Column::OrganizationId, Column::Id])
        .from(Entity)
        .and_where(Column::Status.eq(InvitationStatus::Pending))
        .and_where(Column::ExpiresAt.lte(db.now()))
        .order_by(Column::ExpiresAt, Order::Asc)
        .limit(BATCH);
    #[expect(clippy::disallowed_methods, reason = "finds what has expired, whose ever it is")]
    let overdue: Vec<Overdue> = db.unscoped().await?.rows(&query).await?;
    let mut found = BTreeMap::<_, Vec<_>>::new();
    for Overdue { organization_id, id } in overdue {
        found.entry(organization_id).or_default().push(id);
    }
    if found.is_empty() {
        return Ok(0);
    }
    let (tx, mut ended) = (db.begin_global(AuditOrigin::WORKER).await?, 0);
    for (org, ids) in found {
        #[expect(
            clippy::disallowed_methods,
            reason = "that time is over is nobody's right but the platform's"
        )]
        let scope = tx.enter_org(org).await?;
        ended += expire(&scope, Condition::all().add(Column::Id.is_in(ids))).await?;
    }
    // Another process was faster: nothing happened that a log would tell.
    if ended > 0 {
        tx.commit().await?;
    }
    Ok(ended)
}
