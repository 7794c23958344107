//! Refresh tokens and their rotation (RFC 9700 §4.14): a session counts, a token names a count. Nothing secret is stored,
//! and two successors of one token cannot exist.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sea_orm::{ActiveValue::Set, ColumnTrait};
use uuid::Uuid;

use super::{Column, Entity, Session, SessionPolicy, end, entity, living};
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

/// What every refresh token starts with, so that scanners find it where it does not belong.
const PREFIX: &str = "rt_";
/// Bytes of session and counter.
const NAMED: usize = 24;

/// Makes refresh tokens and reads them: `rt_` and base64url of session, counter and their HMAC.
#[derive(Clone)]
pub struct RefreshTokens(MacKey<32>);

/// What a genuine refresh token says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refresh {
    session: SessionId,
    counter: i64,
}

impl Refresh {
    /// The log-in that it goes on with.
    pub fn session(&self) -> SessionId {
        self.session
    }
}

impl RefreshTokens {
    /// With the key derived for them.
    pub fn new(master: &MasterKey) -> Self {
        Self(MacKey::derive(master, KeyPurpose::Refresh))
    }

    /// The token of a session at a count: the same each time.
    pub fn issue(&self, session: SessionId, counter: i64) -> String {
        let mut bytes = [session.0.as_bytes(), &counter.to_be_bytes()[..]].concat();
        bytes.extend(self.0.tag(&bytes));
        format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))
    }

    /// What a token says.
    ///
    /// # Errors
    /// `INVALID_TOKEN` when it is not one of ours.
    pub fn read(&self, token: &str) -> Result<Refresh> {
        let bytes = token.strip_prefix(PREFIX).and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
        let named = bytes.as_deref().and_then(|bytes| bytes.split_at_checked(NAMED));
        let genuine = named.filter(|(named, tag)| self.0.verify(named, tag)).and_then(|(named, _)| {
            let (session, counter) = named.split_at(16);
            Some(Refresh {
                session: SessionId(Uuid::from_slice(session).ok()?),
                counter: i64::from_be_bytes(counter.try_into().ok()?),
            })
        });
        genuine.ok_or(ErrorCode::InvalidToken.refuse())
    }
}

/// Exchanges a refresh token: the session counts on. The token before the current one gets the current one for
/// `policy.grace`, so that tabs that refresh at once stay signed in; and for as long as nothing of the current generation was
/// presented, since the answer that carried it may have been lost. Otherwise a token that was exchanged before has been
/// stolen, by whom no one can say: the session ends, and its person is told.
///
/// A unit of work of its own, because a theft is written down and refused.
///
/// # Errors
/// `INVALID_TOKEN` unless session and account are good and the token is the current or the forgiven one.
pub async fn refresh(
    db: &Db,
    token: Refresh,
    policy: &SessionPolicy,
    inquiry: RequestInfo,
) -> Result<(Session, User)> {
    let mut tx = db.begin_global(AuditOrigin::anonymous(inquiry)).await?;
    if let Some(session) = count_on(&tx, token, policy).await? {
        let user = person(&tx, &session).await?;
        #[expect(clippy::disallowed_methods, reason = "a refresh is no event: sessions live by them")]
        tx.commit_unaudited().await?;
        return Ok((session, user));
    }
    // Under the lock, since whoever was faster may just have counted on.
    let session = tx.find::<Entity>().filter(Column::Id.eq(token.session)).one_locked().await?;
    let now = tx.now();
    let session =
        session.filter(|session| session.is_living(now)).ok_or(Error::Refused(ErrorCode::InvalidToken))?;
    if token.counter > session.refresh_counter {
        // Genuine, yet from the future: the database was set back. Nobody stole anything.
        return Err(ErrorCode::InvalidToken.refuse());
    }
    if token.counter + 1 == session.refresh_counter {
        if session.refreshed_at + policy.grace >= now {
            let user = person(&tx, &session).await?;
            return Ok((session, user));
        }
        if session.presented_counter < session.refresh_counter {
            return give_again(tx, &session, policy).await;
        }
    }
    tx.set_actor(Actor::User(session.user_id), None);
    let ended = Column::Id.eq(session.id);
    let (_, platform) = end(&tx, ended, Action::SessionRefreshReuse, "refresh token reused").await?;
    platform.enqueue(&Job::SendRefreshReuse { user: session.user_id, session: session.id }).await?;
    drop(platform);
    tx.commit().await?;
    Err(ErrorCode::InvalidToken.refuse())
}

/// One conditional statement: of those who come with the same token, one succeeds.
async fn count_on(tx: &GlobalTx, token: Refresh, policy: &SessionPolicy) -> Result<Option<Session>> {
    let now = tx.now();
    let current = living(now).add(Column::Id.eq(token.session)).add(Column::RefreshCounter.eq(token.counter));
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

/// Gives the current token once more, and begins its grace anew: other tabs may come with the one before it, too. The session
/// is locked.
async fn give_again(tx: GlobalTx, session: &Session, policy: &SessionPolicy) -> Result<(Session, User)> {
    let user = person(&tx, session).await?;
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
    #[expect(clippy::disallowed_methods, reason = "a refresh is no event: sessions live by them")]
    tx.commit_unaudited().await?;
    Ok((session, user))
}

async fn person(tx: &GlobalTx, session: &Session) -> Result<User> {
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
    fn a_token_names_session_and_counter_and_cannot_be_made_by_others() {
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
        fn every_token_is_read_as_it_was_made(id in any::<u128>(), counter in any::<i64>()) {
            let session = SessionId(Uuid::from_u128(id));
            let token = tokens('k').issue(session, counter);
            prop_assert_eq!(tokens('k').read(&token).unwrap(), Refresh { session, counter });
        }

        #[test]
        fn no_other_text_is_a_token(text in prop_oneof![any::<String>(), "(rt_)?[A-Za-z0-9_=-]{0,120}"]) {
            prop_assert!(tokens('k').read(&text).is_err());
        }

        #[test]
        fn an_altered_token_is_none(id in any::<u128>(), at in 0usize..78, with in "[A-Za-z0-9_+/=.-]{0,2}") {
            let token = tokens('k').issue(SessionId(Uuid::from_u128(id)), 1);
            let altered = format!("{}{with}{}", &token[..at], &token[at + 1..]);
            prop_assert!(altered == token || tokens('k').read(&altered).is_err());
        }
    }
}
