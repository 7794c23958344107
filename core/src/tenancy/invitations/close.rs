//! Revoke and close invitations.

use sea_orm::{
    ColumnTrait, Condition,
    sea_query::{Expr, ExprTrait},
};
use serde_json::json;

use super::{Column, Entity, Invitation, InvitationStatus};
use crate::{
    Result,
    base::{
        error::ErrorCode,
        ids::InvitationId,
        permissions::{MembersInvite, WritePermission},
    },
    identity::one_time_tokens,
    storage::{
        audit::{Action, EventDetails},
        db::OrgTx,
    },
    tenancy::members::join,
};

/// Revokes an invitation. It does nothing if the invitation is already revoked.
///
/// # Errors
/// `NotFound`; `INVITATION_CLOSED` when it was accepted or declined, or has expired.
pub async fn revoke(tx: &OrgTx<MembersInvite>, id: InvitationId) -> Result<()> {
    join::lock(tx).await?;
    let before = tx.find::<Entity>().filter(Column::Id.eq(id)).one_locked().await?;
    match before.status_at(tx.now()) {
        InvitationStatus::Revoked => return Ok(()),
        InvitationStatus::Pending => {}
        _ => return Err(ErrorCode::InvitationClosed.refuse()),
    }
    one_time_tokens::revoke_invitation(&tx.global(), id, &before.email_canonical).await?;
    close(tx, &before, InvitationStatus::Revoked, Action::InvitationRevoked).await
}

/// Ends a pending invitation with `status`. Of concurrent calls, one succeeds.
///
/// # Errors
/// `INVITATION_EXPIRED` when it is no longer pending.
pub(crate) async fn close<P: WritePermission>(
    tx: &OrgTx<P>,
    invitation: &Invitation,
    status: InvitationStatus,
    action: Action,
) -> Result<()> {
    let open = Condition::all()
        .add(Column::Id.eq(invitation.id))
        .add(Column::Status.eq(InvitationStatus::Pending))
        .add(Column::ExpiresAt.gt(tx.now()));
    let closed = [
        (Column::Status, Expr::value(status.as_str())),
        (Column::Version, Expr::col(Column::Version).add(1)),
        (Column::UpdatedAt, Expr::value(tx.now())),
    ];
    if tx.update_where::<Entity>(closed, open).await? == 0 {
        return Err(ErrorCode::InvitationExpired.refuse());
    }
    let facts = |status: InvitationStatus| json!({ "status": status.as_str() });
    let details = EventDetails::changed(facts(invitation.status), facts(status));
    tx.record(action, invitation.id, details).await
}
