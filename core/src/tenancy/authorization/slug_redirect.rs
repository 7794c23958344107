//! Redirects from former slugs of organizations.

use sea_orm::{
    ColumnTrait, Condition, FromQueryResult,
    sea_query::{Expr, ExprTrait, JoinType, Query},
};

use crate::tenancy::members;
use crate::{
    Error, Result,
    base::ids::UserId,
    storage::db::Unscoped,
    tenancy::organizations::{self, OrgRef, slug_history},
};

#[derive(FromQueryResult)]
struct CurrentSlug {
    slug: String,
}

/// Returns the error for an unknown organization: `Moved` if it is a former slug of an organization of the user, or of any
/// organization for a superuser who gave a reason; otherwise `NotFound`.
pub(super) async fn not_found_or_moved(
    tx: &Unscoped,
    user: UserId,
    is_superuser: bool,
    org: &OrgRef,
) -> Result<Error> {
    let not_found = Error::NotFound("organization");
    let OrgRef::Slug(slug) = org else { return Ok(not_found) };
    let organization = |column| (organizations::Entity, column);
    let member = |column| (members::Entity, column);
    let mut query = Query::select();
    query
        .column(organization(organizations::Column::Slug))
        .from(slug_history::Entity)
        .join(
            JoinType::InnerJoin,
            organizations::Entity,
            Expr::col(organization(organizations::Column::Id))
                .equals((slug_history::Entity, slug_history::Column::OrganizationId)),
        )
        .and_where(Expr::col((slug_history::Entity, slug_history::Column::Slug)).eq(slug.as_str()));
    if !is_superuser {
        query.join(
            JoinType::InnerJoin,
            members::Entity,
            Condition::all()
                .add(
                    Expr::col(member(members::Column::OrganizationId))
                        .equals(organization(organizations::Column::Id)),
                )
                .add(members::Column::UserId.eq(user))
                .add(members::Column::Status.eq(members::ACTIVE)),
        );
    }
    let current: Vec<CurrentSlug> = tx.rows(&query).await?;
    Ok(current.into_iter().next().map_or(not_found, |current| Error::Moved(current.slug)))
}
