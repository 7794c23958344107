//! The condition that limits projects to those the caller can see. Tasks, time entries of others, reports and exports
//! use it too.

use sea_orm::{
    ColumnTrait, Condition,
    sea_query::{Expr, ExprTrait},
};

use super::{entity, project_members_entity};
use crate::{
    base::{
        ids::MemberId,
        permissions::{Permission, RequiredPermission},
    },
    storage::db::OrgTx,
};

/// The projects that the caller can see: public ones, and private ones where they are a member. With the permission to
/// update projects, all.
pub(crate) fn visible<P: RequiredPermission>(tx: &OrgTx<P>) -> Condition {
    match restricted_member(tx) {
        None => Condition::all(),
        Some(member) => Condition::any().add(entity::Column::IsPrivate.eq(false)).add(is_member(tx, member)),
    }
}

/// The projects that the caller cannot see; `None` if they see all.
pub(crate) fn hidden<P: RequiredPermission>(tx: &OrgTx<P>) -> Option<Condition> {
    let member = restricted_member(tx)?;
    Some(Condition::all().add(entity::Column::IsPrivate.eq(true)).add(is_member(tx, member).not()))
}

/// The calling member, if they do not see all projects.
fn restricted_member<P: RequiredPermission>(tx: &OrgTx<P>) -> Option<MemberId> {
    tx.member().filter(|_| !tx.may(Permission::ProjectsUpdate))
}

fn is_member<P: RequiredPermission>(tx: &OrgTx<P>, member: MemberId) -> Expr {
    let condition = project_members_entity::Column::MemberId.eq(member);
    tx.in_rows_of::<project_members_entity::Entity>(
        entity::Column::Id,
        project_members_entity::Column::ProjectId,
        condition,
    )
}
