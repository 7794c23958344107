//! `/organizations`: organizations, from creation to deletion.

pub(crate) mod search;
pub(crate) mod settings;
pub(crate) mod transfers;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use insula_core::{
    base::{
        error::{ErrorCode, FieldErrors},
        permissions::{
            OrganizationDelete, OrganizationRead, OrganizationRestore, OrganizationUpdate, OwnMembership,
        },
        text,
    },
    lifecycle::{accounts, organization_lifecycle},
    storage::idempotency::IdempotentBegin,
    tenancy::organizations::{self, NewOrganization, OrganizationChanges},
    work::offboarding,
};
use poem_openapi::{Enum, Object, OpenApi, param::Header, types::MaybeUndefined};
use serde::Serialize;
use uuid::Uuid;

use super::Tag;
use crate::{
    auth::{extractors::SignedIn, tenant},
    body::{MergePatch, StrictJson, parse_change},
    http::{
        About, Accepted, CreatedResponse, EntityTag, IdempotencyKey, IfMatch, IfNoneMatch, Name, NoContent,
        Slug, WithEtag,
    },
    problem::{Result, WithConflict},
    state::AppState,
};

pub struct OrganizationsApi(pub Arc<AppState>);

/// A new organization.
#[derive(Object)]
struct OrganizationCreate {
    /// Name of the organization, for display.
    name: Name,
    /// Short name of the organization in URLs. It is unique, also among deleted organizations.
    slug: Slug,
}

/// Changes to an organization. Absent fields stay unchanged; `null` clears a field.
#[derive(Object)]
#[oai(rename = "OrganizationUpdate")]
pub(crate) struct OrganizationPatch {
    /// Name of the organization, for display.
    name: Option<Name>,
    /// Short name of the organization in URLs. The previous slug redirects members for 90 days.
    slug: Option<Slug>,
    /// Short description of the organization, for display; `null` clears it.
    #[oai(nullable)]
    description: MaybeUndefined<About>,
}

/// An organization: one tenant, with its own data and members.
#[derive(Object, Serialize)]
pub(crate) struct Organization {
    /// Unique id of the organization.
    id: Uuid,
    /// Short name of the organization in URLs.
    slug: Slug,
    /// Name of the organization, for display.
    name: Name,
    /// Short description of the organization, for display; `null` if not set.
    #[oai(nullable)]
    description: Option<About>,
    /// Status of the organization.
    status: OrganizationStatus,
    /// Kind of the organization.
    kind: OrganizationKind,
    /// Version number, increased by every change. It is also the `ETag`.
    version: i64,
    /// When the organization was created.
    created_at: DateTime<Utc>,
    /// When the organization was last changed.
    updated_at: DateTime<Utc>,
}

/// Status of an organization.
#[derive(Clone, Copy, Debug, Enum, Serialize)]
#[oai(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub(crate) enum OrganizationStatus {
    /// The organization can be used without restriction.
    Active,
    /// The organization is read-only.
    Suspended,
}

/// Kind of an organization.
#[derive(Clone, Copy, Debug, Enum, Serialize)]
#[oai(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub(crate) enum OrganizationKind {
    /// An organization to which members can be invited.
    Team,
    /// The personal organization of one user.
    Personal,
}

#[OpenApi(tag = "Tag::Organizations")]
impl OrganizationsApi {
    /// Create an organization
    ///
    /// Creates an organization and makes you its owner. The number of organizations that you can own is
    /// limited by the installation.
    #[oai(path = "/organizations", method = "post", operation_id = "createOrganization")]
    async fn create(
        &self,
        me: SignedIn,
        #[oai(name = "Idempotency-Key")] key: IdempotencyKey,
        new: StrictJson<OrganizationCreate>,
    ) -> Result<CreatedResponse<Organization>, WithConflict> {
        let origin = me.caller.origin();
        let once = key.once(&origin, &new);
        let new = NewOrganization::try_from(new.value)?;
        let tx = match self.0.db.begin_global_idempotent(origin, once).await? {
            IdempotentBegin::Replay(answer) => return Ok(CreatedResponse::again(answer)),
            IdempotentBegin::Fresh(tx) => tx,
        };
        let organization =
            accounts::create_organization_within(&tx, me.user.id, new, self.0.max_organizations).await?;
        let location = format!("/api/v1/organizations/{}", organization.id);
        let answer = CreatedResponse::created(
            location,
            EntityTag(organization.version),
            &Organization::from(organization),
        )?;
        tx.commit_with(answer.stored()).await?;
        Ok(answer)
    }

    /// Get an organization
    ///
    /// Returns one organization by its id or slug.
    #[oai(path = "/organizations/:org", method = "get", operation_id = "getOrganization")]
    async fn get(
        &self,
        org: tenant::Path<OrganizationRead>,
        /// `ETag` of the version that you have. The response is 304 if it is still current.
        #[oai(name = "If-None-Match")]
        known: Header<Option<IfNoneMatch>>,
    ) -> Result<WithEtag<Organization>> {
        let tx = self.0.db.begin(org.0).await?;
        let organization = organizations::get(&tx).await?;
        Ok(WithEtag::new(EntityTag(organization.version), known.0, || organization.into()))
    }

