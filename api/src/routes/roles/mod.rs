//! `/organizations/{org}/roles`: roles of an organization and the permissions that they include.

pub(crate) mod permissions;
mod schema;

use std::sync::Arc;

use insula_core::{
    base::{
        ids::RoleId,
        permissions::{RolesCreate, RolesDelete, RolesRead, RolesUpdate},
    },
    storage::idempotency::IdempotentBegin,
    tenancy::{
        invitations, members,
        roles::{self, NewRole, RoleChanges, RoleKey, RoleRef},
    },
};
use poem::Request;
use poem_openapi::{
    OpenApi,
    param::{Header, Path, Query},
};

use super::Tag;
use crate::{
    auth::tenant,
    body::{MergePatch, Replacement, StrictJson},
    http::{
        CreatedResponse, Cursor, EntityTag, Id, IdempotencyKey, IfMatch, IfNoneMatch, Limit, ListRequest,
        NoContent, OrDryRun, PageResponse, RoleName, SearchTerm, WithEtag,
    },
    problem::{ProblemWith, Result},
    state::AppState,
};

use schema::{Role, RoleCreate, RolePermissions, RoleSort, RoleUpdate, set};

pub struct RolesApi(pub Arc<AppState>);

/// Updates of roles require `If-Match`, because others may assign the role at the same time.
type Conditional = ProblemWith<428>;

#[OpenApi(tag = "Tag::Roles")]
impl RolesApi {
    /// List roles
    ///
    /// Returns the built-in and custom roles of the organization. In the default order, the
    /// built-in roles come first.
    #[oai(path = "/organizations/:org/roles", method = "get", operation_id = "listRoles")]
    async fn list(
        &self,
        request: &Request,
        org: tenant::Path<RolesRead>,
        /// Maximum number of items per page.
        limit: Query<Option<Limit>>,
        /// `next_cursor` of the previous page. Without it, the first page is returned.
        cursor: Query<Option<Cursor>>,
        /// Sort order of the list. The default is `created_at`.
        sort: Query<Option<RoleSort>>,
        /// Only roles whose key or name contains this text, without regard to case and accents.
        q: Query<Option<SearchTerm>>,
    ) -> Result<PageResponse<Role>> {
        let term = q.0.map(SearchTerm::parse).transpose()?;
        let sort = sort.0.unwrap_or(RoleSort::ascending(RoleKey::CreatedAt));
        let paging =
            ListRequest::new(&self.0.cursors, request, (org.0.org(), &term), (limit.0, sort, cursor.0))?;
        let tx = self.0.db.begin(org.0).await?;
        let page = roles::list(&tx, term, paging.listing.clone()).await?;
        let ids = page.data.iter().map(|listed| listed.role.id).collect();
        let counts = members::count_by_role(&tx, ids).await?;
        Ok(paging.reply(page, |listed| {
            let members_count = Some(counts.get(&listed.role.id).copied().unwrap_or_default());
            Role { members_count, ..listed.into() }
        }))
    }

    /// Create a role
    ///
    /// Creates a custom role. You cannot include permissions that you do not have (`ESCALATION`). The name
    /// must not be taken in the organization (`ROLE_NAME_TAKEN`).
    #[oai(path = "/organizations/:org/roles", method = "post", operation_id = "createRole")]
    async fn create(
        &self,
        org: tenant::Path<RolesCreate>,
        #[oai(name = "Idempotency-Key")] key: IdempotencyKey,
        draft: StrictJson<RoleCreate>,
    ) -> Result<CreatedResponse<Role>> {
        let once = key.once(org.0.origin(), &draft);
        let new = NewRole::try_from(draft.value)?;
        let tx = match self.0.db.begin_idempotent(org.0, once).await? {
            IdempotentBegin::Replay(answer) => return Ok(CreatedResponse::again(answer)),
            IdempotentBegin::Fresh(tx) => tx,
        };
        let made = roles::create(&tx, new).await?;
        let location = format!("/api/v1/organizations/{}/roles/{}", made.role.organization_id, made.role.id);
        let answer = CreatedResponse::created(location, EntityTag(made.role.version), &Role::from(made))?;
        tx.commit_with(answer.stored()).await?;
        Ok(answer)
    }

    /// Get a role
    ///
    /// Returns one role with its permissions.
    #[oai(path = "/organizations/:org/roles/:role", method = "get", operation_id = "getRole")]
    async fn get(
        &self,
        org: tenant::Path<RolesRead>,
        /// Unique id of the role.
        role: Path<Id>,
        /// `ETag` of the version that you have. The response is 304 if it is still current.
        #[oai(name = "If-None-Match")]
        known: Header<Option<IfNoneMatch>>,
    ) -> Result<WithEtag<Role>> {
        let tx = self.0.db.begin(org.0).await?;
        let found = roles::get(&tx, RoleId(role.0.0)).await?;
        Ok(WithEtag::new(EntityTag(found.role.version), known.0, || found.into()))
    }

