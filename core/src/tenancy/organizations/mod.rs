//! Organizations, which are the tenants.

mod update;
mod lifecycle;
mod entity;
#[expect(unreachable_pub, reason = "sea-orm derives public items")]
pub(crate) mod slug_history;
mod list;
mod personal;

use sea_orm::{ActiveValue::Set, ColumnTrait, Condition};
use serde_json::{Value, json};
use uuid::Uuid;

pub use entity::Model as Organization;
pub(crate) use entity::{ActiveModel, Column, Entity};
pub(crate) use lifecycle::{delete, due, lock, lock_deleted, lock_each, restore, set_suspended};
pub use list::{OrganizationFilter, OrganizationKey, find, list};
pub(crate) use personal::new_personal;
pub(crate) use update::apply;
pub use update::{OrganizationChanges, update};

use crate::{
    Result,
    base::{
        error::ErrorCode,
        ids::OrgId,
        permissions::{OrganizationRead, Platform, RequiredPermission},
        text::{Name, Slug},
    },
    storage::{
        audit::{Action, EventDetails},
        db::OrgTx,
    },
};

/// The status of an organization that is not suspended.
pub const ACTIVE: &str = "active";
/// The status of a suspended organization, which is read-only.
pub const SUSPENDED: &str = "suspended";
/// The kind of an organization that is not personal.
pub const TEAM: &str = "team";
/// The kind of a personal organization, which is created and deleted with the account of its user.
pub const PERSONAL: &str = "personal";

/// A reference to an organization in a path: id or slug.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum OrgRef {
    /// The id.
    Id(OrgId),
    /// The slug. It can be any text; an invalid slug is not found.
    Slug(String),
}

impl OrgRef {
    /// Parses a reference. A UUID in its canonical spelling is an id; a slug is never a UUID.
    pub fn parse(text: &str) -> Self {
        match Uuid::try_parse(text) {
            Ok(id) if id.to_string() == text => Self::Id(OrgId(id)),
            _ => Self::Slug(text.to_owned()),
        }
    }

    /// Returns the condition for its row. It never matches the platform, which is not a tenant.
    pub(crate) fn condition(&self) -> Condition {
        let row = match self {
            Self::Id(id) => Column::Id.eq(*id),
            Self::Slug(slug) => Column::Slug.eq(slug.as_str()),
        };
        Condition::all().add(row).add(Column::Id.ne(OrgId::PLATFORM))
    }
}

/// The data of a new organization.
#[derive(Clone, Debug)]
pub struct NewOrganization {
    /// Display name.
    pub name: Name,
    /// Identifies the organization in URLs; unique, also among deleted organizations.
    pub slug: Slug,
}

/// Returns the values of an organization for the audit log. The name of a personal organization is left out, because it
/// identifies the user.
fn facts(organization: &Organization) -> Value {
    match organization.kind == PERSONAL {
        true => json!({ "kind": organization.kind }),
        false => json!({ "slug": organization.slug, "name": organization.name, "kind": organization.kind }),
    }
}

/// Creates the organization of `tx`. `kind`: [`TEAM`] or [`PERSONAL`].
///
/// # Errors
/// `SLUG_TAKEN`, also if the slug belongs to a deleted organization, or to one that used it in the last 90 days.
pub(crate) async fn create(tx: &OrgTx<Platform>, new: NewOrganization, kind: &str) -> Result<Organization> {
    let now = tx.now();
    let organization = tx
        .insert(ActiveModel {
            slug: Set(new.slug.into()),
            name: Set(new.name.into()),
            description: Set(None),
            status: Set(ACTIVE.to_owned()),
            kind: Set(kind.to_owned()),
            settings: Set(None),
            purge_after: Set(None),
            version: Set(1),
            deleted_at: Set(None),
            created_at: Set(now),
            updated_at: Set(now),
            ..Default::default()
        })
        .await?;
    update::refuse_former_slug(tx, &organization.slug).await?;
    tx.record(Action::OrganizationCreated, organization.id, EventDetails::created(facts(&organization)))
        .await?;
    Ok(organization)
}

/// Returns the organization.
///
/// # Errors
/// `NotFound` when it was deleted at the same time.
pub async fn get(tx: &OrgTx<OrganizationRead>) -> Result<Organization> {
    current(tx).await
}

/// Returns the organization, as [`get`]. Every member may know its name.
pub(crate) async fn current<P: RequiredPermission>(tx: &OrgTx<P>) -> Result<Organization> {
    tx.find::<Entity>().one().await
}

/// Fails for a personal organization.
///
/// # Errors
/// `PERSONAL_ORGANIZATION`.
pub(crate) fn refuse_personal(organization: &Organization) -> Result<()> {
    match organization.kind == PERSONAL {
        true => Err(ErrorCode::PersonalOrganization.refuse()),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_slugs_are_distinguished() {
        let id = "0190b3a0-0000-7000-8000-000000000001";
        assert_eq!(OrgRef::parse(id), OrgRef::Id(OrgId(id.parse().unwrap())));
        assert_eq!(OrgRef::parse("acme"), OrgRef::Slug("acme".into()));
    }
}
