//! Changing what a member is: his status and his roles.

use std::collections::BTreeSet;

use sea_orm::{ActiveValue::Set, ColumnTrait, Condition};
use serde_json::{Value, json};

use super::{
    Entity, MemberDetails, PermissionDiff, REMOVED, Status,
    dry_run::rights,
    entity::{ActiveModel, Column},
    list::{get, ids},
    member_roles, ownership, removal,
};
use crate::{
    Result,
    base::{
        ids::{MemberId, MemberRoleId},
        permissions::{MembersRemove, MembersUpdate, Permission, PermissionSet, RoleGrants, WritePermission},
    },
    storage::{
        audit::{Action, Details},
        db::{self, OrgTx},
    },
    tenancy::roles::{self, RoleRef},
};

/// What is to change; `None` leaves it as it is.
#[derive(Clone, Debug, Default)]
pub struct MemberChanges {
    /// Is he suspended? To remove somebody is another operation.
    pub is_suspended: Option<bool>,
    /// All the roles that he is to hold.
    pub roles: Option<Vec<RoleRef>>,
}

/// The version of a member that a client knows: his own and that of his person.
pub type Expected = db::Expected<(i64, i64)>;

/// The member, locked, with the organization locked before him: owners are counted after every change.
async fn lock<P: WritePermission>(tx: &OrgTx<P>, id: MemberId, expected: &Expected) -> Result<MemberDetails> {
    ownership::lock(tx).await?;
    let member = tx.find::<Entity>().filter(Column::Id.eq(id)).filter(Column::Status.ne(REMOVED));
    member.one_locked().await?;
    let listed = get(tx, id).await?;
    expected.check(&(listed.member.version, listed.user.version))?;
    Ok(listed)
}

/// The facts of a member that the audit log tells.
fn facts(listed: &MemberDetails) -> Value {
    let keys: Vec<_> = listed.roles.iter().map(|role| &role.key).collect();
    json!({ "user_id": listed.user.id, "status": listed.member.status, "roles": keys })
}

/// Changes a member. A change that changes nothing leaves no trace.
///
/// # Errors
/// `NotFound`, also when he was removed; `PRECONDITION_FAILED`; `Forbidden` without `roles:assign` where his roles change;
/// `VALIDATION_FAILED` for roles that are not there; `OWNER_PROTECTED`, `REAUTH_REQUIRED` where an owner is concerned;
/// `ESCALATION`; `LAST_OWNER`.
pub async fn change(
    tx: &OrgTx<MembersUpdate>,
    id: MemberId,
    changes: MemberChanges,
    expected: &Expected,
) -> Result<MemberDetails> {
    let before = lock(tx, id, expected).await?;
    let had = roles::grants_by_id(tx, &ids(&before.roles)).await?;
    let wanted = match &changes.roles {
        Some(wanted) => roles::resolve(tx, "roles", wanted).await?,
        None => had.clone(),
    };
    let status = match changes.is_suspended {
        Some(true) => Status::Suspended.as_str(),
        Some(false) => Status::Active.as_str(),
        None => &before.member.status,
    };
    let changes_roles = set(&had) != set(&wanted);
    if !changes_roles && status == before.member.status {
        return Ok(before);
    }
    if changes_roles && !tx.may(Permission::RolesAssign) {
        return Err(super::lack(tx, Permission::RolesAssign).await?);
    }
    if had.iter().chain(&wanted).any(RoleGrants::is_owner) {
        tx.facts().refuse_touching_owner()?;
    }
    // Whoever is brought back is given what he had.
    let is_brought_back = status == Status::Active.as_str() && before.member.status != status;
    let given = wanted.iter().filter(|role| is_brought_back || !had.iter().any(|other| other.id == role.id));
    let given: Vec<_> = given.cloned().collect();
    tx.facts().refuse_escalation(all(&given), given.iter().any(RoleGrants::is_owner))?;
    if changes_roles {
        hold(tx, id, &had, &wanted).await?;
    }
    tx.update(ActiveModel {
        id: Set(id),
        status: Set(status.to_owned()),
        version: Set(before.member.version + 1),
        updated_at: Set(tx.now()),
        ..Default::default()
    })
    .await?;
    ownership::refuse_none_left(tx).await?;
    let after = get(tx, id).await?;
    tx.record(Action::MemberUpdated, id, Details::changed(facts(&before), facts(&after))).await?;
    Ok(after)
}

/// What [`change`] would do, found out by doing it. The transaction must not be committed.
///
/// # Errors
/// Those of [`change`].
pub async fn try_change(
    tx: &OrgTx<MembersUpdate>,
    id: MemberId,
    changes: MemberChanges,
    expected: &Expected,
) -> Result<Vec<PermissionDiff>> {
    let before = rights(tx, &[id]).await?;
    change(tx, id, changes, expected).await?;
    Ok(PermissionDiff::between(&before, &rights(tx, &[id]).await?))
}

/// Removes a member: what he did stays, his roles go.
///
/// # Errors
/// `NotFound`, also when he was removed before; `PRECONDITION_FAILED`; `OWNER_PROTECTED`, `REAUTH_REQUIRED` where he is an
/// owner; `PERSONAL_ORGANIZATION` for its one owner; `LAST_OWNER`.
pub(crate) async fn remove(tx: &OrgTx<MembersRemove>, id: MemberId, expected: &Expected) -> Result<()> {
    let listed = lock(tx, id, expected).await?;
    if roles::grants_by_id(tx, &ids(&listed.roles)).await?.iter().any(RoleGrants::is_owner) {
        tx.facts().refuse_touching_owner()?;
    }
    removal::go(tx, listed.member, Action::MemberRemoved).await?;
    ownership::refuse_none_left(tx).await
}

fn set(roles: &[RoleGrants]) -> BTreeSet<crate::base::ids::RoleId> {
    roles.iter().map(|role| role.id).collect()
}

/// Everything that these roles allow.
fn all(roles: &[RoleGrants]) -> PermissionSet {
    roles.iter().fold(PermissionSet::default(), |all, role| all.union(role.permissions))
}

/// Makes a member hold the roles that he is to hold, and no others.
async fn hold<P: WritePermission>(
    tx: &OrgTx<P>,
    member: MemberId,
    had: &[RoleGrants],
    wanted: &[RoleGrants],
) -> Result<()> {
    let gone = had.iter().filter(|role| !wanted.iter().any(|other| other.id == role.id)).map(|role| role.id);
    let gone: Vec<_> = gone.collect();
    if !gone.is_empty() {
        let gone = member_roles::Column::RoleId.is_in(gone);
        let gone = Condition::all().add(member_roles::Column::MemberId.eq(member)).add(gone);
        tx.delete::<member_roles::Entity>(gone).await?;
    }
    let new = wanted.iter().filter(|role| !had.iter().any(|other| other.id == role.id));
    let new = new.map(|role| member_roles::ActiveModel {
        id: Set(MemberRoleId::new(tx.now())),
        member_id: Set(member),
        role_id: Set(role.id),
        granted_by: Set(tx.member()),
        created_at: Set(tx.now()),
        ..Default::default()
    });
    let new: Vec<_> = new.collect();
    match new.is_empty() {
        true => Ok(()),
        false => tx.insert_many(new).await,
    }
}
