//! Custom roles of an organization: a name and a set of permissions.

use std::collections::HashMap;

use sea_orm::{ActiveValue::Set, ColumnTrait, Condition};
use serde_json::{Value, json};

use super::{Column, Entity, Role, entity::ActiveModel, grants, role_permissions, search_key};
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
        text::{RoleDescription, RoleName, SearchTerm},
    },
    storage::{
        audit::{Action, EventDetails},
        db::{ExpectedVersion, OrgTx, SortKey, TenantTable, contains_term},
    },
    tenancy::organizations,
};

/// Maximum length of a key, in characters.
const KEY_MAX: usize = 50;

/// The data of a new role.
#[derive(Clone, Debug)]
pub struct NewRole {
    /// Display name; unique in the organization.
    pub name: RoleName,
    /// The purpose of the role.
    pub description: RoleDescription,
    /// The permissions that the role includes.
    pub permissions: PermissionSet,
}

/// Changes of a role. `None` leaves a field as it is.
#[derive(Clone, Debug, Default)]
pub struct RoleChanges {
    /// Display name; unique in the organization.
    pub name: Option<RoleName>,
    /// The purpose of the role.
    pub description: Option<RoleDescription>,
}

/// A role with its permissions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleWithPermissions {
    /// The role.
    pub role: Role,
    /// The permissions that the role includes.
    pub permissions: PermissionSet,
}

/// Sort key of the list. An organization has few roles, so only the name has an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoleKey {
    /// Creation time; built-in roles come first.
    CreatedAt,
    /// Display name, case-insensitive.
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

/// Returns the values of a role for the audit log.
pub(crate) fn facts(role: &Role, permissions: PermissionSet) -> Value {
    let permissions: Vec<_> = permissions.iter().map(Permission::as_str).collect();
    json!({ "key": role.key, "name": role.name, "description": role.description, "permissions": permissions })
}

