//! What is known about a request, for the record of its refusal.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::base::{
    ids::{OrgId, SessionId, UserId},
    permissions::{Actor, AuditOrigin, RequestInfo},
};

/// Collects what becomes known about a request while it is handled. All clones share one state.
#[derive(Clone, Debug)]
pub struct RequestTrail(Arc<Mutex<TrailState>>);

#[derive(Clone, Debug)]
pub(super) struct TrailState {
    pub(super) origin: AuditOrigin,
    pub(super) relation: OrgRelation,
    pub(super) claim: Option<LoginClaim>,
}

/// The relation of a user to the requested organization.
#[derive(Clone, Copy, Debug)]
pub(crate) enum OrgRelation {
    /// No organization was requested, or the user accesses it as a superuser.
    None,
    /// The user is an active member of this organization.
    Member(OrgId),
    /// The user is not a member of this organization; `None` if it does not exist.
    NotMember(Option<OrgId>),
}

/// The account that a client tries to log in to.
#[derive(Clone, Debug)]
pub(super) struct LoginClaim {
    /// The typed name, normalized. It is compared and never recorded, because users sometimes type their password
    /// there.
    pub(super) name: String,
    /// The account with that name; `None` if there is none.
    pub(super) account: Option<UserId>,
}

impl RequestTrail {
    /// The trail of a request of which only this is known.
    pub fn new(inquiry: RequestInfo) -> Self {
        let (origin, relation) = (AuditOrigin::anonymous(inquiry), OrgRelation::None);
        Self(Arc::new(Mutex::new(TrailState { origin, relation, claim: None })))
    }

    /// Sets the actor and the session.
    pub fn set_actor(&self, actor: Actor, session: Option<SessionId>) {
        let origin = &mut self.lock().origin;
        (origin.actor, origin.session) = (actor, session);
    }

    /// Sets the e-mail address of the actor.
    pub fn set_label(&self, label: &str) {
        self.lock().origin.label = Some(label.to_owned());
    }

    /// Sets the actor and their relation to the requested organization.
    pub(crate) fn set_org_relation(&self, actor: Actor, relation: OrgRelation) {
        let mut state = self.lock();
        (state.origin.actor, state.relation) = (actor, relation);
    }

    /// Sets the account whose password is about to be verified.
    pub(crate) fn set_login_claim(&self, name: String, account: Option<UserId>) {
        self.lock().claim = Some(LoginClaim { name, account });
    }

    pub(super) fn state(&self) -> TrailState {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, TrailState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The trail of the program itself, without a request.
impl Default for RequestTrail {
    fn default() -> Self {
        Self::new(RequestInfo::NONE)
    }
}
