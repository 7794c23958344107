//! `/organizations`: tenants, from their foundation to their end.

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
    body::{MergePatch, StrictJson},
    http::{
        About, Accepted, CreatedResponse, EntityTag, IdempotencyKey, IfMatch, IfNoneMatch, Name, NoContent,
        Slug, WithEtag,
    },
    problem::{Result, WithConflict},
    state::State,
};

pub struct OrganizationsApi(pub Arc<State>);

/// A new organization.
#[derive(Object)]
struct OrganizationCreate {
    /// Its name, for people.
    name: Name,
    /// Its address in URLs; unique for ever.
    slug: Slug,
}

/// What is to change: absent is unchanged, `null` is cleared.
#[derive(Object)]
#[oai(rename = "OrganizationUpdate")]
pub(crate) struct OrganizationPatch {
    /// Its name, for people.
    name: Option<Name>,
    /// Its address in URLs; the one before leads its members to it for 90 days.
    slug: Option<Slug>,
    /// What it is, for people.
    #[oai(nullable)]
    description: MaybeUndefined<About>,
}

/// A tenant.
#[derive(Object, Serialize)]
pub(crate) struct Organization {
    /// The organization.
    id: Uuid,
    /// Its address in URLs.
    slug: Slug,
    /// Its name, for people.
    name: Name,
    /// What it is, for people.
    #[oai(nullable)]
    description: Option<About>,
    /// Can it be changed?
    status: Status,
    /// Whose it is.
    kind: OrganizationKind,
    /// Counts its changes; the `ETag`.
    version: i64,
    /// When it was founded.
    created_at: DateTime<Utc>,
    /// When it last changed.
    updated_at: DateTime<Utc>,
}

/// Can an organization be changed?
#[derive(Clone, Copy, Debug, Enum, Serialize)]
#[oai(rename_all = "snake_case", rename = "OrganizationStatus")]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    /// Yes.
    Active,
    /// It can only be read.
    Suspended,
}

/// Whose an organization is.
#[derive(Clone, Copy, Debug, Enum, Serialize)]
#[oai(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub(crate) enum OrganizationKind {
    /// Of the people who were invited.
    Team,
    /// Of one person alone.
    Personal,
}

#[OpenApi(tag = "Tag::Organizations")]
impl OrganizationsApi {
    /// Found an organization
    ///
    /// Whoever founds it becomes its owner.
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

    /// Look at an organization
    #[oai(path = "/organizations/:org", method = "get", operation_id = "getOrganization")]
    async fn get(
        &self,
        org: tenant::Path<OrganizationRead>,
        #[oai(name = "If-None-Match")] known: Header<Option<IfNoneMatch>>,
    ) -> Result<WithEtag<Organization>> {
        let tx = self.0.db.begin(org.0).await?;
        let organization = organizations::get(&tx).await?;
        Ok(WithEtag::new(EntityTag(organization.version), known.0, || organization.into()))
    }

    /// Change an organization
    ///
    /// Under its former slug its members are led to the new one (308) for 90 days, in which nobody else can have it.
    #[oai(path = "/organizations/:org", method = "patch", operation_id = "updateOrganization")]
    async fn change(
        &self,
        org: tenant::Path<OrganizationUpdate>,
        #[oai(name = "If-Match")] expected: Header<Option<IfMatch>>,
        patch: MergePatch<OrganizationPatch>,
    ) -> Result<WithEtag<Organization>> {
        let changes = OrganizationChanges::try_from(patch.body()?)?;
        let tx = self.0.db.begin(org.0).await?;
        let expected = IfMatch::expected(expected.0);
        let organization = organizations::change(&tx, changes, &expected).await?;
        tx.commit().await?;
        Ok(WithEtag::Present(EntityTag(organization.version), organization.into()))
    }

    /// Delete an organization
    ///
    /// Nobody gets in any more (410). For 30 days it can be restored; then it is removed with everything in it but its
    /// audit log. Needs a recent log-in. What is one person's own goes with his account alone.
    #[oai(path = "/organizations/:org", method = "delete", operation_id = "deleteOrganization")]
    async fn remove(
        &self,
        org: tenant::Path<OrganizationDelete>,
        #[oai(name = "If-Match")] expected: Header<Option<IfMatch>>,
    ) -> Result<Accepted> {
        let tx = self.0.db.begin(org.0).await?;
        organization_lifecycle::close(&tx, &IfMatch::expected(expected.0)).await?;
        tx.commit().await?;
        Ok(DELETED)
    }

    /// Restore a deleted organization
    ///
    /// With everything in it. One that was not deleted stays as it is.
    #[oai(path = "/organizations/:org/restore", method = "post", operation_id = "restoreOrganization")]
    async fn restore(&self, org: tenant::Path<OrganizationRestore>) -> Result<WithEtag<Organization>> {
        let tx = self.0.db.begin(org.0).await?;
        let organization = organization_lifecycle::reopen(&tx).await?;
        tx.commit().await?;
        Ok(WithEtag::Present(EntityTag(organization.version), organization.into()))
    }

    /// Leave an organization
    ///
    /// Its only owner hands it over, or makes somebody else an owner, first.
    #[oai(path = "/organizations/:org/leave", method = "post", operation_id = "leaveOrganization")]
    async fn leave(&self, org: tenant::Path<OwnMembership>) -> Result<NoContent> {
        let tx = self.0.db.begin(org.0).await?;
        offboarding::leave(&tx).await?;
        tx.commit().await?;
        Ok(NoContent)
    }
}

/// What whoever deletes an organization is told.
pub(crate) const DELETED: Accepted = Accepted(
    "The organization is deleted. It can be restored within 30 days. After that, it is removed permanently.",
);

impl TryFrom<OrganizationPatch> for OrganizationChanges {
    type Error = insula_core::Error;

    fn try_from(patch: OrganizationPatch) -> Result<Self, Self::Error> {
        let mut fields = FieldErrors::default();
        let name = fields.parse_optional("name", patch.name.map(|name| text::Name::parse(&name.0)));
        let slug = fields.parse_optional("slug", patch.slug.map(|slug| text::Slug::parse(&slug.0)));
        let description = match patch.description {
            MaybeUndefined::Undefined => None,
            MaybeUndefined::Null => Some(None),
            MaybeUndefined::Value(about) => {
                fields.parse("description", text::OrganizationDescription::parse(&about.0)).map(Some)
            }
        };
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

/// An organization as it begins; what is wrong is noted in `fields`.
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
            status: if row.status == organizations::ACTIVE { Status::Active } else { Status::Suspended },
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
