//! The query for a caller and an organization: session, user, organization, membership and roles.

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, Utc};
use sea_orm::{
    Condition, DbErr, EntityTrait, FromQueryResult, QueryResult,
    sea_query::{Expr, ExprTrait, JoinType, Query, SelectStatement},
};

use crate::tenancy::members::{self, member_roles};
use crate::{
    Result,
    base::{
        ids::{MemberId, MemberRoleId, OrgId, RoleId},
        permissions::{MembershipAccess, Permission, PermissionSet, RoleGrants},
    },
    identity::{
        sessions::{self, Claims},
        users,
    },
    storage::db::Unscoped,
    tenancy::{
        organizations::{self, OrgRef},
        roles,
    },
};

/// The result of the query for a caller and the organization of the request.
pub(super) struct AccessRow {
    /// The e-mail address of the caller.
    pub(super) email: String,
    pub(super) is_verified: bool,
    pub(super) is_superuser: bool,
    /// When the caller last entered the password.
    pub(super) auth_time: DateTime<Utc>,
    /// See [`sessions::note_presented`].
    pub(super) presented: i64,
    pub(super) organization: Option<OrgId>,
    /// `None` if the caller is not an active member.
    pub(super) member: Option<MemberId>,
    pub(super) membership: MembershipAccess,
}

/// A row of the result: one permission of one role of the caller. There is one row for a built-in role, and one row without a
/// role for a caller without roles.
struct Row {
    email: String,
    is_verified: bool,
    is_superuser: bool,
    auth_time: DateTime<Utc>,
    presented: i64,
    organization: Option<OrgId>,
    status: Option<String>,
    is_deleted: bool,
    member: Option<MemberId>,
    held: Option<MemberRoleId>,
    role: Option<RoleId>,
    key: Option<String>,
    name: Option<String>,
    is_builtin: Option<bool>,
    permission: Option<String>,
}

impl FromQueryResult for Row {
    fn from_query_result(row: &QueryResult, _: &str) -> Result<Self, DbErr> {
        Ok(Self {
            email: row.try_get("", "email")?,
            is_verified: row.try_get("", "verified")?,
            is_superuser: row.try_get("", "superuser")?,
            auth_time: row.try_get("", "auth_time")?,
            presented: row.try_get("", "presented")?,
            organization: row.try_get("", "organization")?,
            status: row.try_get("", "status")?,
            is_deleted: row.try_get("", "deleted")?,
            member: row.try_get("", "member")?,
            held: row.try_get("", "held")?,
            role: row.try_get("", "role")?,
            key: row.try_get("", "key")?,
            name: row.try_get("", "name")?,
            is_builtin: row.try_get("", "builtin")?,
            permission: row.try_get("", "permission")?,
        })
    }
}

/// Runs the query. `None` when the session has ended or its account is not active.
pub(super) async fn look_up(tx: &Unscoped, claims: &Claims, org: &OrgRef) -> Result<Option<AccessRow>> {
    let rows: Vec<Row> = tx.rows(&query(claims, org, tx.now())).await?;
    let Some(first) = rows.first() else { return Ok(None) };
    let mut access = AccessRow {
        email: first.email.clone(),
        is_verified: first.is_verified,
        is_superuser: first.is_superuser,
        auth_time: first.auth_time,
        presented: first.presented,
        organization: first.organization,
        member: first.member,
        membership: MembershipAccess {
            is_deleted: first.is_deleted,
            is_suspended: first.status.as_deref() != Some(organizations::ACTIVE),
            // The query joins only active memberships.
            is_inactive: false,
            roles: Arc::default(),
        },
    };
    // In the order in which the roles were granted, which is the order of their ids.
    let mut roles = BTreeMap::<MemberRoleId, RoleGrants>::new();
    for row in rows {
        let (Some(held), Some(id), Some(key), Some(name)) = (row.held, row.role, row.key, row.name) else {
            continue;
        };
        let is_builtin = row.is_builtin.unwrap_or_default();
        let stored: PermissionSet =
            row.permission.as_deref().and_then(Permission::parse).into_iter().collect();
        let allowed = RoleGrants::permissions_of(&key, is_builtin, stored);
        let role =
            roles.entry(held).or_insert(RoleGrants { id, key, name, is_builtin, permissions: allowed });
        role.permissions = role.permissions.union(allowed);
    }
    access.membership.roles = roles.into_values().collect();
    Ok(Some(access))
}

