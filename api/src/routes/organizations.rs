//! `/organizations`: tenants.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use insula_core::{
    access::OrganizationRead,
    accounts,
    error::{Code, Fields},
    idempotency::Begun,
    organizations::{self, NewOrganization},
    text,
};
use poem_openapi::{Enum, Object, OpenApi, param::Header};
use serde::Serialize;
use uuid::Uuid;

use super::Tag;
use crate::{
    caller::SignedIn,
    problem::{Conflicting, Result},
    state::State,
    strict::StrictJson,
    tenant,
    wire::{Answer, EntityTag, IdempotencyKey, IfNoneMatch, Name, Slug, Tagged},
};

pub struct Organizations(pub Arc<State>);

/// A new organization.
#[derive(Object)]
struct Foundation {
    /// Its name, for people.
    name: Name,
    /// Its address in URLs; unique for ever.
    slug: Slug,
}

/// A tenant.
#[derive(Object, Serialize)]
pub(super) struct Organization {
    /// The organization.
    id: Uuid,
    /// Its address in URLs.
    slug: Slug,
    /// Its name, for people.
    name: Name,
    /// What it is, for people.
    #[oai(nullable)]
    description: Option<String>,
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
#[derive(Enum, Serialize)]
#[oai(rename_all = "snake_case", rename = "OrganizationStatus")]
#[serde(rename_all = "snake_case")]
enum Status {
    /// Yes.
    Active,
    /// It can only be read.
    Suspended,
}

/// Whose an organization is.
#[derive(Enum, Serialize)]
#[oai(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
enum OrganizationKind {
    /// Of the people who were invited.
    Team,
    /// Of one person alone.
    Personal,
}

#[OpenApi(tag = "Tag::Organizations")]
impl Organizations {
    /// Found an organization
    ///
    /// Whoever founds it becomes its owner.
    #[oai(path = "/organizations", method = "post", operation_id = "createOrganization")]
    async fn create(
        &self,
        me: SignedIn,
        #[oai(name = "Idempotency-Key")] key: IdempotencyKey,
        new: StrictJson<Foundation>,
    ) -> Result<Answer<Organization>, Conflicting> {
        let origin = me.caller.origin();
        let once = key.once(&origin, &new);
        let new = NewOrganization::try_from(new.value)?;
        let tx = match self.0.db.begin_global_once(origin, once).await? {
            Begun::Replay(answer) => return Ok(Answer::again(answer)),
            Begun::Fresh(tx) => tx,
        };
        let organization = accounts::found(&tx, me.user.id, new).await?;
        let location = format!("/api/v1/organizations/{}", organization.id);
        let answer =
            Answer::created(location, EntityTag(organization.version), &Organization::from(organization))?;
        tx.commit_with(answer.stored()).await?;
        Ok(answer)
    }

    /// Look at an organization
    #[oai(path = "/organizations/:org", method = "get", operation_id = "getOrganization")]
    async fn get(
        &self,
        org: tenant::Path<OrganizationRead>,
        #[oai(name = "If-None-Match")] known: Header<Option<IfNoneMatch>>,
    ) -> Result<Tagged<Organization>> {
        let tx = self.0.db.begin(org.0).await?;
        let organization = organizations::get(&tx).await?;
        Ok(Tagged::new(EntityTag(organization.version), known.0, || organization.into()))
    }
}

impl TryFrom<Foundation> for NewOrganization {
    type Error = insula_core::Error;

    fn try_from(new: Foundation) -> Result<Self, Self::Error> {
        let mut fields = Fields::default();
        let name = fields.take("name", text::Name::parse(&new.name.0));
        let slug = fields.take("slug", text::Slug::parse(&new.slug.0));
        fields.finish()?;
        name.zip(slug).map(|(name, slug)| Self { name, slug }).ok_or(Code::ValidationFailed.refuse())
    }
}

impl From<organizations::Organization> for Organization {
    fn from(row: organizations::Organization) -> Self {
        Self {
            id: row.id.0,
            slug: Slug(row.slug),
            name: Name(row.name),
            description: row.description,
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
