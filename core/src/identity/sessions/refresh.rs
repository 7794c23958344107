//! Refresh tokens and their rotation (RFC 9700 §4.14). A session has a counter, and a token contains its value. Nothing
//! secret is stored, and a token cannot have two successors.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sea_orm::{ActiveValue::Set, ColumnTrait};
use uuid::Uuid;

use super::{Column, Entity, Session, SessionPolicy, active, end, entity};
use crate::{
    Error, Result,
    base::{
        crypto::{KeyPurpose, MacKey, MasterKey},
        error::ErrorCode,
        ids::SessionId,
        permissions::{Actor, AuditOrigin, RequestInfo},
    },
    identity::users::{self, User},
    storage::{
        audit::Action,
        db::{Db, GlobalTx},
        outbox::Job,
    },
};

/// The prefix of every refresh token, so that secret scanners recognize it.
const PREFIX: &str = "rt_";
/// Number of bytes of the session id and the counter.
const PAYLOAD: usize = 24;

/// Creates and reads refresh tokens: `rt_` and base64url of the session id, the counter and their HMAC.
#[derive(Clone)]
pub struct RefreshTokens(MacKey<32>);

/// The contents of a refresh token with a valid HMAC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refresh {
    session: SessionId,
    counter: i64,
}

impl Refresh {
    /// The session that it belongs to.
    pub fn session(&self) -> SessionId {
        self.session
    }
}

impl RefreshTokens {
    /// Derives the key for refresh tokens.
    pub fn new(master: &MasterKey) -> Self {
        Self(MacKey::derive(master, KeyPurpose::Refresh))
    }

