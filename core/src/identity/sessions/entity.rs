//! Rows of `sessions`.

use sea_orm::entity::prelude::*;

use crate::{
    base::ids::{SessionId, UserId},
    runtime::cluster::Invalidation,
    storage::db::{GlobalTable, without_relations},
};

/// A session: one login on one device.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sessions")]
pub struct Model {
    /// UUIDv7; every access token contains it.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: SessionId,
    /// The user who logged in.
    pub user_id: UserId,
    /// Authentication method (RFC 8176); always `pwd`.
    pub amr: String,
    /// When the user last entered the password.
    pub auth_time: DateTimeUtc,
    /// IP address of the login.
    pub ip: Option<String>,
    /// `User-Agent` of the login, at most 500 characters.
    pub user_agent: Option<String>,
    /// The name that the user gave the device.
    pub device_name: Option<String>,
    /// Generation of the current refresh token.
    pub refresh_counter: i64,
    /// The newest generation of which a token was presented: its refresh token, or an access token issued with it.
    pub presented_counter: i64,
    /// When the current refresh token was issued, or issued again because the response with it was lost.
    pub refreshed_at: DateTimeUtc,
    /// When the session was last used.
    pub last_seen_at: DateTimeUtc,
    /// When the session expires unless it is refreshed.
    pub idle_expires_at: DateTimeUtc,
    /// When the session expires at the latest.
    pub expires_at: DateTimeUtc,
    /// When the session was revoked. `None` if it was not.
    pub revoked_at: Option<DateTimeUtc>,
    /// Why the session was revoked.
    pub revoke_reason: Option<String>,
    /// When the session started.
    pub created_at: DateTimeUtc,
    /// When the row last changed.
    pub updated_at: DateTimeUtc,
}

impl Model {
    /// Returns whether the session is neither revoked nor expired at the instant `now`.
    pub(crate) fn is_active(&self, now: DateTimeUtc) -> bool {
        self.revoked_at.is_none() && self.expires_at > now && self.idle_expires_at > now
    }
}

without_relations!();

impl GlobalTable for Entity {
    const DELETED: Option<Column> = None;
    const NAME: &'static str = "session";
    const INVALIDATES: Option<fn(&Model) -> Invalidation> = Some(|session| Invalidation::Session(session.id));
}
