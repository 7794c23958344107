//! Organizations as operators of the platform find them: all of them, also those that were deleted.

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

/// Which organizations are wanted; `None` asks for all.
#[derive(Clone, Debug, Default)]
pub struct OrganizationFilter {
    /// [`super::ACTIVE`] or [`super::SUSPENDED`].
    pub status: Option<&'static str>,
    /// [`super::TEAM`] or [`super::PERSONAL`].
    pub kind: Option<&'static str>,
    /// Those whose slug contains this.
    pub part: Option<SlugFragment>,
    /// Those that were deleted, instead of those that live.
    pub is_deleted: bool,
}

/// What the list can be ordered by. Each column is indexed with the id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrganizationKey {
    /// When it was founded.
    CreatedAt,
    /// Its name.
    Name,
    /// Its slug.
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

/// One page of the organizations of everybody.
///
/// # Errors
/// Whatever the database refuses.
pub async fn list(
    db: &Db,
    filter: OrganizationFilter,
    listing: PageRequest<OrganizationKey>,
) -> Result<Page<Organization>> {
    let lives = match filter.is_deleted {
        true => Column::DeletedAt.is_not_null(),
        false => Column::DeletedAt.is_null(),
    };
    let wanted = Condition::all()
        .add(lives)
        .add_option(filter.status.map(|status| Column::Status.eq(status)))
        .add_option(filter.kind.map(|kind| Column::Kind.eq(kind)))
        .add_option(filter.part.map(|part| Column::Slug.contains(part.as_str())));
    #[expect(clippy::disallowed_methods, reason = "operators look at every organization")]
    db.unscoped().await?.page(wanted, listing).await
}

/// One organization, also one that was deleted, until it is removed for good.
///
/// # Errors
/// `NotFound`.
pub async fn find(db: &Db, org: OrgId) -> Result<Organization> {
    let mut query = Query::select();
    query.column(Asterisk).from(Entity).and_where(Column::Id.eq(org));
    #[expect(clippy::disallowed_methods, reason = "operators look at every organization")]
    db.unscoped().await?.row(&query, Entity::NAME).await
}
