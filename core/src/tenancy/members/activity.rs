//! What a person did himself, for himself.

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
struct Belonging {
    organization_id: OrgId,
}

/// One page of what a person did in the organizations he belongs to and outside of all, and of log-ins to his account that
/// failed. What he did where he belongs no more is that organization's to know.
///
/// # Errors
/// Whatever the database refuses.
pub async fn activity(db: &Db, user: UserId, listing: PageRequest<EventKey>) -> Result<Page<EventRecord>> {
    #[expect(clippy::disallowed_methods, reason = "a person reads what he did himself")]
    let tx = db.unscoped().await?;
    let mut query = Query::select();
    query
        .column(entity::Column::OrganizationId)
        .from(entity::Entity)
        .and_where(Expr::col(entity::Column::UserId).eq(user))
        .and_where(Expr::col(entity::Column::Status).eq(ACTIVE));
    let belongs: Vec<Belonging> = tx.rows(&query).await?;
    let organizations = belongs.into_iter().map(|belonging| belonging.organization_id).collect();
    audit::activity(&tx, user, organizations, listing).await
}
