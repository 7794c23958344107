//! Invitations: an e-mailed token lets its recipient join an organization with the granted roles.
//!
//! This module contains the operations of the organization. The view of the recipient is in `recipient`. Acceptance spans
//! users and organizations, and is in `lifecycle::accounts`.

mod checks;
mod close;
mod entity;
mod expiry;
mod erasure;
#[expect(unreachable_pub, reason = "sea-orm derives public items")]
pub(crate) mod invitation_roles;
mod role_removal;
mod recipient;
mod send;

use std::collections::HashMap;

use sea_orm::{ColumnTrait, Condition, DerivePartialModel};

pub(crate) use close::close;
pub use close::revoke;
pub(crate) use entity::{Column, Entity};
pub use entity::{InvitationStatus, Model as Invitation};
pub(crate) use erasure::{erase, organizations_inviting};
pub use expiry::expire_overdue;
pub use recipient::{InvitationView, InvitedAccount, list_for_recipient, open, open_received};
pub(crate) use recipient::{received_by, with_details};
pub use role_removal::{RoleRemoval, remove_role, try_remove_role};
pub use send::{invite, resend};

use crate::{
    Error, Result,
    base::{
        ids::InvitationId,
        pagination::{Page, PageRequest},
        permissions::{InvitationsRead, RequiredPermission, RoleGrants},
        text::EmailAddress,
    },
    identity::users::{self, User},
    storage::db::{OrgTx, SortKey},
    tenancy::{
        members::RoleInfo,
        roles::{self, Role},
    },
};

/// The data of a new invitation.
#[derive(Clone, Debug)]
pub struct NewInvitation {
    /// E-mail address of the recipient.
    pub email: EmailAddress,
    /// The roles to grant, each by its key or id. Without roles, the new member has no permissions.
    pub roles: Vec<String>,
}

/// An invitation with its inviter and roles.
#[derive(Clone, Debug)]
pub struct InvitationDetails {
    /// The invitation.
    pub invitation: Invitation,
    /// The user who sent it.
    pub inviter: User,
    /// The roles that it grants, without deleted ones.
    pub roles: Vec<RoleInfo>,
}

/// Sort key of the list. Each column is indexed with the organization and the id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvitationKey {
    /// Creation time.
    CreatedAt,
    /// Expiry time.
    ExpiresAt,
    /// E-mail address, case-insensitive.
    Email,
}

impl SortKey for InvitationKey {
    type Table = Entity;

    fn column(self) -> Column {
        match self {
            Self::CreatedAt => Column::CreatedAt,
            Self::ExpiresAt => Column::ExpiresAt,
            Self::Email => Column::EmailCanonical,
        }
    }
}

/// Returns one page of the invitations with this `status`. `None` means every status.
///
/// # Errors
/// Any database error.
pub async fn list(
    tx: &OrgTx<InvitationsRead>,
    status: Option<InvitationStatus>,
    request: PageRequest<InvitationKey>,
) -> Result<Page<InvitationDetails>> {
    let now = tx.now();
    let has_status = |status: InvitationStatus| Condition::all().add(Column::Status.eq(status));
    let condition = status.map(|status| match status {
        InvitationStatus::Pending => has_status(status).add(Column::ExpiresAt.gt(now)),
        // The stored status can still be `pending`.
        InvitationStatus::Expired => {
            let overdue = has_status(InvitationStatus::Pending).add(Column::ExpiresAt.lte(now));
            Condition::any().add(has_status(status)).add(overdue)
        }
        status => has_status(status),
    });
    let condition = Condition::all().add_option(condition);
    let page = tx.find::<Entity>().filter(condition).with::<users::Entity>().page(request).await?;
    let mut roles = roles_of(tx, page.data.iter().map(|(invitation, _)| invitation.id)).await?;
    let data = page.data.into_iter().map(|(invitation, inviter)| {
        let roles = roles.remove(&invitation.id).unwrap_or_default();
        InvitationDetails { invitation, inviter, roles: roles.into_iter().map(RoleInfo::from).collect() }
    });
    Ok(Page { data: data.collect(), next: page.next })
}

/// Returns one invitation.
///
/// # Errors
/// `NotFound`, also when it belongs to another organization.
pub async fn get(tx: &OrgTx<InvitationsRead>, id: InvitationId) -> Result<InvitationDetails> {
    let found = tx.find::<Entity>().filter(Column::Id.eq(id)).with::<users::Entity>();
    let (invitation, inviter) = found.one().await?;
    let roles = roles_of(tx, [id]).await?.remove(&id).unwrap_or_default();
    Ok(InvitationDetails { invitation, inviter, roles: roles.into_iter().map(RoleInfo::from).collect() })
}

/// Returns the roles of an invitation with their current permissions, without deleted roles.
pub(crate) async fn grants<P: RequiredPermission>(
    tx: &OrgTx<P>,
    invitation: &Invitation,
) -> Result<Vec<RoleGrants>> {
    let roles = roles_of(tx, [invitation.id]).await?.remove(&invitation.id).unwrap_or_default();
    roles::grants(tx, roles).await
}

#[derive(DerivePartialModel)]
#[sea_orm(entity = "invitation_roles::Entity")]
struct GrantedRole {
    invitation_id: InvitationId,
    #[sea_orm(nested)]
    role: Option<Role>,
}

/// Returns the roles of each of these invitations, without deleted ones.
async fn roles_of<P: RequiredPermission>(
    tx: &OrgTx<P>,
    invitations: impl IntoIterator<Item = InvitationId>,
) -> Result<HashMap<InvitationId, Vec<Role>>> {
    let condition = invitation_roles::Column::InvitationId.is_in(invitations);
    let granted = tx.find::<invitation_roles::Entity>().filter(condition).join::<roles::Entity>();
    let mut roles = HashMap::<_, Vec<_>>::new();
    for GrantedRole { invitation_id, role } in granted.select_as(invitation_roles::Column::Id).await? {
        roles.entry(invitation_id).or_default().extend(role);
    }
    Ok(roles)
}

/// Parses a stored e-mail address, which was valid when it was stored.
pub(crate) fn stored_email(stored: &str) -> Result<EmailAddress> {
    EmailAddress::parse(stored).map_err(|_| Error::Internal("a stored e-mail address is invalid"))
}
