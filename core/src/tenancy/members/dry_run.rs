//! Who gains and who loses what by a change: asked before it is made, by making it and not committing.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::ColumnTrait;

use super::{ACTIVE, Entity, Held, entity::Column, member_roles, roles_of};
use crate::{
    Result,
    base::{
        ids::{MemberId, RoleId},
        permissions::{PermissionSet, RequiredPermission, RoleGrants},
    },
    storage::db::{OrgTx, chunks},
    tenancy::roles::{self, Role},
};

/// What a change does to one member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PermissionDiff {
    /// To whom.
    pub member: MemberId,
    /// What he may do then, and may not now.
    pub gains: PermissionSet,
    /// What he may do now, and may not then.
    pub loses: PermissionSet,
}

/// What each active member may do.
pub(crate) type Rights = BTreeMap<MemberId, PermissionSet>;

impl PermissionDiff {
    /// What `after` differs from `before`, for each member; nobody for whom nothing changes. In the order of the ids.
    pub(crate) fn between(before: &Rights, after: &Rights) -> Vec<Self> {
        let of = |rights: &Rights, member: &MemberId| rights.get(member).copied().unwrap_or_default();
        let members: BTreeSet<_> = before.keys().chain(after.keys()).collect();
        let effect = |member: &MemberId| {
            let (before, after) = (of(before, member), of(after, member));
            Self { member: *member, gains: after.without(before), loses: before.without(after) }
        };
        let effects = members.into_iter().map(effect);
        effects.filter(|effect| !(effect.gains.is_empty() && effect.loses.is_empty())).collect()
    }
}

/// What the active ones of these members may do, by all of their roles.
pub(crate) async fn rights<P: RequiredPermission>(tx: &OrgTx<P>, concerned: &[MemberId]) -> Result<Rights> {
    let active = tx.find::<Entity>().filter(Column::Status.eq(ACTIVE));
    let active = active.all_of(Column::Id, concerned.iter().copied()).await?;
    let active: Vec<_> = active.into_iter().map(|member| member.id).collect();
    let mut held = Vec::new();
    for members in chunks(active.iter().copied()) {
        held.extend(roles_of(tx, members).await?);
    }
    let mut distinct = BTreeMap::<RoleId, Role>::new();
    for role in held.iter().filter_map(|held| held.role.clone()) {
        distinct.entry(role.id).or_insert(role);
    }
    let grants = roles::grants(tx, distinct.into_values().collect()).await?;
    let grants: BTreeMap<RoleId, RoleGrants> = grants.into_iter().map(|role| (role.id, role)).collect();
    let mut rights: Rights = active.into_iter().map(|member| (member, PermissionSet::default())).collect();
    for Held { member_id, role } in held {
        let allowed = role.and_then(|role| grants.get(&role.id)).map(|role| role.permissions);
        if let (Some(set), Some(allowed)) = (rights.get_mut(&member_id), allowed) {
            *set = set.union(allowed);
        }
    }
    Ok(rights)
}

/// The members who hold a role, in the order of their ids.
pub(crate) async fn holders<P: RequiredPermission>(tx: &OrgTx<P>, role: RoleId) -> Result<Vec<MemberId>> {
    let held = tx.find::<member_roles::Entity>().filter(member_roles::Column::RoleId.eq(role)).all().await?;
    let mut holders: Vec<_> = held.into_iter().map(|held| held.member_id).collect();
    holders.sort();
    Ok(holders)
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::base::permissions::Permission;

    #[test]
    fn an_effect_is_what_differs() {
        let ids: Vec<_> = (0..3).map(|_| MemberId::new(DateTime::default())).collect();
        let set = |permissions: &[Permission]| permissions.iter().copied().collect::<PermissionSet>();
        let (read, write) = (Permission::TasksRead, Permission::TasksUpdate);
        let before = Rights::from([(ids[0], set(&[read])), (ids[1], set(&[read, write]))]);
        let after = Rights::from([(ids[0], set(&[read])), (ids[1], set(&[read])), (ids[2], set(&[write]))]);
        let (none, write) = (set(&[]), set(&[write]));
        assert_eq!(
            PermissionDiff::between(&before, &after),
            [
                PermissionDiff { member: ids[1], gains: none, loses: write },
                PermissionDiff { member: ids[2], gains: write, loses: none },
            ]
        );
    }
}
