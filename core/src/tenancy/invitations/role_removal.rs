//! The effect of a role deletion on invitations. Invitations that grant the role count like members who have it.

use std::collections::HashSet;

use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, Condition,
    sea_query::{Expr, ExprTrait},
};
use serde_json::json;

use super::{Column, Entity, Invitation, InvitationStatus, invitation_roles};
use crate::{
    Result,
    base::{
        ids::{InvitationId, InvitationRoleId, RoleId},
        permissions::RolesDelete,
    },
    storage::{
        audit::{Action, EventDetails},
        db::{ExpectedVersion, OrgTx, chunks},
    },
    tenancy::{
        members::{self, MemberEffect, join},
        roles::RoleRef,
    },
};

/// The effects of a role deletion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleRemoval {
    /// The permissions that members would gain and lose.
    pub effects: Vec<MemberEffect>,
    /// The pending invitations that would grant the other role.
    pub invitations: Vec<InvitationId>,
}

/// Deletes a role. If `reassign_to` is set, its members get that role instead, and invitations grant it instead.
///
/// # Errors
/// - `NotFound`; `PRECONDITION_FAILED`; `ROLE_BUILTIN`.
/// - `ROLE_IN_USE`, with the members and the pending invitations, if the role is in use and `reassign_to` is `None`.
/// - `VALIDATION_FAILED` if `reassign_to` does not exist or is the deleted role.
/// - `Forbidden` without `roles:assign`; `OWNER_PROTECTED` or `ESCALATION` if the caller cannot grant `reassign_to`.
pub async fn remove_role(
    tx: &OrgTx<RolesDelete>,
    id: RoleId,
    reassign_to: Option<&RoleRef>,
    expected: &ExpectedVersion,
) -> Result<()> {
    remove(tx, id, reassign_to, expected).await.map(drop)
}

/// Determines the effects of [`remove_role`] by running it. The transaction must not be committed.
///
/// # Errors
/// Those of [`remove_role`].
pub async fn try_remove_role(
    tx: &OrgTx<RolesDelete>,
    id: RoleId,
    reassign_to: Option<&RoleRef>,
    expected: &ExpectedVersion,
) -> Result<RoleRemoval> {
    let mut invitations = Vec::new();
    let removal = async {
        invitations = remove(tx, id, reassign_to, expected).await?;
        Ok(())
    };
    let effects = Box::pin(members::effects_of_removal(tx, id, removal)).await?;
    Ok(RoleRemoval { effects, invitations })
}

/// Deletes a role and returns the pending invitations that granted it.
async fn remove(
    tx: &OrgTx<RolesDelete>,
    id: RoleId,
    reassign_to: Option<&RoleRef>,
    expected: &ExpectedVersion,
) -> Result<Vec<InvitationId>> {
    // New invitations lock the organization too, so no further invitation grants the role.
    join::lock(tx).await?;
    let granting = invitations_granting(tx, id).await?;
    let is_pending = |invitation: &&Invitation| invitation.status_at(tx.now()) == InvitationStatus::Pending;
    let pending: Vec<_> = granting.iter().filter(is_pending).map(|invitation| invitation.id).collect();
    if let Some(other) = members::remove_role(tx, id, reassign_to, expected, &pending).await? {
        let granting: Vec<_> = granting.into_iter().map(|invitation| invitation.id).collect();
        replace_role(tx, &granting, id, other).await?;
    }
    Ok(pending)
}

/// Returns the invitations that grant the role and can still be accepted, now or after they are sent again, sorted by id.
async fn invitations_granting(tx: &OrgTx<RolesDelete>, role: RoleId) -> Result<Vec<Invitation>> {
    let by_role = invitation_roles::Column::RoleId.eq(role);
    let statuses = [InvitationStatus::Pending, InvitationStatus::Expired];
    let granting = tx
        .find::<Entity>()
        .filter(Column::Status.is_in(statuses))
        .where_in::<invitation_roles::Entity>(Column::Id, invitation_roles::Column::InvitationId, by_role)
        .all();
    let mut granting = granting.await?;
    granting.sort_unstable_by_key(|invitation| invitation.id);
    Ok(granting)
}

/// Replaces `role` by `other` in these invitations. An invitation that grants `other` already keeps one row.
async fn replace_role(
    tx: &OrgTx<RolesDelete>,
    invitations: &[InvitationId],
    role: RoleId,
    other: RoleId,
) -> Result<()> {
    if invitations.is_empty() {
        return Ok(());
    }
    tx.find::<Entity>().all_locked_of(invitations.iter().copied()).await?;
    let links = tx.find::<invitation_roles::Entity>().filter(invitation_roles::Column::RoleId.eq(other));
    let linked = links.all_of(invitation_roles::Column::InvitationId, invitations.iter().copied()).await?;
    let linked: HashSet<_> = linked.into_iter().map(|link| link.invitation_id).collect();
    for chunk in chunks(invitations.iter().copied()) {
        let in_chunk = invitation_roles::Column::InvitationId.is_in(chunk);
        tx.delete::<invitation_roles::Entity>(
            Condition::all().add(invitation_roles::Column::RoleId.eq(role)).add(in_chunk),
        )
        .await?;
    }
    let new = invitations.iter().filter(|invitation| !linked.contains(invitation));
    let new = new.map(|invitation| invitation_roles::ActiveModel {
        id: Set(InvitationRoleId::new(tx.now())),
        invitation_id: Set(*invitation),
        role_id: Set(other),
        created_at: Set(tx.now()),
        ..Default::default()
    });
    tx.insert_many(new.collect()).await?;
    let columns =
        [(Column::Version, Expr::col(Column::Version).add(1)), (Column::UpdatedAt, Expr::value(tx.now()))];
    tx.update_in_chunks::<Entity>(columns, invitations.iter().copied()).await?;
    let details = EventDetails::changed(json!({ "role_id": role }), json!({ "role_id": other }));
    tx.record_all(Action::InvitationUpdated, invitations.iter().copied(), &details).await
}
