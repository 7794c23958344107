//! `/admin/organizations`: tenants, as operators of the platform find, make and end them.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use insula_core::{
    base::{
        error::{ErrorCode, FieldErrors},
        ids::{OrgId, UserId},
        pagination::Sort,
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
    Enum, Object, OpenApi,
    param::{Header, Path, Query},
};
use serde::Serialize;
use uuid::Uuid;

use super::super::{
    Tag,
    organizations::{DELETED, Organization, OrganizationKind, OrganizationPatch, Status, foundation},
};
use crate::{
    auth::extractors::SuperuserOnly,
    body::{MergePatch, StrictJson},
    http::{
        Accepted, CreatedResponse, Cursor, Email, EntityTag, Id, IdempotencyKey, IfMatch, IfNoneMatch, Limit,
        ListRequest, Name, PageResponse, Slug, SlugPart, WithEtag,
    },
    problem::{ProblemWith, Result, WithConflict},
    state::State,
};

pub struct AdminOrganizationsApi(pub Arc<State>);

/// An organization for somebody, who is named by one of the two.
#[derive(Object)]
struct AdminOrganizationCreate {
    /// Its name, for people.
    name: Name,
    /// Its address in URLs; unique for ever.
    slug: Slug,
    /// Who is to own it: the id of his account.
    #[oai(nullable)]
    owner_id: Option<Uuid>,
    /// Who is to own it: the address of his account.
    #[oai(nullable)]
    owner_email: Option<Email>,
}

/// An organization, as operators see it.
#[derive(Object, Serialize)]
struct AdminOrganization {
    #[oai(flatten)]
    #[serde(flatten)]
    organization: Organization,
    /// When it was deleted.
    #[oai(nullable)]
    deleted_at: Option<DateTime<Utc>>,
    /// When it will be removed for good; until then it can be restored.
    #[oai(nullable)]
    purge_after: Option<DateTime<Utc>>,
}

/// What the list is ordered by; `-`: from the last to the first.
#[derive(Clone, Copy, Debug, Enum)]
enum OrganizationSort {
    #[oai(rename = "created_at")]
    CreatedAt,
    #[oai(rename = "-created_at")]
    CreatedAtDescending,
    #[oai(rename = "name")]
    Name,
    #[oai(rename = "-name")]
    NameDescending,
    #[oai(rename = "slug")]
    Slug,
    #[oai(rename = "-slug")]
    SlugDescending,
}

/// What an organization may answer that was deleted, or of which there is another one.
type Ended = ProblemWith<409, 410>;

#[OpenApi(tag = "Tag::Platform")]
impl AdminOrganizationsApi {
    /// List the organizations
    ///
    /// Of everybody, the newest first.
    #[oai(path = "/admin/organizations", method = "get", operation_id = "listOrganizations")]
    #[expect(clippy::too_many_arguments, reason = "one for each parameter of the query")]
    async fn list(
        &self,
        request: &Request,
        _me: SuperuserOnly,
        limit: Query<Option<Limit>>,
        cursor: Query<Option<Cursor>>,
        sort: Query<Option<OrganizationSort>>,
        /// Only those that can be changed, or those that can only be read.
        status: Query<Option<Status>>,
        /// Only those of this kind.
        kind: Query<Option<OrganizationKind>>,
        /// Only those whose slug contains this.
        q: Query<Option<SlugPart>>,
        /// `true`: only those that were deleted; otherwise only those that were not.
        deleted: Query<Option<bool>>,
    ) -> Result<PageResponse<AdminOrganization>> {
        let mut fields = FieldErrors::default();
        let part = fields.parse_optional("q", q.0.map(|part| text::SlugFragment::parse(&part.0)));
        fields.into_result()?;
        let filter = OrganizationFilter {
            status: status.0.map(|status| match status {
                Status::Active => organizations::ACTIVE,
                Status::Suspended => organizations::SUSPENDED,
            }),
            kind: kind.0.map(|kind| match kind {
                OrganizationKind::Team => organizations::TEAM,
                OrganizationKind::Personal => organizations::PERSONAL,
            }),
            part,
            is_deleted: deleted.0.unwrap_or_default(),
        };
        let sort = sort.0.unwrap_or(OrganizationSort::CreatedAtDescending).into();
        let list = format!("listOrganizations {sort:?} {filter:?}");
        let paging = ListRequest::new(&self.0.cursors, request, list, (limit.0, sort, cursor.0))?;
        let page = organizations::list(&self.0.db, filter, paging.listing.clone()).await?;
        Ok(paging.reply(page, AdminOrganization::from))
    }

    /// Found an organization for somebody
    ///
    /// He becomes its owner.
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

    /// Look at any organization
    ///
    /// Also at a deleted one, until it is removed for good.
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

    /// Change any organization
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
        let changes = match patch.body().and_then(|patch| Ok(OrganizationChanges::try_from(patch)?)) {
            Ok(changes) => changes,
            // Of what is not there nothing can be wrong.
            Err(refused) => {
                organizations::find(&self.0.db, id).await?;
                return Err(refused.into());
            }
        };
        let tx = self.begin(&me).await?;
        let expected = IfMatch::expected(expected.0);
        let organization = organization_lifecycle::change(&tx, id, changes, &expected).await?;
        finish(tx, organization).await
    }

    /// Delete any organization
    ///
    /// For 30 days it can be restored. What is one person's own goes with his account alone.
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

    /// Restore any deleted organization
    ///
    /// With everything in it. One that was not deleted stays as it is.
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

    /// Let an organization only be read
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

    /// Let a suspended organization be changed again
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

impl From<OrganizationSort> for Sort<OrganizationKey> {
    fn from(sort: OrganizationSort) -> Self {
        let (key, descending) = match sort {
            OrganizationSort::CreatedAt => (OrganizationKey::CreatedAt, false),
            OrganizationSort::CreatedAtDescending => (OrganizationKey::CreatedAt, true),
            OrganizationSort::Name => (OrganizationKey::Name, false),
            OrganizationSort::NameDescending => (OrganizationKey::Name, true),
            OrganizationSort::Slug => (OrganizationKey::Slug, false),
            OrganizationSort::SlugDescending => (OrganizationKey::Slug, true),
        };
        Self { key, descending }
    }
}

impl From<organizations::Organization> for AdminOrganization {
    fn from(row: organizations::Organization) -> Self {
        let (deleted_at, purge_after) = (row.deleted_at, row.purge_after);
        Self { organization: row.into(), deleted_at, purge_after }
    }
}
