//! Dry runs: the permissions that members gain and lose by a change. The change runs, and is not committed.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::ColumnTrait;

use super::{ACTIVE, Entity, HeldRole, entity::Column, member_roles, roles_of};
use crate::{
    Result,
    base::{
        ids::{MemberId, RoleId},
        permissions::{PermissionSet, RequiredPermission, RoleGrants},
    },
    identity::users,
    storage::db::{OrgTx, chunks},
    tenancy::roles::{self, Role},
};

/// The effect of a change on the permissions of one member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PermissionDiff {
    /// The member.
    pub member: MemberId,
    /// Permissions only after the change.
    pub gains: PermissionSet,
    /// Permissions only before the change.
    pub loses: PermissionSet,
}

/// The effect of a change on one member, who is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberEffect {
    /// The permissions that the member gains and loses.
    pub diff: PermissionDiff,
    /// The name of the user, as shown to others.
    pub display_name: String,
}

/// The permissions of each active member.
pub(crate) type MemberPermissionSets = BTreeMap<MemberId, PermissionSet>;

impl PermissionDiff {
    /// Returns the differences from `before` to `after`, sorted by id. Members without a change are left out.
    pub(crate) fn between(before: &MemberPermissionSets, after: &MemberPermissionSets) -> Vec<Self> {
        let of =
            |sets: &MemberPermissionSets, member: &MemberId| sets.get(member).copied().unwrap_or_default();
        let members: BTreeSet<_> = before.keys().chain(after.keys()).collect();
        let diff = |member: &MemberId| {
            let (before, after) = (of(before, member), of(after, member));
            Self { member: *member, gains: after.without(before), loses: before.without(after) }
        };
        let diffs = members.into_iter().map(diff);
        diffs.filter(|diff| !(diff.gains.is_empty() && diff.loses.is_empty())).collect()
    }
}

/// Returns the differences from `before` to `after` with the names of the members, sorted by id.
pub(crate) async fn effects<P: RequiredPermission>(
    tx: &OrgTx<P>,
    before: &MemberPermissionSets,
    after: &MemberPermissionSets,
) -> Result<Vec<MemberEffect>> {
    let diffs = PermissionDiff::between(before, after);
    let members = tx.find::<Entity>().with::<users::Entity>();
    let ids: Vec<_> = diffs.iter().map(|diff| diff.member).collect();
    let members = members.all_of(Column::Id, ids).await?;
    let mut names: BTreeMap<_, _> =
        members.into_iter().map(|(member, user)| (member.id, user.display_name())).collect();
    let effect = |diff: PermissionDiff| MemberEffect {
        display_name: names.remove(&diff.member).unwrap_or_default(),
        diff,
    };
    Ok(diffs.into_iter().map(effect).collect())
}

/// Returns the permissions of the active ones of these members.
pub(crate) async fn permission_sets<P: RequiredPermission>(
    tx: &OrgTx<P>,
    members: &[MemberId],
) -> Result<MemberPermissionSets> {
    let active = tx.find::<Entity>().filter(Column::Status.eq(ACTIVE));
    let active = active.all_of(Column::Id, members.iter().copied()).await?;
    let active: Vec<_> = active.into_iter().map(|member| member.id).collect();
    let mut held = Vec::<HeldRole>::new();
    for members in chunks(active.iter().copied()) {
        held.extend(roles_of(tx, members).await?);
    }
    let mut distinct = BTreeMap::<RoleId, Role>::new();
    for role in held.iter().filter_map(|held| held.role.clone()) {
        distinct.entry(role.id).or_insert(role);
    }
    let grants = roles::grants(tx, distinct.into_values().collect()).await?;
    let grants: BTreeMap<RoleId, RoleGrants> = grants.into_iter().map(|role| (role.id, role)).collect();
    let mut sets: MemberPermissionSets =
        active.into_iter().map(|member| (member, PermissionSet::default())).collect();
    for HeldRole { member_id, role } in held {
        let allowed = role.and_then(|role| grants.get(&role.id)).map(|role| role.permissions);
        if let (Some(set), Some(allowed)) = (sets.get_mut(&member_id), allowed) {
            *set = set.union(allowed);
        }
    }
    Ok(sets)
}

/// Returns the members who have a role, sorted by id.
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
    fn a_diff_lists_only_the_members_that_change() {
        let ids: Vec<_> = (0..3).map(|_| MemberId::new(DateTime::default())).collect();
        let set = |permissions: &[Permission]| permissions.iter().copied().collect::<PermissionSet>();
        let (read, write) = (Permission::TasksRead, Permission::TasksUpdate);
        let before = MemberPermissionSets::from([(ids[0], set(&[read])), (ids[1], set(&[read, write]))]);
        let after = MemberPermissionSets::from([
            (ids[0], set(&[read])),
            (ids[1], set(&[read])),
            (ids[2], set(&[write])),
        ]);
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
