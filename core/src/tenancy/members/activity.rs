//! The activity log of a user: their own actions.

use sea_orm::{
    FromQueryResult,
    sea_query::{Expr, ExprTrait, Query},
};

use super::{ACTIVE, entity};
use crate::{
    Result,
    base::{
        ids::{OrgId, UserId},
        pagination::{Page, PageRequest},
    },
    storage::{
        audit::{self, EventKey, EventRecord},
        db::Db,
    },
};

#[derive(FromQueryResult)]
struct ActiveMembership {
    organization_id: OrgId,
}

/// Returns one page of the actions of a user in their organizations and outside of any organization, and of failed logins to
/// their account. Actions in former organizations are visible only to those organizations.
///
/// # Errors
/// Any database error.
pub async fn activity(db: &Db, user: UserId, request: PageRequest<EventKey>) -> Result<Page<EventRecord>> {
    #[expect(clippy::disallowed_methods, reason = "users read their own actions")]
    let tx = db.unscoped().await?;
    let mut query = Query::select();
    query
        .column(entity::Column::OrganizationId)
        .from(entity::Entity)
        .and_where(Expr::col(entity::Column::UserId).eq(user))
        .and_where(Expr::col(entity::Column::Status).eq(ACTIVE));
    let memberships: Vec<ActiveMembership> = tx.rows(&query).await?;
    let organizations = memberships.into_iter().map(|membership| membership.organization_id).collect();
    audit::activity(&tx, user, organizations, request).await
}
