//! Authorization: the caller of a request, and their permissions in an organization. It alone decides between 401, 404, 410
//! and 403.

mod cache;
mod explain;
mod query;
mod slug_redirect;
mod suspended_member;

use std::{sync::Arc, time::Duration};

pub use cache::AccessCache;
pub use explain::{Explanation, explain};
use query::AccessRow;
use serde_json::json;

use crate::{
    Error, Result,
    base::{
        error::{ErrorCode, FieldErrors, MissingPermission},
        ids::{MemberId, OrgId, UserId},
        permissions::{
            Actor, ActorAccess, AuditOrigin, Authorized, DecisionReason, Membership, MembershipAccess,
            Permission, RequestInfo, RequiredPermission,
        },
        text::Justification,
    },
    identity::sessions::{self, Claims},
    runtime::telemetry::traces,
    storage::{
        audit::{self, Action, EventDetails, OrgRelation, RequestTrail},
        db::{Db, Unscoped},
    },
    tenancy::{organizations::OrgRef, roles},
};

/// The caller: a verified token, and its request.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The contents of the token.
    pub claims: Claims,
    /// The e-mail address of the user. `None` until it is looked up.
    pub label: Option<String>,
    /// The request.
    pub inquiry: RequestInfo,
    /// The `operationId` of the request.
    pub operation: &'static str,
    /// Whether the user needs a verified e-mail address. Without configured e-mail nobody could verify one.
    pub needs_verified: bool,
    /// How long after a login sensitive operations are allowed.
    pub step_up: Duration,
    /// The reason of a superuser for access to an organization, as sent. Ignored for other users.
    pub platform_access: Option<String>,
    /// Collects the facts about the caller for the audit log.
    pub trail: RequestTrail,
}

impl Caller {
    /// Checks the verification of the caller's e-mail address. No other code decides about unverified accounts.
    ///
    /// # Errors
    /// `EMAIL_UNVERIFIED` when the e-mail address must be verified and is not.
    pub fn admit(&self, is_verified: bool) -> Result<()> {
        match is_verified || !self.needs_verified {
            true => Ok(()),
            false => Err(ErrorCode::EmailUnverified.refuse()),
        }
    }

    /// Returns the origin of the caller's changes for the audit log.
    pub fn origin(&self) -> AuditOrigin {
        AuditOrigin {
            actor: Actor::User(self.claims.user),
            label: self.label.clone(),
            session: Some(self.claims.session),
            inquiry: self.inquiry.clone(),
        }
    }
}

/// A caller's access to an organization: everything that decides about permissions there.
#[derive(Clone, Debug)]
pub(crate) struct CallerAccess {
    pub(crate) organization: OrgId,
    /// `None` for a superuser who gave a reason.
    member: Option<MemberId>,
    /// The e-mail address of the user.
    label: String,
    is_recent: bool,
    membership: MembershipAccess,
}

/// Looks up whether the caller has the permission `P` in the organization.
///
/// # Errors
/// - `INVALID_TOKEN` when the session has ended or the user is inactive or deleted.
/// - `EMAIL_UNVERIFIED`.
/// - `MembershipSuspended` for a suspended member.
/// - `NotFound` when the caller is no member, with the same answer when the organization does not exist.
/// - `Moved` for a member who uses an old slug.
/// - `ORGANIZATION_DELETED`; `ORGANIZATION_SUSPENDED` for changes.
/// - `Forbidden` for a member without the permission.
/// - `REAUTH_REQUIRED` for sensitive operations.
///
/// A superuser who gives a reason has all permissions. The access is recorded in the audit log of the organization first;
/// if that fails, the request fails.
pub async fn authorize<P: RequiredPermission>(
    db: &Db,
    caller: &Caller,
    org: &OrgRef,
) -> Result<Authorized<P>> {
    let access = CallerAccess::look_up(db, caller, org).await?;
    let proof = access.decide(db, caller).await?;
    if access.member.is_none() {
        record_platform_access(db, caller, &proof).await?;
    }
    Ok(proof)
}

/// Records the access of a superuser, and its reason, in the audit log of the organization.
async fn record_platform_access<P: RequiredPermission>(
    db: &Db,
    caller: &Caller,
    proof: &Authorized<P>,
) -> Result<()> {
    let reason = caller.platform_access.as_deref().map(Justification::parse);
    let mut fields = FieldErrors::default();
    let reason = fields.parse_optional(PLATFORM_ACCESS, reason);
    fields.into_result()?;
    let facts = json!({ "reason": reason.map(String::from), "operation": caller.operation });
    let recorded = audit::record_in_own_tx(
        db,
        proof.origin(),
        proof.org(),
        Action::PlatformAccess,
        EventDetails::created(facts),
    );
    recorded.await.map_err(|error| {
        tracing::error!(%error, "could not record a superuser's access to an organization");
        Error::Unavailable { retry_after: Duration::from_secs(1) }
    })
}

/// Returns the actor for the audit log.
fn actor(user: UserId, is_superuser: bool) -> Actor {
    match is_superuser {
        true => Actor::Superuser(user),
        false => Actor::User(user),
    }
}

/// The header with the reason of a superuser, as the field of validation errors.
const PLATFORM_ACCESS: &str = "X-Platform-Access";

