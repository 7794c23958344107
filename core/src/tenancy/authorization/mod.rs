//! Authorization: who sends a request, and what they may do in an organization. The one rule of 401, 404, 410 and 403.

mod cache;
mod explain;
mod query;
mod slug_redirect;

use std::time::Duration;

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
    storage::{
        audit::{self, Action, Details, Place, RequestTrail},
        db::{Db, Unscoped},
    },
    tenancy::{organizations::OrgRef, roles},
};

/// Who calls: a verified token, and the request it came with.
#[derive(Clone, Debug)]
pub struct Caller {
    /// What the token says.
    pub claims: Claims,
    /// What he was called when he was last looked up: his address. `None`: not yet.
    pub label: Option<String>,
    /// The request.
    pub inquiry: RequestInfo,
    /// What is asked for: an `operationId`.
    pub operation: &'static str,
    /// Must his address be verified? It must where mail can be sent; elsewhere nobody could ever verify his.
    pub needs_verified: bool,
    /// How long after a log-in he may do what is dear.
    pub step_up: Duration,
    /// Why an operator of the platform wants to see an organization, as he wrote it; of nobody else it is read.
    pub platform_access: Option<String>,
    /// Where it is noted what he turns out to be.
    pub trail: RequestTrail,
}

impl Caller {
    /// The one rule of unverified accounts.
    ///
    /// # Errors
    /// `EMAIL_UNVERIFIED` when the caller's address is not, and must be.
    pub fn admit(&self, is_verified: bool) -> Result<()> {
        match is_verified || !self.needs_verified {
            true => Ok(()),
            false => Err(ErrorCode::EmailUnverified.refuse()),
        }
    }

    /// Where the caller's changes come from.
    pub fn origin(&self) -> AuditOrigin {
        AuditOrigin {
            actor: Actor::User(self.claims.user),
            label: self.label.clone(),
            session: Some(self.claims.session),
            inquiry: self.inquiry.clone(),
        }
    }
}

/// What a caller is in an organization: all there is to know to decide whether he may do anything there.
#[derive(Clone, Debug)]
pub(crate) struct CallerAccess {
    pub(crate) organization: OrgId,
    /// `None`: an operator of the platform, who said why.
    member: Option<MemberId>,
    /// His address.
    label: String,
    is_recent: bool,
    position: MembershipAccess,
}

/// Looks up whether the caller may do `P` in the organization.
///
/// # Errors
/// `INVALID_TOKEN` when the session has ended or the person is inactive or deleted; `EMAIL_UNVERIFIED`; `NotFound` to whoever is no active
/// member (also when there is no such organization: the same); `Moved` to a member who uses an old slug;
/// `ORGANIZATION_DELETED`; `ORGANIZATION_SUSPENDED` for changes; `Forbidden` to a member without the permission;
/// `REAUTH_REQUIRED` for what is dear.
///
/// An operator of the platform who says why passes as if he held everything: the organization is told of it first, and
/// what cannot be told is refused.
pub async fn authorize<P: RequiredPermission>(
    db: &Db,
    caller: &Caller,
    org: &OrgRef,
) -> Result<Authorized<P>> {
    let standing = CallerAccess::look_up(db, caller, org).await?;
    let proof = standing.decide(db, caller).await?;
    if standing.member.is_none() {
        tell_of_access(db, caller, &proof).await?;
    }
    Ok(proof)
}

/// The organization sees who of the platform looked at it, and why.
async fn tell_of_access<P: RequiredPermission>(
    db: &Db,
    caller: &Caller,
    proof: &Authorized<P>,
) -> Result<()> {
    let reason = caller.platform_access.as_deref().map(Justification::parse);
    let mut fields = FieldErrors::default();
    let reason = fields.parse_optional(PLATFORM_ACCESS, reason);
    fields.into_result()?;
    let facts = json!({ "reason": reason.map(String::from), "operation": caller.operation });
    let told = audit::note(db, proof.origin(), proof.org(), Action::PlatformAccess, Details::created(facts));
    told.await.map_err(|error| {
        tracing::error!(%error, "could not record a superuser's access to an organization");
        Error::Unavailable { retry_after: Duration::from_secs(1) }
    })
}

