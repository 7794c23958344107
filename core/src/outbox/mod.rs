//! Work for later, asked for in the transaction that makes it necessary: both are committed, or neither is.

#[expect(unreachable_pub, reason = "sea-orm derives public items")]
mod entity;

pub(crate) use entity::Entity;
use sea_orm::ActiveValue::Set;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    Error, Result,
    access::Write,
    db::OrgTx,
    ids::{JobId, OneTimeTokenId, SessionId, UserId},
};

/// A job: what is to be done, by ids only. Secrets and texts are looked up when it is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "payload", rename_all = "snake_case")]
pub enum Job {
    /// Greets a new user by mail.
    SendWelcome {
        /// Whom.
        user: UserId,
    },
    /// Tells a person by mail of a log-in on a device that he has not used before.
    SendNewDevice {
        /// Whom.
        user: UserId,
        /// The log-in.
        session: SessionId,
    },
    /// Tells a person by mail that somebody used an old refresh token of his, and that the session has been ended.
    SendRefreshReuse {
        /// Whom.
        user: UserId,
        /// The session.
        session: SessionId,
    },
    /// Mails the link that verifies an address.
    SendVerification {
        /// What the link carries.
        token: OneTimeTokenId,
    },
    /// Tells the owner of an address that somebody wanted to register it, or to change to it.
    SendAlreadyRegistered {
        /// Whom.
        user: UserId,
    },
    /// Mails the link that sets a new password.
    SendPasswordReset {
        /// What the link carries.
        token: OneTimeTokenId,
    },
    /// Tells a user that his password was changed.
    SendPasswordChanged {
        /// Whom.
        user: UserId,
    },
    /// Tells a person that his account was deleted, and until when it can be brought back.
    SendAccountDeleted {
        /// Whom.
        user: UserId,
    },
    /// Mails the link that confirms a new address, to that address.
    SendEmailChange {
        /// What the link carries.
        token: OneTimeTokenId,
    },
    /// Tells the old address of a change, with the link that undoes it.
    SendEmailChangeNotice {
        /// What the link carries.
        token: OneTimeTokenId,
    },
}

impl<P: Write> OrgTx<P> {
    /// Asks for a job, in this transaction.
    ///
    /// # Errors
    /// Whatever the database refuses.
    pub async fn enqueue(&self, job: &Job) -> Result<JobId> {
        let written = serde_json::to_value(job).ok();
        let parts =
            written.as_ref().and_then(|job| Some((job["kind"].as_str()?, job["payload"].to_string())));
        let (kind, payload) = parts.ok_or(Error::Broken("a job is not a kind and a payload"))?;
        let (id, now, actor) = (JobId::new(self.now()), self.now(), self.origin().actor);
        self.insert(entity::ActiveModel {
            id: Set(id),
            kind: Set(kind.to_owned()),
            payload: Set(payload),
            actor: Set(json!({ "kind": actor.kind(), "id": actor.user() }).to_string()),
            dedupe_key: Set(None),
            state: Set("pending".to_owned()),
            attempts: Set(0),
            run_at: Set(now),
            created_at: Set(now),
            updated_at: Set(now),
            ..Default::default()
        })
        .await?;
        Ok(id)
    }
}
