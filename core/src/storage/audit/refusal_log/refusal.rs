//! The refusals that are recorded, and the content of their events.

use std::net::IpAddr;

use serde::Serialize;
use serde_json::json;

use super::trail::{LoginClaim, OrgRelation, TrailState};
use crate::{
    Error,
    base::{
        error::{ErrorCode, ErrorKind},
        ids::{OrgId, UserId},
        permissions::{AuditOrigin, RequestInfo},
    },
    runtime::rate_limit::network,
    storage::audit::{Action, AuditOutcome, EventDetails},
};

/// One refusal, or the count of several similar ones.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    pub(super) log: OrgId,
    pub(super) origin: AuditOrigin,
    pub(super) action: Action,
    pub(super) resource_id: Option<String>,
    /// The account of a wrong password, as it was typed or as an id.
    name: Option<String>,
    facts: Facts,
}

#[derive(Clone, Copy, Debug, Default, Serialize)]
struct Facts {
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    operation: Option<&'static str>,
    /// The missing permission.
    #[serde(skip_serializing_if = "Option::is_none")]
    permission: Option<&'static str>,
    /// The organization that the client requested. Only superusers see it, never the client.
    #[serde(skip_serializing_if = "Option::is_none")]
    organization: Option<OrgId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    repeated: Option<u64>,
}

/// What similar refusals have in common. It does not depend on whether an account or organization exists; otherwise the
/// events, and so the response times, would reveal that.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct RefusalKey {
    log: OrgId,
    user: Option<UserId>,
    /// Network of the client, if the user is unknown.
    client_network: Option<IpAddr>,
    operation: Option<&'static str>,
    name: Option<String>,
    code: Option<&'static str>,
}

