//! `/users/me`: the signed-in user and their sessions.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use insula_core::{
    base::ids::SessionId,
    identity::{
        sessions::{self, RevokeScope},
        users,
    },
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
    state::AppState,
};

pub struct MeApi(pub Arc<AppState>);

/// The account of a user.
#[derive(Object, Serialize)]
pub(crate) struct User {
    /// Unique id of the user.
    id: Uuid,
    /// E-mail address, which the user can log in with.
    email: Email,
    /// Username, which the user can log in with instead of the e-mail address. `null` if they have none.
    #[oai(nullable)]
    username: Option<Username>,
    /// Given name of the user. `null` if not set.
    #[oai(nullable)]
    first_name: Option<Name>,
    /// Family name of the user. `null` if not set.
    #[oai(nullable)]
    last_name: Option<Name>,
    /// Name shown to others: first and last name, or else the username, or else the local
    /// part of the e-mail address.
    display_name: DisplayName,
    /// Language of the e-mails to the user, as a BCP 47 language tag.
    locale: Locale,
    /// IANA time zone in which times are shown to the user. The API always uses UTC.
    timezone: TimeZone,
    /// First day of the user's week.
    week_start: WeekStartName,
    /// Default organization: the one that the user chose while they are a member of it, or else the oldest
    /// membership. `null` if the user is not a member of any organization.
    #[oai(nullable)]
    default_organization_id: Option<Uuid>,
    /// Whether the user can log in.
    is_active: bool,
    /// Whether the user is a superuser, who administers the platform.
    is_superuser: bool,
    /// When the e-mail address was verified. `null` if it is not verified.
    #[oai(nullable)]
    email_verified_at: Option<DateTime<Utc>>,
    /// When the user last logged in. `null` if they never have.
    #[oai(nullable)]
    last_login_at: Option<DateTime<Utc>>,
    /// Version number, increased by every change. It is also the `ETag`.
    version: i64,
    /// When the account was created.
    created_at: DateTime<Utc>,
    /// When the account was last changed.
    updated_at: DateTime<Utc>,
}

/// First day of the week.
#[derive(Clone, Copy, Debug, Enum, Serialize)]
#[oai(rename_all = "snake_case", rename = "WeekStart")]
#[serde(rename_all = "snake_case")]
pub(crate) enum WeekStartName {
    /// The week starts on Monday (ISO 8601).
    Monday,
    /// The week starts on Saturday, as in much of the Arab world.
    Saturday,
    /// The week starts on Sunday, as in North America.
    Sunday,
}

/// One login on one device, until logout or expiry.
#[derive(Object, Serialize)]
#[oai(rename = "Session")]
pub(crate) struct UserSession {
    /// Unique id of the session.
    id: Uuid,
    /// IP address from which the user logged in. `null` if unknown.
    #[oai(nullable)]
    ip: Option<String>,
    /// `User-Agent` header of the login, cut to 500 characters. `null` if there was none.
    #[oai(nullable)]
    user_agent: Option<String>,
    /// Name of the device, as given at login. `null` if none was given.
    #[oai(nullable)]
    device_name: Option<Name>,
    /// Whether this is the session of the current request.
    is_current: bool,
    /// When the user logged in.
    created_at: DateTime<Utc>,
    /// When the session was last used, accurate to about a minute.
    last_seen_at: DateTime<Utc>,
    /// When the session ends unless it is refreshed before.
    idle_expires_at: DateTime<Utc>,
    /// When the session ends at the latest.
    expires_at: DateTime<Utc>,
}

/// All sessions of a user that have not ended.
#[derive(Object, Serialize)]
pub(crate) struct Sessions {
    /// The sessions, newest first.
    data: Vec<UserSession>,
}

impl Sessions {
    /// `current`: the session of the request.
    pub(crate) fn new(sessions: Vec<sessions::Session>, current: SessionId) -> Self {
        Self { data: sessions.into_iter().map(|session| UserSession::new(session, current)).collect() }
    }
}

impl UserSession {
    /// `current`: the session of the request.
    pub(crate) fn new(session: sessions::Session, current: SessionId) -> Self {
        Self {
            id: session.id.0,
            ip: session.ip,
            user_agent: session.user_agent,
            device_name: session.device_name.map(Name),
            is_current: session.id == current,
            created_at: session.created_at,
            last_seen_at: session.last_seen_at,
            idle_expires_at: session.idle_expires_at,
            expires_at: session.expires_at,
        }
    }
}

#[OpenApi(tag = "Tag::Me")]
impl MeApi {
    /// Get the current user
    ///
    /// Returns your own account. This also works before your e-mail address is verified.
    #[oai(path = "/users/me", method = "get", operation_id = "getMe")]
    async fn get(&self, me: SignedInUnverified) -> Result<WithEtag<User>> {
        let SignedInUnverified(me) = me;
        let default_organization_id = self.0.callers.default_organization(&me.user).await?;
        let user = users::User { default_organization_id, ..me.user };
        Ok(WithEtag::Present(EntityTag(user.version), user.into()))
    }

    /// List your sessions
    ///
    /// Returns all sessions of yours that have not ended, newest first. `is_current` marks the
    /// session of this request.
    #[oai(path = "/users/me/sessions", method = "get", operation_id = "listMySessions")]
    async fn sessions(&self, me: SignedInUnverified) -> Result<JsonResponse<Sessions>> {
        let SignedInUnverified(me) = me;
        let sessions = sessions::list(&self.0.db, me.user.id).await?;
        Ok(JsonResponse(Sessions::new(sessions, me.caller.claims.session)))
    }

    /// Revoke your other sessions
    ///
    /// Logs you out on all other devices. The current session stays valid.
    #[oai(path = "/users/me/sessions", method = "delete", operation_id = "revokeMyOtherSessions")]
    async fn revoke_others(&self, me: SignedInUnverified) -> Result<NoContent> {
        self.0.revoke(&me.0, RevokeScope::Others(me.0.caller.claims.session), "revoked").await
    }

    /// Revoke one of your sessions
    ///
    /// Logs you out on one device. The tokens of that session no longer work. You can also
    /// revoke the current session.
    #[oai(path = "/users/me/sessions/:session", method = "delete", operation_id = "revokeMySession")]
    async fn revoke(
        &self,
        me: SignedInUnverified,
        /// Id of the session.
        session: Path<Id>,
    ) -> Result<NoContent> {
        self.0.revoke(&me.0, RevokeScope::One(SessionId(session.0.0)), "revoked").await
    }
}

impl AppState {
    /// Ends sessions of the user who makes the request.
    pub(crate) async fn revoke(&self, me: &SignedIn, which: RevokeScope, reason: &str) -> Result<NoContent> {
        let tx = self.db.begin_global(me.caller.origin()).await?;
        sessions::revoke(&tx, me.user.id, which, reason).await?;
        tx.commit().await?;
        Ok(NoContent)
    }
}

/// Copies `default_organization_id` unchanged; [`insula_core::lifecycle::accounts::with_default_organization`] resolves it.
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

impl From<users::WeekStart> for WeekStartName {
    fn from(day: users::WeekStart) -> Self {
        match day {
            users::WeekStart::Monday => Self::Monday,
            users::WeekStart::Saturday => Self::Saturday,
            users::WeekStart::Sunday => Self::Sunday,
        }
    }
}