/// As whom a person acts.
fn actor(user: UserId, is_operator: bool) -> Actor {
    match is_operator {
        true => Actor::Superuser(user),
        false => Actor::User(user),
    }
}

/// Where an operator says why: the name of the header, as refusals call it.
const PLATFORM_ACCESS: &str = "X-Platform-Access";

impl CallerAccess {
    /// In one query.
    pub(crate) async fn look_up(db: &Db, caller: &Caller, org: &OrgRef) -> Result<Self> {
        #[expect(
            clippy::disallowed_methods,
            reason = "finds out in which organization the caller may act at all"
        )]
        let tx = db.unscoped().await?;
        let found = query::look_up(&tx, &caller.claims, org).await?;
        let found = found.ok_or(Error::Refused(ErrorCode::InvalidToken))?;
        let presented = found.presented;
        let standing = Self::of(&tx, caller, org, found).await;
        drop(tx);
        sessions::note_presented(db, &caller.claims, presented).await;
        standing
    }

    async fn of(tx: &Unscoped, caller: &Caller, org: &OrgRef, found: AccessRow) -> Result<Self> {
        caller.trail.called(&found.email);
        caller.admit(found.is_verified)?;
        let is_operator = found.is_superuser && caller.platform_access.is_some();
        let member = if is_operator { None } else { found.member };
        match (found.organization, member) {
            (Some(organization), member) if is_operator || member.is_some() => {
                let (label, is_recent) = (found.email, found.auth_time + caller.step_up > tx.now());
                let standing = Self { organization, member, label, is_recent, position: found.position };
                standing.note(caller);
                Ok(standing)
            }
            (organization, _) => {
                let (user, place) = (caller.claims.user, Place::Before(organization));
                caller.trail.stands(actor(user, is_operator), place);
                Err(slug_redirect::refusal(tx, user, is_operator, org).await?)
            }
        }
    }

    /// Notes where the caller turned out to stand. What an operator is refused is no matter of the organization's.
    pub(crate) fn note(&self, caller: &Caller) {
        let place = if self.member.is_some() { Place::Inside(self.organization) } else { Place::Nowhere };
        caller.trail.called(&self.label);
        caller.trail.stands(actor(caller.claims.user, self.member.is_none()), place);
    }

    /// May he do `P`, as far as what is remembered says? Asks nobody.
    pub(crate) fn grants<P: RequiredPermission>(
        &self,
        caller: &Caller,
    ) -> Result<Authorized<P>, DecisionReason> {
        let user = caller.claims.user;
        let actor = actor(user, self.member.is_none());
        let facts = match self.member {
            Some(_) => {
                let (held, is_owner) = (self.position.held(), self.position.is_owner());
                ActorAccess { member: self.member, held, is_owner, is_recent: self.is_recent }
            }
            None => ActorAccess { is_recent: self.is_recent, ..ActorAccess::platform() },
        };
        let asked = P::PERMISSION.filter(|_| self.member.is_some());
        let decision = self.position.decide(asked, P::CHANGES, P::ALLOWS_DELETED);
        match decision.reason {
            DecisionReason::Granted => {
                let origin = AuditOrigin { actor, label: Some(self.label.clone()), ..caller.origin() };
                #[expect(clippy::disallowed_methods, reason = "the right was looked up")]
                Ok(Authorized::from_lookup(self.organization, origin, facts))
            }
            reason => Err(reason),
        }
    }

    /// May he do `P`? Of whoever may not it is found out who could help him.
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
            (Err(_), None) => Err(Error::Broken("membership is enough, and was not")),
            (Err(_), Some(permission)) => Err(self.lack(db, caller, permission).await?),
        }
    }

    async fn lack(&self, db: &Db, caller: &Caller, permission: Permission) -> Result<Error> {
        let facts = ActorAccess {
            member: self.member,
            held: self.position.held(),
            is_owner: false,
            is_recent: false,
        };
        #[expect(
            clippy::disallowed_methods,
            reason = "a member is told which roles of their organization would do"
        )]
        let proof: Authorized<Membership> =
            Authorized::from_lookup(self.organization, caller.origin(), facts);
        let roles_that_grant = roles::that_grant(&db.begin(proof).await?, permission).await?;
        let roles_held = self.position.keys();
        Ok(Error::Forbidden(Box::new(MissingPermission { permission, roles_held, roles_that_grant })))
    }
}
