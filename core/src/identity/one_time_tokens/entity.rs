//! Rows of `one_time_tokens`.

use sea_orm::entity::prelude::*;

use crate::{
    base::ids::{OneTimeTokenId, UserId},
    runtime::cluster::Invalidation,
    storage::db::{GlobalTable, without_relations},
};

/// The record of an e-mailed token. The token itself is not stored.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "one_time_tokens")]
pub struct Model {
    /// UUIDv7; jobs refer to it.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: OneTimeTokenId,
    /// The account that it concerns. `None` for an invitation.
    pub user_id: Option<UserId>,
    /// The e-mail address that it verifies, as typed. For an undo, the e-mail address to return to.
    pub email: String,
    /// The canonical form of `email`, for comparisons.
    pub email_canonical: String,
    /// [`TokenPurpose::as_str`](super::TokenPurpose::as_str).
    pub purpose: String,
    /// The invitation that it accepts. `None` for other purposes.
    pub subject_id: Option<Uuid>,
    /// SHA-256 of the token.
    pub token_hash: Vec<u8>,
    /// When it was used, revoked or replaced by a newer one. `None` while it is unused.
    pub used_at: Option<DateTimeUtc>,
    /// The token is invalid from this time on.
    pub expires_at: DateTimeUtc,
    /// When the row was inserted.
    pub created_at: DateTimeUtc,
    /// When the row last changed.
    pub updated_at: DateTimeUtc,
}

without_relations!();

impl GlobalTable for Entity {
    const DELETED: Option<Column> = None;
    const INVALIDATES: Option<fn(&Model) -> Invalidation> = None;
    const NAME: &'static str = "link";
}
