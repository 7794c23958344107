//! The audit log: one event per changed row, written in the transaction of the change.

#[expect(unreachable_pub, reason = "sea-orm derives public items")]
mod entity;

use std::fmt;

use sea_orm::ActiveValue::Set;
use serde_json::{Map, Value, json};

use crate::{Error, Result, access::Write, db::OrgTx, ids::EventId};

/// The version of the form of `details`.
const SCHEMA_VERSION: i32 = 1;

macro_rules! actions { ($($name:ident = $text:literal;)+) => {
    /// What happened: `noun.verb`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Action { $(#[doc = concat!("`", $text, "`")] $name),+ }

    impl Action {
        /// Every action there is.
        pub const ALL: &'static [Self] = &[$(Self::$name),+];

        /// As the log spells it.
        pub const fn as_str(self) -> &'static str {
            match self { $(Self::$name => $text),+ }
        }
    }
}}

actions! {
    UserRegistered       = "user.registered";
    UserPromoted         = "user.promoted";
    UserCreated          = "user.created";
    UserUpdated          = "user.updated";
    UserPasswordChanged  = "user.password_changed";
    UserActivated        = "user.activated";
    UserDeactivated      = "user.deactivated";
    UserDeleted          = "user.deleted";
    UserRestored         = "user.restored";
    UserPurged           = "user.purged";
    UserRegisteredAgain  = "user.registered_again";
    UserVerificationRequested = "user.verification_requested";
    UserEmailVerified    = "user.email_verified";
    UserPasswordResetRequested = "user.password_reset_requested";
    UserPasswordReset    = "user.password_reset";
    UserEmailChangeRequested = "user.email_change_requested";
    UserEmailChanged     = "user.email_changed";
    UserEmailChangeUndone = "user.email_change_undone";
    SessionCreated       = "session.created";
    SessionReauthenticated = "session.reauthenticated";
    SessionRefreshReuse  = "session.refresh_reuse";
    SessionRevoked       = "session.revoked";
    SigningKeyCreated    = "signing_key.created";
    SigningKeyActivated  = "signing_key.activated";
    SigningKeyRewrapped  = "signing_key.rewrapped";
    SigningKeyRemoved    = "signing_key.removed";
    OrganizationCreated  = "organization.created";
    OrganizationDeleted  = "organization.deleted";
    OrganizationRestored = "organization.restored";
    OrganizationPurged   = "organization.purged";
    MemberAdded          = "member.added";
    MemberRemoved        = "member.removed";
    ProjectCreated       = "project.created";
    ProjectUpdated       = "project.updated";
    ProjectDeleted       = "project.deleted";
    ProjectRestored      = "project.restored";
}

impl Action {
    /// The noun it happened to.
    pub fn resource(self) -> &'static str {
        self.as_str().split('.').next().unwrap_or_default()
    }
}

/// What a change changed. Facts are allow-listed by each noun: nothing secret is ever among them.
#[derive(Clone, Debug)]
pub struct Details(Value);

impl Details {
    /// Something new.
    pub fn created(after: Value) -> Self {
        Self(Value::Object(Map::from_iter([("after".to_owned(), after)])))
    }

    /// Something gone.
    pub fn removed(before: Value) -> Self {
        Self(Value::Object(Map::from_iter([("before".to_owned(), before)])))
    }

    /// Something changed: only the facts that differ are kept.
    pub fn changed(before: Value, after: Value) -> Self {
        let (Value::Object(before), Value::Object(after)) = (before, after) else {
            return Self(Value::Null);
        };
        let differing = |these: &Map<String, Value>, those: &Map<String, Value>| -> Map<String, Value> {
            let differs = |(key, value): &(&String, &Value)| those.get(*key) != Some(*value);
            these.iter().filter(differs).map(|(key, value)| (key.clone(), value.clone())).collect()
        };
        Self(json!({ "before": differing(&before, &after), "after": differing(&after, &before) }))
    }
}

impl<P: Write> OrgTx<P> {
    /// Appends an event to the organization's log, in this transaction.
    ///
    /// # Errors
    /// Whatever the database refuses.
    pub async fn record(
        &self,
        action: Action,
        resource_id: impl fmt::Display,
        details: Details,
    ) -> Result<()> {
        self.record_all(action, [resource_id], &details).await
    }

    /// Appends the same event of several resources, by one statement; nothing for none.
    ///
    /// # Errors
    /// Whatever the database refuses.
    pub async fn record_all(
        &self,
        action: Action,
        resource_ids: impl IntoIterator<Item = impl fmt::Display>,
        details: &Details,
    ) -> Result<()> {
        let details = serde_json_canonicalizer::to_string(&details.0)
            .map_err(|_| Error::Broken("the details of an event are not JSON"))?;
        let (origin, now) = (self.origin(), self.now());
        let event = |resource_id: String| entity::ActiveModel {
            id: Set(EventId::new(now)),
            occurred_at: Set(now),
            actor_kind: Set(origin.actor.kind().to_owned()),
            actor_id: Set(origin.actor.user().map(|user| user.0)),
            action: Set(action.as_str().to_owned()),
            resource: Set(action.resource().to_owned()),
            resource_id: Set(Some(resource_id)),
            outcome: Set("success".to_owned()),
            details: Set(details.clone()),
            session_id: Set(origin.session),
            request_id: Set(origin.request_id.clone()),
            trace_id: Set(None),
            schema_version: Set(SCHEMA_VERSION),
            ..Default::default()
        };
        let events: Vec<_> = resource_ids.into_iter().map(|id| event(id.to_string())).collect();
        if !events.is_empty() {
            self.insert_many(events).await?;
            self.recorded();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_are_a_noun_and_a_verb() {
        for action in Action::ALL {
            let parts: Vec<_> = action.as_str().split('.').collect();
            assert!(parts.len() == 2 && parts[0] == action.resource() && action.as_str().len() <= 100);
        }
    }

    #[test]
    fn a_change_tells_what_differs_and_nothing_else() {
        let details = Details::changed(json!({"name": "a", "code": "x"}), json!({"name": "b", "code": "x"}));
        assert_eq!(details.0, json!({"before": {"name": "a"}, "after": {"name": "b"}}));
    }
}
