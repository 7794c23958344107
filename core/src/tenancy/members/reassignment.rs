//! The effect of changed and deleted roles on their members.

use std::collections::HashSet;

use sea_orm::{
    ActiveValue::Set,
    ColumnTrait,
    sea_query::{Expr, ExprTrait},
};
use serde_json::json;

use super::{
    Entity, MemberEffect,
    dry_run::{effects, holders, permission_sets},
    entity::Column,
    locking::lock_many,
    member_roles,
};
use crate::{
    Error, Result,
    base::{
        error::{ErrorCode, FieldErrors},
        ids::{InvitationId, MemberId, MemberRoleId, RoleId},
        permissions::{Permission, PermissionSet, RolesDelete, RolesUpdate},
    },
    storage::{
        audit::{Action, EventDetails},
        db::{ExpectedVersion, OrgTx},
    },
    tenancy::roles::{self, RoleRef},
};

/// Maximum number of members, and of invitations, that an error lists.
const MAX_LISTED: usize = 100;

/// Deletes a role, which the invitations `pending` grant. If `reassign_to` is set, its members get that role instead, and its
/// id is returned. The organization must be locked.
///
/// # Errors
/// - `NotFound`; `PRECONDITION_FAILED`; `ROLE_BUILTIN`.
/// - `ROLE_IN_USE`, with the members and `pending`, if the role is in use and `reassign_to` is `None`.
/// - `VALIDATION_FAILED` if `reassign_to` does not exist or is the deleted role.
/// - `Forbidden` without `roles:assign`; `OWNER_PROTECTED` or `ESCALATION` if the caller cannot grant `reassign_to`.
pub(crate) async fn remove_role(
    tx: &OrgTx<RolesDelete>,
    id: RoleId,
    reassign_to: Option<&RoleRef>,
    expected: &ExpectedVersion,
    pending: &[InvitationId],
) -> Result<Option<RoleId>> {
    // No member can get the role now, because every grant of a role locks the organization.
    let members = holders(tx, id).await?;
    lock_many(tx, &members).await?;
    let before = roles::lock(tx, id, expected).await?;
    let other = match reassign_to {
        Some(other) => Some(reassign(tx, id, other, &members).await?),
        None if members.is_empty() && pending.is_empty() => None,
        None => {
            let invitations = pending.iter().copied().take(MAX_LISTED).collect();
            return Err(Error::RoleInUse {
                members: members.into_iter().take(MAX_LISTED).collect(),
                invitations,
            });
        }
    };
    let row = roles::deleted_row(tx, &before.role);
    tx.update(row).await?;
    let details = EventDetails::removed(roles::facts(&before.role, before.permissions));
    tx.record(Action::RoleDeleted, id, details).await?;
    Ok(other)
}

/// Replaces the role `id` of these members by `to`. Returns the id of `to`.
async fn reassign(tx: &OrgTx<RolesDelete>, id: RoleId, to: &RoleRef, members: &[MemberId]) -> Result<RoleId> {
    const FIELD: &str = "reassign_to";
    let mut fields = FieldErrors::default();
    let other = roles::find(tx, to).await?;
    let message = match &other {
        None => Some("There is no such role."),
        Some(other) if other.id == id => Some("Choose a role other than the one that is deleted."),
        Some(_) => None,
    };
    if let Some(message) = message {
        fields.add(FIELD, "UNKNOWN_REFERENCE", message);
    }
    fields.into_result()?;
    let Some(other) = other else { return Err(ErrorCode::ValidationFailed.refuse()) };
    super::require_permission(tx, Permission::RolesAssign).await?;
    for role in roles::grants(tx, vec![other.clone()]).await? {
        if role.is_owner() {
            tx.facts().refuse_touching_owner()?;
        }
        tx.facts().refuse_escalation(role.permissions, role.is_owner())?;
    }
    if members.is_empty() {
        return Ok(other.id);
    }
    let already: HashSet<_> = holders(tx, other.id).await?.into_iter().collect();
    tx.delete::<member_roles::Entity>(member_roles::Column::RoleId.eq(id)).await?;
    let rows =
        members.iter().filter(|member| !already.contains(member)).map(|member| member_roles::ActiveModel {
            id: Set(MemberRoleId::new(tx.now())),
            member_id: Set(*member),
            role_id: Set(other.id),
            granted_by: Set(tx.member()),
            created_at: Set(tx.now()),
            ..Default::default()
        });
    tx.insert_many(rows.collect()).await?;
    let columns =
        [(Column::Version, Expr::col(Column::Version).add(1)), (Column::UpdatedAt, Expr::value(tx.now()))];
    tx.update_in_chunks::<Entity>(columns, members.iter().copied()).await?;
    let details = EventDetails::changed(json!({ "role_id": id }), json!({ "role_id": other.id }));
    tx.record_all(Action::MemberUpdated, members.iter().copied(), &details).await?;
    Ok(other.id)
}

/// Determines the effect of `removal`, which deletes the role, on the members with the role. The transaction must not be
/// committed.
///
/// # Errors
/// Those of [`remove_role`].
pub(crate) async fn effects_of_removal(
    tx: &OrgTx<RolesDelete>,
    id: RoleId,
    removal: impl Future<Output = Result<()>>,
) -> Result<Vec<MemberEffect>> {
    let members = holders(tx, id).await?;
    let before = permission_sets(tx, &members).await?;
    removal.await?;
    effects(tx, &before, &permission_sets(tx, &members).await?).await
}

/// Determines the effect of [`roles::set_permissions`] by running it. The transaction must not be committed.
///
/// # Errors
/// Those of [`roles::set_permissions`].
pub async fn try_set_permissions(
    tx: &OrgTx<RolesUpdate>,
    id: RoleId,
    permissions: PermissionSet,
    expected: &ExpectedVersion,
) -> Result<Vec<MemberEffect>> {
    let members = holders(tx, id).await?;
    let before = permission_sets(tx, &members).await?;
    roles::set_permissions(tx, id, permissions, expected).await?;
    effects(tx, &before, &permission_sets(tx, &members).await?).await
}
