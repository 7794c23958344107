//! `/users/me`: the person who is signed in, and where.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use insula_core::{
    ids::SessionId,
    sessions::{self, Ending},
    users,
};
use poem_openapi::{Object, OpenApi, param::Path};
use serde::Serialize;
use uuid::Uuid;

use super::Tag;
use crate::{
    caller::SignedIn,
    problem::Result,
    state::State,
    wire::{Email, EntityTag, Id, Name, NoContent, Reply, Tagged, Username},
};

pub struct Me(pub Arc<State>);

/// A person with an account.
#[derive(Object, Serialize)]
pub(super) struct User {
    /// The person.
    id: Uuid,
    /// To log in with.
    email: Email,
    /// To log in with, too.
    #[oai(nullable)]
    username: Option<Username>,
    /// Given name.
    #[oai(nullable)]
    first_name: Option<Name>,
    /// Family name.
    #[oai(nullable)]
    last_name: Option<Name>,
    /// May the person log in?
    is_active: bool,
    /// Is it an operator of the platform?
    is_superuser: bool,
    /// When the mailbox was proved.
    #[oai(nullable)]
    email_verified_at: Option<DateTime<Utc>>,
    /// When the person last logged in.
    #[oai(nullable)]
    last_login_at: Option<DateTime<Utc>>,
    /// When the account was made.
    created_at: DateTime<Utc>,
    /// When it last changed.
    updated_at: DateTime<Utc>,
}

/// A log-in on one device.
#[derive(Object, Serialize)]
struct Session {
    /// The log-in.
    id: Uuid,
    /// From where.
    #[oai(nullable)]
    ip: Option<String>,
    /// With what.
    #[oai(nullable)]
    user_agent: Option<String>,
    /// Is it this one?
    is_current: bool,
    /// When it began.
    created_at: DateTime<Utc>,
    /// Ends then at the latest.
    expires_at: DateTime<Utc>,
}

/// Every log-in that has not ended.
#[derive(Object, Serialize)]
struct Sessions {
    /// The newest first.
    data: Vec<Session>,
}

#[OpenApi(tag = "Tag::Me")]
impl Me {
    /// Look at myself
    #[oai(path = "/users/me", method = "get", operation_id = "getMe")]
    async fn get(&self, me: SignedIn) -> Result<Tagged<User>> {
        // His row itself: the one that was remembered may be older than a change he made elsewhere.
        let user = sessions::authenticate(&self.0.db, &me.caller.claims).await?;
        Ok(Tagged::Present(EntityTag(user.version), user.into()))
    }

    /// List where I am logged in
    #[oai(path = "/users/me/sessions", method = "get", operation_id = "listMySessions")]
    async fn sessions(&self, me: SignedIn) -> Result<Reply<Sessions>> {
        let current = me.caller.claims.session;
        let sessions = sessions::list(&self.0.db, me.user.id).await?;
        let show = |session: sessions::Session| Session {
            id: session.id.0,
            ip: session.ip,
            user_agent: session.user_agent,
            is_current: session.id == current,
            created_at: session.created_at,
            expires_at: session.expires_at,
        };
        Ok(Reply(Sessions { data: sessions.into_iter().map(show).collect() }))
    }

    /// Log out everywhere else
    #[oai(path = "/users/me/sessions", method = "delete", operation_id = "revokeMyOtherSessions")]
    async fn revoke_others(&self, me: SignedIn) -> Result<NoContent> {
        self.0.revoke(&me, Ending::Others(me.caller.claims.session), "revoked").await
    }

    /// Log out one device
    #[oai(path = "/users/me/sessions/:session", method = "delete", operation_id = "revokeMySession")]
    async fn revoke(&self, me: SignedIn, session: Path<Id>) -> Result<NoContent> {
        self.0.revoke(&me, Ending::One(SessionId(session.0.0)), "revoked").await
    }
}

impl State {
    /// Ends sessions of the person who asks.
    pub(super) async fn revoke(&self, me: &SignedIn, which: Ending, reason: &str) -> Result<NoContent> {
        let tx = self.db.begin_global(me.caller.origin()).await?;
        sessions::revoke(&tx, me.user.id, which, reason).await?;
        tx.commit().await?;
        Ok(NoContent)
    }
}

impl From<users::User> for User {
    fn from(user: users::User) -> Self {
        Self {
            id: user.id.0,
            email: Email(user.email),
            username: user.username.map(Username),
            first_name: user.first_name.map(Name),
            last_name: user.last_name.map(Name),
            is_active: user.is_active,
            is_superuser: user.is_superuser,
            email_verified_at: user.email_verified_at,
            last_login_at: user.last_login_at,
            created_at: user.created_at,
            updated_at: user.updated_at,
        }
    }
}
