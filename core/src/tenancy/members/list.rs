//! Members as others see them: with their person and their roles.

use std::collections::HashMap;

use sea_orm::ColumnTrait;

use super::{
    ACTIVE, Entity, Held, Member, REMOVED, RoleSummary, SUSPENDED, entity::Column, member_roles, roles_of,
};
use crate::{
    Error, Result,
    base::{
        ids::{MemberId, RoleId},
        pagination::{Page, PageRequest},
        permissions::{MembersRead, RequiredPermission},
        text::SearchTerm,
    },
    identity::users::{self, User},
    storage::db::{OrgTx, SortKey, TenantTable},
    tenancy::roles::{self, RoleRef},
};

/// A member, and what is shown with him.
#[derive(Clone, Debug)]
pub struct MemberDetails {
    /// The membership.
    pub member: Member,
    /// Who it is.
    pub user: User,
    /// The roles he holds, in the order in which he got them.
    pub roles: Vec<RoleSummary>,
}

/// What may become of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// He may do what his roles allow.
    Active,
    /// He may do nothing until he is brought back.
    Suspended,
    /// He belongs to it no more.
    Removed,
}

impl Status {
    /// As it is stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => ACTIVE,
            Self::Suspended => SUSPENDED,
            Self::Removed => REMOVED,
        }
    }
}

/// Which members are wanted; `None` asks for all.
#[derive(Clone, Debug, Default)]
pub struct MemberFilter {
    /// Those who hold this role.
    pub role: Option<RoleRef>,
    /// `None`: all but those who were removed.
    pub status: Option<Status>,
    /// Those whose address or username contains this.
    pub term: Option<SearchTerm>,
}

/// What the list can be ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberKey {
    /// Since when.
    JoinedAt,
}

impl SortKey for MemberKey {
    type Table = Entity;

    fn column(self) -> Column {
        match self {
            Self::JoinedAt => Column::JoinedAt,
        }
    }
}

/// One page of the members, by two queries.
///
/// # Errors
/// Whatever the database refuses.
pub async fn list(
    tx: &OrgTx<MembersRead>,
    filter: MemberFilter,
    listing: PageRequest<MemberKey>,
) -> Result<Page<MemberDetails>> {
    let status = match filter.status {
        Some(status) => Column::Status.eq(status.as_str()),
        None => Column::Status.ne(REMOVED),
    };
    let mut members = tx.find::<Entity>().filter(status);
    if let Some(role) = filter.role {
        // A role that is not there is held by nobody.
        let Some(role) = roles::find(tx, &role).await? else {
            return Ok(Page { data: Vec::new(), next: None });
        };
        let held = member_roles::Column::RoleId.eq(role.id);
        members = members.where_in::<member_roles::Entity>(Column::Id, member_roles::Column::MemberId, held);
    }
    let mut members = members.with::<users::Entity>();
    if let Some(term) = &filter.term {
        members = members.filter(users::matches_search(term));
    }
    let page = members.page(listing).await?;
    let mut roles = summaries(tx, page.data.iter().map(|(member, _)| member.id)).await?;
    let listed = |(member, user): (Member, User)| {
        let roles = roles.remove(&member.id).unwrap_or_default();
        MemberDetails { member, user, roles }
    };
    Ok(Page { data: page.data.into_iter().map(listed).collect(), next: page.next })
}

/// One member, also one who was removed.
///
/// # Errors
/// `NotFound`, also when he is another organization's.
pub async fn get<P: RequiredPermission>(tx: &OrgTx<P>, id: MemberId) -> Result<MemberDetails> {
    let (member, user) = tx.find::<Entity>().filter(Column::Id.eq(id)).with::<users::Entity>().one().await?;
    let roles = summaries(tx, [id].into_iter()).await?.remove(&id).unwrap_or_default();
    Ok(MemberDetails { member, user, roles })
}

/// Whether there is such a member, for whoever may do anything to him.
///
/// # Errors
/// `NotFound`, also when he is another organization's, or was removed.
pub async fn exists<P: RequiredPermission>(tx: &OrgTx<P>, id: MemberId) -> Result<()> {
    let member = tx.find::<Entity>().filter(Column::Id.eq(id)).filter(Column::Status.ne(REMOVED));
    match member.exists().await? {
        true => Ok(()),
        false => Err(Error::NotFound(Entity::NAME)),
    }
}

/// The roles of each of these members, as they are shown.
async fn summaries<P: RequiredPermission>(
    tx: &OrgTx<P>,
    members: impl Iterator<Item = MemberId>,
) -> Result<HashMap<MemberId, Vec<RoleSummary>>> {
    let mut roles = HashMap::<_, Vec<_>>::new();
    for Held { member_id, role } in roles_of(tx, members).await? {
        roles.entry(member_id).or_default().extend(role.map(RoleSummary::from));
    }
    Ok(roles)
}

/// The roles of a member by their ids.
pub(super) fn ids(roles: &[RoleSummary]) -> Vec<RoleId> {
    roles.iter().map(|role| role.id).collect()
}
