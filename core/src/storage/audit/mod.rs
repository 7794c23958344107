//! The audit log. Each changed row has one event, written in the transaction of the change.

mod entity;
mod erasure;
mod list;
mod activity;
mod personal;
mod refusal_log;
mod bulk;

use std::fmt;

use sea_orm::{ActiveModelTrait, ActiveValue::Set, IntoActiveModel};
use serde::Serialize;
use serde_json::{Map, Value, json};

pub(crate) use activity::activity;
pub use entity::Model as Event;
pub(crate) use entity::{Column, Entity};
pub(crate) use erasure::erase;
pub(crate) use list::with_personal;
pub use list::{EventFilter, EventKey, EventRecord, begin_read, get, list, platform_log};
pub use personal::Model as PersonalData;
pub(crate) use personal::{Column as PersonalColumn, Entity as PersonalEntity};
pub(crate) use refusal_log::OrgRelation;
pub use refusal_log::{RefusalLog, RequestTrail};

use crate::{
    Error, Result,
    base::{
        ids::{EventId, OrgId},
        permissions::{AuditOrigin, WritePermission},
    },
    storage::db::{Db, OrgTx},
};

/// Version of the format of events, and of what their hash covers.
const SCHEMA_VERSION: i32 = 1;

/// Canonical JSON (RFC 8785).
///
/// # Errors
/// Only if a value has no JSON form.
pub(crate) fn canonical(value: &impl Serialize) -> Result<String> {
    serde_json_canonicalizer::to_string(value).map_err(|_| Error::Internal("an event is not JSON"))
}

macro_rules! actions { ($($name:ident = $text:literal;)+) => {
    /// The action of an event, `resource.verb`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Action { $(#[doc = concat!("`", $text, "`")] $name),+ }

    impl Action {
        /// All actions.
        pub const ALL: &'static [Self] = &[$(Self::$name),+];

        /// The action in the log and in the API.
        pub const fn as_str(self) -> &'static str {
            match self { $(Self::$name => $text),+ }
        }

        /// The action with this text form.
        pub fn parse(text: &str) -> Option<Self> {
            Self::ALL.iter().copied().find(|action| action.as_str() == text)
        }
    }
}}

actions! {
    UserRegistered       = "user.registered";
    UserPromoted         = "user.promoted";
    UserDemoted          = "user.demoted";
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
    SessionRefused       = "session.refused";
    AccessDenied         = "access.denied";
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
    OrganizationUpdated  = "organization.updated";
    OrganizationSuspended = "organization.suspended";
    OrganizationResumed  = "organization.resumed";
    SettingsUpdated      = "settings.updated";
    TransferOffered      = "transfer.offered";
    TransferAccepted     = "transfer.accepted";
    TransferDeclined     = "transfer.declined";
    TransferCancelled    = "transfer.cancelled";
    TransferExpired      = "transfer.expired";
    MemberAdded          = "member.added";
    MemberUpdated        = "member.updated";
    RoleCreated          = "role.created";
    RoleUpdated          = "role.updated";
    RoleDeleted          = "role.deleted";
    MemberRemoved        = "member.removed";
    InvitationCreated    = "invitation.created";
    InvitationResent     = "invitation.resent";
    InvitationUpdated    = "invitation.updated";
    InvitationRevoked    = "invitation.revoked";
    InvitationAccepted   = "invitation.accepted";
    InvitationDeclined   = "invitation.declined";
    InvitationExpired    = "invitation.expired";
    MemberLeft           = "member.left";
    ProjectCreated       = "project.created";
    ProjectUpdated       = "project.updated";
    ProjectDeleted       = "project.deleted";
    ProjectRestored      = "project.restored";
    ProjectArchived      = "project.archived";
    ProjectUnarchived    = "project.unarchived";
    TagCreated           = "tag.created";
    TagUpdated           = "tag.updated";
    TagDeleted           = "tag.deleted";
    TaskCreated          = "task.created";
    TaskUpdated          = "task.updated";
    TaskDeleted          = "task.deleted";
    TaskRestored         = "task.restored";
    TimeEntryStarted     = "time_entry.started";
    TimeEntryStopped     = "time_entry.stopped";
    TimeEntryCreated     = "time_entry.created";
    TimeEntryImported    = "time_entry.imported";
    TimeEntryUpdated     = "time_entry.updated";
    TimeEntryDeleted     = "time_entry.deleted";
    TimeEntryRestored    = "time_entry.restored";
    PeriodLocked         = "period.locked";
    PeriodUnlocked       = "period.unlocked";
    TimeEntriesExported  = "time_entries.exported";
    TasksExported        = "tasks.exported";
    AuditExported        = "audit.exported";
    AuditPruned          = "audit.pruned";
    PlatformAccess       = "platform.access";
    JobRetried           = "job.retried";
    JobCancelled         = "job.cancelled";
    JobDeleted           = "job.deleted";
    QueuePaused          = "queue.paused";
    QueueResumed         = "queue.resumed";
    EmailResent          = "email.resent";
}

