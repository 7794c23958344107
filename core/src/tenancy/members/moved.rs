//! Where an organization went whose slug somebody uses that it has no more.

use sea_orm::{
    ColumnTrait, Condition, FromQueryResult,
    sea_query::{Expr, ExprTrait, JoinType, Query},
};

use super::entity;
use crate::{
    Error, Result,
    base::ids::UserId,
    storage::db::Unscoped,
    tenancy::organizations::{self, OrgRef, former},
};

#[derive(FromQueryResult)]
struct Present {
    slug: String,
}

/// What is told to somebody who named no organization of his: `Moved`, if it is one of his by a former slug; of whichever
/// organization to an operator who says why; else what everybody is told.
pub(super) async fn refusal(tx: &Unscoped, user: UserId, is_operator: bool, org: &OrgRef) -> Result<Error> {
    let not_found = Error::NotFound("organization");
    let OrgRef::Slug(slug) = org else { return Ok(not_found) };
    let organization = |column| (organizations::Entity, column);
    let member = |column| (entity::Entity, column);
    let mut query = Query::select();
    query
        .column(organization(organizations::Column::Slug))
        .from(former::Entity)
        .join(
            JoinType::InnerJoin,
            organizations::Entity,
            Expr::col(organization(organizations::Column::Id))
                .equals((former::Entity, former::Column::OrganizationId)),
        )
        .and_where(Expr::col((former::Entity, former::Column::Slug)).eq(slug.as_str()));
    if !is_operator {
        query.join(
            JoinType::InnerJoin,
            entity::Entity,
            Condition::all()
                .add(
                    Expr::col(member(entity::Column::OrganizationId))
                        .equals(organization(organizations::Column::Id)),
                )
                .add(entity::Column::UserId.eq(user))
                .add(entity::Column::Status.eq(super::ACTIVE)),
        );
    }
    let present: Vec<Present> = tx.rows(&query).await?;
    Ok(present.into_iter().next().map_or(not_found, |present| Error::Moved(present.slug)))
}
