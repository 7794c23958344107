//! Logins: create a session.

use sea_orm::{ActiveValue::Set, ColumnTrait};
use serde_json::json;

use super::{Column, Entity, Session, SessionPolicy, active, end, entity, record_event};
use crate::{
    Error, Result,
    base::{
        error::ErrorCode,
        ids::{SessionId, UserId},
        permissions::Actor,
        text::Name,
    },
    identity::{
        credentials::{self, PasswordProof},
        users::{self, User},
    },
    storage::{
        audit::{Action, EventDetails},
        db::GlobalTx,
        outbox::Job,
    },
};

/// The device that logs in.
#[derive(Clone, Debug, Default)]
pub struct LoginDevice {
    /// IP address.
    pub ip: Option<String>,
    /// `User-Agent` header. [`create`] stores its first 500 characters.
    pub user_agent: Option<String>,
    /// The name that the user gave the device.
    pub name: Option<Name>,
}

/// Creates a session after a password was verified, if it is still the password of the user.
///
/// # Errors
/// `INVALID_CREDENTIALS` when the password was changed or the account deleted since then; `INACTIVE_USER`.
pub async fn log_in(
    tx: &mut GlobalTx,
    proof: &PasswordProof,
    device: LoginDevice,
    policy: &SessionPolicy,
) -> Result<(Session, User)> {
    // The lock keeps out a concurrent password reset, which would end the existing sessions and miss this one.
    let user = users::lock(tx, proof.user).await.map_err(|error| match error {
        Error::NotFound(_) => ErrorCode::InvalidCredentials.refuse(),
        error => error,
    })?;
    if !credentials::is_current(tx, proof).await? {
        return Err(ErrorCode::InvalidCredentials.refuse());
    }
    if !user.is_active {
        return Err(ErrorCode::InactiveUser.refuse());
    }
    create(tx, user.id, device, policy).await
}

/// Creates a session for a user whose identity was just verified. Ends the oldest sessions above `policy.max_sessions`.
/// Notifies the user by e-mail if the device is new.
///
/// # Errors
/// Any database error.
pub async fn create(
    tx: &mut GlobalTx,
    user: UserId,
    device: LoginDevice,
    policy: &SessionPolicy,
) -> Result<(Session, User)> {
    let now = tx.now();
    let agent: Option<String> = device.user_agent.map(|agent| agent.chars().take(500).collect());
    // This comes first, because it locks the user: of two logins on a new device, the second one finds it known.
    let user = users::record_login(tx, user).await?;
    tx.set_actor(Actor::User(user.id), Some(&user.email));
    let is_new = is_new_device(tx, user.id, agent.as_deref()).await?;
    evict(tx, user.id, policy).await?;
    let session = tx
        .insert(entity::ActiveModel {
            id: Set(SessionId::new(now)),
            user_id: Set(user.id),
            amr: Set("pwd".to_owned()),
            auth_time: Set(now),
            ip: Set(device.ip),
            user_agent: Set(agent),
            device_name: Set(device.name.map(Into::into)),
            refresh_counter: Set(1),
            // There is no earlier token that a refresh could still accept.
            presented_counter: Set(1),
            refreshed_at: Set(now),
            last_seen_at: Set(now),
            idle_expires_at: Set(now + policy.idle),
            expires_at: Set(now + policy.absolute),
            revoked_at: Set(None),
            revoke_reason: Set(None),
            created_at: Set(now),
            updated_at: Set(now),
        })
        .await?;
    let details = EventDetails::created(json!({ "amr": session.amr }));
    let platform = record_event(tx, Action::SessionCreated, std::slice::from_ref(&session), &details).await?;
    if is_new {
        platform.enqueue(&Job::SendNewDevice { user: user.id, session: session.id }).await?;
    }
    Ok((session, user))
}

/// Returns whether the user has other sessions, but none with this user agent. Expired sessions count until they are
/// purged.
async fn is_new_device(tx: &GlobalTx, user: UserId, agent: Option<&str>) -> Result<bool> {
    // A missing `User-Agent` counts as a device too. Otherwise such a login would never cause a notification.
    let same_agent = match agent {
        Some(agent) => Column::UserAgent.eq(agent),
        None => Column::UserAgent.is_null(),
    };
    let of_user = || tx.find::<Entity>().filter(Column::UserId.eq(user));
    Ok(of_user().filter(same_agent).one().await?.is_none() && of_user().one().await?.is_some())
}

/// Ends the oldest sessions of a user, so that one more is allowed.
async fn evict(tx: &GlobalTx, user: UserId, policy: &SessionPolicy) -> Result<()> {
    let condition = active(tx.now()).add(Column::UserId.eq(user));
    let mut sessions = tx.find::<Entity>().filter(condition).all_locked(Column::Id).await?;
    let max = usize::try_from(policy.max_sessions).unwrap_or(usize::MAX);
    let excess = (sessions.len() + 1).saturating_sub(max);
    if excess == 0 {
        return Ok(());
    }
    sessions.sort_unstable_by_key(|session| session.id);
    let oldest = sessions.iter().take(excess).map(|session| session.id);
    end(tx, Column::Id.is_in(oldest), Action::SessionRevoked, "too many").await.map(drop)
}
