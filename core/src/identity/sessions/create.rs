//! Log-ins.

use sea_orm::{ActiveValue::Set, ColumnTrait};
use serde_json::json;

use super::{Column, Entity, Session, SessionPolicy, end, entity, living, tell};
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
        audit::{Action, Details},
        db::GlobalTx,
        outbox::Job,
    },
};

/// What is known of the device that logs in.
#[derive(Clone, Debug, Default)]
pub struct Device {
    /// Its address.
    pub ip: Option<String>,
    /// Its `User-Agent`, cut to 500 characters.
    pub user_agent: Option<String>,
    /// What the person calls it.
    pub name: Option<Name>,
}

/// Starts a session of a person who has proved his password, if it is his still.
///
/// # Errors
/// `INVALID_CREDENTIALS` when it was changed, or the account deleted, since it was proved; `INACTIVE_USER`.
pub async fn log_in(
    tx: &mut GlobalTx,
    proof: &PasswordProof,
    device: Device,
    policy: &SessionPolicy,
) -> Result<(Session, User)> {
    // Locked, so that no reset can come between: it would end the sessions there are, and miss this one.
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

/// Starts a session of a person who has just proved who he is. Ends the oldest ones above `policy.most`; tells the person
/// by mail when he has not used the device before.
///
/// # Errors
/// Whatever the database refuses.
pub async fn create(
    tx: &mut GlobalTx,
    user: UserId,
    device: Device,
    policy: &SessionPolicy,
) -> Result<(Session, User)> {
    let now = tx.now();
    let agent: Option<String> = device.user_agent.map(|agent| agent.chars().take(500).collect());
    // First, since it locks the person: of two log-ins on a new device the second one knows it.
    let user = users::logged_in(tx, user).await?;
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
            // There is none before the first one, which could be forgiven.
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
    let details = Details::created(json!({ "amr": session.amr }));
    let platform = tell(tx, Action::SessionCreated, std::slice::from_ref(&session), &details).await?;
    if is_new {
        platform.enqueue(&Job::SendNewDevice { user: user.id, session: session.id }).await?;
    }
    Ok((session, user))
}

/// Has the person logged in before, and never with this user agent? As far as sessions are remembered: until they expire.
async fn is_new_device(tx: &GlobalTx, user: UserId, agent: Option<&str>) -> Result<bool> {
    // To say nothing is a way to be known, too: or whoever says nothing would be told of to nobody.
    let same = match agent {
        Some(agent) => Column::UserAgent.eq(agent),
        None => Column::UserAgent.is_null(),
    };
    let of_user = || tx.find::<Entity>().filter(Column::UserId.eq(user));
    Ok(of_user().filter(same).one().await?.is_none() && of_user().one().await?.is_some())
}

/// Makes room for one more session.
async fn evict(tx: &GlobalTx, user: UserId, policy: &SessionPolicy) -> Result<()> {
    let living = living(tx.now()).add(Column::UserId.eq(user));
    let mut sessions = tx.find::<Entity>().filter(living).all_locked(Column::Id).await?;
    let most = usize::try_from(policy.most).unwrap_or(usize::MAX);
    let too_many = (sessions.len() + 1).saturating_sub(most);
    if too_many == 0 {
        return Ok(());
    }
    sessions.sort_unstable_by_key(|session| session.id);
    let oldest = sessions.iter().take(too_many).map(|session| session.id);
    end(tx, Column::Id.is_in(oldest), Action::SessionRevoked, "too many").await.map(drop)
}
