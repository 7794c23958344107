//! What a request leaves behind for whoever writes down that it was refused.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::base::{
    ids::{OrgId, SessionId, UserId},
    permissions::{Actor, AuditOrigin, RequestInfo},
};

/// What is found out about a request while it is answered; whoever finds something out notes it. Its clones are one.
#[derive(Clone, Debug)]
pub struct RequestTrail(Arc<Mutex<TrailState>>);

#[derive(Clone, Debug)]
pub(super) struct TrailState {
    pub(super) origin: AuditOrigin,
    pub(super) place: Place,
    pub(super) claim: Option<Claim>,
}

/// Where a caller turned out to stand.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place {
    /// In no organization that he asked for.
    Nowhere,
    /// In this organization, as an active member.
    Inside(OrgId),
    /// Before this organization, to which he does not belong; `None`: there is no such.
    Before(Option<OrgId>),
}

/// Who somebody said that he is.
#[derive(Clone, Debug)]
pub(super) struct Claim {
    /// What he typed, in one spelling. It is compared and never written: people type their password there.
    pub(super) name: String,
    /// The account of that name, where there is one.
    pub(super) account: Option<UserId>,
}

impl RequestTrail {
    /// Of a request of which nothing else is known yet.
    pub fn new(inquiry: RequestInfo) -> Self {
        let (origin, place) = (AuditOrigin::anonymous(inquiry), Place::Nowhere);
        Self(Arc::new(Mutex::new(TrailState { origin, place, claim: None })))
    }

    /// It is this one's, by that log-in.
    pub fn by(&self, actor: Actor, session: Option<SessionId>) {
        let origin = &mut self.open().origin;
        (origin.actor, origin.session) = (actor, session);
    }

    /// He is called so: it is his address.
    pub fn called(&self, label: &str) {
        self.open().origin.label = Some(label.to_owned());
    }

    /// He stands there.
    pub(crate) fn stands(&self, actor: Actor, place: Place) {
        let mut findings = self.open();
        (findings.origin.actor, findings.place) = (actor, place);
    }

    /// They say that they are called so, and are to prove it; it is the name of that account.
    pub(crate) fn claims(&self, name: String, account: Option<UserId>) {
        self.open().claim = Some(Claim { name, account });
    }

    pub(super) fn findings(&self) -> TrailState {
        self.open().clone()
    }

    fn open(&self) -> MutexGuard<'_, TrailState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Of nobody's request: the program's own.
impl Default for RequestTrail {
    fn default() -> Self {
        Self::new(RequestInfo::NONE)
    }
}
