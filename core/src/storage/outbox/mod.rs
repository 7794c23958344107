//! Background jobs. A job is written in the transaction that needs it, so that both are committed or neither.

mod admin;
mod claim;
mod queue_depth;
mod entity;
#[expect(unreachable_pub, reason = "sea-orm derives public items")]
mod queue;
mod resend;
mod complete;
mod redaction;
mod queue_stats;
#[cfg(test)]
mod tests;

pub use admin::{JobFilter, JobKey, cancel, delete, get, list, retry};
pub use claim::{ClaimedJob, LEASE, complete_and_claim, due};
pub use complete::{ClaimOutcome, JobResult};
pub(crate) use entity::{ActiveModel, Column, Entity};
pub use entity::{Model as OutboxJob, OutboxState};
pub use queue_depth::{QueueDepth, depths};
pub use queue_stats::{QueueStats, get_queue, pause, queues, resume};
pub use redaction::REDACTED;
pub use resend::resend;
use sea_orm::ActiveValue::Set;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    Error, Result,
    base::{
        ids::{JobId, OneTimeTokenId, OwnerTransferId, SessionId, UserId},
        permissions::WritePermission,
    },
    runtime::telemetry::traces::{self, JobLabels},
    storage::db::OrgTx,
};

/// The queue of a job. Each queue can be paused separately.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Queue {
    /// E-mails.
    Mail,
}

impl Queue {
    /// All queues.
    pub const ALL: &'static [Self] = &[Self::Mail];

    /// The queue in the database and in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mail => "mail",
        }
    }
}

macro_rules! jobs { ($($(#[$doc:meta])* $name:ident { $($(#[$what:meta])* $field:ident: $id:ty),+ } = $kind:literal in $queue:ident;)+) => {
    /// A job. It contains only ids; secrets and texts are looked up when it runs.
    #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
    #[serde(tag = "kind", content = "payload")]
    pub enum Job {$(
        $(#[$doc])*
        #[serde(rename = $kind)]
        $name { $($(#[$what])* $field: $id),+ }
    ),+}

    impl Job {
        /// The kinds of jobs that this program knows. Jobs of other kinds are left to newer programs.
        pub const KINDS: &'static [&'static str] = &[$($kind),+];

        /// The kind of job, as it is stored.
        pub const fn kind(&self) -> &'static str {
            match self { $(Self::$name { .. } => $kind),+ }
        }

        /// The queue of the job.
        pub const fn queue(&self) -> Queue {
            match self { $(Self::$name { .. } => Queue::$queue),+ }
        }
    }
}}

jobs! {
    /// Welcomes a new user.
    SendWelcome {
        /// The recipient.
        user: UserId
    } = "send_welcome" in Mail;
    /// Informs a user about a login on a new device.
    SendNewDevice {
        /// The recipient.
        user: UserId,
        /// The new session.
        session: SessionId
    } = "send_new_device" in Mail;
    /// Informs a user that an old refresh token was used, so that the session was ended.
    SendRefreshReuse {
        /// The recipient.
        user: UserId,
        /// The ended session.
        session: SessionId
    } = "send_refresh_reuse" in Mail;
    /// Sends the link that verifies an e-mail address.
    SendVerification {
        /// The token in the link.
        token: OneTimeTokenId
    } = "send_verification" in Mail;
    /// Informs the owner of an e-mail address that somebody tried to register it, or to change to it.
    SendAlreadyRegistered {
        /// The recipient.
        user: UserId
    } = "send_already_registered" in Mail;
    /// Sends the link that sets a new password.
    SendPasswordReset {
        /// The token in the link.
        token: OneTimeTokenId
    } = "send_password_reset" in Mail;
    /// Informs a user that their password was changed.
    SendPasswordChanged {
        /// The recipient.
        user: UserId
    } = "send_password_changed" in Mail;
    /// Informs a user that their account was deleted, and until when it can be restored.
    SendAccountDeleted {
        /// The recipient.
        user: UserId
    } = "send_account_deleted" in Mail;
    /// Sends the link that confirms a new e-mail address, to that address.
    SendEmailChange {
        /// The token in the link.
        token: OneTimeTokenId
    } = "send_email_change" in Mail;
    /// Informs the old e-mail address of a change, with the link that undoes it.
    SendEmailChangeNotice {
        /// The token in the link.
        token: OneTimeTokenId
    } = "send_email_change_notice" in Mail;
    /// Sends the link that accepts an invitation to an organization.
    SendInvitation {
        /// The token in the link.
        token: OneTimeTokenId
    } = "send_invitation" in Mail;
    /// Informs a member that an organization is offered to them.
    SendOwnershipOffered {
        /// The transfer.
        transfer: OwnerTransferId
    } = "send_ownership_offered" in Mail;
}

impl OutboxJob {
    /// The job; `None` if this program does not know its kind.
    pub fn job(&self) -> Option<Job> {
        let payload: Value = serde_json::from_str(&self.payload).ok()?;
        serde_json::from_value(json!({ "kind": self.kind, "payload": payload })).ok()
    }
}

impl<P: WritePermission> OrgTx<P> {
    /// Creates a job, in this transaction.
    ///
    /// # Errors
    /// Database errors.
    pub async fn enqueue(&self, job: &Job) -> Result<JobId> {
        let serialized = serde_json::to_value(job).ok();
        let payload = serialized.map(|job| job["payload"].to_string());
        let payload = payload.ok_or(Error::Internal("a job cannot be serialized"))?;
        Ok(self.add(job.queue().as_str().to_owned(), job.kind().to_owned(), payload).await?.id)
    }

    /// Adds a job of any kind to the outbox, in this transaction.
    async fn add(&self, queue: String, kind: String, payload: String) -> Result<OutboxJob> {
        let (id, now, actor) = (JobId::new(self.now()), self.now(), self.origin().actor);
        let span = traces::send_job(JobLabels { id, queue: &queue, kind: &kind });
        let trace = span.context().or(self.origin().inquiry.trace);
        let job = self
            .insert(ActiveModel {
                id: Set(id),
                queue: Set(queue),
                kind: Set(kind),
                payload: Set(payload),
                actor: Set(json!({ "kind": actor.kind(), "id": actor.user() }).to_string()),
                dedupe_key: Set(None),
                traceparent: Set(trace.map(|trace| trace.to_string())),
                state: Set(OutboxState::Pending),
                attempts: Set(0),
                lease_expirations: Set(0),
                run_at: Set(now),
                created_at: Set(now),
                updated_at: Set(now),
                ..Default::default()
            })
            .await;
        let job = span.finish(job)?;
        self.job_ref(id);
        Ok(job)
    }
}
