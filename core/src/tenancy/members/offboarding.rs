//! End of the memberships of a deleted account.

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

/// One membership of a user, with any status.
#[derive(Clone, Debug, FromQueryResult)]
pub(crate) struct MembershipRecord {
    pub(crate) member: MemberId,
    pub(crate) organization: OrgId,
    pub(crate) kind: String,
    status: String,
}

impl MembershipRecord {
    pub(crate) fn is_personal(&self) -> bool {
        self.kind == organizations::PERSONAL
    }

    pub(crate) fn is_over(&self) -> bool {
        self.status == REMOVED
    }
}

/// Returns the memberships of a user, also in deleted organizations, sorted by id.
pub(crate) async fn memberships_of(tx: &GlobalTx, user: UserId) -> Result<Vec<MembershipRecord>> {
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
    #[expect(clippy::disallowed_methods, reason = "finds the organizations of a user; each is then entered")]
    let mut memberships: Vec<MembershipRecord> = tx.query_across_orgs(&query).await?;
    memberships.sort_unstable_by_key(|membership| membership.member);
    Ok(memberships)
}

/// Ends a membership permanently. The row stays, because other rows refer to it.
pub(crate) async fn end_membership(tx: &OrgTx<Platform>, membership: &MembershipRecord) -> Result<()> {
    let before = tx.find::<entity::Entity>().filter(entity::Column::Id.eq(membership.member));
    let before = before.one_locked().await?;
    removal::mark_removed(tx, before, Action::MemberRemoved).await
}
