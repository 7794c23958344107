//! Expiry of invitations.

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
        audit::{Action, EventDetails},
        db::{Db, OrgTx},
    },
};

/// Maximum number of invitations that one transaction marks as expired.
const BATCH: u64 = 1_000;

/// Marks overdue invitations that match `condition` as expired. Returns their number.
pub(super) async fn expire<P: WritePermission>(tx: &OrgTx<P>, condition: Condition) -> Result<u64> {
    let overdue = Condition::all()
        .add(Column::Status.eq(InvitationStatus::Pending))
        .add(Column::ExpiresAt.lte(tx.now()))
        .add(condition);
    let columns = [
        (Column::Status, Expr::value(InvitationStatus::Expired.as_str())),
        (Column::Version, Expr::col(Column::Version).add(1)),
        (Column::UpdatedAt, Expr::value(tx.now())),
    ];
    let expired = tx.update_skip_locked::<Entity>(columns, overdue).await?;
    let facts = |status: InvitationStatus| json!({ "status": status.as_str() });
    let details = EventDetails::changed(facts(InvitationStatus::Pending), facts(InvitationStatus::Expired));
    let ids = expired.iter().map(|invitation| invitation.id);
    tx.record_all(Action::InvitationExpired, ids, &details).await?;
    Ok(expired.len() as u64)
}

#[derive(FromQueryResult)]
struct Overdue {
    organization_id: OrgId,
    id: InvitationId,
}

/// Marks overdue invitations of all organizations as expired, at most one batch. Returns their number.
///
/// # Errors
/// Any database error; then none of the batch is marked.
pub async fn expire_overdue(db: &Db) -> Result<u64> {
    let mut query = Query::select();
    query
        .columns([Column::OrganizationId, Column::Id])
        .from(Entity)
        .and_where(Column::Status.eq(InvitationStatus::Pending))
        .and_where(Column::ExpiresAt.lte(db.now()))
        .order_by(Column::ExpiresAt, Order::Asc)
        .limit(BATCH);
    #[expect(clippy::disallowed_methods, reason = "finds overdue invitations of all organizations")]
    let overdue: Vec<Overdue> = db.unscoped().await?.rows(&query).await?;
    let mut by_org = BTreeMap::<_, Vec<_>>::new();
    for Overdue { organization_id, id } in overdue {
        by_org.entry(organization_id).or_default().push(id);
    }
    if by_org.is_empty() {
        return Ok(0);
    }
    let (tx, mut count) = (db.begin_global(AuditOrigin::WORKER).await?, 0);
    for (org, ids) in by_org {
        #[expect(clippy::disallowed_methods, reason = "the platform expires invitations; no member does")]
        let scope = tx.enter_org(org).await?;
        count += expire(&scope, Condition::all().add(Column::Id.is_in(ids))).await?;
    }
    // If another process was faster, nothing changed and there is nothing to commit.
    if count > 0 {
        tx.commit().await?;
    }
    Ok(count)
}
