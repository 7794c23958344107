//! `/admin/organizations`: list, create, update, suspend, delete and restore any organization.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use insula_core::{
    base::{
        error::{ErrorCode, FieldErrors},
        ids::{OrgId, UserId},
        text,
    },
    lifecycle::organization_lifecycle::{self, Owner},
    storage::{db::GlobalTx, idempotency::IdempotentBegin},
    tenancy::organizations::{
        self, NewOrganization, OrganizationChanges, OrganizationFilter, OrganizationKey,
    },
};
use poem::Request;
use poem_openapi::{
    Object, OpenApi,
    param::{Header, Path, Query},
};
use serde::Serialize;
use uuid::Uuid;

use super::super::{
    Tag,
    organizations::{
        DELETED, Organization, OrganizationKind, OrganizationPatch, OrganizationStatus, foundation,
    },
};
use crate::{
    auth::extractors::SuperuserOnly,
    body::{MergePatch, StrictJson, missing_first},
    http::{
        Accepted, CreatedResponse, Cursor, Email, EntityTag, Id, IdempotencyKey, IfMatch, IfNoneMatch, Limit,
        ListRequest, Name, PageResponse, Slug, SlugPart, WithEtag, sort_keys,
    },
    problem::{ProblemWith, Result, WithConflict},
    state::AppState,
};

pub struct AdminOrganizationsApi(pub Arc<AppState>);

/// An organization to create for a user. The owner is named by either `owner_id` or `owner_email`.
#[derive(Object)]
struct AdminOrganizationCreate {
    /// Display name of the organization.
    name: Name,
    /// Short name in URLs. Unique, also among slugs that were used before.
    slug: Slug,
    /// Id of the user who becomes the owner. Send either this or `owner_email`.
    #[oai(nullable)]
    owner_id: Option<Uuid>,
    /// E-mail address of the user who becomes the owner. Send either this or `owner_id`.
    #[oai(nullable)]
    owner_email: Option<Email>,
}

/// An organization, as superusers see it.
#[derive(Object, Serialize)]
struct AdminOrganization {
    #[oai(flatten)]
    #[serde(flatten)]
    organization: Organization,
    /// When the organization was deleted. `null`: not deleted.
    #[oai(nullable)]
    deleted_at: Option<DateTime<Utc>>,
    /// When the deleted organization will be purged. Until then it can be restored. `null`: not deleted.
    #[oai(nullable)]
    purge_after: Option<DateTime<Utc>>,
}

sort_keys! {
    OrganizationSort of OrganizationKey;
    created_at: CreatedAt,
    name: Name,
    slug: Slug,
}

/// The additional errors of these operations: 409 and 410, the latter for a deleted organization.
type Ended = ProblemWith<409, 410>;

#[OpenApi(tag = "Tag::Platform")]
impl AdminOrganizationsApi {
    /// List all organizations
    ///
    /// Returns the organizations of all users, newest first by default. Deleted organizations are listed only
    /// with `deleted=true`.
    #[oai(path = "/admin/organizations", method = "get", operation_id = "listOrganizations")]
    #[expect(clippy::too_many_arguments, reason = "one for each parameter of the query")]
    async fn list(
        &self,
        request: &Request,
        _me: SuperuserOnly,
        limit: Query<Option<Limit>>,
        cursor: Query<Option<Cursor>>,
        sort: Query<Option<OrganizationSort>>,
        /// Only active organizations (`active`), or only suspended, read-only ones (`suspended`).
        status: Query<Option<OrganizationStatus>>,
        /// Only organizations of this kind.
        kind: Query<Option<OrganizationKind>>,
        /// Only organizations whose slug contains this text.
        q: Query<Option<SlugPart>>,
        /// With `true`, only deleted organizations; otherwise only organizations that are not deleted.
        deleted: Query<Option<bool>>,
    ) -> Result<PageResponse<AdminOrganization>> {
        let mut fields = FieldErrors::default();
        let part = fields.parse_optional("q", q.0.map(|part| text::SlugFragment::parse(&part.0)));
        fields.into_result()?;
        let filter = OrganizationFilter {
            status: status.0.map(|status| match status {
                OrganizationStatus::Active => organizations::ACTIVE,
                OrganizationStatus::Suspended => organizations::SUSPENDED,
            }),
            kind: kind.0.map(|kind| match kind {
                OrganizationKind::Team => organizations::TEAM,
                OrganizationKind::Personal => organizations::PERSONAL,
            }),
            part,
            is_deleted: deleted.0.unwrap_or_default(),
        };
        let sort = sort.0.unwrap_or(OrganizationSort::descending(OrganizationKey::CreatedAt));
        let paging = ListRequest::new(&self.0.cursors, request, &filter, (limit.0, sort, cursor.0))?;
        let page = organizations::list(&self.0.db, filter, paging.listing.clone()).await?;
        Ok(paging.reply(page, AdminOrganization::from))
    }

