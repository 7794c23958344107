//! How a person who is forgotten leaves the organizations he belonged to.

use sea_orm::{
    ColumnTrait, FromQueryResult,
    sea_query::{Expr, ExprTrait, JoinType, Query},
};

use super::{REMOVED, entity, removal};
use crate::{
    Result,
    base::{
        ids::{MemberId, OrgId, UserId},
        permissions::Platform,
    },
    storage::{
        audit::Action,
        db::{GlobalTx, OrgTx},
    },
    tenancy::organizations,
};

/// One membership of a person, whatever its status.
#[derive(Clone, Debug, FromQueryResult)]
pub(crate) struct Belonging {
    pub(crate) member: MemberId,
    pub(crate) organization: OrgId,
    pub(crate) kind: String,
    status: String,
}

impl Belonging {
    pub(crate) fn is_personal(&self) -> bool {
        self.kind == organizations::PERSONAL
    }

    pub(crate) fn is_over(&self) -> bool {
        self.status == REMOVED
    }
}

/// The memberships of a person, also in deleted organizations, in the order of their ids.
pub(crate) async fn of(tx: &GlobalTx, user: UserId) -> Result<Vec<Belonging>> {
    let organization = |column| (organizations::Entity, column);
    let member = |column| (entity::Entity, column);
    let mut query = Query::select();
    query
        .expr_as(Expr::col(member(entity::Column::Id)), "member")
        .expr_as(Expr::col(member(entity::Column::Status)), "status")
        .expr_as(Expr::col(organization(organizations::Column::Id)), "organization")
        .expr_as(Expr::col(organization(organizations::Column::Kind)), "kind")
        .from(entity::Entity)
        .join(
            JoinType::InnerJoin,
            organizations::Entity,
            Expr::col(organization(organizations::Column::Id)).equals(member(entity::Column::OrganizationId)),
        )
        .and_where(Expr::col(member(entity::Column::UserId)).eq(user));
    #[expect(clippy::disallowed_methods, reason = "finds where a person belongs; each is then entered")]
    let mut found: Vec<Belonging> = tx.query_across_orgs(&query).await?;
    found.sort_unstable_by_key(|membership| membership.member);
    Ok(found)
}

/// Ends a membership for good: the row stays, since what he did names it.
pub(crate) async fn depart(tx: &OrgTx<Platform>, membership: &Belonging) -> Result<()> {
    let before = tx.find::<entity::Entity>().filter(entity::Column::Id.eq(membership.member));
    let before = before.one_locked().await?;
    removal::go(tx, before, Action::MemberRemoved).await
}