impl Action {
    /// The type of the resource.
    pub fn resource(self) -> &'static str {
        self.as_str().split('.').next().unwrap_or_default()
    }
}

/// The outcome of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditOutcome {
    /// The action succeeded.
    Success,
    /// The action was attempted and failed.
    Failure,
    /// The action was refused, because the actor lacks a permission.
    Denied,
}

impl AuditOutcome {
    /// All outcomes.
    pub const ALL: [Self; 3] = [Self::Success, Self::Failure, Self::Denied];

    /// The outcome in the log and in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Denied => "denied",
        }
    }
}

/// The changed facts of an event. Each resource lists its facts explicitly, so that they never contain a secret.
#[derive(Clone, Debug)]
pub struct EventDetails(Value);

impl EventDetails {
    /// The facts of a new object.
    pub fn created(after: Value) -> Self {
        Self(Value::Object(Map::from_iter([("after".to_owned(), after)])))
    }

    /// The facts of a removed object.
    pub fn removed(before: Value) -> Self {
        Self(Value::Object(Map::from_iter([("before".to_owned(), before)])))
    }

    /// The facts of a changed object. Only the facts that differ are kept.
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

/// Records an event in the log of an organization, in its own transaction. For reads and refusals, which have no
/// transaction to write in.
///
/// # Errors
/// Database errors.
pub(crate) async fn record_in_own_tx(
    db: &Db,
    origin: &AuditOrigin,
    org: OrgId,
    action: Action,
    details: EventDetails,
) -> Result<()> {
    let tx = db.begin_global(origin.clone()).await?;
    #[expect(clippy::disallowed_methods, reason = "only adds an event")]
    let scope = tx.enter_org(org).await?;
    scope.record(action, org, details).await?;
    drop(scope);
    tx.commit().await
}

impl<P: WritePermission> OrgTx<P> {
    /// Appends an event to the log of the organization, in this transaction.
    ///
    /// # Errors
    /// Database errors.
    pub async fn record(
        &self,
        action: Action,
        resource_id: impl fmt::Display,
        details: EventDetails,
    ) -> Result<()> {
        self.record_all(action, [resource_id], &details).await
    }

    /// Appends the same event about several resources, with one statement; does nothing for an empty list.
    ///
    /// # Errors
    /// Database errors.
    pub async fn record_all(
        &self,
        action: Action,
        resource_ids: impl IntoIterator<Item = impl fmt::Display>,
        details: &EventDetails,
    ) -> Result<()> {
        let each = resource_ids.into_iter().map(|id| (Some(id.to_string()), details)).collect();
        self.append(action, each, AuditOutcome::Success).await
    }

    /// Appends an event about an attempt. `resource_id` is `None` if the resource is unknown.
    ///
    /// # Errors
    /// Database errors.
    pub(crate) async fn record_attempt(
        &self,
        action: Action,
        resource_id: Option<String>,
        outcome: AuditOutcome,
        details: &EventDetails,
    ) -> Result<()> {
        self.append(action, vec![(resource_id, details)], outcome).await
    }

    async fn append(
        &self,
        action: Action,
        each: Vec<(Option<String>, &EventDetails)>,
        outcome: AuditOutcome,
    ) -> Result<()> {
        let (origin, now) = (self.origin(), self.now());
        let (mut events, mut personal) = (Vec::new(), Vec::new());
        for (resource_id, details) in each {
            let id = EventId::new(now);
            let personal_data = PersonalData::of(id, origin);
            events.push(entity::ActiveModel {
                id: Set(id),
                occurred_at: Set(now),
                actor_kind: Set(origin.actor.kind().to_owned()),
                actor_id: Set(origin.actor.user().map(|user| user.0)),
                action: Set(action.as_str().to_owned()),
                resource: Set(action.resource().to_owned()),
                resource_id: Set(resource_id),
                outcome: Set(outcome.as_str().to_owned()),
                details: Set(canonical(&details.0)?),
                session_id: Set(origin.session),
                request_id: Set(origin.inquiry.request_id.clone()),
                trace_id: Set(origin.inquiry.trace.map(|trace| trace.trace_id().to_string())),
                schema_version: Set(SCHEMA_VERSION),
                personal_hash: Set(personal_data.as_ref().map(PersonalData::hash).transpose()?),
                seq: Set(None),
                prev_hash: Set(None),
                hash: Set(None),
                ..Default::default()
            });
            personal.extend(personal_data.map(|personal_data| personal_data.into_active_model().reset_all()));
        }
        if !events.is_empty() {
            self.insert_both(personal, events).await?;
            self.recorded();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_are_named_resource_and_verb() {
        for action in Action::ALL {
            let parts: Vec<_> = action.as_str().split('.').collect();
            assert!(parts.len() == 2 && parts[0] == action.resource() && action.as_str().len() <= 100);
        }
    }

    #[test]
    fn details_contain_only_the_facts_that_differ() {
        let details =
            EventDetails::changed(json!({"name": "a", "code": "x"}), json!({"name": "b", "code": "x"}));
        assert_eq!(details.0, json!({"before": {"name": "a"}, "after": {"name": "b"}}));
    }
}
