//! Tells suspended members why they have no access.

use sea_orm::{
    ColumnTrait, FromQueryResult,
    sea_query::{Expr, ExprTrait, JoinType, Query},
};

use crate::{
    Result,
    base::ids::UserId,
    storage::db::Unscoped,
    tenancy::{
        members,
        organizations::{self, OrgRef},
    },
};

#[derive(FromQueryResult)]
struct OrganizationName {
    name: String,
}

/// The name of the organization, if the user is a suspended member of it. The query runs for unknown organizations too, so
/// that the response time does not reveal which ones exist.
pub(super) async fn organization_name(tx: &Unscoped, user: UserId, org: &OrgRef) -> Result<Option<String>> {
    let organization = |column| (organizations::Entity, column);
    let member = |column| (members::Entity, column);
    let is_meant = match org {
        OrgRef::Id(id) => Expr::col(organization(organizations::Column::Id)).eq(*id),
        OrgRef::Slug(slug) => Expr::col(organization(organizations::Column::Slug)).eq(slug.as_str()),
    };
    let mut query = Query::select();
    query
        .column(organization(organizations::Column::Name))
        .from(organizations::Entity)
        .join(
            JoinType::InnerJoin,
            members::Entity,
            Expr::col(member(members::Column::OrganizationId))
                .equals(organization(organizations::Column::Id)),
        )
        .and_where(is_meant)
        .and_where(Expr::col(organization(organizations::Column::DeletedAt)).is_null())
        .and_where(Expr::col(member(members::Column::UserId)).eq(user))
        .and_where(members::Column::Status.eq(members::SUSPENDED));
    let found: Vec<OrganizationName> = tx.rows(&query).await?;
    Ok(found.into_iter().next().map(|organization| organization.name))
}
