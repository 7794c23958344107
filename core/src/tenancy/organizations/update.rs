//! Another name, another slug: what is changed of an organization.

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
        audit::{Action, Details},
        db::{Expected, OrgTx},
    },
};

/// For so long a slug that was given up leads members on, and is nobody else's.
const KEPT: TimeDelta = TimeDelta::days(90);

/// What is to change; `None` leaves a field as it is.
#[derive(Clone, Debug, Default)]
pub struct OrganizationChanges {
    /// Its name, for people.
    pub name: Option<Name>,
    /// Its address in URLs; the one before leads its members here for 90 days.
    pub slug: Option<Slug>,
    /// What it is, for people; `Some(None)` clears it.
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

/// Changes the organization. A change that changes nothing leaves no trace: neither a new version nor an event.
///
/// # Errors
/// `ORGANIZATION_DELETED`; `PRECONDITION_FAILED` when `expected` is not its version; `SLUG_TAKEN`, also by an
/// organization that was deleted, or by one that had it in the last 90 days.
pub async fn change(
    tx: &OrgTx<OrganizationUpdate>,
    changes: OrganizationChanges,
    expected: &Expected,
) -> Result<Organization> {
    apply(tx, changes, expected).await
}

/// [`change`], on whoever's behalf.
pub(crate) async fn apply<P: WritePermission>(
    tx: &OrgTx<P>,
    changes: OrganizationChanges,
    expected: &Expected,
) -> Result<Organization> {
    let before = super::lock(tx).await?;
    expected.check(&before.version)?;
    let mut after = before.clone();
    changes.apply(&mut after);
    if after == before {
        return Ok(before);
    }
    if after.slug != before.slug {
        // Asked before it is taken: two that exchange their slugs would wait for each other.
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
        keep(tx, &before.slug, &organization.slug).await?;
    }
    tx.record(Action::OrganizationUpdated, before.id, told(&before, &organization)).await?;
    Ok(organization)
}

/// Lets the slug of before lead to the new one, which is taken already: who takes a slug first and looks then meets
/// everybody else who wants it.
async fn keep<P: WritePermission>(tx: &OrgTx<P>, old: &str, new: &str) -> Result<()> {
    // One of its own that it goes back to.
    tx.delete::<slug_history::Entity>(slug_history::Column::Slug.eq(new)).await?;
    refuse_former(tx, new).await?;
    let now = tx.now();
    tx.insert(slug_history::ActiveModel {
        id: Set(OldSlugId::new(now)),
        slug: Set(old.to_owned()),
        expires_at: Set(now + KEPT),
        created_at: Set(now),
        ..Default::default()
    })
    .await
    .map(drop)
}

#[derive(FromQueryResult)]
struct Known {
    #[expect(dead_code, reason = "that there is one is all that is asked")]
    slug: String,
}

/// Refuses a slug that some organization had a while ago. To be asked when it is taken: whoever gives it up at the same
/// time is waited for there, and seen here.
///
/// # Errors
/// `SLUG_TAKEN`.
pub(super) async fn refuse_former<P: RequiredPermission>(tx: &OrgTx<P>, slug: &str) -> Result<()> {
    refuse_slug::<slug_history::Entity, P>(tx, slug_history::Column::Slug, slug).await
}

/// Refuses a slug that stands in this column of `E`, whosever it is.
async fn refuse_slug<E: EntityTrait, P: RequiredPermission>(
    tx: &OrgTx<P>,
    column: E::Column,
    slug: &str,
) -> Result<()> {
    let mut query = Query::select();
    query.column(column).from(E::default()).and_where(column.eq(slug)).limit(1);
    #[expect(clippy::disallowed_methods, reason = "the names of organizations are one space for all")]
    let known: Vec<Known> = tx.query_across_orgs(&query).await?;
    match known.is_empty() {
        true => Ok(()),
        false => Err(ErrorCode::SlugTaken.refuse()),
    }
}

/// What the audit log tells of a change. Of a personal organization only what was changed: the words say who its person is.
fn told(before: &Organization, after: &Organization) -> Details {
    let facts = |organization: &Organization| -> Value {
        json!({
            "slug": organization.slug,
            "name": organization.name,
            "description": organization.description,
        })
    };
    if before.kind != PERSONAL {
        return Details::changed(facts(before), facts(after));
    }
    let renamed = [
        ("slug", before.slug != after.slug),
        ("name", before.name != after.name),
        ("description", before.description != after.description),
    ];
    let renamed: Vec<_> =
        renamed.into_iter().filter_map(|(field, differs)| differs.then_some(field)).collect();
    Details::changed(json!({}), json!({ "changed": renamed }))
}
