//! `/organizations/{org}/members`: who belongs to an organization, and what each may do there.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use insula_core::{
    base::{
        error::FieldErrors,
        ids::MemberId,
        pagination::Sort,
        permissions::{
            Authorized, MembersRead, MembersRemove, MembersUpdate, Membership, RequiredPermission, RoleGrants,
        },
        text,
    },
    tenancy::{
        members::{self, MemberChanges, MemberFilter, MemberKey, Status},
        roles::RoleRef,
    },
    work::offboarding,
};
use poem::Request;
use poem_openapi::{
    Enum, Object, OpenApi,
    param::{Header, Path, Query},
};
use serde::Serialize;
use uuid::Uuid;

use super::Tag;
use crate::{
    auth::tenant,
    body::MergePatch,
    http::{
        Cursor, Description, DisplayName, Email, Id, IfMatch, IfNoneMatch, JsonResponse, Limit, ListRequest,
        MemberTag, Name, NoContent, OrDryRun, PageResponse, Permission, RoleKey, RoleName, SearchTerm,
        WithEtag,
    },
    problem::{Problem, Result, WithConflict},
    state::State,
};

pub struct MembersApi(pub Arc<State>);

/// A role that a member holds.
#[derive(Object, Serialize)]
pub(super) struct RoleSummary {
    /// The role.
    id: Uuid,
    /// Its stable name, for programs.
    key: RoleKey,
    /// Its name, for people.
    name: Name,
}

/// Who a member is.
#[derive(Object, Serialize)]
struct UserSummary {
    /// The person.
    id: Uuid,
    /// His address.
    email: Email,
    /// What he is called by others.
    display_name: DisplayName,
}

/// A person's belonging to one organization.
#[derive(Object, Serialize)]
struct Member {
    /// The membership.
    id: Uuid,
    /// Who it is.
    user: UserSummary,
    /// The roles he holds.
    roles: Vec<RoleSummary>,
    /// Can he do anything here?
    status: MemberStatus,
    /// Since when he belongs to it.
    joined_at: DateTime<Utc>,
    /// Since when he does no more.
    #[oai(nullable)]
    removed_at: Option<DateTime<Utc>>,
}

/// Can a member do anything?
#[derive(Clone, Copy, Debug, Enum, Serialize)]
#[oai(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
enum MemberStatus {
    /// What his roles allow.
    Active,
    /// Nothing, until he is brought back.
    Suspended,
    /// He belongs to it no more.
    Removed,
}

/// What a member can be made.
#[derive(Clone, Copy, Debug, Enum)]
#[oai(rename_all = "snake_case")]
enum NewMemberStatus {
    /// He may do what his roles allow.
    Active,
    /// He may do nothing, until he is brought back.
    Suspended,
}

/// What is to change: absent is unchanged.
#[derive(Object)]
struct MemberUpdate {
    /// Can he do anything here?
    status: Option<NewMemberStatus>,
    /// All the roles that he is to hold, by keys or ids. Needs `roles:assign`.
    #[oai(validator(max_items = 50))]
    roles: Option<Vec<RoleName>>,
}

/// What the list is ordered by; `-`: from the last to the first.
#[derive(Clone, Copy, Debug, Enum)]
enum MemberSort {
    #[oai(rename = "joined_at")]
    JoinedAt,
    #[oai(rename = "-joined_at")]
    JoinedAtDescending,
}

/// A permission that a member holds.
#[derive(Object, Serialize)]
struct GrantedPermission {
    /// The permission: `resource:action`.
    permission: Permission,
    /// What it allows, for people.
    description: Description,
    /// The keys of the roles it comes from.
    roles: Vec<RoleKey>,
}

/// What a member may do in an organization, and why.
#[derive(Object, Serialize)]
struct EffectivePermissions {
    /// The membership.
    member_id: Uuid,
    /// The roles he holds.
    roles: Vec<RoleSummary>,
    /// What they allow together.
    permissions: Vec<GrantedPermission>,
}

