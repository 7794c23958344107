//! Members with their users and roles.

use std::collections::HashMap;

use sea_orm::{ColumnTrait, DerivePartialModel};

use super::{ACTIVE, Entity, Member, REMOVED, RoleInfo, SUSPENDED, entity::Column, member_roles, roles_of};
use crate::{
    Error, Result,
    base::{
        ids::{MemberId, RoleId},
        pagination::{Page, PageRequest, Sort},
        permissions::{MembersRead, RequiredPermission},
        text::SearchTerm,
    },
    identity::users::{self, User},
    storage::db::{OrgTx, SortKey, TenantTable},
    tenancy::roles::{self, RoleRef},
};

/// A member with their user and roles.
#[derive(Clone, Debug)]
pub struct MemberDetails {
    /// The membership.
    pub member: Member,
    /// The user.
    pub user: User,
    /// The roles of the member, in the order in which they were granted.
    pub roles: Vec<RoleInfo>,
}

/// Status of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MembershipState {
    /// The member has the permissions of their roles.
    Active,
    /// The member has no permissions until they are reactivated.
    Suspended,
    /// The user is no longer a member.
    Removed,
}

impl MembershipState {
    /// Returns the spelling in the database and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => ACTIVE,
            Self::Suspended => SUSPENDED,
            Self::Removed => REMOVED,
        }
    }
}

/// A filter for members. `None` means no restriction.
#[derive(Clone, Debug, Default)]
pub struct MemberFilter {
    /// Members with this role.
    pub role: Option<RoleRef>,
    /// Members with this status. `None`: all except removed members.
    pub status: Option<MembershipState>,
    /// Members whose e-mail address, username or name contains the term.
    pub term: Option<SearchTerm>,
}

/// Sort key of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberKey {
    /// When the member joined.
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

/// Returns one page of the members, with two queries.
///
/// # Errors
/// Any database error.
pub async fn list(
    tx: &OrgTx<MembersRead>,
    filter: MemberFilter,
    request: PageRequest<MemberKey>,
) -> Result<Page<MemberDetails>> {
    let status = match filter.status {
        Some(status) => Column::Status.eq(status.as_str()),
        None => Column::Status.ne(REMOVED),
    };
    let mut members = tx.find::<Entity>().filter(status);
    if let Some(role) = filter.role {
        // Nobody has an unknown role.
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
    let page = members.page(request).await?;
    let mut roles = summaries(tx, page.data.iter().map(|(member, _)| member.id)).await?;
    let with_roles = |(member, user): (Member, User)| {
        let roles = roles.remove(&member.id).unwrap_or_default();
        MemberDetails { member, user, roles }
    };
    Ok(Page { data: page.data.into_iter().map(with_roles).collect(), next: page.next })
}

/// The first members, without removed ones, whose e-mail address, username or name contains the term, by the time that they
/// joined.
pub(crate) async fn search<P: RequiredPermission>(
    tx: &OrgTx<P>,
    term: &SearchTerm,
    limit: u64,
) -> Result<Vec<(Member, User)>> {
    let sort = Sort { key: MemberKey::JoinedAt, descending: false };
    let members = tx.find::<Entity>().filter(Column::Status.ne(REMOVED)).with::<users::Entity>();
    let members = members.filter(users::matches_search(term));
    Ok(members.page(PageRequest { sort, limit, after: None }).await?.data)
}

/// Returns one member, also a removed one.
///
/// # Errors
/// `NotFound`, also for a member of another organization.
pub async fn get<P: RequiredPermission>(tx: &OrgTx<P>, id: MemberId) -> Result<MemberDetails> {
    let (member, user) = tx.find::<Entity>().filter(Column::Id.eq(id)).with::<users::Entity>().one().await?;
    let roles = summaries(tx, [id].into_iter()).await?.remove(&id).unwrap_or_default();
    Ok(MemberDetails { member, user, roles })
}

/// Checks that a member exists.
///
/// # Errors
/// `NotFound`, also for a removed member or a member of another organization.
pub async fn exists<P: RequiredPermission>(tx: &OrgTx<P>, id: MemberId) -> Result<()> {
    let member = tx.find::<Entity>().filter(Column::Id.eq(id)).filter(Column::Status.ne(REMOVED));
    match member.exists().await? {
        true => Ok(()),
        false => Err(Error::NotFound(Entity::NAME)),
    }
}

#[derive(DerivePartialModel)]
#[sea_orm(entity = "member_roles::Entity")]
struct HeldRoleInfo {
    member_id: MemberId,
    #[sea_orm(nested)]
    role: Option<RoleInfo>,
}

/// Returns the roles of each of these members, without deleted ones.
async fn summaries<P: RequiredPermission>(
    tx: &OrgTx<P>,
    members: impl Iterator<Item = MemberId>,
) -> Result<HashMap<MemberId, Vec<RoleInfo>>> {
    let mut roles = HashMap::<_, Vec<_>>::new();
    for HeldRoleInfo { member_id, role } in roles_of(tx, members).await? {
        roles.entry(member_id).or_default().extend(role);
    }
    Ok(roles)
}

/// Returns the ids of these roles.
pub(super) fn ids(roles: &[RoleInfo]) -> Vec<RoleId> {
    roles.iter().map(|role| role.id).collect()
}