/// Adds the permissions to each role.
async fn with_permissions<P: RequiredPermission>(
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

/// Returns one page of the roles; with a `term`, only those whose key or name contains it.
///
/// # Errors
/// Any database error.
pub async fn list(
    tx: &OrgTx<RolesRead>,
    term: Option<SearchTerm>,
    request: PageRequest<RoleKey>,
) -> Result<Page<RoleWithPermissions>> {
    let named = term.as_ref().map(|term| contains_term(Column::SearchKey, term));
    let page = tx.find::<Entity>().filter(Condition::all().add_option(named)).page(request).await?;
    Ok(Page { data: with_permissions(tx, page.data).await?, next: page.next })
}

/// The first roles whose key or name contains the term, by name.
pub(crate) async fn search<P: RequiredPermission>(
    tx: &OrgTx<P>,
    term: &SearchTerm,
    limit: u64,
) -> Result<Vec<Role>> {
    tx.find::<Entity>().filter(contains_term(Column::SearchKey, term)).first(Column::NameKey, limit).await
}

/// Returns one role.
///
/// # Errors
/// `NotFound`, also for a role of another organization.
pub async fn get<P: RequiredPermission>(tx: &OrgTx<P>, id: RoleId) -> Result<RoleWithPermissions> {
    let role = tx.find::<Entity>().filter(Column::Id.eq(id)).one().await?;
    with_permissions(tx, vec![role]).await?.pop().ok_or(Error::NotFound(Entity::NAME))
}

/// Checks that a role exists.
///
/// # Errors
/// `NotFound`, also for a role of another organization.
pub async fn exists<P: RequiredPermission>(tx: &OrgTx<P>, id: RoleId) -> Result<()> {
    match tx.find::<Entity>().filter(Column::Id.eq(id)).exists().await? {
        true => Ok(()),
        false => Err(Error::NotFound(Entity::NAME)),
    }
}

/// Locks a custom role and returns it. `expected`: the version that a client knows.
///
/// # Errors
/// `NotFound`; `PRECONDITION_FAILED`; `ROLE_BUILTIN`.
pub(crate) async fn lock<P: WritePermission>(
    tx: &OrgTx<P>,
    id: RoleId,
    expected: &ExpectedVersion,
) -> Result<RoleWithPermissions> {
    let role = tx.find::<Entity>().filter(Column::Id.eq(id)).one_locked().await?;
    expected.check(&role.version)?;
    match role.is_builtin {
        true => Err(ErrorCode::RoleBuiltin.refuse()),
        false => with_permissions(tx, vec![role]).await?.pop().ok_or(Error::NotFound(Entity::NAME)),
    }
}

/// Creates a role.
///
/// # Errors
/// `ESCALATION`; `ROLE_NAME_TAKEN`; `ORGANIZATION_DELETED`.
pub async fn create(tx: &OrgTx<RolesCreate>, new: NewRole) -> Result<RoleWithPermissions> {
    tx.facts().refuse_escalation(new.permissions, false)?;
    // The lock serializes concurrent requests, so that the checks of the name and the key see all other roles.
    organizations::lock(tx).await?;
    refuse_similar_name(tx, &new.name, None).await?;
    let (now, key) = (tx.now(), free_key(tx, new.name.slug()).await?);
    let role = tx
        .insert(ActiveModel {
            id: Set(RoleId::new(now)),
            search_key: Set(search_key(&key, new.name.as_str())),
            key: Set(key),
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
    add_permissions(tx, role.id, new.permissions).await?;
    tx.record(Action::RoleCreated, role.id, EventDetails::created(facts(&role, new.permissions))).await?;
    Ok(RoleWithPermissions { role, permissions: new.permissions })
}

/// Fails for a name that looks like that of a role other than `this`, because members could grant the wrong role.
///
/// # Errors
/// `ROLE_NAME_TAKEN`.
async fn refuse_similar_name<P: WritePermission>(
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

/// Returns `wanted`, with a random suffix if a role has or had this key. So a key never refers to another role.
async fn free_key<P: WritePermission>(tx: &OrgTx<P>, wanted: String) -> Result<String> {
    let has_key = || Column::Key.eq(wanted.as_str());
    let is_taken = tx.find::<Entity>().filter(has_key()).exists().await?
        || tx.find_deleted::<Entity>().filter(has_key()).exists().await?;
    let key = if is_taken { format!("{wanted}-{}", hex(&random_bytes::<4>())) } else { wanted };
    Ok(key.chars().take(KEY_MAX).collect())
}

/// Updates name and description. Without a difference, neither the version changes nor an event is recorded.
///
/// # Errors
/// `NotFound`; `PRECONDITION_FAILED`; `ROLE_BUILTIN`; `ROLE_NAME_TAKEN`.
pub async fn update(
    tx: &OrgTx<RolesUpdate>,
    id: RoleId,
    changes: RoleChanges,
    expected: &ExpectedVersion,
) -> Result<RoleWithPermissions> {
    if changes.name.is_some() {
        // The name is compared with all other names, so the lock serializes changes of names.
        organizations::lock(tx).await?;
    }
    let RoleWithPermissions { role: before, permissions } = lock(tx, id, expected).await?;
    let mut after = before.clone();
    if let Some(name) = changes.name {
        refuse_similar_name(tx, &name, Some(id)).await?;
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
            search_key: Set(search_key(&after.key, &after.name)),
            name: Set(after.name),
            name_key: Set(after.name_key),
            description: Set(after.description),
            version: Set(before.version + 1),
            updated_at: Set(tx.now()),
            ..Default::default()
        })
        .await?;
    let details = EventDetails::changed(facts(&before, permissions), facts(&role, permissions));
    tx.record(Action::RoleUpdated, id, details).await?;
    Ok(RoleWithPermissions { role, permissions })
}

/// Replaces the permissions of a role. Permissions of the role can stay even if the caller does not have them, because
/// nobody gains a permission.
///
/// # Errors
/// `NotFound`; `PRECONDITION_FAILED`; `ROLE_BUILTIN`; `ESCALATION`.
pub async fn set_permissions(
    tx: &OrgTx<RolesUpdate>,
    id: RoleId,
    permissions: PermissionSet,
    expected: &ExpectedVersion,
) -> Result<RoleWithPermissions> {
    let before = lock(tx, id, expected).await?;
    if before.permissions == permissions {
        return Ok(before);
    }
    tx.facts().refuse_escalation(permissions.without(before.permissions), false)?;
    let removed = before.permissions.without(permissions);
    if !removed.is_empty() {
        let rows = role_permissions::Column::Permission.is_in(removed.iter().map(Permission::as_str));
        let condition = Condition::all().add(role_permissions::Column::RoleId.eq(id)).add(rows);
        tx.delete::<role_permissions::Entity>(condition).await?;
    }
    add_permissions(tx, id, permissions.without(before.permissions)).await?;
    let version = Set(before.role.version + 1);
    let row = ActiveModel { id: Set(id), version, updated_at: Set(tx.now()), ..Default::default() };
    let role = tx.update(row).await?;
    let details = EventDetails::changed(facts(&before.role, before.permissions), facts(&role, permissions));
    tx.record(Action::RoleUpdated, id, details).await?;
    Ok(RoleWithPermissions { role, permissions })
}

/// Adds permissions to a role with one statement.
async fn add_permissions<P: WritePermission>(
    tx: &OrgTx<P>,
    role: RoleId,
    permissions: PermissionSet,
) -> Result<()> {
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
