//! Which refusals a log tells of, which log, and what it tells.

use std::net::IpAddr;

use serde::Serialize;
use serde_json::json;

use super::trail::{Claim, Place, TrailState};
use crate::{
    Error,
    base::{
        error::{ErrorCode, ErrorKind},
        ids::{OrgId, UserId},
        permissions::{AuditOrigin, RequestInfo},
    },
    runtime::rate_limit::network,
    storage::audit::{Action, Details, Outcome},
};

/// One refusal, or the count of several that are alike.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    pub(super) log: OrgId,
    pub(super) origin: AuditOrigin,
    pub(super) action: Action,
    pub(super) resource_id: Option<String>,
    /// Whose password it should have been, as they typed or as an id.
    name: Option<String>,
    facts: Facts,
}

#[derive(Clone, Copy, Debug, Default, Serialize)]
struct Facts {
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    operation: Option<&'static str>,
    /// That was missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    permission: Option<&'static str>,
    /// That the stranger asked for. For operators: the stranger must not see it.
    #[serde(skip_serializing_if = "Option::is_none")]
    organization: Option<OrgId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    repeated: Option<u64>,
}

/// What refusals have in common that are alike. Not whether there is such an account or organization: or what is written,
/// and so how long an answer takes, would tell.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    log: OrgId,
    person: Option<UserId>,
    /// Of nobody who is known.
    address: Option<IpAddr>,
    operation: Option<&'static str>,
    name: Option<String>,
    code: Option<&'static str>,
}

impl Refusal {
    /// What a log tells of the answer `error`, if one does: that a password was wrong, at a log-in or later; what is
    /// forbidden; and that a stranger was told of no organization, which it never hears of.
    pub(super) fn of(findings: TrailState, operation: &'static str, error: &Error) -> Option<Self> {
        let TrailState { origin, place, claim } = findings;
        let code = error.code();
        let facts = Facts { code: Some(code.as_str()), ..Facts::default() };
        if let (
            ErrorCode::InvalidCredentials | ErrorCode::InactiveUser | ErrorCode::PasswordMismatch,
            Some(Claim { name, account }),
        ) = (code, claim)
        {
            // Of a log-in the code says enough.
            let operation = (code == ErrorCode::PasswordMismatch).then_some(operation);
            let facts = Facts { operation, ..facts };
            let (log, action, resource_id) =
                (OrgId::PLATFORM, Action::SessionRefused, account.map(|user| user.to_string()));
            return Some(Self { log, origin, action, resource_id, name: Some(name), facts });
        }
        let (log, organization) = match (code.kind(), place) {
            (ErrorKind::Forbidden, Place::Inside(org)) => (org, None),
            (ErrorKind::Forbidden, Place::Nowhere | Place::Before(_)) => (OrgId::PLATFORM, None),
            (ErrorKind::NotFound, Place::Before(org)) => (OrgId::PLATFORM, org),
            _ => return None,
        };
        let permission = match error {
            Error::Forbidden(missing) => Some(missing.permission.as_str()),
            _ => None,
        };
        let facts = Facts { operation: Some(operation), permission, organization, ..facts };
        let (action, resource_id) = (Action::AccessDenied, Some(operation.to_owned()));
        Some(Self { log, origin, action, resource_id, name: None, facts })
    }

    /// Of those that are too many to be told apart.
    pub(super) fn unknown() -> Self {
        Self {
            log: OrgId::PLATFORM,
            origin: AuditOrigin::SYSTEM,
            action: Action::AccessDenied,
            resource_id: None,
            name: None,
            facts: Facts::default(),
        }
    }

    pub(super) fn key(&self) -> Key {
        let (origin, facts) = (&self.origin, &self.facts);
        let person = origin.actor.user();
        let address = origin.inquiry.ip.as_deref().filter(|_| person.is_none());
        let address = address.and_then(|ip| ip.parse().ok()).map(network);
        let (operation, name) = (facts.operation, self.name.clone());
        Key { log: self.log, person, address, operation, name, code: facts.code }
    }

    /// Without what others that are alike need not share.
    pub(super) fn alike(&self) -> Self {
        let AuditOrigin { actor, label, inquiry, .. } = &self.origin;
        let ip = inquiry.ip.clone().filter(|_| actor.user().is_none());
        let inquiry = RequestInfo { ip, ..RequestInfo::NONE };
        let origin = AuditOrigin { label: label.clone(), inquiry, ..AuditOrigin::of(*actor) };
        let facts = Facts { permission: None, organization: None, ..self.facts };
        Self { origin, facts, name: None, resource_id: self.resource_id.clone(), ..*self }
    }

    /// That many that are alike.
    pub(super) fn repeated(self, count: u64) -> Self {
        Self { facts: Facts { repeated: Some(count), ..self.facts }, ..self }
    }