type ColumnOf<T> = (T, <T as EntityTrait>::Column);

fn organization(column: organizations::Column) -> ColumnOf<organizations::Entity> {
    (organizations::Entity, column)
}

fn member(column: members::Column) -> ColumnOf<members::Entity> {
    (members::Entity, column)
}

fn held(column: member_roles::Column) -> ColumnOf<member_roles::Entity> {
    (member_roles::Entity, column)
}

fn role(column: roles::Column) -> ColumnOf<roles::Entity> {
    (roles::Entity, column)
}

fn allowed(column: roles::role_permissions::Column) -> ColumnOf<roles::role_permissions::Entity> {
    (roles::role_permissions::Entity, column)
}

/// Builds the query. It has outer joins after the session and the user: the missing rows determine the error.
fn query(claims: &Claims, org: &OrgRef, now: DateTime<Utc>) -> SelectStatement {
    use crate::tenancy::members::Column as Member;
    use member_roles::Column as Held;
    use organizations::Column as Organization;
    use roles::{Column as Role, role_permissions::Column as Allowed};
    let user = |column: users::Column| (users::Entity, column);
    let session = |column: sessions::Column| (sessions::Entity, column);
    let mut query = Query::select();
    query
        .expr_as(Expr::col(user(users::Column::Email)), "email")
        .expr_as(Expr::col(user(users::Column::EmailVerifiedAt)).is_not_null(), "verified")
        .expr_as(Expr::col(user(users::Column::IsSuperuser)), "superuser")
        .expr_as(Expr::col(session(sessions::Column::AuthTime)), "auth_time")
        .expr_as(Expr::col(session(sessions::Column::PresentedCounter)), "presented")
        .expr_as(Expr::col(organization(Organization::Id)), "organization")
        .expr_as(Expr::col(organization(Organization::Status)), "status")
        .expr_as(Expr::col(organization(Organization::DeletedAt)).is_not_null(), "deleted")
        .expr_as(Expr::col(member(Member::Id)), "member")
        .expr_as(Expr::col(held(Held::Id)), "held")
        .expr_as(Expr::col(role(Role::Id)), "role")
        .expr_as(Expr::col(role(Role::Key)), "key")
        .expr_as(Expr::col(role(Role::Name)), "name")
        .expr_as(Expr::col(role(Role::IsBuiltin)), "builtin")
        .expr_as(Expr::col(allowed(Allowed::Permission)), "permission")
        .from(sessions::Entity)
        .join(
            JoinType::InnerJoin,
            users::Entity,
            Expr::col(session(sessions::Column::UserId)).equals(user(users::Column::Id)),
        )
        .join(JoinType::LeftJoin, organizations::Entity, org.condition())
        .join(
            JoinType::LeftJoin,
            members::Entity,
            Condition::all()
                .add(Expr::col(member(Member::OrganizationId)).equals(organization(Organization::Id)))
                .add(Expr::col(member(Member::UserId)).equals(user(users::Column::Id)))
                .add(Expr::col(member(Member::Status)).eq(members::ACTIVE)),
        )
        .join(
            JoinType::LeftJoin,
            member_roles::Entity,
            Condition::all()
                .add(Expr::col(held(Held::OrganizationId)).equals(member(Member::OrganizationId)))
                .add(Expr::col(held(Held::MemberId)).equals(member(Member::Id))),
        )
        .join(
            JoinType::LeftJoin,
            roles::Entity,
            Condition::all()
                .add(Expr::col(role(Role::OrganizationId)).equals(held(Held::OrganizationId)))
                .add(Expr::col(role(Role::Id)).equals(held(Held::RoleId)))
                .add(Expr::col(role(Role::DeletedAt)).is_null()),
        )
        .join(
            JoinType::LeftJoin,
            roles::role_permissions::Entity,
            Condition::all()
                .add(Expr::col(allowed(Allowed::OrganizationId)).equals(role(Role::OrganizationId)))
                .add(Expr::col(allowed(Allowed::RoleId)).equals(role(Role::Id))),
        )
        .cond_where(sessions::valid(claims, now));
    query
}