    /// Update a role
    ///
    /// Changes the name or description of a custom role. Its key stays the same. `If-Match` is required.
    /// Built-in roles cannot be changed (`ROLE_BUILTIN`).
    #[oai(path = "/organizations/:org/roles/:role", method = "patch", operation_id = "updateRole")]
    async fn change(
        &self,
        org: tenant::Path<RolesUpdate>,
        /// Unique id of the role.
        role: Path<Id>,
        /// `ETag` of the version that you read. The request fails with 412 if it has changed since.
        #[oai(name = "If-Match")]
        expected: Header<Option<IfMatch>>,
        patch: MergePatch<RoleUpdate>,
    ) -> Result<WithEtag<Role>, Conditional> {
        let (id, changes) = (RoleId(role.0.0), patch.changes::<RoleChanges>());
        let tx = self.0.db.begin(org.0).await?;
        roles::exists(&tx, id).await?;
        let changed = roles::update(&tx, id, changes?, &IfMatch::required(expected.0)?).await?;
        tx.commit().await?;
        Ok(WithEtag::Present(EntityTag(changed.role.version), changed.into()))
    }

    /// Replace a role's permissions
    ///
    /// Replaces all permissions of a custom role. The change takes effect with the next request of its
    /// holders. You cannot add permissions that you do not have (`ESCALATION`). `If-Match` is required.
    #[oai(
        path = "/organizations/:org/roles/:role/permissions",
        method = "put",
        operation_id = "setRolePermissions"
    )]
    async fn set_permissions(
        &self,
        org: tenant::Path<RolesUpdate>,
        /// Unique id of the role.
        role: Path<Id>,
        /// `ETag` of the version that you read. The request fails with 412 if it has changed since.
        #[oai(name = "If-Match")]
        expected: Header<Option<IfMatch>>,
        /// If `true`, nothing is changed. The response shows who would gain or lose which permissions.
        dry_run: Query<Option<bool>>,
        wanted: Replacement<RolePermissions>,
    ) -> Result<OrDryRun<WithEtag<Role>>, Conditional> {
        let id = RoleId(role.0.0);
        let wanted = wanted.body().and_then(|wanted| Ok(set("permissions", &wanted.permissions)?));
        let is_dry_run = dry_run.0 == Some(true);
        let tx = self.0.db.begin(org.0.for_dry_run(is_dry_run)).await?;
        roles::exists(&tx, id).await?;
        let wanted = wanted?;
        let expected = IfMatch::required(expected.0)?;
        if is_dry_run {
            return Ok(OrDryRun::tried(members::try_set_permissions(&tx, id, wanted, &expected).await?));
        }
        let changed = roles::set_permissions(&tx, id, wanted, &expected).await?;
        tx.commit().await?;
        Ok(OrDryRun::Done(WithEtag::Present(EntityTag(changed.role.version), changed.into())))
    }

    /// Delete a role
    ///
    /// Members with the role and pending invitations that grant it get the role `reassign_to` instead.
    /// Without `reassign_to`, a role that a member has or a pending invitation grants is not deleted
    /// (`ROLE_IN_USE`). `If-Match` is required. Built-in roles cannot be deleted (`ROLE_BUILTIN`).
    #[oai(path = "/organizations/:org/roles/:role", method = "delete", operation_id = "deleteRole")]
    async fn remove(
        &self,
        org: tenant::Path<RolesDelete>,
        /// Unique id of the role.
        role: Path<Id>,
        /// `ETag` of the version that you read. The request fails with 412 if it has changed since.
        #[oai(name = "If-Match")]
        expected: Header<Option<IfMatch>>,
        /// The role, by key or id, for members and invitations that have the deleted
        /// one. Needs `roles:assign`.
        reassign_to: Query<Option<RoleName>>,
        /// If `true`, nothing is changed. The response shows who would gain or lose which permissions.
        dry_run: Query<Option<bool>>,
    ) -> Result<OrDryRun<NoContent>, Conditional> {
        let id = RoleId(role.0.0);
        let other = reassign_to.0.map(|other| RoleRef::parse(&other.0));
        let is_dry_run = dry_run.0 == Some(true);
        let tx = self.0.db.begin(org.0.for_dry_run(is_dry_run)).await?;
        roles::exists(&tx, id).await?;
        let expected = IfMatch::required(expected.0)?;
        if is_dry_run {
            let removal = invitations::try_remove_role(&tx, id, other.as_ref(), &expected).await?;
            return Ok(OrDryRun::tried(removal.effects).with_invitations(removal.invitations));
        }
        invitations::remove_role(&tx, id, other.as_ref(), &expected).await?;
        tx.commit().await?;
        Ok(OrDryRun::Done(NoContent))
    }
}
