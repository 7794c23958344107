//! The one rule of 401, 404, 410 and 403, in one query: session, person, organization, membership, roles.

use sea_orm::{
    Condition, DbErr, FromQueryResult, QueryResult,
    sea_query::{Expr, ExprTrait, JoinType, Query, SelectStatement},
};

use super::{entity, roles_held};
use crate::{
    Error, Result,
    access::{Actor, Authorized, BuiltinRole, Grant, Origin, PermissionSet},
    db::Db,
    error::{Code, Missing},
    ids::{MemberId, OrgId},
    organizations::{self, OrgRef},
    roles,
    sessions::{self, Claims},
};

/// Who calls: a verified token, and the request it came with.
#[derive(Clone, Debug)]
pub struct Caller {
    /// What the token says.
    pub claims: Claims,
    /// The request.
    pub request_id: Option<String>,
    /// Must his address be verified? It must where mail can be sent; elsewhere nobody could ever verify his.
    pub needs_verified: bool,
}

impl Caller {
    /// The one rule of unverified accounts.
    ///
    /// # Errors
    /// `EMAIL_UNVERIFIED` when the caller's address is not, and must be.
    pub fn admit(&self, is_verified: bool) -> Result<()> {
        match is_verified || !self.needs_verified {
            true => Ok(()),
            false => Err(Code::EmailUnverified.refuse()),
        }
    }

    /// Where the caller's changes come from.
    pub fn origin(&self) -> Origin {
        Origin {
            actor: Actor::User(self.claims.user),
            session: Some(self.claims.session),
            request_id: self.request_id.clone(),
        }
    }
}

/// One role of the caller, or one row without a role.
struct Found {
    verified: bool,
    organization: Option<OrgId>,
    status: Option<String>,
    deleted: bool,
    member: Option<MemberId>,
    role: Option<String>,
}

impl FromQueryResult for Found {
    fn from_query_result(row: &QueryResult, _: &str) -> Result<Self, DbErr> {
        Ok(Self {
            verified: row.try_get("", "verified")?,
            organization: row.try_get("", "organization")?,
            status: row.try_get("", "status")?,
            deleted: row.try_get("", "deleted")?,
            member: row.try_get("", "member")?,
            role: row.try_get("", "role")?,
        })
    }
}

/// What a caller is in an organization: all there is to know to decide whether he may do anything there.
#[derive(Clone, Debug)]
pub(super) struct Standing {
    pub(super) organization: OrgId,
    is_deleted: bool,
    is_active: bool,
    member: MemberId,
    roles_held: Vec<String>,
    held: PermissionSet,
}

/// Looks up whether the caller may do `P` in the organization.
///
/// # Errors
/// `INVALID_TOKEN` when the session has ended or the person is inactive or deleted; `EMAIL_UNVERIFIED`; `NotFound` to whoever is no active
/// member (also when there is no such organization: the same); `ORGANIZATION_DELETED`; `ORGANIZATION_SUSPENDED` for
/// changes; `Forbidden` to a member without the permission.
pub async fn authorize<P: Grant>(db: &Db, caller: &Caller, org: &OrgRef) -> Result<Authorized<P>> {
    Standing::look_up(db, caller, org).await?.decide(caller)
}

impl Standing {
    /// In one query.
    pub(super) async fn look_up(db: &Db, caller: &Caller, org: &OrgRef) -> Result<Self> {
        #[expect(
            clippy::disallowed_methods,
            reason = "finds out in which organization the caller may act at all"
        )]
        let tx = db.unscoped().await?;
        let found: Vec<Found> = tx.rows(&query(&caller.claims, org, tx.now())).await?;
        drop(tx);
        let first = found.first().ok_or(Error::Refused(Code::InvalidToken))?;
        caller.admit(first.verified)?;
        let (Some(organization), Some(member)) = (first.organization, first.member) else {
            return Err(Error::NotFound("organization"));
        };
        let (is_deleted, is_active) = (first.deleted, first.status.as_deref() == Some(organizations::ACTIVE));
        let roles_held: Vec<String> = found.into_iter().filter_map(|row| row.role).collect();
        let builtin = roles_held.iter().filter_map(|key| BuiltinRole::from_key(key));
        let held = builtin.fold(PermissionSet::default(), |held, role| held.union(role.permissions()));
        Ok(Self { organization, is_deleted, is_active, member, roles_held, held })
    }

    /// May he do `P`?
    pub(super) fn decide<P: Grant>(&self, caller: &Caller) -> Result<Authorized<P>> {
        if self.is_deleted {
            return Err(Code::OrganizationDeleted.refuse());
        }
        if P::WRITES && !self.is_active {
            return Err(Code::OrganizationSuspended.refuse());
        }
        if let Some(permission) = P::PERMISSION.filter(|permission| !self.held.contains(*permission)) {
            let (roles_held, roles_that_grant) = (self.roles_held.clone(), roles::that_grant(permission));
            return Err(Error::Forbidden(Box::new(Missing { permission, roles_held, roles_that_grant })));
        }
        #[expect(clippy::disallowed_methods, reason = "the right was looked up")]
        Ok(Authorized::checked(self.organization, caller.origin(), Some(self.member), self.held))
    }
}

/// Outer joins from the session on: what is missing says which refusal it is.
fn query(claims: &Claims, org: &OrgRef, now: chrono::DateTime<chrono::Utc>) -> SelectStatement {
    use entity::Column as Member;
    use organizations::Column as Organization;
    use roles::Column as Role;
    use roles_held::Column as Held;
    type Of<T> = (T, <T as sea_orm::EntityTrait>::Column);
    let organization = |column| -> Of<organizations::Entity> { (organizations::Entity, column) };
    let member = |column| -> Of<entity::Entity> { (entity::Entity, column) };
    let held = |column| -> Of<roles_held::Entity> { (roles_held::Entity, column) };
    let role = |column| -> Of<roles::Entity> { (roles::Entity, column) };
    let user = (crate::users::Entity, crate::users::Column::Id);
    let verified_at = (crate::users::Entity, crate::users::Column::EmailVerifiedAt);
    let mut query = Query::select();
    query
        .expr_as(Expr::col(verified_at).is_not_null(), "verified")
        .expr_as(Expr::col(organization(Organization::Id)), "organization")
        .expr_as(Expr::col(organization(Organization::Status)), "status")
        .expr_as(Expr::col(organization(Organization::DeletedAt)).is_not_null(), "deleted")
        .expr_as(Expr::col(member(Member::Id)), "member")
        .expr_as(Expr::col(role(Role::Key)), "role")
        .from(sessions::Entity)
        .join(
            JoinType::InnerJoin,
            crate::users::Entity,
            Expr::col((sessions::Entity, sessions::Column::UserId)).equals(user),
        )
        .join(JoinType::LeftJoin, organizations::Entity, org.condition())
        .join(
            JoinType::LeftJoin,
            entity::Entity,
            Condition::all()
                .add(Expr::col(member(Member::OrganizationId)).equals(organization(Organization::Id)))
                .add(Expr::col(member(Member::UserId)).equals(user))
                .add(Expr::col(member(Member::Status)).eq(super::ACTIVE)),
        )
        .join(
            JoinType::LeftJoin,
            roles_held::Entity,
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
        .cond_where(sessions::good(claims, now));
    query
}
