//! The list of all organizations for superusers, including deleted ones.

use sea_orm::{
    ColumnTrait, Condition,
    sea_query::{Asterisk, Query},
};

use super::{
    Organization,
    entity::{Column, Entity},
};
use crate::{
    Result,
    base::{
        ids::OrgId,
        pagination::{Page, PageRequest},
        text::SlugFragment,
    },
    storage::db::{Db, SortKey, TenantTable},
};

/// A filter for organizations. `None` means no restriction.
#[derive(Clone, Debug, Default)]
pub struct OrganizationFilter {
    /// [`super::ACTIVE`] or [`super::SUSPENDED`].
    pub status: Option<&'static str>,
    /// [`super::TEAM`] or [`super::PERSONAL`].
    pub kind: Option<&'static str>,
    /// Organizations whose slug contains the fragment.
    pub part: Option<SlugFragment>,
    /// Deleted organizations, instead of those that are not deleted.
    pub is_deleted: bool,
}

/// Sort key of the list. Each column is indexed with the id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrganizationKey {
    /// Creation time.
    CreatedAt,
    /// Display name.
    Name,
    /// Slug.
    Slug,
}

impl SortKey for OrganizationKey {
    type Table = Entity;

    fn column(self) -> Column {
        match self {
            Self::CreatedAt => Column::CreatedAt,
            Self::Name => Column::Name,
            Self::Slug => Column::Slug,
        }
    }
}

/// Returns one page of all organizations.
///
/// # Errors
/// Any database error.
pub async fn list(
    db: &Db,
    filter: OrganizationFilter,
    request: PageRequest<OrganizationKey>,
) -> Result<Page<Organization>> {
    let deletion_state = match filter.is_deleted {
        true => Column::DeletedAt.is_not_null(),
        false => Column::DeletedAt.is_null(),
    };
    let condition = Condition::all()
        .add(deletion_state)
        .add_option(filter.status.map(|status| Column::Status.eq(status)))
        .add_option(filter.kind.map(|kind| Column::Kind.eq(kind)))
        .add_option(filter.part.map(|part| Column::Slug.contains(part.as_str())));
    #[expect(clippy::disallowed_methods, reason = "superusers read every organization")]
    db.unscoped().await?.page(condition, request).await
}

/// Returns one organization, including a deleted one until it is purged.
///
/// # Errors
/// `NotFound`.
pub async fn find(db: &Db, org: OrgId) -> Result<Organization> {
    let mut query = Query::select();
    query.column(Asterisk).from(Entity).and_where(Column::Id.eq(org));
    #[expect(clippy::disallowed_methods, reason = "superusers read every organization")]
    db.unscoped().await?.row(&query, Entity::NAME).await
}
