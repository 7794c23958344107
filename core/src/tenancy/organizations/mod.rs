//! Tenants.

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
pub(crate) use lifecycle::{due, lock, lock_deleted, lock_each, remove, restore, suspend};
pub use list::{OrganizationFilter, OrganizationKey, find, list};
pub(crate) use personal::personal;
pub(crate) use update::apply;
pub use update::{OrganizationChanges, change};

use crate::{
    Result,
    base::{
        error::ErrorCode,
        ids::OrgId,
        permissions::{OrganizationRead, Platform},
        text::{Name, Slug},
    },
    storage::{
        audit::{Action, Details},
        db::OrgTx,
    },
};

/// The status of an organization that is not suspended.
pub const ACTIVE: &str = "active";
/// The status of an organization that can only be read.
pub const SUSPENDED: &str = "suspended";
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
/// `SLUG_TAKEN`, also by an organization that was deleted, or that had it in the last 90 days.
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
    update::refuse_former(tx, &organization.slug).await?;
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

/// Refuses what cannot be done to an organization that is one person's own.
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
    fn an_id_and_a_slug_are_told_apart() {
        let id = "0190b3a0-0000-7000-8000-000000000001";
        assert_eq!(OrgRef::parse(id), OrgRef::Id(OrgId(id.parse().unwrap())));
        assert_eq!(OrgRef::parse("acme"), OrgRef::Slug("acme".into()));
    }
}
