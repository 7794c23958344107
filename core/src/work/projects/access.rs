//! Who sees which projects: the one condition that tasks, other people's time, reports and exports use, too.

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

/// The projects that the caller sees: those that are open to all, and of the private ones those he is a member of; all
/// where he may change projects.
pub(crate) fn visible<P: RequiredPermission>(tx: &OrgTx<P>) -> Condition {
    match limited(tx) {
        None => Condition::all(),
        Some(member) => Condition::any().add(entity::Column::IsPrivate.eq(false)).add(joined(tx, member)),
    }
}

/// The projects that the caller does not see; `None`: he sees all.
pub(crate) fn hidden<P: RequiredPermission>(tx: &OrgTx<P>) -> Option<Condition> {
    let member = limited(tx)?;
    Some(Condition::all().add(entity::Column::IsPrivate.eq(true)).add(joined(tx, member).not()))
}

/// The member who does not see everything, where the caller is one.
fn limited<P: RequiredPermission>(tx: &OrgTx<P>) -> Option<MemberId> {
    tx.member().filter(|_| !tx.may(Permission::ProjectsUpdate))
}

fn joined<P: RequiredPermission>(tx: &OrgTx<P>, member: MemberId) -> Expr {
    let condition = project_members_entity::Column::MemberId.eq(member);
    tx.in_rows_of::<project_members_entity::Entity>(
        entity::Column::Id,
        project_members_entity::Column::ProjectId,
        condition,
    )
}
