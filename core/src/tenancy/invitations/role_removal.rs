//! What becomes of invitations when a role goes that they give: they are counted like those who hold it.

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
        audit::{Action, Details},
        db::{Expected, OrgTx, chunks},
    },
    tenancy::{
        members::{self, PermissionDiff, join},
        roles::RoleRef,
    },
};

/// What the deletion of a role would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleRemoval {
    /// Who would gain and who would lose what.
    pub effects: Vec<PermissionDiff>,
    /// The open invitations that would give the other role.
    pub invitations: Vec<InvitationId>,
}

/// Deletes a role. Its members get the role `reassign_to` instead, and invitations give it instead, where one is named.
///
/// # Errors
/// `NotFound`; `PRECONDITION_FAILED`; `ROLE_BUILTIN`; `ROLE_IN_USE` naming the members and the open invitations where no other
/// role is named; `VALIDATION_FAILED` where that one is not there, or is this one; `Forbidden` without `roles:assign`;
/// `OWNER_PROTECTED`, `ESCALATION` where it is not the caller's to give.
pub async fn remove_role(
    tx: &OrgTx<RolesDelete>,
    id: RoleId,
    reassign_to: Option<&RoleRef>,
    expected: &Expected,
) -> Result<()> {
    remove(tx, id, reassign_to, expected).await.map(drop)
}

/// What [`remove_role`] would do, found out by doing it. The transaction must not be committed.
///
/// # Errors
/// Those of [`remove_role`].
pub async fn try_remove_role(
    tx: &OrgTx<RolesDelete>,
    id: RoleId,
    reassign_to: Option<&RoleRef>,
    expected: &Expected,
) -> Result<RoleRemoval> {
    let mut invitations = Vec::new();
    let removal = async {
        invitations = remove(tx, id, reassign_to, expected).await?;
        Ok(())
    };
    let effects = Box::pin(members::effects_of_removal(tx, id, removal)).await?;
    Ok(RoleRemoval { effects, invitations })
}

/// Gives the open invitations that gave the role.
async fn remove(
    tx: &OrgTx<RolesDelete>,
    id: RoleId,
    reassign_to: Option<&RoleRef>,
    expected: &Expected,
) -> Result<Vec<InvitationId>> {
    // Whoever invites locks the organization, too: nothing gives the role from here on.
    join::lock(tx).await?;
    let giving = giving(tx, id).await?;
    let is_open = |invitation: &&Invitation| invitation.status_at(tx.now()) == InvitationStatus::Pending;
    let open: Vec<_> = giving.iter().filter(is_open).map(|invitation| invitation.id).collect();
    if let Some(other) = members::remove_role(tx, id, reassign_to, expected, &open).await? {
        let giving: Vec<_> = giving.into_iter().map(|invitation| invitation.id).collect();
        give_instead(tx, &giving, id, other).await?;
    }
    Ok(open)
}

/// The invitations that give the role and that somebody can still accept, now or when they are sent again; in the order of
/// their ids.
async fn giving(tx: &OrgTx<RolesDelete>, role: RoleId) -> Result<Vec<Invitation>> {
    let by_role = invitation_roles::Column::RoleId.eq(role);
    let standing = [InvitationStatus::Pending, InvitationStatus::Expired];
    let giving = tx
        .find::<Entity>()
        .filter(Column::Status.is_in(standing))
        .where_in::<invitation_roles::Entity>(Column::Id, invitation_roles::Column::InvitationId, by_role)
        .all();
    let mut giving = giving.await?;
    giving.sort_unstable_by_key(|invitation| invitation.id);
    Ok(giving)
}

/// Lets these invitations give `other` where they gave `role`; what they give already they give once.
async fn give_instead(
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
    let known = links.all_of(invitation_roles::Column::InvitationId, invitations.iter().copied()).await?;
    let known: HashSet<_> = known.into_iter().map(|link| link.invitation_id).collect();
    for some in chunks(invitations.iter().copied()) {
        let gone = invitation_roles::Column::InvitationId.is_in(some);
        tx.delete::<invitation_roles::Entity>(
            Condition::all().add(invitation_roles::Column::RoleId.eq(role)).add(gone),
        )
        .await?;
    }
    let new = invitations.iter().filter(|invitation| !known.contains(invitation));
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
    let details = Details::changed(json!({ "role_id": role }), json!({ "role_id": other }));
    tx.record_all(Action::InvitationUpdated, invitations.iter().copied(), &details).await
}
