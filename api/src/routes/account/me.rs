//! `/users/me`: the person who is signed in, and where.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use insula_core::{
    base::ids::SessionId,
    identity::{
        sessions::{self, RevokeScope},
        users,
    },
    lifecycle::accounts,
};
use poem_openapi::{Enum, Object, OpenApi, param::Path};
use serde::Serialize;
use uuid::Uuid;

use crate::routes::Tag;
use crate::{
    auth::extractors::{SignedIn, SignedInUnverified},
    http::{
        DisplayName, Email, EntityTag, Id, JsonResponse, Locale, Name, NoContent, TimeZone, Username,
        WithEtag,
    },
    problem::Result,
    state::State,
};

pub struct MeApi(pub Arc<State>);

/// A person with an account.
#[derive(Object, Serialize)]
pub(crate) struct User {
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
    /// What others call him: his names, else his username, else the local part of his address.
    display_name: DisplayName,
    /// The language of what is written to him.
    locale: Locale,
    /// The time zone that times are shown in; data stay in UTC.
    timezone: TimeZone,
    /// The first day of his week.
    week_start: WeekStart,
    /// Where he works unless he says otherwise: what he chose, while he is a member there, else where he has been for the
    /// longest time; `null`: he belongs nowhere.
    #[oai(nullable)]
    default_organization_id: Option<Uuid>,
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
    /// Counts its changes; the `ETag`.
    version: i64,
    /// When the account was made.
    created_at: DateTime<Utc>,
    /// When it last changed.
    updated_at: DateTime<Utc>,
}

/// The first day of a week.
#[derive(Clone, Copy, Debug, Enum, Serialize)]
#[oai(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub(crate) enum WeekStart {
    /// ISO 8601.
    Monday,
    /// As in much of the Arab world.
    Saturday,
    /// As in North America.
    Sunday,
}

/// A log-in on one device.
#[derive(Object, Serialize)]
pub(crate) struct Session {
    /// The log-in.
    id: Uuid,
    /// From where.
    #[oai(nullable)]
    ip: Option<String>,
    /// With what.
    #[oai(nullable)]
    user_agent: Option<String>,
    /// What its owner calls it.
    #[oai(nullable)]
    device_name: Option<Name>,
    /// Is it this one?
    is_current: bool,
    /// When it began.
    created_at: DateTime<Utc>,
    /// When it was last used, to about a minute.
    last_seen_at: DateTime<Utc>,
    /// Ends then unless it is refreshed.
    idle_expires_at: DateTime<Utc>,
    /// Ends then at the latest.
    expires_at: DateTime<Utc>,
}

/// Every log-in that has not ended.
#[derive(Object, Serialize)]
pub(crate) struct Sessions {
    /// The newest first.
    data: Vec<Session>,
}

impl Sessions {
    /// `current`: the one that asks.
    pub(crate) fn new(sessions: Vec<sessions::Session>, current: SessionId) -> Self {
        let show = |session: sessions::Session| Session {
            id: session.id.0,
            ip: session.ip,
            user_agent: session.user_agent,
            device_name: session.device_name.map(Name),
            is_current: session.id == current,
            created_at: session.created_at,
            last_seen_at: session.last_seen_at,
            idle_expires_at: session.idle_expires_at,
            expires_at: session.expires_at,
        };
        Self { data: sessions.into_iter().map(show).collect() }
    }
}

#[OpenApi(tag = "Tag::Me")]
impl MeApi {
    /// Look at myself
    #[oai(path = "/users/me", method = "get", operation_id = "getMe")]
    async fn get(&self, me: SignedInUnverified) -> Result<WithEtag<User>> {
        let SignedInUnverified(me) = me;
        let user = accounts::with_default_organization(&self.0.db, me.user).await?;
        Ok(WithEtag::Present(EntityTag(user.version), user.into()))
    }

    /// List where I am logged in
    #[oai(path = "/users/me/sessions", method = "get", operation_id = "listMySessions")]
    async fn sessions(&self, me: SignedInUnverified) -> Result<JsonResponse<Sessions>> {
        let SignedInUnverified(me) = me;
        let sessions = sessions::list(&self.0.db, me.user.id).await?;
        Ok(JsonResponse(Sessions::new(sessions, me.caller.claims.session)))
    }

    /// Log out everywhere else
    #[oai(path = "/users/me/sessions", method = "delete", operation_id = "revokeMyOtherSessions")]
    async fn revoke_others(&self, me: SignedInUnverified) -> Result<NoContent> {
        self.0.revoke(&me.0, RevokeScope::Others(me.0.caller.claims.session), "revoked").await
    }

    /// Log out one device
    #[oai(path = "/users/me/sessions/:session", method = "delete", operation_id = "revokeMySession")]
    async fn revoke(&self, me: SignedInUnverified, session: Path<Id>) -> Result<NoContent> {
        self.0.revoke(&me.0, RevokeScope::One(SessionId(session.0.0)), "revoked").await
    }
}

impl State {
    /// Ends sessions of the person who asks.
    pub(crate) async fn revoke(&self, me: &SignedIn, which: RevokeScope, reason: &str) -> Result<NoContent> {
        let tx = self.db.begin_global(me.caller.origin()).await?;
        sessions::revoke(&tx, me.user.id, which, reason).await?;
        tx.commit().await?;
        Ok(NoContent)
    }
}

/// `default_organization_id` as it is: [`accounts::shown`] makes it true.
impl From<users::User> for User {
    fn from(user: users::User) -> Self {
        Self {
            display_name: DisplayName(user.display_name()),
            id: user.id.0,
            email: Email(user.email),
            username: user.username.map(Username),
            first_name: user.first_name.map(Name),
            last_name: user.last_name.map(Name),
            locale: Locale(user.locale),
            timezone: TimeZone(user.timezone),
            week_start: users::WeekStart::parse(&user.week_start).unwrap_or(users::WeekStart::Monday).into(),
            default_organization_id: user.default_organization_id.map(|id| id.0),
            is_active: user.is_active,
            is_superuser: user.is_superuser,
            email_verified_at: user.email_verified_at,
            last_login_at: user.last_login_at,
            version: user.version,
            created_at: user.created_at,
            updated_at: user.updated_at,
        }
    }
}

impl From<users::WeekStart> for WeekStart {
    fn from(day: users::WeekStart) -> Self {
        match day {
            users::WeekStart::Monday => Self::Monday,
            users::WeekStart::Saturday => Self::Saturday,
            users::WeekStart::Sunday => Self::Sunday,
        }
    }
}
