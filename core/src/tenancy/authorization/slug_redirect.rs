//! Where an organization went whose slug somebody uses that it has no more.

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
struct Present {
    slug: String,
}

/// What is told to somebody who named no organization of his: `Moved`, if it is one of his by a former slug; of whichever
/// organization to an operator who says why; else what everybody is told.
pub(super) async fn refusal(tx: &Unscoped, user: UserId, is_operator: bool, org: &OrgRef) -> Result<Error> {
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
    if !is_operator {
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
    let present: Vec<Present> = tx.rows(&query).await?;
    Ok(present.into_iter().next().map_or(not_found, |present| Error::Moved(present.slug)))
}
