//! How invitations are mailed, the first time and again.

use sea_orm::{ActiveValue::Set, ColumnTrait, Condition};
use serde_json::json;

use super::{
    Column, Entity, Invitation, InvitationDetails, InvitationStatus, NewInvitation, address,
    checks::{self, InvitationChecks},
    entity::ActiveModel,
    expiry, invitation_roles, roles_of,
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
        audit::{Action, Details},
        db::OrgTx,
        outbox::Job,
    },
    tenancy::{
        members::{RoleSummary, join},
        organizations, roles,
    },
};

/// Invites people, each by himself: what is refused to one is granted to the others. The outcomes are in the order given.
///
/// # Errors
/// `PERSONAL_ORGANIZATION`, for all of them. For each: `VALIDATION_FAILED` naming an unknown role; `OWNER_PROTECTED`,
/// `ESCALATION`; `ALREADY_MEMBER`; `INVITATION_PENDING`.
pub async fn invite(
    tx: &OrgTx<MembersInvite>,
    mail: &EmailTokens,
    new: Vec<NewInvitation>,
) -> Result<Vec<Result<InvitationDetails>>> {
    // Locked, so that of two who invite one address the second sees the first; the unique index says the same.
    let organization = join::lock(tx).await?;
    if organization.kind == organizations::PERSONAL {
        return Err(ErrorCode::PersonalOrganization.refuse());
    }
    let inviter = inviter(tx).await?;
    let mut book = InvitationChecks::open(tx, &new).await?;
    let mut outcomes = Vec::with_capacity(new.len());
    for NewInvitation { email, roles } in new {
        outcomes.push(match book.admit(tx.facts(), &email, &roles) {
            Ok(roles) => Ok(send(tx, mail, &inviter, &email, roles).await?),
            Err(refusal) => Err(refusal),
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
    tx.record(Action::InvitationCreated, id, Details::created(facts)).await?;
    let roles = roles.into_iter().map(RoleSummary::from).collect();
    Ok(InvitationDetails { invitation, inviter: inviter.clone(), roles })
}

/// Sends an invitation again, by a new token: the old one is worth nothing. Whoever does so invites from now on, so he
/// must be able to give the roles himself. One that has expired lives again.
///
/// # Errors
/// `NotFound`; `INVITATION_CLOSED`; `OWNER_PROTECTED`, `ESCALATION`; `ALREADY_MEMBER`; `INVITATION_PENDING` when the
/// address was invited anew since it expired.
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
    let email = address(&before.email)?;
    let roles = roles_of(tx, [id]).await?.remove(&id).unwrap_or_default();
    let given =
        MembershipAccess { roles: roles::grants(tx, roles.clone()).await?, ..MembershipAccess::default() };
    tx.facts().refuse_escalation(given.held(), given.is_owner())?;
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
    let details = Details::changed(facts(&before), facts(&invitation));
    tx.record(Action::InvitationResent, id, details).await?;
    Ok(InvitationDetails { invitation, inviter, roles: roles.into_iter().map(RoleSummary::from).collect() })
}

/// The person who acts.
async fn inviter<P: WritePermission>(tx: &OrgTx<P>) -> Result<User> {
    let actor = tx.origin().actor.user().ok_or(Error::Broken("nobody invites"))?;
    let found = tx.global().find::<users::Entity>().filter(users::Column::Id.eq(actor)).one().await?;
    // Deleted in this moment.
    found.ok_or(ErrorCode::InvalidToken.refuse())
}
