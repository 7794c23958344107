//! What whoever is invited sees of it: by its token, or among those for his proved address.

use std::collections::HashMap;

use sea_orm::{
    ColumnTrait, Condition, FromQueryResult, IdenStatic,
    sea_query::{Asterisk, ExprTrait, Query, SimpleExpr},
};

use super::{Column, Entity, Invitation, InvitationKey, InvitationStatus, invitation_roles};
use crate::{
    Result,
    base::{
        error::ErrorCode,
        ids::{OrgId, UserId},
        pagination::{Page, PageRequest},
    },
    identity::{
        one_time_tokens::{self, OneTimeToken, TokenPurpose},
        users::{self, User},
    },
    storage::db::{Db, Unscoped},
    tenancy::{
        members::{RoleSummary, role_summary},
        organizations::{self, Organization},
    },
};

/// Whether the invited address has an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvitedAccount {
    /// It has none.
    None,
    /// It has one that may be anybody's: nobody has proved the address.
    Unproved,
    /// It has one.
    Proved,
}

/// An invitation that somebody holds in his hands.
#[derive(Clone, Debug)]
pub struct InvitationView {
    /// The invitation.
    pub invitation: Invitation,
    /// Into which organization.
    pub organization: Organization,
    /// Who invites.
    pub inviter: User,
    /// The living roles that it gives.
    pub roles: Vec<RoleSummary>,
}

/// The invitation of a token that is still good, the token's row, and whether its address has an account: who has the
/// token has the mailbox. It is not used by this.
///
/// # Errors
/// `INVITATION_EXPIRED` for every other text: unknown, used, replaced, expired, or of an organization that is no more.
pub async fn open(db: &Db, token: &str) -> Result<(OneTimeToken, InvitationView, InvitedAccount)> {
    let expired = ErrorCode::InvitationExpired;
    let link = one_time_tokens::find(db, token, &[TokenPurpose::Invitation]).await;
    let link = link.map_err(|error| match error.code() {
        ErrorCode::LinkExpired => expired.refuse(),
        _ => error,
    })?;
    #[expect(clippy::disallowed_methods, reason = "who is invited is in no organization yet")]
    let tx = db.unscoped().await?;
    let subject = Column::Id.eq(link.subject_id);
    let found: Vec<Invitation> = rows(&tx, Entity, subject.and(open_at(tx.now()))).await?;
    let opened = companions(&tx, found).await?.into_iter().next().ok_or(expired.refuse())?;
    let living = users::Column::EmailCanonical.eq(link.email_canonical.as_str());
    let living: Vec<User> = rows(&tx, users::Entity, living.and(users::Column::DeletedAt.is_null())).await?;
    let account = match living.first() {
        None => InvitedAccount::None,
        Some(user) if user.email_verified_at.is_none() => InvitedAccount::Unproved,
        Some(_) => InvitedAccount::Proved,
    };
    Ok((link, opened, account))
}

/// One page of the invitations for a person's address that nobody has answered; none for an address that he has not
/// proved.
///
/// # Errors
/// Whatever the database refuses.
pub async fn list_for_recipient(
    db: &Db,
    user: &User,
    listing: PageRequest<InvitationKey>,
) -> Result<Page<InvitationView>> {
    if user.email_verified_at.is_none() {
        return Ok(Page { data: Vec::new(), next: None });
    }
    #[expect(clippy::disallowed_methods, reason = "a person reads who invites him, across organizations")]
    let tx = db.unscoped().await?;
    let condition = Column::EmailCanonical.eq(user.email_canonical.as_str());
    let page = tx.page(Condition::all().add(condition.and(open_at(tx.now()))), listing).await?;
    Ok(Page { data: companions(&tx, page.data).await?, next: page.next })
}

fn open_at(now: chrono::DateTime<chrono::Utc>) -> SimpleExpr {
    Column::Status.eq(InvitationStatus::Pending).and(Column::ExpiresAt.gt(now))
}

/// With each invitation what it names. Those of organizations that were deleted are left out.
pub(crate) async fn companions(tx: &Unscoped, invitations: Vec<Invitation>) -> Result<Vec<InvitationView>> {
    if invitations.is_empty() {
        return Ok(Vec::new());
    }
    let organization = organizations::Column::Id.is_in(invitations.iter().map(|one| one.organization_id));
    let living = organization.and(organizations::Column::DeletedAt.is_null());
    let found: Vec<Organization> = rows(tx, organizations::Entity, living).await?;
    let organizations: HashMap<OrgId, _> = found.into_iter().map(|found| (found.id, found)).collect();
    let inviter = users::Column::Id.is_in(invitations.iter().map(|one| one.inviter_id));
    let found: Vec<User> = rows(tx, users::Entity, inviter).await?;
    let inviters: HashMap<UserId, _> = found.into_iter().map(|found| (found.id, found)).collect();
    let ids = invitations.iter().map(|one| one.id);
    let mut roles = role_summary::across::<invitation_roles::Entity, _>(tx, ids).await?;
    let with = |invitation: Invitation| {
        let organization = organizations.get(&invitation.organization_id)?.clone();
        let inviter = inviters.get(&invitation.inviter_id)?.clone();
        let roles = roles.remove(&invitation.id).unwrap_or_default();
        Some(InvitationView { invitation, organization, inviter, roles })
    };
    Ok(invitations.into_iter().filter_map(with).collect())
}

async fn rows<M: FromQueryResult + Send + Sync>(
    tx: &Unscoped,
    table: impl IdenStatic + 'static,
    condition: SimpleExpr,
) -> Result<Vec<M>> {
    let mut query = Query::select();
    query.column(Asterisk).from(table).and_where(condition);
    tx.rows(&query).await
}
