//! Who belongs to an organization, and what each may do there.

mod authorize;
mod departure;
mod callers;
mod entity;
mod mine;
mod owners;
#[expect(unreachable_pub, reason = "sea-orm derives public items")]
pub(crate) mod roles_held;

use sea_orm::{ActiveValue::Set, ColumnTrait, DerivePartialModel};
use serde_json::json;

pub use authorize::{Caller, authorize};
pub use callers::Callers;
pub(crate) use departure::{Belonging, depart, of};
pub(crate) use entity::Entity;
pub use entity::Model as Member;
pub(crate) use mine::belongs;
pub use mine::{Mine, default_organization, list_mine};
pub(crate) use owners::{lock_organizations, refuse_last};

use crate::{
    Error, Result,
    access::{BuiltinRole, Membership, Permission, PermissionSet, Platform},
    audit::{Action, Details},
    db::OrgTx,
    ids::{MemberId, MemberRoleId, RoleId, UserId},
    roles,
};

/// Neither suspended nor removed.
pub const ACTIVE: &str = "active";
/// Belongs to it no more; the row stays, since what he did names it.
const REMOVED: &str = "removed";

/// Takes a person into the organization, with one role.
///
/// # Errors
/// `CONFLICT` when he belongs to it already.
pub(crate) async fn add(tx: &OrgTx<Platform>, user: UserId, role: BuiltinRole) -> Result<Member> {
    let now = tx.now();
    let member = tx
        .insert(entity::ActiveModel {
            id: Set(MemberId::new(now)),
            user_id: Set(user),
            status: Set(ACTIVE.to_owned()),
            joined_at: Set(now),
            removed_at: Set(None),
            version: Set(1),
            created_at: Set(now),
            updated_at: Set(now),
            ..Default::default()
        })
        .await?;
    grant(tx, member.id, roles::builtin(tx, role).await?).await?;
    let facts = json!({ "user_id": user, "roles": [role.key()] });
    tx.record(Action::MemberAdded, member.id, Details::created(facts)).await?;
    Ok(member)
}

async fn grant(tx: &OrgTx<Platform>, member: MemberId, role: RoleId) -> Result<()> {
    tx.live::<roles::Entity>("role_id", role).await?;
    tx.insert(roles_held::ActiveModel {
        id: Set(MemberRoleId::new(tx.now())),
        member_id: Set(member),
        role_id: Set(role),
        granted_by: Set(None),
        created_at: Set(tx.now()),
        ..Default::default()
    })
    .await
    .map(drop)
}

/// A role as its holder sees it.
#[derive(Clone, Debug, PartialEq, Eq, DerivePartialModel)]
#[sea_orm(entity = "roles::Entity")]
pub struct RoleHeld {
    /// The role.
    pub id: RoleId,
    /// Its stable name, for programs.
    pub key: String,
    /// Its name, for people.
    pub name: String,
}

#[derive(DerivePartialModel)]
#[sea_orm(entity = "roles_held::Entity")]
struct Held {
    #[sea_orm(nested)]
    role: Option<RoleHeld>,
}

/// What a member may do, and why.
#[derive(Clone, Debug)]
pub struct Effective {
    /// Who.
    pub member: MemberId,
    /// The roles he holds.
    pub roles: Vec<RoleHeld>,
}

impl Effective {
    /// Every permission the member holds, with the keys of the roles it comes from.
    pub fn permissions(&self) -> Vec<(Permission, Vec<&str>)> {
        let sets: Vec<(&str, PermissionSet)> = self
            .roles
            .iter()
            .filter_map(|role| Some((role.key.as_str(), BuiltinRole::from_key(&role.key)?.permissions())))
            .collect();
        let from = |permission: Permission| -> Vec<&str> {
            sets.iter().filter(|(_, set)| set.contains(permission)).map(|(key, _)| *key).collect()
        };
        let all = Permission::ALL.iter().map(|permission| (*permission, from(*permission)));
        all.filter(|(_, roles)| !roles.is_empty()).collect()
    }
}

/// What the caller may do in the organization, and by which of his roles.
///
/// # Errors
/// `NotFound` when the caller is no member.
pub async fn my_permissions(tx: &OrgTx<Membership>) -> Result<Effective> {
    let member = tx.member().ok_or(Error::NotFound(Member::NAME))?;
    let held = tx
        .find::<roles_held::Entity>()
        .filter(roles_held::Column::MemberId.eq(member))
        .join::<roles::Entity>()
        .views::<Held>(roles_held::Column::Id)
        .await?;
    Ok(Effective { member, roles: held.into_iter().filter_map(|held| held.role).collect() })
}

impl Member {
    /// What a member is called in refusals.
    pub(crate) const NAME: &'static str = <Entity as crate::db::TenantTable>::NAME;
}
