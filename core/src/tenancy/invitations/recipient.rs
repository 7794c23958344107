//! Invitations as the recipient sees them: by token, or in the list for their verified e-mail address.

use std::collections::HashMap;

use sea_orm::{
    ColumnTrait, Condition, FromQueryResult, IdenStatic,
    sea_query::{Asterisk, ExprTrait, IntoCondition, Query, SimpleExpr},
};

use super::{Column, Entity, Invitation, InvitationKey, InvitationStatus, invitation_roles};
use crate::{
    Error, Result,
    base::{
        error::ErrorCode,
        ids::{InvitationId, OrgId, UserId},
        pagination::{Page, PageRequest},
    },
    identity::{
        one_time_tokens::{self, OneTimeToken, TokenPurpose},
        users::{self, User},
    },
    storage::db::{Db, Unscoped},
    tenancy::{
        members::{RoleInfo, role_summary},
        organizations::{self, Organization},
    },
};

/// Whether the invited e-mail address has an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvitedAccount {
    /// It has no account.
    None,
    /// It has an account with an unverified e-mail address, which can belong to anybody.
    Unverified,
    /// It has an account with a verified e-mail address.
    Verified,
}

/// An invitation as its recipient sees it.
#[derive(Clone, Debug)]
pub struct InvitationView {
    /// The invitation.
    pub invitation: Invitation,
    /// The organization to join.
    pub organization: Organization,
    /// The user who sent it.
    pub inviter: User,
    /// The roles that it grants, without deleted ones.
    pub roles: Vec<RoleInfo>,
}

/// Returns the row of a valid token, its invitation, and whether its e-mail address has an account. The holder of the token
/// controls the e-mail address, so this reveals nothing to others. The token stays unused.
///
/// # Errors
/// `INVITATION_EXPIRED` if the token is unknown, used, replaced, expired, or of a deleted organization.
pub async fn open(db: &Db, token: &str) -> Result<(OneTimeToken, InvitationView, InvitedAccount)> {
    let expired = ErrorCode::InvitationExpired;
    let link = one_time_tokens::find(db, token, &[TokenPurpose::Invitation]).await;
    let link = link.map_err(|error| match error.code() {
        ErrorCode::LinkExpired => expired.refuse(),
        _ => error,
    })?;
    #[expect(clippy::disallowed_methods, reason = "the recipient is in no organization yet")]
    let tx = db.unscoped().await?;
    let subject = Column::Id.eq(link.subject_id);
    let found: Vec<Invitation> = rows(&tx, Entity, subject.and(open_at(tx.now()))).await?;
    let view = with_details(&tx, found).await?.into_iter().next().ok_or(expired.refuse())?;
    let condition = users::Column::EmailCanonical.eq(link.email_canonical.as_str());
    let condition = condition.and(users::Column::DeletedAt.is_null());
    let users: Vec<User> = rows(&tx, users::Entity, condition).await?;
    let account = match users.first() {
        None => InvitedAccount::None,
        Some(user) if user.email_verified_at.is_none() => InvitedAccount::Unverified,
        Some(_) => InvitedAccount::Verified,
    };
    Ok((link, view, account))
}

/// Returns the invitation to the verified e-mail address of a user, with the row of its valid token. The user answers without
/// the token, because the session and the verification prove the same as it does.
///
/// # Errors
/// `NotFound` if the invitation is to another e-mail address, or if the address of the user is not verified;
/// `INVITATION_EXPIRED` if it is closed or has expired, or if its organization is deleted.
pub async fn open_received(db: &Db, user: &User, id: InvitationId) -> Result<(OneTimeToken, InvitationView)> {
    if user.email_verified_at.is_none() {
        return Err(Error::NotFound("invitation"));
    }
    #[expect(clippy::disallowed_methods, reason = "users read their own invitations, across organizations")]
    let tx = db.unscoped().await?;
    let own = Column::Id.eq(id).and(Column::EmailCanonical.eq(user.email_canonical.as_str()));
    let found: Vec<Invitation> = rows(&tx, Entity, own).await?;
    let invitation = found.into_iter().next().ok_or(Error::NotFound("invitation"))?;
    let expired = ErrorCode::InvitationExpired;
    if invitation.status_at(tx.now()) != InvitationStatus::Pending {
        return Err(expired.refuse());
    }
    let token = one_time_tokens::valid_of_invitation(tx.now(), id, &user.email_canonical);
    let tokens: Vec<OneTimeToken> = rows(&tx, one_time_tokens::Entity, token).await?;
    let token = tokens.into_iter().next().ok_or(expired.refuse())?;
    let view = with_details(&tx, vec![invitation]).await?.into_iter().next().ok_or(expired.refuse())?;
    Ok((token, view))
}