impl CallerAccess {
    /// Looks up the access with one query.
    pub(crate) async fn look_up(db: &Db, caller: &Caller, org: &OrgRef) -> Result<Self> {
        #[expect(clippy::disallowed_methods, reason = "determines in which organization the caller can act")]
        let tx = db.unscoped().await?;
        let row = query::look_up(&tx, &caller.claims, org).await?;
        let row = row.ok_or(Error::Refused(ErrorCode::InvalidToken))?;
        let presented = row.presented;
        let access = Self::from_row(&tx, caller, org, row).await;
        drop(tx);
        sessions::note_presented(db, &caller.claims, presented).await;
        access
    }

    async fn from_row(tx: &Unscoped, caller: &Caller, org: &OrgRef, row: AccessRow) -> Result<Self> {
        caller.trail.set_label(&row.email);
        caller.admit(row.is_verified)?;
        let is_superuser = row.is_superuser && caller.platform_access.is_some();
        let member = if is_superuser { None } else { row.member };
        match (row.organization, member) {
            (Some(organization), member) if is_superuser || member.is_some() => {
                let (label, is_recent) = (row.email, row.auth_time + caller.step_up > tx.now());
                let access = Self { organization, member, label, is_recent, membership: row.membership };
                access.note_in_trail(caller);
                Ok(access)
            }
            (organization, _) => {
                let (user, relation) = (caller.claims.user, OrgRelation::NotMember(organization));
                caller.trail.set_org_relation(actor(user, is_superuser), relation);
                match suspended_member::organization_name(tx, user, org).await? {
                    Some(name) if !is_superuser => Err(Error::MembershipSuspended(name)),
                    _ => Err(slug_redirect::not_found_or_moved(tx, user, is_superuser, org).await?),
                }
            }
        }
    }

    /// Notes the caller's relation to the organization in the request trail, and the organization in the trace. Errors of superusers do not get into the audit
    /// log of the organization.
    pub(crate) fn note_in_trail(&self, caller: &Caller) {
        let relation =
            if self.member.is_some() { OrgRelation::Member(self.organization) } else { OrgRelation::None };
        traces::set_org(self.organization);
        caller.trail.set_label(&self.label);
        caller.trail.set_org_relation(actor(caller.claims.user, self.member.is_none()), relation);
    }

    /// Decides about the permission `P` from the stored values, without a query.
    pub(crate) fn grants<P: RequiredPermission>(
        &self,
        caller: &Caller,
    ) -> Result<Authorized<P>, DecisionReason> {
        let user = caller.claims.user;
        let actor = actor(user, self.member.is_none());
        let facts = match self.member {
            Some(_) => {
                let (held, is_owner) = (self.membership.held(), self.membership.is_owner());
                let roles = Arc::clone(&self.membership.roles);
                ActorAccess { member: self.member, roles, held, is_owner, is_recent: self.is_recent }
            }
            None => ActorAccess { is_recent: self.is_recent, ..ActorAccess::platform() },
        };
        let permission = P::PERMISSION.filter(|_| self.member.is_some());
        let decision = self.membership.decide(permission, P::CHANGES, P::ALLOWS_DELETED);
        match decision.reason {
            DecisionReason::Granted => {
                let origin = AuditOrigin { actor, label: Some(self.label.clone()), ..caller.origin() };
                #[expect(clippy::disallowed_methods, reason = "the permission was looked up")]
                Ok(Authorized::from_lookup(self.organization, origin, facts))
            }
            reason => Err(reason),
        }
    }

    /// Decides about the permission `P`. If it is missing, looks up the roles that include it.
    pub(crate) async fn decide<P: RequiredPermission>(
        &self,
        db: &Db,
        caller: &Caller,
    ) -> Result<Authorized<P>> {
        match (self.grants::<P>(caller), P::PERMISSION) {
            (Ok(_), _) if P::REQUIRES_RECENT_LOGIN && !self.is_recent => {
                Err(ErrorCode::ReauthRequired.refuse())
            }
            (Ok(proof), _) => Ok(proof),
            (Err(DecisionReason::OrganizationDeleted), _) => Err(ErrorCode::OrganizationDeleted.refuse()),
            (Err(DecisionReason::OrganizationSuspended), _) => Err(ErrorCode::OrganizationSuspended.refuse()),
            (Err(DecisionReason::MembershipInactive), _) => Err(Error::NotFound("organization")),
            (Err(_), None) => {
                Err(Error::Internal("a membership was not enough for an operation without a permission"))
            }
            (Err(_), Some(permission)) => Err(self.missing_permission(db, caller, permission).await?),
        }
    }

    async fn missing_permission(&self, db: &Db, caller: &Caller, permission: Permission) -> Result<Error> {
        let facts = ActorAccess {
            member: self.member,
            roles: Arc::clone(&self.membership.roles),
            held: self.membership.held(),
            is_owner: false,
            is_recent: false,
        };
        #[expect(
            clippy::disallowed_methods,
            reason = "the error tells a member which roles include the permission"
        )]
        let proof: Authorized<Membership> =
            Authorized::from_lookup(self.organization, caller.origin(), facts);
        let roles_that_grant = roles::keys_granting(&db.begin(proof).await?, permission).await?;
        let roles_held = self.membership.keys();
        Ok(Error::Forbidden(Box::new(MissingPermission { permission, roles_held, roles_that_grant })))
    }
}