    /// Create an organization for a user
    ///
    /// The user becomes the owner of the new organization, and their account must be active. The error is
    /// `SLUG_TAKEN` if the slug is or was used by another organization.
    #[oai(path = "/admin/organizations", method = "post", operation_id = "createOrganizationFor")]
    async fn create(
        &self,
        me: SuperuserOnly,
        #[oai(name = "Idempotency-Key")] key: IdempotencyKey,
        draft: StrictJson<AdminOrganizationCreate>,
    ) -> Result<CreatedResponse<AdminOrganization>, WithConflict> {
        let origin = me.origin();
        let once = key.once(&origin, &draft);
        let (new, owner) = draft.value.parse()?;
        let tx = match self.0.db.begin_global_idempotent(origin, once).await? {
            IdempotentBegin::Replay(answer) => return Ok(CreatedResponse::again(answer)),
            IdempotentBegin::Fresh(tx) => tx,
        };
        let organization = organization_lifecycle::create(&tx, owner, new).await?;
        let location = format!("/api/v1/admin/organizations/{}", organization.id);
        let answer = CreatedResponse::created(
            location,
            EntityTag(organization.version),
            &AdminOrganization::from(organization),
        )?;
        tx.commit_with(answer.stored()).await?;
        Ok(answer)
    }

    /// Get any organization
    ///
    /// Returns any organization. Deleted organizations are included until they are purged.
    #[oai(path = "/admin/organizations/:organization", method = "get", operation_id = "getAnyOrganization")]
    async fn get(
        &self,
        _me: SuperuserOnly,
        organization: Path<Id>,
        #[oai(name = "If-None-Match")] known: Header<Option<IfNoneMatch>>,
    ) -> Result<WithEtag<AdminOrganization>> {
        let organization = organizations::find(&self.0.db, OrgId(organization.0.0)).await?;
        Ok(WithEtag::new(EntityTag(organization.version), known.0, || organization.into()))
    }

