//! Rows of `sessions`.

use sea_orm::entity::prelude::*;

use crate::{
    base::ids::{SessionId, UserId},
    runtime::cluster::Invalidation,
    storage::db::{GlobalTable, without_relations},
};

/// One log-in on one device.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sessions")]
pub struct Model {
    /// Its address; every access token names it.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: SessionId,
    /// Whose.
    pub user_id: UserId,
    /// How the person proved who he is (RFC 8176).
    pub amr: String,
    /// When he did.
    pub auth_time: DateTimeUtc,
    /// From where.
    pub ip: Option<String>,
    /// With what.
    pub user_agent: Option<String>,
    /// What the person calls it.
    pub device_name: Option<String>,
    /// Which refresh token is the current one.
    pub refresh_counter: i64,
    /// The newest of which a token was presented: the refresh token, or an access token made with it.
    pub presented_counter: i64,
    /// When the current one was made, or given again because the answer that carried it was lost.
    pub refreshed_at: DateTimeUtc,
    /// When it was last used.
    pub last_seen_at: DateTimeUtc,
    /// Ends then unless it is refreshed.
    pub idle_expires_at: DateTimeUtc,
    /// Ends then at the latest.
    pub expires_at: DateTimeUtc,
    /// When it was ended.
    pub revoked_at: Option<DateTimeUtc>,
    /// Why.
    pub revoke_reason: Option<String>,
    /// When it began.
    pub created_at: DateTimeUtc,
    /// When it last changed.
    pub updated_at: DateTimeUtc,
}

impl Model {
    /// Has it not ended at the instant `now`?
    pub(crate) fn is_living(&self, now: DateTimeUtc) -> bool {
        self.revoked_at.is_none() && self.expires_at > now && self.idle_expires_at > now
    }
}

without_relations!();

impl GlobalTable for Entity {
    const DELETED: Option<Column> = None;
    const NAME: &'static str = "session";
    const INVALIDATES: Option<fn(&Model) -> Invalidation> = Some(|session| Invalidation::Session(session.id));
}