/// Returns one page of the pending invitations to the e-mail address of a user. The page is empty if the e-mail address is
/// not verified.
///
/// # Errors
/// Any database error.
pub async fn list_for_recipient(
    db: &Db,
    user: &User,
    request: PageRequest<InvitationKey>,
) -> Result<Page<InvitationView>> {
    #[expect(clippy::disallowed_methods, reason = "users read their own invitations, across organizations")]
    let tx = db.unscoped().await?;
    received_by(&tx, user, request).await
}

/// Returns one page of the pending invitations to a user, as [`list_for_recipient`].
pub(crate) async fn received_by(
    tx: &Unscoped,
    user: &User,
    request: PageRequest<InvitationKey>,
) -> Result<Page<InvitationView>> {
    if user.email_verified_at.is_none() {
        return Ok(Page { data: Vec::new(), next: None });
    }
    let condition = Column::EmailCanonical.eq(user.email_canonical.as_str());
    let page = tx.page(Condition::all().add(condition.and(open_at(tx.now()))), request).await?;
    Ok(Page { data: with_details(tx, page.data).await?, next: page.next })
}

fn open_at(now: chrono::DateTime<chrono::Utc>) -> SimpleExpr {
    Column::Status.eq(InvitationStatus::Pending).and(Column::ExpiresAt.gt(now))
}

/// Adds the organization, the inviter and the roles to each invitation. Leaves out invitations of deleted organizations.
pub(crate) async fn with_details(tx: &Unscoped, invitations: Vec<Invitation>) -> Result<Vec<InvitationView>> {
    if invitations.is_empty() {
        return Ok(Vec::new());
    }
    let condition = organizations::Column::Id.is_in(invitations.iter().map(|one| one.organization_id));
    let condition = condition.and(organizations::Column::DeletedAt.is_null());
    let found: Vec<Organization> = rows(tx, organizations::Entity, condition).await?;
    let organizations: HashMap<OrgId, _> = found.into_iter().map(|found| (found.id, found)).collect();
    let inviter = users::Column::Id.is_in(invitations.iter().map(|one| one.inviter_id));
    let found: Vec<User> = rows(tx, users::Entity, inviter).await?;
    let inviters: HashMap<UserId, _> = found.into_iter().map(|found| (found.id, found)).collect();
    let ids = invitations.iter().map(|one| one.id);
    let mut roles = role_summary::across::<invitation_roles::Entity, _>(tx, ids).await?;
    let view = |invitation: Invitation| {
        let organization = organizations.get(&invitation.organization_id)?.clone();
        let inviter = inviters.get(&invitation.inviter_id)?.clone();
        let roles = roles.remove(&invitation.id).unwrap_or_default();
        Some(InvitationView { invitation, organization, inviter, roles })
    };
    Ok(invitations.into_iter().filter_map(view).collect())
}

async fn rows<M: FromQueryResult + Send + Sync>(
    tx: &Unscoped,
    table: impl IdenStatic + 'static,
    condition: impl IntoCondition,
) -> Result<Vec<M>> {
    let mut query = Query::select();
    query.column(Asterisk).from(table).cond_where(condition);
    tx.rows(&query).await
}
