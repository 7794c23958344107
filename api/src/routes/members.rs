//! `/organizations/{org}/members`: members of an organization, their roles and permissions.

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

/// A role of a member, in short.
#[derive(Object, Serialize)]
pub(super) struct RoleSummary {
    /// Unique id of the role.
    id: Uuid,
    /// Stable key of the role, for programs.
    key: RoleKey,
    /// Name of the role, for display.
    name: Name,
}

/// The user of a membership.
#[derive(Object, Serialize)]
struct UserSummary {
    /// Unique id of the user.
    id: Uuid,
    /// E-mail address of the user.
    email: Email,
    /// Name of the user, as shown to others.
    display_name: DisplayName,
}

/// A user as a member of one organization.
#[derive(Object, Serialize)]
struct Member {
    /// Unique id of the member. It differs from the id of the user.
    id: Uuid,
    /// The user who is the member.
    user: UserSummary,
    /// Roles of the member in the organization.
    roles: Vec<RoleSummary>,
    /// Status of the member.
    status: MemberStatus,
    /// When the member joined the organization.
    joined_at: DateTime<Utc>,
    /// When the member was removed or left; `null` for other members.
    #[oai(nullable)]
    removed_at: Option<DateTime<Utc>>,
}

/// Status of a member.
#[derive(Clone, Copy, Debug, Enum, Serialize)]
#[oai(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
enum MemberStatus {
    /// The member can do what their roles allow.
    Active,
    /// The member cannot do anything until they are reactivated.
    Suspended,
    /// The member was removed from the organization or left it.
    Removed,
}

/// Status that a member can be given.
#[derive(Clone, Copy, Debug, Enum)]
#[oai(rename_all = "snake_case")]
enum NewMemberStatus {
    /// The member can do what their roles allow.
    Active,
    /// The member cannot do anything until they are reactivated.
    Suspended,
}

/// Changes to a member. Absent fields stay unchanged.
#[derive(Object)]
struct MemberUpdate {
    /// New status: `suspended` suspends the member, `active` reactivates them.
    status: Option<NewMemberStatus>,
    /// All roles of the member, by keys or ids; replaces the current roles. Needs `roles:assign`.
    #[oai(validator(max_items = 50))]
    roles: Option<Vec<RoleName>>,
}

/// Sort order. `-` means descending.
#[derive(Clone, Copy, Debug, Enum)]
enum MemberSort {
    #[oai(rename = "joined_at")]
    JoinedAt,
    #[oai(rename = "-joined_at")]
    JoinedAtDescending,
}

/// A permission of a member, and where it comes from.
#[derive(Object, Serialize)]
struct GrantedPermission {
    /// The permission, as `resource:action`.
    permission: Permission,
    /// What the permission allows, for display.
    description: Description,
    /// Keys of the member's roles that include the permission.
    roles: Vec<RoleKey>,
}

/// All permissions of a member in an organization, and the roles that they come from.
#[derive(Object, Serialize)]
struct EffectivePermissions {
    /// Id of the member.
    member_id: Uuid,
    /// Roles of the member.
    roles: Vec<RoleSummary>,
    /// All permissions that the roles include together.
    permissions: Vec<GrantedPermission>,
}

#[OpenApi(tag = "Tag::Members")]
impl MembersApi {
    /// List members
    ///
    /// Returns active and suspended members. Removed members are returned only with `status=removed`.
    #[oai(path = "/organizations/:org/members", method = "get", operation_id = "listMembers")]
    #[expect(clippy::too_many_arguments, reason = "one for each parameter")]
    async fn list(
        &self,
        request: &Request,
        org: tenant::Path<MembersRead>,
        /// Maximum number of items per page.
        limit: Query<Option<Limit>>,
        /// `next_cursor` of the previous page. Without it, the first page is returned.
        cursor: Query<Option<Cursor>>,
        /// Sort order of the list. The default is `joined_at`.
        sort: Query<Option<MemberSort>>,
        /// Only members with this role, by key or id.
        role: Query<Option<RoleName>>,
        /// Only members with this status.
        status: Query<Option<MemberStatus>>,
        /// Only members whose e-mail address or username contains this text, without regard to case.
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

    /// Get a member
    ///
    /// Returns one member with their user and roles. Removed members are returned too.
    #[oai(path = "/organizations/:org/members/:member", method = "get", operation_id = "getMember")]
    async fn get(
        &self,
        org: tenant::Path<MembersRead>,
        /// Id of the member.
        member: Path<Id>,
        /// `ETag` of the version that you have. The response is 304 if it is still current.
        #[oai(name = "If-None-Match")]
        known: Header<Option<IfNoneMatch>>,
    ) -> Result<WithEtag<Member, MemberTag>> {
        let tx = self.0.db.begin(org.0).await?;
        let member = members::get(&tx, MemberId(member.0.0)).await?;
        Ok(WithEtag::new(tag(&member), known.0, || member.into()))
    }

    /// Update a member
    ///
    /// Suspends or reactivates a member, or replaces their roles. Suspending stops a running timer. Only an
    /// owner can make, change or suspend an owner; this requires a login or re-authentication within the last
    /// 10 minutes (by default). You cannot grant permissions that you do not have (`ESCALATION`), and the
    /// last owner cannot be suspended or lose the role (`LAST_OWNER`).
    #[oai(path = "/organizations/:org/members/:member", method = "patch", operation_id = "updateMember")]
    async fn change(
        &self,
        org: tenant::Path<MembersUpdate>,
        /// Id of the member.
        member: Path<Id>,
        /// `ETag` of the version that you read. The request fails with 412 if it has changed since.
        #[oai(name = "If-Match")]
        expected: Header<Option<IfMatch>>,
        /// If `true`, nothing is changed. The response shows who would gain or lose which permissions.
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
    /// The member loses access at once. Their work stays, and they can be invited again. Only an owner can
    /// remove an owner; this requires a login or re-authentication within the last 10 minutes (by default). The
    /// last owner cannot be removed (`LAST_OWNER`).
    #[oai(path = "/organizations/:org/members/:member", method = "delete", operation_id = "removeMember")]
    async fn remove(
        &self,
        org: tenant::Path<MembersRemove>,
        /// Id of the member.
        member: Path<Id>,
        /// `ETag` of the version that you read. The request fails with 412 if it has changed since.
        #[oai(name = "If-Match")]
        expected: Header<Option<IfMatch>>,
    ) -> Result<NoContent> {
        let tx = self.0.db.begin(org.0).await?;
        let expected = IfMatch::expected_member(expected.0);
        offboarding::remove(&tx, MemberId(member.0.0), &expected).await?;
        tx.commit().await?;
        Ok(NoContent)
    }

    /// List a member's permissions
    ///
    /// Returns the permissions that the member's roles include together, with the roles that each comes from.
    #[oai(
        path = "/organizations/:org/members/:member/permissions",
        method = "get",
        operation_id = "getMemberPermissions"
    )]
    async fn permissions(
        &self,
        org: tenant::Path<MembersRead>,
        /// Id of the member.
        member: Path<Id>,
    ) -> Result<JsonResponse<EffectivePermissions>> {
        let tx = self.0.db.begin(org.0).await?;
        Ok(JsonResponse(members::permissions(&tx, MemberId(member.0.0)).await?.into()))
    }

    /// List your permissions in an organization
    ///
    /// Returns the permissions that your roles include together, with the roles that each comes from.
    /// Superusers who are not members get 409 `NOT_A_MEMBER`.
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
    /// The refusal of an invalid body if the member exists; otherwise the refusal because
    /// there is no such member.
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