#[OpenApi(tag = "Tag::Members")]
impl MembersApi {
    /// List the members
    ///
    /// Those who were removed are listed for `status=removed` alone.
    #[oai(path = "/organizations/:org/members", method = "get", operation_id = "listMembers")]
    #[expect(clippy::too_many_arguments, reason = "one for each parameter")]
    async fn list(
        &self,
        request: &Request,
        org: tenant::Path<MembersRead>,
        limit: Query<Option<Limit>>,
        cursor: Query<Option<Cursor>>,
        sort: Query<Option<MemberSort>>,
        /// Only those who hold this role, by its key or its id.
        role: Query<Option<RoleName>>,
        /// Only those with this status.
        status: Query<Option<MemberStatus>>,
        /// Only those whose address or username contains this, without regard to case.
        q: Query<Option<SearchTerm>>,
    ) -> Result<PageResponse<Member>> {
        let mut fields = FieldErrors::default();
        let term = fields.parse_optional("q", q.0.map(|term| text::SearchTerm::parse(&term.0)));
        fields.into_result()?;
        let role = role.0.map(|role| RoleRef::parse(&role.0));
        let filter = MemberFilter { role, status: status.0.map(Status::from), term };
        let sort = sort.0.unwrap_or(MemberSort::JoinedAt).into();
        let list = format!("listMembers {} {sort:?} {filter:?}", org.0.org());
        let paging = ListRequest::new(&self.0.cursors, request, list, (limit.0, sort, cursor.0))?;
        let tx = self.0.db.begin(org.0).await?;
        let page = members::list(&tx, filter, paging.listing.clone()).await?;
        Ok(paging.reply(page, Member::from))
    }

    /// Look at a member
    #[oai(path = "/organizations/:org/members/:member", method = "get", operation_id = "getMember")]
    async fn get(
        &self,
        org: tenant::Path<MembersRead>,
        member: Path<Id>,
        #[oai(name = "If-None-Match")] known: Header<Option<IfNoneMatch>>,
    ) -> Result<WithEtag<Member, MemberTag>> {
        let tx = self.0.db.begin(org.0).await?;
        let member = members::get(&tx, MemberId(member.0.0)).await?;
        Ok(WithEtag::new(tag(&member), known.0, || member.into()))
    }

    /// Change a member
    ///
    /// Suspends him, which stops his timer, brings him back, gives him other roles. Only an owner makes, changes or suspends owners, and only with
    /// a recent log-in; and nobody gives what he does not hold himself.
    #[oai(path = "/organizations/:org/members/:member", method = "patch", operation_id = "updateMember")]
    async fn change(
        &self,
        org: tenant::Path<MembersUpdate>,
        member: Path<Id>,
        #[oai(name = "If-Match")] expected: Header<Option<IfMatch>>,
        /// Only tell who would gain and who would lose what.
        dry_run: Query<Option<bool>>,
        patch: MergePatch<MemberUpdate>,
    ) -> Result<OrDryRun<WithEtag<Member, MemberTag>>> {
        let id = MemberId(member.0.0);
        let changes = match patch.body() {
            Ok(patch) => MemberChanges::from(patch),
            Err(refused) => return Err(self.refuse(org.0, id, refused).await),
        };
        let expected = IfMatch::expected_member(expected.0);
        let tx = self.0.db.begin(org.0).await?;
        if dry_run.0 == Some(true) {
            return Ok(OrDryRun::tried(members::try_change(&tx, id, changes, &expected).await?));
        }
        let member = offboarding::change(&tx, id, changes, &expected).await?;
        tx.commit().await?;
        Ok(OrDryRun::Done(WithEtag::Present(tag(&member), member.into())))
    }

    /// Remove a member
    ///
    /// What he did stays, and he can be invited again. He is out at once.
    #[oai(path = "/organizations/:org/members/:member", method = "delete", operation_id = "removeMember")]
    async fn remove(
        &self,
        org: tenant::Path<MembersRemove>,
        member: Path<Id>,
        #[oai(name = "If-Match")] expected: Header<Option<IfMatch>>,
    ) -> Result<NoContent> {
        let tx = self.0.db.begin(org.0).await?;
        let expected = IfMatch::expected_member(expected.0);
        offboarding::remove(&tx, MemberId(member.0.0), &expected).await?;
        tx.commit().await?;
        Ok(NoContent)
    }

