//! Update organizations.

use chrono::TimeDelta;
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, FromQueryResult, sea_query::Query};
use serde_json::{Value, json};

use super::{
    Organization, PERSONAL,
    entity::{ActiveModel, Column, Entity},
    slug_history,
};
use crate::{
    Result,
    base::{
        error::ErrorCode,
        ids::OldSlugId,
        permissions::{OrganizationUpdate, RequiredPermission, WritePermission},
        text::{Name, OrganizationDescription, Slug},
    },
    storage::{
        audit::{Action, EventDetails},
        db::{ExpectedVersion, OrgTx},
    },
};

/// How long a former slug redirects members and stays reserved.
const FORMER_SLUG_TTL: TimeDelta = TimeDelta::days(90);

/// Changes of an organization. `None` leaves a field as it is.
#[derive(Clone, Debug, Default)]
pub struct OrganizationChanges {
    /// Display name.
    pub name: Option<Name>,
    /// Identifies the organization in URLs. The previous slug redirects its members for 90 days.
    pub slug: Option<Slug>,
    /// Description for members; `Some(None)` clears it.
    pub description: Option<Option<OrganizationDescription>>,
}

impl OrganizationChanges {
    fn apply(self, organization: &mut Organization) {
        if let Some(name) = self.name {
            organization.name = name.into();
        }
        if let Some(slug) = self.slug {
            organization.slug = slug.into();
        }
        if let Some(description) = self.description {
            organization.description = description.map(Into::into);
        }
    }
}

/// Updates the organization. Without a difference, neither the version changes nor an event is recorded.
///
/// # Errors
/// `ORGANIZATION_DELETED`; `PRECONDITION_FAILED` when `expected` is not the current version; `SLUG_TAKEN`, also if the slug
/// belongs to a deleted organization, or to one that used it in the last 90 days.
pub async fn update(
    tx: &OrgTx<OrganizationUpdate>,
    changes: OrganizationChanges,
    expected: &ExpectedVersion,
) -> Result<Organization> {
    apply(tx, changes, expected).await
}

/// Updates the organization as [`update`], with any permission that allows writing.
pub(crate) async fn apply<P: WritePermission>(
    tx: &OrgTx<P>,
    changes: OrganizationChanges,
    expected: &ExpectedVersion,
) -> Result<Organization> {
    let before = super::lock(tx).await?;
    expected.check(&before.version)?;
    let mut after = before.clone();
    changes.apply(&mut after);
    if after == before {
        return Ok(before);
    }
    if after.slug != before.slug {
        // The check comes first: otherwise two organizations that swap slugs would wait for each other in the unique index.
        refuse_slug::<Entity, P>(tx, Column::Slug, &after.slug).await?;
    }
    let organization = tx
        .update(ActiveModel {
            id: Set(before.id),
            name: Set(after.name),
            slug: Set(after.slug),
            description: Set(after.description),
            version: Set(before.version + 1),
            updated_at: Set(tx.now()),
            ..Default::default()
        })
        .await?;
    if organization.slug != before.slug {
        record_former_slug(tx, &before.slug, &organization.slug).await?;
    }
    tx.record(Action::OrganizationUpdated, before.id, details(&before, &organization)).await?;
    Ok(organization)
}

/// Stores the former slug `old`, and checks `new` against former slugs. The organization must have the new slug already: then
/// the unique index serializes concurrent requests for this slug before the check.
async fn record_former_slug<P: WritePermission>(tx: &OrgTx<P>, old: &str, new: &str) -> Result<()> {
    // The organization can return to one of its own former slugs.
    tx.delete::<slug_history::Entity>(slug_history::Column::Slug.eq(new)).await?;
    refuse_former_slug(tx, new).await?;
    let now = tx.now();
    tx.insert(slug_history::ActiveModel {
        id: Set(OldSlugId::new(now)),
        slug: Set(old.to_owned()),
        expires_at: Set(now + FORMER_SLUG_TTL),
        created_at: Set(now),
        ..Default::default()
    })
    .await
    .map(drop)
}

#[derive(FromQueryResult)]
struct TakenSlug {
    #[expect(dead_code, reason = "only the existence of a row matters")]
    slug: String,
}

/// Fails for a former slug of another organization. Call it after the slug is taken: the unique index then waits for a
/// concurrent transaction that gives the slug up, and this check finds its row.
///
/// # Errors
/// `SLUG_TAKEN`.
pub(super) async fn refuse_former_slug<P: RequiredPermission>(tx: &OrgTx<P>, slug: &str) -> Result<()> {
    refuse_slug::<slug_history::Entity, P>(tx, slug_history::Column::Slug, slug).await
}

/// Fails if any organization has the slug in this column of `E`.
async fn refuse_slug<E: EntityTrait, P: RequiredPermission>(
    tx: &OrgTx<P>,
    column: E::Column,
    slug: &str,
) -> Result<()> {
    let mut query = Query::select();
    query.column(column).from(E::default()).and_where(column.eq(slug)).limit(1);
    #[expect(clippy::disallowed_methods, reason = "slugs are unique among all organizations")]
    let rows: Vec<TakenSlug> = tx.query_across_orgs(&query).await?;
    match rows.is_empty() {
        true => Ok(()),
        false => Err(ErrorCode::SlugTaken.refuse()),
    }
}

/// Returns the details of a change for the audit log. For a personal organization they contain only the changed fields, because
/// the values identify the user.
fn details(before: &Organization, after: &Organization) -> EventDetails {
    let facts = |organization: &Organization| -> Value {
        json!({
            "slug": organization.slug,
            "name": organization.name,
            "description": organization.description,
        })
    };
    if before.kind != PERSONAL {
        return EventDetails::changed(facts(before), facts(after));
    }
    let changed = [
        ("slug", before.slug != after.slug),
        ("name", before.name != after.name),
        ("description", before.description != after.description),
    ];
    let changed: Vec<_> =
        changed.into_iter().filter_map(|(field, differs)| differs.then_some(field)).collect();
    EventDetails::changed(json!({}), json!({ "changed": changed }))
}
