//! Roles of an organization. The built-in ones are a row each; what they allow comes from code.

mod entity;

use sea_orm::{ActiveValue::Set, ColumnTrait};

pub use entity::Model as Role;
pub(crate) use entity::{Column, Entity};

use crate::{
    Result,
    access::{BuiltinRole, Permission, Platform},
    db::OrgTx,
    ids::RoleId,
    text,
};

/// Gives a new organization its built-in roles. Part of its foundation, and of that event.
pub(crate) async fn create_builtin(tx: &OrgTx<Platform>) -> Result<()> {
    let now = tx.now();
    let row = |role: BuiltinRole| entity::ActiveModel {
        id: Set(RoleId::new(now)),
        key: Set(role.key().to_owned()),
        name: Set(role.name().to_owned()),
        name_key: Set(text::key(role.name())),
        description: Set(role.about().to_owned()),
        is_builtin: Set(true),
        version: Set(1),
        deleted_at: Set(None),
        created_at: Set(now),
        updated_at: Set(now),
        ..Default::default()
    };
    tx.insert_many(BuiltinRole::ALL.map(row).into()).await
}

/// The id of a built-in role.
pub(crate) async fn builtin(tx: &OrgTx<Platform>, role: BuiltinRole) -> Result<RoleId> {
    Ok(tx.find::<Entity>().filter(Column::Key.eq(role.key())).one().await?.id)
}

/// The keys of the roles that hold `permission`.
pub(crate) fn that_grant(permission: Permission) -> Vec<String> {
    let grants = |role: &BuiltinRole| role.permissions().contains(permission);
    BuiltinRole::ALL.iter().filter(|role| grants(role)).map(|role| role.key().to_owned()).collect()
}
