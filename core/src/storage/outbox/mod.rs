//! Work for later, asked for in the transaction that makes it necessary: both are committed, or neither is.

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

pub use admin::{JobFilter, JobKey, cancel, get, list, remove, retry};
pub use claim::{ClaimedJob, LEASE, due, settle_and_claim};
pub use complete::{ClaimOutcome, JobResult};
pub(crate) use entity::{ActiveModel, Column, Entity};
pub use entity::{Model as Envelope, State};
pub use queue_depth::{QueueDepth, depths};
pub use queue_stats::{QueueStats, pause, queues, resume, standing};
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
    storage::db::OrgTx,
};

/// What a job waits in. Each can be paused by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Queue {
    /// Mails.
    Mail,
}

impl Queue {
    /// Every one.
    pub const ALL: &'static [Self] = &[Self::Mail];

    /// As it is stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mail => "mail",
        }
    }
}

macro_rules! jobs { ($($(#[$doc:meta])* $name:ident { $($(#[$what:meta])* $field:ident: $id:ty),+ } = $kind:literal in $queue:ident;)+) => {
    /// A job: what is to be done, by ids only. Secrets and texts are looked up when it is done.
    #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
    #[serde(tag = "kind", content = "payload")]
    pub enum Job {$(
        $(#[$doc])*
        #[serde(rename = $kind)]
        $name { $($(#[$what])* $field: $id),+ }
    ),+}

    impl Job {
        /// The kinds that this program knows; those of a newer one are left alone.
        pub const KINDS: &'static [&'static str] = &[$($kind),+];

        /// Its kind, as it is stored.
        pub const fn kind(&self) -> &'static str {
            match self { $(Self::$name { .. } => $kind),+ }
        }

        /// What it waits in.
        pub const fn queue(&self) -> Queue {
            match self { $(Self::$name { .. } => Queue::$queue),+ }
        }
    }
}}

jobs! {
    /// Greets a new user by mail.
    SendWelcome {
        /// Whom.
        user: UserId
    } = "send_welcome" in Mail;
    /// Tells a person by mail of a log-in on a device that he has not used before.
    SendNewDevice {
        /// Whom.
        user: UserId,
        /// The log-in.
        session: SessionId
    } = "send_new_device" in Mail;
    /// Tells a person by mail that somebody used an old refresh token of his, and that the session has been ended.
    SendRefreshReuse {
        /// Whom.
        user: UserId,
        /// The session.
        session: SessionId
    } = "send_refresh_reuse" in Mail;
    /// Mails the link that verifies an address.
    SendVerification {
        /// What the link carries.
        token: OneTimeTokenId
    } = "send_verification" in Mail;
    /// Tells the owner of an address that somebody wanted to register it, or to change to it.
    SendAlreadyRegistered {
        /// Whom.
        user: UserId
    } = "send_already_registered" in Mail;
    /// Mails the link that sets a new password.
    SendPasswordReset {
        /// What the link carries.
        token: OneTimeTokenId
    } = "send_password_reset" in Mail;
    /// Tells a user that his password was changed.
    SendPasswordChanged {
        /// Whom.
        user: UserId
    } = "send_password_changed" in Mail;
    /// Tells a person that his account was deleted, and until when it can be brought back.
    SendAccountDeleted {
        /// Whom.
        user: UserId
    } = "send_account_deleted" in Mail;
    /// Mails the link that confirms a new address, to that address.
    SendEmailChange {
        /// What the link carries.
        token: OneTimeTokenId
    } = "send_email_change" in Mail;
    /// Tells the old address of a change, with the link that undoes it.
    SendEmailChangeNotice {
        /// What the link carries.
        token: OneTimeTokenId
    } = "send_email_change_notice" in Mail;
    /// Mails the link that takes somebody into an organization.
    SendInvitation {
        /// What the link carries.
        token: OneTimeTokenId
    } = "send_invitation" in Mail;
    /// Tells a member by mail that an organization is offered to him.
    SendOwnershipOffered {
        /// The offer.
        transfer: OwnerTransferId
    } = "send_ownership_offered" in Mail;
}

impl Envelope {
    /// What is to be done; `None` when this program cannot read it.
    pub fn job(&self) -> Option<Job> {
        let payload: Value = serde_json::from_str(&self.payload).ok()?;
        serde_json::from_value(json!({ "kind": self.kind, "payload": payload })).ok()
    }
}

impl<P: WritePermission> OrgTx<P> {
    /// Asks for a job, in this transaction.
    ///
    /// # Errors
    /// Whatever the database refuses.
    pub async fn enqueue(&self, job: &Job) -> Result<JobId> {
        let written = serde_json::to_value(job).ok();
        let payload = written.map(|job| job["payload"].to_string());
        let payload = payload.ok_or(Error::Broken("a job cannot be written down"))?;
        Ok(self.add(job.queue().as_str().to_owned(), job.kind().to_owned(), payload).await?.id)
    }

    /// Puts a job of any kind into the outbox, in this transaction.
    async fn add(&self, queue: String, kind: String, payload: String) -> Result<Envelope> {
        let (id, now, actor) = (JobId::new(self.now()), self.now(), self.origin().actor);
        let job = self
            .insert(ActiveModel {
                id: Set(id),
                queue: Set(queue),
                kind: Set(kind),
                payload: Set(payload),
                actor: Set(json!({ "kind": actor.kind(), "id": actor.user() }).to_string()),
                dedupe_key: Set(None),
                state: Set(State::Pending),
                attempts: Set(0),
                lease_expirations: Set(0),
                run_at: Set(now),
                created_at: Set(now),
                updated_at: Set(now),
                ..Default::default()
            })
            .await?;
        self.job_ref(id);
        Ok(job)
    }
}
