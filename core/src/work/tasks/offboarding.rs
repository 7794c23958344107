//! Tasks of members who leave.

use sea_orm::{
    ColumnTrait,
    sea_query::{Expr, ExprTrait},
};
use serde_json::json;

use super::{Column, Entity, TaskStatus};
use crate::{
    Result,
    base::{ids::MemberId, permissions::WritePermission},
    storage::{
        audit::{Action, EventDetails},
        db::OrgTx,
    },
};

/// Unassigns a member's tasks that are neither done nor cancelled.
pub(crate) async fn unassign_member<P: WritePermission>(tx: &OrgTx<P>, member: MemberId) -> Result<()> {
    let open = Column::Status.is_in([TaskStatus::Todo, TaskStatus::InProgress]);
    let assigned = Column::AssigneeId.eq(member).and(open).and(Column::DeletedAt.is_null());
    let ids = tx.find::<Entity>().filter(assigned).all_locked().await?;
    if ids.is_empty() {
        return Ok(());
    }
    let ids: Vec<_> = ids.into_iter().map(|task| task.id).collect();
    let columns = [
        (Column::AssigneeId, Expr::value(Option::<uuid::Uuid>::None)),
        (Column::Version, Expr::col(Column::Version).add(1)),
        (Column::UpdatedAt, Expr::value(tx.now())),
    ];
    tx.update_in_chunks::<Entity>(columns, ids.iter().copied()).await?;
    let details = EventDetails::changed(json!({ "assignee_id": member }), json!({ "assignee_id": null }));
    tx.record_all(Action::TaskUpdated, ids, &details).await
}
