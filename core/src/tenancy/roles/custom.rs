//! Roles of an organization's own: a name and a set of permissions.

use std::collections::HashMap;

use sea_orm::{ActiveValue::Set, ColumnTrait, Condition};
use serde_json::{Value, json};

use super::{Column, Entity, Role, entity::ActiveModel, grants, role_permissions};
use crate::{
    Error, Result,
    base::{
        crypto::{hex, random_bytes},
        error::ErrorCode,
        ids::{RoleId, RolePermissionId},
        pagination::{Page, PageRequest},
        permissions::{
            Permission, PermissionSet, RequiredPermission, RolesCreate, RolesRead, RolesUpdate,
            WritePermission,
        },
        text::{RoleDescription, RoleName},
    },
    storage::{
        audit::{Action, Details},
        db::{Expected, OrgTx, SortKey, TenantTable},
    },
    tenancy::organizations,
};

/// Longest key, in characters.
const KEY_MAX: usize = 50;

/// What a new role is.
#[derive(Clone, Debug)]
pub struct NewRole {
    /// Its name, for people; unique in the organization.
    pub name: RoleName,
    /// What it is for.
    pub description: RoleDescription,
    /// What it allows.
    pub permissions: PermissionSet,
}

/// What is to change; `None` leaves a field as it is.
#[derive(Clone, Debug, Default)]
pub struct RoleChanges {
    /// Its name, for people; unique in the organization.
    pub name: Option<RoleName>,
    /// What it is for.
    pub description: Option<RoleDescription>,
}

/// A role, and what it allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleWithPermissions {
    /// The role.
    pub role: Role,
    /// What it allows.
    pub permissions: PermissionSet,
}

/// What the list can be ordered by. An organization has few roles: no index is needed beyond that of the names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoleKey {
    /// When it was made: the built-in ones come first.
    CreatedAt,
    /// Its name, without regard to case.
    Name,
}

impl SortKey for RoleKey {
    type Table = Entity;

    fn column(self) -> Column {
        match self {
            Self::CreatedAt => Column::CreatedAt,
            Self::Name => Column::NameKey,
        }
    }
}

/// The facts of a role that the audit log tells.
pub(crate) fn facts(role: &Role, permissions: PermissionSet) -> Value {
    let permissions: Vec<_> = permissions.iter().map(Permission::as_str).collect();
    json!({ "key": role.key, "name": role.name, "description": role.description, "permissions": permissions })
}

async fn allowing<P: RequiredPermission>(
    tx: &OrgTx<P>,
    roles: Vec<Role>,
) -> Result<Vec<RoleWithPermissions>> {
    let allowed: HashMap<_, _> =
        grants(tx, roles.clone()).await?.into_iter().map(|role| (role.id, role.permissions)).collect();
    let of = |role: Role| RoleWithPermissions {
        permissions: allowed.get(&role.id).copied().unwrap_or_default(),
        role,
    };
    Ok(roles.into_iter().map(of).collect())
}

/// One page of the roles.
///
/// # Errors
/// Whatever the database refuses.
pub async fn list(tx: &OrgTx<RolesRead>, listing: PageRequest<RoleKey>) -> Result<Page<RoleWithPermissions>> {
    let page = tx.find::<Entity>().page(listing).await?;
    Ok(Page { data: allowing(tx, page.data).await?, next: page.next })
}

/// One role.
///
/// # Errors
/// `NotFound`, also when it is another organization's.
pub async fn get<P: RequiredPermission>(tx: &OrgTx<P>, id: RoleId) -> Result<RoleWithPermissions> {
    let role = tx.find::<Entity>().filter(Column::Id.eq(id)).one().await?;
    allowing(tx, vec![role]).await?.pop().ok_or(Error::NotFound(Entity::NAME))
}

/// Whether there is such a role, for whoever may do anything to it.
///
/// # Errors
/// `NotFound`, also when it is another organization's.
pub async fn exists<P: RequiredPermission>(tx: &OrgTx<P>, id: RoleId) -> Result<()> {
    match tx.find::<Entity>().filter(Column::Id.eq(id)).exists().await? {
        true => Ok(()),
        false => Err(Error::NotFound(Entity::NAME)),
    }
}

/// A role of the organization's own, locked. `expected`: the version that a client knows.
///
/// # Errors
/// `NotFound`; `PRECONDITION_FAILED`; `ROLE_BUILTIN`.
pub(crate) async fn lock<P: WritePermission>(
    tx: &OrgTx<P>,
    id: RoleId,
    expected: &Expected,
) -> Result<RoleWithPermissions> {
    let role = tx.find::<Entity>().filter(Column::Id.eq(id)).one_locked().await?;
    expected.check(&role.version)?;
    match role.is_builtin {
        true => Err(ErrorCode::RoleBuiltin.refuse()),
        false => allowing(tx, vec![role]).await?.pop().ok_or(Error::NotFound(Entity::NAME)),
    }
}

/// Adds a role.
///
/// # Errors
/// `ESCALATION`; `ROLE_NAME_TAKEN`; `ORGANIZATION_DELETED`.
pub async fn create(tx: &OrgTx<RolesCreate>, new: NewRole) -> Result<RoleWithPermissions> {
    tx.facts().refuse_escalation(new.permissions, false)?;
    // Of two that want one name at once, the second sees the key of the first taken and its name refused.
    organizations::lock(tx).await?;
    refuse_resembling(tx, &new.name, None).await?;
    let now = tx.now();
    let role = tx
        .insert(ActiveModel {
            id: Set(RoleId::new(now)),
            key: Set(free_key(tx, new.name.slug()).await?),
            name_key: Set(new.name.key()),
            name: Set(new.name.into()),
            description: Set(new.description.into()),
            is_builtin: Set(false),
            version: Set(1),
            deleted_at: Set(None),
            created_at: Set(now),
            updated_at: Set(now),
            ..Default::default()
        })
        .await?;
    allow(tx, role.id, new.permissions).await?;
    tx.record(Action::RoleCreated, role.id, Details::created(facts(&role, new.permissions))).await?;
    Ok(RoleWithPermissions { role, permissions: new.permissions })
}