impl Refusal {
    /// The refusal to record for the response `error`, if any. It is a wrong password at login or later, a missing
    /// permission, or a request to an organization that the user is not a member of. The organization never sees the
    /// last kind.
    pub(super) fn of(state: TrailState, operation: &'static str, error: &Error) -> Option<Self> {
        let TrailState { origin, relation, claim } = state;
        let code = error.code();
        let facts = Facts { code: Some(code.as_str()), ..Facts::default() };
        if let (
            ErrorCode::InvalidCredentials | ErrorCode::InactiveUser | ErrorCode::PasswordMismatch,
            Some(LoginClaim { name, account }),
        ) = (code, claim)
        {
            // For a login, the code is enough.
            let operation = (code == ErrorCode::PasswordMismatch).then_some(operation);
            let facts = Facts { operation, ..facts };
            let (log, action, resource_id) =
                (OrgId::PLATFORM, Action::SessionRefused, account.map(|user| user.to_string()));
            return Some(Self { log, origin, action, resource_id, name: Some(name), facts });
        }
        let (log, organization) = match (code.kind(), relation) {
            (ErrorKind::Forbidden, OrgRelation::Member(org)) => (org, None),
            (ErrorKind::Forbidden, OrgRelation::None) => (OrgId::PLATFORM, None),
            (ErrorKind::Forbidden | ErrorKind::NotFound, OrgRelation::NotMember(org)) => {
                (OrgId::PLATFORM, org)
            }
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

    /// The refusals with too many different keys, counted together.
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

    pub(super) fn key(&self) -> RefusalKey {
        let (origin, facts) = (&self.origin, &self.facts);
        let user = origin.actor.user();
        let client_network = origin.inquiry.ip.as_deref().filter(|_| user.is_none());
        let client_network = client_network.and_then(|ip| ip.parse().ok()).map(network);
        let (operation, name) = (facts.operation, self.name.clone());
        RefusalKey { log: self.log, user, client_network, operation, name, code: facts.code }
    }

    /// The refusal without the facts that similar ones need not share.
    pub(super) fn similar(&self) -> Self {
        let AuditOrigin { actor, label, inquiry, .. } = &self.origin;
        let ip = inquiry.ip.clone().filter(|_| actor.user().is_none());
        let inquiry = RequestInfo { ip, ..RequestInfo::NONE };
        let origin = AuditOrigin { label: label.clone(), inquiry, ..AuditOrigin::of(*actor) };
        let facts = Facts { permission: None, organization: None, ..self.facts };
        Self { origin, facts, name: None, resource_id: self.resource_id.clone(), ..*self }
    }

    /// A count of similar refusals.
    pub(super) fn repeated(self, count: u64) -> Self {
        Self { facts: Facts { repeated: Some(count), ..self.facts }, ..self }
    }

    pub(super) fn outcome(&self) -> AuditOutcome {
        match self.action {
            Action::SessionRefused => AuditOutcome::Failure,
            _ => AuditOutcome::Denied,
        }
    }

    pub(super) fn details(&self) -> EventDetails {
        EventDetails::created(json!(self.facts))
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

    fn state(ip: &str, relation: OrgRelation) -> TrailState {
        let inquiry = RequestInfo { ip: Some(ip.to_owned()), ..RequestInfo::NONE };
        TrailState { origin: AuditOrigin::anonymous(inquiry), relation, claim: None }
    }

    fn log_in(name: &str, account: Option<UserId>, ip: &str, code: ErrorCode) -> Option<Refusal> {
        let claim = Some(LoginClaim { name: name.to_owned(), account });
        Refusal::of(TrailState { claim, ..state(ip, OrgRelation::None) }, "logIn", &code.refuse())
    }

    #[test]
    fn the_key_does_not_depend_on_what_exists() {
        let (acme, ada) = (OrgId(Uuid::max()), UserId(Uuid::max()));
        let request_by_stranger =
            |relation| Refusal::of(state("::1", relation), "x", &Error::NotFound("organization"));
        let [existing, missing_org] =
            [Some(acme), None].map(|org| request_by_stranger(OrgRelation::NotMember(org)).unwrap());
        assert_eq!((existing.key(), existing.facts.organization), (missing_org.key(), Some(acme)));
        assert!(
            request_by_stranger(OrgRelation::Member(acme)).is_none()
                && request_by_stranger(OrgRelation::None).is_none()
        );
        let known = log_in("ada", Some(ada), "::1", ErrorCode::InvalidCredentials).unwrap();
        let unknown = log_in("ada", None, "::1", ErrorCode::InvalidCredentials).unwrap();
        assert_eq!(known.key(), unknown.key());
        assert_eq!(known.similar().resource_id, Some(ada.to_string()));
        assert_ne!(known.key(), log_in("bob", None, "::1", ErrorCode::InvalidCredentials).unwrap().key());
        assert!(log_in("ada", None, "::1", ErrorCode::Unavailable).is_none());
    }

    #[test]
    fn a_wrong_password_of_a_logged_in_user_is_recorded_for_their_account() {
        let ada = UserId(Uuid::max());
        let mut state = state("::1", OrgRelation::None);
        state.origin.actor = Actor::User(ada);
        let mismatch = |claim| {
            let state = TrailState { claim, ..state.clone() };
            Refusal::of(state, "changeMyPassword", &ErrorCode::PasswordMismatch.refuse())
        };
        let refusal = mismatch(Some(LoginClaim { name: ada.to_string(), account: Some(ada) })).unwrap();
        assert_eq!(
            (refusal.action, refusal.resource_id.as_deref()),
            (Action::SessionRefused, Some(&*ada.to_string()))
        );
        let facts = json!({ "code": "PASSWORD_MISMATCH", "operation": "changeMyPassword" });
        assert_eq!(json!(refusal.facts), facts);
        assert!(mismatch(None).is_none(), "no password was verified");
    }

    #[test]
    fn unknown_clients_of_one_network_have_the_same_key() {
        let key = |ip: &str| log_in("ada", None, ip, ErrorCode::InactiveUser).unwrap().key();
        assert_eq!(key("2001:db8::1"), key("2001:db8::ffff:1"));
        assert_ne!(key("2001:db8::1"), key("2001:db8:0:1::1"));
        assert_ne!(key("192.0.2.1"), key("192.0.2.2"));
        let user = |ip| {
            let mut state = state(ip, OrgRelation::None);
            state.origin.actor = Actor::User(UserId(Uuid::max()));
            Refusal::of(state, "x", &ErrorCode::CsrfFailed.refuse()).unwrap()
        };
        assert_eq!(user("192.0.2.1").key(), user("192.0.2.2").key());
        assert_eq!(user("192.0.2.1").similar().origin.inquiry.ip, None, "there may be several IP addresses");
    }

    #[test]
    fn counted_refusals_contain_only_shared_facts() {
        let permission = Permission::ProjectsCreate;
        let missing = MissingPermission { permission, roles_held: Vec::new(), roles_that_grant: Vec::new() };
        let inside = state("::1", OrgRelation::Member(OrgId(Uuid::max())));
        let refusal = Refusal::of(inside, "createProject", &Error::Forbidden(Box::new(missing))).unwrap();
        let facts =
            json!({ "code": "FORBIDDEN", "operation": "createProject", "permission": "projects:create" });
        assert_eq!(json!(refusal.facts), facts);
        let counted = json!({ "code": "FORBIDDEN", "operation": "createProject", "repeated": 3 });
        assert_eq!(json!(refusal.similar().repeated(3).facts), counted);
        assert_eq!(json!(Refusal::unknown().repeated(9).facts), json!({ "repeated": 9 }));
    }
}