    /// Look at what a member may do
    #[oai(
        path = "/organizations/:org/members/:member/permissions",
        method = "get",
        operation_id = "getMemberPermissions"
    )]
    async fn permissions(
        &self,
        org: tenant::Path<MembersRead>,
        member: Path<Id>,
    ) -> Result<JsonResponse<EffectivePermissions>> {
        let tx = self.0.db.begin(org.0).await?;
        Ok(JsonResponse(members::permissions(&tx, MemberId(member.0.0)).await?.into()))
    }

    /// Look at what I may do
    #[oai(path = "/organizations/:org/me/permissions", method = "get", operation_id = "getMyPermissions")]
    async fn my_permissions(
        &self,
        org: tenant::Path<Membership>,
    ) -> Result<JsonResponse<EffectivePermissions>, WithConflict> {
        let tx = self.0.db.begin(org.0).await?;
        Ok(JsonResponse(members::my_permissions(&tx).await?.into()))
    }
}

impl MembersApi {
    /// The refusal of a body, where there is such a member; otherwise there was nothing to change.
    async fn refuse<P: RequiredPermission>(
        &self,
        org: Authorized<P>,
        member: MemberId,
        refused: Problem,
    ) -> Problem {
        let found = async { members::exists(&self.0.db.begin(org).await?, member).await };
        found.await.map_or_else(Problem::from, |()| refused)
    }
}

fn tag(listed: &members::MemberDetails) -> MemberTag {
    MemberTag(listed.member.version, listed.user.version)
}

impl From<MemberStatus> for Status {
    fn from(status: MemberStatus) -> Self {
        match status {
            MemberStatus::Active => Self::Active,
            MemberStatus::Suspended => Self::Suspended,
            MemberStatus::Removed => Self::Removed,
        }
    }
}

impl From<MemberUpdate> for MemberChanges {
    fn from(patch: MemberUpdate) -> Self {
        let roles = patch.roles.map(|roles| roles.iter().map(|role| RoleRef::parse(&role.0)).collect());
        let is_suspended = patch.status.map(|status| matches!(status, NewMemberStatus::Suspended));
        Self { is_suspended, roles }
    }
}

impl From<MemberSort> for Sort<MemberKey> {
    fn from(sort: MemberSort) -> Self {
        Self { key: MemberKey::JoinedAt, descending: matches!(sort, MemberSort::JoinedAtDescending) }
    }
}

impl From<members::MemberDetails> for Member {
    fn from(listed: members::MemberDetails) -> Self {
        let members::MemberDetails { member, user, roles } = listed;
        let status = match () {
            () if member.status == Status::Active.as_str() => MemberStatus::Active,
            () if member.status == Status::Suspended.as_str() => MemberStatus::Suspended,
            () => MemberStatus::Removed,
        };
        let display_name = DisplayName(user.display_name());
        Self {
            id: member.id.0,
            user: UserSummary { id: user.id.0, email: Email(user.email), display_name },
            roles: roles.into_iter().map(RoleSummary::from).collect(),
            status,
            joined_at: member.joined_at,
            removed_at: member.removed_at,
        }
    }
}

impl From<members::EffectivePermissions> for EffectivePermissions {
    fn from(effective: members::EffectivePermissions) -> Self {
        let permissions = effective.permissions().into_iter().map(|(permission, roles)| GrantedPermission {
            permission: Permission(permission.to_string()),
            description: Description(permission.about().to_owned()),
            roles: roles.into_iter().map(|key| RoleKey(key.to_owned())).collect(),
        });
        let permissions = permissions.collect();
        let roles = effective.roles.into_iter().map(RoleSummary::from).collect();
        Self { member_id: effective.member.0, roles, permissions }
    }
}

impl From<RoleGrants> for RoleSummary {
    fn from(role: RoleGrants) -> Self {
        Self { id: role.id.0, key: RoleKey(role.key), name: Name(role.name) }
    }
}

impl From<members::RoleSummary> for RoleSummary {
    fn from(role: members::RoleSummary) -> Self {
        Self { id: role.id.0, key: RoleKey(role.key), name: Name(role.name) }
    }
}