/// Refuses a name that can be taken for that of another role than `this`: people would give a role that they do not mean.
///
/// # Errors
/// `ROLE_NAME_TAKEN`.
async fn refuse_resembling<P: WritePermission>(
    tx: &OrgTx<P>,
    name: &RoleName,
    this: Option<RoleId>,
) -> Result<()> {
    let others = tx.find::<Entity>().filter(Condition::all().add_option(this.map(|id| Column::Id.ne(id))));
    match others.all().await?.iter().any(|role| name.resembles(&role.name)) {
        true => Err(ErrorCode::RoleNameTaken.refuse()),
        false => Ok(()),
    }
}

/// `wanted`, unless a role has it or had it: a key never changes its meaning.
async fn free_key<P: WritePermission>(tx: &OrgTx<P>, wanted: String) -> Result<String> {
    let is_it = || Column::Key.eq(wanted.as_str());
    let is_taken = tx.find::<Entity>().filter(is_it()).exists().await?
        || tx.find_deleted::<Entity>().filter(is_it()).exists().await?;
    let key = if is_taken { format!("{wanted}-{}", hex(&random_bytes::<4>())) } else { wanted };
    Ok(key.chars().take(KEY_MAX).collect())
}

/// Changes name and description. A change that changes nothing leaves no trace.
///
/// # Errors
/// `NotFound`; `PRECONDITION_FAILED`; `ROLE_BUILTIN`; `ROLE_NAME_TAKEN`.
pub async fn update(
    tx: &OrgTx<RolesUpdate>,
    id: RoleId,
    changes: RoleChanges,
    expected: &Expected,
) -> Result<RoleWithPermissions> {
    if changes.name.is_some() {
        // Names are compared with each other, so one is changed at a time.
        organizations::lock(tx).await?;
    }
    let RoleWithPermissions { role: before, permissions } = lock(tx, id, expected).await?;
    let mut after = before.clone();
    if let Some(name) = changes.name {
        refuse_resembling(tx, &name, Some(id)).await?;
        (after.name_key, after.name) = (name.key(), name.into());
    }
    if let Some(description) = changes.description {
        after.description = description.into();
    }
    if after == before {
        return Ok(RoleWithPermissions { role: before, permissions });
    }
    if after.name_key != before.name_key {
        tx.refuse_taken::<Entity>(Column::NameKey, after.name_key.as_str(), ErrorCode::RoleNameTaken).await?;
    }
    let role = tx
        .update(ActiveModel {
            id: Set(id),
            name: Set(after.name),
            name_key: Set(after.name_key),
            description: Set(after.description),
            version: Set(before.version + 1),
            updated_at: Set(tx.now()),
            ..Default::default()
        })
        .await?;
    let details = Details::changed(facts(&before, permissions), facts(&role, permissions));
    tx.record(Action::RoleUpdated, id, details).await?;
    Ok(RoleWithPermissions { role, permissions })
}

/// Changes what a role allows. What it allows already may stay, also where whoever acts lacks it: nobody gains by that.
///
/// # Errors
/// `NotFound`; `PRECONDITION_FAILED`; `ROLE_BUILTIN`; `ESCALATION`.
pub async fn set_permissions(
    tx: &OrgTx<RolesUpdate>,
    id: RoleId,
    permissions: PermissionSet,
    expected: &Expected,
) -> Result<RoleWithPermissions> {
    let before = lock(tx, id, expected).await?;
    if before.permissions == permissions {
        return Ok(before);
    }
    tx.facts().refuse_escalation(permissions.without(before.permissions), false)?;
    let gone = before.permissions.without(permissions);
    if !gone.is_empty() {
        let gone = role_permissions::Column::Permission.is_in(gone.iter().map(Permission::as_str));
        let condition = Condition::all().add(role_permissions::Column::RoleId.eq(id)).add(gone);
        tx.delete::<role_permissions::Entity>(condition).await?;
    }
    allow(tx, id, permissions.without(before.permissions)).await?;
    let version = Set(before.role.version + 1);
    let row = ActiveModel { id: Set(id), version, updated_at: Set(tx.now()), ..Default::default() };
    let role = tx.update(row).await?;
    let details = Details::changed(facts(&before.role, before.permissions), facts(&role, permissions));
    tx.record(Action::RoleUpdated, id, details).await?;
    Ok(RoleWithPermissions { role, permissions })
}

/// By one statement.
async fn allow<P: WritePermission>(tx: &OrgTx<P>, role: RoleId, permissions: PermissionSet) -> Result<()> {
    let row = |permission: Permission| role_permissions::ActiveModel {
        id: Set(RolePermissionId::new(tx.now())),
        role_id: Set(role),
        permission: Set(permission.as_str().to_owned()),
        created_at: Set(tx.now()),
        ..Default::default()
    };
    match permissions.is_empty() {
        true => Ok(()),
        false => tx.insert_many(permissions.iter().map(row).collect()).await,
    }
}