    /// Returns the token of a session for a counter value. Each call returns the same token.
    pub fn issue(&self, session: SessionId, counter: i64) -> String {
        let mut bytes = [session.0.as_bytes(), &counter.to_be_bytes()[..]].concat();
        bytes.extend(self.0.tag(&bytes));
        format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Reads a token and verifies its HMAC.
    ///
    /// # Errors
    /// `INVALID_TOKEN` when this installation did not issue it.
    pub fn read(&self, token: &str) -> Result<Refresh> {
        let bytes = token.strip_prefix(PREFIX).and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
        let parts = bytes.as_deref().and_then(|bytes| bytes.split_at_checked(PAYLOAD));
        let verified = parts.filter(|(payload, tag)| self.0.verify(payload, tag)).and_then(|(payload, _)| {
            let (session, counter) = payload.split_at(16);
            Some(Refresh {
                session: SessionId(Uuid::from_slice(session).ok()?),
                counter: i64::from_be_bytes(counter.try_into().ok()?),
            })
        });
        verified.ok_or(ErrorCode::InvalidToken.refuse())
    }
}

/// Exchanges a refresh token and increments the counter of its session. The previous token still returns the current one
/// in two cases: for `policy.grace`, so that browser tabs that refresh at the same time stay logged in; and until a token of
/// the current generation was presented, because the response with it may have been lost. Any other reuse of an exchanged
/// token means that it was stolen. Then the session ends, and its user is notified.
///
/// It runs in its own transaction, because a reuse is recorded and also returns an error.
///
/// # Errors
/// `INVALID_TOKEN` unless session and account are active and the token is the current one or an accepted previous one.
pub async fn refresh(
    db: &Db,
    token: Refresh,
    policy: &SessionPolicy,
    inquiry: RequestInfo,
) -> Result<(Session, User)> {
    let mut tx = db.begin_global(AuditOrigin::anonymous(inquiry)).await?;
    if let Some(session) = increment_counter(&tx, token, policy).await? {
        let user = active_user(&tx, &session).await?;
        #[expect(clippy::disallowed_methods, reason = "a refresh is no audit event")]
        tx.commit_unaudited().await?;
        return Ok((session, user));
    }
    // The lock is needed, because a concurrent refresh may have incremented the counter just now.
    let session = tx.find::<Entity>().filter(Column::Id.eq(token.session)).one_locked().await?;
    let now = tx.now();
    let session =
        session.filter(|session| session.is_active(now)).ok_or(Error::Refused(ErrorCode::InvalidToken))?;
    if token.counter > session.refresh_counter {
        // The token is newer than the session: the database was restored from a backup. This is no theft.
        return Err(ErrorCode::InvalidToken.refuse());
    }
    if token.counter + 1 == session.refresh_counter {
        if session.refreshed_at + policy.grace >= now {
            let user = active_user(&tx, &session).await?;
            return Ok((session, user));
        }
        if session.presented_counter < session.refresh_counter {
            return reissue(tx, &session, policy).await;
        }
    }
    tx.set_actor(Actor::User(session.user_id), None);
    let condition = Column::Id.eq(session.id);
    let (_, platform) = end(&tx, condition, Action::SessionRefreshReuse, "refresh token reused").await?;
    platform.enqueue(&Job::SendRefreshReuse { user: session.user_id, session: session.id }).await?;
    drop(platform);
    tx.commit().await?;
    Err(ErrorCode::InvalidToken.refuse())
}

/// Increments the counter with one conditional statement. Of concurrent requests with the same token, one succeeds.
async fn increment_counter(tx: &GlobalTx, token: Refresh, policy: &SessionPolicy) -> Result<Option<Session>> {
    let now = tx.now();
    let current = active(now).add(Column::Id.eq(token.session)).add(Column::RefreshCounter.eq(token.counter));
    let row = entity::ActiveModel {
        refresh_counter: Set(token.counter + 1),
        refreshed_at: Set(now),
        last_seen_at: Set(now),
        idle_expires_at: Set(now + policy.idle),
        updated_at: Set(now),
        ..Default::default()
    };
    Ok(tx.update_where(row, current).await?.into_iter().next())
}

/// Issues the current token again and restarts its grace period, because other browser tabs may send the previous token too.
/// The session must be locked.
async fn reissue(tx: GlobalTx, session: &Session, policy: &SessionPolicy) -> Result<(Session, User)> {
    let user = active_user(&tx, session).await?;
    let now = tx.now();
    let row = entity::ActiveModel {
        id: Set(session.id),
        refreshed_at: Set(now),
        last_seen_at: Set(now),
        idle_expires_at: Set(now + policy.idle),
        updated_at: Set(now),
        ..Default::default()
    };
    let session = tx.update(row).await?;
    #[expect(clippy::disallowed_methods, reason = "a refresh is no audit event")]
    tx.commit_unaudited().await?;
    Ok((session, user))
}

async fn active_user(tx: &GlobalTx, session: &Session) -> Result<User> {
    let owner = tx.find::<users::Entity>().filter(users::Column::Id.eq(session.user_id));
    owner.filter(users::Column::IsActive.eq(true)).one().await?.ok_or(Error::Refused(ErrorCode::InvalidToken))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tokens(key: char) -> RefreshTokens {
        RefreshTokens::new(&MasterKey::new(key.to_string().repeat(32)))
    }

    #[test]
    fn a_token_contains_session_and_counter_and_cannot_be_forged() {
        let now = chrono::DateTime::from_timestamp(1_790_000_000, 0).unwrap();
        let (session, counter) = (SessionId::new(now), 7);
        let token = tokens('k').issue(session, counter);
        assert!(token.starts_with("rt_") && token.len() == 78, "{token}");
        assert_eq!(tokens('k').read(&token).unwrap(), Refresh { session, counter });
        assert!(tokens('x').read(&token).is_err());
        for at in PREFIX.len()..token.len() {
            let mut altered = token.clone();
            altered.replace_range(at..=at, if &token[at..=at] == "A" { "Q" } else { "A" });
            assert!(tokens('k').read(&altered).is_err(), "{altered}");
        }
        for bad in ["", "rt_", "rt_AAAA", &token[3..], &token[..token.len() - 1], &format!("{token}A")] {
            assert!(tokens('k').read(bad).is_err(), "{bad}");
        }
    }
    proptest! {
        #[test]
        fn every_token_reads_back_its_contents(id in any::<u128>(), counter in any::<i64>()) {
            let session = SessionId(Uuid::from_u128(id));
            let token = tokens('k').issue(session, counter);
            prop_assert_eq!(tokens('k').read(&token).unwrap(), Refresh { session, counter });
        }

        #[test]
        fn no_other_text_is_a_token(text in prop_oneof![any::<String>(), "(rt_)?[A-Za-z0-9_=-]{0,120}"]) {
            prop_assert!(tokens('k').read(&text).is_err());
        }

        #[test]
        fn an_altered_token_is_invalid(id in any::<u128>(), at in 0usize..78, with in "[A-Za-z0-9_+/=.-]{0,2}") {
            let token = tokens('k').issue(SessionId(Uuid::from_u128(id)), 1);
            let altered = format!("{}{with}{}", &token[..at], &token[at + 1..]);
            prop_assert!(altered == token || tokens('k').read(&altered).is_err());
        }
    }
}
