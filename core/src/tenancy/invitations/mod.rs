//! Invitations: a mailed token takes whoever has the mailbox into an organization, with the roles that were given.
//!
//! Here is what the organization does with them. What the invited see is in `seen`; what accepting changes spans people and
//! organizations, and is in `accounts`.

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
pub(crate) use erasure::{erase, inviting};
pub use expiry::expire_overdue;
pub(crate) use recipient::companions;
pub use recipient::{InvitationView, InvitedAccount, list_for_recipient, open};
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
        members::RoleSummary,
        roles::{self, Role},
    },
};

/// Whom to invite, and to what.
#[derive(Clone, Debug)]
pub struct NewInvitation {
    /// Whose mailbox.
    pub email: EmailAddress,
    /// The roles to give, each by its key or its id; none makes a member who may do nothing yet.
    pub roles: Vec<String>,
}

/// An invitation as it is shown.
#[derive(Clone, Debug)]
pub struct InvitationDetails {
    /// The invitation.
    pub invitation: Invitation,
    /// Who invites.
    pub inviter: User,
    /// The living roles that it gives.
    pub roles: Vec<RoleSummary>,
}

/// What the list can be ordered by. Each column is indexed with the organization and the id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvitationKey {
    /// When it was made.
    CreatedAt,
    /// Until when it is good.
    ExpiresAt,
    /// Whose mailbox, without regard to case.
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

/// One page of the invitations, of those that stand at `status`.
///
/// # Errors
/// Whatever the database refuses.
pub async fn list(
    tx: &OrgTx<InvitationsRead>,
    status: Option<InvitationStatus>,
    listing: PageRequest<InvitationKey>,
) -> Result<Page<InvitationDetails>> {
    let now = tx.now();
    let is = |status: InvitationStatus| Condition::all().add(Column::Status.eq(status));
    let standing = status.map(|status| match status {
        InvitationStatus::Pending => is(status).add(Column::ExpiresAt.gt(now)),
        // Written down or not.
        InvitationStatus::Expired => {
            let overdue = is(InvitationStatus::Pending).add(Column::ExpiresAt.lte(now));
            Condition::any().add(is(status)).add(overdue)
        }
        status => is(status),
    });
    let standing = Condition::all().add_option(standing);
    let page = tx.find::<Entity>().filter(standing).with::<users::Entity>().page(listing).await?;
    let mut roles = roles_of(tx, page.data.iter().map(|(invitation, _)| invitation.id)).await?;
    let data = page.data.into_iter().map(|(invitation, inviter)| {
        let roles = roles.remove(&invitation.id).unwrap_or_default();
        InvitationDetails { invitation, inviter, roles: roles.into_iter().map(RoleSummary::from).collect() }
    });
    Ok(Page { data: data.collect(), next: page.next })
}

/// One invitation.
///
/// # Errors
/// `NotFound`, also when it is another organization's.
pub async fn get(tx: &OrgTx<InvitationsRead>, id: InvitationId) -> Result<InvitationDetails> {
    let found = tx.find::<Entity>().filter(Column::Id.eq(id)).with::<users::Entity>();
    let (invitation, inviter) = found.one().await?;
    let roles = roles_of(tx, [id]).await?.remove(&id).unwrap_or_default();
    Ok(InvitationDetails { invitation, inviter, roles: roles.into_iter().map(RoleSummary::from).collect() })
}

/// What the living roles of an invitation allow now.
pub(crate) async fn grants<P: RequiredPermission>(
    tx: &OrgTx<P>,
    invitation: &Invitation,
) -> Result<Vec<RoleGrants>> {
    let roles = roles_of(tx, [invitation.id]).await?.remove(&invitation.id).unwrap_or_default();
    roles::grants(tx, roles).await
}

#[derive(DerivePartialModel)]
#[sea_orm(entity = "invitation_roles::Entity")]
struct Given {
    invitation_id: InvitationId,
    #[sea_orm(nested)]
    role: Option<Role>,
}

/// The living roles of each of these invitations.
async fn roles_of<P: RequiredPermission>(
    tx: &OrgTx<P>,
    invitations: impl IntoIterator<Item = InvitationId>,
) -> Result<HashMap<InvitationId, Vec<Role>>> {
    let of_these = invitation_roles::Column::InvitationId.is_in(invitations);
    let given = tx.find::<invitation_roles::Entity>().filter(of_these).join::<roles::Entity>();
    let mut roles = HashMap::<_, Vec<_>>::new();
    for Given { invitation_id, role } in given.select_as(invitation_roles::Column::Id).await? {
        roles.entry(invitation_id).or_default().extend(role);
    }
    Ok(roles)
}

/// An address that was sound when it was stored.
pub(crate) fn address(stored: &str) -> Result<EmailAddress> {
    EmailAddress::parse(stored).map_err(|_| Error::Broken("a stored e-mail address is invalid"))
}
