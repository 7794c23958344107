//! Tenants.

mod entity;
mod personal;

use chrono::{DateTime, Utc};
use sea_orm::{ActiveValue::Set, ColumnTrait, Condition};
use serde_json::{Value, json};
use uuid::Uuid;

pub use entity::Model as Organization;
pub(crate) use entity::{Column, Entity};
pub(crate) use personal::personal;

use crate::{
    Result,
    access::{OrganizationRead, Platform},
    audit::{Action, Details},
    db::OrgTx,
    ids::OrgId,
    text::{Name, Slug},
};

/// The status of an organization that is not suspended.
pub const ACTIVE: &str = "active";
/// The kind of an organization that is nobody's own.
pub const TEAM: &str = "team";
/// The kind of an organization that is one person's own: made with the account, and gone with it.
pub const PERSONAL: &str = "personal";

/// How a path names an organization: by id or by slug.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum OrgRef {
    /// By id.
    Id(OrgId),
    /// By slug, or by something that is none and will not be found.
    Slug(String),
}

impl OrgRef {
    /// A UUID in its one canonical spelling is an id; no slug looks like one, and nothing else is found.
    pub fn parse(text: &str) -> Self {
        match Uuid::try_parse(text) {
            Ok(id) if id.to_string() == text => Self::Id(OrgId(id)),
            _ => Self::Slug(text.to_owned()),
        }
    }

    /// The rows it names: one or none. The platform is no tenant.
    pub(crate) fn condition(&self) -> Condition {
        let named = match self {
            Self::Id(id) => Column::Id.eq(*id),
            Self::Slug(slug) => Column::Slug.eq(slug.as_str()),
        };
        Condition::all().add(named).add(Column::Id.ne(OrgId::PLATFORM))
    }
}

/// What a new organization is.
#[derive(Clone, Debug)]
pub struct NewOrganization {
    /// Its name, for people.
    pub name: Name,
    /// Its address in URLs; unique for ever.
    pub slug: Slug,
}

/// The facts of an organization that an audit log may tell. What a personal one is called says who its person is.
fn facts(organization: &Organization) -> Value {
    match organization.kind == PERSONAL {
        true => json!({ "kind": organization.kind }),
        false => json!({ "slug": organization.slug, "name": organization.name, "kind": organization.kind }),
    }
}

/// Adds the organization that `tx` is in. `kind`: [`TEAM`] or [`PERSONAL`].
///
/// # Errors
/// `SLUG_TAKEN`, also by a deleted organization.
pub(crate) async fn create(tx: &OrgTx<Platform>, new: NewOrganization, kind: &str) -> Result<Organization> {
    let now = tx.now();
    let organization = tx
        .insert(entity::ActiveModel {
            slug: Set(new.slug.into()),
            name: Set(new.name.into()),
            description: Set(None),
            status: Set(ACTIVE.to_owned()),
            kind: Set(kind.to_owned()),
            purge_after: Set(None),
            version: Set(1),
            deleted_at: Set(None),
            created_at: Set(now),
            updated_at: Set(now),
            ..Default::default()
        })
        .await?;
    tx.record(Action::OrganizationCreated, organization.id, Details::created(facts(&organization))).await?;
    Ok(organization)
}

/// The organization.
///
/// # Errors
/// `NotFound` when it was deleted at the same time.
pub async fn get(tx: &OrgTx<OrganizationRead>) -> Result<Organization> {
    tx.find::<Entity>().one().await
}

/// Deletes the organization; until `purge_after` it can be restored.
pub(crate) async fn remove(tx: &OrgTx<Platform>, purge_after: DateTime<Utc>) -> Result<()> {
    let before = tx.find::<Entity>().one_locked().await?;
    tx.update(entity::ActiveModel {
        id: Set(before.id),
        version: Set(before.version + 1),
        deleted_at: Set(Some(tx.now())),
        purge_after: Set(Some(purge_after)),
        updated_at: Set(tx.now()),
        ..Default::default()
    })
    .await?;
    tx.record(Action::OrganizationDeleted, before.id, Details::removed(facts(&before))).await
}

/// Brings the deleted organization back.
pub(crate) async fn restore(tx: &OrgTx<Platform>) -> Result<()> {
    let before = tx.find_deleted::<Entity>().one_locked().await?;
    let restored = tx
        .update(entity::ActiveModel {
            id: Set(before.id),
            version: Set(before.version + 1),
            deleted_at: Set(None),
            purge_after: Set(None),
            updated_at: Set(tx.now()),
            ..Default::default()
        })
        .await?;
    tx.record(Action::OrganizationRestored, before.id, Details::created(facts(&restored))).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_and_a_slug_are_told_apart() {
        let id = "0190b3a0-0000-7000-8000-000000000001";
        assert_eq!(OrgRef::parse(id), OrgRef::Id(OrgId(id.parse().unwrap())));
        assert_eq!(OrgRef::parse("acme"), OrgRef::Slug("acme".into()));
    }
}