    pub(super) fn outcome(&self) -> Outcome {
        match self.action {
            Action::SessionRefused => Outcome::Failure,
            _ => Outcome::Denied,
        }
    }

    pub(super) fn details(&self) -> Details {
        Details::created(json!(self.facts))
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::base::{
        error::MissingPermission,
        permissions::{Actor, Permission},
    };

    fn findings(ip: &str, place: Place) -> TrailState {
        let inquiry = RequestInfo { ip: Some(ip.to_owned()), ..RequestInfo::NONE };
        TrailState { origin: AuditOrigin::anonymous(inquiry), place, claim: None }
    }

    fn log_in(name: &str, account: Option<UserId>, ip: &str, code: ErrorCode) -> Option<Refusal> {
        let claim = Some(Claim { name: name.to_owned(), account });
        Refusal::of(TrailState { claim, ..findings(ip, Place::Nowhere) }, "logIn", &code.refuse())
    }

    #[test]
    fn what_there_is_decides_nothing_about_what_is_alike() {
        let (acme, ada) = (OrgId(Uuid::max()), UserId(Uuid::max()));
        let stranger = |place| Refusal::of(findings("::1", place), "x", &Error::NotFound("organization"));
        let [there, nowhere] = [Some(acme), None].map(|org| stranger(Place::Before(org)).unwrap());
        assert_eq!((there.key(), there.facts.organization), (nowhere.key(), Some(acme)));
        assert!(stranger(Place::Inside(acme)).is_none() && stranger(Place::Nowhere).is_none());
        let known = log_in("ada", Some(ada), "::1", ErrorCode::InvalidCredentials).unwrap();
        let unknown = log_in("ada", None, "::1", ErrorCode::InvalidCredentials).unwrap();
        assert_eq!(known.key(), unknown.key());
        assert_eq!(known.alike().resource_id, Some(ada.to_string()));
        assert_ne!(known.key(), log_in("bob", None, "::1", ErrorCode::InvalidCredentials).unwrap().key());
        assert!(log_in("ada", None, "::1", ErrorCode::Unavailable).is_none());
    }

    #[test]
    fn a_wrong_password_of_who_is_signed_in_is_told_of_their_account() {
        let ada = UserId(Uuid::max());
        let mut findings = findings("::1", Place::Nowhere);
        findings.origin.actor = Actor::User(ada);
        let mismatch = |claim| {
            let findings = TrailState { claim, ..findings.clone() };
            Refusal::of(findings, "changeMyPassword", &ErrorCode::PasswordMismatch.refuse())
        };
        let refusal = mismatch(Some(Claim { name: ada.to_string(), account: Some(ada) })).unwrap();
        assert_eq!(
            (refusal.action, refusal.resource_id.as_deref()),
            (Action::SessionRefused, Some(&*ada.to_string()))
        );
        let facts = json!({ "code": "PASSWORD_MISMATCH", "operation": "changeMyPassword" });
        assert_eq!(json!(refusal.facts), facts);
        assert!(mismatch(None).is_none(), "nothing was verified");
    }

    #[test]
    fn neighbours_are_alike_until_they_say_who_they_are() {
        let key = |ip: &str| log_in("ada", None, ip, ErrorCode::InactiveUser).unwrap().key();
        assert_eq!(key("2001:db8::1"), key("2001:db8::ffff:1"));
        assert_ne!(key("2001:db8::1"), key("2001:db8:0:1::1"));
        assert_ne!(key("192.0.2.1"), key("192.0.2.2"));
        let person = |ip| {
            let mut findings = findings(ip, Place::Nowhere);
            findings.origin.actor = Actor::User(UserId(Uuid::max()));
            Refusal::of(findings, "x", &ErrorCode::CsrfFailed.refuse()).unwrap()
        };
        assert_eq!(person("192.0.2.1").key(), person("192.0.2.2").key());
        assert_eq!(person("192.0.2.1").alike().origin.inquiry.ip, None, "it was not one address");
    }

    #[test]
    fn what_others_need_not_share_is_not_counted_as_theirs() {
        let permission = Permission::ProjectsCreate;
        let missing = MissingPermission { permission, roles_held: Vec::new(), roles_that_grant: Vec::new() };
        let inside = findings("::1", Place::Inside(OrgId(Uuid::max())));
        let refusal = Refusal::of(inside, "createProject", &Error::Forbidden(Box::new(missing))).unwrap();
        let facts =
            json!({ "code": "FORBIDDEN", "operation": "createProject", "permission": "projects:create" });
        assert_eq!(json!(refusal.facts), facts);
        let counted = json!({ "code": "FORBIDDEN", "operation": "createProject", "repeated": 3 });
        assert_eq!(json!(refusal.alike().repeated(3).facts), counted);
        assert_eq!(json!(Refusal::unknown().repeated(9).facts), json!({ "repeated": 9 }));
    }
}
