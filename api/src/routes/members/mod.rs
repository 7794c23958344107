//! `/organizations/{org}/members`: members of an organization, their roles and permissions.

mod schema;

use std::sync::Arc;

use insula_core::{
    base::{
        ids::MemberId,
        permissions::{MembersRead, MembersRemove, MembersUpdate, Membership},
    },
    tenancy::{
        members::{self, MemberChanges, MemberFilter, MemberKey, MembershipState},
        roles::RoleRef,
    },
    work::offboarding,
};
use poem::Request;
use poem_openapi::{
    OpenApi,
    param::{Header, Path, Query},
};

use super::Tag;
use crate::{
    auth::tenant,
    body::{MergePatch, missing_first},
    http::{
        Cursor, Id, IfMatch, IfNoneMatch, JsonResponse, Limit, ListRequest, MemberTag, NoContent, OrDryRun,
        PageResponse, RoleName, SearchTerm, WithEtag,
    },
    problem::{Result, WithConflict},
    state::AppState,
};

pub(super) use schema::RoleSummary;
use schema::{EffectivePermissions, Member, MemberSort, MemberStatus, MemberUpdate};

pub struct MembersApi(pub Arc<AppState>);

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
        /// Only members whose e-mail address, username, first or last name contains this text, without regard to
        /// case and accents.
        q: Query<Option<SearchTerm>>,
    ) -> Result<PageResponse<Member>> {
        let term = q.0.map(SearchTerm::parse).transpose()?;
        let role = role.0.map(|role| RoleRef::parse(&role.0));
        let filter = MemberFilter { role, status: status.0.map(MembershipState::from), term };
        let sort = sort.0.unwrap_or(MemberSort::ascending(MemberKey::JoinedAt));
        let paging =
            ListRequest::new(&self.0.cursors, request, (org.0.org(), &filter), (limit.0, sort, cursor.0))?;
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
    /// 10 minutes (by default), except for a dry run. You cannot grant permissions that you do not have
    /// (`ESCALATION`), and the last owner cannot be suspended or lose the role (`LAST_OWNER`).
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
        let expected = IfMatch::expected_member(expected.0);
        let is_dry_run = dry_run.0 == Some(true);
        let tx = self.0.db.begin(org.0.for_dry_run(is_dry_run)).await?;
        let changes = missing_first(patch.body(), members::exists(&tx, id)).await?;
        let changes = MemberChanges::from(changes);
        if is_dry_run {
            return Ok(OrDryRun::tried(members::try_update(&tx, id, changes, &expected).await?));
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
        Ok(JsonResponse(members::my_permissions(&org.0)?.into()))
    }
}

fn tag(listed: &members::MemberDetails) -> MemberTag {
    MemberTag(listed.member.version, listed.user.version)
}