    /// Update an organization
    ///
    /// Changes only the fields that you send. If you change the slug, requests of members with the previous
    /// slug are redirected (308) for 90 days, and no other organization can take it in that time.
    #[oai(path = "/organizations/:org", method = "patch", operation_id = "updateOrganization")]
    async fn change(
        &self,
        org: tenant::Path<OrganizationUpdate>,
        /// `ETag` of the version that you read. The request fails with 412 if it has changed since.
        #[oai(name = "If-Match")]
        expected: Header<Option<IfMatch>>,
        patch: MergePatch<OrganizationPatch>,
    ) -> Result<WithEtag<Organization>> {
        let changes = patch.changes::<OrganizationChanges>()?;
        let tx = self.0.db.begin(org.0).await?;
        let expected = IfMatch::expected(expected.0);
        let organization = organizations::update(&tx, changes, &expected).await?;
        tx.commit().await?;
        Ok(WithEtag::Present(EntityTag(organization.version), organization.into()))
    }

    /// Delete an organization
    ///
    /// The organization can no longer be used (410). It can be restored within 30 days; after that, it is
    /// removed permanently with everything in it except its audit log. Requires a login or re-authentication
    /// within the last 10 minutes (by default). A personal organization cannot be deleted by itself; it is
    /// deleted with its owner's account.
    #[oai(path = "/organizations/:org", method = "delete", operation_id = "deleteOrganization")]
    async fn remove(
        &self,
        org: tenant::Path<OrganizationDelete>,
        /// `ETag` of the version that you read. The request fails with 412 if it has changed since.
        #[oai(name = "If-Match")]
        expected: Header<Option<IfMatch>>,
    ) -> Result<Accepted> {
        let tx = self.0.db.begin(org.0).await?;
        organization_lifecycle::close(&tx, &IfMatch::expected(expected.0)).await?;
        tx.commit().await?;
        Ok(DELETED)
    }

    /// Restore an organization
    ///
    /// Restores a deleted organization with everything in it, within 30 days of its deletion. If the
    /// organization is not deleted, nothing changes.
    #[oai(path = "/organizations/:org/restore", method = "post", operation_id = "restoreOrganization")]
    async fn restore(&self, org: tenant::Path<OrganizationRestore>) -> Result<WithEtag<Organization>> {
        let tx = self.0.db.begin(org.0).await?;
        let organization = organization_lifecycle::reopen(&tx).await?;
        tx.commit().await?;
        Ok(WithEtag::Present(EntityTag(organization.version), organization.into()))
    }

    /// Leave an organization
    ///
    /// Ends your membership. The only owner must first transfer the organization or make another member an
    /// owner (`LAST_OWNER`). You cannot leave your personal organization.
    #[oai(path = "/organizations/:org/leave", method = "post", operation_id = "leaveOrganization")]
    async fn leave(&self, org: tenant::Path<OwnMembership>) -> Result<NoContent> {
        let tx = self.0.db.begin(org.0).await?;
        offboarding::leave(&tx).await?;
        tx.commit().await?;
        Ok(NoContent)
    }
}

/// The message after an organization has been deleted.
pub(crate) const DELETED: Accepted = Accepted(
    "The organization is deleted. It can be restored within 30 days. After that, it is removed permanently.",
);

impl TryFrom<OrganizationPatch> for OrganizationChanges {
    type Error = insula_core::Error;

    fn try_from(patch: OrganizationPatch) -> Result<Self, Self::Error> {
        let mut fields = FieldErrors::default();
        let name = fields.parse_optional("name", patch.name.map(|name| text::Name::parse(&name.0)));
        let slug = fields.parse_optional("slug", patch.slug.map(|slug| text::Slug::parse(&slug.0)));
        let description = parse_change(&mut fields, "description", patch.description, |it| {
            text::OrganizationDescription::parse(&it.0)
        });
        fields.into_result()?;
        Ok(Self { name, slug, description })
    }
}

impl TryFrom<OrganizationCreate> for NewOrganization {
    type Error = insula_core::Error;

    fn try_from(new: OrganizationCreate) -> Result<Self, Self::Error> {
        let mut fields = FieldErrors::default();
        let new = foundation(&mut fields, &new.name, &new.slug);
        fields.into_result()?;
        new.ok_or(ErrorCode::ValidationFailed.refuse())
    }
}

/// Parses the data of a new organization; invalid fields are added to `fields`.
pub(crate) fn foundation(fields: &mut FieldErrors, name: &Name, slug: &Slug) -> Option<NewOrganization> {
    let name = fields.parse("name", text::Name::parse(&name.0));
    let slug = fields.parse("slug", text::Slug::parse(&slug.0));
    name.zip(slug).map(|(name, slug)| NewOrganization { name, slug })
}

impl From<organizations::Organization> for Organization {
    fn from(row: organizations::Organization) -> Self {
        Self {
            id: row.id.0,
            slug: Slug(row.slug),
            name: Name(row.name),
            description: row.description.map(About),
            status: if row.status == organizations::ACTIVE {
                OrganizationStatus::Active
            } else {
                OrganizationStatus::Suspended
            },
            kind: if row.kind == organizations::TEAM {
                OrganizationKind::Team
            } else {
                OrganizationKind::Personal
            },
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}
