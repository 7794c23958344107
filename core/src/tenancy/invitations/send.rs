//! Send and resend invitations.

use sea_orm::{ActiveValue::Set, ColumnTrait, Condition};
use serde_json::json;

use super::{
    Column, Entity, Invitation, InvitationDetails, InvitationStatus, NewInvitation,
    checks::{self, InvitationChecks},
    entity::ActiveModel,
    expiry, invitation_roles, roles_of, stored_email,
};
use crate::{
    Error, Result,
    base::{
        error::ErrorCode,
        ids::{InvitationId, InvitationRoleId},
        permissions::{MembersInvite, MembershipAccess, RoleGrants, WritePermission},
        text::EmailAddress,
    },
    identity::{
        one_time_tokens::{self, EmailTokens},
        users::{self, User},
    },
    storage::{
        audit::{Action, EventDetails},
        db::OrgTx,
        outbox::Job,
    },
    tenancy::{
        members::{RoleInfo, join},
        organizations, roles,
    },
};

/// Sends invitations. Each one is handled separately: an error of one does not affect the others. The results are in the
/// order of `new`.
///
/// # Errors
/// `PERSONAL_ORGANIZATION` for all of them. For each one: `VALIDATION_FAILED` for an unknown role; `OWNER_PROTECTED`,
/// `ESCALATION`; `ALREADY_MEMBER`; `INVITATION_PENDING`.
pub async fn invite(
    tx: &OrgTx<MembersInvite>,
    mail: &EmailTokens,
    new: Vec<NewInvitation>,
) -> Result<Vec<Result<InvitationDetails>>> {
    // The lock serializes invitations to the same e-mail address. A unique index protects them too.
    let organization = join::lock(tx).await?;
    if organization.kind == organizations::PERSONAL {
        return Err(ErrorCode::PersonalOrganization.refuse());
    }
    let inviter = inviter(tx).await?;
    let mut checks = InvitationChecks::load(tx, &new).await?;
    let mut outcomes = Vec::with_capacity(new.len());
    for NewInvitation { email, roles } in new {
        outcomes.push(match checks.admit(tx.facts(), &email, &roles) {
            Ok(roles) => Ok(send(tx, mail, &inviter, &email, roles).await?),
            Err(error) => Err(error),
        });
    }
    Ok(outcomes)
}

async fn send(
    tx: &OrgTx<MembersInvite>,
    mail: &EmailTokens,
    inviter: &User,
    email: &EmailAddress,
    roles: Vec<RoleGrants>,
) -> Result<InvitationDetails> {
    let (id, now) = (InvitationId::new(tx.now()), tx.now());
    let token = one_time_tokens::issue_invitation(&tx.global(), mail, id, email).await?;
    let invitation = tx
        .insert(ActiveModel {
            id: Set(id),
            email: Set(email.as_str().to_owned()),
            email_canonical: Set(email.key().to_owned()),
            status: Set(InvitationStatus::Pending),
            invited_by: Set(tx.member()),
            inviter_id: Set(inviter.id),
            expires_at: Set(token.expires_at),
            resend_count: Set(0),
            version: Set(1),
            created_at: Set(now),
            updated_at: Set(now),
            ..Default::default()
        })
        .await?;
    let row = |role: &RoleGrants| invitation_roles::ActiveModel {
        id: Set(InvitationRoleId::new(now)),
        invitation_id: Set(id),
        role_id: Set(role.id),
        created_at: Set(now),
        ..Default::default()
    };
    if !roles.is_empty() {
        tx.insert_many(roles.iter().map(row).collect()).await?;
    }
    tx.enqueue(&Job::SendInvitation { token: token.id }).await?;
    let keys: Vec<_> = roles.iter().map(|role| &role.key).collect();
    let facts = json!({ "roles": keys, "expires_at": invitation.expires_at });
    tx.record(Action::InvitationCreated, id, EventDetails::created(facts)).await?;
    let roles = roles.into_iter().map(RoleInfo::from).collect();
    Ok(InvitationDetails { invitation, inviter: inviter.clone(), roles })
}

/// Sends an invitation again with a new token, and revokes the old token. The caller becomes the inviter, so they must be
/// able to grant its roles. An expired invitation becomes pending again.
///
/// # Errors
/// `NotFound`; `INVITATION_CLOSED`; `OWNER_PROTECTED`, `ESCALATION`; `ALREADY_MEMBER`; `INVITATION_PENDING` when the
/// e-mail address has got another invitation since this one expired.
pub async fn resend(
    tx: &OrgTx<MembersInvite>,
    mail: &EmailTokens,
    id: InvitationId,
) -> Result<InvitationDetails> {
    join::lock(tx).await?;
    let before = tx.find::<Entity>().filter(Column::Id.eq(id)).one_locked().await?;
    if !matches!(before.status, InvitationStatus::Pending | InvitationStatus::Expired) {
        return Err(ErrorCode::InvitationClosed.refuse());
    }
    let email = stored_email(&before.email)?;
    let roles = roles_of(tx, [id]).await?.remove(&id).unwrap_or_default();
    let granted = roles::grants(tx, roles.clone()).await?.into();
    let granted = MembershipAccess { roles: granted, ..MembershipAccess::default() };
    tx.facts().refuse_escalation(granted.held(), granted.is_owner())?;
    if !checks::members_among(tx, &[email.key()]).await?.is_empty() {
        return Err(ErrorCode::AlreadyMember.refuse());
    }
    let others = Condition::all().add(Column::EmailCanonical.eq(email.key())).add(Column::Id.ne(id));
    expiry::expire(tx, others).await?;
    let inviter = inviter(tx).await?;
    let token = one_time_tokens::issue_invitation(&tx.global(), mail, id, &email).await?;
    let invitation = tx
        .update(ActiveModel {
            id: Set(id),
            status: Set(InvitationStatus::Pending),
            invited_by: Set(tx.member()),
            inviter_id: Set(inviter.id),
            expires_at: Set(token.expires_at),
            resend_count: Set(before.resend_count + 1),
            version: Set(before.version + 1),
            updated_at: Set(tx.now()),
            ..Default::default()
        })
        .await?;
    tx.enqueue(&Job::SendInvitation { token: token.id }).await?;
    let facts = |row: &Invitation| json!({ "resend_count": row.resend_count, "expires_at": row.expires_at });
    let details = EventDetails::changed(facts(&before), facts(&invitation));
    tx.record(Action::InvitationResent, id, details).await?;
    Ok(InvitationDetails { invitation, inviter, roles: roles.into_iter().map(RoleInfo::from).collect() })
}

/// Returns the user who makes the request.
async fn inviter<P: WritePermission>(tx: &OrgTx<P>) -> Result<User> {
    let actor = tx.origin().actor.user().ok_or(Error::Internal("an invitation has no inviter"))?;
    let found = tx.global().find::<users::Entity>().filter(users::Column::Id.eq(actor)).one().await?;
    // The account was deleted at the same time.
    found.ok_or(ErrorCode::InvalidToken.refuse())
}
