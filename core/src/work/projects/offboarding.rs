//! Project memberships of members who leave.

use sea_orm::{
    ColumnTrait,
    sea_query::{Expr, ExprTrait},
};
use serde_json::json;

use super::{Column, Entity, project_members_entity};
use crate::{
    Result,
    base::{ids::MemberId, permissions::WritePermission},
    storage::{
        audit::{Action, EventDetails},
        db::OrgTx,
    },
};

/// Removes a member from all projects.
pub(crate) async fn remove_member<P: WritePermission>(tx: &OrgTx<P>, member: MemberId) -> Result<()> {
    let condition = project_members_entity::Column::MemberId.eq(member);
    let joined = tx.find::<project_members_entity::Entity>().filter(condition.clone()).all().await?;
    if joined.is_empty() {
        return Ok(());
    }
    let projects = joined.into_iter().map(|link| link.project_id);
    let living = tx.find::<Entity>().all_locked_of(projects).await?;
    let living: Vec<_> = living.into_iter().map(|project| project.id).collect();
    tx.delete::<project_members_entity::Entity>(condition).await?;
    if living.is_empty() {
        return Ok(());
    }
    let columns =
        [(Column::Version, Expr::col(Column::Version).add(1)), (Column::UpdatedAt, Expr::value(tx.now()))];
    tx.update_in_chunks::<Entity>(columns, living.iter().copied()).await?;
    let details = EventDetails::changed(json!({ "member_id": member }), json!({ "member_id": null }));
    tx.record_all(Action::ProjectUpdated, living, &details).await
}