    /// Update any organization
    ///
    /// Changes an organization as its owner could. The audit log of the organization records the change. A
    /// deleted organization gets `ORGANIZATION_DELETED`.
    #[oai(
        path = "/admin/organizations/:organization",
        method = "patch",
        operation_id = "updateAnyOrganization"
    )]
    async fn change(
        &self,
        me: SuperuserOnly,
        organization: Path<Id>,
        #[oai(name = "If-Match")] expected: Header<Option<IfMatch>>,
        patch: MergePatch<OrganizationPatch>,
    ) -> Result<WithEtag<AdminOrganization>, Ended> {
        let id = OrgId(organization.0.0);
        let lookup = async { organizations::find(&self.0.db, id).await.map(drop) };
        let changes = missing_first(patch.changes::<OrganizationChanges>(), lookup).await?;
        let tx = self.begin(&me).await?;
        let expected = IfMatch::expected(expected.0);
        let organization = organization_lifecycle::change(&tx, id, changes, &expected).await?;
        finish(tx, organization).await
    }

    /// Delete any organization
    ///
    /// The organization can be restored for 30 days, and is purged then. A personal organization is deleted
    /// only together with the account of its user (`PERSONAL_ORGANIZATION`).
    #[oai(
        path = "/admin/organizations/:organization",
        method = "delete",
        operation_id = "deleteAnyOrganization"
    )]
    async fn remove(
        &self,
        me: SuperuserOnly,
        organization: Path<Id>,
        #[oai(name = "If-Match")] expected: Header<Option<IfMatch>>,
    ) -> Result<Accepted, Ended> {
        let tx = self.begin(&me).await?;
        organization_lifecycle::remove(&tx, OrgId(organization.0.0), &IfMatch::expected(expected.0)).await?;
        tx.commit().await?;
        Ok(DELETED)
    }

    /// Restore any organization
    ///
    /// Brings back a deleted organization with everything in it. An organization that is not deleted stays as
    /// it is. The error is `LAST_OWNER` if it would have no active owner.
    #[oai(
        path = "/admin/organizations/:organization/restore",
        method = "post",
        operation_id = "restoreAnyOrganization"
    )]
    async fn restore(
        &self,
        me: SuperuserOnly,
        organization: Path<Id>,
    ) -> Result<WithEtag<AdminOrganization>, Ended> {
        let tx = self.begin(&me).await?;
        let organization = organization_lifecycle::restore(&tx, OrgId(organization.0.0)).await?;
        finish(tx, organization).await
    }

    /// Suspend an organization
    ///
    /// The organization becomes read-only, and running timers of its members stop. Suspending a suspended
    /// organization changes nothing. A deleted organization gets `ORGANIZATION_DELETED`.
    #[oai(
        path = "/admin/organizations/:organization/suspend",
        method = "post",
        operation_id = "suspendOrganization"
    )]
    async fn suspend(
        &self,
        me: SuperuserOnly,
        organization: Path<Id>,
    ) -> Result<WithEtag<AdminOrganization>, Ended> {
        let tx = self.begin(&me).await?;
        let organization = organization_lifecycle::suspend(&tx, OrgId(organization.0.0)).await?;
        finish(tx, organization).await
    }

    /// Resume an organization
    ///
    /// A suspended organization can be changed again. Resuming an active organization changes nothing. A
    /// deleted organization gets `ORGANIZATION_DELETED`.
    #[oai(
        path = "/admin/organizations/:organization/resume",
        method = "post",
        operation_id = "resumeOrganization"
    )]
    async fn resume(
        &self,
        me: SuperuserOnly,
        organization: Path<Id>,
    ) -> Result<WithEtag<AdminOrganization>, Ended> {
        let tx = self.begin(&me).await?;
        let organization = organization_lifecycle::resume(&tx, OrgId(organization.0.0)).await?;
        finish(tx, organization).await
    }
}

impl AdminOrganizationsApi {
    async fn begin(&self, me: &SuperuserOnly) -> Result<GlobalTx, insula_core::Error> {
        self.0.db.begin_global(me.origin()).await
    }
}

async fn finish(
    tx: GlobalTx,
    organization: organizations::Organization,
) -> Result<WithEtag<AdminOrganization>, Ended> {
    tx.commit().await?;
    Ok(WithEtag::Present(EntityTag(organization.version), organization.into()))
}

impl AdminOrganizationCreate {
    fn parse(self) -> Result<(NewOrganization, Owner), insula_core::Error> {
        let mut fields = FieldErrors::default();
        let new = foundation(&mut fields, &self.name, &self.slug);
        let owner = match (self.owner_id, self.owner_email) {
            (Some(id), None) => Some(Owner::Id(UserId(id))),
            (None, Some(email)) => {
                fields.parse("owner_email", text::EmailAddress::parse(&email.0)).map(Owner::Email)
            }
            (Some(_), Some(_)) => {
                let choice = "Send either the id or the e-mail address of the owner, not both.";
                fields.add("owner_email", "NOT_A_CHOICE", choice);
                None
            }
            (None, None) => {
                fields.add("owner_id", "REQUIRED", "Send the id or the e-mail address of the owner.");
                None
            }
        };
        fields.into_result()?;
        new.zip(owner).ok_or(ErrorCode::ValidationFailed.refuse())
    }
}

impl From<organizations::Organization> for AdminOrganization {
    fn from(row: organizations::Organization) -> Self {
        let (deleted_at, purge_after) = (row.deleted_at, row.purge_after);
        Self { organization: row.into(), deleted_at, purge_after }
    }
}
