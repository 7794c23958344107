//! Roles of an organization. Each built-in role is a row; its permissions are in the code.

#[expect(unreachable_pub, reason = "sea-orm derives public items")]
pub(crate) mod role_permissions;
mod custom;
mod entity;
mod escalation;
mod role_ref;

use std::collections::HashMap;

use sea_orm::{ActiveValue::Set, ColumnTrait};

pub use custom::{
    NewRole, RoleChanges, RoleKey, RoleWithPermissions, create, exists, get, list, set_permissions, update,
};
pub(crate) use custom::{facts, lock, search};
pub use entity::Model as Role;
pub(crate) use entity::{Column, Entity};
pub use role_ref::RoleRef;
pub(crate) use role_ref::{find, resolve};

use crate::{
    Result,
    base::{
        ids::RoleId,
        permissions::{BuiltinRole, Permission, PermissionSet, Platform, RequiredPermission, RoleGrants},
        text,
    },
    storage::db::OrgTx,
};

/// Creates the built-in roles of a new organization. The event of its creation covers them.
pub(crate) async fn create_builtin(tx: &OrgTx<Platform>) -> Result<()> {
    let now = tx.now();
    let row = |role: BuiltinRole| entity::ActiveModel {
        id: Set(RoleId::new(now)),
        key: Set(role.key().to_owned()),
        name: Set(role.name().to_owned()),
        name_key: Set(text::key(role.name())),
        search_key: Set(search_key(role.key(), role.name())),
        description: Set(role.description().to_owned()),
        is_builtin: Set(true),
        version: Set(1),
        deleted_at: Set(None),
        created_at: Set(now),
        updated_at: Set(now),
        ..Default::default()
    };
    tx.insert_many(BuiltinRole::ALL.map(row).into()).await
}

/// Key and name on a line each, so that no term matches the end of one and the start of the other.
fn search_key(key: &str, name: &str) -> String {
    text::search_key(&format!("{key}\n{name}"))
}

/// Returns the id of a built-in role.
pub(crate) async fn builtin<P: RequiredPermission>(tx: &OrgTx<P>, role: BuiltinRole) -> Result<RoleId> {
    Ok(tx.find::<Entity>().filter(Column::Key.eq(role.key())).one().await?.id)
}

/// Returns the changed row that marks a role as deleted.
pub(crate) fn deleted_row<P: RequiredPermission>(tx: &OrgTx<P>, role: &Role) -> entity::ActiveModel {
    entity::ActiveModel {
        id: Set(role.id),
        version: Set(role.version + 1),
        deleted_at: Set(Some(tx.now())),
        updated_at: Set(tx.now()),
        ..Default::default()
    }
}

/// Returns these roles with their permissions, in the same order.
pub(crate) async fn grants<P: RequiredPermission>(
    tx: &OrgTx<P>,
    roles: Vec<Role>,
) -> Result<Vec<RoleGrants>> {
    let custom: Vec<_> = roles.iter().filter(|role| !role.is_builtin).map(|role| role.id).collect();
    let mut stored = HashMap::<RoleId, PermissionSet>::new();
    for allowed in
        tx.find::<role_permissions::Entity>().all_of(role_permissions::Column::RoleId, custom).await?
    {
        // A permission of a newer version of the program is ignored.
        let permission = Permission::parse(&allowed.permission);
        let set = stored.entry(allowed.role_id).or_default();
        *set = set.union(permission.into_iter().collect());
    }
    let grants = roles.into_iter().map(|Role { id, key, name, is_builtin, .. }| {
        let stored = stored.get(&id).copied().unwrap_or_default();
        let permissions = RoleGrants::permissions_of(&key, is_builtin, stored);
        RoleGrants { id, key, name, is_builtin, permissions }
    });
    Ok(grants.collect())
}

/// Returns the roles with these ids and their permissions, without deleted roles, sorted by id.
pub(crate) async fn grants_by_id<P: RequiredPermission>(
    tx: &OrgTx<P>,
    ids: &[RoleId],
) -> Result<Vec<RoleGrants>> {
    let mut roles = tx.find::<Entity>().all_of(Column::Id, ids.iter().copied()).await?;
    roles.sort_by_key(|role| role.id);
    grants(tx, roles).await
}

/// Returns the keys of the roles of the organization that include `permission`, the built-in ones first.
pub(crate) async fn keys_granting<P: RequiredPermission>(
    tx: &OrgTx<P>,
    permission: Permission,
) -> Result<Vec<String>> {
    let grants = |role: &BuiltinRole| role.permissions().contains(permission);
    let builtin = BuiltinRole::ALL.iter().filter(|role| grants(role)).map(|role| role.key().to_owned());
    let allowed = role_permissions::Column::Permission.eq(permission.as_str());
    let custom = tx
        .find::<Entity>()
        .filter(Column::IsBuiltin.eq(false))
        .where_in::<role_permissions::Entity>(Column::Id, role_permissions::Column::RoleId, allowed);
    let mut custom = custom.all().await?;
    custom.sort_by_key(|role| role.id);
    Ok(builtin.chain(custom.into_iter().map(|role| role.key)).collect())
}
